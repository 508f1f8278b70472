//! What a storm tells: how it went, or what did not hold.

use std::{any::Any, fmt, time::Duration};

use engine::Outcome;

use super::faults::FaultCounts;

/// How many calls there were, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that began.
    pub calls: u64,
    /// Those that a person answered.
    pub answered: u64,
    /// Those whose caller gave up.
    pub abandoned: u64,
    /// Those that we ended before an answer.
    pub failed: u64,
    /// Callers who were refused at the door.
    pub blocked: u64,
    /// How long the calls lasted, all together.
    pub lasted: Duration,
}

impl Tally {
    pub(super) const fn note_end(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Answered | Outcome::Diverted => self.answered += 1,
            Outcome::Abandoned => self.abandoned += 1,
            Outcome::Failed => self.failed += 1,
        }
    }
}

/// How a storm went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What became of the calls.
    pub tally: Tally,
    /// What went wrong.
    pub faults: FaultCounts,
    /// Processes that began after others.
    pub restarts: u64,
    /// How often the oracle looked.
    pub steps: u64,
    /// How much time passed.
    pub elapsed: Duration,
}

impl Report {
    /// Adds another storm's.
    pub fn merge(&mut self, other: &Self) {
        let (tally, more) = (&mut self.tally, &other.tally);
        tally.calls += more.calls;
        tally.answered += more.answered;
        tally.abandoned += more.abandoned;
        tally.failed += more.failed;
        tally.blocked += more.blocked;
        tally.lasted += more.lasted;
        self.faults.merge(&other.faults);
        self.restarts += other.restarts;
        self.steps += other.steps;
        self.elapsed += other.elapsed;
    }

    /// Hours that calls lasted, all together.
    pub fn call_hours(&self) -> f64 {
        self.tally.lasted.as_secs_f64() / 3600.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            calls,
            answered,
            abandoned,
            failed,
            blocked,
            ..
        } = self.tally;
        write!(
            f,
            "{calls} calls in {:.0} hours: {answered} answered, {abandoned} abandoned, {failed} failed; \
             {blocked} blocked; {:.0} call-hours; {} restarts, {} steps\n{}",
            self.elapsed.as_secs_f64() / 3600.0,
            self.call_hours(),
            self.restarts,
            self.steps,
            self.faults
        )
    }
}

/// What did not hold, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed: the same again.
    pub seed: u64,
    /// After which step.
    pub step: u64,
    /// When.
    pub at: Duration,
    /// What did not hold.
    pub what: String,
    /// What was done last.
    pub acts: String,
    /// The messages of the last minute.
    pub ladder: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.acts, self.ladder)?;
        writeln!(
            f,
            "seed {}, step {}, at {:.3} s: {}",
            self.seed,
            self.step,
            self.at.as_secs_f64(),
            self.what
        )
    }
}

impl std::error::Error for Failure {}

/// What somebody said who panicked.
pub(super) fn said_in_panic(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", said.unwrap_or("without a word"))
}
