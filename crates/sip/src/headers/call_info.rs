//! Call-Info (RFC 3261 §20.9), also for call identifiers and additional data (RFC 7852, NENA i3).

use std::fmt;

use crate::{
    lexer::{self, Params},
    pii::Pii,
};

use super::{HeaderError, write_text};

/// One URI about the call or the caller, and what it is for. It prints itself as it is written on
/// the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallInfo<'a> {
    /// The URI as written: `https:`, `cid:`, `urn:` and others.
    pub uri: Pii<&'a [u8]>,
    /// `purpose` and others.
    pub params: Params<'a>,
}

impl<'a> CallInfo<'a> {
    /// Reads one element.
    ///
    /// # Errors
    /// [`HeaderError::Missing`] when there is no `<uri>`, [`HeaderError::Token`] when something
    /// other than parameters follows it.
    pub fn parse(raw: &'a [u8]) -> Result<Self, HeaderError> {
        let (uri, params) = bracketed(raw)?;
        Ok(Self {
            uri: Pii::new(uri),
            params,
        })
    }

    /// Whether the `purpose` parameter is this one.
    pub fn is_for(&self, purpose: &str) -> bool {
        self.params
            .value("purpose")
            .is_some_and(|value| value.eq_ignore_ascii_case(purpose.as_bytes()))
    }
}

impl fmt::Display for CallInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<")?;
        write_text(f, self.uri.expose())?;
        f.write_str(">")?;
        write_text(f, self.params.as_bytes())
    }
}

/// `<uri>` and the parameters behind it.
pub(super) fn bracketed(raw: &[u8]) -> Result<(&[u8], Params<'_>), HeaderError> {
    let [b'<', rest @ ..] = lexer::trim(raw) else {
        return Err(HeaderError::Missing);
    };
    let close = memchr::memchr(b'>', rest).ok_or(HeaderError::Missing)?;
    let uri = lexer::trim(&rest[..close]);
    if uri.is_empty() {
        return Err(HeaderError::Missing);
    }
    match lexer::trim_start(&rest[close + 1..]) {
        tail @ ([] | [b';', ..]) => Ok((uri, Params::new(tail))),
        _ => Err(HeaderError::Token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_of_the_emergency_network() {
        let raw = "<urn:emergency:uid:callid:a1b2:bcf.example>;purpose=emergency-CallId";
        let info = CallInfo::parse(raw.as_bytes()).unwrap();
        assert!(info.is_for("EMERGENCY-CALLID") && !info.is_for("icon"));
        assert_eq!(info.to_string(), raw);
    }

    #[test]
    fn brackets_must_be_there() {
        for (raw, error) in [
            ("https://x", HeaderError::Missing),
            ("<>", HeaderError::Missing),
            ("<https://x", HeaderError::Missing),
            ("<https://x> y", HeaderError::Token),
        ] {
            assert_eq!(CallInfo::parse(raw.as_bytes()), Err(error), "{raw}");
        }
    }
}
