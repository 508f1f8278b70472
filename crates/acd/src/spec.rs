//! What is configured, in the words of the configuration: names, not handles.

mod plan;

use std::{collections::BTreeMap, time::Duration};

pub use self::plan::{
    Condition, CrisisFlow, CrisisSpec, LastResort, PlanSpec, Reach, SiteState, StepSpec,
};
use crate::{
    ids::{Disposition, Level, PauseReason, Priority},
    requirement::Requirement,
};

/// Everything that a [`crate::Directory`] is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectorySpec {
    /// The sites.
    pub sites: Vec<SiteSpec>,
    /// The lines.
    pub lines: Vec<LineSpec>,
    /// The agents.
    pub agents: Vec<AgentSpec>,
    /// The overflow plans.
    pub plans: Vec<PlanSpec>,
    /// The crisis plans.
    pub crises: Vec<CrisisSpec>,
    /// The reasons for a pause that may be given; any word where the list is empty.
    pub pause_reasons: Vec<PauseReason>,
    /// The codes that a call may be closed with; any word where the list is empty.
    pub dispositions: Vec<Disposition>,
    /// Which rules these are, for who asks later why a call went where it went.
    pub version: String,
}

/// A site (CRRA).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSpec {
    /// Its id, such as `FR670`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its region, for [`Reach::Region`].
    pub region: String,
    /// Its defence zone, for [`Reach::Zone`].
    pub zone: String,
    /// The ids of its neighbours, for [`Reach::Neighbours`].
    pub neighbours: Vec<String>,
    /// Ready agents that it keeps for its own callers when it helps others.
    pub reserve: u32,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineSpec {
    /// Its id: a flow id of the national form.
    pub id: String,
    /// The id of its home site.
    pub site: String,
    /// What an agent must be able to do.
    pub requirement: Requirement,
    /// The priority of its calls.
    pub priority: Priority,
    /// Within how long its calls should be answered.
    pub service_level: Duration,
    /// Which of several free agents is chosen.
    pub selection: Selection,
    /// How many agents ring for one call: 1 to [`crate::PARALLEL_MAX`].
    pub parallel: u8,
    /// How long an agent is rung.
    pub ring_time: Duration,
    /// How long an agent has after a call before the next.
    pub wrap_up: Duration,
    /// How long a caller waits for the agent who had the same caller last, while others are free;
    /// zero: not at all.
    pub preferred: Duration,
    /// Within how long of hanging up a caller who calls again has the first call's place; zero:
    /// never.
    pub resume_within: Duration,
    /// Since when a call that is transferred to it counts as waiting.
    pub transferred: Age,
    /// Which priority a call that is transferred to it has.
    pub transferred_priority: TransferredPriority,
    /// Whether an agent who transfers a call to it stays until somebody has answered.
    pub hand_over: HandOver,
    /// The name of its overflow plan.
    pub overflow: Option<String>,
    /// The line that takes its new calls while the crisis flow of its site is open.
    pub crisis_line: Option<String>,
}

impl LineSpec {
    /// A line that asks for nothing and has no plan, with the usual times.
    pub fn new(id: &str, site: &str) -> Self {
        Self {
            id: id.to_owned(),
            site: site.to_owned(),
            requirement: Requirement::All(Vec::new()),
            priority: Priority::new(2).expect("2 is a priority"),
            service_level: Duration::from_secs(30),
            selection: Selection::LongestIdle,
            parallel: 1,
            ring_time: Duration::from_secs(15),
            wrap_up: Duration::from_secs(5),
            preferred: Duration::ZERO,
            resume_within: Duration::ZERO,
            transferred: Age::New,
            transferred_priority: TransferredPriority::Kept,
            hand_over: HandOver::Blind,
            overflow: None,
            crisis_line: None,
        }
    }
}

/// Since when a call that is sent on to another line counts as waiting there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// Since it arrived on its first line.
    Kept,
    /// Since it was sent on.
    New,
}

/// Which priority a call has after it was sent on to another line, unless the agent who sent it said
/// so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferredPriority {
    /// The one that it had.
    Kept,
    /// That of the other line.
    Line,
}

/// How calls are sent on to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandOver {
    /// The agent who sends a call on is free at once.
    Blind,
    /// The agent keeps the caller company until an agent of the line has answered, with calls of this
    /// priority and of higher ones. The agent is free at once with others.
    Attended {
        /// The lowest such priority.
        up_to: Priority,
    },
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSpec {
    /// The agent's id.
    pub id: String,
    /// The id of the home site.
    pub site: String,
    /// The id of a second site whose calls are the agent's own as well: reinforcement, remote work.
    pub second_site: Option<String>,
    /// Skills with their levels.
    pub skills: BTreeMap<String, Level>,
    /// What the agent wants when the node starts.
    pub start: StartState,
}

/// What an agent wants when the node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartState {
    /// Takes calls.
    Ready,
    /// Logged in, takes none.
    NotReady,
    /// Not there.
    LoggedOut,
}

/// Which of several eligible agents in the nearest ring is chosen. Ties go to who has been idle
/// longest, then to the lowest agent id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Who has been ready longest.
    LongestIdle,
    /// The highest sum of levels over the skills that the line asks for.
    MostSkilled,
    /// The lowest such sum: spares the experts.
    LeastSkilled,
    /// The lowest share of talk and wrap-up in the time since log-in.
    LeastOccupied,
    /// Who comes next by id after the one whom the line asked last.
    RoundRobin,
}
