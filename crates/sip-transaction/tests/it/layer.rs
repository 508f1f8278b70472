use std::time::Duration;

use sip::{Method, StatusCode, Transport};
use sip_transaction::{Attempt, Event, Failure, Merged, MessageKind};

use crate::support::{self, Bench, ack, large_request, request, request_with, response, seconds};

const HALF: Duration = Duration::from_millis(500);

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
    bench.run_for(Duration::from_secs(60));
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
            bench.request(support::with_branch(request(Method::Invite), &branch))
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
                let new = support::with_branch(request(Method::Invite), &branch);
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
    bench.run_for(HALF * 80);
    assert_eq!(bench.layer.live().client + bench.layer.live().server, 0);
    assert_eq!(bench.layer.poll_timeout(), None);
}

fn first_line_of_via(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let via = text.lines().find(|line| line.starts_with("Via:"));
    via.unwrap().to_owned()
}

#[test]
fn a_large_request_leaves_over_tcp_and_its_cancel_follows_it() {
    let mut bench = Bench::with_tcp();
    let invite = large_request(Method::Invite);
    let tx = bench.request(invite.clone());
    let sent = bench.sent(MessageKind::Request("INVITE"));
    assert_eq!(sent[0].flow.transport, Transport::Tcp);
    assert_eq!(
        first_line_of_via(&sent[0].bytes),
        "Via: SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bKone;rport"
    );
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.sent_at().len(), 1, "TCP repeats for us");
    bench.receive_response(response(&invite, StatusCode::RINGING, Some("t")));
    bench.cancel(tx);
    let cancels = bench.sent(MessageKind::Request("CANCEL"));
    assert_eq!(cancels[0].flow.transport, Transport::Tcp);
    assert_eq!(
        first_line_of_via(&cancels[0].bytes),
        first_line_of_via(&sent[0].bytes)
    );
}

#[test]
fn a_peer_without_tcp_gets_its_large_requests_over_udp_and_is_remembered() {
    for method in [Method::Invite, Method::Info] {
        let mut bench = Bench::with_tcp();
        let large = large_request(method.clone());
        let kind = MessageKind::Request(method.label());
        bench.request(large.clone());
        bench.run_for(Duration::from_millis(200));
        bench.refuse_tcp();
        bench.run_for(Duration::from_millis(600));
        let transports: Vec<_> = bench
            .sent(kind)
            .iter()
            .map(|sent| sent.flow.transport)
            .collect();
        assert_eq!(transports, [Transport::Tcp, Transport::Udp, Transport::Udp]);
        assert_eq!(bench.sent(kind)[1].bytes, *large.bytes());
        bench.receive_response(response(&large, StatusCode::OK, Some("t")));
        assert_eq!(
            bench.count(|event| matches!(event, Event::Response { .. })),
            1
        );
        assert_eq!(
            bench.count(|event| matches!(event, Event::ClientFailed { .. })),
            0
        );

        bench.forget_outputs();
        bench.request(support::with_branch(large.clone(), "z9hG4bKtwo"));
        assert_eq!(bench.sent(kind)[0].flow.transport, Transport::Udp);
        bench.run_for(Duration::from_secs(601));
        bench.forget_outputs();
        bench.request(support::with_branch(large.clone(), "z9hG4bKthree"));
        assert_eq!(
            bench.sent(kind)[0].flow.transport,
            Transport::Tcp,
            "asked again later"
        );
        bench.run_for(Duration::from_secs(60));
        assert_eq!(bench.layer.live().client, 0);
    }
}

#[test]
fn without_a_tcp_listener_a_large_request_leaves_in_a_datagram() {
    let mut bench = Bench::new();
    bench.request(large_request(Method::Invite));
    let sent = bench.sent(MessageKind::Request("INVITE"));
    assert_eq!(sent[0].flow.transport, Transport::Udp);
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
