//! The floor: what the machine itself takes to receive and send the datagrams of a call. It looks at
//! the first bytes of each, sends what a node would send, of the same size, and knows nothing else.
//! SIPp plays against it as it does against a node.

use std::{
    fs,
    io::{IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    path::PathBuf,
    time::Duration,
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::socket::{
        MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt::RcvBuf,
    },
};
use serde_json::{Value, json};

use crate::{Figures, Until, packet::kind, say};

/// Datagrams that one system call moves at most: as many as the node's.
const BATCH: usize = 32;

/// No SIP message of a load is longer.
const DATAGRAM_MAX: usize = 4096;

/// As much as the node asks for.
const KERNEL_BUFFER: usize = 4 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Floor {
    /// Where it receives.
    #[arg(long)]
    node: u16,
    /// The port of those who call.
    #[arg(long)]
    caller: u16,
    /// The port of those who are called.
    #[arg(long)]
    phone: u16,
    /// Which calls these are.
    #[arg(long)]
    shape: Shape,
    /// What a tap has seen at a node under the same calls: the sizes.
    #[arg(long)]
    like: PathBuf,
}

/// What follows from each datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// A call that a proxy forwards.
    Proxied,
    /// A queued call that is given to an agent, who hangs up.
    Distributed,
}

/// One datagram that follows: from whom what, to whom, and its first line where it is not that of
/// what came.
type Follows = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

const PROXIED: [Follows; 6] = [
    ("caller", "INVITE", "caller", Some("SIP/2.0 100 Trying")),
    ("caller", "INVITE", "phone", None),
    ("caller", "ACK", "phone", None),
    ("caller", "BYE", "phone", None),
    ("phone", "180", "caller", None),
    ("phone", "200", "caller", None),
];

const DISTRIBUTED: [Follows; 7] = [
    ("caller", "INVITE", "caller", Some("SIP/2.0 100 Trying")),
    ("caller", "INVITE", "phone", None),
    ("phone", "180", "caller", None),
    ("phone", "200", "phone", Some("ACK sip:phone SIP/2.0")),
    ("phone", "200", "caller", None),
    ("phone", "BYE", "phone", Some("SIP/2.0 200 OK")),
    ("phone", "BYE", "caller", None),
];

/// A datagram that follows, ready to be made.
#[derive(Debug)]
struct Rule {
    from: u16,
    kind: &'static str,
    to: u16,
    first_line: Option<&'static str>,
    size: Size,
}

/// How long a datagram is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Is(usize),
    /// So much longer than what came, or shorter.
    Grows(isize),
}

impl Floor {
    pub(crate) fn run(&self, until: &Until) -> anyhow::Result<Figures> {
        let like: Value = serde_json::from_slice(&fs::read(&self.like)?)?;
        let rules = self.rules(&like)?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, self.node))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        setsockopt(&socket, RcvBuf, &KERNEL_BUFFER)?;
        say("ready")?;
        let (mut received, mut sent) = (0, 0);
        let mut outgoing = Outgoing::default();
        let mut buffers = vec![[0; DATAGRAM_MAX]; BATCH];
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
        while !until.is_over() {
            let mut slices: Vec<_> = buffers
                .iter_mut()
                .map(|buffer| [IoSliceMut::new(buffer)])
                .collect();
            let flags = MsgFlags::MSG_WAITFORONE;
            let fd = socket.as_raw_fd();
            let came = match recvmmsg(fd, &mut headers, slices.iter_mut(), flags, None) {
                Ok(came) => came.map(|one| (one.bytes, one.address)).collect::<Vec<_>>(),
                // Nothing came, or an earlier datagram found nobody.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => continue,
                Err(error) => return Err(error.into()),
            };
            received += came.len();
            for (buffer, (len, from)) in buffers.iter().zip(came) {
                let from = from.map_or(0, |from| from.port());
                answer(&rules, from, &buffer[..len], &mut outgoing);
            }
            sent += outgoing.flush(&socket)?;
        }
        Ok(json!({ "received": received, "sent": sent }))
    }

    fn rules(&self, like: &Value) -> anyhow::Result<Vec<Rule>> {
        let follows: &[Follows] = match self.shape {
            Shape::Proxied => &PROXIED,
            Shape::Distributed => &DISTRIBUTED,
        };
        let port = |who| {
            if who == "caller" {
                self.caller
            } else {
                self.phone
            }
        };
        let rule = |&(from, kind, to, first_line): &Follows| {
            let size = match first_line {
                Some(line) => {
                    let made = crate::packet::kind(line.as_bytes());
                    Size::Is(mean(like, &format!("node>{to} {made}"))?)
                }
                None => {
                    let out = mean(like, &format!("node>{to} {kind}"))?;
                    let came = mean(like, &format!("{from}>node {kind}"))?;
                    Size::Grows(out.cast_signed() - came.cast_signed())
                }
            };
            let (from, to) = (port(from), port(to));
            Ok(Rule {
                from,
                kind,
                to,
                first_line,
                size,
            })
        };
        follows.iter().map(rule).collect()
    }
}

/// How long the datagrams of a way and kind were on average.
fn mean(like: &Value, of: &str) -> anyhow::Result<usize> {
    let entry = &like["datagrams"][of];
    let number = |at: usize| entry[at].as_u64().filter(|number| *number > 0);
    let (count, bytes) = (number(0), number(1));
    let mean = count.zip(bytes).map(|(count, bytes)| bytes / count);
    let mean = mean.with_context(|| format!("the tap has seen no `{of}`"))?;
    Ok(usize::try_from(mean)?.min(DATAGRAM_MAX))
}

/// Queues what follows from a datagram.
fn answer(rules: &[Rule], from: u16, message: &[u8], outgoing: &mut Outgoing) {
    let kind = kind(message);
    for rule in rules
        .iter()
        .filter(|rule| rule.from == from && rule.kind == kind)
    {
        let buffer = outgoing.next(rule.to);
        rule.make(message, buffer);
    }
}

impl Rule {
    /// Makes what follows from a message. SIPp reads up to the first zero, so that they make a message
    /// longer without changing it.
    fn make(&self, message: &[u8], buffer: &mut Vec<u8>) {
        match self.first_line {
            None => buffer.extend_from_slice(message),
            Some(line) => {
                let end = message.iter().position(|byte| *byte == b'\r');
                buffer.extend_from_slice(line.as_bytes());
                buffer.extend_from_slice(&message[end.unwrap_or(0)..]);
            }
        }
        let size = match self.size {
            Size::Is(size) => size,
            Size::Grows(by) => message.len().saturating_add_signed(by),
        };
        buffer.resize(size, 0);
    }
}

/// Datagrams to be sent, whose buffers are used again.
#[derive(Debug, Default)]
struct Outgoing {
    datagrams: Vec<(Option<SockaddrIn>, Vec<u8>)>,
    used: usize,
}

impl Outgoing {
    fn next(&mut self, to: u16) -> &mut Vec<u8> {
        if self.used == self.datagrams.len() {
            self.datagrams
                .push((None, Vec::with_capacity(DATAGRAM_MAX)));
        }
        let (address, buffer) = &mut self.datagrams[self.used];
        *address = Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, to).into());
        buffer.clear();
        self.used += 1;
        buffer
    }

    /// Sends all, in batches. How many there were.
    fn flush(&mut self, socket: &UdpSocket) -> anyhow::Result<usize> {
        for batch in self.datagrams[..self.used].chunks(BATCH) {
            let slices: Vec<_> = batch
                .iter()
                .map(|(_, buffer)| [IoSlice::new(buffer)])
                .collect();
            let addresses: Vec<_> = batch.iter().map(|(to, _)| *to).collect();
            let mut headers = MultiHeaders::preallocate(batch.len(), None);
            let flags = MsgFlags::empty();
            sendmmsg(
                socket.as_raw_fd(),
                &mut headers,
                &slices,
                addresses,
                [],
                flags,
            )?;
        }
        Ok(std::mem::take(&mut self.used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_has_the_size_that_the_tap_has_seen() {
        let floor = Floor {
            node: 1,
            caller: 2,
            phone: 3,
            shape: Shape::Proxied,
            like: PathBuf::new(),
        };
        let like = json!({ "datagrams": {
            "caller>node INVITE": [2, 1400], "node>phone INVITE": [2, 1800],
            "node>caller 100": [2, 600],
            "caller>node ACK": [2, 800], "node>phone ACK": [2, 800],
            "caller>node BYE": [2, 800], "node>phone BYE": [2, 900],
            "phone>node 180": [2, 1000], "node>caller 180": [2, 800],
            "phone>node 200": [4, 2000], "node>caller 200": [4, 1600],
        }});
        let rules = floor.rules(&like).unwrap();
        let mut outgoing = Outgoing::default();
        let invite = [b"INVITE sip:x SIP/2.0\r\n".as_slice(), &[b'h'; 678]].concat();
        answer(&rules, 2, &invite, &mut outgoing);
        answer(&rules, 3, b"SIP/2.0 180 Ringing\r\n", &mut outgoing);
        // The caller's 180 would be none of its business.
        answer(&rules, 2, b"SIP/2.0 180 Ringing\r\n", &mut outgoing);
        let sent = &outgoing.datagrams[..outgoing.used];
        let sizes: Vec<_> = sent.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(sizes, [300, 900, 0]);
        assert!(sent[0].1.starts_with(b"SIP/2.0 100 Trying\r\nhhh"));
        assert!(sent[1].1.starts_with(&invite));
        assert!(floor.rules(&json!({})).is_err());
    }
}
