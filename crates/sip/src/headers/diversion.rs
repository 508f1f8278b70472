//! Diversion (RFC 5806): from whom a call was diverted, and why. Older than History-Info, and
//! still what many operators send.

use crate::{lexer, name_addr::NameAddr};

use super::HeaderError;

/// One diversion; the first of a message is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diversion<'a> {
    /// Who diverted, with `privacy`, `screen` and other parameters.
    pub from: NameAddr<'a>,
}

impl<'a> Diversion<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError::NameAddr`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let from = NameAddr::parse(raw)?;
        Ok(Self { from })
    }

    /// `unknown`, `user-busy`, `no-answer`, `unconditional` and others, as written but for quotes,
    /// which many senders put around it.
    pub fn reason(&self) -> Option<&'a [u8]> {
        match self.from.params.value("reason")? {
            [b'"', inner @ .., b'"'] => Some(inner),
            plain => Some(plain),
        }
    }

    /// How many diversions this entry stands for: 1 when it does not say.
    pub fn counter(&self) -> u32 {
        self.number("counter").unwrap_or(1)
    }

    /// How many diversions the network allows.
    pub fn limit(&self) -> Option<u32> {
        self.number("limit")
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.from.params.value(name).and_then(lexer::number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_operators_send() {
        let diversion = Diversion::parse(
            b"\"Cabinet\" <sip:+33388000000@op>;privacy=off;reason=\"user-busy\";counter=2;screen=no",
        )
        .unwrap();
        assert_eq!(diversion.reason(), Some(&b"user-busy"[..]));
        assert_eq!((diversion.counter(), diversion.limit()), (2, None));
        let bare = Diversion::parse(b"<tel:+33388000000>;limit=5").unwrap();
        assert_eq!(
            (bare.reason(), bare.counter(), bare.limit()),
            (None, 1, Some(5))
        );
        assert!(Diversion::parse(b";reason=x").is_err());
    }
}
