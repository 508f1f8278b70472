//! Steps that stop helping after they took effect: nobody waits for the next one, whoever is looked
//! at first.

use std::time::Duration;

use acd::{Condition, OfferFailure, Priority, Reach, StepSpec, Want};

use crate::{
    country::{Country, seconds, site},
    desk::Desk,
};

/// `A` is helped by its neighbour `B` after 10 s, and by the nation, where `C` is, after 600 s. The
/// one agent of `B` is in a call of `B`.
fn desk() -> (Desk, acd::CallId) {
    let step = |after, widen| StepSpec {
        when: vec![Condition::After(seconds(after))],
        widen: vec![widen],
        ..StepSpec::default()
    };
    let steps = vec![step(10, Reach::Neighbours), step(600, Reach::Nation)];
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
