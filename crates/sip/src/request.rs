//! The validated forms: a [`Request`] or a [`Response`] has, by type, what every SIP message must
//! have, so that nothing after it asks again.

use std::{fmt, ops::Deref};

use crate::{
    HeaderName, Method, StatusCode,
    essentials::{Essentials, MOVED, UriSpans},
    lexer,
    message::Message,
    name_addr::NameAddr,
    start_line::{StartLine, Version},
    uri::{Uri, UriError},
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
