//! How much a trunk may send, and how much it does: calls at a time, and new calls a second.

use std::time::{Duration, Instant};

use crate::trunk::{TrunkId, Trunks};

/// What an operator and we have agreed on; `None` where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrunkLimits {
    /// Calls at a time.
    pub calls_max: Option<usize>,
    /// New calls a second. As many may come at once after a quiet second.
    pub calls_per_second: Option<u32>,
}

/// Which limit a new call is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeyondLimit {
    /// [`TrunkLimits::calls_max`].
    #[error("the trunk has as many calls as it may")]
    Calls,
    /// [`TrunkLimits::calls_per_second`].
    #[error("the trunk's calls come too fast")]
    Rate,
}

/// The calls of each trunk.
#[derive(Debug)]
pub struct TrunkLoads {
    loads: Vec<Load>,
}

#[derive(Clone, Copy, Debug)]
struct Load {
    limits: TrunkLimits,
    calls: usize,
    /// When the calls that were admitted would all have come at the agreed rate.
    paid_until: Option<Instant>,
}

impl Load {
    /// Until when the calls would have come with one more; `None` where nobody asks how fast they come.
    fn room(&self, now: Instant) -> Result<Option<Instant>, BeyondLimit> {
        if self.limits.calls_max.is_some_and(|max| self.calls >= max) {
            return Err(BeyondLimit::Calls);
        }
        let Some(rate) = self.limits.calls_per_second else {
            return Ok(None);
        };
        let interval = Duration::from_secs(1) / rate.max(1);
        let paid_until = self.paid_until.map_or(now, |until| until.max(now)) + interval;
        if paid_until > now + Duration::from_secs(1) {
            return Err(BeyondLimit::Rate);
        }
        Ok(Some(paid_until))
    }
}

impl TrunkLoads {
    /// No calls yet.
    pub fn new(trunks: &Trunks) -> Self {
        let loads = trunks.iter().map(|(_, trunk)| Load {
            limits: trunk.limits,
            calls: 0,
            paid_until: None,
        });
        Self {
            loads: loads.collect(),
        }
    }

    /// Counts a new call of a trunk, if there is room for it. [`TrunkLoads::end`] takes it off again.
    ///
    /// # Errors
    /// [`BeyondLimit`]: it was not counted.
    pub fn begin(&mut self, now: Instant, trunk: TrunkId) -> Result<(), BeyondLimit> {
        let Some(load) = self.loads.get_mut(trunk.index()) else {
            return Ok(());
        };
        load.paid_until = load.room(now)?;
        load.calls += 1;
        Ok(())
    }

    /// Whether there is room for a new call of a trunk, which is not counted.
    pub fn has_room(&self, now: Instant, trunk: TrunkId) -> bool {
        let load = self.loads.get(trunk.index());
        load.is_none_or(|load| load.room(now).is_ok())
    }

    /// Counts a call of a trunk that came before we did, whatever the limits.
    pub fn resume(&mut self, trunk: TrunkId) {
        if let Some(load) = self.loads.get_mut(trunk.index()) {
            load.calls += 1;
        }
    }

    /// A call of a trunk is over.
    pub fn end(&mut self, trunk: TrunkId) {
        if let Some(load) = self.loads.get_mut(trunk.index()) {
            debug_assert!(load.calls > 0, "each call ends once");
            load.calls = load.calls.saturating_sub(1);
        }
    }

    /// Calls of a trunk now.
    pub fn calls(&self, trunk: TrunkId) -> usize {
        self.loads.get(trunk.index()).map_or(0, |load| load.calls)
    }
}
