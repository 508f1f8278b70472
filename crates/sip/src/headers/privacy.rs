//! Privacy (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).

use std::fmt;

use crate::lexer;

/// What a caller asks to have hidden. An emergency service shows everything all the same, and
/// carries the wish on to whom the call goes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Privacy<'a> {
    value: &'a [u8],
}

/// One kind of privacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivacyKind {
    /// `header`: hide headers that tell where the caller is.
    Header,
    /// `session`: hide the media addresses.
    Session,
    /// `user`: hide what the user's own agent has put in.
    User,
    /// `none`: hide nothing, even where the network would.
    None,
    /// `critical`: rather fail than forward without privacy.
    Critical,
    /// `id`: hide the asserted identity (RFC 3325).
    Id,
    /// `history`: hide History-Info (RFC 7044).
    History,
}

impl PrivacyKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Session => "session",
            Self::User => "user",
            Self::None => "none",
            Self::Critical => "critical",
            Self::Id => "id",
            Self::History => "history",
        }
    }
}

impl<'a> Privacy<'a> {
    /// Reads the value of Privacy. Values are joined by `;`, and by `,` in older senders.
    pub const fn parse(value: &'a [u8]) -> Self {
        Self { value }
    }

    /// Whether this kind is asked for.
    pub fn has(&self, kind: PrivacyKind) -> bool {
        self.values()
            .any(|value| value.eq_ignore_ascii_case(kind.as_str().as_bytes()))
    }

    /// All values as written, unknown ones included.
    pub fn values(&self) -> impl Iterator<Item = &'a [u8]> {
        self.value
            .split(|byte| matches!(byte, b';' | b','))
            .map(lexer::trim)
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Privacy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.values().map(String::from_utf8_lossy))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_in_either_form() {
        for raw in ["id;critical", "ID , Critical", "x-new;id ;;critical"] {
            let privacy = Privacy::parse(raw.as_bytes());
            assert!(privacy.has(PrivacyKind::Id), "{raw}");
            assert!(privacy.has(PrivacyKind::Critical), "{raw}");
            assert!(!privacy.has(PrivacyKind::User), "{raw}");
        }
        assert_eq!(Privacy::parse(b"").values().count(), 0);
    }
}
