//! Identifiers that we give out: branches, tags, Call-IDs and call ids. They come from a keyed hash
//! of a counter, so a run repeats from its seed and nobody outside can guess the next one.

use std::{fmt, hash::Hasher as _, sync::Arc};

use bytes::Bytes;
use siphasher::sip::SipHasher24;

/// Makes identifiers. The seed is entropy that the shell gives at construction.
#[derive(Clone, Debug)]
pub struct IdSource {
    seed: [u64; 2],
    counter: u64,
}

impl IdSource {
    /// A source that yields the same identifiers for the same seed.
    pub const fn new(seed: [u64; 2]) -> Self {
        Self { seed, counter: 0 }
    }

    /// A branch with the cookie of RFC 3261 §8.1.1.7.
    pub fn branch(&mut self) -> String {
        let hash = self.next_hash();
        format!("z9hG4bK{hash:016x}{:x}", self.counter)
    }

    /// A tag, or the local part of a Call-ID.
    pub fn token(&mut self) -> String {
        let hash = self.next_hash();
        format!("{hash:016x}{:x}", self.counter)
    }

    /// A tag that also says which call it belongs to, so that a request inside a dialog finds its
    /// call without a table: see [`CallNumber::of_tag`].
    pub fn tag(&mut self, call: CallNumber) -> Bytes {
        let hash = self.next_hash();
        Bytes::from(format!("{hash:016x}-{:x}-{:x}", self.counter, call.0))
    }

    /// A call id.
    pub fn call_id(&mut self) -> CallId {
        let first = self.next_hash();
        CallId(Arc::from(format!("{first:016x}{:x}", self.counter)))
    }

    fn next_hash(&mut self) -> u64 {
        self.counter += 1;
        let mut hasher = SipHasher24::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u64(self.counter);
        hasher.finish()
    }
}

/// A call's number on this node: ascending in the order of arrival, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(u64);

impl CallNumber {
    /// The call of this number, for an owner that has kept [`CallNumber::value`].
    pub const fn from_value(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The call that one of our tags names. The tag itself must still be compared with the
    /// dialog's: anybody can write a number.
    pub(crate) fn of_tag(tag: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(tag).ok()?.rsplit_once('-')?.1;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// The call id: one name for a caller's journey from the first INVITE to the last BYE, across
/// transfers and sites. At most 33 characters, letters and digits only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Arc<str>);

impl std::borrow::Borrow<str> for CallId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl CallId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One INVITE to one phone of an agent. Given by the owner of [`crate::Calls`]; several attempts
/// may belong to one offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_from_the_seed_and_never_within_a_run() {
        let mut a = IdSource::new([1, 2]);
        let mut b = IdSource::new([1, 2]);
        let made: Vec<_> = (0..1000).map(|_| a.branch()).collect();
        assert!(
            made.iter()
                .all(|id| *id == b.branch() && id.starts_with("z9hG4bK"))
        );
        let unique: std::collections::BTreeSet<_> = made.iter().collect();
        assert_eq!(unique.len(), made.len());
        assert_ne!(IdSource::new([1, 3]).token(), IdSource::new([1, 2]).token());
    }

    #[test]
    fn a_tag_names_its_call() {
        let mut ids = IdSource::new([7, 7]);
        let call = CallNumber::from_value(0xabc);
        assert_eq!(CallNumber::of_tag(&ids.tag(call)), Some(call));
        for foreign in ["", "abc", "x-y", "1-2-zz", "9-ffffffffffffffffff"] {
            assert_eq!(CallNumber::of_tag(foreign.as_bytes()), None, "{foreign}");
        }
        assert!(ids.call_id().as_str().len() <= 64);
    }
}
