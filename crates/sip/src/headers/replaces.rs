//! Replaces (RFC 3891): the dialog that a new one takes the place of.

use std::fmt;

use crate::{escape, lexer};

use super::{HeaderError, split_params};

/// The dialog to replace, as its other side sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// The Call-ID of the dialog.
    pub call_id: &'a [u8],
    /// The local tag, seen from whom this header is sent to.
    pub to_tag: &'a [u8],
    /// The remote tag, seen from whom this header is sent to.
    pub from_tag: &'a [u8],
    /// Whether only a dialog that is not yet answered may be replaced.
    pub early_only: EarlyOnly,
}

/// The `early-only` flag of a [`Replaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyOnly {
    /// A confirmed dialog is not replaced: 486.
    Yes,
    /// Any dialog may be replaced.
    No,
}

impl<'a> Replaces<'a> {
    /// Reads the value of Replaces.
    ///
    /// # Errors
    /// [`HeaderError::Missing`] when the Call-ID or a tag is missing or is there twice
    /// (RFC 3891 §3: exactly one each).
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (call_id, params) = split_params(value);
        let only = |name: &str| {
            let mut found = params
                .iter()
                .filter(|param| param.name.eq_ignore_ascii_case(name.as_bytes()));
            let tag = found.next().and_then(|param| param.value);
            tag.filter(|tag| lexer::is_token_str(tag) && found.next().is_none())
        };
        if call_id.is_empty() {
            return Err(HeaderError::Missing);
        }
        Ok(Self {
            call_id,
            to_tag: only("to-tag").ok_or(HeaderError::Missing)?,
            from_tag: only("from-tag").ok_or(HeaderError::Missing)?,
            early_only: match params.has("early-only") {
                true => EarlyOnly::Yes,
                false => EarlyOnly::No,
            },
        })
    }

    /// The value as it is written in a Replaces header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let early_only: &[u8] = match self.early_only {
            EarlyOnly::Yes => b";early-only",
            EarlyOnly::No => b"",
        };
        let (to_tag, from_tag) = (self.to_tag, self.from_tag);
        [
            self.call_id,
            b";to-tag=",
            to_tag,
            b";from-tag=",
            from_tag,
            early_only,
        ]
        .concat()
    }

    /// The value as it is written behind `?Replaces=` in the URI of a Refer-To.
    pub fn to_escaped(&self) -> Vec<u8> {
        escape::encode_header(&self.to_bytes())
    }
}

impl fmt::Debug for Replaces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaces")
            .field("early_only", &self.early_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        for early_only in [EarlyOnly::Yes, EarlyOnly::No] {
            let replaces = Replaces {
                call_id: b"425928@bobster.example.org",
                to_tag: b"7743",
                from_tag: b"6472",
                early_only,
            };
            assert_eq!(Replaces::parse(&replaces.to_bytes()), Ok(replaces));
            let escaped = replaces.to_escaped();
            assert_eq!(Replaces::parse(&escape::decode(&escaped)), Ok(replaces));
            assert!(!escaped.contains(&b';') && !escaped.contains(&b'@'));
        }
    }

    #[test]
    fn each_part_is_there_once() {
        for bad in [
            "",
            "c",
            "c;to-tag=1",
            "c;from-tag=1",
            ";to-tag=1;from-tag=2",
            "c;to-tag=1;to-tag=3;from-tag=2",
            "c;to-tag=;from-tag=2",
        ] {
            let read = Replaces::parse(bad.as_bytes());
            assert_eq!(read, Err(HeaderError::Missing), "{bad}");
        }
    }
}
