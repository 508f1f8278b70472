//! The SIP ladder of a run: one line for each message, as an engineer would draw it.

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

use engine::sip::{HeaderName, Limits, Message};

use crate::network::{Datagram, Fate};

/// What was sent, in order.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    names: BTreeMap<SocketAddr, String>,
    rungs: Vec<Rung>,
}

#[derive(Clone, Debug)]
struct Rung {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    what: String,
    fate: Fate,
}

impl Ladder {
    pub(crate) fn name(&mut self, address: SocketAddr, name: impl Into<String>) {
        self.names.insert(address, name.into());
    }

    /// Adds a message on its way; its place in the ladder.
    pub(crate) fn add(&mut self, at: Duration, datagram: &Datagram) -> usize {
        let what = summary(datagram);
        let fate = Fate::Passes;
        self.rungs.push(Rung {
            at,
            from: datagram.from,
            to: datagram.to,
            what,
            fate,
        });
        self.rungs.len() - 1
    }

    /// Notes that a message will not arrive.
    pub(crate) fn lose(&mut self, rung: usize) {
        self.rungs[rung].fate = Fate::Lost;
    }

    fn name_of(&self, address: SocketAddr) -> String {
        self.names
            .get(&address)
            .cloned()
            .unwrap_or_else(|| address.to_string())
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rung in &self.rungs {
            let (from, to) = (self.name_of(rung.from), self.name_of(rung.to));
            let arrow = match rung.fate {
                Fate::Passes => "->",
                Fate::Lost => "-x",
            };
            let at = rung.at.as_secs_f64();
            writeln!(f, "{at:>8.3}  {from:<8} {arrow} {to:<8} {}", rung.what)?;
        }
        Ok(())
    }
}

/// Method or status, CSeq where it says more than that, and what matters of the body: no number,
/// no tag, nothing that changes with the seed.
fn summary(datagram: &Datagram) -> String {
    let Ok(message) = Message::parse(datagram.bytes.clone(), &Limits::default()) else {
        return "(not SIP)".to_owned();
    };
    let cseq = text(message.header(HeaderName::CSeq).unwrap_or_default());
    let first_line = text(
        message
            .bytes()
            .split(|&byte| byte == b'\r')
            .next()
            .unwrap_or_default(),
    );
    let body = body_summary(&message);
    if message.is_request() {
        return format!("{cseq}{body}");
    }
    let answer = first_line
        .strip_prefix("SIP/2.0 ")
        .unwrap_or(&first_line)
        .to_owned();
    format!("{answer} ({cseq}){body}")
}

fn body_summary(message: &Message) -> &'static str {
    let body = text(message.body_bytes());
    if body.is_empty() {
        ""
    } else if body.contains("a=sendonly") {
        " [hold]"
    } else {
        " [sdp]"
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
