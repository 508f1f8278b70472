//! Connections that break: what waits on them, and what is said all the same by another.

use std::{net::SocketAddr, time::Duration};

use sip::{Builder, Method, StatusCode};
use sip_transaction::{Event, Failure, Flow, ListenerId, MessageKind, Transmit};

use crate::support::{self, Bench, ack, request, response, seconds, with_to_tag};

#[test]
fn a_lost_connection_fails_what_waits_on_it() {
    let mut bench = Bench::over_tcp();
    bench.request(request(Method::Invite));
    bench.lose_connection();
    let failed = |event: &Event| {
        matches!(
            event,
            Event::ClientFailed {
                cause: Failure::Transport,
                ..
            }
        )
    };
    assert_eq!(bench.count(failed), 1);
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.count(failed), 1);
    assert_eq!(bench.layer.live().client, 0);
}

/// Nobody else tells the peer that its call is over.
#[test]
fn a_bye_whose_connection_breaks_is_repeated_until_it_is_answered() {
    let mut bench = Bench::over_tcp();
    let bye = request(Method::Bye);
    bench.request(bye.clone());
    bench.lose_connection();
    // Nor does it help that there is none for a while.
    bench.run_for(Duration::from_millis(600));
    bench.lose_connection();
    bench.run_for(Duration::from_secs(2));
    let sent = bench.sent(MessageKind::Request("BYE"));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 0.5, 1.5]);
    let same = |one: &Transmit| one.bytes == *bye.bytes() && one.fallback == sent[0].fallback;
    assert!(sent[0].fallback.is_some() && sent.iter().all(same));
    bench.receive_response(response(&bye, StatusCode::OK, Some("ours")));
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.sent_at().len(), 3);
    assert_eq!(
        bench.count(|event| matches!(event, Event::ClientFailed { .. })),
        0
    );
    assert_eq!(bench.layer.live().client, 0);
}

/// By which a peer has come back.
fn another_connection(bench: &Bench) -> Flow {
    Flow {
        remote: "192.0.2.7:40000".parse().unwrap(),
        ..bench.flow
    }
}

/// Whoever is behind a NAT is reached by the connections alone that they open. Whether the end of the one before has been
/// heard or not.
#[test]
fn a_bye_goes_by_the_connection_by_which_its_peer_has_come_back() {
    for is_lost in [true, false] {
        let mut bench = Bench::over_tcp();
        let bye = request(Method::Bye);
        bench.request(bye.clone());
        if is_lost {
            bench.lose_connection();
        }
        let back = another_connection(&bench);
        bench.come_back(back);
        bench.run_for(Duration::from_secs(1));
        let sent = bench.sent(MessageKind::Request("BYE"));
        assert_eq!((sent.len(), sent[1].flow), (2, back));
        assert_eq!(sent[1].bytes, *bye.bytes());
        bench.receive_response(response(&bye, StatusCode::OK, Some("ours")));
        bench.run_for(Duration::from_secs(40));
        assert_eq!(bench.sent_at().len(), 2);
        assert_eq!(bench.layer.live().client, 0);
    }
}

/// Nobody has noticed yet that the one before is gone. Whoever does not answer an OPTIONS inside of a call for half a minute
/// counts as lost.
#[test]
fn what_is_not_answered_goes_by_the_connection_by_which_its_peer_has_come_back() {
    let in_dialog = with_to_tag(request(Method::Invite), "ours");
    for asked in [request(Method::Options), in_dialog] {
        let mut bench = Bench::over_tcp();
        bench.request(asked.clone());
        let back = another_connection(&bench);
        bench.come_back(back);
        bench.lose_connection();
        let sent = bench.sent(MessageKind::Request(asked.method().label()));
        assert_eq!((sent.len(), sent[1].flow), (2, back));
        assert_eq!(sent[1].bytes, *asked.bytes());
        bench.receive_response(response(&asked, StatusCode::OK, Some("ours")));
        bench.run_for(Duration::from_secs(40));
        let failed = |event: &Event| matches!(event, Event::ClientFailed { .. });
        assert_eq!((bench.count(failed), bench.layer.live().client), (0, 0));
    }
}

/// A phone rings only once: it may have heard it.
#[test]
fn an_invite_that_makes_a_phone_ring_is_not_sent_again() {
    let mut bench = Bench::over_tcp();
    bench.request(request(Method::Invite));
    let back = another_connection(&bench);
    bench.come_back(back);
    assert_eq!(bench.sent(MessageKind::Request("INVITE")).len(), 1);
}

/// That one may break, too.
#[test]
fn a_bye_is_repeated_by_the_connection_by_which_its_peer_came_back_last() {
    let mut bench = Bench::over_tcp();
    bench.request(request(Method::Bye));
    bench.lose_connection();
    let back = another_connection(&bench);
    bench.come_back(back);
    bench.run_for(Duration::from_millis(600));
    bench.flow = back;
    bench.lose_connection();
    bench.run_for(Duration::from_secs(2));
    let sent = bench.sent(MessageKind::Request("BYE"));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 0.5, 1.6]);
    assert!(sent[1..].iter().all(|one| one.flow == back));
    bench.run_for(Duration::from_secs(40));
    let failed = |event: &Event| matches!(event, Event::ClientFailed { .. });
    assert_eq!(bench.count(failed), 1);
    assert_eq!(bench.layer.live().client, 0);
}

/// A phone that rings, and whose connection is gone before it can be told to stop.
#[test]
fn a_cancel_goes_by_the_connection_by_which_its_phone_has_come_back() {
    let mut bench = Bench::over_tcp();
    let invite = request(Method::Invite);
    let tx = bench.request(invite.clone());
    bench.receive_response(response(&invite, StatusCode::RINGING, Some("ours")));
    let back = another_connection(&bench);
    bench.come_back(back);
    bench.cancel(tx);
    bench.flow = back;
    bench.lose_connection();
    bench.run_for(Duration::from_secs(1));
    let sent = bench.sent(MessageKind::Request("CANCEL"));
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|one| one.flow == back));
    assert_eq!(bench.sent(MessageKind::Request("INVITE")).len(), 1);
}

/// What is sent outside of a transaction, as the ACK of a 2xx is: for as long as its dialog may last.
#[test]
fn what_goes_by_a_connection_of_before_goes_by_the_one_that_came_after() {
    let mut bench = Bench::over_tcp();
    let (before, back) = (bench.flow, another_connection(&bench));
    bench.come_back(back);
    let ack = ack(&request(Method::Invite));
    bench.send(&ack);
    bench.run_for(Duration::from_secs(3_600));
    bench.send(&ack);
    bench.run_for(Duration::from_secs(11 * 3_600));
    bench.layer.handle_timeout(bench.now);
    bench.send(&ack);
    let sent = bench.sent(MessageKind::Request("ACK"));
    let flows = [sent[0].flow, sent[1].flow, sent[2].flow];
    assert_eq!(flows, [back, back, before]);
}

/// Phones behind one NAT have each other's ports, one after the other.
#[test]
fn who_has_the_port_of_somebody_who_has_moved_is_answered_there() {
    let mut bench = Bench::over_tcp();
    let (before, back) = (bench.flow, another_connection(&bench));
    bench.come_back(back);
    let options = request(Method::Options);
    let tx = bench.receive(options);
    bench.respond(tx, StatusCode::OK);
    let sent = bench.sent(MessageKind::Response(StatusCode::OK));
    assert_eq!(sent[0].flow, before);
}

/// The Via of the request would name a listener by which it did not leave.
#[test]
fn nothing_goes_by_another_listener() {
    let mut bench = Bench::over_tcp();
    let tx = bench.request(request(Method::Bye));
    let other = ListenerId(bench.flow.listener.0 + 1);
    let to = Flow {
        listener: other,
        ..bench.flow
    };
    bench.redirect_bye(tx, to);
    bench.come_back(to);
    assert_eq!(bench.sent_at().len(), 1);
}

/// Its dialog's connection was gone before: it left by another.
#[test]
fn a_bye_that_left_by_another_connection_is_repeated_when_that_one_breaks() {
    let mut bench = Bench::over_tcp();
    bench.request(request(Method::Bye));
    let fallback = bench.sent(MessageKind::Request("BYE"))[0].fallback;
    bench.lose_connection_to(fallback.unwrap());
    bench.run_for(Duration::from_millis(600));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 0.5]);
}

/// The phone is to be free, and its owner not to run for a call that has gone elsewhere.
#[test]
fn a_phone_whose_connection_breaks_while_it_rings_is_told_to_stop_by_another() {
    let mut bench = Bench::over_tcp();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    bench.receive_response(response(&invite, StatusCode::RINGING, Some("ours")));
    bench.lose_connection();
    assert_eq!(
        bench.count(|event| matches!(event, Event::ClientFailed { .. })),
        1
    );
    let cancels = bench.sent(MessageKind::Request("CANCEL"));
    assert_eq!(cancels.len(), 1);
    assert!(cancels[0].fallback.is_some());
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.layer.live().client, 0);
}

/// Its INVITE had arrived, and what it said of that had not.
#[test]
fn a_phone_that_says_late_by_another_connection_that_it_rings_is_told_to_stop() {
    let mut bench = Bench::over_tcp();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    bench.lose_connection();
    bench.run_for(Duration::from_secs(20));
    let ringing = || response(&invite, StatusCode::RINGING, Some("ours"));
    bench.receive_response(ringing());
    bench.receive_response(ringing());
    let cancel = MessageKind::Request("CANCEL");
    assert_eq!(bench.sent(cancel).len(), 1);
    // Later than timer B would have ended it: its CANCEL has begun another.
    bench.run_for(Duration::from_secs(20));
    bench.receive_response(response(
        &invite,
        StatusCode::REQUEST_TERMINATED,
        Some("ours"),
    ));
    assert_eq!(bench.sent(MessageKind::Request("ACK")).len(), 1);
    let told = |event: &Event| matches!(event, Event::Response { .. });
    assert_eq!(bench.count(told), 0, "it had failed");
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.sent(cancel).len(), 1);
    assert_eq!(bench.layer.live().client, 0);
}

#[test]
fn a_phone_that_answers_late_by_another_connection_answers_nothing_that_is_open() {
    let mut bench = Bench::over_tcp();
    let invite = request(Method::Invite);
    bench.request(invite.clone());
    bench.lose_connection();
    bench.receive_response(response(&invite, StatusCode::OK, Some("ours")));
    let stray = |event: &Event| matches!(event, Event::StrayResponse { .. });
    assert_eq!(bench.count(stray), 1);
    assert_eq!(bench.sent(MessageKind::Request("CANCEL")).len(), 0);
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.layer.live().client, 0);
}

/// A caller who waits goes on doing so until told.
#[test]
fn a_refusal_whose_connection_breaks_is_repeated_until_it_is_acknowledged() {
    let mut bench = Bench::over_tcp();
    let invite = request(Method::Invite);
    let tx = bench.receive(invite.clone());
    bench.respond(tx, StatusCode::TEMPORARILY_UNAVAILABLE);
    bench.run_for(Duration::from_secs(5));
    assert_eq!(seconds(&bench.sent_at()), [0.0]);
    bench.lose_connection();
    bench.run_for(Duration::from_secs(2));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 5.5, 6.5]);
    bench.receive_again(ack(&invite));
    bench.lose_connection();
    bench.run_for(Duration::from_secs(40));
    assert_eq!(bench.sent_at().len(), 3);
    assert_eq!(bench.layer.live().server, 0);
}

/// The connection that it came by was gone before: the refusal left by another.
#[test]
fn a_refusal_that_left_by_another_connection_is_repeated_when_that_one_breaks() {
    let mut bench = Bench::over_tcp();
    let tx = bench.receive(request(Method::Invite));
    bench.respond(tx, StatusCode::TEMPORARILY_UNAVAILABLE);
    let kind = MessageKind::Response(StatusCode::TEMPORARILY_UNAVAILABLE);
    let fallback = bench.sent(kind)[0].fallback;
    bench.lose_connection_to(fallback.unwrap());
    bench.run_for(Duration::from_millis(600));
    assert_eq!(seconds(&bench.sent_at()), [0.0, 0.5]);
}

/// A process that took an answer up has no transaction for it; the connection is gone with the process before.
#[test]
fn an_answer_outside_its_transaction_says_where_a_connection_may_be_opened() {
    let mut bench = Bench::over_tcp();
    for (via, port) in [("198.51.100.7:5099", 5099), ("198.51.100.7", 5060)] {
        let invite = support::with_via(request(Method::Invite), via);
        let ok = Builder::response_to(
            &invite,
            StatusCode::OK,
            "OK",
            Some(b"ours"),
            "192.0.2.9:40001".parse().unwrap(),
        );
        bench.send(&ok.finish());
        let sent = bench.sent(MessageKind::Response(StatusCode::OK));
        let fallback = sent.last().unwrap().fallback;
        assert_eq!(
            fallback,
            Some(SocketAddr::from(([192, 0, 2, 9], port))),
            "{via}"
        );
    }
}
