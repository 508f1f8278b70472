//! Crisis plans: what is different while one is on, and that nothing is once it is off.

use std::time::Duration;

use acd::{
    AgentStateKind as Kind, CallId, Condition, CrisisChange, CrisisFlow, CrisisOrder, CrisisSpec,
    Event, Input, LastResort, Output, Reach, StepSpec, Want,
};

use crate::{
    country::{Country, line, plan, seconds},
    desk::Desk,
};

fn crisis(name: &str) -> CrisisSpec {
    CrisisSpec {
        name: name.to_owned(),
        overflow: None,
        reserve: None,
        wrap_up: None,
        announcement: None,
        flow: CrisisFlow::Closed,
    }
}

/// Sites `A` and `B`; help after two minutes, in a crisis at once.
fn country() -> Country {
    let neighbours = |wait| StepSpec {
        when: vec![Condition::After(wait)],
        widen: vec![Reach::Neighbours],
        ..StepSpec::default()
    };
    let mut country = Country::two_sites(Duration::ZERO, vec![neighbours(seconds(120))]);
    let at_once = plan("at-once", Duration::ZERO, vec![neighbours(Duration::ZERO)]);
    country.plans.push(at_once);
    country.crises.push(CrisisSpec {
        overflow: Some("at-once".to_owned()),
        ..crisis("flood")
    });
    country
}

fn switch_on(desk: &mut Desk, name: &str, sites: &[&str], until: Option<Duration>) {
    let directory = desk.acd.directory();
    let crisis = directory.crisis(name).unwrap();
    let sites = sites.iter().map(|id| directory.site(id).unwrap()).collect();
    let until = until.map(|after| desk.now() + after);
    desk.input(Input::CrisisOn(CrisisOrder {
        crisis,
        sites,
        until,
        author: "samu 67".to_owned(),
        reason: "the river".to_owned(),
    }));
}

fn switch_off(desk: &mut Desk, name: &str) {
    let crisis = desk.acd.directory().crisis(name).unwrap();
    desk.input(Input::CrisisOff {
        crisis,
        sites: Vec::new(),
        author: "samu 67".to_owned(),
    });
}

#[test]
fn calls_that_wait_and_calls_that_come_follow_the_crisis_plan() {
    let mut desk = Desk::new(
        &country()
            .with_agents("B", &["b1", "b2"])
            .with_agents("A", &["a"]),
    );
    desk.want("a", Want::LoggedOut);
    let waiting = desk.call("A-15");
    desk.wait(seconds(10));
    assert_eq!(desk.offered(waiting), None);
    switch_on(&mut desk, "flood", &["A"], None);
    assert_eq!(desk.offered(waiting).as_deref(), Some("b1"));
    let coming = desk.call("A-15");
    assert_eq!(desk.offered(coming).as_deref(), Some("b2"));
    let changed = desk.events().find_map(|(_, event)| match event {
        Event::CrisisChanged { change, .. } => Some(change.clone()),
        _ => None,
    });
    let (author, reason) = ("samu 67".to_owned(), "the river".to_owned());
    let lasts = None;
    assert_eq!(
        changed,
        Some(CrisisChange::On {
            author,
            reason,
            lasts
        })
    );
}

#[test]
fn once_it_is_off_calls_wait_as_before() {
    let mut desk = Desk::new(&country().with_agents("B", &["b"]).with_agents("A", &["a"]));
    desk.want("a", Want::LoggedOut);
    desk.want("b", Want::LoggedOut);
    let call = desk.call("A-15");
    let before = desk.acd.call(call);
    switch_on(&mut desk, "flood", &["A", "B"], None);
    assert_eq!(desk.acd.call(call).unwrap().steps.len(), 1);
    switch_off(&mut desk, "flood");
    assert_eq!(desk.acd.call(call), before);
    assert_eq!(desk.acd.active_crises().count(), 0);
    desk.want("b", Want::Ready);
    assert_eq!(desk.offered(call), None);
    // Nobody is on duty at B but b, whom the step of the usual plan brings in its time.
    desk.wait(seconds(120));
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
}

#[test]
fn a_crisis_ends_by_itself_and_can_be_prolonged() {
    let mut desk = Desk::new(&country());
    switch_on(&mut desk, "flood", &["A"], Some(seconds(60)));
    desk.wait(seconds(59));
    switch_on(&mut desk, "flood", &["A", "B"], Some(seconds(60)));
    desk.wait(seconds(59));
    let sites = |desk: &Desk| {
        desk.acd
            .active_crises()
            .map(|on| on.sites.len())
            .sum::<usize>()
    };
    assert_eq!(sites(&desk), 2);
    desk.wait(seconds(1));
    assert_eq!(sites(&desk), 0);
    let expired = desk.events().any(|(_, event)| {
        matches!(event, Event::CrisisChanged { change, .. } if *change == CrisisChange::Expired)
    });
    assert!(expired);
}

#[test]
fn reserve_and_wrap_up_are_those_of_the_crisis_and_then_those_of_before() {
    let mut country = country().with_agents("B", &["b"]).with_agents("A", &["a"]);
    country.sites[1].reserve = 1;
    country.crises[0].reserve = Some(0);
    country.crises[0].wrap_up = Some(Duration::ZERO);
    let mut desk = Desk::new(&country);
    desk.want("a", Want::LoggedOut);
    let call = desk.call("A-15");
    desk.wait(seconds(120));
    assert_eq!(desk.offered(call), None, "kept for B's own callers");
    switch_on(&mut desk, "flood", &["B"], None);
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
    desk.answer(call);
    desk.end(call);
    assert_eq!(desk.state("b"), Kind::Ready);
    switch_off(&mut desk, "flood");
    let call = desk.call("B-15");
    desk.answer(call);
    desk.end(call);
    assert_eq!(desk.state("b"), Kind::WrapUp);
}

#[test]
fn the_plan_that_was_switched_on_last_counts_and_the_other_is_not_lost() {
    let mut country = country().with_agents("A", &["a"]);
    country.crises.push(CrisisSpec {
        wrap_up: Some(seconds(1)),
        ..crisis("heat")
    });
    country.crises[0].wrap_up = Some(seconds(2));
    let mut desk = Desk::new(&country);
    let wrap_up = |desk: &mut Desk| {
        let call = desk.call("A-15");
        desk.answer(call);
        desk.end(call);
        let mut lasted = Duration::ZERO;
        while desk.state("a") == Kind::WrapUp {
            desk.wait(seconds(1));
            lasted += seconds(1);
        }
        lasted
    };
    switch_on(&mut desk, "heat", &["A"], None);
    assert_eq!(wrap_up(&mut desk), seconds(1));
    switch_on(&mut desk, "flood", &["A"], None);
    assert_eq!(wrap_up(&mut desk), seconds(2));
    switch_off(&mut desk, "flood");
    assert_eq!(wrap_up(&mut desk), seconds(1));
    switch_off(&mut desk, "heat");
    assert_eq!(wrap_up(&mut desk), seconds(5));
}

#[test]
fn the_crisis_flow_takes_new_calls_while_it_is_open_and_says_so() {
    let mut country = country();
    country.lines.push(line("A-Crise", "A"));
    country.lines[0].crisis_line = Some("A-Crise".to_owned());
    country.crises[0].flow = CrisisFlow::Open;
    country.crises[0].announcement = Some("crisis".to_owned());
    let mut desk = Desk::new(&country);
    let on_line = |desk: &Desk, call| desk.acd.call(call).unwrap().line;
    let usual = desk.call("A-15");
    switch_on(&mut desk, "flood", &["A"], None);
    let in_crisis = desk.call("A-15");
    switch_off(&mut desk, "flood");
    let after = desk.call("A-15");
    let lines = [usual, in_crisis, after].map(|call| on_line(&desk, call));
    let (ordinary, open) = (desk.line("A-15"), desk.line("A-Crise"));
    assert_eq!(lines, [ordinary, open, ordinary]);
    let announced = desk.log.iter().filter_map(|(_, output)| match output {
        Output::Announce {
            call, announcement, ..
        } => Some((*call, &**announcement)),
        _ => None,
    });
    assert_eq!(announced.collect::<Vec<_>>(), [(in_crisis, "crisis")]);
}

/// Ten thousand calls that wait are not looked at in one turn of the thread, and all are looked at.
#[test]
fn many_calls_follow_in_several_turns() {
    let mut desk = Desk::new(&country().with_agents("A", &["a"]));
    desk.acd_input(Input::AgentWants {
        agent: desk.agent("a"),
        want: Want::LoggedOut,
    });
    let line = desk.line("A-15");
    for number in 0..10_000 {
        desk.acd_input(Input::CallArrived {
            call: CallId::new(number),
            line,
            priority: None,
            caller: None,
            arrival: None,
        });
    }
    let directory = desk.acd.directory();
    let (crisis, site) = (
        directory.crisis("flood").unwrap(),
        directory.site("A").unwrap(),
    );
    desk.acd_input(Input::CrisisOn(CrisisOrder {
        crisis,
        sites: vec![site],
        until: None,
        author: String::new(),
        reason: String::new(),
    }));
    let mut turns = 1;
    while desk.acd.poll_timeout() == Some(desk.now()) {
        desk.acd_turn();
        turns += 1;
    }
    assert!((30..=100).contains(&turns), "{turns} turns");
    let followed = |call: &CallId| desk.acd.call(*call).unwrap().steps.len() == 1;
    assert_eq!(desk.acd.calls().filter(followed).count(), 10_000);
}

/// What the crisis plan had rung outside stops ringing when it is off; the usual plan does the same in
/// its own time.
#[test]
fn a_diversion_ends_with_the_crisis_plan_that_began_it() {
    let divert = |after| StepSpec {
        when: vec![Condition::After(after)],
        last_resort: Some(LastResort::Divert("sip:116117@example.org".to_owned())),
        ..StepSpec::default()
    };
    let mut country = Country::two_sites(Duration::ZERO, vec![divert(seconds(60))]);
    let elsewhere = plan("elsewhere", Duration::ZERO, vec![divert(Duration::ZERO)]);
    country.plans.push(elsewhere);
    country.crises.push(CrisisSpec {
        overflow: Some("elsewhere".to_owned()),
        ..crisis("full")
    });
    let mut desk = Desk::new(&country.with_agents("A", &["a"]));
    desk.want("a", Want::LoggedOut);
    let call = desk.call("A-15");
    let before = desk.acd.call(call);
    let diverted = |desk: &Desk| desk.acd.call(call).unwrap().diverted_by.is_some();
    switch_on(&mut desk, "full", &["A"], None);
    assert!(diverted(&desk));
    switch_off(&mut desk, "full");
    assert_eq!(desk.acd.call(call), before);
    let withdrawn = |output: &Output| matches!(output, Output::DivertWithdrawn { .. });
    assert_eq!(
        desk.log
            .iter()
            .filter(|(_, output)| withdrawn(output))
            .count(),
        1
    );
    desk.wait(seconds(60));
    assert!(diverted(&desk), "by the usual plan");
    // Which goes on when a crisis comes and goes.
    switch_on(&mut desk, "full", &["A"], None);
    switch_off(&mut desk, "full");
    assert!(diverted(&desk));
    assert_eq!(
        desk.log
            .iter()
            .filter(|(_, output)| withdrawn(output))
            .count(),
        1
    );
}

#[test]
fn each_order_of_a_plan_has_its_own_end() {
    let mut desk = Desk::new(&country());
    switch_on(&mut desk, "flood", &["A"], Some(seconds(60)));
    switch_on(&mut desk, "flood", &["B"], None);
    let on = |desk: &Desk| {
        let directory = desk.acd.directory();
        let names = desk
            .acd
            .active_crises()
            .flat_map(|order| order.sites.clone());
        let names = names.map(|site| directory.site_profile(site).id.clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(on(&desk), ["A", "B"]);
    desk.wait(seconds(60));
    assert_eq!(on(&desk), ["B"], "nobody said an end for B");
    // A site that is ordered again has the end of the later order alone.
    switch_on(&mut desk, "flood", &["A", "B"], Some(seconds(30)));
    switch_on(&mut desk, "flood", &["B"], Some(seconds(90)));
    desk.wait(seconds(30));
    assert_eq!(on(&desk), ["B"]);
    desk.wait(seconds(60));
    assert_eq!(on(&desk), Vec::<String>::new());
    assert_eq!(
        desk.acd.crises_at(desk.acd.directory().site("B").unwrap()),
        []
    );
}
