//! Which headers pass from one leg to the other. A back-to-back user agent makes a new request for
//! each leg; what identifies the caller, places them and describes the content must not be lost on
//! the way.

use sip::{Builder, HeaderName, Message};

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
