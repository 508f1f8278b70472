//! `%XX` escapes in URIs (RFC 3261 §19.1.2, RFC 3966 §3).

use std::borrow::Cow;

/// The bytes without escapes. A `%` that is followed by no two hex digits stays as it is.
pub fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(units(raw).map(Unit::byte).collect())
}

/// Bytes as the value of a header inside a SIP URI: what may not stand there is escaped.
pub fn encode_header(value: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(value.len());
    for &byte in value {
        if is_header_char(byte) {
            encoded.push(byte);
        } else {
            encoded.extend([b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    encoded
}

/// One character for the comparison of URIs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Written as it is, or escaped although it need not be: the two are equal.
    Plain(u8),
    /// A reserved character, escaped: not the same as the character itself (RFC 3261 §19.1.4).
    Escaped(u8),
}

impl Unit {
    const fn byte(self) -> u8 {
        match self {
            Self::Plain(byte) | Self::Escaped(byte) => byte,
        }
    }

    pub(crate) const fn to_ascii_lowercase(self) -> Self {
        match self {
            Self::Plain(byte) => Self::Plain(byte.to_ascii_lowercase()),
            escaped @ Self::Escaped(_) => escaped,
        }
    }
}

pub(crate) fn units(mut raw: &[u8]) -> impl Iterator<Item = Unit> {
    std::iter::from_fn(move || {
        if let [b'%', high, low, rest @ ..] = raw
            && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
        {
            raw = rest;
            let byte = high << 4 | low;
            return Some(if is_reserved(byte) {
                Unit::Escaped(byte)
            } else {
                Unit::Plain(byte)
            });
        }
        let (&byte, rest) = raw.split_first()?;
        raw = rest;
        Some(Unit::Plain(byte))
    })
}

/// RFC 2396 §2.2, which RFC 3261 §19.1.4 names.
const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b','
    )
}

/// `hnv-unreserved / unreserved` (RFC 3261 §25.1).
const fn is_header_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'[' | b']'
                | b'/'
                | b'?'
                | b':'
                | b'+'
                | b'$'
                | b'-'
                | b'_'
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
        )
}

const fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'A' + value - 10,
    }
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_keeps_what_is_no_escape() {
        assert_eq!(&*decode(b"%2315%23"), b"#15#");
        assert_eq!(&*decode(b"a%4"), b"a%4");
        assert_eq!(&*decode(b"%zz%%41%"), b"%zz%A%");
        assert_eq!(&*decode(b"%00%ff"), b"\x00\xff");
        assert!(matches!(decode(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let all: Vec<u8> = (0..=255).collect();
        let encoded = encode_header(&all);
        assert!(
            encoded
                .iter()
                .all(|byte| *byte == b'%' || is_header_char(*byte))
        );
        assert_eq!(&*decode(&encoded), all);
        assert_eq!(encode_header(b"a@b;to-tag=1"), b"a%40b%3Bto-tag%3D1");
    }
}
