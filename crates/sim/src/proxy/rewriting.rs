//! The same message, written as another implementation writes it: all that RFC 3261 §7.3 allows.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use engine::sip::{Header, HeaderName, Message};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As they came.
    AsTheyCame,
    /// With the one-letter names of headers.
    Compact,
    /// In odd case, with odd spaces, folded, in another order, and with headers that nobody knows.
    Odd,
}

/// Headers that nobody knows.
const UNKNOWN: [&str; 3] = [
    "X-Operator-Trace: 4711/15",
    "P-Charging-Vector: icid-value=\"a;b,c\";icid-generated-at=192.0.2.77",
    "x-empty:",
];

/// Writes a message in a style.
pub(super) fn rewritten(message: &Message, style: Style, rng: &mut Pcg64Mcg) -> Bytes {
    if style == Style::AsTheyCame {
        return message.bytes().clone();
    }
    let bytes = message.bytes();
    let start = bytes.iter().position(|byte| *byte == b'\r').unwrap_or(0);
    let mut lines: Vec<(HeaderName, Vec<u8>)> = message
        .headers()
        .map(|header| (header.name, written(&header, style, rng)))
        .collect();
    if style == Style::Odd {
        let unknown = UNKNOWN[rng.random_range(0..UNKNOWN.len())];
        lines.push((HeaderName::Other, unknown.as_bytes().to_vec()));
        shuffle(&mut lines, rng);
    }
    let mut out = BytesMut::with_capacity(bytes.len() + 128);
    out.put_slice(&bytes[..start]);
    out.put_slice(b"\r\n");
    for (_, line) in lines {
        out.put_slice(&line);
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"\r\n");
    out.put_slice(message.body_bytes());
    out.freeze()
}

/// Another order of names. Headers of one name stay in theirs.
fn shuffle(lines: &mut [(HeaderName, Vec<u8>)], rng: &mut Pcg64Mcg) {
    let mut places = BTreeMap::new();
    for (name, _) in &*lines {
        places.entry(*name).or_insert_with(|| rng.random::<u32>());
    }
    lines.sort_by_key(|(name, _)| places[name]);
}

fn written(header: &Header<'_>, style: Style, rng: &mut Pcg64Mcg) -> Vec<u8> {
    let line = header.line;
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
    let is_long = header.written_name.len() > 1;
    let compact = header.name.compact().filter(|_| is_long);
    let mut out = Vec::with_capacity(line.len() + 4);
    match (style, compact) {
        (Style::Compact, Some(compact)) => out.extend_from_slice(compact.as_bytes()),
        (Style::Odd, _) => out.extend(name.iter().map(|byte| match rng.random_bool(0.5) {
            true => byte.to_ascii_uppercase(),
            false => byte.to_ascii_lowercase(),
        })),
        _ => out.extend_from_slice(name),
    }
    let between: &[u8] = match (style, rng.random_range(0..4)) {
        (Style::Odd, 0) => b" : ",
        (Style::Odd, 1) => b":",
        (Style::Odd, 2) => b":\r\n ",
        _ => b": ",
    };
    out.extend_from_slice(between);
    out.extend_from_slice(value);
    out
}
