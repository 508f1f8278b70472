//! The files, the table, and the verdicts as the table writes them.

use std::{collections::BTreeSet, fmt, fs, path::PathBuf};

use bytes::Bytes;
use sip::{
    Frame, FramingError, Limits, Message, Request, Response, SipUri, StreamFramer, StreamSide, Uri,
    headers::{Contact, Contacts},
};

/// One line of `expected.tsv`.
pub(crate) struct Expected {
    /// The file, without its extension: `rfc4475/wsinv`.
    pub(crate) name: String,
    /// The section of that RFC.
    pub(crate) section: String,
    /// The verdict on it as one datagram.
    pub(crate) datagram: String,
    /// The verdict on it as a stream.
    pub(crate) stream: String,
    /// What the RFC would have a parser do.
    pub(crate) rfc: Rfc,
    /// What the RFC says.
    pub(crate) asks: String,
    /// Why ours is another verdict, or which of the allowed ones it is.
    pub(crate) why: String,
}

/// What the RFC would have a parser do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rfc {
    /// It is well formed; what refuses it, if anything, is a layer above.
    Accept,
    /// It must not or should not be accepted.
    Refuse,
    /// It is malformed, and may be accepted by who wants to be liberal.
    Either,
}

/// What a stream that holds just these bytes comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The messages that came out of it.
    pub(crate) messages: Vec<Bytes>,
    pub(crate) end: StreamEnd,
}

/// How a stream is left when all its bytes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// Between two messages.
    Between,
    /// Inside a message.
    Waits,
    /// The connection must be closed.
    Closed(FramingError),
}

/// Where the corpus is.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/torture")
}

/// The bytes of a message, as they would arrive.
pub(crate) fn wire_bytes(name: &str) -> Bytes {
    let path = folder().join(format!("{name}.sip"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.into()
}

pub(crate) fn files() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(folder().join(rfc)).expect("the corpus is there") {
            let file = entry.expect("it can be listed").file_name();
            let file = file.into_string().expect("names are ASCII");
            let name = file.strip_suffix(".sip").expect("only messages are there");
            names.insert(format!("{rfc}/{name}"));
        }
    }
    names
}

pub(crate) fn table() -> Vec<Expected> {
    let text = fs::read_to_string(folder().join("expected.tsv")).expect("the table is there");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [name, section, datagram, stream, rfc, asks, why] = columns[..] else {
            panic!("seven columns, not {}: {line}", columns.len());
        };
        Expected {
            name: name.to_owned(),
            section: section.to_owned(),
            datagram: datagram.to_owned(),
            stream: stream.to_owned(),
            rfc: match rfc {
                "accept" => Rfc::Accept,
                "refuse" => Rfc::Refuse,
                "either" => Rfc::Either,
                _ => panic!("accept, refuse or either: {line}"),
            },
            asks: asks.to_owned(),
            why: if why == "-" {
                String::new()
            } else {
                why.to_owned()
            },
        }
    })
    .collect()
}

/// `ok` and the method or the status; the status that answers a request and its label; or `drop`
/// and the label of what is wrong.
pub(crate) fn datagram_verdict(bytes: &Bytes) -> String {
    let message = match Message::parse(bytes.clone(), &Limits::default()) {
        Ok(message) => message,
        Err(error) => return format!("drop {}", error.label()),
    };
    if message.is_request() {
        return match Request::new(message) {
            Ok(request) => format!(
                "ok {}",
                String::from_utf8_lossy(request.method().as_bytes())
            ),
            Err(it) => format!("{} {}", it.reason.status().value(), it.reason.label()),
        };
    }
    match Response::new(message) {
        Ok(response) => format!("ok {}", response.status().value()),
        Err(it) => format!("drop {}", it.reason.label()),
    }
}

impl Stream {
    /// Frames bytes that come in pieces of this length, from a peer that has connected to us.
    pub(crate) fn of(bytes: &[u8], piece_len: usize) -> Self {
        let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
        let mut messages = Vec::new();
        for piece in bytes.chunks(piece_len) {
            framer.push(piece);
            loop {
                match framer.next_frame() {
                    Ok(Some(Frame::Message(message))) => messages.push(message),
                    Ok(Some(other)) => panic!("no torture message holds a {other:?}"),
                    Ok(None) => break,
                    Err(error) => {
                        let end = StreamEnd::Closed(error);
                        return Self { messages, end };
                    }
                }
            }
        }
        let end = match framer.buffered_len() {
            0 => StreamEnd::Between,
            _ => StreamEnd::Waits,
        };
        Self { messages, end }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.messages.len();
        match count {
            0 => {}
            1 => f.write_str("1 message")?,
            _ => write!(f, "{count} messages")?,
        }
        let comma = if count == 0 { "" } else { ", " };
        match self.end {
            StreamEnd::Between => Ok(()),
            StreamEnd::Waits => write!(f, "{comma}waits"),
            StreamEnd::Closed(error) => write!(f, "{comma}close {}", error.label()),
        }
    }
}

pub(crate) fn message(name: &str) -> Message {
    Message::parse(wire_bytes(name), &Limits::default()).expect(name)
}

pub(crate) fn request(name: &str) -> Request {
    Request::new(message(name)).expect(name)
}

pub(crate) fn response(name: &str) -> Response {
    Response::new(message(name)).expect(name)
}

pub(crate) fn contacts(message: &Message) -> Vec<Contact<'_>> {
    let Ok(Contacts::List(list)) = message.contacts() else {
        panic!("the Contacts are addresses");
    };
    list.iter()
        .map(|one| one.expect("it can be read"))
        .collect()
}

pub(crate) fn sip_uri(raw: &[u8]) -> SipUri<'_> {
    match Uri::parse(raw) {
        Ok(Uri::Sip(uri)) => uri,
        other => panic!("a SIP URI, not {other:?}"),
    }
}

/// The user part without escapes.
pub(crate) fn user(uri: &SipUri<'_>) -> Vec<u8> {
    let user = uri.user_decoded().expect("there is a user part");
    user.into_exposed().into_owned()
}

/// The names and values of a list of parameters.
pub(crate) fn pairs(params: sip::Params<'_>) -> Vec<(String, Option<String>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is UTF-8");
    let pair = |param: sip::Param<'_>| (text(param.name), param.value.map(text));
    params.iter().map(pair).collect()
}
