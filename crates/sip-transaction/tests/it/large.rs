//! Requests that are too large for a datagram.

use std::time::Duration;

use sip::{Limits, Method, StatusCode, Transport};
use sip_transaction::{Event, MessageKind};

use crate::support::{self, Bench, large_request, request_with, response};

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

/// What a node was told to take, it also sends on.
#[test]
fn a_request_of_more_lines_than_usual_leaves_over_tcp_too() {
    let mut bench = Bench::with_tcp();
    let lines = "X-Line: one of many\r\n".repeat(2 * Limits::default().header_count);
    bench.request(request_with(Method::Invite, &lines));
    let sent = bench.sent(MessageKind::Request("INVITE"));
    assert_eq!(sent[0].flow.transport, Transport::Tcp);
    assert_eq!(
        first_line_of_via(&sent[0].bytes),
        "Via: SIP/2.0/TCP 192.0.2.1:5062;branch=z9hG4bKone;rport"
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
        bench.run_for(Duration::from_secs(65));
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
