//! The digest of RFC 7616 as SIP uses it (RFC 3261 §22.4, RFC 8760): algorithms, credentials, and the
//! response that proves them.

use std::fmt;

use digest::Digest;

/// A hash algorithm of RFC 8760 §2.1, or the MD5 of RFC 3261.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `SHA-512-256`: SHA-512/256 of FIPS 180-4.
    Sha512Trunc256,
    /// `SHA-256`.
    Sha256,
    /// `MD5`: broken as a hash, and what old phones know.
    Md5,
}

impl Algorithm {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Sha512Trunc256, Self::Sha256, Self::Md5];

    /// The name in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha512Trunc256 => "SHA-512-256",
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The algorithm of this name, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|one| name.eq_ignore_ascii_case(one.name().as_bytes()))
    }

    /// How many hexadecimal digits a hash has.
    pub const fn digits(self) -> usize {
        match self {
            Self::Sha512Trunc256 | Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }

    /// The hash of the parts joined by colons, in lower-case hexadecimal digits.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Sha512Trunc256 => hash::<sha2::Sha512_256>(parts),
            Self::Sha256 => hash::<sha2::Sha256>(parts),
            Self::Md5 => hash::<md5::Md5>(parts),
        }
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        text += &format!("{byte:02x}");
    }
    text
}

/// What a password becomes for one user, realm and algorithm: `H(user:realm:password)`. It is as
/// good as the password within its realm, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: Algorithm,
    digits: String,
}

/// Why text is no HA1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the {} hexadecimal digits of an HA1 by {}", algorithm.digits(), algorithm.name())]
pub struct Ha1Error {
    algorithm: Algorithm,
}

impl Ha1 {
    /// Of a password.
    pub fn of_password(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Self {
        let digits = algorithm.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        Self { algorithm, digits }
    }

    /// From its hexadecimal digits.
    ///
    /// # Errors
    /// [`Ha1Error`] when they are none, or not as many as the algorithm has.
    pub fn parse(algorithm: Algorithm, digits: &str) -> Result<Self, Ha1Error> {
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || digits.len() != algorithm.digits() {
            return Err(Ha1Error { algorithm });
        }
        let digits = digits.to_ascii_lowercase();
        Ok(Self { algorithm, digits })
    }

    /// Its algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its hexadecimal digits. Whoever has them can be the user.
    pub fn expose(&self) -> &str {
        &self.digits
    }

    /// The `response` that proves it for one request.
    pub fn response(&self, proof: &Proof<'_>) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let ha2 = hash(&[proof.method, proof.uri]);
        let ha1 = self.digits.as_bytes();
        match proof.quality {
            Some(Quality { nc, cnonce }) => hash(&[
                ha1,
                proof.nonce,
                nc,
                cnonce,
                QOP_AUTH.as_bytes(),
                ha2.as_bytes(),
            ]),
            None => hash(&[ha1, proof.nonce, ha2.as_bytes()]),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, ***)", self.algorithm.name())
    }
}

/// What a response is made of besides the password.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The request's method.
    pub method: &'a [u8],
    /// The `uri` parameter.
    pub uri: &'a [u8],
    /// The `nonce` parameter.
    pub nonce: &'a [u8],
    /// With `qop=auth`; without it the response is that of RFC 2069.
    pub quality: Option<Quality<'a>>,
}

/// What `qop=auth` adds.
#[derive(Clone, Copy, Debug)]
pub struct Quality<'a> {
    /// The `nc` parameter: eight hexadecimal digits.
    pub nc: &'a [u8],
    /// The `cnonce` parameter.
    pub cnonce: &'a [u8],
}

/// The quality of protection that we ask for and that [`Quality`] stands for.
pub const QOP_AUTH: &str = "auth";

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616 §3.9.1, which gives both responses.
    #[test]
    fn the_example_of_rfc_7616() {
        let proof = Proof {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            quality: Some(Quality {
                nc: b"00000001",
                cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            }),
        };
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let ha1 = Ha1::of_password(
                algorithm,
                "Mufasa",
                "http-auth@example.org",
                "Circle of Life",
            );
            assert_eq!(ha1.response(&proof), response);
        }
    }

    /// The vector of FIPS 180-4 for SHA-512/256 of "abc".
    #[test]
    fn sha_512_256_is_the_truncated_one_of_fips_180_4() {
        assert_eq!(
            Algorithm::Sha512Trunc256.hash(&[b"abc"]),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    /// RFC 2617 §3.5 without its qop: what RFC 2069 phones send.
    #[test]
    fn without_quality_the_old_form_holds() {
        let ha1 = Ha1::of_password(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "CircleOfLife",
        );
        let proof = Proof {
            method: b"GET",
            uri: b"/dir/index.html",
            nonce: b"dcd98b7102dd2f0e8b11d0f600bfb0c093",
            quality: None,
        };
        assert_eq!(ha1.response(&proof), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn an_ha1_is_read_and_not_shown() {
        let ha1 = Ha1::of_password(Algorithm::Sha256, "arm-1", "samu", "secret");
        let again = Ha1::parse(Algorithm::Sha256, &ha1.expose().to_uppercase()).unwrap();
        assert_eq!(ha1, again);
        assert_eq!(format!("{ha1:?}"), "Ha1(SHA-256, ***)");
        for wrong in ["", "12", &"g".repeat(64)] {
            assert!(Ha1::parse(Algorithm::Sha256, wrong).is_err());
        }
        assert_eq!(Algorithm::of(b"sha-256"), Some(Algorithm::Sha256));
        assert_eq!(Algorithm::of(b"SHA-1"), None);
    }
}
