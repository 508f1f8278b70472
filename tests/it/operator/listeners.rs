//! One node with many listeners, over IPv4 and IPv6: each takes calls, and says its own address.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
};

use crate::support::{
    node::{LIMIT, Node},
    ports::free_port,
};

use super::{NUMBER, configuration, folder, raw::Peer};

#[test]
fn each_listener_takes_calls_and_says_its_own_address() {
    let (other, six) = (free_port(), free_port());
    let node = Node::start(&folder("listeners"), |sip, http| {
        let more = |transport: &str, address: SocketAddr| {
            format!("[[listen]]\ntransport = \"{transport}\"\naddress = \"{address}\"\n")
        };
        let more = [
            more("udp", (Ipv4Addr::LOCALHOST, other).into()),
            more("udp", (Ipv6Addr::LOCALHOST, six).into()),
            more("tcp", (Ipv6Addr::LOCALHOST, six).into()),
        ];
        configuration(sip, http).replace("[\"127.0.0.0/8\"]", "[\"127.0.0.0/8\", \"::1\"]")
            + "\n"
            + &more.concat()
    });
    let listeners = [
        (Ipv4Addr::LOCALHOST, node.sip).into(),
        (Ipv4Addr::LOCALHOST, other).into(),
        (Ipv6Addr::LOCALHOST, six).into(),
    ];
    for (index, listener) in listeners.into_iter().enumerate() {
        let mut caller = Peer::calling_at(listener, NUMBER, &format!("call{index}"));
        let queued = caller.expect("SIP/2.0 182 ");
        let contact = format!("Contact: <sip:{listener}>");
        assert!(queued.contains(&contact), "{contact}: {queued}");
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
    }
    let answer = options_over_tcp((Ipv6Addr::LOCALHOST, six).into());
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    node.stop();
}

pub(super) fn options_over_tcp(node: SocketAddr) -> String {
    let mut stream = TcpStream::connect(node).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let us = stream.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:{node} SIP/2.0\r\nVia: SIP/2.0/TCP {us};branch=z9hG4bKsix\r\n\
         Max-Forwards: 70\r\nFrom: <sip:six@{us}>;tag=f\r\nTo: <sip:{node}>\r\nCall-ID: six\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(options.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"\r\n\r\n") {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "closed after {answer:?}");
        answer.extend_from_slice(&buffer[..len]);
    }
    String::from_utf8(answer).unwrap()
}
