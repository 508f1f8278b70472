//! The SIP ladder of a run: one line for each message, as an engineer would draw it. A letter says
//! which Call-ID it belongs to, in the order of their first message.

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

use engine::sip::{HeaderName, Limits, Message};

use crate::{
    laws::text,
    network::{Datagram, Fate},
};

/// What was sent, in order.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    names: BTreeMap<SocketAddr, String>,
    /// The order in which Call-IDs came up.
    dialogs: BTreeMap<String, usize>,
    rungs: Vec<Rung>,
}

#[derive(Clone, Debug)]
struct Rung {
    at: Duration,
    from: SocketAddr,
    to: SocketAddr,
    dialog: Option<usize>,
    what: String,
    fate: Fate,
}

impl Ladder {
    pub(crate) fn name(&mut self, address: SocketAddr, name: impl Into<String>) {
        self.names.insert(address, name.into());
    }

    /// Adds a message on its way.
    pub(crate) fn add(&mut self, at: Duration, datagram: &Datagram) {
        let message = Message::parse(datagram.bytes.clone(), &Limits::default()).ok();
        let what = message
            .as_ref()
            .map_or_else(|| "(not SIP)".to_owned(), summary);
        let dialog = message
            .and_then(|message| message.header(HeaderName::CallId).map(text))
            .map(|call_id| self.dialog(call_id));
        self.rungs.push(Rung {
            at,
            from: datagram.from,
            to: datagram.to,
            dialog,
            what,
            fate: Fate::Passes,
        });
    }

    /// Notes what becomes of the last message.
    pub(crate) fn note_fate(&mut self, fate: Fate) {
        if let Some(rung) = self.rungs.last_mut() {
            rung.fate = fate;
        }
    }

    /// Puts the ladder's letters in place of the Call-IDs of a text.
    pub(crate) fn lettered(&self, text: &str) -> String {
        // A Call-ID that was damaged on its way may be part of another, or a letter.
        let words = text.split(' ').map(|word| match self.dialogs.get(word) {
            Some(&number) => letters(number),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn dialog(&mut self, call_id: String) -> usize {
        let next = self.dialogs.len();
        *self.dialogs.entry(call_id).or_insert(next)
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
                Fate::Damaged => "~>",
            };
            let at = rung.at.as_secs_f64();
            let dialog = rung.dialog.map_or_else(|| "-".to_owned(), letters);
            let what = &rung.what;
            writeln!(f, "{at:>8.3} {dialog:>2}  {from:<8} {arrow} {to:<8} {what}")?;
        }
        Ok(())
    }
}

/// a, b, … z, ba, bb, …
fn letters(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        let digit = u8::try_from(number % 26).expect("a remainder of 26 is small");
        letters.push(char::from(b'a' + digit));
        number /= 26;
        if number == 0 {
            return letters.iter().rev().collect();
        }
    }
}

/// Method or status, CSeq where it says more than that, and what matters of the body: no number,
/// no tag, nothing that changes with the seed.
fn summary(message: &Message) -> String {
    let cseq = text(message.header(HeaderName::CSeq).unwrap_or_default());
    let first_line = text(
        message
            .bytes()
            .split(|&byte| byte == b'\r')
            .next()
            .unwrap_or_default(),
    );
    let body = body_summary(message);
    if message.is_request() {
        return format!("{cseq}{body}");
    }
    let answer = first_line
        .strip_prefix("SIP/2.0 ")
        .unwrap_or(&first_line)
        .to_owned();
    format!("{answer} ({cseq}){body}")
}

/// `[sdp]`, or `[hold]` when no medium may be sent to us (RFC 3264 §8.4).
fn body_summary(message: &Message) -> &'static str {
    if message.body_bytes().is_empty() {
        return "";
    }
    let Ok(session) = sdp_types::Session::parse(message.body_bytes()) else {
        return " [body]";
    };
    let is_held = |media: &sdp_types::Media| {
        let mut names = media.attributes.iter().map(|one| one.attribute.as_str());
        names.any(|name| matches!(name, "sendonly" | "inactive"))
    };
    if !session.medias.is_empty() && session.medias.iter().all(is_held) {
        " [hold]"
    } else {
        " [sdp]"
    }
}
