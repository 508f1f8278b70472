//! The rules, one by one.

use std::time::Duration;

use acd::{
    AgentStateKind as Kind, CallId, CallOutcome, Condition, Event, Input, OfferFailure,
    PauseReason, Priority, Reach, RefuseReason, Selection, Settings, StartState, StepSpec, Want,
    WhileOffered,
};

use crate::{
    country::{Country, line, seconds, skills},
    desk::Desk,
};

fn lunch() -> Want {
    Want::NotReady {
        reason: PauseReason::new("lunch").unwrap(),
    }
}

/// A step that reaches the neighbours.
fn neighbours(when: Condition) -> StepSpec {
    StepSpec {
        when: vec![when],
        widen: vec![Reach::Neighbours],
    }
}

fn after(count: u64) -> Condition {
    Condition::After(seconds(count))
}

#[test]
fn a_call_is_offered_answered_wrapped_up_and_over() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    assert_eq!(desk.state("a"), Kind::Offered);
    desk.ring(call);
    desk.wait(seconds(3));
    desk.answer(call);
    assert_eq!(desk.state("a"), Kind::Talking);
    desk.wait(seconds(60));
    desk.end(call);
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.wait(Duration::from_millis(4999));
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.state("a"), Kind::Ready);
    let outcome = desk.events().find_map(|(_, event)| match event {
        Event::Left { outcome, .. } => Some(*outcome),
        _ => None,
    });
    let agent = desk.agent("a");
    let talked = seconds(60);
    assert_eq!(outcome, Some(CallOutcome::Served { agent, talked }));
}

#[test]
fn without_wrap_up_the_agent_is_free_at_once() {
    let mut country = Country::one_site(&["a"]);
    country.lines[0].wrap_up = Duration::ZERO;
    let mut desk = Desk::new(&country);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    desk.answer(first);
    desk.end(first);
    assert_eq!(desk.offered(second).as_deref(), Some("a"));
}

#[test]
fn priority_comes_before_arrival_and_arrival_before_all_else() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    desk.want("a", lunch());
    let line = desk.line("A-15");
    let late = desk.call("A-15");
    desk.wait(seconds(1));
    let later = desk.call("A-15");
    let urgent = desk.call_on(line, Priority::new(0));
    assert_eq!(
        [urgent, late, later].map(|call| desk.acd.place(call)),
        [Some(1), Some(2), Some(3)]
    );
    for expected in [urgent, late, later] {
        desk.want("a", Want::Ready);
        assert_eq!(desk.offered(expected).as_deref(), Some("a"));
        desk.answer(expected);
        desk.want("a", lunch());
        desk.end(expected);
    }
}

#[test]
fn who_has_been_idle_longest_is_asked_first() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b", "c"]));
    desk.want("a", lunch());
    desk.wait(seconds(1));
    desk.want("a", Want::Ready);
    let calls = [desk.call("A-15"), desk.call("A-15"), desk.call("A-15")];
    let asked = calls.map(|call| desk.offered(call).unwrap());
    assert_eq!(asked, ["b", "c", "a"]);
}

#[test]
fn who_says_ready_again_keeps_the_idle_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    desk.wait(seconds(1));
    desk.want("a", Want::Ready);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn an_agent_whose_caller_gave_up_keeps_the_idle_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    desk.wait(seconds(5));
    let call = desk.call("A-15");
    desk.wait(seconds(2));
    desk.end(call);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn skills_ask_a_least_level_of_each() {
    let mut country = Country::one_site(&["none", "low", "one", "both"]);
    country.lines[0].skills = skills(&[("amu", 5), ("de", 3)]);
    for (agent, has) in country.agents.iter_mut().zip([
        skills(&[]),
        skills(&[("amu", 4), ("de", 9)]),
        skills(&[("amu", 9)]),
        skills(&[("amu", 5), ("de", 3)]),
    ]) {
        agent.skills = has;
    }
    let mut desk = Desk::new(&country);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    assert_eq!(desk.offered(first).as_deref(), Some("both"));
    assert_eq!(desk.offered(second), None);
}

#[test]
fn the_selection_of_a_line_chooses_among_equals() {
    let cases = [
        (Selection::LongestIdle, "expert"),
        (Selection::MostSkilled, "expert"),
        (Selection::LeastSkilled, "novice"),
    ];
    for (selection, expected) in cases {
        let mut country = Country::one_site(&["expert", "novice"]);
        country.lines[0].selection = selection;
        country.agents[0].skills = skills(&[("amu", 9)]);
        country.agents[1].skills = skills(&[("amu", 1)]);
        let mut desk = Desk::new(&country);
        let call = desk.call("A-15");
        assert_eq!(
            desk.offered(call).as_deref(),
            Some(expected),
            "{selection:?}"
        );
    }
}

#[test]
fn least_occupied_is_who_worked_the_smallest_share_since_log_in() {
    let mut country = Country::one_site(&["a", "b"]);
    country.lines[0].selection = Selection::LeastOccupied;
    country.lines[0].wrap_up = Duration::ZERO;
    let mut desk = Desk::new(&country);
    let call = desk.call("A-15");
    desk.answer(call);
    desk.wait(seconds(100));
    desk.end(call);
    let next = desk.call("A-15");
    assert_eq!(
        desk.offered(next).as_deref(),
        Some("b"),
        "a worked all the time"
    );
    // A new log-in is a new count.
    desk.answer(next);
    desk.wait(seconds(10));
    desk.end(next);
    desk.want("a", Want::LoggedOut);
    desk.want("a", Want::Ready);
    desk.wait(seconds(10));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn nobody_answers_within_the_ring_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    let third = desk.call("A-15");
    desk.ring(first);
    desk.answer(second);
    desk.wait(Duration::from_millis(14_999));
    assert_eq!(desk.state("a"), Kind::Offered);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.state("a"), Kind::NotReady, "nobody sits there");
    assert_eq!(desk.acd.place(first), Some(1), "the call keeps its place");
    assert_eq!(desk.acd.place(third), Some(2));
    desk.wait(seconds(3600));
    assert_eq!(desk.state("a"), Kind::NotReady, "until a person says ready");
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(first).as_deref(), Some("a"));
}

#[test]
fn a_phone_without_a_sign_of_life_is_unreachable_and_asked_until_it_lives() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    desk.wait(seconds(5));
    assert_eq!(desk.state("a"), Kind::Unreachable);
    desk.wait(seconds(65));
    let probes = desk.log.iter();
    let probes = probes.filter(|(_, output)| matches!(output, acd::Output::Probe { .. }));
    assert_eq!(
        probes.map(|(at, _)| at.as_secs()).collect::<Vec<_>>(),
        [35, 65]
    );
    let agent = desk.agent("a");
    desk.input(Input::AgentReachable { agent });
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn busy_and_declined_agents_come_back_by_themselves() {
    for reason in [OfferFailure::Busy, OfferFailure::Declined] {
        let mut desk = Desk::new(&Country::one_site(&["a"]));
        let call = desk.call("A-15");
        desk.fail(call, reason);
        assert_eq!(desk.state("a"), Kind::NotReady);
        desk.wait(Duration::from_millis(9_999));
        assert_eq!(desk.offered(call), None);
        desk.wait(Duration::from_millis(1));
        assert_eq!(desk.offered(call).as_deref(), Some("a"));
    }
}

#[test]
fn an_offer_has_one_winner() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    let offer = desk.offers()[0].offer;
    desk.end(call);
    assert_eq!(desk.state("a"), Kind::Ready);
    // The answer comes too late: it is about nothing.
    desk.input(Input::OfferAnswered { offer });
    assert_eq!(desk.state("a"), Kind::Ready);
    assert!(desk.acd.is_idle());
    let ignored = desk
        .events()
        .filter(|(_, event)| matches!(event, Event::Ignored { .. }));
    assert_eq!(ignored.count(), 1);
}

#[test]
fn a_caller_may_give_up_waiting_or_while_a_phone_rings() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let (offered, waiting) = (desk.call("A-15"), desk.call("A-15"));
    desk.wait(seconds(4));
    desk.end(waiting);
    desk.end(offered);
    let outcomes: Vec<_> = desk
        .events()
        .filter_map(|(_, event)| match event {
            Event::Left { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect();
    let abandoned = |while_offered| CallOutcome::Abandoned {
        waited: seconds(4),
        while_offered,
    };
    assert_eq!(
        outcomes,
        [abandoned(WhileOffered::No), abandoned(WhileOffered::Yes)]
    );
}

#[test]
fn a_pause_that_is_asked_for_in_a_call_comes_after_it() {
    for (want, state) in [
        (lunch(), Kind::NotReady),
        (Want::LoggedOut, Kind::LoggedOut),
    ] {
        let mut desk = Desk::new(&Country::one_site(&["a"]));
        let call = desk.call("A-15");
        desk.answer(call);
        desk.want("a", want);
        assert_eq!(desk.state("a"), Kind::Talking);
        desk.end(call);
        desk.wait(seconds(5));
        assert_eq!(desk.state("a"), state);
    }
}

#[test]
fn who_leaves_while_the_phone_rings_gives_the_call_back() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    desk.want("a", lunch());
    assert_eq!(desk.state("a"), Kind::NotReady);
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
}

#[test]
fn agents_start_as_configured() {
    let mut country = Country::one_site(&["in", "pause", "out"]);
    country.agents[1].start = StartState::NotReady;
    country.agents[2].start = StartState::LoggedOut;
    let desk = Desk::new(&country);
    assert_eq!(
        ["in", "pause", "out"].map(|agent| desk.state(agent)),
        [Kind::Ready, Kind::NotReady, Kind::LoggedOut]
    );
    assert!(desk.log.is_empty(), "how agents start is no news");
}

#[test]
fn a_neighbour_helps_after_its_time_and_not_before() {
    let country = Country::two_sites(Duration::ZERO, vec![neighbours(after(20))]);
    let mut desk = Desk::new(&country.with_agents("B", &["b"]).with_agents("A", &["a"]));
    desk.want("a", lunch());
    let call = desk.call("A-15");
    desk.wait(Duration::from_millis(19_999));
    assert_eq!(desk.offered(call), None);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
    let step = desk.events().find_map(|(_, event)| match event {
        Event::Offered { step, .. } => Some(*step),
        _ => None,
    });
    assert!(step.unwrap().is_some(), "an offer elsewhere names its step");
}

#[test]
fn a_step_stays_in_effect_for_its_call() {
    let country = Country::two_sites(Duration::ZERO, vec![neighbours(after(20))]);
    let mut desk = Desk::new(&country.with_agents("B", &["b"]).with_agents("A", &["a"]));
    desk.want("a", lunch());
    desk.want("b", lunch());
    let call = desk.call("A-15");
    desk.wait(seconds(25));
    desk.want("b", Want::Ready);
    desk.fail(call, OfferFailure::Busy);
    desk.wait(seconds(10));
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
}

#[test]
fn a_long_queue_widens_all_its_calls_and_the_first_goes_first() {
    let steps = vec![
        neighbours(Condition::QueueLongerThan(1)),
        StepSpec {
            when: vec![after(1)],
            widen: vec![Reach::Site("A".to_owned())],
        },
    ];
    let country = Country::two_sites(Duration::ZERO, steps).with_agents("B", &["b"]);
    let mut desk = Desk::new(&country.with_agents("A", &["a"]));
    desk.want("a", lunch());
    let first = desk.call("A-15");
    // The first call has taken another step by now: that gives it no worse a place.
    desk.wait(seconds(1));
    assert_eq!(desk.offered(first), None);
    let second = desk.call("A-15");
    assert_eq!(desk.offered(first).as_deref(), Some("b"));
    assert_eq!(desk.offered(second), None);
}

#[test]
fn nobody_on_duty_at_home_overflows_at_once_and_a_pause_is_not_duty() {
    let steps = vec![neighbours(Condition::NoAgentOnDuty)];
    let country = Country::two_sites(Duration::ZERO, steps);
    let mut desk = Desk::new(&country.with_agents("A", &["a"]).with_agents("B", &["b"]));
    let first = desk.call("A-15");
    desk.answer(first);
    let second = desk.call("A-15");
    assert_eq!(desk.offered(second), None, "a talks: that is duty");
    desk.want("a", lunch());
    assert_eq!(
        desk.offered(second).as_deref(),
        Some("b"),
        "a will not come back"
    );
}

#[test]
fn a_step_that_reaches_nobody_is_passed_and_the_next_is_not_waited_for() {
    let steps = vec![
        neighbours(after(10)),
        StepSpec {
            when: vec![after(60)],
            widen: vec![Reach::Nation],
        },
    ];
    let mut country = Country::two_sites(Duration::ZERO, steps);
    country.sites.push(crate::country::site("C"));
    let mut desk = Desk::new(&country.with_agents("C", &["c"]));
    let call = desk.call("A-15");
    desk.wait(seconds(10));
    assert_eq!(desk.offered(call).as_deref(), Some("c"));
    let passed = desk
        .events()
        .filter(|(_, event)| matches!(event, Event::StepPassed { .. }));
    assert_eq!(passed.count(), 1);
}

#[test]
fn a_site_keeps_its_reserve_for_its_own_callers() {
    let mut country = Country::two_sites(Duration::ZERO, vec![neighbours(after(0))]);
    country.sites[1].reserve = 1;
    let mut desk = Desk::new(&country.with_agents("B", &["b", "bb"]));
    let away = [desk.call("A-15"), desk.call("A-15")];
    assert_eq!(desk.offered(away[0]).as_deref(), Some("b"));
    assert_eq!(desk.offered(away[1]), None, "bb is the reserve");
    let own = desk.call("B-15");
    assert_eq!(desk.offered(own).as_deref(), Some("bb"));
}

#[test]
fn own_callers_come_first_within_the_home_advantage() {
    for (later, own_first) in [(9, true), (11, false)] {
        let steps = vec![neighbours(after(0))];
        let country = Country::two_sites(seconds(10), steps).with_agents("B", &["b"]);
        let mut desk = Desk::new(&country);
        desk.want("b", lunch());
        let away = desk.call("A-15");
        desk.wait(seconds(later));
        let own = desk.call("B-15");
        desk.want("b", Want::Ready);
        let first = if own_first { own } else { away };
        assert_eq!(desk.offered(first).as_deref(), Some("b"), "{later} s");
    }
}

#[test]
fn a_higher_priority_from_elsewhere_is_not_passed_by_the_home_advantage() {
    let steps = vec![neighbours(after(0))];
    let country = Country::two_sites(seconds(600), steps).with_agents("B", &["b"]);
    let mut desk = Desk::new(&country);
    desk.want("b", lunch());
    let own = desk.call("B-15");
    let line = desk.line("A-15");
    let urgent = desk.call_on(line, Priority::new(0));
    desk.want("b", Want::Ready);
    assert_eq!(desk.offered(urgent).as_deref(), Some("b"));
    assert_eq!(desk.offered(own), None);
}

#[test]
fn the_nearest_ring_comes_first_whoever_is_idle_longer() {
    let widen = vec![Reach::Nation];
    let when = vec![after(0)];
    let mut country = Country::two_sites(Duration::ZERO, vec![StepSpec { when, widen }]);
    for (id, region, zone) in [("C", "R", "Z"), ("D", "S", "Z"), ("E", "T", "Y")] {
        let mut site = crate::country::site(id);
        (site.region, site.zone) = (region.to_owned(), zone.to_owned());
        country.sites.push(site);
    }
    (country.sites[0].region, country.sites[0].zone) = ("R".to_owned(), "Z".to_owned());
    let country = country
        .with_agents("E", &["nation"])
        .with_agents("D", &["zone"])
        .with_agents("C", &["region"])
        .with_agents("B", &["neighbour"])
        .with_agents("A", &["home"]);
    let mut desk = Desk::new(&country);
    // Who is farther has been idle longer.
    for agent in ["nation", "zone", "region", "neighbour", "home"] {
        desk.want(agent, lunch());
    }
    for agent in ["nation", "zone", "region", "neighbour", "home"] {
        desk.want(agent, Want::Ready);
        desk.wait(seconds(1));
    }
    let asked: Vec<_> = (0..5)
        .map(|_| {
            let call = desk.call("A-15");
            desk.offered(call).unwrap()
        })
        .collect();
    assert_eq!(asked, ["home", "neighbour", "region", "zone", "nation"]);
}

#[test]
fn a_named_site_counts_as_near_as_a_neighbour() {
    let widen = vec![Reach::Site("C".to_owned())];
    let when = vec![after(0)];
    let mut country = Country::two_sites(Duration::ZERO, vec![StepSpec { when, widen }]);
    country.sites.push(crate::country::site("C"));
    let mut desk = Desk::new(&country.with_agents("C", &["c"]).with_agents("B", &["b"]));
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    assert_eq!(desk.offered(first).as_deref(), Some("c"));
    assert_eq!(desk.offered(second), None, "b was not named");
}

#[test]
fn a_full_house_and_a_number_used_twice_are_refused() {
    let settings = Settings {
        calls_max: 2,
        ..Settings::default()
    };
    let mut desk = Desk::with(&Country::one_site(&[]), settings);
    let line = desk.line("A-15");
    desk.call("A-15");
    let repeat = Input::CallArrived {
        call: CallId::new(1),
        line,
        priority: None,
    };
    desk.input(repeat);
    desk.call("A-15");
    desk.call("A-15");
    let refused: Vec<_> = desk
        .events()
        .filter_map(|(_, event)| match event {
            Event::Refused { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [RefuseReason::Duplicate, RefuseReason::CallsMax]);
}

#[test]
fn lines_of_one_site_share_its_agents() {
    let mut country = Country::one_site(&["a"]);
    country.lines.push(line("A-16", "A"));
    country.lines[1].priority = Priority::new(0).unwrap();
    let mut desk = Desk::new(&country);
    desk.want("a", lunch());
    let ordinary = desk.call("A-15");
    let urgent = desk.call("A-16");
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(urgent).as_deref(), Some("a"));
    assert_eq!(
        desk.acd.place(ordinary),
        Some(1),
        "each line has a queue of its own"
    );
}

#[test]
fn sites_without_a_region_are_not_in_one_together() {
    for widen in [Reach::Region, Reach::Zone] {
        let step = StepSpec {
            when: vec![after(0)],
            widen: vec![widen],
        };
        let mut country = Country::two_sites(Duration::ZERO, vec![step]);
        for site in &mut country.sites {
            site.neighbours.clear();
            site.region.clear();
            site.zone.clear();
        }
        let mut desk = Desk::new(&country.with_agents("B", &["b"]));
        let call = desk.call("A-15");
        desk.wait(seconds(60));
        assert_eq!(desk.offered(call), None);
    }
}
