//! Warning (RFC 3261 §20.43).

use std::{borrow::Cow, fmt};

use crate::{
    lexer::{self, Quoted},
    pii::Pii,
};

use super::{HeaderError, number, write_text};

/// Why a response is as it is, for a person. It prints itself as it is written on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning<'a> {
    /// 300 to 399.
    pub code: u16,
    /// Who warns: a host, or a name, as written.
    pub agent: &'a [u8],
    /// What for.
    pub text: Pii<Cow<'a, [u8]>>,
}

impl<'a> Warning<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not three digits, a name and a quoted string.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let (code, rest) = word(raw)?;
        let (agent, text) = word(rest)?;
        if code.len() != 3 {
            return Err(HeaderError::Number);
        }
        match text {
            [b'"', ..] if lexer::quoted_end(text) == Some(text.len()) => {}
            _ => return Err(HeaderError::QuotedString),
        }
        Ok(Self {
            code: number(code)?,
            agent,
            text: Pii::new(lexer::unquote(text)),
        })
    }
}

/// The bytes up to the first white space, and what follows it.
fn word(raw: &[u8]) -> Result<(&[u8], &[u8]), HeaderError> {
    let raw = lexer::trim(raw);
    let space = raw.iter().copied().position(lexer::is_lws);
    let (word, rest) = raw.split_at(space.ok_or(HeaderError::Missing)?);
    Ok((word, lexer::trim_start(rest)))
}

impl fmt::Display for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        write_text(f, self.agent)?;
        write!(f, " {}", Quoted(self.text.expose()))
    }
}

impl fmt::Debug for Warning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ***", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let raw = r#"307 isi.edu:5060 "Session parameter \"foo\" not understood""#;
        let warning = Warning::parse(raw.as_bytes()).unwrap();
        assert_eq!((warning.code, warning.agent), (307, &b"isi.edu:5060"[..]));
        assert_eq!(warning.to_string(), raw);
        for bad in [
            "",
            "307",
            "307 a",
            "307 a text",
            "30 a \"t\"",
            "abc a \"t\"",
            "307 a \"t",
        ] {
            assert!(Warning::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
