//! Typed headers: views that borrow from a message, one file per noun. Each has a `parse` for one
//! element of its header (or for the whole value where it is no list), and prints itself where we
//! write it. [`crate::Message`] has accessors for those that are asked for often.

mod accessors;
mod auth;
mod call_info;
mod contact;
mod content;
mod diversion;
mod event;
mod expires;
mod geolocation;
mod history_info;
mod identity;
mod option_tags;
mod prack;
mod privacy;
mod reason;
mod refer;
mod replaces;
mod resource_priority;
mod retry_after;
mod session_timer;
mod timestamp;
mod user_to_user;
mod warning;

pub use auth::{AuthParam, AuthParams, Challenge, Credentials};
pub use call_info::CallInfo;
pub use contact::{Contact, ContactList, Contacts, QValue};
pub use content::{ContentDisposition, ContentType, Handling};
pub use diversion::Diversion;
pub use event::{Event, SubscriptionState, SubscriptionStatus};
pub use expires::DeltaSeconds;
pub use geolocation::Geolocation;
pub use history_info::{HistoryCause, HistoryEntry};
pub use identity::Attestation;
pub use option_tags::Tokens;
pub use prack::{RAck, RSeq};
pub use privacy::{Privacy, PrivacyKind};
pub use reason::Reason;
pub use refer::{ReferTo, ReferredBy};
pub use replaces::{EarlyOnly, Replaces};
pub use resource_priority::ResourcePriority;
pub use retry_after::RetryAfter;
pub use session_timer::{MinSe, Refresher, SessionExpires};
pub use timestamp::Timestamp;
pub use user_to_user::UserToUser;
pub use warning::Warning;

use crate::{
    lexer::{self, Angles, Params},
    name_addr::NameAddrError,
    uri::UriError,
};

/// Why a value is not what its header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// A part that must be there is not.
    #[error("a part that must be there is missing")]
    Missing,
    /// Something that must be a token is none.
    #[error("not a token")]
    Token,
    /// Something that must be a number is none, or is out of range.
    #[error("not a number, or out of range")]
    Number,
    /// A quoted string never ends, or something follows it.
    #[error("a quoted string is wrong")]
    QuotedString,
    /// It is no name-addr.
    #[error("not a name-addr")]
    NameAddr(#[from] NameAddrError),
    /// It is no URI.
    #[error("not a URI")]
    Uri(#[from] UriError),
}

/// What stands before the parameters, trimmed, and the parameters.
fn split_params(raw: &[u8]) -> (&[u8], Params<'_>) {
    let raw = lexer::trim(raw);
    let end = lexer::find_outside(raw, Angles::Opaque, |byte| byte == b';').unwrap_or(raw.len());
    (lexer::trim_end(&raw[..end]), Params::new(&raw[end..]))
}

fn token(raw: &[u8]) -> Result<&[u8], HeaderError> {
    match raw {
        [] => Err(HeaderError::Missing),
        _ if lexer::is_token_str(raw) => Ok(raw),
        _ => Err(HeaderError::Token),
    }
}

fn number<T: TryFrom<u64>>(raw: &[u8]) -> Result<T, HeaderError> {
    match raw {
        [] => Err(HeaderError::Missing),
        _ => lexer::number(raw).ok_or(HeaderError::Number),
    }
}

/// Writes what is text of a value; the rest is left out. For tokens, which are all text.
fn write_text(f: &mut std::fmt::Formatter<'_>, value: &[u8]) -> std::fmt::Result {
    value
        .utf8_chunks()
        .try_for_each(|chunk| f.write_str(chunk.valid()))
}
