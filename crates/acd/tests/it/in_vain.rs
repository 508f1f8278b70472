//! Steps that stop helping after they took effect: nobody waits for the next one, whoever is looked
//! at first.

use std::time::Duration;

use acd::{Condition, LastResort, OfferFailure, Priority, Reach, StepSpec, Want};

use crate::{
    country::{Country, seconds, site},
    desk::Desk,
};

/// `A` is helped by its neighbour `B` after 10 s, and by the nation, where `C` is, after 600 s. The
/// one agent of `B` is in a call of `B`.
fn desk() -> (Desk, acd::CallId) {
    let steps = vec![
        step(10, Some(Reach::Neighbours)),
        step(600, Some(Reach::Nation)),
    ];
    let mut country = Country::two_sites(Duration::ZERO, steps);
    country.sites.push(site("C"));
    let country = country.with_agents("B", &["b"]).with_agents("C", &["c"]);
    let mut desk = Desk::new(&country);
    let own = desk.call("B-15");
    desk.answer(own);
    (desk, own)
}

#[test]
fn a_step_whose_last_helper_leaves_is_not_waited_behind() {
    let (mut desk, _) = desk();
    let call = desk.call("A-15");
    desk.wait(seconds(20));
    assert_eq!(desk.offered(call), None, "b is on duty: the nation waits");
    desk.want("b", Want::LoggedOut);
    assert_eq!(desk.offered(call).as_deref(), Some("c"));
}

#[test]
fn a_call_that_comes_back_reaches_no_further_than_a_more_urgent_one_that_waits() {
    let (mut desk, own) = desk();
    let line = desk.line("A-15");
    let low = desk.call("A-15");
    desk.wait(seconds(10));
    desk.end(own);
    desk.wait(seconds(5));
    assert_eq!(desk.offered(low).as_deref(), Some("b"));
    desk.ring(low);
    let urgent = desk.call_on(line, Priority::new(0));
    desk.wait(seconds(11));
    // Now nobody is on duty at B, for either call.
    desk.fail(low, OfferFailure::Declined);
    assert_eq!(desk.offered(urgent).as_deref(), Some("c"));
    assert_eq!(desk.offered(low), None);
}

/// What does more than bring agents keeps its time, whoever has left: a caller is not turned away or
/// sent elsewhere early, and no call becomes urgent early (the bound on the wait of the others).
#[test]
fn only_what_brings_agents_is_not_waited_for() {
    let keeps_its_time: [fn(&mut StepSpec); 3] = [
        |step| step.last_resort = Some(LastResort::Divert("sip:116117@example.org".to_owned())),
        |step| step.raise = 1,
        |step| step.announce = Some("wait".to_owned()),
    ];
    for change in keeps_its_time {
        let mut more = step(300, None);
        change(&mut more);
        let steps = vec![
            step(10, Some(Reach::Neighbours)),
            more,
            step(600, Some(Reach::Nation)),
        ];
        let mut desk = helped_by_one(steps);
        let call = desk.call("A-15");
        let taken = |desk: &Desk| desk.acd.call(call).map(|call| call.steps.len());
        desk.wait(seconds(20));
        assert_eq!(taken(&desk), Some(1), "b is on duty");
        desk.want("b", Want::LoggedOut);
        // The nation is not waited for, behind neighbours who are gone; the step between is.
        assert_eq!(taken(&desk), Some(2));
        desk.wait(seconds(279));
        assert_eq!(taken(&desk), Some(2));
        desk.wait(seconds(1));
        assert_eq!(taken(&desk), Some(3));
    }
}

#[test]
fn nobody_is_turned_away_early_because_the_last_helper_left() {
    let mut reject = step(600, None);
    reject.last_resort = Some(LastResort::Reject);
    let mut desk = helped_by_one(vec![step(10, Some(Reach::Neighbours)), reject]);
    let call = desk.call("A-15");
    desk.wait(seconds(20));
    desk.want("b", Want::LoggedOut);
    desk.wait(seconds(579));
    assert!(desk.acd.call(call).is_some());
    desk.wait(seconds(1));
    assert!(desk.acd.call(call).is_none());
}

fn step(after: u64, widen: Option<Reach>) -> StepSpec {
    StepSpec {
        when: vec![Condition::After(seconds(after))],
        widen: widen.into_iter().collect(),
        ..StepSpec::default()
    }
}

/// `A` has nobody, and `B` one who is in a call of her own.
fn helped_by_one(steps: Vec<StepSpec>) -> Desk {
    let country = Country::two_sites(Duration::ZERO, steps).with_agents("B", &["b"]);
    let mut desk = Desk::new(&country);
    let own = desk.call("B-15");
    desk.answer(own);
    desk
}
