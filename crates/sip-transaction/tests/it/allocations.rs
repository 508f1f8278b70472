//! A retransmission, of the peer's or of ours, allocates nothing: a peer that repeats itself, or one
//! that is silent, costs no memory.

use std::time::Duration;

use allocation_counter::measure;
use sip::{Method, StatusCode};

use crate::support::{Bench, request};

/// What one more of these allocates, once the buffers have grown.
fn allocated_by_the_third(mut one: impl FnMut()) -> u64 {
    one();
    one();
    measure(one).count_total
}

#[test]
fn a_repeated_invite_allocates_nothing() {
    for status in [StatusCode::RINGING, StatusCode::BUSY_HERE] {
        let mut bench = Bench::new();
        let invite = request(Method::Invite);
        let tx = bench.receive(invite.clone());
        bench.respond(tx, status);
        bench.reserve(100);
        let mut copies = vec![invite; 3];
        let allocated = allocated_by_the_third(|| bench.receive_again(copies.pop().unwrap()));
        assert_eq!(allocated, 0, "{status}");
        assert_eq!(
            bench.sent_at().len(),
            4,
            "the response, and three repetitions"
        );
    }
}

#[test]
fn a_repeated_request_allocates_nothing() {
    let mut bench = Bench::new();
    let bye = request(Method::Bye);
    let tx = bench.receive(bye.clone());
    bench.respond(tx, StatusCode::OK);
    bench.reserve(100);
    let mut copies = vec![bye; 3];
    let allocated = allocated_by_the_third(|| bench.receive_again(copies.pop().unwrap()));
    assert_eq!(allocated, 0);
}

#[test]
fn our_own_repetitions_allocate_nothing() {
    for method in [Method::Invite, Method::Bye] {
        let mut bench = Bench::new();
        bench.request(request(method.clone()));
        bench.reserve(100);
        // The repetitions at 0.5, 1.5 and 3.5 s.
        let mut waits = [2.0, 1.0, 0.5].map(Duration::from_secs_f64).to_vec();
        let allocated = allocated_by_the_third(|| bench.run_for(waits.pop().unwrap()));
        assert_eq!(allocated, 0, "{method}");
        assert_eq!(bench.sent_at().len(), 4);
    }
}
