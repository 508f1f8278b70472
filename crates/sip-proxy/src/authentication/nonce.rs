//! Nonces: their own time and number, sealed; and which of them have been used how often.

use std::{
    collections::BTreeMap,
    fmt,
    hash::Hasher as _,
    time::{Duration, Instant},
};

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// A nonce of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonce {
    /// Milliseconds since the node was started.
    issued_at: u64,
    /// The number of the challenge: no two have the same.
    number: u64,
}

/// A nonce as text.
#[derive(Clone, Copy)]
pub(super) struct Sealed {
    nonce: Nonce,
    seal: u128,
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Nonce { issued_at, number } = self.nonce;
        write!(f, "{issued_at:016x}{number:016x}{:032x}", self.seal)
    }
}

impl Nonce {
    fn seal(self, key: [u64; 2]) -> Sealed {
        let mut hasher = SipHasher24::new_with_keys(key[0], key[1]);
        hasher.write_u64(self.issued_at);
        hasher.write_u64(self.number);
        Sealed {
            nonce: self,
            seal: hasher.finish128().as_u128(),
        }
    }

    /// Reads a nonce; `None` when it is not one of ours.
    pub(super) fn open(text: &[u8], key: [u64; 2]) -> Option<Self> {
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.len() == 64)?;
        let number =
            |range| u64::from_str_radix(text.get::<std::ops::Range<usize>>(range)?, 16).ok();
        let nonce = Self {
            issued_at: number(0..16)?,
            number: number(16..32)?,
        };
        (nonce.seal(key).to_string() == text).then_some(nonce)
    }
}

/// Why a nonce of ours is not good any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceError {
    /// Too old, or forgotten since.
    Old,
    /// Used with this count, or a higher one.
    Used,
}

/// Makes nonces, and remembers those that were used.
#[derive(Debug)]
pub(super) struct Nonces {
    began: Instant,
    key: [u64; 2],
    lifetime: Duration,
    used_max: usize,
    next: u64,
    /// By number, so by age: when it was issued, and its highest count.
    used: BTreeMap<u64, (u64, u32)>,
    /// Numbers below this are forgotten, and so too old.
    forgotten_below: u64,
}

impl Nonces {
    pub(super) const fn new(
        began: Instant,
        key: [u64; 2],
        lifetime: Duration,
        used_max: usize,
    ) -> Self {
        Self {
            began,
            key,
            lifetime,
            used_max,
            next: 0,
            used: BTreeMap::new(),
            forgotten_below: 0,
        }
    }

    pub(super) fn issue(&mut self, now: Instant) -> Sealed {
        let nonce = Nonce {
            issued_at: self.millis(now),
            number: self.next,
        };
        self.next += 1;
        nonce.seal(self.key)
    }

    /// Notes that a nonce was used with this count; `None` stands for a use without one.
    pub(super) fn use_up(
        &mut self,
        now: Instant,
        nonce: Nonce,
        count: Option<u32>,
    ) -> Result<(), NonceError> {
        self.forget_old(now);
        let is_old = self.is_old(now, nonce.issued_at) || nonce.number < self.forgotten_below;
        if is_old {
            return Err(NonceError::Old);
        }
        let count = count.unwrap_or(u32::MAX);
        let (_, highest) = self
            .used
            .entry(nonce.number)
            .or_insert((nonce.issued_at, 0));
        if count <= *highest {
            return Err(NonceError::Used);
        }
        *highest = count;
        while self.used.len() > self.used_max
            && let Some((number, _)) = self.used.pop_first()
        {
            self.forgotten_below = number + 1;
        }
        Ok(())
    }

    /// Numbers rise with time, so the first are the oldest.
    fn forget_old(&mut self, now: Instant) {
        while let Some(oldest) = self.used.first_entry() {
            let (issued_at, _) = *oldest.get();
            let age = self.began + Duration::from_millis(issued_at) + self.lifetime;
            if now <= age {
                return;
            }
            oldest.remove();
        }
    }

    fn is_old(&self, now: Instant, issued_at: u64) -> bool {
        let lifetime = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        self.millis(now) > issued_at.saturating_add(lifetime)
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
