//! Instants as numbers that a later process understands.

use std::time::{Duration, Instant};

/// Nanoseconds from a zero that all processes of a journal share, to and from instants of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    now: Instant,
    nanos: i64,
}

impl Clock {
    /// A clock on which it is `nanos` at `now`.
    pub const fn new(now: Instant, nanos: i64) -> Self {
        Self { now, nanos }
    }

    /// An instant of this process, as a number. Times beyond 292 years are its ends.
    pub fn nanos(&self, at: Instant) -> i64 {
        let signed = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        if at >= self.now {
            self.nanos.saturating_add(signed(at - self.now))
        } else {
            self.nanos.saturating_sub(signed(self.now - at))
        }
    }

    /// The instant of a number: that of this clock's beginning where the process cannot name an earlier
    /// one.
    pub fn instant(&self, nanos: i64) -> Instant {
        let apart = Duration::from_nanos(nanos.abs_diff(self.nanos));
        let at = if nanos >= self.nanos {
            self.now.checked_add(apart)
        } else {
            self.now.checked_sub(apart)
        };
        at.unwrap_or(self.now)
    }
}
