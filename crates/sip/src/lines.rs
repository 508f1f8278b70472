//! Walks over the lines of a header section: of a message, of a stream that is being cut into
//! messages, and of a body part.

use std::ops::Range;

use crate::{HeaderName, Limits, ParseError, lexer, message::Header};

/// A cursor over lines that end in CRLF or, liberally, in a bare LF.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
}

impl<'a> Lines<'a> {
    pub(crate) const fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            bytes,
            at: 0,
            limits,
        }
    }

    /// The next line without its line break; `None` at the end of the bytes.
    pub(crate) fn next_line(&mut self) -> Result<Option<Range<usize>>, ParseError> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let window = &rest[..rest.len().min(self.limits.line_len.saturating_add(2))];
        let Some(end) = memchr::memchr2(b'\r', b'\n', window) else {
            return Self::unended(rest, window);
        };
        let line_break = if window[end] == b'\n' {
            1
        } else if window.get(end + 1) == Some(&b'\n') {
            2
        } else if memchr::memchr(b'\n', window).is_some() {
            return Err(ParseError::BareCarriageReturn);
        } else {
            return Self::unended(rest, window);
        };
        self.at = start + end + line_break;
        if self.at > self.limits.head_len {
            return Err(ParseError::HeadTooLong);
        }
        Ok(Some(start..start + end))
    }

    /// What it means that no line ends in the window.
    const fn unended(rest: &[u8], window: &[u8]) -> Result<Option<Range<usize>>, ParseError> {
        match rest {
            [] => Ok(None),
            _ if rest.len() > window.len() => Err(ParseError::LineTooLong),
            _ => Err(ParseError::HeaderEnd),
        }
    }

    /// The next header with its folded lines, as one range. Empty where the section ends.
    pub(crate) fn next_header(&mut self) -> Result<Option<Range<usize>>, ParseError> {
        let Some(mut header) = self.next_line()? else {
            return Ok(None);
        };
        while !header.is_empty() && matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            let Some(fold) = self.next_line()? else { break };
            header.end = fold.end;
            if header.len() > self.limits.line_len {
                return Err(ParseError::LineTooLong);
            }
        }
        Ok(Some(header))
    }

    /// Where the next line starts.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }
}

/// Where a header line's value starts, counted from the start of the line, and the line's name.
///
/// `None` for a line that names nothing: it has no colon, or nothing before it, or white space
/// before or in the name. (Only the first line after a start line can start with white space.
/// Taken for a header it would, once copied behind another, become that one's continuation.)
pub(crate) fn name_of(line: &[u8]) -> Option<(HeaderName, usize)> {
    let is_end = |byte: &u8| *byte == b':' || lexer::is_lws(*byte);
    let name_len = line.iter().position(is_end).filter(|len| *len > 0)?;
    let mut colon = name_len;
    while lexer::is_lws(*line.get(colon)?) {
        colon += 1;
    }
    (line[colon] == b':').then(|| (HeaderName::of(&line[..name_len]), colon + 1))
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
