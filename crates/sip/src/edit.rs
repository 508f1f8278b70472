//! Printing a changed copy of a message, with everything else byte for byte: what a proxy does to
//! each message, and a back-to-back user agent to some.

mod copier;
mod list;
mod names;

use std::fmt;

use bytes::BytesMut;
use smallvec::SmallVec;

use crate::{
    Digits, HeaderName, InvalidMessage, Limits, Message, ParseError, Request,
    field::Field,
    message::Fields,
    print::{put_line, put_line_fmt, put_name},
    start_line::StartLine,
};

use self::{copier::Copier, list::ListChange, names::Names};

/// The changes to make to a message, and then the printer of the changed copy.
///
/// All changes speak of the message as it was received, whatever their order: what is dropped or
/// replaced is dropped or replaced there, then lines are added. What no change names is printed
/// as it was received: order, spelling, folds, unknown headers, bytes that are no text. Only three
/// things go by themselves, since RFC 3261 §18.3 and RFC 4475 §3.1.2.7 forbid to forward them: line
/// breaks before the start line, brackets and spaces around the Request-URI, and what follows the
/// end that Content-Length declares.
///
/// Values are borrowed until it is printed: what `format_args!` gives is to be bound before, not made inside a chain.
///
/// No value can break out of its line. Nothing is allocated for up to eight lines and changes
/// of four lists but what `out` needs to grow.
///
/// ```
/// use bytes::BytesMut;
/// use sip::{Edit, HeaderName, Limits, Message};
///
/// let received = "BYE sip:a@b SIP/2.0\r\nRoute: <sip:us;lr>, <sip:next;lr>\r\nVia: SIP/2.0/UDP c\r\n\
///     x-unknown :  kept \r\n\r\n";
/// let message = Message::parse(received.into(), &Limits::default())?;
/// let mut out = BytesMut::new();
/// Edit::new(&message)
///     .drop_first(HeaderName::Route, 1)
///     .push_front(HeaderName::Via, &b"SIP/2.0/UDP us;branch=z9hG4bK1"[..])
///     .print(&mut out);
/// assert_eq!(out, "BYE sip:a@b SIP/2.0\r\nRoute: <sip:next;lr>\r\n\
///     Via: SIP/2.0/UDP us;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP c\r\nx-unknown :  kept \r\n\r\n");
/// # Ok::<(), sip::ParseError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Edit<'a> {
    message: &'a Message,
    request_uri: Option<&'a [u8]>,
    body: Option<&'a [u8]>,
    lines: SmallVec<[LineChange<'a>; 8]>,
    lists: SmallVec<[ListChange<'a>; 4]>,
}

/// Why a changed request is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It breaks a limit.
    #[error(transparent)]
    Limit(#[from] ParseError),
    /// What was changed is not as it must be.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
}

/// A value that an [`Edit`] prints.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// As it is.
    Bytes(&'a [u8]),
    /// As it formats.
    Fmt(fmt::Arguments<'a>),
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<fmt::Arguments<'a>> for Value<'a> {
    fn from(arguments: fmt::Arguments<'a>) -> Self {
        Self::Fmt(arguments)
    }
}

/// A change of whole lines.
#[derive(Clone, Copy)]
struct LineChange<'a> {
    name: Name<'a>,
    kind: LineChangeKind<'a>,
}

#[derive(Clone, Copy)]
enum LineChangeKind<'a> {
    Set(Value<'a>),
    Remove,
    PushFront(Value<'a>),
    Append(Value<'a>),
}

/// Which headers a change is about.
#[derive(Clone, Copy)]
enum Name<'a> {
    Known(HeaderName),
    Other(&'a [u8]),
}

impl<'a> Edit<'a> {
    /// No change yet.
    pub fn new(message: &'a Message) -> Self {
        Self {
            message,
            request_uri: None,
            body: None,
            lines: SmallVec::new(),
            lists: SmallVec::new(),
        }
    }

    /// Replaces the Request-URI. On a response it does nothing.
    pub const fn request_uri(&mut self, uri: &'a [u8]) -> &mut Self {
        self.request_uri = Some(uri);
        self
    }

    /// Drops the first elements of a comma-joined header, over as many lines as they stand on: pop
    /// Via, pop Route.
    pub fn drop_first(&mut self, name: HeaderName, count: usize) -> &mut Self {
        self.list(name).drop_first += count;
        self
    }

    /// Drops the last elements of a comma-joined header: the Route of a strict router's request
    /// (RFC 3261 §16.4).
    pub fn drop_last(&mut self, name: HeaderName, count: usize) -> &mut Self {
        self.list(name).drop_last += count;
        self
    }

    /// Replaces the first element of a comma-joined header that is not dropped: the top Via that
    /// gains `received`.
    pub fn replace_first(&mut self, name: HeaderName, value: impl Into<Value<'a>>) -> &mut Self {
        self.list(name).replace_first = Some(value.into());
        self
    }

    /// Makes this the one header of its name: in the place of the first one, or after all headers.
    pub fn set(&mut self, name: HeaderName, value: impl Into<Value<'a>>) -> &mut Self {
        self.line(Name::Known(name), LineChangeKind::Set(value.into()))
    }

    /// Removes all headers of this name.
    pub fn remove(&mut self, name: HeaderName) -> &mut Self {
        self.line(Name::Known(name), LineChangeKind::Remove)
    }

    /// Removes all headers with a name that [`HeaderName`] does not list.
    pub fn remove_named(&mut self, name: &'a str) -> &mut Self {
        self.line(Name::Other(name.as_bytes()), LineChangeKind::Remove)
    }

    /// Adds a line above the others of its name, or above all headers when there is none: Via,
    /// Record-Route. Of two lines that are added so, the later one stands on top.
    pub fn push_front(&mut self, name: HeaderName, value: impl Into<Value<'a>>) -> &mut Self {
        self.line(Name::Known(name), LineChangeKind::PushFront(value.into()))
    }

    /// Adds a line after all headers.
    pub fn append(&mut self, name: HeaderName, value: impl Into<Value<'a>>) -> &mut Self {
        self.line(Name::Known(name), LineChangeKind::Append(value.into()))
    }

    /// Adds a line after all headers, with a name that [`HeaderName`] does not list.
    pub fn append_named(&mut self, name: &'a str, value: impl Into<Value<'a>>) -> &mut Self {
        self.line(
            Name::Other(name.as_bytes()),
            LineChangeKind::Append(value.into()),
        )
    }

    /// Replaces the body; Content-Length follows. Content-Type is the caller's to set.
    pub const fn body(&mut self, body: &'a [u8]) -> &mut Self {
        self.body = Some(body);
        self
    }

    /// Writes Content-Length even if the body is not replaced: what a stream needs of a message
    /// that came over UDP without one (RFC 3261 §16.6 item 10).
    pub fn with_content_length(&mut self) -> &mut Self {
        let message: &'a Message = self.message;
        let body = self.body.unwrap_or_else(|| message.body_bytes());
        self.body(body)
    }

    /// Appends the changed message to `out`.
    pub fn print(&self, out: &mut BytesMut) {
        self.write(out, None);
    }

    /// How long the changed message is at most. What is sent is kept for half a minute after the last word of
    /// a transaction, so no more is taken than it needs.
    fn room(&self) -> usize {
        let value = |value: &Value<'_>| match value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Fmt(_) => ROOM_FOR_FORMATTED,
        };
        let of_lines = self.lines.iter().map(|line| match (&line.kind, line.name) {
            (LineChangeKind::Remove, _) => 0,
            (
                LineChangeKind::Set(it)
                | LineChangeKind::PushFront(it)
                | LineChangeKind::Append(it),
                name,
            ) => name.len() + ": \r\n".len() + value(it),
        });
        let of_lists = self
            .lists
            .iter()
            .filter_map(|list| list.replace_first.as_ref());
        let of_uri = self.request_uri.map_or(0, <[u8]>::len);
        let of_body = self.body.map_or(0, |body| body.len() + ROOM_FOR_LENGTH);
        let added = of_lines.sum::<usize>() + of_lists.map(value).sum::<usize>();
        self.message.bytes().len() + added + of_uri + of_body
    }

    /// Appends the changed message to `out`, and notes its lines if they are wanted; where the start line
    /// ends, and where the body begins.
    fn write(&self, out: &mut BytesMut, fields: Option<&mut Fields>) -> (usize, usize) {
        let message = self.message;
        let mut copy = Copier {
            bytes: message.bytes(),
            copied: message.start_of_start_line(),
            out,
            fields,
        };
        self.print_start_line(&mut copy);
        let start_end = copy.place_of(message.start().end());
        copy.up_to(
            message
                .fields()
                .first()
                .map_or_else(|| message.head_end(), Field::start),
        );
        self.print_new_kinds(&mut copy);
        let mut lists = self.lists.clone();
        for list in &mut lists {
            list.count_from_the_front(message);
        }
        let touched = self.touched();
        for (index, field) in message.fields().iter().enumerate() {
            if touched.has(field.name()) {
                self.print_field(&mut copy, index, &mut lists);
            } else {
                copy.note_copy(field);
            }
            debug_assert!(copy.copied <= field.end_with_break(message.bytes()));
        }
        copy.up_to(message.head_end());
        self.print_appended(&mut copy);
        copy.up_to(message.body_start());
        let body_at = copy.out.len();
        copy.out
            .extend_from_slice(self.body.unwrap_or_else(|| message.body_bytes()));
        (start_end, body_at)
    }

    /// The changed message.
    ///
    /// # Errors
    /// When it breaks one of the limits: it was changed beyond what anybody would read.
    pub fn finish(&self, limits: &Limits) -> Result<Message, ParseError> {
        let mut out = BytesMut::with_capacity(self.room());
        let mut fields = Fields::new();
        let (start_end, body_at) = self.write(&mut out, Some(&mut fields));
        let message = Message::written(out.freeze(), 0..start_end, fields, body_at)?;
        message.check(limits)?;
        Ok(message)
    }

    /// The changed request, of which only what was changed is validated again.
    ///
    /// # Errors
    /// When it breaks one of the limits, or a change has made it invalid.
    ///
    /// # Panics
    /// When these are changes of another message than `request`.
    pub fn finish_request(&self, request: &Request, limits: &Limits) -> Result<Request, EditError> {
        assert!(
            std::ptr::eq(self.message, &**request),
            "the changes are of this request"
        );
        let touched = self.touched();
        Ok(request.changed(self.finish(limits)?, |name| touched.has(name))?)
    }

    /// The names of which lines are others than before: few, and all other lines are only copied.
    fn touched(&self) -> Names {
        let of_lines = self.lines.iter().map(|line| match line.name {
            Name::Known(known) => known,
            Name::Other(written) => HeaderName::of(written),
        });
        let of_lists = self.lists.iter().map(|list| list.name);
        let of_body = self.body.map(|_| HeaderName::ContentLength);
        Names::of(of_lines.chain(of_lists).chain(of_body))
    }

    fn line(&mut self, name: Name<'a>, kind: LineChangeKind<'a>) -> &mut Self {
        self.lines.push(LineChange { name, kind });
        self
    }

    fn list(&mut self, name: HeaderName) -> &mut ListChange<'a> {
        let found = self.lists.iter().position(|list| list.name == name);
        let index = found.unwrap_or_else(|| {
            self.lists.push(ListChange {
                name,
                drop_first: 0,
                drop_last: 0,
                replace_first: None,
            });
            self.lists.len() - 1
        });
        &mut self.lists[index]
    }

    /// RFC 4475 §3.1.2.7, §3.1.2.9 and §3.1.2.10: brackets and spaces that were ignored in a
    /// request line must not be forwarded.
    fn print_start_line(&self, copy: &mut Copier<'_>) {
        if let StartLine::Request {
            uri,
            uri_field,
            trailing,
            ..
        } = self.message.start()
        {
            let received = || self.message.bytes_at(*uri);
            copy.up_to(uri_field.range().start);
            put_line(copy.out, self.request_uri.unwrap_or_else(received));
            copy.skip_to(uri_field.range().end);
            copy.up_to(trailing.range().start);
            copy.skip_to(trailing.range().end);
        }
    }

    /// Lines that were pushed to the front of a kind that is not there.
    fn print_new_kinds(&self, copy: &mut Copier<'_>) {
        for line in self.lines.iter().rev() {
            if let LineChangeKind::PushFront(value) = line.kind
                && !self.is_there(line.name, self.message.fields())
            {
                copy.add(line.name, value);
            }
        }
    }

    fn print_field(&self, copy: &mut Copier<'_>, index: usize, lists: &mut [ListChange<'_>]) {
        let (before, field) = (
            &self.message.fields()[..index],
            &self.message.fields()[index],
        );
        let mut fate = Fate::Kept;
        for line in self.lines.iter().rev() {
            if !line.name.is_of(field, self.message) {
                continue;
            }
            let is_first = !self.is_there(line.name, before);
            match line.kind {
                LineChangeKind::PushFront(value) if is_first => {
                    copy.up_to(field.start());
                    copy.add(line.name, value);
                }
                LineChangeKind::Set(value) if is_first => fate = Fate::Replaced(line.name, value),
                LineChangeKind::Set(_) | LineChangeKind::Remove => fate = Fate::Removed,
                LineChangeKind::PushFront(_) | LineChangeKind::Append(_) => {}
            }
        }
        if self.body.is_some() && field.name() == HeaderName::ContentLength {
            fate = Fate::Removed;
        }
        let list = lists.iter_mut().find(|list| list.name == field.name());
        match (fate, list) {
            (Fate::Kept, None) => return copy.note_copy(field),
            (Fate::Kept, Some(list)) => return list.print(field, copy),
            (Fate::Replaced(name, value), _) => {
                copy.up_to(field.start());
                copy.add(name, value);
            }
            (Fate::Removed, _) => copy.up_to(field.start()),
        }
        copy.skip_to(field.end_with_break(copy.bytes));
    }

    fn print_appended(&self, copy: &mut Copier<'_>) {
        for line in &self.lines {
            match line.kind {
                LineChangeKind::Append(value) => copy.add(line.name, value),
                LineChangeKind::Set(value) if !self.is_there(line.name, self.message.fields()) => {
                    copy.add(line.name, value);
                }
                _ => {}
            }
        }
        if let Some(body) = self.body {
            let length = Digits::decimal(body.len() as u64);
            let length = Value::Bytes(length.as_bytes());
            copy.add(Name::Known(HeaderName::ContentLength), length);
        }
    }

    fn is_there(&self, name: Name<'_>, fields: &[Field]) -> bool {
        fields.iter().any(|field| name.is_of(field, self.message))
    }
}

impl fmt::Debug for Edit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit")
            .field("message", self.message)
            .field("lines", &self.lines.len())
            .field("lists", &self.lists.len())
            .finish_non_exhaustive()
    }
}

/// What becomes of a line.
enum Fate<'a> {
    Kept,
    Replaced(Name<'a>, Value<'a>),
    Removed,
}

impl Name<'_> {
    fn is_of(self, field: &Field, message: &Message) -> bool {
        match self {
            Self::Known(name) => field.name() == name,
            Self::Other(name) => field
                .header(message.bytes())
                .written_name
                .eq_ignore_ascii_case(name),
        }
    }

    const fn len(self) -> usize {
        match self {
            Self::Known(name) => name.as_str().len(),
            Self::Other(name) => name.len(),
        }
    }

    fn print(self, out: &mut BytesMut) {
        match self {
            Self::Known(name) => out.extend_from_slice(name.as_str().as_bytes()),
            Self::Other(name) => put_name(out, name),
        }
    }
}

impl Value<'_> {
    fn print(self, out: &mut BytesMut) {
        match self {
            Self::Bytes(bytes) => put_line(out, bytes),
            Self::Fmt(arguments) => put_line_fmt(out, arguments),
        }
    }
}

/// What a formatted value takes, nearly always.
const ROOM_FOR_FORMATTED: usize = 64;

/// What Content-Length takes.
const ROOM_FOR_LENGTH: usize = 32;
