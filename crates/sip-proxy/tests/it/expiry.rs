//! Bindings end by themselves, on virtual time.

use sip_proxy::{Aor, Event, UnboundReason};

use crate::support::{AOR, Bench, Register, seconds};

const EXPIRED: Event = Event::Unbound {
    aor: AOR,
    reason: UnboundReason::Expired,
};

#[test]
fn a_binding_that_is_not_refreshed_ends_at_its_time() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(1).contact("<sip:1@h>;expires=600"));
    assert_eq!(
        bench.registrar.poll_timeout(),
        Some(bench.now + seconds(600))
    );
    bench.run_for(seconds(599));
    assert_eq!((bench.contacts().len(), bench.events()), (1, vec![]));
    bench.run_for(seconds(1));
    assert_eq!((bench.contacts().len(), bench.events()), (0, vec![EXPIRED]));
    assert_eq!(
        (bench.registrar.poll_timeout(), bench.registrar.bound()),
        (None, 0)
    );
}

#[test]
fn a_refresh_moves_the_deadline() {
    let mut bench = Bench::new();
    for cseq in 1..=10 {
        bench.accepted(&Register::new(cseq).contact("<sip:1@h>;expires=600"));
        bench.run_for(seconds(300));
    }
    assert_eq!(bench.bound(), [("sip:1@h".to_owned(), 300)]);
    bench.accepted(&Register::new(11).contact("<sip:1@h>;expires=60"));
    bench.run_for(seconds(60));
    assert_eq!(bench.events(), [EXPIRED]);
}

#[test]
fn a_binding_that_ends_beside_others_is_told_as_such() {
    let mut bench = Bench::new();
    let contacts = "<sip:1@h>;expires=100, <sip:2@h>;expires=100, <sip:3@h>;expires=200";
    bench.accepted(&Register::new(1).contact(contacts));
    bench.run_for(seconds(100));
    assert_eq!(bench.contacts(), ["sip:3@h"]);
    assert_eq!(bench.events(), [Event::Fewer { aor: AOR }]);
    bench.run_for(seconds(100));
    assert_eq!(bench.events(), [EXPIRED]);
}

#[test]
fn what_has_expired_is_not_found_by_a_register_either() {
    let mut bench = Bench::new();
    bench.accepted(&Register::new(5).contact("<sip:1@h>;expires=100"));
    // No timer ran: the request itself comes after the end. Its CSeq is compared with nothing.
    bench.now += seconds(100);
    let answer = bench.send(&Register::new(1).contact("<sip:2@h>;expires=60"));
    assert_eq!(answer.contacts(), ["<sip:2@h>;expires=60"]);
    assert_eq!(bench.events(), [EXPIRED, Event::Bound { aor: AOR }]);
    let answer = bench.send(&Register::new(2).contact("<sip:1@h>;expires=60"));
    assert_eq!(answer.status(), 200);
}

#[test]
fn many_addresses_of_record_end_in_the_order_of_their_times() {
    let mut bench = Bench::new();
    for index in 0..500_u32 {
        let expires = 60 + (index * 7919) % 500;
        let contact = format!("<sip:1@h>;expires={expires}");
        bench.accepted(&Register::new(1).aor(Aor::new(index)).contact(contact));
    }
    assert_eq!(bench.registrar.bound(), 500);
    for second in 1..560 {
        bench.run_for(seconds(1));
        let ended = bench.events().len();
        assert_eq!(ended, usize::from(second >= 60), "{second}");
    }
    assert_eq!(bench.registrar.bound(), 0);
}
