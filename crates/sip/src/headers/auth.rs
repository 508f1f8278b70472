//! WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization (RFC 3261 §22,
//! RFC 8760). Their commas join parameters, not values: each value stands on a line of its own,
//! and several lines offer several algorithms (RFC 8760 §2.4).

use std::{borrow::Cow, fmt};

use crate::{
    lexer::{self, Angles},
    pii::Pii,
};

use super::{HeaderError, token};

/// What a server asks for: `Digest realm="...", nonce="..."`. Nothing of it shows in `Debug` but
/// the scheme and the names of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// The scheme and the parameters.
    pub params: AuthParams<'a>,
}

/// What a client answers: `Digest username="...", response="..."`. Nothing of it shows in `Debug`
/// but the scheme and the names of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The scheme and the parameters.
    pub params: AuthParams<'a>,
}

/// A scheme and its comma-joined parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthParams<'a> {
    /// The scheme as written; compare without case.
    pub scheme: &'a [u8],
    raw: &'a [u8],
}

/// One parameter of an [`AuthParams`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuthParam<'a> {
    /// The name as written; compare without case.
    pub name: &'a [u8],
    /// The value as written, quotes and all.
    pub value: &'a [u8],
}

impl<'a> AuthParams<'a> {
    /// Reads a scheme and parameters.
    ///
    /// # Errors
    /// [`HeaderError`] when the scheme is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let value = lexer::trim(value);
        let space = value.iter().copied().position(lexer::is_lws);
        let (scheme, raw) = value.split_at(space.unwrap_or(value.len()));
        Ok(Self {
            scheme: token(scheme)?,
            raw,
        })
    }

    /// Whether the scheme is `Digest`.
    pub const fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"Digest")
    }

    /// All parameters in their order; what is no `name=value` is skipped.
    pub fn iter(&self) -> impl Iterator<Item = AuthParam<'a>> + use<'a> {
        let mut rest = self.raw;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let comma = lexer::find_outside(rest, Angles::Plain, |byte| byte == b',');
            let one = &rest[..comma.unwrap_or(rest.len())];
            rest = comma.map_or(&[], |comma| &rest[comma + 1..]);
            Some(one)
        })
        .filter_map(|one| {
            let (name, value) = lexer::split_once(one, b'=');
            let (name, value) = (lexer::trim(name), lexer::trim(value?));
            lexer::is_token_str(name).then_some(AuthParam { name, value })
        })
    }

    /// The value of the first parameter of this name, without quotes and escapes.
    pub fn value(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.iter()
            .find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|param| lexer::unquote(param.value))
    }
}

impl fmt::Debug for AuthParams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_text(f, self.scheme)?;
        let names = self.iter().map(|param| String::from_utf8_lossy(param.name));
        f.debug_list().entries(names).finish()
    }
}

impl fmt::Debug for AuthParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_text(f, self.name)?;
        f.write_str("=***")
    }
}

impl<'a> Challenge<'a> {
    /// Reads the value of WWW-Authenticate or Proxy-Authenticate.
    ///
    /// # Errors
    /// [`HeaderError`] when the scheme is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        AuthParams::parse(value).map(|params| Self { params })
    }

    /// Whose password is asked for.
    pub fn realm(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("realm")
    }

    /// What the answer is bound to.
    pub fn nonce(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("nonce")
    }

    /// What the answer must give back.
    pub fn opaque(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("opaque")
    }

    /// The hash; `MD5` is meant when there is none (RFC 3261 §22.4).
    pub fn algorithm(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("algorithm")
    }

    /// Whether the password was right and only the nonce was too old.
    pub fn is_stale(&self) -> bool {
        self.params
            .value("stale")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
    }

    /// Whether this quality of protection is offered: `auth`, `auth-int`.
    pub fn offers_qop(&self, qop: &str) -> bool {
        self.params.value("qop").is_some_and(|offered| {
            offered
                .split(|&byte| byte == b',')
                .any(|one| lexer::trim(one).eq_ignore_ascii_case(qop.as_bytes()))
        })
    }
}

impl<'a> Credentials<'a> {
    /// Reads the value of Authorization or Proxy-Authorization.
    ///
    /// # Errors
    /// [`HeaderError`] when the scheme is no token.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        AuthParams::parse(value).map(|params| Self { params })
    }

    /// Whose password was used.
    pub fn username(&self) -> Option<Pii<Cow<'a, [u8]>>> {
        self.params.value("username").map(Pii::new)
    }

    /// The realm of the challenge.
    pub fn realm(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("realm")
    }

    /// The nonce of the challenge.
    pub fn nonce(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("nonce")
    }

    /// The URI that the answer is bound to.
    pub fn uri(&self) -> Option<Pii<Cow<'a, [u8]>>> {
        self.params.value("uri").map(Pii::new)
    }

    /// The answer, in hexadecimal digits.
    pub fn response(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("response")
    }

    /// The hash; `MD5` is meant when there is none.
    pub fn algorithm(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("algorithm")
    }

    /// The opaque value of the challenge.
    pub fn opaque(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("opaque")
    }

    /// The client's nonce.
    pub fn client_nonce(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("cnonce")
    }

    /// The quality of protection that was used.
    pub fn qop(&self) -> Option<Cow<'a, [u8]>> {
        self.params.value("qop")
    }

    /// How often the nonce was used: eight hexadecimal digits.
    pub fn nonce_count(&self) -> Option<u32> {
        let digits = self.params.value("nc")?;
        let is_hex = digits.len() == 8 && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(&digits).ok().filter(|_| is_hex)?;
        u32::from_str_radix(text, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge() {
        let challenge = Challenge::parse(
            b"Digest\r\n realm=\"Samu 67, \\\"CRRA\\\"\", qop=\"auth, auth-int\",nonce=\"a=b,c\" ,\
              opaque=\"\",, stale=TRUE, algorithm=SHA-256",
        )
        .unwrap();
        assert!(challenge.params.is_digest() && challenge.is_stale());
        assert_eq!(
            challenge.realm().as_deref(),
            Some(&b"Samu 67, \"CRRA\""[..])
        );
        assert_eq!(challenge.nonce().as_deref(), Some(&b"a=b,c"[..]));
        assert_eq!(challenge.opaque().as_deref(), Some(&b""[..]));
        assert_eq!(challenge.algorithm().as_deref(), Some(&b"SHA-256"[..]));
        assert!(challenge.offers_qop("auth") && challenge.offers_qop("auth-int"));
        assert!(!challenge.offers_qop("int"));
        assert_eq!(challenge.params.iter().count(), 6);
    }

    #[test]
    fn credentials() {
        let credentials = Credentials::parse(
            b"Digest username=\"bob\",realm=r,nonce=\"n\",uri=\"sip:15@h\",nc=0000000A,\
              cnonce=\"c\",qop=auth,response=\"00ff\"",
        )
        .unwrap();
        assert_eq!(credentials.username().unwrap().expose().as_ref(), b"bob");
        assert_eq!(credentials.uri().unwrap().expose().as_ref(), b"sip:15@h");
        assert_eq!(credentials.realm().as_deref(), Some(&b"r"[..]));
        assert_eq!(credentials.response().as_deref(), Some(&b"00ff"[..]));
        assert_eq!(credentials.qop().as_deref(), Some(&b"auth"[..]));
        assert_eq!(credentials.nonce_count(), Some(10));
    }

    #[test]
    fn other_schemes_and_rubbish() {
        let unknown = Challenge::parse(b"NoOneKnowsThisScheme opaque-data=here").unwrap();
        assert!(!unknown.params.is_digest());
        assert_eq!(
            unknown.params.value("OPAQUE-DATA").as_deref(),
            Some(&b"here"[..])
        );
        assert_eq!(Challenge::parse(b"Basic").unwrap().params.iter().count(), 0);
        assert!(Challenge::parse(b"").is_err());
        assert!(Challenge::parse(b"=x realm=y").is_err());
        let bad_count = Credentials::parse(b"Digest nc=+000000a").unwrap();
        assert_eq!(bad_count.nonce_count(), None);
    }
}
