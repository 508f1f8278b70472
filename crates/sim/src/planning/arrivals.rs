//! Arrivals: a Poisson process for each line, whose rate is the same within each hour but for what the
//! scenario makes of it.

use std::time::Duration;

use config::{
    planning::{Planning, WEEK_HOURS},
    scenario::Window,
};
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
    /// How many times as many calls come, from when to when.
    demand: Vec<(f64, f64, f64)>,
}

impl Arrivals {
    pub(super) fn new(
        seed: u64,
        line: u64,
        calls_per_day: f64,
        demand: Vec<(Window, f64)>,
    ) -> Self {
        let demand = demand.into_iter().map(|(window, factor)| {
            let (from, until) = (window.from.as_secs_f64(), window.until.as_secs_f64());
            (from, until, factor)
        });
        Self {
            demand: demand.collect(),
            rate: calls_per_day / 86_400.0,
            random: Pcg64Mcg::seed_from_u64(stream(seed, line, u64::MAX)),
            at: 0.0,
        }
    }

    /// When the next call comes, since the beginning; `None` when none ever does.
    ///
    /// Exact: an exponential amount of expected calls is spent along the hours, and the edges of the
    /// scenario between them, at their rates.
    pub(super) fn next(&mut self, planning: &Planning) -> Option<Duration> {
        if self.rate <= 0.0 || planning.week.iter().all(|factor| *factor <= 0.0) {
            return None;
        }
        let mut left: f64 = Exp1.sample(&mut self.random);
        loop {
            let hour = (self.at / 3_600.0).floor();
            let (factor, edge) = self.demand_now();
            let rate = self.rate * planning.week[hour as usize % WEEK_HOURS] * factor;
            let end = ((hour + 1.0) * 3_600.0).min(edge);
            let until_end = (end - self.at) * rate;
            if left < until_end {
                self.at += left / rate;
                return Some(Duration::from_secs_f64(self.at));
            }
            left -= until_end;
            self.at = end;
        }
    }

    /// What the scenario multiplies the rate by now, and when that changes next.
    fn demand_now(&self) -> (f64, f64) {
        let (mut factor, mut edge) = (1.0, f64::INFINITY);
        for &(from, until, times) in &self.demand {
            if self.at < from {
                edge = edge.min(from);
            } else if self.at < until {
                factor *= times;
                edge = edge.min(until);
            }
        }
        (factor, edge)
    }
}
