//! The rules of help between sites, one by one.

use std::time::Duration;

use acd::{Condition, Event, OfferFailure, PauseReason, Priority, Reach, StepSpec, Want};

use crate::{
    country::{Country, seconds},
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
        ..StepSpec::default()
    }
}

fn after(count: u64) -> Condition {
    Condition::After(seconds(count))
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
            ..StepSpec::default()
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
            ..StepSpec::default()
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
    let mut country = Country::two_sites(
        Duration::ZERO,
        vec![StepSpec {
            when,
            widen,
            ..StepSpec::default()
        }],
    );
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
    let mut country = Country::two_sites(
        Duration::ZERO,
        vec![StepSpec {
            when,
            widen,
            ..StepSpec::default()
        }],
    );
    country.sites.push(crate::country::site("C"));
    let mut desk = Desk::new(&country.with_agents("C", &["c"]).with_agents("B", &["b"]));
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    assert_eq!(desk.offered(first).as_deref(), Some("c"));
    assert_eq!(desk.offered(second), None, "b was not named");
}

#[test]
fn sites_without_a_region_are_not_in_one_together() {
    for widen in [Reach::Region, Reach::Zone] {
        let step = StepSpec {
            when: vec![after(0)],
            widen: vec![widen],
            ..StepSpec::default()
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
