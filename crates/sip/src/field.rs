//! Header lines: where each part of one is in its message.

use std::{fmt, ops::Range};

use bytes::Bytes;

use crate::{HeaderName, lexer, lines};

/// The longest header section, start line included: so that the places in it are small, since a message is
/// moved about more than it is looked at.
pub(crate) const HEAD_MAX: usize = u16::MAX as usize;

/// A range of bytes inside the header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

/// A place inside the header section.
pub(crate) fn place(at: usize) -> u16 {
    u16::try_from(at).expect("a header section is no longer than HEAD_MAX")
}

impl Span {
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self {
            start: place(range.start),
            end: place(range.end),
        }
    }

    pub(crate) fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    /// The same in a line that began at the first place and begins at the second now.
    pub(crate) fn moved(self, (from, to): (usize, usize)) -> Self {
        let Range { start, end } = self.range();
        Self::new(start + to - from..end + to - from)
    }
}

/// One header line: its name, and where line and value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    name: HeaderName,
    line: Span,
    value_start: u16,
}

/// One header line of a message.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The name.
    pub name: HeaderName,
    /// The name as it was written: the only way to tell apart [`HeaderName::Other`] ones.
    pub written_name: &'a [u8],
    /// The value as it was received, without white space at its ends; folds are inside.
    pub value: &'a [u8],
    /// The whole line without its final line break.
    pub line: &'a [u8],
}

impl Field {
    /// The field on a line that has its value from `value_start` on.
    pub(crate) fn new(name: HeaderName, line: Range<usize>, value_start: usize) -> Self {
        Self {
            name,
            value_start: place(value_start),
            line: Span::new(line),
        }
    }

    /// The same on a copy of its line elsewhere.
    pub(crate) fn moved_to(self, at: usize) -> Self {
        let value_start = at + self.value_start() - self.start();
        Self::new(self.name, at..at + self.end() - self.start(), value_start)
    }

    /// The field on this line, or `None` for a line that names nothing.
    pub(crate) fn parse(bytes: &Bytes, range: Range<usize>) -> Option<Self> {
        let (name, value_start) = lines::name_of(&bytes[range.clone()])?;
        let value_start = range.start + value_start;
        Some(Self::new(name, range, value_start))
    }

    pub(crate) const fn name(&self) -> HeaderName {
        self.name
    }

    pub(crate) fn start(&self) -> usize {
        self.line.start.into()
    }

    pub(crate) fn value_start(&self) -> usize {
        self.value_start.into()
    }

    pub(crate) fn end(&self) -> usize {
        self.line.end.into()
    }

    /// Where the next line begins.
    pub(crate) fn end_with_break(&self, bytes: &[u8]) -> usize {
        self.end() + if bytes[self.end()] == b'\r' { 2 } else { 1 }
    }

    /// The value as [`Header::value`] has it.
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        lexer::trim(&bytes[self.value_start()..self.end()])
    }

    pub(crate) fn header<'a>(&self, bytes: &'a Bytes) -> Header<'a> {
        let line = &bytes[self.line.range()];
        lines::header(line, self.name, self.value_start() - self.start())
    }
}

impl Header<'_> {
    /// The value on one line: folds become single spaces.
    pub fn unfolded(&self) -> std::borrow::Cow<'_, [u8]> {
        lexer::unfold(self.value)
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", String::from_utf8_lossy(self.written_name))
    }
}
