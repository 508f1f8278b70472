//! Walks over the lines of a header section: of a message, of a stream that is being cut into
//! messages, and of a body part.

use std::ops::Range;

use crate::{
    HeaderName, Limits, ParseError,
    field::{HEAD_MAX, Header},
    lexer, words,
};

/// A cursor over lines that end in CRLF or, liberally, in a bare LF.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
    head_max: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            bytes,
            at: 0,
            limits,
            head_max: limits.head_len.min(HEAD_MAX),
        }
    }

    /// The next line without its line break; `None` at the end of the bytes.
    #[inline]
    pub(crate) fn next_line(&mut self) -> Result<Option<Range<usize>>, ParseError> {
        let rest = &self.bytes[self.at..];
        // Nearly always the first line break is a whole one, and nothing else is to be looked for.
        let (len, len_with_break) = match break_in(rest) {
            Some(end) if rest[end] == b'\n' => (end, end + 1),
            Some(end) if rest.get(end + 1) == Some(&b'\n') => (end, end + 2),
            None if rest.is_empty() => return Ok(None),
            _ => return Err(self.why_no_line(rest)),
        };
        if len > self.limits.line_len {
            return Err(ParseError::LineTooLong);
        }
        let start = self.at;
        self.at += len_with_break;
        if self.at > self.head_max {
            return Err(ParseError::HeadTooLong);
        }
        Ok(Some(start..start + len))
    }

    /// What is wrong where no line ends, or a carriage return ends none.
    #[cold]
    fn why_no_line(&self, rest: &[u8]) -> ParseError {
        let window = &rest[..rest.len().min(self.limits.line_len.saturating_add(2))];
        match memchr::memchr(b'\n', window) {
            Some(newline) if self.at + newline + 1 > self.head_max => ParseError::HeadTooLong,
            Some(_) => ParseError::BareCarriageReturn,
            None if rest.len() > window.len() => ParseError::LineTooLong,
            None => ParseError::HeaderEnd,
        }
    }

    /// The next header with its folded lines, as one range. Empty where the section ends.
    #[inline]
    pub(crate) fn next_header(&mut self) -> Result<Option<Range<usize>>, ParseError> {
        match self.next_line()? {
            Some(line) if !line.is_empty() && self.is_fold_next() => self.folded(line).map(Some),
            line => Ok(line),
        }
    }

    /// A header whose first line this is, with the lines that it goes on in.
    #[cold]
    fn folded(&mut self, mut header: Range<usize>) -> Result<Range<usize>, ParseError> {
        while self.is_fold_next() {
            let Some(fold) = self.next_line()? else { break };
            header.end = fold.end;
            if header.len() > self.limits.line_len {
                return Err(ParseError::LineTooLong);
            }
        }
        Ok(header)
    }

    fn is_fold_next(&self) -> bool {
        matches!(self.bytes.get(self.at), Some(b' ' | b'\t'))
    }

    /// Where the next line starts.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }
}

/// Where the first carriage return or line feed is.
#[inline]
fn break_in(bytes: &[u8]) -> Option<usize> {
    let at = words::find_below(b'\r' + 1, bytes)?;
    if matches!(bytes[at], b'\r' | b'\n') {
        return Some(at);
    }
    // A tab, or what somebody made of nothing else: each of many may not begin the search anew.
    memchr::memchr2(b'\r', b'\n', &bytes[at..]).map(|end| at + end)
}

/// Where a header line's value starts, counted from the start of the line, and the line's name.
///
/// `None` for a line that names nothing: it has no colon, or nothing before it, or white space
/// before or in the name. (Only the first line after a start line can start with white space.
/// Taken for a header it would, once copied behind another, become that one's continuation.)
#[inline]
pub(crate) fn name_of(line: &[u8]) -> Option<(HeaderName, usize)> {
    let end = name_end(line)?;
    let name = &line[..end];
    if name.is_empty() {
        return None;
    }
    // White space may stand between the name and the colon.
    let between = match line[end..] {
        [b':', ..] => 0,
        ref rest => rest.iter().position(|&byte| !lexer::is_lws(byte))?,
    };
    let colon = end + between;
    if line[colon] != b':' {
        return None;
    }
    Some((HeaderName::of(name), colon + 1))
}

/// Where a name ends: at a colon, or at white space.
#[inline]
fn name_end(line: &[u8]) -> Option<usize> {
    let ends = |byte: u8| byte == b':' || lexer::is_lws(byte);
    let at = words::find_or_below(b':', b' ' + 1, line)?;
    if ends(line[at]) {
        return Some(at);
    }
    // Another control character: the name is none that anybody knows, and may hold nothing else.
    let rest = line[at..].iter().position(|&byte| ends(byte))?;
    Some(at + rest)
}

/// The header on a line for which [`name_of`] gave `name` and `value_start`.
pub(crate) fn header(line: &[u8], name: HeaderName, value_start: usize) -> Header<'_> {
    Header {
        name,
        written_name: lexer::trim_end(&line[..value_start - 1]),
        value: lexer::trim(&line[value_start..]),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_behind_whatever_else_is_as_low() {
        for before in [&b""[..], b"\t", b"\0\t\x0b\x0c", &[1; 100]] {
            for (end, len) in [(&b"\r\n"[..], 2), (b"\n", 1)] {
                let bytes = [b"Subject: x", before, end, b"\r\n"].concat();
                let limits = Limits::default();
                let mut lines = Lines::new(&bytes, &limits);
                let line = 0..10 + before.len();
                assert_eq!(lines.next_line(), Ok(Some(line.clone())), "{bytes:?}");
                assert_eq!(lines.at(), line.end + len);
            }
            let bytes = [b"Subject: x", before, b"\ry\r\n"].concat();
            let bare = Lines::new(&bytes, &Limits::default()).next_line();
            assert_eq!(bare, Err(ParseError::BareCarriageReturn), "{bytes:?}");
        }
    }

    #[test]
    fn a_name_ends_behind_whatever_else_is_as_low() {
        for inside in [&b""[..], b"\0", &[1; 100]] {
            let line = [b"To", inside, b" : x"].concat();
            let (name, value) = name_of(&line).unwrap();
            assert_eq!(name == HeaderName::To, inside.is_empty());
            assert_eq!(value, line.len() - 2);
        }
        assert!(name_of(&[1; 100]).is_none());
    }
}
