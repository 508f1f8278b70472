//! `cargo xtask bench soak`: distributed calls at a steady rate for a time, and whether memory stays flat.

use std::{path::Path, time::Duration};

use anyhow::ensure;
use clap::Args;

use super::{
    child::rest,
    queue,
    series::Series,
    sipp::{Calls, Shape},
    system::Journal,
};

/// Between two looks at the memory.
const INTERVAL: Duration = Duration::from_secs(2);

/// What comes before the first look: finished transactions are kept for 32 s.
const WARM_UP: Duration = Duration::from_secs(40);

/// Calls last a second and a half.
const AGENTS_PER_RATE: u32 = 2;

/// How much more the last quarter may have than the first, in hundredths: what the allocator and the
/// journal's cache do by the way.
const GROWTH_MOST: f64 = 2.0;

/// How long, and how many calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Soak {
    /// How long memory is looked at. A million calls at 1,000 a second take 17.
    #[arg(long, default_value_t = 17, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Calls a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    rate: u32,
}

impl Soak {
    #[expect(clippy::print_stdout, reason = "the figures are this command's output")]
    pub(super) fn run(self, folder: &Path) -> anyhow::Result<()> {
        let system = queue::node(Journal::On, AGENTS_PER_RATE * self.rate, folder)?;
        let time = WARM_UP + Duration::from_secs(60) * self.minutes;
        let calls = Calls::new(Shape::Distributed, self.rate, time);
        println!(
            "{} calls, {} a second, after {} s of them:",
            calls.count,
            self.rate,
            WARM_UP.as_secs()
        );
        let mut playing = system.begin(calls)?;
        let mut samples = Vec::new();
        rest(WARM_UP);
        // Only while calls come: afterwards there is less.
        while playing.ended()?.is_none() && playing.completed()? < calls.count - 2 * self.rate {
            samples.push(Sample {
                calls: f64::from(playing.completed()?),
                megabytes: megabytes(system.resident()?),
            });
            rest(INTERVAL);
        }
        let played = playing.end()?;
        ensure!(
            played.failed == 0,
            "{} of {} calls failed",
            played.failed,
            calls.count
        );
        ensure!(
            samples.len() >= 8,
            "only {} samples: too short a time",
            samples.len()
        );
        let course = Course::of(&samples);
        println!("calls done: {}", played.completed);
        println!("resident memory, first quarter: {:.1} MB", course.first);
        println!("resident memory, last quarter: {:.1} MB", course.last);
        println!("slope: {:+.2} MB per million calls", course.slope);
        let growth = course.growth();
        let is_flat = growth <= GROWTH_MOST;
        println!(
            "{}: {growth:+.2} % from the first quarter to the last",
            if is_flat { "flat" } else { "not flat" }
        );
        ensure!(
            is_flat,
            "memory grew by {growth:.2} %, {GROWTH_MOST} % are allowed"
        );
        Ok(())
    }
}

/// A look at the memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Completed so far.
    calls: f64,
    megabytes: f64,
}

/// What became of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Course {
    /// Medians of the quarters.
    first: f64,
    last: f64,
    /// Megabytes for each million calls, by least squares.
    slope: f64,
}

impl Course {
    fn of(samples: &[Sample]) -> Self {
        let quarter = samples.len() / 4;
        let median = |samples: &[Sample]| {
            let values = samples.iter().map(|sample| sample.megabytes).collect();
            Series::new("", "", values).median()
        };
        Self {
            first: median(&samples[..quarter]),
            last: median(&samples[samples.len() - quarter..]),
            slope: slope(samples) * 1e6,
        }
    }

    fn growth(self) -> f64 {
        100.0 * (self.last / self.first - 1.0)
    }
}

fn slope(samples: &[Sample]) -> f64 {
    let count: f64 = samples.iter().map(|_| 1.0).sum();
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|one| one.calls), mean(|one| one.megabytes));
    let covariance: f64 = samples
        .iter()
        .map(|one| (one.calls - x) * (one.megabytes - y))
        .sum();
    let variance: f64 = samples.iter().map(|one| (one.calls - x).powi(2)).sum();
    covariance / variance
}

#[expect(clippy::cast_precision_loss, reason = "memory of a machine")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(megabytes: impl Fn(u32) -> f64) -> Course {
        let sample = |at: u32| Sample {
            calls: f64::from(at) * 10_000.0,
            megabytes: megabytes(at),
        };
        Course::of(&(0..100).map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn a_leak_shows_in_the_slope_and_between_the_quarters() {
        let leaking = course(|at| 100.0 + f64::from(at) / 10.0);
        assert!((leaking.slope - 10.0).abs() < 1e-6);
        assert!(leaking.growth() > GROWTH_MOST);
    }

    #[test]
    fn what_goes_up_and_down_is_flat() {
        let flat = course(|at| 100.0 + f64::from(at % 2));
        assert!(flat.growth() <= GROWTH_MOST, "{flat:?}");
        assert!(flat.slope.abs() < 1.0, "{flat:?}");
    }
}
