//! The layer as a whole: its limits, its keys, and what a later process takes up.

use std::time::Duration;

use sip::{Method, StatusCode};
use sip_transaction::{Event, MessageKind};

use crate::support::{self, Bench, request, response};

const HALF: Duration = Duration::from_millis(500);

#[test]
fn at_the_limit_new_requests_are_refused_and_old_ones_live() {
    let mut bench = Bench::with_limit(1);
    let invite = request(Method::Invite);
    let tx = bench.receive(invite);
    bench.receive_again(support::with_branch(
        request(Method::Options),
        "z9hG4bKother",
    ));
    let refused = bench.sent(MessageKind::Response(StatusCode::SERVICE_UNAVAILABLE));
    assert!(String::from_utf8_lossy(&refused[0].bytes).contains("Retry-After: "));
    assert_eq!(
        bench.count(|event| matches!(event, Event::Refused { .. })),
        1
    );
    bench.respond(tx, StatusCode::RINGING);
    assert_eq!(
        bench.sent(MessageKind::Response(StatusCode::RINGING)).len(),
        1
    );
}

#[test]
fn at_the_limit_what_ends_a_call_goes_through() {
    let mut bench = Bench::with_limit(8);
    let with = |method, branch: &str| support::with_branch(request(method), branch);
    for number in 0..9 {
        bench.receive_again(with(Method::Options, &format!("z9hG4bKnew{number}")));
    }
    let refused = |bench: &Bench| bench.count(|event| matches!(event, Event::Refused { .. }));
    assert_eq!(refused(&bench), 1);
    bench.request(with(Method::Bye, "z9hG4bKours"));
    assert_eq!(bench.layer.live().client, 1);
    bench.receive(with(Method::Bye, "z9hG4bKtheirs"));
    assert_eq!(refused(&bench), 1, "a BYE of the peer has a reserve");
    bench.receive_again(with(Method::Bye, "z9hG4bKflood"));
    assert_eq!(refused(&bench), 2, "a flood of them has no more than that");
}

#[test]
fn a_key_that_is_gone_means_nothing() {
    let mut bench = Bench::new();
    let old = bench.receive(request(Method::Bye));
    bench.respond(old, StatusCode::OK);
    bench.run_for(Duration::from_secs(33));
    let new = bench.receive(request(Method::Options));
    assert_ne!(old, new);
    bench.respond(old, StatusCode::OK);
    assert_eq!(bench.sent_at().len(), 1);
}

#[test]
fn a_key_is_not_given_again_before_its_end_was_told() {
    let mut bench = Bench::new();
    let old: Vec<_> = (0..3)
        .map(|number| {
            let branch = format!("z9hG4bK{number}");
            bench.request(support::with_branch(request(Method::Options), &branch))
        })
        .collect();
    bench.wait_without_listening(Duration::from_secs(32));
    // All have failed; their user hears of it one by one, and asks anew each time.
    let mut kept = slotmap::SecondaryMap::new();
    kept.extend(old.iter().map(|&tx| (tx, "old")));
    let mut failed = Vec::new();
    for number in 3.. {
        match bench.listen_once() {
            Some(Event::ClientFailed { tx, .. }) => {
                failed.push(kept.get(tx).copied());
                let branch = format!("z9hG4bK{number}");
                let new = support::with_branch(request(Method::Options), &branch);
                kept.insert(bench.request_without_listening(new), "new");
            }
            Some(Event::ClientEnded { tx }) => {
                assert_eq!(kept.remove(tx), Some("old"));
            }
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(failed, [Some("old"); 3]);
    assert_eq!((kept.len(), bench.layer.live().client), (3, 3));
}

#[test]
fn an_abandoned_request_is_never_answered() {
    let mut bench = Bench::new();
    let tx = bench.receive(request(Method::Message));
    bench.layer.abandon(tx);
    bench.layer.abandon(tx);
    bench.respond(tx, StatusCode::OK);
    assert!(bench.sent_at().is_empty());
    let ends = bench.events();
    let ends = ends
        .iter()
        .filter(|(_, event)| matches!(event, Event::ServerEnded { .. }));
    assert_eq!((ends.count(), bench.layer.live().server), (1, 0));
}

#[test]
fn many_transactions_leave_nothing() {
    let mut bench = Bench::new();
    for number in 0..20_000 {
        let branch = format!("z9hG4bK{number}");
        bench.request(support::with_branch(request(Method::Invite), &branch));
        let tx = bench.receive(support::with_branch(request(Method::Bye), &branch));
        bench.respond(tx, StatusCode::OK);
        bench.forget_outputs();
    }
    assert_eq!(
        bench.layer.live().client + bench.layer.live().server,
        40_000
    );
    bench.run_for(HALF * 130);
    assert_eq!(bench.layer.live().client + bench.layer.live().server, 0);
    assert_eq!(bench.layer.poll_timeout(), None);
}

/// A layer that came to be after the INVITE was received knows it all the same: repetitions are
/// absorbed, a CANCEL finds it, and it is answered once.
#[test]
fn an_invite_of_before_is_taken_up_again() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.resume(invite.clone()).unwrap();
    assert_eq!(bench.resume(invite.clone()), None, "once");
    assert_eq!(bench.events().len(), 0, "its user is told nothing");
    bench.respond(tx, StatusCode::RINGING);
    bench.receive_again(invite);
    assert_eq!(
        bench.sent(MessageKind::Response(StatusCode::RINGING)).len(),
        2
    );
    bench.respond(tx, StatusCode::OK);
    assert_eq!(bench.sent(MessageKind::Response(StatusCode::OK)).len(), 1);
    bench.run_for(Duration::from_secs(60));
    assert_eq!(bench.layer.live().server, 0);
}

/// Whoever sends the bytes of an open INVITE again, by another layer, repeats it: the same branch, so the
/// answer to either finds it.
#[test]
fn an_open_invite_can_be_repeated_by_a_later_layer() {
    let mut before = Bench::new();
    let tx = before.request(request(Method::Invite));
    let (invite, _) = before.layer.open_invite(tx).unwrap();
    let invite = invite.clone();
    let mut after = Bench::new();
    let again = after.request(invite.clone());
    let sent = |bench: &Bench| bench.sent(MessageKind::Request("INVITE"))[0].bytes.clone();
    assert_eq!(sent(&before), sent(&after));
    after.receive_response(response(&invite, StatusCode::OK, Some("t")));
    let answered = |event: &Event| matches!(event, Event::Response { tx, .. } if *tx == again);
    assert_eq!(after.count(answered), 1);
    before.receive_response(response(&invite, StatusCode::BUSY_HERE, Some("t")));
    assert!(before.layer.open_invite(tx).is_none(), "it is answered");
}
