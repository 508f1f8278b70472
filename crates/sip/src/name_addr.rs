//! `"display name" <uri>;params`: the shape of From, To, Contact, Route and many others
//! (RFC 3261 §20.10).

use std::{borrow::Cow, fmt};

use crate::{
    lexer::{self, Angles, Params},
    pii::Pii,
    uri::{Uri, UriError},
};

/// A name-addr or addr-spec with its header parameters. `Debug` shows no name and no user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NameAddr<'a> {
    display: Pii<&'a [u8]>,
    uri: &'a [u8],
    brackets: Brackets,
    /// The header's parameters, such as `tag`. Without `<>` all parameters are the header's
    /// (RFC 3261 §20.10).
    pub params: Params<'a>,
}

/// Whether the URI stood in `<...>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brackets {
    Present,
    Absent,
}

/// Why a value is no name-addr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameAddrError {
    /// There is a `<` without `>`, or a quote that never ends.
    #[error("a bracket or a quote that never ends")]
    Unbalanced,
    /// There is no URI.
    #[error("no URI")]
    Missing,
    /// Something other than parameters follows the URI.
    #[error("something other than parameters follows the URI")]
    Trailing,
    /// A display name that is neither quoted nor made of tokens.
    #[error("the display name must be quoted")]
    DisplayName,
    /// The URI itself is wrong.
    #[error("the URI is wrong")]
    Uri(#[from] UriError),
}

impl<'a> NameAddr<'a> {
    /// Finds the parts of one element. The URI is not looked into: see [`NameAddr::uri`].
    ///
    /// # Errors
    /// [`NameAddrError`] says what is wrong.
    pub fn parse(raw: &'a [u8]) -> Result<Self, NameAddrError> {
        let raw = lexer::trim(raw);
        let Some(open) = lexer::find_outside(raw, Angles::Plain, |byte| byte == b'<') else {
            return Self::parse_addr_spec(raw);
        };
        let display = lexer::trim(&raw[..open]);
        let close = lexer::find(b'>', &raw[open..]).ok_or(NameAddrError::Unbalanced)? + open;
        let tail = lexer::trim_start(&raw[close + 1..]);
        if !matches!(tail.first(), None | Some(b';')) {
            return Err(NameAddrError::Trailing);
        }
        if !is_display_name(display) {
            return Err(NameAddrError::DisplayName);
        }
        let uri = lexer::trim(&raw[open + 1..close]);
        if uri.is_empty() {
            return Err(NameAddrError::Missing);
        }
        Ok(Self {
            display: Pii::new(display),
            uri,
            brackets: Brackets::Present,
            params: Params::new(tail),
        })
    }

    /// Finds the parts of the value of From or To, where a wrong one must not end a call: besides
    /// what [`NameAddr::parse`] takes, a display name that should have been quoted or whose quote
    /// never ends, as long as there is one `<uri>` and no doubt which. Without brackets all up to
    /// the first `;` is kept as the URI, even if it is none; [`NameAddr::uri`] tells.
    ///
    /// RFC 4475 §3.1.2.6 and §3.1.2.15 leave this to the element; an emergency call is never
    /// refused for its caller's identity.
    ///
    /// # Errors
    /// [`NameAddrError`] where there is nothing, or more than one `<`, so that two readers could
    /// see two identities.
    pub fn parse_liberal(raw: &'a [u8]) -> Result<Self, NameAddrError> {
        Self::parse(raw).or_else(|error| Self::salvage(lexer::trim(raw)).ok_or(error))
    }

    fn salvage(raw: &'a [u8]) -> Option<Self> {
        let (head, brackets, tail) = match memchr::memchr(b'<', raw) {
            Some(open) => {
                let close = open + memchr::memchr(b'>', &raw[open..])?;
                let tail = &raw[close + 1..];
                if memchr::memchr2(b'<', b'>', tail).is_some() {
                    return None;
                }
                (
                    (&raw[..open], &raw[open + 1..close]),
                    Brackets::Present,
                    tail,
                )
            }
            None => {
                let end = lexer::find_outside(raw, Angles::Plain, |byte| byte == b';');
                let (uri, tail) = raw.split_at(end.unwrap_or(raw.len()));
                ((&raw[..0], uri), Brackets::Absent, tail)
            }
        };
        let uri = lexer::trim(head.1);
        let params = lexer::find_outside(tail, Angles::Plain, |byte| byte == b';');
        (!uri.is_empty()).then(|| Self {
            display: Pii::new(lexer::trim(head.0)),
            uri,
            brackets,
            params: Params::new(params.map_or(&[], |start| &tail[start..])),
        })
    }

    fn parse_addr_spec(raw: &'a [u8]) -> Result<Self, NameAddrError> {
        if raw.first() == Some(&b'"') {
            return Err(NameAddrError::Unbalanced);
        }
        let uri_len = lexer::find(b';', raw).unwrap_or(raw.len());
        let (uri, params) = raw.split_at(uri_len);
        let uri = lexer::trim_end(uri);
        if uri.is_empty() {
            return Err(NameAddrError::Missing);
        }
        Ok(Self {
            display: Pii::new(&[]),
            uri,
            brackets: Brackets::Absent,
            params: Params::new(params),
        })
    }

    /// The display name without quotes and escapes; empty when there is none.
    pub fn display(&self) -> Pii<Cow<'a, [u8]>> {
        self.display.map(lexer::unquote)
    }

    /// The URI as written. It may be wrong: an identity that nobody can read is kept and forwarded.
    pub const fn uri_bytes(&self) -> &'a [u8] {
        self.uri
    }

    /// The parsed URI.
    ///
    /// # Errors
    /// [`UriError`], also when a URI with `?` or `,` stands without brackets: nobody can say
    /// whether what follows is the URI's or the header's.
    ///
    /// RFC 3261 §20: a URI that contains a comma, question mark or semicolon must be enclosed.
    pub fn uri(&self) -> Result<Uri<'a>, UriError> {
        if self.brackets == Brackets::Absent && memchr::memchr2(b'?', b',', self.uri).is_some() {
            return Err(UriError::Character);
        }
        Uri::parse(self.uri)
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }
}

impl fmt::Debug for NameAddr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uri() {
            Ok(uri) => write!(f, "<{uri:?}>")?,
            Err(error) => write!(f, "<{error}>")?,
        }
        fmt::Debug::fmt(&self.params, f)
    }
}

/// A quoted string, or anything without the separators that would change what follows. Bytes
/// above ASCII and unquoted punctuation are met in real display names; their meaning is clear.
fn is_display_name(display: &[u8]) -> bool {
    match display {
        [] => true,
        [b'"', ..] => lexer::quoted_end(display) == Some(display.len()),
        _ => !display
            .iter()
            .any(|byte| matches!(byte, b'"' | b'<' | b'>' | b';' | b',' | b':' | b'@')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> NameAddr<'_> {
        NameAddr::parse(raw.as_bytes()).unwrap()
    }

    #[test]
    fn separators_inside_quotes_are_no_separators() {
        let from = parse(r#""Dr \"X\" <a,b;tag=no>, c" <sip:+33369670015@h>;tag=f1"#);
        assert_eq!(
            from.display().into_exposed(),
            &br#"Dr "X" <a,b;tag=no>, c"#[..]
        );
        assert_eq!(from.tag(), Some(&b"f1"[..]));
        assert_eq!(
            parse(r#"<sip:a@b>;x="a;tag=zz";tag=f1"#).tag(),
            Some(&b"f1"[..])
        );
    }

    #[test]
    fn without_brackets_parameters_are_the_headers() {
        let to = parse("sip:a@b;tag=x");
        assert_eq!(to.uri_bytes(), b"sip:a@b");
        assert_eq!(to.tag(), Some(&b"x"[..]));
        assert_eq!(parse("<sip:a@b;tag=x>").tag(), None);
        assert_eq!(
            parse("sip:a@b?Route=%3Csip:c%3E").uri(),
            Err(UriError::Character)
        );
    }

    #[test]
    fn latin_1_and_unquoted_names_are_read() {
        let from = NameAddr::parse(b"Ren\xe9 de la Tour <sip:a@b>").unwrap();
        assert_eq!(from.display().into_exposed(), &b"Ren\xe9 de la Tour"[..]);
        assert_eq!(
            parse("\"\" <tel:+33369670015>").display().into_exposed(),
            &b""[..]
        );
    }

    #[test]
    fn wrong_values_say_why() {
        for (raw, error) in [
            ("", NameAddrError::Missing),
            ("<>", NameAddrError::Missing),
            (";tag=1", NameAddrError::Missing),
            ("<sip:a@b", NameAddrError::Unbalanced),
            ("\"open <sip:a@b>", NameAddrError::Unbalanced),
            ("<sip:a@b> junk", NameAddrError::Trailing),
            ("Bell, Alexander <sip:a@b>", NameAddrError::DisplayName),
        ] {
            assert_eq!(NameAddr::parse(raw.as_bytes()), Err(error), "{raw}");
        }
    }

    #[test]
    fn an_identity_is_salvaged_where_its_meaning_is_clear() {
        for (raw, uri, tag) in [
            ("Bell, Alexander <sip:a@b>;tag=43", "sip:a@b", "43"),
            ("\"open <sip:a@b>;tag=1", "sip:a@b", "1"),
            ("<sip:a@b> junk;tag=2", "sip:a@b", "2"),
            ("\"Jeanne\" sip:a@b;tag=3", "\"Jeanne\" sip:a@b", "3"),
        ] {
            let from = NameAddr::parse_liberal(raw.as_bytes()).unwrap();
            assert_eq!(from.uri_bytes(), uri.as_bytes(), "{raw}");
            assert_eq!(from.tag(), Some(tag.as_bytes()), "{raw}");
        }
        for raw in [
            "",
            "<>;tag=1",
            "\"a <sip:b@c> <sip:d@e>;tag=1",
            "<sip:a@b>, <sip:c@d>",
        ] {
            assert!(NameAddr::parse_liberal(raw.as_bytes()).is_err(), "{raw}");
        }
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let shown = format!("{:?}", parse("\"Jeanne\" <sip:+33612345678@h>;tag=+336"));
        assert!(
            !shown.contains("336") && !shown.contains("Jeanne"),
            "{shown}"
        );
    }
}
