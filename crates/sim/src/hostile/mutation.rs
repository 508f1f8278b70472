//! Changes of one message: bytes, lines, its end.

use super::script::Script;

/// Lines that turn a plain message into a hard one.
const LINES: [&str; 24] = [
    "Require: 100rel",
    "Require: timer, nothing-supports-this",
    "Supported: 100rel, timer, replaces",
    "Content-Length: 5",
    "Content-Length: 99999",
    "Content-Length: -1",
    "Max-Forwards: 0",
    "Max-Forwards: 999",
    "Route: <sip:192.0.2.1;lr>",
    "Route: <sip:203.0.113.9;lr>, <sip:203.0.113.10:5070;lr>",
    "Record-Route: <sip:203.0.113.9;lr>",
    "Record-Route: <sip:203.0.113.9;transport=tcp>, sip:x",
    "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKloop",
    "Contact: <sip:somebody@203.0.113.77>",
    "Contact: *",
    "Contact: <tel:+33112>",
    "Session-Expires: 90;refresher=uas",
    "Replaces: a@b;to-tag=1;from-tag=2",
    "RAck: 1 1 INVITE",
    "RSeq: 1",
    "Content-Type: multipart/mixed;boundary=x",
    "Privacy: id",
    "Path: <sip:203.0.113.9;lr>",
    "Expires: 0",
];

/// Values that a number may be replaced with.
const NUMBERS: [&str; 6] = ["0", "1", "2147483647", "2147483648", "4294967296", "-1"];

/// Changes a message once, as the script says.
pub(super) fn mutate(message: &mut Vec<u8>, script: &mut Script<'_>) {
    let how = script.byte() % 9;
    let at = usize::from(script.word());
    if message.is_empty() {
        return;
    }
    let len = message.len();
    match how {
        0 => message[at % len] = script.byte(),
        1 => insert_line(message, script.one_of(&LINES).as_bytes()),
        2 => change_lines(message, |lines| drop(lines.remove(at % lines.len()))),
        3 => change_lines(message, |lines| {
            let at = at % lines.len();
            lines.insert(at, lines[at].clone());
        }),
        4 => change_lines(message, |lines| {
            let (a, b) = (at % lines.len(), at / 256 % lines.len());
            lines.swap(a, b);
        }),
        5 => message.truncate(at % len),
        6 => replace_number(message, at, script.one_of(&NUMBERS)),
        // Above what fits into a datagram: 1300 octets, RFC 3261 §18.1.1.
        7 => insert_line(
            message,
            format!("Subject: {}", "x".repeat(at % 3000)).as_bytes(),
        ),
        _ => insert_line(message, script.bytes()),
    }
}

/// Puts a header line below the start line.
fn insert_line(message: &mut Vec<u8>, line: &[u8]) {
    let start_len = message
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(message.len(), |at| at + 1);
    let line = [line, b"\r\n"].concat();
    message.splice(start_len..start_len, line);
}

fn change_lines(message: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines: Vec<Vec<u8>> = message
        .split_inclusive(|&byte| byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    change(&mut lines);
    *message = lines.concat();
}

/// Replaces the first run of digits at or after a place.
fn replace_number(message: &mut Vec<u8>, at: usize, number: &str) {
    let from = at % message.len();
    let Some(start) = message[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let len = message[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    message.splice(start..start + len, number.bytes());
}
