//! Printing messages. Where each line is, is noted as it is written, so that a message that we made need not
//! be read again; that it reads just so is asserted wherever assertions are on.

use std::{fmt, net::SocketAddr, ops::Range};

use bytes::{BufMut, BytesMut};

use crate::{
    HeaderName, Method, StatusCode,
    field::{Field, HEAD_MAX},
    message::Message,
    overload::OverloadControl,
    print::{put_address, put_line, put_line_fmt, put_name, put_number},
    request::{Request, Response},
};

/// Bytes that most of our messages fit in.
const CAPACITY: usize = 1024;

/// What is left of the header section for Content-Length and the empty line.
const END_ROOM: usize = 64;

/// Header lines that most of our messages have at most.
const FIELDS: usize = 20;

/// Writes a message line by line. A line with which the header section would be longer than 65,000 bytes is
/// left out: who could be sent such a message takes none half as long.
///
/// ```
/// use sip::{Builder, HeaderName, Method};
///
/// let request = Builder::request(&Method::Options, b"sip:15@192.0.2.1")
///     .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1")
///     .header(HeaderName::From, "<sip:a@192.0.2.9>;tag=1")
///     .header(HeaderName::To, "<sip:15@192.0.2.1>")
///     .header(HeaderName::CallId, "c1")
///     .header(HeaderName::CSeq, "1 OPTIONS")
///     .header_fmt(HeaderName::MaxForwards, format_args!("{}", 70))
///     .finish_request()
///     .expect("it has all that a request needs");
/// assert_eq!(request.call_id(), b"c1");
/// ```
#[must_use]
pub struct Builder {
    buffer: BytesMut,
    /// The first line without its break.
    start: Range<usize>,
    /// Apart from the rest: a builder is moved for each line.
    fields: Vec<Field>,
}

impl Builder {
    /// Starts a request.
    ///
    /// # Panics
    /// When it is finished, if its first line is longer than 65,000 bytes: no URI is that can be received or
    /// asked for by the API.
    pub fn request(method: &Method, uri: &[u8]) -> Self {
        let mut buffer = BytesMut::with_capacity(CAPACITY);
        buffer.extend_from_slice(method.as_bytes());
        buffer.put_u8(b' ');
        put_line(&mut buffer, uri);
        buffer.extend_from_slice(b" SIP/2.0");
        Self::after(buffer)
    }

    /// Starts a response with the standard reason phrase.
    pub fn response(status: StatusCode) -> Self {
        Self::response_with_reason(status, status.reason())
    }

    /// Starts a response with a reason phrase of our own.
    pub fn response_with_reason(status: StatusCode, reason: &str) -> Self {
        let mut buffer = BytesMut::with_capacity(CAPACITY);
        buffer.extend_from_slice(b"SIP/2.0 ");
        put_number(&mut buffer, status.value().into());
        buffer.put_u8(b' ');
        put_line(&mut buffer, reason.as_bytes());
        Self::after(buffer)
    }

    /// Starts the response to a request, with all that RFC 3261 §8.2.6.2 copies: Via (the top one
    /// with `received` and `rport` of `source`), From, To, Call-ID and CSeq. `to_tag` is added to a
    /// To that has none.
    pub fn response_to(
        request: &Request,
        status: StatusCode,
        reason: &str,
        to_tag: Option<&[u8]>,
        source: SocketAddr,
    ) -> Self {
        Self::response_under_load(request, status, reason, to_tag, source, None)
    }

    /// As [`Builder::response_to`]; a client that offers overload control is told how much less to send
    /// (RFC 7339).
    pub fn response_under_load(
        request: &Request,
        status: StatusCode,
        reason: &str,
        to_tag: Option<&[u8]>,
        source: SocketAddr,
        overload: Option<OverloadControl>,
    ) -> Self {
        let mut builder = Self::response_with_reason(status, reason);
        builder.put_vias(request, source, overload);
        builder.put(HeaderName::From, request.message_value(HeaderName::From));
        builder.put_to(request, to_tag);
        builder.put(HeaderName::CallId, request.call_id());
        builder.put(HeaderName::CSeq, request.message_value(HeaderName::CSeq));
        builder
    }

    /// Adds a header. Line breaks in the value become spaces: no value can add a line.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        self.put(name, value.as_ref());
        self
    }

    /// Adds a header whose name [`HeaderName`] does not list. What no name may hold becomes `-`.
    pub fn header_named(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let at = self.buffer.len();
        put_name(&mut self.buffer, name.as_bytes());
        let known = HeaderName::of(&self.buffer[at..]);
        self.put_value(known, at, |buffer| put_line(buffer, value.as_ref()));
        self
    }

    /// Adds a header from format arguments.
    pub fn header_fmt(mut self, name: HeaderName, value: fmt::Arguments<'_>) -> Self {
        self.line(name, |buffer| put_line_fmt(buffer, value));
        self
    }

    /// Adds CSeq.
    pub fn cseq(mut self, number: u32, method: &Method) -> Self {
        self.line(HeaderName::CSeq, |buffer| {
            put_number(buffer, number.into());
            buffer.put_u8(b' ');
            put_line(buffer, method.as_bytes());
        });
        self
    }

    /// Adds every header of this name as the message has it, line by line, byte for byte.
    pub fn copy(mut self, from: &Message, name: HeaderName) -> Self {
        for field in from.fields().iter().filter(|field| field.name() == name) {
            let at = self.buffer.len();
            let line = &from.bytes()[field.start()..field.end()];
            self.buffer.extend_from_slice(line);
            self.end_line(at, |_| Some(field.moved_to(at)));
        }
        self
    }

    /// Adds a header when there is a value.
    pub fn header_opt(self, name: HeaderName, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Ends the header without a body.
    pub fn finish(self) -> Message {
        self.finish_with_body(&[])
    }

    /// Ends the header, adds Content-Length and the body. Content-Type is the caller's to add.
    pub fn finish_with_body(mut self, body: &[u8]) -> Message {
        let at = self.buffer.len();
        self.buffer.extend_from_slice(b"Content-Length: ");
        put_number(&mut self.buffer, body.len() as u64);
        let line = at..self.buffer.len();
        let value_start = at + "Content-Length:".len();
        let field = Field::new(HeaderName::ContentLength, line, value_start);
        self.fields.push(field);
        self.buffer.extend_from_slice(b"\r\n\r\n");
        let body_at = self.buffer.len();
        self.buffer.extend_from_slice(body);
        Message::written(
            self.buffer.freeze(),
            self.start,
            self.fields.into(),
            body_at,
        )
        .expect("we write the first line as it must be")
    }

    /// Ends a request without a body and validates it.
    ///
    /// # Errors
    /// When a mandatory header was not given, or is wrong.
    pub fn finish_request(self) -> Result<Request, crate::InvalidMessage> {
        Request::new(self.finish())
    }

    /// Ends a response without a body and validates it.
    ///
    /// # Errors
    /// When a mandatory header was not given, or is wrong.
    pub fn finish_response(self) -> Result<Response, crate::InvalidMessage> {
        Response::new(self.finish())
    }

    fn put(&mut self, name: HeaderName, value: &[u8]) {
        debug_assert!(
            name != HeaderName::Other,
            "a header of another name is header_named"
        );
        self.line(name, |buffer| put_line(buffer, value));
    }

    /// A builder that has written its first line into this buffer.
    fn after(mut buffer: BytesMut) -> Self {
        let start = 0..buffer.len();
        buffer.extend_from_slice(b"\r\n");
        Self {
            buffer,
            start,
            fields: Vec::with_capacity(FIELDS),
        }
    }

    /// Writes one line of the header.
    fn line(&mut self, name: HeaderName, put_value: impl FnOnce(&mut BytesMut)) {
        let at = self.buffer.len();
        self.buffer.extend_from_slice(name.as_str().as_bytes());
        self.put_value(name, at, put_value);
    }

    /// Writes the rest of a line whose name has been written from `at` on.
    fn put_value(&mut self, name: HeaderName, at: usize, put_value: impl FnOnce(&mut BytesMut)) {
        let colon = self.buffer.len();
        self.buffer.extend_from_slice(b": ");
        put_value(&mut self.buffer);
        // A line without a name is no header, whoever reads it.
        self.end_line(at, |end| {
            (colon > at).then(|| Field::new(name, at..end, colon + 1))
        });
    }

    /// Ends the line that began there, when it does not make the header section too long.
    fn end_line(&mut self, at: usize, field: impl FnOnce(usize) -> Option<Field>) {
        let end = self.buffer.len();
        if end > HEAD_MAX - END_ROOM {
            return self.buffer.truncate(at);
        }
        self.buffer.extend_from_slice(b"\r\n");
        self.fields.extend(field(end));
    }

    fn put_to(&mut self, request: &Request, to_tag: Option<&[u8]>) {
        self.line(HeaderName::To, |buffer| {
            put_line(buffer, request.message_value(HeaderName::To));
            if request.to_tag().is_none()
                && let Some(tag) = to_tag
            {
                buffer.extend_from_slice(b";tag=");
                put_line(buffer, tag);
            }
        });
    }

    /// Copies all Vias; the top one gains where the request really came from.
    fn put_vias(
        &mut self,
        request: &Request,
        source: SocketAddr,
        overload: Option<OverloadControl>,
    ) {
        for (index, via) in request.elements(HeaderName::Via).enumerate() {
            self.line(HeaderName::Via, |buffer| match index {
                0 => put_received_via(buffer, request, via, source, overload),
                _ => put_line(buffer, via),
            });
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-18.2.1
//# If the host portion of the "sent-by" parameter
//# contains a domain name, or if it contains an IP address that differs
//# from the packet source address, the server MUST add a "received"
//# parameter to that Via header field value.
//= https://www.rfc-editor.org/rfc/rfc3581#section-4
//# When a server compliant to this specification (which can be a proxy
//# or UAS) receives a request, it examines the topmost Via header field
//# value.  If this Via header field value contains an "rport" parameter
//# with no value, it MUST set the value of the parameter to the source
//# port of the request.
fn put_received_via(
    buffer: &mut BytesMut,
    request: &Request,
    raw: &[u8],
    source: SocketAddr,
    overload: Option<OverloadControl>,
) {
    let via = request.top_via();
    let overload = overload.filter(|_| OverloadControl::is_offered(&via));
    let params = via.params.as_bytes();
    put_line(buffer, &raw[..raw.len() - params.len()]);
    let mut asks_for_port = false;
    for param in via.params {
        let is_answered = overload.is_some() && OverloadControl::answers(param.name);
        if is_answered || param.name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        buffer.put_u8(b';');
        put_line(buffer, param.name);
        if param.name.eq_ignore_ascii_case(b"rport") {
            asks_for_port = true;
            buffer.put_u8(b'=');
            put_number(buffer, source.port().into());
        } else if let Some(value) = param.value {
            buffer.put_u8(b'=');
            put_line(buffer, value);
        }
    }
    if asks_for_port || via.host.ip() != Some(source.ip()) {
        buffer.extend_from_slice(b";received=");
        put_address(buffer, source.ip());
    }
    if let Some(overload) = overload {
        put_line(buffer, overload.params().as_bytes());
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} bytes)", self.buffer.len())
    }
}

impl Request {
    /// The top Via with `received` and `rport` of where the request came from: what a proxy
    /// forwards (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn received_via(&self, source: SocketAddr) -> BytesMut {
        let raw = self.elements(HeaderName::Via).next().unwrap_or_default();
        let mut buffer = BytesMut::with_capacity(raw.len() + 64);
        put_received_via(&mut buffer, self, raw, source, None);
        buffer
    }

    fn message_value(&self, name: HeaderName) -> &[u8] {
        self.header(name)
            .expect("Request::new has found the mandatory headers")
    }
}
