//! Arrivals: a Poisson process for each line, whose rate is the same within each hour.

use std::time::Duration;

use config::planning::{Planning, WEEK_HOURS};
use engine::acd::LineId;
use rand::SeedableRng;
use rand_distr::{Distribution, Exp1};
use rand_pcg::Pcg64Mcg;

use super::callers::stream;

/// The calls from outside of one line.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Calls in a second of the mean hour.
    rate: f64,
    random: Pcg64Mcg,
    /// How much of the present hour has passed, in seconds since the beginning.
    at: f64,
}

impl Arrivals {
    pub(super) fn new(seed: u64, line: LineId, calls_per_day: f64) -> Self {
        Self {
            rate: calls_per_day / 86_400.0,
            random: Pcg64Mcg::seed_from_u64(stream(seed, line.index() as u64, u64::MAX)),
            at: 0.0,
        }
    }

    /// When the next call comes, since the beginning; `None` when none ever does.
    ///
    /// Exact: an exponential amount of expected calls is spent along the hours at their rates.
    pub(super) fn next(&mut self, planning: &Planning) -> Option<Duration> {
        if self.rate <= 0.0 || planning.week.iter().all(|factor| *factor <= 0.0) {
            return None;
        }
        let mut left: f64 = Exp1.sample(&mut self.random);
        loop {
            let hour = (self.at / 3_600.0).floor();
            let rate = self.rate * planning.week[hour as usize % WEEK_HOURS];
            let end = (hour + 1.0) * 3_600.0;
            let until_end = (end - self.at) * rate;
            if left < until_end {
                self.at += left / rate;
                return Some(Duration::from_secs_f64(self.at));
            }
            left -= until_end;
            self.at = end;
        }
    }
}
