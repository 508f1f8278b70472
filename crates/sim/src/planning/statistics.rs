//! How callers were served.

use std::time::Duration;

use engine::acd::{Directory, LineId, SiteId};
use hdrhistogram::Histogram;

use super::drive::{Outcome, Stage};

/// How callers were served, by line, and what sites did for one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// By line, in the order of their ids.
    pub lines: Vec<Served>,
    /// Calls of each site (rows) that were answered at each site (columns): the diagonal is its own.
    pub answered_by: Vec<Vec<u64>>,
    /// By site: how long its agents were logged in together, and of that in talk and wrap-up.
    pub occupancy: Vec<(Duration, Duration)>,
}

/// How the callers of a line, a site or a nation were served.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Calls that came.
    pub offered: u64,
    /// Of these, answered by a person.
    pub answered: u64,
    /// Of those answered: how many within 20, 30 and 60 seconds.
    pub within: [u64; 3],
    /// Calls whose callers gave up.
    pub abandoned: u64,
    /// Of these, within 15 seconds.
    pub abandoned_early: u64,
    /// Calls that waited at all before they were answered or given up.
    pub waited: u64,
    /// The waits of those that were answered.
    pub waits: Waits,
}

/// A distribution of waits, to the hundredth of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    millis: Histogram<u32>,
    sum: Duration,
}

/// Within which a call is well answered.
pub(super) const LEVELS: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Abandons under this are counted apart.
const EARLY: Duration = Duration::from_secs(15);

impl Waits {
    fn new() -> Self {
        // A day is longer than anybody waits.
        let millis = Histogram::new_with_bounds(1, 86_400_000, 2);
        Self {
            millis: millis.expect("two digits are allowed"),
            sum: Duration::ZERO,
        }
    }

    fn add(&mut self, wait: Duration) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.millis.saturating_record(millis);
        self.sum += wait;
    }

    fn merge(&mut self, other: &Self) {
        self.millis
            .add(&other.millis)
            .expect("all have the same bounds");
        self.sum += other.sum;
    }

    /// The mean; zero of nothing.
    pub fn mean(&self) -> Duration {
        match self.millis.len() {
            0 => Duration::ZERO,
            count => self.sum.div_f64(count as f64),
        }
    }

    /// The wait that this share of calls did not pass.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_millis(self.millis.value_at_quantile(share))
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        Duration::from_millis(self.millis.max())
    }
}

impl Default for Served {
    fn default() -> Self {
        Self::new()
    }
}

impl Served {
    /// Nobody yet.
    pub fn new() -> Self {
        Self {
            offered: 0,
            answered: 0,
            within: [0; 3],
            abandoned: 0,
            abandoned_early: 0,
            waited: 0,
            waits: Waits::new(),
        }
    }

    /// Counts a call on a line that was answered or given up.
    pub fn add(&mut self, stage: &Stage) {
        self.offered += 1;
        self.waited += u64::from(stage.waited > Duration::ZERO);
        match stage.outcome {
            Outcome::Answered(_) => {
                self.answered += 1;
                self.waits.add(stage.waited);
                for (within, level) in self.within.iter_mut().zip(LEVELS) {
                    *within += u64::from(stage.waited <= level);
                }
            }
            Outcome::Abandoned => {
                self.abandoned += 1;
                self.abandoned_early += u64::from(stage.waited < EARLY);
            }
            Outcome::Rejected | Outcome::Waiting => {}
        }
    }

    /// Adds others to it.
    pub fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.abandoned_early += other.abandoned_early;
        self.waited += other.waited;
        for (one, more) in self.within.iter_mut().zip(other.within) {
            *one += more;
        }
        self.waits.merge(&other.waits);
    }

    /// QS20, QS30, QS60 of all that came: 0 to 1.
    pub fn level_of_offered(&self) -> [f64; 3] {
        self.within.map(|within| share(within, self.offered))
    }

    /// QS20, QS30, QS60 of those that were answered: 0 to 1.
    pub fn level_of_answered(&self) -> [f64; 3] {
        self.within.map(|within| share(within, self.answered))
    }

    /// Share of calls that were answered.
    pub fn answer_rate(&self) -> f64 {
        share(self.answered, self.offered)
    }

    /// Share of calls that waited.
    pub fn waited_share(&self) -> f64 {
        share(self.waited, self.offered)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

impl Statistics {
    pub(super) fn new(directory: &Directory) -> Self {
        let sites = directory.sites().len();
        Self {
            lines: directory.lines().map(|_| Served::new()).collect(),
            answered_by: vec![vec![0; sites]; sites],
            occupancy: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, stage: &Stage, home: SiteId) {
        self.lines[stage.line.index()].add(stage);
        if let Outcome::Answered(answer) = stage.outcome {
            self.answered_by[home.index()][answer.site.index()] += 1;
        }
    }

    /// All lines that a person picks, together.
    pub fn of(&self, lines: impl IntoIterator<Item = LineId>) -> Served {
        let mut sum = Served::new();
        lines
            .into_iter()
            .for_each(|line| sum.merge(&self.lines[line.index()]));
        sum
    }

    /// Share of talk and wrap-up in the time that a site's agents were logged in: 0 to 1.
    pub fn occupancy_of(&self, site: SiteId) -> f64 {
        let (there, busy) = self.occupancy[site.index()];
        if there.is_zero() {
            0.0
        } else {
            busy.div_duration_f64(there)
        }
    }

    /// Calls of other sites that a site answered, and calls of its own that others did.
    pub fn help_of(&self, site: SiteId) -> (u64, u64) {
        let own = self.answered_by[site.index()][site.index()];
        let all: u64 = self.answered_by.iter().map(|row| row[site.index()]).sum();
        let taken: u64 = self.answered_by[site.index()].iter().sum();
        (all - own, taken - own)
    }
}
