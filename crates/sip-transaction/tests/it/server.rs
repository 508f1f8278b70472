//! Server transactions: what we are asked.

use std::time::Duration;

use sip::{Method, StatusCode};
use sip_transaction::{Attempt, Event, Failure, Merged, MessageKind};

use crate::support::{self, Bench, ack, request, response, seconds};

#[test]
fn a_repeated_invite_gets_the_last_response_again() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite.clone());
    bench.receive_again(invite.clone());
    assert!(bench.sent_at().is_empty(), "nothing has been answered yet");
    bench.respond(tx, StatusCode::RINGING);
    bench.receive_again(invite.clone());
    assert_eq!(
        bench.sent(MessageKind::Response(StatusCode::RINGING)).len(),
        2
    );
    bench.respond(tx, StatusCode::BUSY_HERE);
    bench.receive_again(invite);
    assert_eq!(
        bench
            .sent(MessageKind::Response(StatusCode::BUSY_HERE))
            .len(),
        2
    );
    assert_eq!(
        bench.count(|event| matches!(event, Event::Request { .. })),
        1
    );
    assert_eq!(
        bench.count(|event| matches!(event, Event::RetransmissionReceived { .. })),
        3
    );
}

#[test]
fn a_failure_is_repeated_by_timer_g_until_the_ack() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite.clone());
    bench.respond(tx, StatusCode::BUSY_HERE);
    bench.run_for(Duration::from_secs(9));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 0.5, 1.5, 3.5, 7.5]);
    bench.receive_again(ack(&invite));
    bench.receive_again(ack(&invite));
    bench.run_for(Duration::from_secs(4));
    assert_eq!(bench.sent_at().len(), 5);
    assert_eq!(bench.layer.live().server, 1, "timer I runs 5 s");
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.layer.live().server, 0);
    assert_eq!(bench.count(|event| matches!(event, Event::Ack { .. })), 0);
}

#[test]
fn a_failure_that_nobody_acknowledges_fails_by_timer_h() {
    let mut bench = Bench::new();
    let tx = bench.receive(request(Method::Invite));
    bench.respond(tx, StatusCode::BUSY_HERE);
    bench.run_for(Duration::from_secs(60));
    let expected = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5];
    assert_eq!(seconds(&bench.sent_at()), expected);
    let failed = |event: &Event| {
        matches!(
            event,
            Event::ServerFailed {
                cause: Failure::Timeout,
                ..
            }
        )
    };
    assert_eq!(bench.count(failed), 1);
}

#[test]
fn a_2xx_is_not_repeated_by_the_layer_and_its_ack_is_told() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite.clone());
    bench.respond(tx, StatusCode::OK);
    bench.receive_again(invite.clone());
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.sent_at().len(), 1);
    bench.receive_again(ack(&invite));
    assert_eq!(bench.count(|event| matches!(event, Event::Ack { .. })), 1);
    bench.run_for(Duration::from_secs(23));
    assert_eq!(bench.layer.live().server, 0, "timer L");
}

/// Nothing else of it is kept than by what it is known again.
#[test]
fn a_2xx_that_its_user_repeats_is_known_and_that_of_another_fork_is_new() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite.clone());
    bench.respond_with(tx, &response(&invite, StatusCode::RINGING, Some("one")));
    for tag in ["one", "one", "two"] {
        bench.respond_with(tx, &response(&invite, StatusCode::OK, Some(tag)));
    }
    let attempts: Vec<_> = bench
        .sent(MessageKind::Response(StatusCode::OK))
        .iter()
        .map(|sent| sent.attempt)
        .collect();
    assert_eq!(
        attempts,
        [Attempt::First, Attempt::Retransmission, Attempt::First]
    );
    bench.receive_again(request(Method::Cancel));
    let oks = bench.sent(MessageKind::Response(StatusCode::OK));
    let text = String::from_utf8(oks[3].bytes.to_vec()).unwrap();
    assert!(
        text.contains("CSeq: 7 CANCEL") && text.contains(";tag=two"),
        "{text}"
    );
}

#[test]
fn a_repeated_request_gets_its_final_response_until_timer_j() {
    let mut bench = Bench::new();
    let bye = request(Method::Bye);
    let tx = bench.receive(bye.clone());
    bench.receive_again(bye.clone());
    bench.respond(tx, StatusCode::OK);
    bench.receive_again(bye.clone());
    assert_eq!(bench.sent_at().len(), 2);
    bench.run_for(Duration::from_secs(33));
    assert_eq!(bench.layer.live().server, 0);
    bench.receive(bye);
    assert_eq!(
        bench.count(|event| matches!(event, Event::Request { .. })),
        2
    );
}

#[test]
fn a_cancel_is_answered_and_told() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite);
    bench.respond(tx, StatusCode::RINGING);
    bench.receive_again(request(Method::Cancel));
    let oks = bench.sent(MessageKind::Response(StatusCode::OK));
    assert_eq!(oks.len(), 1);
    let text = String::from_utf8(oks[0].bytes.to_vec()).unwrap();
    assert!(
        text.contains("CSeq: 7 CANCEL") && text.contains(";tag=ours"),
        "{text}"
    );
    let told = |event: &Event| matches!(event, Event::Cancelled { tx: told, .. } if *told == tx);
    assert_eq!(bench.count(told), 1);
    bench.receive_again(request(Method::Cancel));
    assert_eq!(bench.count(told), 1, "a repeated CANCEL is told once");
}

#[test]
fn a_cancel_of_nothing_is_answered_481_and_after_the_end_200() {
    let mut bench = Bench::new();
    bench.receive_again(request(Method::Cancel));
    assert_eq!(
        bench
            .sent(MessageKind::Response(StatusCode::CALL_DOES_NOT_EXIST))
            .len(),
        1
    );

    let mut bench = Bench::new();
    let tx = bench.receive(request(Method::Invite));
    bench.respond(tx, StatusCode::OK);
    bench.receive_again(request(Method::Cancel));
    assert_eq!(bench.sent(MessageKind::Response(StatusCode::OK)).len(), 2);
    assert_eq!(
        bench.count(|event| matches!(event, Event::Cancelled { .. })),
        0
    );
}

#[test]
fn the_same_request_by_another_way_is_merged() {
    let mut bench = Bench::new();
    let first = bench.receive(request(Method::Invite));
    let other = support::with_branch(request(Method::Invite), "z9hG4bKtwo");
    bench.receive_again(other);
    let merged = bench
        .events()
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Request { merged, .. } => Some(merged),
            _ => None,
        });
    assert_eq!(
        merged.collect::<Vec<_>>(),
        [Merged::No, Merged::With(first)]
    );
}

#[test]
fn without_a_cookie_the_rules_of_rfc_2543_hold() {
    for branch in ["", ";branch=1", ";branch=z9hG4bK"] {
        let old = |method| support::with_via_params(request(method), branch);
        let mut bench = Bench::new();
        let tx = bench.receive(old(Method::Invite));
        bench.receive_again(old(Method::Invite));
        assert_eq!(
            bench.count(|event| matches!(event, Event::Request { .. })),
            1,
            "{branch}"
        );
        bench.respond(tx, StatusCode::BUSY_HERE);
        bench.receive_again(support::with_to_tag(old(Method::Ack), "ours"));
        bench.run_for(Duration::from_secs(6));
        assert_eq!(
            bench.layer.live().server,
            0,
            "{branch}: the ACK was matched"
        );
    }
}

#[test]
fn responses_go_where_the_via_and_the_source_say() {
    for (via, source, goes_to) in [
        ("192.0.2.9:5062;rport", "192.0.2.9:40000", "192.0.2.9:40000"),
        ("192.0.2.9:5062", "192.0.2.9:40000", "192.0.2.9:5062"),
        ("host.example", "192.0.2.9:40000", "192.0.2.9:5060"),
        (
            "host.example;rport;maddr=192.0.2.33",
            "192.0.2.9:40000",
            "192.0.2.33:5060",
        ),
    ] {
        let mut bench = Bench::from_source(source);
        let tx = bench.receive(support::with_via(request(Method::Options), via));
        bench.respond(tx, StatusCode::OK);
        let sent = bench.sent(MessageKind::Response(StatusCode::OK));
        assert_eq!(sent[0].flow.remote.to_string(), goes_to, "{via}");
    }
}
