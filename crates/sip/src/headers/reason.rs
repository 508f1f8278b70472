//! Reason (RFC 3326): why a request was sent, such as `Q.850;cause=16` on a BYE.

use std::{borrow::Cow, fmt};

use crate::{
    lexer::{self, Quoted},
    pii::Pii,
};

use super::{HeaderError, split_params, token, write_text};

/// One reason. It prints itself as it is written on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` and others, as written; compare without case.
    pub protocol: &'a [u8],
    /// The cause: a status code for `SIP`, an ISUP cause for `Q.850`.
    pub cause: Option<u16>,
    /// A text for a person.
    pub text: Option<Pii<Cow<'a, [u8]>>>,
}

impl<'a> Reason<'a> {
    /// A reason of ours.
    pub const fn new(protocol: &'a str, cause: u16) -> Self {
        Self {
            protocol: protocol.as_bytes(),
            cause: Some(cause),
            text: None,
        }
    }

    /// With a text for a person.
    #[must_use]
    pub fn with_text(mut self, text: &'a str) -> Self {
        self.text = Some(Pii::new(Cow::Borrowed(text.as_bytes())));
        self
    }

    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError`] when the protocol is no token or the cause is no number.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let (protocol, params) = split_params(raw);
        let cause = params.value("cause").map(super::number).transpose()?;
        let text = params.value("text").map(lexer::unquote).map(Pii::new);
        Ok(Self {
            protocol: token(protocol)?,
            cause,
            text,
        })
    }

    /// Whether the protocol is this one.
    pub const fn is_of(&self, protocol: &str) -> bool {
        self.protocol.eq_ignore_ascii_case(protocol.as_bytes())
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        match &self.text {
            Some(text) => write!(f, ";text={}", Quoted(text.expose())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let reason = Reason::new("Q.850", 16).with_text("a \"normal\" end\\");
        let printed = reason.to_string();
        assert_eq!(printed, r#"Q.850;cause=16;text="a \"normal\" end\\""#);
        assert_eq!(Reason::parse(printed.as_bytes()), Ok(reason));
    }

    #[test]
    fn causes_are_numbers() {
        let sip = Reason::parse(b"SIP ;cause=200 ;text=\"Call completed elsewhere\"").unwrap();
        assert!(sip.is_of("sip"));
        assert_eq!(sip.cause, Some(200));
        assert_eq!(Reason::parse(b"preemption").map(|it| it.cause), Ok(None));
        assert_eq!(Reason::parse(b"SIP;cause=x"), Err(HeaderError::Number));
        assert_eq!(Reason::parse(b";cause=1"), Err(HeaderError::Missing));
    }
}
