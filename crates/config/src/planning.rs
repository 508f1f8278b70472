//! What a simulation needs beside what a node does: how many call when, how long things take, and who
//! works when. A node reads it, holds it against the rest, and leaves it at that.

mod read;

use std::{collections::BTreeMap, time::Duration};

use acd::{AgentId, LineId, SiteId};

pub(crate) use self::read::{AgentPlanning, LinePlanning, Section};

/// Hours of a week.
pub const WEEK_HOURS: usize = 168;

/// Callers, their needs, and who works when.
#[derive(Clone, Debug, PartialEq)]
pub struct Planning {
    /// Calls in each hour of the week, Monday at midnight first, as a multiple of the mean hour.
    pub week: [f64; WEEK_HOURS],
    /// How long a person lets a phone ring, on average (exponential).
    pub pickup: Duration,
    /// Share of shifts to which nobody comes, 0 to 1.
    pub no_shows: f64,
    /// Who calls again.
    pub repeat: Repeat,
    /// How long callers wait.
    pub patience: Patience,
    /// How calls are worked on.
    pub flows: Vec<Flow>,
    /// When agents are on duty.
    pub rosters: Vec<Roster>,
    /// Which flow a line's calls are, and how many come. A line that is not here gets none.
    pub lines: BTreeMap<LineId, LineLoad>,
    /// Which of the rosters an agent has; who is not here is always on duty.
    pub shifts: BTreeMap<AgentId, usize>,
    /// Latitude and longitude of sites, in degrees.
    pub positions: BTreeMap<SiteId, (f64, f64)>,
}

/// Callers who gave up and call again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repeat {
    /// Their share of those who gave up, 0 to 1.
    pub share: f64,
    /// How soon they do, at the latest (uniform).
    pub within: Duration,
}

/// How long callers wait before they give up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// On average (exponential); `None`: for ever.
    pub mean: Option<Duration>,
    /// Share of callers who hang up soon, whatever they are told, 0 to 1.
    pub hasty: f64,
    /// How soon those do, at the latest (uniform).
    pub hasty_within: Duration,
}

/// How calls of a kind of line are worked on.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// How long an agent talks.
    pub talk: Spread,
    /// Where calls go afterwards: flows of the same site, by their places in [`Planning::flows`], with
    /// their shares, 1 at most together. The rest is over.
    pub then: Vec<(usize, f64)>,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: Duration,
    /// How it is spread.
    pub shape: Shape,
}

/// The shape of a distribution of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Always the mean.
    Constant,
    /// Exponential.
    Exponential,
    /// Log-normal, with this standard deviation as a multiple of the mean.
    LogNormal(f64),
}

/// A line's part in the simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineLoad {
    /// Its flow, by its place in [`Planning::flows`].
    pub flow: usize,
    /// Calls from outside on an average day.
    pub calls_per_day: f64,
}

/// When agents are on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Its name.
    pub name: String,
    /// From and until, in minutes of the week from Monday at midnight; each begins before it ends,
    /// none overlap, and they are in order.
    pub shifts: Vec<(u32, u32)>,
}

impl Planning {
    /// One flow for every line, the same load at all hours, everybody always on duty, nobody gives up.
    pub fn steady(talk: Spread, lines: impl IntoIterator<Item = (LineId, f64)>) -> Self {
        let load = |(line, calls_per_day)| {
            let load = LineLoad {
                flow: 0,
                calls_per_day,
            };
            (line, load)
        };
        Self {
            week: [1.0; WEEK_HOURS],
            pickup: Duration::ZERO,
            no_shows: 0.0,
            repeat: Repeat {
                share: 0.0,
                within: Duration::ZERO,
            },
            patience: Patience {
                mean: None,
                hasty: 0.0,
                hasty_within: Duration::ZERO,
            },
            flows: vec![Flow {
                name: "all".to_owned(),
                talk,
                then: Vec::new(),
            }],
            rosters: Vec::new(),
            lines: lines.into_iter().map(load).collect(),
            shifts: BTreeMap::new(),
            positions: BTreeMap::new(),
        }
    }
}
