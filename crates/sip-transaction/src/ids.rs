//! Identifiers that we give out: branches, tags, Call-IDs. They come from a keyed hash of a counter,
//! so a run repeats from its seed and nobody outside can guess the next one.

use std::hash::Hasher as _;

use sip::Digits;
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
        self.token_after("z9hG4bK")
    }

    /// A tag, or the local part of a Call-ID.
    pub fn token(&mut self) -> String {
        self.token_after("")
    }

    fn token_after(&mut self, prefix: &str) -> String {
        let hash = self.next_hash();
        let mut token = String::with_capacity(TOKEN_LEN_MAX);
        token.push_str(prefix);
        token.push_str(Digits::hex_of_16(hash).as_str());
        token.push_str(Digits::hex(self.counter).as_str());
        token
    }

    fn next_hash(&mut self) -> u64 {
        self.counter += 1;
        let mut hasher = SipHasher24::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u64(self.counter);
        hasher.finish()
    }
}

/// A cookie, two numbers, and room for a few characters that somebody adds.
const TOKEN_LEN_MAX: usize = 48;

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
}
