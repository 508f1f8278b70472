//! Systems under the same calls in turn: what each call costs each of them.

use std::{path::Path, time::Duration};

use anyhow::ensure;

use super::{
    Load,
    child::rest,
    root,
    series::Series,
    sipp::{Calls, Played},
    system::System,
};

/// How often a run is made again in which a call failed: a machine that others use too drops a datagram now
/// and then.
const AGAIN_MOST: usize = 4;

/// Microseconds of processor time per completed call, of each run of a system; or why there are none.
pub(super) type Cost = anyhow::Result<Series>;

/// What the calls of one run have cost a system.
#[derive(Clone, Copy, Debug)]
struct Charge {
    calls: u32,
    processor: Duration,
}

/// What a system's runs have cost so far.
#[derive(Debug, Default)]
struct Account {
    charges: Vec<Charge>,
    /// What it had used when its last run began.
    begun: Option<Duration>,
    /// Why it is measured no more.
    failed: Option<anyhow::Error>,
}

/// What calls cost each of some systems.
///
/// The systems take turns. A system is charged with all that it uses from the beginning of its run to
/// that of its next one: what it does later for its calls, when it forgets them, is theirs too. One that cannot
/// carry the calls, on this machine, today, takes no figure of another with it.
pub(super) fn processor(
    load: Load,
    systems: &[&System],
    calls: &Calls,
) -> anyhow::Result<Vec<Cost>> {
    let warm_up = Calls::new(calls.shape, calls.rate, load.warm_up());
    let mut accounts = Vec::new();
    for system in systems {
        let mut account = Account::default();
        account.failed = flawless_at_last(system, &warm_up, &mut account)?.err();
        accounts.push(account);
    }
    for _ in 0..load.runs {
        for (system, account) in systems.iter().zip(&mut accounts) {
            if account.failed.is_none() {
                account.run(system, calls)?;
            }
        }
    }
    rest(load.settle());
    let costs = systems.iter().zip(accounts);
    let costs = costs.map(|(system, account)| account.close(system, calls.rate));
    costs.collect()
}

impl Account {
    /// Has one more run.
    fn run(&mut self, system: &System, calls: &Calls) -> anyhow::Result<()> {
        let now = system.processor_time()?;
        self.charge(now);
        self.begun = Some(now);
        match flawless_at_last(system, calls, self)? {
            Ok(played) => self.charges.push(Charge {
                calls: played.completed,
                processor: Duration::ZERO,
            }),
            Err(error) => self.failed = Some(error),
        }
        Ok(())
    }

    /// Puts what was used since a run began on that run.
    fn charge(&mut self, now: Duration) {
        if let (Some(last), Some(begun)) = (self.charges.last_mut(), self.begun) {
            last.processor = now.saturating_sub(begun);
        }
    }

    /// What all its runs have cost.
    fn close(mut self, system: &System, rate: u32) -> anyhow::Result<Cost> {
        self.charge(system.processor_time()?);
        let micros = self.charges.iter().map(|charge| charge.micros()).collect();
        let what = format!("{}, {rate} calls/s, CPU per call", system.name);
        Ok(match self.failed {
            None => Ok(Series::new(what, "µs", micros)),
            Some(error) => Err(error),
        })
    }
}

/// Plays calls until none of them has failed, with the account begun when the last time did; or says what failed in the
/// end.
#[expect(clippy::print_stdout, reason = "whoever reads the figures is to know")]
fn flawless_at_last(
    system: &System,
    calls: &Calls,
    account: &mut Account,
) -> anyhow::Result<anyhow::Result<Played>> {
    let mut played = flawless(system, calls);
    for _ in 0..AGAIN_MOST {
        let Err(error) = &played else { break };
        println!("  once more: {error}");
        // The time until now is on nobody's account.
        account.begun = Some(system.processor_time()?);
        played = flawless(system, calls);
    }
    Ok(played)
}

impl Charge {
    fn micros(self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / f64::from(self.calls)
    }
}

/// A folder as it is called in the workspace: what is written down is to mean something elsewhere.
fn of_workspace(folder: &Path) -> &Path {
    let root = root().ok();
    root.and_then(|root| folder.strip_prefix(root).ok())
        .unwrap_or(folder)
}

/// Plays calls of which none may fail.
pub(super) fn flawless(system: &System, calls: &Calls) -> anyhow::Result<Played> {
    let played = system.play(calls)?;
    ensure!(
        played.failed == 0 && played.completed == calls.count,
        "{}, {} calls/s: {} of {} calls failed (SIPp's errors are in {})",
        system.name,
        calls.rate,
        calls.count - played.completed,
        calls.count,
        of_workspace(&system.folder).display()
    );
    Ok(played)
}

/// The median of a cost.
pub(super) fn median(cost: &Cost) -> Result<f64, &anyhow::Error> {
    cost.as_ref().map(Series::median)
}

/// One cost divided by another, of their medians.
pub(super) fn ratio<'a>(one: &'a Cost, other: &'a Cost) -> Result<f64, &'a anyhow::Error> {
    Ok(median(one)? / median(other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_charged_with_what_was_used_until_the_next() {
        let millis = Duration::from_millis;
        let mut account = Account::default();
        // Nothing has run before the first run.
        account.charge(millis(5));
        account.begun = Some(millis(5));
        account.charges.push(Charge {
            calls: 100,
            processor: Duration::ZERO,
        });
        account.charge(millis(9));
        assert!((account.charges[0].micros() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_is_of_medians() {
        let series = |values: &[f64]| Ok(Series::new("", "", values.to_vec()));
        let (one, other) = (series(&[1.0, 2.0, 90.0]), series(&[4.0]));
        let found = ratio(&one, &other).unwrap();
        assert!((found - 0.5).abs() < 1e-9);
        let lost = Err(anyhow::anyhow!("it lost calls"));
        let missing = ratio(&one, &lost).unwrap_err();
        assert_eq!(missing.to_string(), "it lost calls");
    }
}
