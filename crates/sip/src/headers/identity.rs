//! Identity (RFC 8224): what an operator's signature says of the caller's number.
//!
//! It is read, not verified: whether it may be believed is for whoever terminates the operators'
//! trust, and an emergency call is taken in any case.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::split_params;

/// A PASSporT longer than that is none that an operator makes.
const TOKEN_LEN_MAX: usize = 8 * 1024;

/// How far the signing operator vouches for the caller (RFC 8588 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attestation {
    /// `A`: the operator knows the customer, and that the number is the customer's.
    Full,
    /// `B`: it knows the customer and not the number.
    Partial,
    /// `C`: the call has only passed through it.
    Gateway,
}

impl Attestation {
    /// The letter of RFC 8588.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Full => "A",
            Self::Partial => "B",
            Self::Gateway => "C",
        }
    }

    /// What the value of an Identity header attests; `None` when it says nothing of it or cannot be
    /// read.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (token, _) = split_params(value);
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        // RFC 8225 §7: in the compact form header and claims are left out.
        let claims = token.split(|&byte| byte == b'.').nth(1)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        match attest(&claims)? {
            b"A" => Some(Self::Full),
            b"B" => Some(Self::Partial),
            b"C" => Some(Self::Gateway),
            _ => None,
        }
    }
}

/// The value of the claim `attest`, a word of letters. Nested claims (`orig`, `dest`) have none of that name.
fn attest(claims: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"\"attest\"";
    let at = memchr::memmem::find(claims, NAME)?;
    let rest = claims[at + NAME.len()..].trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start();
    let rest = rest.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(claims: &str) -> Vec<u8> {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","ppt":"shaken","typ":"passport"}"#);
        let claims = URL_SAFE_NO_PAD.encode(claims);
        format!("{head}.{claims}.c2ln;info=<https://cert.example/c.pem>;alg=ES256;ppt=shaken")
            .into_bytes()
    }

    #[test]
    fn the_claim_is_read_whatever_stands_around_it() {
        let cases = [
            (r#"{"attest":"A","orig":{"tn":"33612345678"}}"#, Some("A")),
            (r#"{"orig":{"tn":"1"}, "attest" : "B" }"#, Some("B")),
            (r#"{"attest":"C"}"#, Some("C")),
            (r#"{"attest":"D"}"#, None),
            (r#"{"attest":1}"#, None),
            (r#"{"orig":{"tn":"1"}}"#, None),
            ("", None),
        ];
        for (claims, letter) in cases {
            let read = Attestation::parse(&identity(claims)).map(Attestation::letter);
            assert_eq!(read, letter, "{claims}");
        }
    }

    #[test]
    fn what_is_no_passport_attests_nothing() {
        for value in ["", "..sig;info=<x>", "a.%%%.c", "only-one", "a.b"] {
            assert_eq!(Attestation::parse(value.as_bytes()), None, "{value}");
        }
    }
}
