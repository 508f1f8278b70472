//! The validated forms: a [`Request`] or a [`Response`] has, by type, what every SIP message must
//! have, so that nothing after it asks again.

use std::{fmt, net::IpAddr, ops::Deref};

use crate::{
    HeaderName, Method, StatusCode, cseq,
    host::Host,
    lexer::{self, Params},
    message::{Message, Span},
    name_addr::NameAddr,
    pii::Pii,
    start_line::{StartLine, Version},
    uri::{SipScheme, SipUri, Uri, UriError},
    via::Via,
};

/// A request whose Via, From, To, Call-ID, CSeq, Max-Forwards, Request-URI and Content-Length have
/// been read. Dereferences to its [`Message`].
#[derive(Clone)]
pub struct Request {
    message: Message,
    essentials: Essentials,
    uri: UriSpans,
}

/// A response whose Via, From, To, Call-ID and CSeq have been read. Dereferences to its
/// [`Message`].
#[derive(Clone)]
pub struct Response {
    message: Message,
    essentials: Essentials,
}

/// What is wrong with a message that could be lexed. For a request, [`Invalid::status`] is the
/// answer; a wrong response is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A version other than SIP/2.0.
    #[error("Version Not Supported")]
    Version,
    /// The Request-URI is no URI.
    #[error("Malformed Request-URI")]
    RequestUri,
    /// No Via, or the top one cannot be read: there is no way back.
    #[error("Missing or malformed Via")]
    Via,
    /// From is missing, twice there, or no name-addr.
    #[error("Missing or malformed From")]
    From,
    /// To is missing, twice there, or no name-addr.
    #[error("Missing or malformed To")]
    To,
    /// Call-ID is missing, twice there or empty.
    #[error("Missing or malformed Call-ID")]
    CallId,
    /// CSeq is missing, twice there, or not a number under 2^31 and a method.
    #[error("Missing or malformed CSeq")]
    CSeq,
    /// The method of CSeq is not that of the request.
    #[error("CSeq method does not match the request")]
    CSeqMethod,
    /// Content-Length is no number, or two of them differ.
    #[error("Malformed Content-Length")]
    ContentLength,
    /// The body is shorter than Content-Length says.
    #[error("Body shorter than Content-Length")]
    Truncated,
    /// An INVITE whose Contact cannot be read: a dialog would have no target.
    #[error("Malformed Contact")]
    Contact,
}

impl Invalid {
    /// How a request is answered; the text of the error is the reason phrase.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A short name for metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::RequestUri => "request-uri",
            Self::Via => "via",
            Self::From => "from",
            Self::To => "to",
            Self::CallId => "call-id",
            Self::CSeq => "cseq",
            Self::CSeqMethod => "cseq-method",
            Self::ContentLength => "content-length",
            Self::Truncated => "truncated",
            Self::Contact => "contact",
        }
    }
}

/// A message that is not valid, and why.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidMessage {
    /// The message, to answer it from what can be read.
    pub message: Box<Message>,
    /// The first thing that is wrong.
    pub reason: Invalid,
}

/// Where the mandatory parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Essentials {
    via: ViaSpans,
    from: Span,
    to: Span,
    from_tag: Option<Span>,
    to_tag: Option<Span>,
    call_id: Span,
    cseq_number: u32,
    cseq_method: Span,
    max_forwards: Option<u8>,
}

/// Where the parts of a Via are: it is asked for by every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ViaSpans {
    transport: Span,
    host: HostSpan,
    port: Option<u16>,
    params: Span,
    branch: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostSpan {
    Name(Span),
    Address(IpAddr),
}

impl HostSpan {
    fn of(host: Host<'_>, message: &Message) -> Self {
        match host {
            Host::Name(name) => Self::Name(message.span_of(name)),
            Host::V4(address) => Self::Address(address.into()),
            Host::V6(address) => Self::Address(address.into()),
        }
    }

    fn host<'a>(&self, message: &'a Message) -> Host<'a> {
        match self {
            Self::Name(name) => Host::Name(message.bytes_at(*name)),
            Self::Address(address) => (*address).into(),
        }
    }
}

/// Where the parts of a Request-URI are: nearly all that is decided about a request begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UriSpans {
    Sip {
        scheme: SipScheme,
        user: Option<Span>,
        password: Option<Span>,
        host: HostSpan,
        port: Option<u16>,
        params: Span,
        headers: Span,
    },
    /// No address of SIP: rare, and read again.
    Other,
}

impl UriSpans {
    fn read(message: &Message) -> Result<Self, Invalid> {
        let uri = message.request_uri_bytes().unwrap_or_default();
        let uri = Uri::parse(uri).map_err(|_| Invalid::RequestUri)?;
        let span = |part: &[u8]| match part {
            [] => Span::default(),
            part => message.span_of(part),
        };
        let exposed = |part: Pii<&[u8]>| span(part.into_exposed());
        Ok(uri.as_sip().map_or(Self::Other, |uri| Self::Sip {
            scheme: uri.scheme,
            user: uri.user.map(exposed),
            password: uri.password.map(exposed),
            host: HostSpan::of(uri.host, message),
            port: uri.port,
            params: span(uri.params.as_bytes()),
            headers: span(uri.headers),
        }))
    }

    fn uri<'a>(&self, request: &'a Request) -> Uri<'a> {
        let message = &request.message;
        match *self {
            Self::Sip {
                scheme,
                user,
                password,
                host,
                port,
                params,
                headers,
            } => Uri::Sip(SipUri {
                scheme,
                user: user.map(|user| Pii::new(message.bytes_at(user))),
                password: password.map(|password| Pii::new(message.bytes_at(password))),
                host: host.host(message),
                port,
                params: Params::new(message.bytes_at(params)),
                headers: message.bytes_at(headers),
            }),
            Self::Other => {
                Uri::parse(request.uri_bytes()).expect("Request::new has parsed the Request-URI")
            }
        }
    }
}

impl ViaSpans {
    /// Of the topmost Via.
    fn read(message: &Message) -> Result<Self, Invalid> {
        let via = message
            .elements(HeaderName::Via)
            .next()
            .ok_or(Invalid::Via)?;
        let via = Via::parse(via).map_err(|_| Invalid::Via)?;
        Ok(Self::of(&via, message))
    }

    fn of(via: &Via<'_>, message: &Message) -> Self {
        Self {
            transport: message.span_of(via.transport),
            host: HostSpan::of(via.host, message),
            port: via.port,
            params: message.span_of(via.params.as_bytes()),
            branch: via.branch().map(|branch| message.span_of(branch)),
        }
    }

    fn via<'a>(&self, message: &'a Message) -> Via<'a> {
        Via {
            transport: message.bytes_at(self.transport),
            host: self.host.host(message),
            port: self.port,
            params: Params::new(message.bytes_at(self.params)),
        }
    }
}

impl Essentials {
    fn read(message: &Message) -> Result<Self, Invalid> {
        let via = ViaSpans::read(message)?;
        let from = only(message, HeaderName::From).ok_or(Invalid::From)?;
        let from_addr = NameAddr::parse_liberal(from).map_err(|_| Invalid::From)?;
        let to = only(message, HeaderName::To).ok_or(Invalid::To)?;
        let to_addr = NameAddr::parse_liberal(to).map_err(|_| Invalid::To)?;
        let call_id = only(message, HeaderName::CallId).ok_or(Invalid::CallId)?;
        let cseq = only(message, HeaderName::CSeq).ok_or(Invalid::CSeq)?;
        let (cseq_number, cseq_method) = cseq::split(cseq).ok_or(Invalid::CSeq)?;
        let span = |part| message.span_of(part);
        Ok(Self {
            via,
            from: span(from),
            to: span(to),
            from_tag: from_addr.tag().map(span),
            to_tag: to_addr.tag().map(span),
            call_id: span(call_id),
            cseq_number,
            cseq_method: span(cseq_method),
            max_forwards: max_forwards(message),
        })
    }

    /// The same in a copy of a message whose lines stand elsewhere. Via and Max-Forwards may be others in it,
    /// the lines of [`MOVED`] are not.
    fn moved(&self, from: &Message, to: &Message) -> Result<Self, Invalid> {
        let mut ways = [(0, 0); MOVED.len()];
        for (way, name) in ways.iter_mut().zip(MOVED) {
            *way = (line_of(from, name), line_of(to, name));
        }
        let [of_from, of_to, of_call_id, of_cseq] = ways;
        Ok(Self {
            via: ViaSpans::read(to)?,
            from: self.from.moved(of_from),
            to: self.to.moved(of_to),
            from_tag: self.from_tag.map(|tag| tag.moved(of_from)),
            to_tag: self.to_tag.map(|tag| tag.moved(of_to)),
            call_id: self.call_id.moved(of_call_id),
            cseq_number: self.cseq_number,
            cseq_method: self.cseq_method.moved(of_cseq),
            max_forwards: max_forwards(to),
        })
    }
}

/// What [`Essentials::moved`] does not read again.
const MOVED: [HeaderName; 4] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
];

/// Where the line of this name starts, which is there once.
fn line_of(message: &Message, name: HeaderName) -> usize {
    let mut fields = message.fields().iter();
    let line = fields.find(|field| field.name() == name);
    line.expect("a message that has been read has it").start()
}

/// RFC 4475 §3.1.2.4: a Max-Forwards out of range may be taken as absent. A call is not refused for it, and
/// the hop that fills it in bounds the loop.
fn max_forwards(message: &Message) -> Option<u8> {
    message
        .header(HeaderName::MaxForwards)
        .and_then(lexer::number)
}

/// The value of a header that must be there exactly once and not be empty.
fn only(message: &Message, name: HeaderName) -> Option<&[u8]> {
    let mut values = message.header_values(name);
    let value = values.next().filter(|value| !value.is_empty())?;
    values.next().is_none().then_some(value)
}

/// RFC 3261 §18.3: a body that is shorter than declared is an error; what follows a declared end
/// has been cut off already.
fn check_content_length(message: &Message) -> Result<(), Invalid> {
    let mut declared = None;
    for value in message.header_values(HeaderName::ContentLength) {
        let length: usize = lexer::number(value).ok_or(Invalid::ContentLength)?;
        if declared.is_some_and(|before| before != length) {
            return Err(Invalid::ContentLength);
        }
        declared = Some(length);
    }
    match declared {
        Some(length) if length > message.bytes_after_head() => Err(Invalid::Truncated),
        _ => Ok(()),
    }
}

impl Request {
    /// Validates a lexed request.
    ///
    /// # Errors
    /// [`InvalidMessage`] holds the message and the answer to give. A response is refused as
    /// [`Invalid::RequestUri`].
    pub fn new(message: Message) -> Result<Self, InvalidMessage> {
        let read = Self::check(&message);
        Self::of(message, read)
    }

    /// This request after changes, when `changes` tells of which names there are other lines than before.
    pub(crate) fn changed(
        &self,
        message: Message,
        changes: impl Fn(HeaderName) -> bool,
    ) -> Result<Self, InvalidMessage> {
        let read = [HeaderName::Contact, HeaderName::ContentLength];
        if MOVED.into_iter().chain(read).any(changes) {
            return Self::new(message);
        }
        let moved = self.essentials.moved(&self.message, &message);
        let read = moved.and_then(|essentials| Ok((essentials, UriSpans::read(&message)?)));
        debug_assert_eq!(read, Self::check(&message), "it is as it was written");
        Self::of(message, read)
    }

    fn of(
        message: Message,
        read: Result<(Essentials, UriSpans), Invalid>,
    ) -> Result<Self, InvalidMessage> {
        match read {
            Ok((essentials, uri)) => Ok(Self {
                message,
                essentials,
                uri,
            }),
            Err(reason) => Err(InvalidMessage {
                message: Box::new(message),
                reason,
            }),
        }
    }

    fn check(message: &Message) -> Result<(Essentials, UriSpans), Invalid> {
        let StartLine::Request {
            method, version, ..
        } = message.start()
        else {
            return Err(Invalid::RequestUri);
        };
        if *version == Version::Unknown {
            return Err(Invalid::Version);
        }
        let essentials = Essentials::read(message)?;
        let uri = UriSpans::read(message)?;
        if message.bytes_at(essentials.cseq_method) != method.as_bytes() {
            return Err(Invalid::CSeqMethod);
        }
        check_content_length(message)?;
        let has_contact = message.header(HeaderName::Contact).is_some();
        if *method == Method::Invite && has_contact && contact_target(message).is_err() {
            return Err(Invalid::Contact);
        }
        Ok((essentials, uri))
    }

    /// The method.
    pub fn method(&self) -> &Method {
        match self.message.start() {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => unreachable!("Request::new takes requests only"),
        }
    }

    /// The Request-URI as written.
    pub fn uri_bytes(&self) -> &[u8] {
        self.message
            .request_uri_bytes()
            .expect("Request::new takes requests only")
    }

    /// The Request-URI.
    pub fn uri(&self) -> Uri<'_> {
        self.uri.uri(self)
    }

    /// The URI of the first Contact: the remote target of a dialog (RFC 3261 §12.1). An INVITE
    /// that opens a dialog without one comes from an RFC 2543 peer, and its From stands in
    /// (RFC 4475 §3.4.1).
    ///
    /// # Errors
    /// When there is none, or it is no URI.
    pub fn remote_target(&self) -> Result<&[u8], UriError> {
        let opens_dialog = *self.method() == Method::Invite && self.to_tag().is_none();
        if opens_dialog && self.message.header(HeaderName::Contact).is_none() {
            let from = self.from();
            from.uri()?.as_sip().ok_or(UriError::Scheme)?;
            return Ok(from.uri_bytes());
        }
        contact_target(&self.message)
    }

    /// Max-Forwards; `None` when the header is absent or out of range.
    pub const fn max_forwards(&self) -> Option<u8> {
        self.essentials.max_forwards
    }

    /// The lexed message.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl Response {
    /// Validates a lexed response.
    ///
    /// # Errors
    /// [`InvalidMessage`]: the response is to be dropped. A request is refused as
    /// [`Invalid::Version`].
    pub fn new(message: Message) -> Result<Self, InvalidMessage> {
        match Self::check(&message) {
            Ok(essentials) => Ok(Self {
                message,
                essentials,
            }),
            Err(reason) => Err(InvalidMessage {
                message: Box::new(message),
                reason,
            }),
        }
    }

    fn check(message: &Message) -> Result<Essentials, Invalid> {
        match message.start() {
            StartLine::Response {
                version: Version::Two,
                ..
            } => {}
            _ => return Err(Invalid::Version),
        }
        let essentials = Essentials::read(message)?;
        check_content_length(message)?;
        Ok(essentials)
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        match self.message.start() {
            StartLine::Response { status, .. } => *status,
            StartLine::Request { .. } => unreachable!("Response::new takes responses only"),
        }
    }

    /// The URI of the first Contact: the remote target of a dialog (RFC 3261 §12.1).
    ///
    /// # Errors
    /// When there is none, or it is no URI.
    pub fn remote_target(&self) -> Result<&[u8], UriError> {
        contact_target(&self.message)
    }

    /// The reason phrase as written: often changed by applications, never compared.
    pub fn reason(&self) -> &[u8] {
        match self.message.start() {
            StartLine::Response { reason, .. } => self.message.bytes_at(*reason),
            StartLine::Request { .. } => unreachable!("Response::new takes responses only"),
        }
    }

    /// The lexed message.
    pub fn into_message(self) -> Message {
        self.message
    }
}

macro_rules! essentials {
    ($type:ty) => {
        impl $type {
            /// The topmost Via.
            pub fn top_via(&self) -> Via<'_> {
                self.essentials.via.via(&self.message)
            }

            /// The branch of the topmost Via, where it has one.
            pub fn branch(&self) -> Option<&[u8]> {
                let branch = self.essentials.via.branch;
                branch.map(|branch| self.message.bytes_at(branch))
            }

            /// From.
            pub fn from(&self) -> NameAddr<'_> {
                let from = self.message.bytes_at(self.essentials.from);
                NameAddr::parse_liberal(from).expect("From has been parsed")
            }

            /// To.
            pub fn to(&self) -> NameAddr<'_> {
                let to = self.message.bytes_at(self.essentials.to);
                NameAddr::parse_liberal(to).expect("To has been parsed")
            }

            /// The tag of From; `None` from an RFC 2543 peer.
            pub fn from_tag(&self) -> Option<&[u8]> {
                self.essentials
                    .from_tag
                    .map(|tag| self.message.bytes_at(tag))
            }

            /// The tag of To.
            pub fn to_tag(&self) -> Option<&[u8]> {
                self.essentials.to_tag.map(|tag| self.message.bytes_at(tag))
            }

            /// Call-ID, compared byte by byte (RFC 3261 §20.8).
            pub fn call_id(&self) -> &[u8] {
                self.message.bytes_at(self.essentials.call_id)
            }

            /// The sequence number of CSeq.
            pub const fn cseq_number(&self) -> u32 {
                self.essentials.cseq_number
            }

            /// The method of CSeq as written.
            pub fn cseq_method(&self) -> &[u8] {
                self.message.bytes_at(self.essentials.cseq_method)
            }
        }

        impl Deref for $type {
            type Target = Message;

            fn deref(&self) -> &Message {
                &self.message
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.message, f)
            }
        }
    };
}

essentials!(Request);
essentials!(Response);

fn contact_target(message: &Message) -> Result<&[u8], UriError> {
    let contact = message
        .elements(HeaderName::Contact)
        .next()
        .ok_or(UriError::Scheme)?;
    let contact = NameAddr::parse(contact).map_err(|_| UriError::Character)?;
    contact.uri()?;
    Ok(contact.uri_bytes())
}
