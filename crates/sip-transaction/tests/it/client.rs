//! Client transactions: what we ask.

use std::time::Duration;

use sip::{Limits, Message, Method, Response, StatusCode};
use sip_transaction::{Attempt, Event, Failure, MessageKind};

use crate::support::{Bench, request, request_with, response, seconds};

#[test]
fn an_invite_without_answer_is_repeated_by_timer_a_and_fails_by_timer_b() {
    let mut bench = Bench::new();
    let tx = bench.request(request(Method::Invite));
    bench.run_for(Duration::from_secs(60));
    assert_eq!(
        seconds(&bench.sent_at()),
        [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    );
    let failed = bench
        .events()
        .into_iter()
        .find_map(|(at, event)| match event {
            Event::ClientFailed { tx: failed, cause } => Some((at, failed, cause)),
            _ => None,
        });
    assert_eq!(
        failed,
        Some((Duration::from_secs(32), tx, Failure::Timeout))
    );
    assert_eq!(
        bench.layer.live().client,
        1,
        "a phone may still say that it rings"
    );
    bench.run_for(Duration::from_secs(5));
    assert_eq!(bench.layer.live().client, 0);
}

/// The last repetition goes out half a second before timer B fires.
#[test]
fn a_phone_that_says_after_timer_b_that_it_rings_is_told_to_stop() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    bench.run_for(Duration::from_millis(32_500));
    let failed = |bench: &Bench| bench.count(|event| matches!(event, Event::ClientFailed { .. }));
    assert_eq!(failed(&bench), 1);
    let sent = |bench: &Bench, method| bench.sent(MessageKind::Request(method)).len();
    for _ in 0..2 {
        bench.receive_response(response(&invite, StatusCode::RINGING, Some("a")));
        assert_eq!(sent(&bench, "CANCEL"), 1);
    }
    let cancelled = StatusCode::REQUEST_TERMINATED;
    bench.receive_response(response(&invite, cancelled, Some("a")));
    assert_eq!(sent(&bench, "ACK"), 1);
    let told = bench.count(|event| matches!(event, Event::Response { .. }));
    assert_eq!((told, failed(&bench)), (0, 1), "its user has been told");
    bench.run_for(Duration::from_secs(70));
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn a_request_without_answer_is_repeated_by_timer_e_and_fails_by_timer_f() {
    let mut bench = Bench::new();
    bench.request(request(Method::Bye));
    bench.run_for(Duration::from_secs(60));
    let expected = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5];
    assert_eq!(seconds(&bench.sent_at()), expected);
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn after_a_provisional_response_timer_e_runs_at_t2() {
    let mut bench = Bench::new();
    let options = request(Method::Options);
    bench.request(options.clone());
    bench.run_for(Duration::from_millis(100));
    bench.receive_response(response(&options, StatusCode::TRYING, None));
    bench.run_for(Duration::from_secs(60));
    let expected = [0.0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5];
    assert_eq!(seconds(&bench.sent_at()), expected);
}

#[test]
fn over_tcp_nothing_is_repeated_and_timer_b_still_runs() {
    let mut bench = Bench::over_tcp();
    bench.request(request(Method::Invite));
    bench.run_for(Duration::from_secs(65));
    assert_eq!(bench.sent_at().len(), 1);
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn a_provisional_response_ends_the_repetition_for_good() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    bench.receive_response(response(&invite, StatusCode::RINGING, Some("t")));
    bench.run_for(Duration::from_secs(600));
    assert_eq!(bench.sent_at().len(), 1);
    assert_eq!(
        bench.layer.live().client,
        1,
        "how long it may ring is the user's to say"
    );
}

#[test]
fn a_failure_is_acknowledged_each_time_it_comes_and_told_once() {
    let mut bench = Bench::new();
    let invite = request_with(Method::Invite, "Route: <sip:192.0.2.7;lr>\r\n");
    bench.request(invite.clone());
    let busy = response(&invite, StatusCode::BUSY_HERE, Some("t9"));
    bench.receive_response(busy.clone());
    bench.receive_response(busy);
    let acks: Vec<_> = bench.sent(MessageKind::Request("ACK"));
    assert_eq!(acks.len(), 2);
    assert_eq!(acks[0].bytes, acks[1].bytes);
    assert_eq!(
        (acks[0].attempt, acks[1].attempt),
        (Attempt::First, Attempt::Retransmission)
    );
    let text = String::from_utf8(acks[0].bytes.to_vec()).unwrap();
    for part in [
        "ACK sip:15@192.0.2.1 ",
        "Route: <sip:192.0.2.7;lr>",
        ";tag=t9\r\n",
        "CSeq: 7 ACK",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(
        bench.count(|event| matches!(event, Event::Response { .. })),
        1
    );
    bench.run_for(Duration::from_secs(31));
    assert_eq!(bench.layer.live().client, 1, "timer D runs 32 s");
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn every_2xx_is_told_until_timer_m() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    for tag in ["a", "a", "b"] {
        bench.receive_response(response(&invite, StatusCode::OK, Some(tag)));
    }
    assert_eq!(
        bench.count(|event| matches!(event, Event::Response { .. })),
        3
    );
    bench.run_for(Duration::from_secs(33));
    bench.receive_response(response(&invite, StatusCode::OK, Some("a")));
    assert_eq!(
        bench.count(|event| matches!(event, Event::StrayResponse { .. })),
        1
    );
}

#[test]
fn an_answer_to_another_invite_by_the_same_branch_is_none() {
    for (what, with) in [
        ("Call-ID: ", "Call-ID: x"),
        (";tag=", ";tag=x"),
        ("CSeq: 7 ", "CSeq: 8 "),
    ] {
        let mut bench = Bench::new();
        let invite = request(Method::Invite);
        bench.request(invite.clone());
        for status in [StatusCode::RINGING, StatusCode::OK] {
            let right = response(&invite, status, Some("a"));
            let text = String::from_utf8_lossy(right.bytes()).replacen(what, with, 1);
            let wrong = Message::parse(text.into(), &Limits::default()).unwrap();
            bench.receive_response(Response::new(wrong).unwrap());
            bench.receive_response(right);
        }
        let mismatched = bench.count(|event| matches!(event, Event::MismatchedResponse { .. }));
        let told = bench.count(|event| matches!(event, Event::Response { .. }));
        assert_eq!((mismatched, told), (1, 3), "{what}");
    }
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.request(invite.clone());
    bench.cancel(tx);
    bench.run_for(Duration::from_secs(2));
    assert_eq!(
        seconds(&bench.sent_at()),
        [0.0, 0.5, 1.5],
        "the INVITE again, for its 180 may be lost, and no CANCEL"
    );
    bench.receive_response(response(&invite, StatusCode::TRYING, None));
    let cancels = bench.sent(MessageKind::Request("CANCEL"));
    assert_eq!(cancels.len(), 1);
    let text = String::from_utf8(cancels[0].bytes.to_vec()).unwrap();
    let via = "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKone;rport\r\n";
    assert!(
        text.starts_with("CANCEL sip:15@192.0.2.1 ") && text.contains(via),
        "{text}"
    );
    assert!(
        text.contains("CSeq: 7 CANCEL") && text.contains("Reason: Q.850;cause=16"),
        "{text}"
    );
    bench.run_for(Duration::from_secs(31));
    assert_eq!(
        bench.count(|event| matches!(event, Event::ClientFailed { .. })),
        0
    );
    bench.run_for(Duration::from_secs(2));
    assert_eq!(
        bench.count(|event| matches!(event, Event::ClientFailed { .. })),
        1
    );
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn a_cancel_after_the_final_response_is_not_sent() {
    let mut bench = Bench::new();
    let invite = request(Method::Invite);
    let tx = bench.request(invite.clone());
    bench.cancel(tx);
    bench.receive_response(response(&invite, StatusCode::OK, Some("a")));
    bench.cancel(tx);
    assert!(bench.sent(MessageKind::Request("CANCEL")).is_empty());
}
