//! The branch of our Via: unique, and with a hash by which we know our own request again when it
//! comes back (RFC 3261 §16.6 step 8, RFC 5393 §4.2).

use std::hash::Hasher as _;

use sip::{Digits, HeaderName, Request};
use siphasher::sip::SipHasher13;

/// What a request would have to keep to be in a loop and not in a spiral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopHash(u64);

impl LoopHash {
    /// Over the request as it came: Request-URI, Route and Proxy-Require, since they decide what we do
    /// with it (RFC 5393 §4.2.1), From, To, Call-ID and CSeq, since they say which one it is. Via and
    /// the method are left out: an ACK takes the way of its INVITE, and Via grows with each turn.
    pub(super) fn of(request: &Request, key: [u64; 2]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(key[0], key[1]);
        let mut part = |bytes: &[u8]| {
            hasher.write_usize(bytes.len());
            hasher.write(bytes);
        };
        part(request.uri_bytes());
        part(request.call_id());
        part(request.from_tag().unwrap_or_default());
        part(request.to_tag().unwrap_or_default());
        for name in [HeaderName::Route, HeaderName::ProxyRequire] {
            for element in request.elements(name) {
                part(element);
            }
            part(b"");
        }
        hasher.write_u32(request.cseq_number());
        Self(hasher.finish())
    }

    /// A branch: `unique` with the cookie, and this hash.
    pub(super) fn branch(self, unique: &str) -> String {
        [unique, SEPARATOR, Digits::hex_of_16(self.0).as_str()].concat()
    }

    /// The branch of a request that we keep nothing of: the same whenever the request comes again.
    pub(super) fn stateless_branch(self, request: &Request) -> String {
        let mut hasher = SipHasher13::new_with_keys(self.0, self.0);
        hasher.write(request.branch().unwrap_or_default());
        let cookie = String::from_utf8_lossy(sip::MAGIC_COOKIE);
        let hash = Digits::hex_of_16(hasher.finish());
        self.branch(&(cookie + hash.as_str()))
    }

    /// Whether a branch of ours has this hash.
    pub(super) fn is_in(self, branch: &[u8]) -> bool {
        let ours = Digits::hex_of_16(self.0);
        let before = branch.strip_suffix(ours.as_bytes());
        before.is_some_and(|before| before.ends_with(SEPARATOR.as_bytes()))
    }
}

/// Between the two parts. No part has it.
const SEPARATOR: &str = ".";
