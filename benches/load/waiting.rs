//! Callers who wait in a queue: so many INVITEs, each of which has heard that it waits.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde_json::json;

use crate::{Figures, Until, packet::kind, say};

/// How many INVITEs may be unanswered at a time: sockets hold so many datagrams.
const WINDOW: usize = 128;

/// After so long without any answer what is unanswered is sent again.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct Waiting {
    /// The port of the node.
    #[arg(long)]
    node: u16,
    /// How many callers.
    #[arg(long)]
    calls: usize,
}

impl Waiting {
    /// Says `ready` when all callers wait.
    pub(crate) fn run(&self, until: &Until) -> anyhow::Result<Figures> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, self.node))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let from = socket.local_addr()?.to_string();
        let mut rings = vec![false; self.calls];
        let (mut sent, mut ringing) = (0, 0);
        let mut heard_at = Instant::now();
        while ringing < self.calls && !until.is_over() {
            while sent < self.calls && sent - ringing < WINDOW {
                socket.send(invite(self.node, &from, sent).as_bytes())?;
                sent += 1;
            }
            if let Some(call) = hear(&socket)?
                && !std::mem::replace(&mut rings[call], true)
            {
                ringing += 1;
                heard_at = Instant::now();
            }
            if heard_at.elapsed() > PATIENCE {
                let unanswered = (0..sent).filter(|call| !rings[*call]);
                for call in unanswered {
                    socket.send(invite(self.node, &from, call).as_bytes())?;
                }
                heard_at = Instant::now();
            }
        }
        say("ready")?;
        // They are told again and again that they wait.
        while !until.is_over() {
            hear(&socket)?;
        }
        Ok(json!({ "waiting": ringing }))
    }
}

/// Waits a little for a message. The call that it says is waiting, if it does.
fn hear(socket: &UdpSocket) -> anyhow::Result<Option<usize>> {
    let mut buffer = [0; 4096];
    let len = match socket.recv(&mut buffer) {
        Ok(len) => len,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let message = &buffer[..len];
    let kind = kind(message);
    ensure!(kind.starts_with('1'), "a caller who should wait got {kind}");
    // A 100 says only that the INVITE has come.
    Ok(call_of(message).filter(|_| kind != "100"))
}

/// The number that we put into the Call-ID.
fn call_of(message: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(message).ok()?;
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("Call-ID: "))?;
    id.strip_prefix("waiting-")?.parse().ok()
}

fn invite(node: u16, from: &str, call: usize) -> String {
    let body = format!(
        "v=0\r\no=caller {call} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio 6000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=sendrecv\r\n"
    );
    format!(
        "INVITE sip:15@127.0.0.1:{node} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {from};branch=z9hG4bKwaiting{call};rport\r\nMax-Forwards: 70\r\n\
         From: \"M. Martin\" <sip:+336{call:08}@127.0.0.1>;tag=w{call}\r\n\
         To: <sip:15@127.0.0.1:{node}>\r\nCall-ID: waiting-{call}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:caller@{from}>\r\nP-Asserted-Identity: <tel:+336{call:08}>\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whose_it_is() {
        let invite = invite(5060, "127.0.0.1:9", 17);
        assert_eq!(call_of(invite.as_bytes()), Some(17));
        assert_eq!(
            call_of(b"SIP/2.0 180 Ringing\r\nCall-ID: else-1\r\n\r\n"),
            None
        );
    }
}
