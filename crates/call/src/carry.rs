//! Which headers pass from one leg to the other. A back-to-back user agent makes a new request for
//! each leg; what identifies the caller, places them and describes the content must not be lost on
//! the way.

use sip::{Builder, HeaderName, Limits, Message, Part};

use crate::ids::CallId;

/// Of an INVITE, to the other leg's INVITE.
const INVITE: &[HeaderName] = &[
    HeaderName::PAssertedIdentity,
    HeaderName::Privacy,
    HeaderName::HistoryInfo,
    HeaderName::Diversion,
    HeaderName::Geolocation,
    HeaderName::GeolocationRouting,
    HeaderName::ResourcePriority,
    HeaderName::UserToUser,
    HeaderName::CallInfo,
    HeaderName::Identity,
    HeaderName::Priority,
    HeaderName::Subject,
    HeaderName::Date,
    HeaderName::Accept,
    HeaderName::AcceptLanguage,
];

/// Of a request inside a dialog, to the other leg's request.
const MID_DIALOG: &[HeaderName] = &[
    HeaderName::Geolocation,
    HeaderName::UserToUser,
    HeaderName::Reason,
    HeaderName::Accept,
    HeaderName::Subject,
];

/// Of a response, to the other leg's response.
const RESPONSE: &[HeaderName] = &[
    HeaderName::UserToUser,
    HeaderName::RetryAfter,
    HeaderName::Warning,
    HeaderName::Accept,
];

/// What describes a body.
const CONTENT: &[HeaderName] = &[
    HeaderName::ContentType,
    HeaderName::ContentDisposition,
    HeaderName::ContentEncoding,
    HeaderName::ContentLanguage,
    HeaderName::MimeVersion,
];

/// The type of a session description.
const SDP: &str = "application/sdp";

/// Headers that [`HeaderName`] does not list and that pass in a request inside a dialog.
const MID_DIALOG_NAMED: &[&str] = &["Info-Package", "Recv-Info"];

fn carry(mut builder: Builder, from: &Message, names: &[HeaderName]) -> Builder {
    for &name in names {
        builder = builder.copy(from, name);
    }
    builder
}

/// What an INVITE carries over, its content headers included.
pub(crate) fn invite(builder: Builder, from: &Message) -> Builder {
    content(carry(builder, from, INVITE), from)
}

/// An INVITE that carries over all but the caller's session description.
pub(crate) fn invite_without_offer(builder: Builder, from: &Message) -> Message {
    let builder = carry(builder, from, INVITE);
    match without_description(from) {
        Some(body) => content(builder, from).finish_with_body(&body),
        None => builder.finish(),
    }
}

/// A message that carries over the session description alone, if there is one.
pub(crate) fn description_alone(builder: Builder, from: &Message) -> Message {
    match description(from, &Limits::default()) {
        Some(description) => builder
            .header(HeaderName::ContentType, SDP)
            .finish_with_body(description),
        None => builder.finish(),
    }
}

/// Whether a message has a session description: an offer, or an answer. A body may be all of something else, as a
/// location (RFC 6442).
pub(crate) fn has_description(message: &Message) -> bool {
    description(message, &Limits::default()).is_some()
}

/// The session description of a message, alone or among the parts of its body. What has no type is taken for one.
pub(crate) fn description<'a>(message: &'a Message, limits: &'a Limits) -> Option<&'a [u8]> {
    let body = Some(message.body_bytes()).filter(|body| !body.is_empty());
    if is_plain_description(body?) {
        return body;
    }
    let Some(kind) = message.content_type() else {
        return body;
    };
    if !kind.is_multipart() {
        return body.filter(|_| kind.is("application", "sdp"));
    }
    let mut parts = message.parts(limits).ok()?.map_while(Result::ok);
    let is_description = |part: &Part<'_>| {
        let kind = part.content_type();
        kind.is_some_and(|kind| kind.is("application", "sdp"))
    };
    parts.find(is_description).map(|part| part.body())
}

/// RFC 8866 §5: a description begins with its version. Nothing else does, whatever its type is said to be.
fn is_plain_description(body: &[u8]) -> bool {
    body.starts_with(b"v=")
}

/// The body without its session description, if anything is left.
fn without_description(message: &Message) -> Option<Vec<u8>> {
    let content_type = message.content_type()?;
    if !content_type.is_multipart() {
        let body = message.body_bytes();
        let is_description = content_type.is("application", "sdp") || is_plain_description(body);
        let is_other = !is_description && !body.is_empty();
        return is_other.then(|| message.body_bytes().to_vec());
    }
    let limits = Limits::default();
    let boundary = content_type.params.value("boundary")?;
    let boundary = boundary.strip_prefix(b"\"").unwrap_or(boundary);
    let boundary = boundary.strip_suffix(b"\"").unwrap_or(boundary);
    let mut body = Vec::new();
    for part in message.parts(&limits).ok()?.map_while(Result::ok) {
        let is_description = part
            .content_type()
            .is_some_and(|kind| kind.is("application", "sdp"));
        if !is_description {
            let (head, content) = part.as_written();
            body.extend([b"--", boundary, b"\r\n", head, content, b"\r\n"].concat());
        }
    }
    if body.is_empty() {
        return None;
    }
    body.extend([b"--", boundary, b"--\r\n"].concat());
    Some(body)
}

/// What a request inside a dialog carries over, its content headers included.
pub(crate) fn mid_dialog(builder: Builder, from: &Message) -> Builder {
    let mut builder = content(carry(builder, from, MID_DIALOG), from);
    for name in MID_DIALOG_NAMED {
        if let Some(value) = from.header_named(name) {
            builder = builder.header_named(name, value);
        }
    }
    builder
}

/// What a response carries over with another body than its own, a session description.
pub(crate) fn response_with(builder: Builder, from: &Message, description: &[u8]) -> Message {
    let builder = carry(builder, from, RESPONSE).header(HeaderName::ContentType, SDP);
    builder.finish_with_body(description)
}

/// What a response carries over, its content headers included.
pub(crate) fn response(builder: Builder, from: &Message) -> Builder {
    content(carry(builder, from, RESPONSE), from)
}

/// The headers that describe the body, where there is one.
pub(crate) fn content(builder: Builder, from: &Message) -> Builder {
    if from.body_bytes().is_empty() {
        builder
    } else {
        carry(builder, from, CONTENT)
    }
}

/// Our own call id, in the form of NENA-STA-010 (`urn:emergency:uid:callid:...`).
pub(crate) fn call_id(builder: Builder, id: &CallId, domain: &str) -> Builder {
    builder.header_fmt(
        HeaderName::CallInfo,
        format_args!("<urn:emergency:uid:callid:{id}:{domain}>;purpose=emergency-CallId"),
    )
}
