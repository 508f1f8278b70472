//! The registrar's answer, as data.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, StatusCode, headers::QValue};

use crate::binding::Binding;
use crate::registration::Outbound;

/// What a REGISTER is answered with. `Debug` shows no user part.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "every request is answered"]
pub enum Reply {
    /// 200: the change was made as a whole, or there was none to make.
    Accepted {
        /// All bindings that the address-of-record has now.
        bindings: Vec<Binding>,
        /// Path of the request, which the phone is told of.
        path: Vec<Bytes>,
        /// Whether the phone is reached over its flow, which it is told as well.
        outbound: Outbound,
    },
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 420: Require asks for what the registrar does not know (RFC 3261 §8.2.2.3).
    #[error("an extension is required that is not supported")]
    BadExtension {
        /// The unknown option tags, comma-joined.
        unsupported: Vec<u8>,
    },
    /// 400: a Contact is no name-addr with a URI.
    #[error("a Contact cannot be read")]
    Contact,
    /// 400: a contact that no SIP request can be sent to.
    #[error("a Contact is neither a sip nor a sips URI")]
    ContactScheme,
    /// 400: `*` beside another Contact, or twice.
    #[error("the Contact * stands beside another one")]
    StarNotAlone,
    /// 400: `*` without `Expires: 0`.
    #[error("the Contact * comes without Expires: 0")]
    StarWithoutZero,
    /// 400: a value of Path is no name-addr with a URI.
    #[error("a Path value cannot be read")]
    Path,
    /// 413: a binding would keep more bytes than `RegistrarSettings::binding_len_max`.
    #[error("a binding would be too large")]
    BindingLen,
    /// 423: a contact asks for less time than `RegistrarSettings::expires_min`.
    #[error("the expiry is too brief")]
    IntervalTooBrief {
        /// What is asked for at least.
        expires_min: Duration,
    },
    /// 500: a binding was made by this or a later request of the same Call-ID.
    #[error("CSeq is not higher than that of the binding")]
    OutOfOrder,
    /// 503: the address-of-record would have more bindings than
    /// `RegistrarSettings::bindings_max_per_aor`.
    #[error("too many bindings of one address-of-record")]
    BindingsMax {
        /// When the phone may try again.
        retry_after: Duration,
    },
    /// 503: there are bindings of `RegistrarSettings::aors_max` addresses-of-record already.
    #[error("too many addresses-of-record with bindings")]
    AorsMax {
        /// When the phone may try again.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The status of the response.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadExtension { .. } => StatusCode::BAD_EXTENSION,
            Self::Contact
            | Self::ContactScheme
            | Self::StarNotAlone
            | Self::StarWithoutZero
            | Self::Path => StatusCode::BAD_REQUEST,
            Self::BindingLen => StatusCode::REQUEST_ENTITY_TOO_LARGE,
            Self::IntervalTooBrief { .. } => StatusCode::INTERVAL_TOO_BRIEF,
            Self::OutOfOrder => StatusCode::SERVER_INTERNAL_ERROR,
            Self::BindingsMax { .. } | Self::AorsMax { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A short name for metric labels.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::BadExtension { .. } => "bad-extension",
            Self::Contact => "contact",
            Self::ContactScheme => "contact-scheme",
            Self::StarNotAlone => "star-not-alone",
            Self::StarWithoutZero => "star-without-zero",
            Self::Path => "path",
            Self::BindingLen => "binding-len",
            Self::IntervalTooBrief { .. } => "interval-too-brief",
            Self::OutOfOrder => "out-of-order",
            Self::BindingsMax { .. } => "bindings-max",
            Self::AorsMax { .. } => "aors-max",
        }
    }
}

impl Reply {
    /// The status of the response.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Accepted { .. } => StatusCode::OK,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// Ends a response that the caller has begun with [`Reply::status`] and what every response
    /// copies from its request ([`Builder::response_to`]).
    ///
    /// Date, which RFC 3261 §10.3 would like in a 200, is left out: the core has no calendar. A
    /// caller that has one adds it to `response`.
    pub fn write(&self, now: Instant, response: Builder) -> Message {
        match self {
            Self::Accepted {
                bindings,
                path,
                outbound,
            } => {
                let response = bindings.iter().fold(response, |response, binding| {
                    response.header(HeaderName::Contact, contact_value(now, binding))
                });
                let response = path.iter().fold(response, |response, value| {
                    response.header(HeaderName::Path, value)
                });
                // RFC 5626 §6: a phone that is not told so falls back to other means.
                let response = match outbound {
                    Outbound::Used => response.header(HeaderName::Require, OPTION_OUTBOUND),
                    Outbound::No => response,
                };
                response.header(HeaderName::Supported, OPTIONS.join(", "))
            }
            Self::Refused(refusal) => write_refusal(refusal, response),
        }
        .finish()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { bindings, path, .. } => f
                .debug_struct("Accepted")
                .field("bindings", bindings)
                .field("path_len", &path.len())
                .finish(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
        }
    }
}

fn write_refusal(refusal: &Refusal, response: Builder) -> Builder {
    match refusal {
        Refusal::BadExtension { unsupported } => {
            response.header(HeaderName::Unsupported, unsupported)
        }
        Refusal::IntervalTooBrief { expires_min } => {
            write_seconds(response, HeaderName::MinExpires, *expires_min)
        }
        Refusal::BindingsMax { retry_after } | Refusal::AorsMax { retry_after } => {
            write_seconds(response, HeaderName::RetryAfter, *retry_after)
        }
        Refusal::Contact
        | Refusal::ContactScheme
        | Refusal::StarNotAlone
        | Refusal::StarWithoutZero
        | Refusal::Path
        | Refusal::BindingLen
        | Refusal::OutOfOrder => response,
    }
}

fn write_seconds(response: Builder, name: HeaderName, time: Duration) -> Builder {
    response.header_fmt(name, format_args!("{}", whole_seconds(time)))
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-10.3
//# The response MUST
//# contain Contact header field values enumerating all current
//# bindings.  Each Contact value MUST feature an "expires"
//# parameter indicating its expiration interval chosen by the
//# registrar.
fn contact_value(now: Instant, binding: &Binding) -> Vec<u8> {
    let expires = whole_seconds(binding.expires_at.saturating_duration_since(now));
    let mut value = [b"<", &binding.contact.as_bytes()[..], b">"].concat();
    value.extend(format!(";expires={expires}").into_bytes());
    if binding.q != QValue::MAX {
        value.extend(format!(";q={}", binding.q).into_bytes());
    }
    if let Some(instance) = &binding.instance {
        value.extend_from_slice(b";+sip.instance=");
        value.extend_from_slice(instance);
    }
    if let Some(reg_id) = binding.reg_id {
        value.extend(format!(";reg-id={reg_id}").into_bytes());
    }
    value
}

/// Rounded up: what has a moment left is not over, and 0 would say so.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// RFC 3327.
pub(crate) const OPTION_PATH: &str = "path";

/// The option tag of RFC 5626.
pub(crate) const OPTION_OUTBOUND: &str = "outbound";

/// What a REGISTER may require.
pub(crate) const OPTIONS: [&str; 2] = [OPTION_PATH, OPTION_OUTBOUND];
