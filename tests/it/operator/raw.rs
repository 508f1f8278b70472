//! A caller made of text and a socket: what a test writes is what the node reads.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

/// Longer than an answer takes on a slow machine.
const ANSWER_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    socket: UdpSocket,
    node: SocketAddr,
    call_id: String,
}

impl Peer {
    pub(crate) fn new(port: u16) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, port).into())
    }

    /// One that speaks to this listener, from the same address.
    fn at(node: SocketAddr) -> Self {
        let socket = UdpSocket::bind((node.ip(), 0)).unwrap();
        socket.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        Self {
            socket,
            node,
            call_id: "none".to_owned(),
        }
    }

    /// A peer that has just called 15.
    pub(crate) fn calling(port: u16, number: &str, call_id: &str) -> Self {
        Self::calling_at((Ipv4Addr::LOCALHOST, port).into(), number, call_id)
    }

    /// A peer that has just called 15 at this listener.
    pub(crate) fn calling_at(node: SocketAddr, number: &str, call_id: &str) -> Self {
        let mut peer = Self::at(node);
        peer.call_id = call_id.to_owned();
        peer.send(peer.invite(number, call_id).as_bytes());
        peer
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.node).unwrap();
    }

    pub(crate) fn invite(&self, number: &str, call_id: &str) -> String {
        let us = self.socket.local_addr().unwrap();
        format!(
            "INVITE sip:15@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{call_id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+{number}@{us}>;tag=f\r\nTo: <sip:15@{node}>\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:{us}>\r\n\
             P-Asserted-Identity: <tel:+{number}>\r\nContent-Length: 0\r\n\r\n",
            node = self.node,
        )
    }

    pub(crate) fn cancel(&self) {
        self.send(self.follow_up("CANCEL", "").as_bytes());
    }

    /// The ACK of a failure.
    pub(crate) fn acknowledge(&self, answer: &str) {
        let tag = answer
            .lines()
            .find_map(|line| line.strip_prefix("To: "))
            .and_then(|to| to.split_once(";tag="))
            .map_or("", |(_, tag)| tag);
        self.send(self.follow_up("ACK", &format!(";tag={tag}")).as_bytes());
    }

    fn follow_up(&self, method: &str, tag: &str) -> String {
        let us = self.socket.local_addr().unwrap();
        let Self { node, call_id, .. } = self;
        format!(
            "{method} sip:15@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {us};branch=z9hG4bK{call_id};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+33698765432@{us}>;tag=f\r\n\
             To: <sip:15@{node}>{tag}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// Whether anything has come by now.
    pub(crate) fn has_heard(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let heard = self.socket.peek(&mut [0]).is_ok();
        self.socket.set_nonblocking(false).unwrap();
        heard
    }

    /// The next message that begins so; others before it are passed over.
    pub(crate) fn expect(&mut self, start: &str) -> String {
        let mut buffer = [0; 65536];
        loop {
            let (len, _) = self
                .socket
                .recv_from(&mut buffer)
                .unwrap_or_else(|error| panic!("waited for {start}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with(start) {
                return text;
            }
        }
    }
}
