//! Places for connections: never more than there are, and none is refused in vain.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc as Shared,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use config::ConnectionLimits;
use shuttle::thread;

use super::{
    in_many_orders,
    places::Places,
    sync::{Arc, planted::Planted},
    with_planted,
};

fn places(connections_max: usize, per_source_max: usize) -> Arc<Places> {
    Arc::new(Places::new(ConnectionLimits {
        connections_max,
        per_source_max,
        ..ConnectionLimits::default()
    }))
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// Three want a place at once, each twice; all of different addresses or of one.
fn crowd(places: &Arc<Places>, limit: usize, source: fn(u8) -> IpAddr) {
    let taken = Shared::new(AtomicUsize::new(0));
    let threads = (0..3).map(|number| {
        let (places, taken) = (places.clone(), taken.clone());
        thread::spawn(move || {
            for _ in 0..2 {
                let Ok(place) = places.take(source(number)) else {
                    continue;
                };
                let now = taken.fetch_add(1, SeqCst) + 1;
                assert!(now <= limit, "{now} places of {limit} are taken");
                thread::yield_now();
                taken.fetch_sub(1, SeqCst);
                drop(place);
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(places.sources(), 0);
}

fn all_limits() {
    crowd(&places(2, 2), 2, address);
    crowd(&places(3, 1), 1, |_| address(1));
}

#[test]
fn no_more_places_are_taken_than_there_are() {
    in_many_orders(all_limits);
}

#[test]
#[should_panic(expected = "are taken")]
fn who_looks_before_taking_is_found() {
    with_planted(Planted::PlaceTakenLate, all_limits);
}

/// One place: whoever has had it and gives it back gets it again, or somebody else has it.
fn last_place() {
    let places = places(1, 1);
    let mine = places.take(address(1)).unwrap();
    let other = {
        let places = places.clone();
        thread::spawn(move || places.take(address(2)).ok())
    };
    drop(mine);
    let mine = places.take(address(1)).ok();
    let other = other.join().unwrap();
    assert!(mine.is_some() || other.is_some(), "the place is nobody's");
}

#[test]
fn a_free_place_is_not_refused_because_somebody_else_was() {
    in_many_orders(last_place);
}

#[test]
#[should_panic(expected = "the place is nobody's")]
fn who_holds_a_place_in_vain_is_found() {
    with_planted(Planted::PlaceHeldInVain, last_place);
}
