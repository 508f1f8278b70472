//! A caller: everything about one is drawn from a stream of that caller's own.

use std::time::Duration;

use config::planning::{Patience, Planning, Shape, Spread};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, LogNormal};
use rand_pcg::Pcg64Mcg;

/// A number for a stream of random numbers: the same for the same three, and unlike for any others
/// (splitmix64).
pub(super) const fn stream(seed: u64, kind: u64, number: u64) -> u64 {
    let mut bits = seed ^ kind.rotate_left(32) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What a caller needs and does.
#[derive(Debug)]
pub(super) struct Caller {
    random: Pcg64Mcg,
}

impl Caller {
    /// The caller of this number on a line.
    pub(super) fn new(seed: u64, line: u64, number: u64) -> Self {
        Self {
            random: Pcg64Mcg::seed_from_u64(stream(seed, line, number)),
        }
    }

    /// How long this caller waits; `None`: for ever.
    pub(super) fn patience(&mut self, patience: &Patience) -> Option<Duration> {
        let (hasty, within): (f64, f64) = (self.random.random(), self.random.random());
        let patient: f64 = Exp1.sample(&mut self.random);
        if hasty < patience.hasty {
            return Some(patience.hasty_within.mul_f64(within));
        }
        patience.mean.map(|mean| mean.mul_f64(patient))
    }

    /// How long this caller waits, who has shown to wait so long at least; `None`: for ever.
    pub(super) fn patience_beyond(
        &mut self,
        patience: &Patience,
        shown: Duration,
    ) -> Option<Duration> {
        // Who is not hasty any more has so much left as at the beginning: an exponential forgets.
        if shown >= patience.hasty_within {
            let left: f64 = Exp1.sample(&mut self.random);
            return patience.mean.map(|mean| shown + mean.mul_f64(left));
        }
        for _ in 0..DRAWS_MAX {
            match self.patience(patience) {
                Some(drawn) if drawn < shown => {}
                enough => return enough,
            }
        }
        Some(shown)
    }

    /// How soon a caller who gave up calls again, if ever.
    pub(super) fn calls_again(&mut self, planning: &Planning) -> Option<Duration> {
        let (share, within): (f64, f64) = (self.random.random(), self.random.random());
        let again = share < planning.repeat.share;
        again.then(|| planning.repeat.within.mul_f64(within))
    }

    /// How long something takes.
    pub(super) fn takes(&mut self, spread: &Spread) -> Duration {
        let times = match spread.shape {
            Shape::Constant => 1.0,
            Shape::Exponential => Exp1.sample(&mut self.random),
            // Of mean 1: exp(-σ²/2 + σ z), where the standard deviation is √(exp(σ²) - 1).
            Shape::LogNormal(deviation) => {
                let variance = deviation.mul_add(deviation, 1.0).ln();
                let normal = LogNormal::new(-variance / 2.0, variance.sqrt());
                normal.map_or(1.0, |normal| normal.sample(&mut self.random))
            }
        };
        spread.mean.mul_f64(times)
    }

    /// How long a person lets the phone ring.
    pub(super) fn pickup(&mut self, mean: Duration) -> Duration {
        let times: f64 = Exp1.sample(&mut self.random);
        mean.mul_f64(times)
    }

    /// Which of several shares this caller falls into; `None` for what is left of 1.
    pub(super) fn falls(&mut self, shares: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut left: f64 = self.random.random();
        shares.into_iter().position(|share| {
            left -= share;
            left < 0.0
        })
    }
}

/// How often a patience is drawn that must be longer than what a caller has shown.
const DRAWS_MAX: u32 = 1_000;
