//! Who a phone is: digest authentication by RFC 3261 §22 and RFC 8760.
//!
//! A challenge costs no memory: its nonce carries its own time and number under a keyed hash. Only
//! a nonce that was used rightly is remembered, with the highest count that came with it, until it
//! would be too old anyway: so nothing that was overheard can be sent again.

mod nonce;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sip::{Builder, HeaderName, Request, headers::Credentials};
use subtle::ConstantTimeEq as _;

use self::nonce::{Nonce, NonceError, Nonces};
use crate::{
    binding::Aor,
    digest::{Algorithm, Ha1, Proof, QOP_AUTH, Quality},
};

/// How phones prove who they are.
#[derive(Clone, Debug)]
pub struct AuthenticationSettings {
    /// The realm: what the passwords are for. Usually the domain.
    pub realm: String,
    /// The algorithms that are offered, the preferred first (RFC 8760 §2.4).
    pub algorithms: Vec<Algorithm>,
    /// For how long one nonce may be used.
    pub nonce_lifetime: Duration,
    /// Used nonces that are remembered at most. Beyond it the oldest of them count as too old.
    pub nonces_max: usize,
    /// A secret that seals nonces.
    pub key: [u64; 2],
}

impl AuthenticationSettings {
    /// Usual values for a realm.
    pub fn new(realm: impl Into<String>, key: [u64; 2]) -> Self {
        Self {
            realm: realm.into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            nonces_max: 100_000,
            key,
        }
    }
}

/// Somebody who may prove to be an address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// Whose phone it is.
    pub aor: Aor,
    /// One for each algorithm that the phone may use.
    pub secrets: Vec<Ha1>,
}

/// What a request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It comes from this address-of-record.
    Proven(Aor),
    /// Nothing: it is to be challenged.
    Unproven(Unproven),
}

/// Why a request proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unproven {
    /// It brings no credentials for our realm: the usual first try.
    NoCredentials,
    /// The credentials lack something, or ask for an algorithm that is not offered.
    Malformed,
    /// They are for another URI than the request's.
    OtherUri,
    /// No such user, or not this password.
    Wrong,
    /// Right, but the nonce is too old, or not ours since we were started anew.
    Stale,
    /// Right, but they have been used before.
    Replayed,
}

impl Unproven {
    /// A short name for metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoCredentials => "no-credentials",
            Self::Malformed => "credentials-malformed",
            Self::OtherUri => "credentials-other-uri",
            Self::Wrong => "credentials-wrong",
            Self::Stale => "credentials-stale",
            Self::Replayed => "credentials-replayed",
        }
    }

    /// Whether the phone knows the password, and needs a new nonce only.
    const fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Replayed)
    }
}

/// Which of the two ways to challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeBy {
    /// 401: a registrar or a user agent asks (RFC 3261 §22.2).
    Server,
    /// 407: a proxy asks (RFC 3261 §22.3).
    Proxy,
}

impl ChallengeBy {
    const fn challenge(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::WwwAuthenticate,
            Self::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    const fn credentials(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// Checks credentials and makes challenges.
#[derive(Debug)]
pub struct Authentication {
    settings: AuthenticationSettings,
    accounts: BTreeMap<String, Account>,
    nonces: Nonces,
}

impl Authentication {
    /// For these accounts. Where two have the same user name, the last counts.
    pub fn new(now: Instant, settings: AuthenticationSettings, accounts: Vec<Account>) -> Self {
        let accounts = accounts
            .into_iter()
            .map(|account| (account.user.clone(), account));
        Self {
            nonces: Nonces::new(
                now,
                settings.key,
                settings.nonce_lifetime,
                settings.nonces_max,
            ),
            accounts: accounts.collect(),
            settings,
        }
    }

    /// What a request proves. A request that proves something has used up its nonce and count.
    pub fn verify(&mut self, now: Instant, request: &Request, by: ChallengeBy) -> Verdict {
        match self.check(now, request, by) {
            Ok(aor) => Verdict::Proven(aor),
            Err(unproven) => Verdict::Unproven(unproven),
        }
    }

    /// Adds a challenge for each algorithm to a 401 or 407, the preferred first (RFC 8760 §2.4).
    pub fn challenge(
        &mut self,
        now: Instant,
        response: Builder,
        by: ChallengeBy,
        why: Unproven,
    ) -> Builder {
        let nonce = self.nonces.issue(now);
        let realm = quoted(&self.settings.realm);
        let stale = if why.is_stale() { ",stale=true" } else { "" };
        self.settings
            .algorithms
            .iter()
            .fold(response, |response, algorithm| {
                let algorithm = algorithm.name();
                response.header_fmt(
                    by.challenge(),
                    format_args!(
                        "Digest realm={realm},nonce=\"{nonce}\",algorithm={algorithm},\
                         qop=\"{QOP_AUTH}\"{stale}"
                    ),
                )
            })
    }

    fn check(&mut self, now: Instant, request: &Request, by: ChallengeBy) -> Result<Aor, Unproven> {
        let credentials = request
            .credentials(by.credentials())
            .find(|one| self.is_for_us(one))
            .ok_or(Unproven::NoCredentials)?;
        let claim = Claim::read(&credentials).ok_or(Unproven::Malformed)?;
        if !self.settings.algorithms.contains(&claim.algorithm) {
            return Err(Unproven::Malformed);
        }
        if !is_same_place(&claim.uri, request.uri_bytes()) {
            return Err(Unproven::OtherUri);
        }
        let account = std::str::from_utf8(&claim.user)
            .ok()
            .and_then(|user| self.accounts.get(user));
        let secret = account.and_then(|account| {
            let mut secrets = account.secrets.iter();
            secrets.find(|one| one.algorithm() == claim.algorithm)
        });
        // Whoever guesses names learns nothing from the time that an answer takes.
        let nobody = Ha1::of_password(claim.algorithm, "", "", "");
        let method = request.method().as_bytes();
        let expected = secret.unwrap_or(&nobody).response(&claim.proof(method));
        let is_right = bool::from(expected.as_bytes().ct_eq(&claim.response));
        let (true, Some(account), Some(_)) = (is_right, account, secret) else {
            return Err(Unproven::Wrong);
        };
        let aor = account.aor;
        let nonce = Nonce::open(&claim.nonce, self.settings.key).ok_or(Unproven::Stale)?;
        match self.nonces.use_up(now, nonce, claim.count()) {
            Ok(()) => Ok(aor),
            Err(NonceError::Old) => Err(Unproven::Stale),
            Err(NonceError::Used) => Err(Unproven::Replayed),
        }
    }

    fn is_for_us(&self, credentials: &Credentials<'_>) -> bool {
        credentials.params.is_digest()
            && credentials
                .params
                .value("realm")
                .is_some_and(|realm| *realm == *self.settings.realm.as_bytes())
    }
}

/// What credentials say.
struct Claim {
    user: Vec<u8>,
    uri: Vec<u8>,
    nonce: Vec<u8>,
    response: Vec<u8>,
    algorithm: Algorithm,
    /// `nc` and `cnonce`, with `qop=auth`.
    quality: Option<(Vec<u8>, Vec<u8>)>,
}

impl Claim {
    fn read(credentials: &Credentials<'_>) -> Option<Self> {
        let value = |name| {
            credentials
                .params
                .value(name)
                .map(std::borrow::Cow::into_owned)
        };
        let algorithm = match value("algorithm") {
            Some(name) => Algorithm::of(&name)?,
            // RFC 3261 §22.4 (8): MD5 is meant.
            None => Algorithm::Md5,
        };
        let quality = match value("qop") {
            Some(qop) if qop.eq_ignore_ascii_case(QOP_AUTH.as_bytes()) => {
                Some((value("nc")?, value("cnonce")?))
            }
            Some(_) => return None,
            None => None,
        };
        let claim = Self {
            user: value("username")?,
            uri: value("uri")?,
            nonce: value("nonce")?,
            response: value("response")?.to_ascii_lowercase(),
            algorithm,
            quality,
        };
        claim.count().is_some().then_some(claim)
    }

    fn proof<'a>(&'a self, method: &'a [u8]) -> Proof<'a> {
        Proof {
            method,
            uri: &self.uri,
            nonce: &self.nonce,
            quality: self
                .quality
                .as_ref()
                .map(|(nc, cnonce)| Quality { nc, cnonce }),
        }
    }

    /// The count of this use of the nonce. An RFC 2069 phone does not count: each of its nonces is
    /// good once.
    fn count(&self) -> Option<u32> {
        let Some((nc, _)) = &self.quality else {
            return Some(u32::MAX);
        };
        let digits = std::str::from_utf8(nc).ok().filter(|nc| nc.len() == 8)?;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// Whether the `uri` of credentials and a Request-URI mean the same user at the same host. Their
/// parameters may differ: phones write `transport` into one of them. Without a user both mean the
/// server itself, whichever of its names they use.
fn is_same_place(claimed: &[u8], request_uri: &[u8]) -> bool {
    if claimed == request_uri {
        return true;
    }
    let (Ok(claimed), Ok(actual)) = (sip::Uri::parse(claimed), sip::Uri::parse(request_uri)) else {
        return false;
    };
    let (Some(one), Some(other)) = (claimed.as_sip(), actual.as_sip()) else {
        return claimed.is_equivalent(&actual);
    };
    let user = |uri: &sip::SipUri<'_>| Some(uri.user_decoded()?.into_exposed().into_owned());
    match (user(one), user(other)) {
        (None, None) => true,
        (one_user, other_user) => {
            one_user == other_user && one.host.same_as(&other.host) && one.port == other.port
        }
    }
}

/// A quoted-string.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
