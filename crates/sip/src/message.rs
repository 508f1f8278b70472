//! The lexed message: where each part of the received bytes begins and ends.

use std::{fmt, ops::Range};

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    HeaderName, Limits, Method, StatusCode, cseq,
    field::{Field, Header, Span, place},
    lexer::{self, Elements},
    lines::Lines,
    start_line::StartLine,
};

/// Header lines that are kept without an allocation.
const FIELDS_INLINE: usize = 32;

/// A SIP message as it was received: the bytes, and an index of its parts. Making one validates
/// only what is needed to find the parts; [`crate::Request`] and [`crate::Response`] are the
/// validated forms.
///
/// Cloning shares the bytes.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    start: StartLine,
    fields: Fields,
    /// Where the start line begins.
    start_at: u16,
    body_start: u16,
    body_end: u32,
}

pub(crate) type Fields = SmallVec<[Field; FIELDS_INLINE]>;

/// Why bytes are no SIP message. There is nobody to answer: drop, and count by reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but line breaks: a keep-alive (RFC 5626 §3.5.1), not an error of anybody.
    #[error("keep-alive")]
    KeepAlive,
    /// The first line is neither a request line nor a status line.
    #[error("the first line is no SIP start line")]
    StartLine,
    /// A status code outside 100 to 699.
    #[error("the status code is not between 100 and 699")]
    StatusCode,
    /// There is no empty line after the header.
    #[error("the header never ends")]
    HeaderEnd,
    /// A carriage return that ends no line: other elements would see another message.
    #[error("a bare carriage return in the header")]
    BareCarriageReturn,
    /// [`Limits::message_len`].
    #[error("the message is too long")]
    MessageTooLong,
    /// [`Limits::head_len`].
    #[error("the header section is too long")]
    HeadTooLong,
    /// [`Limits::header_count`].
    #[error("too many header lines")]
    TooManyHeaders,
    /// [`Limits::line_len`].
    #[error("a header line is too long")]
    LineTooLong,
    /// [`Limits::element_count`].
    #[error("too many comma-joined elements")]
    TooManyElements,
}

impl ParseError {
    /// A short name for metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::StartLine => "start-line",
            Self::StatusCode => "status-code",
            Self::HeaderEnd => "header-end",
            Self::BareCarriageReturn => "bare-cr",
            Self::MessageTooLong => "message-too-long",
            Self::HeadTooLong => "head-too-long",
            Self::TooManyHeaders => "too-many-headers",
            Self::LineTooLong => "line-too-long",
            Self::TooManyElements => "too-many-elements",
        }
    }
}

impl Message {
    /// Finds the parts of a message. One pass over the header, none over the body.
    ///
    /// Line breaks before the start line are skipped (RFC 3261 §7.5), a bare LF ends a line too,
    /// and a line without a colon is kept in the bytes but is no header. The body reaches to the
    /// end of `bytes`, or to `Content-Length` where that is a number and shorter; whether it is
    /// right is for [`crate::Request`] and [`crate::Response`] to say.
    ///
    /// # Errors
    /// [`ParseError`] where there is no message that could be answered.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        if bytes.len() > limits.message_len {
            return Err(ParseError::MessageTooLong);
        }
        let mut lines = Lines::new(&bytes, limits);
        let start = loop {
            let Some(line) = lines.next_line()? else {
                return Err(ParseError::KeepAlive);
            };
            if !line.is_empty() {
                break line;
            }
        };
        let start_at = place(start.start);
        let start = StartLine::parse(&bytes, start)?;
        let mut fields = Fields::new();
        let body_start = loop {
            let line = lines.next_header()?.ok_or(ParseError::HeaderEnd)?;
            if line.is_empty() {
                break lines.at();
            }
            if fields.len() == limits.header_count {
                return Err(ParseError::TooManyHeaders);
            }
            if let Some(field) = Field::parse(&bytes, line) {
                fields.push(field);
            }
        };
        let mut message = Self {
            body_start: place(body_start),
            body_end: bytes.len().try_into().unwrap_or(u32::MAX),
            bytes,
            start,
            fields,
            start_at,
        };
        message.check_element_count(limits)?;
        message.cut_body_to_content_length();
        Ok(message)
    }

    /// A message that we have written, and know where what is.
    ///
    /// # Errors
    /// When its first line is none, or the header section is longer than [`HEAD_MAX`](crate::field::HEAD_MAX).
    pub(crate) fn written(
        bytes: Bytes,
        start: Range<usize>,
        fields: Fields,
        body_at: usize,
    ) -> Result<Self, ParseError> {
        let body_start = u16::try_from(body_at).map_err(|_| ParseError::HeadTooLong)?;
        let mut message = Self {
            start: StartLine::parse(&bytes, start)?,
            fields,
            start_at: 0,
            body_start,
            body_end: bytes.len().try_into().unwrap_or(u32::MAX),
            bytes,
        };
        message.cut_body_to_content_length();
        debug_assert!(message.is_as_read(), "it reads as it was written");
        Ok(message)
    }

    /// Whether a message that was not parsed is within limits.
    ///
    /// # Errors
    /// The limit that it breaks.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), ParseError> {
        let is_long = |field: &Field| field.end() - field.start() > limits.line_len;
        if self.bytes.len() > limits.message_len {
            return Err(ParseError::MessageTooLong);
        }
        if self.body_start() > limits.head_len {
            return Err(ParseError::HeadTooLong);
        }
        if self.fields.len() > limits.header_count {
            return Err(ParseError::TooManyHeaders);
        }
        if self.fields.iter().any(is_long) {
            return Err(ParseError::LineTooLong);
        }
        self.check_element_count(limits)
    }

    /// Whether who reads the bytes finds the same.
    fn is_as_read(&self) -> bool {
        let read = Self::parse(self.bytes.clone(), &Limits::OURS);
        read.is_ok_and(|read| {
            let places = |message: &Self| (message.start_at, message.body_start, message.body_end);
            places(&read) == places(self) && read.fields == self.fields
        })
    }

    /// All bytes, as received or printed.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body; empty when there is none. Shares the message's bytes.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.body_range())
    }

    /// The body, borrowed.
    pub fn body_bytes(&self) -> &[u8] {
        &self.bytes[self.body_range()]
    }

    fn body_range(&self) -> Range<usize> {
        self.body_start()..self.body_end as usize
    }

    /// Whether this is a request.
    pub const fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request.
    pub const fn method(&self) -> Option<&Method> {
        match &self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, as written.
    pub fn request_uri_bytes(&self) -> Option<&[u8]> {
        match self.start {
            StartLine::Request { uri, .. } => Some(self.bytes_at(uri)),
            StartLine::Response { .. } => None,
        }
    }

    /// The status code of a response.
    pub const fn status(&self) -> Option<StatusCode> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }

    /// The method in its CSeq: a request's own, and for a response that of what it answers (RFC 3261 §8.2.6.2).
    pub fn cseq_method(&self) -> Option<&[u8]> {
        let (_, method) = cseq::split(self.header(HeaderName::CSeq)?)?;
        Some(method)
    }

    /// All header lines in their order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> + Clone {
        self.fields.iter().map(|field| field.header(&self.bytes))
    }

    /// The value of the first header of this name, trimmed, folds inside.
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.name() == name)
            .map(|field| field.value(&self.bytes))
    }

    /// The value of the first header with this name in any case, for names that
    /// [`HeaderName`] does not list.
    pub fn header_named(&self, name: &str) -> Option<&[u8]> {
        let name = name.as_bytes();
        let known = HeaderName::of(name);
        let mut headers = self.fields.iter().filter(|field| field.name() == known);
        headers.find_map(|field| {
            let header = field.header(&self.bytes);
            let is_it = header.written_name.eq_ignore_ascii_case(name);
            is_it.then_some(header.value)
        })
    }

    /// The values of all headers of this name, one for each line.
    pub fn header_values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        self.fields
            .iter()
            .filter(move |field| field.name() == name)
            .map(|field| field.value(&self.bytes))
    }

    /// The elements of all headers of this name: lines in their order, each split at its commas
    /// (RFC 3261 §7.3.1). Only for names whose grammar is a comma-separated list.
    pub fn elements(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> + Clone {
        self.header_values(name).flat_map(Elements::new)
    }

    /// The part of the message's bytes that `part` (borrowed from it) is, without copying.
    ///
    /// # Panics
    /// When `part` is not borrowed from this message.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }

    pub(crate) const fn start(&self) -> &StartLine {
        &self.start
    }

    pub(crate) fn bytes_at(&self, span: Span) -> &[u8] {
        &self.bytes[span.range()]
    }

    pub(crate) fn span_of(&self, part: &[u8]) -> Span {
        let start = part.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr());
        let start = start
            .filter(|start| start + part.len() <= self.bytes.len())
            .expect("a part is borrowed from its message");
        Span::new(start..start + part.len())
    }

    /// Bytes that follow the header, before `Content-Length` cut them.
    pub(crate) fn bytes_after_head(&self) -> usize {
        self.bytes.len() - self.body_start()
    }

    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The value of one of its header lines.
    pub(crate) fn value_of(&self, field: &Field) -> &[u8] {
        field.value(&self.bytes)
    }

    /// Where the start line begins: after the line breaks that may stand before it.
    pub(crate) fn start_of_start_line(&self) -> usize {
        self.start_at.into()
    }

    /// Where the empty line after the header begins.
    pub(crate) fn head_end(&self) -> usize {
        let body_start = self.body_start();
        body_start
            - if self.bytes[..body_start].ends_with(b"\r\n") {
                2
            } else {
                1
            }
    }

    /// Where the body begins.
    pub(crate) fn body_start(&self) -> usize {
        self.body_start.into()
    }

    fn check_element_count(&self, limits: &Limits) -> Result<(), ParseError> {
        // No list has more elements than bytes.
        let mut bytes = [0; HeaderName::KNOWN.len() + 1];
        for field in &self.fields {
            bytes[field.name() as usize] += 1 + field.end() - field.start();
        }
        let mut long = LISTS
            .into_iter()
            .filter(|list| bytes[*list as usize] > limits.element_count);
        if long.any(|list| self.count_elements(list) > limits.element_count) {
            return Err(ParseError::TooManyElements);
        }
        Ok(())
    }

    /// Commas inside of quotes are counted, too: what is asked for is how long it may take to read.
    fn count_elements(&self, list: HeaderName) -> usize {
        let values = self.header_values(list);
        values
            .map(|value| 1 + memchr::memchr_iter(b',', value).count())
            .sum()
    }

    fn cut_body_to_content_length(&mut self) {
        let declared = self
            .header(HeaderName::ContentLength)
            .and_then(lexer::number::<usize>);
        if let Some(declared) = declared
            && declared < self.bytes_after_head()
        {
            self.body_end = (self.body_start() + declared)
                .try_into()
                .unwrap_or(u32::MAX);
        }
    }
}

/// Comma-joined headers whose elements are walked over, some of them several times.
const LISTS: [HeaderName; 6] = [
    HeaderName::Via,
    HeaderName::Route,
    HeaderName::RecordRoute,
    HeaderName::Contact,
    HeaderName::Path,
    HeaderName::HistoryInfo,
];

impl fmt::Debug for Message {
    /// Start line and header names only: values can be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            StartLine::Request { method, .. } => write!(f, "{method} ***")?,
            StartLine::Response { status, .. } => write!(f, "{status:?}")?,
        }
        write!(
            f,
            " ({} headers, {} bytes of body)",
            self.fields.len(),
            self.body_bytes().len()
        )
    }
}
