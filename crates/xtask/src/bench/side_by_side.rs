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

/// What the calls of one run have cost a system.
#[derive(Clone, Copy, Debug)]
struct Charge {
    calls: u32,
    processor: Duration,
}

/// Microseconds of processor time per completed call, of each run of each system.
///
/// The systems take turns. A system is charged with all that it uses from the beginning of its run to
/// that of its next one: what it does later for its calls, when it forgets them, is theirs too.
pub(super) fn processor(
    load: Load,
    systems: &[&System],
    calls: &Calls,
) -> anyhow::Result<Vec<Series>> {
    let warm_up = Calls::new(calls.shape, calls.rate, load.warm_up());
    for system in systems {
        flawless_at_last(system, &warm_up, &mut None)?;
    }
    let mut charges = vec![Vec::<Charge>::new(); systems.len()];
    let mut begun = vec![None; systems.len()];
    for _ in 0..load.runs {
        for (index, system) in systems.iter().enumerate() {
            let now = system.processor_time()?;
            charge(&mut charges[index], begun[index].replace(now), now);
            let played = flawless_at_last(system, calls, &mut begun[index])?;
            charges[index].push(Charge {
                calls: played.completed,
                processor: Duration::ZERO,
            });
        }
    }
    rest(load.settle());
    for (index, system) in systems.iter().enumerate() {
        charge(&mut charges[index], begun[index], system.processor_time()?);
    }
    let series = systems.iter().zip(charges).map(|(system, charges)| {
        let what = format!("{}, {} calls/s, CPU per call", system.name, calls.rate);
        Series::new(
            what,
            "µs",
            charges.iter().map(|charge| charge.micros()).collect(),
        )
    });
    Ok(series.collect())
}

/// Plays calls until none of them has failed, and says when the last time began.
#[expect(clippy::print_stdout, reason = "whoever reads the figures is to know")]
fn flawless_at_last(
    system: &System,
    calls: &Calls,
    begun: &mut Option<Duration>,
) -> anyhow::Result<Played> {
    let mut played = flawless(system, calls);
    for _ in 0..AGAIN_MOST {
        let Err(error) = &played else { break };
        println!("  once more: {error}");
        // The time until now is on nobody's account.
        *begun = Some(system.processor_time()?);
        played = flawless(system, calls);
    }
    played
}

/// Puts what was used since a run began on that run.
fn charge(charges: &mut [Charge], begun: Option<Duration>, now: Duration) {
    if let (Some(last), Some(begun)) = (charges.last_mut(), begun) {
        last.processor = now.saturating_sub(begun);
    }
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

/// One figure divided by another, of their medians.
pub(super) fn ratio(one: &Series, other: &Series) -> f64 {
    one.median() / other.median()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_charged_with_what_was_used_until_the_next() {
        let millis = Duration::from_millis;
        let mut charges = vec![];
        // Nothing has run before the first run.
        charge(&mut charges, None, millis(5));
        charges.push(Charge {
            calls: 100,
            processor: Duration::ZERO,
        });
        charge(&mut charges, Some(millis(5)), millis(9));
        assert!((charges[0].micros() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_is_of_medians() {
        let series = |values: &[f64]| Series::new("", "", values.to_vec());
        let ratio = ratio(&series(&[1.0, 2.0, 90.0]), &series(&[4.0]));
        assert!((ratio - 0.5).abs() < 1e-9);
    }
}
