//! Content-Type (RFC 3261 §20.15) and Content-Disposition (§20.11).

use std::fmt;

use crate::lexer::{self, Params};

use super::{HeaderError, split_params, token};

/// A media type: `application/sdp`, `multipart/mixed;boundary=b`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// The type as written; compare without case.
    pub kind: &'a [u8],
    /// The subtype as written; compare without case.
    pub subtype: &'a [u8],
    /// `boundary`, `charset` and others.
    pub params: Params<'a>,
}

impl<'a> ContentType<'a> {
    /// Reads the value of Content-Type.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not `token/token` and parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (range, params) = split_params(value);
        let (kind, subtype) = lexer::split_once(range, b'/');
        Ok(Self {
            kind: token(lexer::trim_end(kind))?,
            subtype: token(lexer::trim_start(subtype.unwrap_or_default()))?,
            params,
        })
    }

    /// Whether it is this type and subtype.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether the body has parts: `multipart/...` (RFC 2046 §5.1).
    pub const fn is_multipart(&self) -> bool {
        self.kind.eq_ignore_ascii_case(b"multipart")
    }
}

impl fmt::Debug for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_text(f, self.kind)?;
        f.write_str("/")?;
        super::write_text(f, self.subtype)?;
        fmt::Debug::fmt(&self.params, f)
    }
}

/// What a body is for: `session`, `render`, `by-reference` and others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContentDisposition<'a> {
    /// The disposition type as written; compare without case.
    pub kind: &'a [u8],
    /// `handling` and others.
    pub params: Params<'a>,
}

/// Whether a body may be ignored by one who does not understand it (RFC 3261 §20.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// 415 to a request whose body is not understood. Also when nothing is said.
    Required,
    /// The body may be ignored.
    Optional,
}

impl<'a> ContentDisposition<'a> {
    /// Reads the value of Content-Disposition.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not a token and parameters.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let (kind, params) = split_params(value);
        Ok(Self {
            kind: token(kind)?,
            params,
        })
    }

    /// The `handling` parameter.
    pub fn handling(&self) -> Handling {
        match self.params.value("handling") {
            Some(value) if value.eq_ignore_ascii_case(b"optional") => Handling::Optional,
            _ => Handling::Required,
        }
    }
}

impl fmt::Debug for ContentDisposition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_text(f, self.kind)?;
        fmt::Debug::fmt(&self.params, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_compare_without_case() {
        let sdp = ContentType::parse(b"Application / SDP ;charset=\"x;y\"").unwrap();
        assert!(sdp.is("application", "sdp") && !sdp.is_multipart());
        assert_eq!(sdp.params.value("charset"), Some(&b"\"x;y\""[..]));
        assert!(
            ContentType::parse(b"MULTIPART/mixed;boundary=b")
                .unwrap()
                .is_multipart()
        );
    }

    #[test]
    fn wrong_types_are_refused() {
        for (raw, error) in [
            ("", HeaderError::Missing),
            ("text", HeaderError::Missing),
            ("text/", HeaderError::Missing),
            ("a b/c", HeaderError::Token),
            ("a/b/c", HeaderError::Token),
        ] {
            assert_eq!(ContentType::parse(raw.as_bytes()), Err(error), "{raw}");
        }
    }

    #[test]
    fn handling_is_required_unless_said() {
        let handling = |raw: &'static str| {
            ContentDisposition::parse(raw.as_bytes()).map(|disposition| disposition.handling())
        };
        assert_eq!(handling("session"), Ok(Handling::Required));
        assert_eq!(
            handling("by-reference;Handling=OPTIONAL"),
            Ok(Handling::Optional)
        );
        assert_eq!(handling(";handling=optional"), Err(HeaderError::Missing));
    }
}
