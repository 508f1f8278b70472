//! Writing values so that none of them can break out of its line.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
};

use bytes::BytesMut;

use crate::{Digits, lexer};

/// Writes a value so that it stays on its line: line breaks become spaces.
pub(crate) fn put_line(buffer: &mut BytesMut, value: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(value);
    if memchr::memchr2(b'\r', b'\n', value).is_some() {
        without_line_breaks(buffer, start);
    }
}

/// Writes format arguments so that they stay on their line.
pub(crate) fn put_line_fmt(buffer: &mut BytesMut, arguments: fmt::Arguments<'_>) {
    let start = buffer.len();
    put_fmt(buffer, arguments);
    without_line_breaks(buffer, start);
}

/// Writes format arguments that hold no line break, or one that is meant.
pub(crate) fn put_fmt(buffer: &mut BytesMut, arguments: fmt::Arguments<'_>) {
    buffer
        .write_fmt(arguments)
        .expect("writing to memory does not fail");
}

/// Writes a number in decimal digits.
pub(crate) fn put_number(buffer: &mut BytesMut, number: u64) {
    buffer.extend_from_slice(Digits::decimal(number).as_bytes());
}

/// Writes an address as the standard library shows it.
pub(crate) fn put_address(buffer: &mut BytesMut, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        return put_fmt(buffer, format_args!("{address}"));
    };
    // Every Via and Contact has one: all of it is written at once.
    let mut text = [b'.'; V4_LEN_MAX];
    let mut len = 0;
    for (index, octet) in address.octets().into_iter().enumerate() {
        len += usize::from(index > 0);
        for &digit in Digits::decimal(octet.into()).as_bytes() {
            text[len] = digit;
            len += 1;
        }
    }
    buffer.extend_from_slice(&text[..len]);
}

/// The length of `255.255.255.255`.
const V4_LEN_MAX: usize = 15;

/// Writes a header's name: a byte that no name may hold (RFC 3261 §25.1) becomes `-`, so that a
/// name from the network can neither end its own header nor continue the one before.
pub(crate) fn put_name(buffer: &mut BytesMut, name: &[u8]) {
    let start = buffer.len();
    buffer.extend_from_slice(name);
    for byte in &mut buffer[start..] {
        if !lexer::is_token(*byte) {
            *byte = b'-';
        }
    }
}

fn without_line_breaks(buffer: &mut BytesMut, start: usize) {
    for byte in &mut buffer[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_is_written_as_the_standard_library_shows_it() {
        for octet in 0..=u8::MAX {
            for address in [[octet; 4], [octet, 0, 255, 10], [9, 100, octet, 99]] {
                let address = IpAddr::from(Ipv4Addr::from(address));
                let mut buffer = BytesMut::new();
                put_address(&mut buffer, address);
                assert_eq!(buffer, address.to_string().as_bytes());
            }
        }
    }
}
