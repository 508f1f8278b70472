//! The first line of a message (RFC 3261 §7.1 and §7.2).

use std::ops::Range;

use bytes::Bytes;

use crate::{
    Method, ParseError, StatusCode,
    field::Span,
    lexer::{self, is_lws},
};

/// The first line of a [`crate::Message`].
#[derive(Clone, Debug)]
pub(crate) enum StartLine {
    Request {
        method: Method,
        /// The Request-URI without white space and brackets around it.
        uri: Span,
        /// All that stands between the method's space and the version's.
        uri_field: Span,
        version: Version,
        /// White space between the version and the line break.
        trailing: Span,
    },
    Response {
        status: StatusCode,
        reason: Span,
        version: Version,
    },
}

/// The SIP version of a start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Two,
    Unknown,
}

impl StartLine {
    /// Where the line ends, without its break.
    pub(crate) fn end(&self) -> usize {
        match self {
            Self::Request { trailing, .. } => trailing.range().end,
            Self::Response { reason, .. } => reason.range().end,
        }
    }

    pub(crate) fn parse(bytes: &Bytes, range: Range<usize>) -> Result<Self, ParseError> {
        let line = &bytes[range.clone()];
        if is_sip(line) {
            return Self::parse_status_line(line, range.start);
        }
        let method_len = lexer::find(b' ', line).ok_or(ParseError::StartLine)?;
        let method = &line[..method_len];
        let written = lexer::trim_end(line);
        let version_start = memchr::memrchr(b' ', written).map_or(0, |at| at + 1);
        let version = &written[version_start..];
        if !lexer::is_token_str(method) || version_start <= method_len + 1 || !is_sip(version) {
            return Err(ParseError::StartLine);
        }
        let method = Method::known(method)
            .unwrap_or_else(|| Method::Other(bytes.slice(range.start..range.start + method_len)));
        let uri_start = range.start + method_len + 1;
        let uri_end = range.start + version_start - 1;
        Ok(Self::Request {
            method,
            uri: request_uri(bytes, uri_start..uri_end),
            uri_field: Span::new(uri_start..uri_end),
            version: Version::of(version),
            trailing: Span::new(range.start + written.len()..range.end),
        })
    }

    fn parse_status_line(line: &[u8], offset: usize) -> Result<Self, ParseError> {
        let version_len = lexer::find(b' ', line).ok_or(ParseError::StartLine)?;
        let rest = lexer::trim_start(&line[version_len..]);
        let (code, reason) = lexer::split_once(rest, b' ');
        let status = lexer::number(code)
            .filter(|_| code.len() == 3)
            .and_then(StatusCode::new)
            .ok_or(ParseError::StatusCode)?;
        let reason_len = reason.map_or(0, <[u8]>::len);
        let end = offset + line.len();
        Ok(Self::Response {
            status,
            reason: Span::new(end - reason_len..end),
            version: Version::of(&line[..version_len]),
        })
    }
}

impl Version {
    /// RFC 3261 §7.1: the version string is without case.
    fn of(written: &[u8]) -> Self {
        if written.eq_ignore_ascii_case(b"SIP/2.0") {
            Self::Two
        } else {
            Self::Unknown
        }
    }
}

/// Whether a line may be the start line of a SIP message: what tells a stream that has lost its
/// place, or that speaks another protocol, from one that goes on.
pub(crate) fn looks_like_sip(line: &[u8]) -> bool {
    let last = line.rsplit(|&byte| byte == b' ').find(|it| !it.is_empty());
    is_sip(line) || last.is_some_and(is_sip)
}

/// Whether it starts with `SIP/` in any case.
fn is_sip(written: &[u8]) -> bool {
    written
        .get(..4)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"))
}

/// The Request-URI inside its field. Spaces and one pair of brackets around it are not its own:
/// RFC 4475 §3.1.2.7 and §3.1.2.9 let an element ignore them, and the meaning is clear.
fn request_uri(bytes: &[u8], field: Range<usize>) -> Span {
    let (mut start, mut end) = (field.start, field.end);
    while start < end && is_lws(bytes[start]) {
        start += 1;
    }
    while start < end && is_lws(bytes[end - 1]) {
        end -= 1;
    }
    if let [b'<', .., b'>'] = bytes[start..end] {
        return Span::new(start + 1..end - 1);
    }
    Span::new(start..end)
}
