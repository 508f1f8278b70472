//! What is configured, in the words of the configuration: names, not handles.

use std::{collections::BTreeMap, time::Duration};

use crate::ids::{Level, Priority};

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
    /// The least level that an agent must have of each skill.
    pub skills: BTreeMap<String, Level>,
    /// The priority of its calls.
    pub priority: Priority,
    /// Within how long its calls should be answered.
    pub service_level: Duration,
    /// Which of several free agents is chosen.
    pub selection: Selection,
    /// How long an agent is rung.
    pub ring_time: Duration,
    /// How long an agent has after a call before the next.
    pub wrap_up: Duration,
    /// Since when a call that is transferred to it counts as waiting.
    pub transferred: Age,
    /// The name of its overflow plan.
    pub overflow: Option<String>,
}

/// Since when a call that is sent on to another line counts as waiting there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Age {
    /// Since it arrived on its first line.
    Kept,
    /// Since it was sent on.
    New,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSpec {
    /// The agent's id.
    pub id: String,
    /// The id of the home site.
    pub site: String,
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

/// An overflow plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSpec {
    /// Its name.
    pub name: String,
    /// How much later than its arrival a call counts at a helping site, so that the site's own
    /// callers come first.
    pub home_advantage: Duration,
    /// Its steps, in order; 16 at most.
    pub steps: Vec<StepSpec>,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// It takes effect when any of these is met.
    pub when: Vec<Condition>,
    /// From where else an agent may come then.
    pub widen: Vec<Reach>,
}

/// When a step takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The call has waited this long.
    After(Duration),
    /// More calls than this wait on the line.
    QueueLongerThan(u32),
    /// Nobody is on duty at the line's home site who could take its calls.
    NoAgentOnDuty,
}

/// From where an agent may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The home site's neighbours.
    Neighbours,
    /// All sites of its region.
    Region,
    /// All sites of its zone.
    Zone,
    /// All sites.
    Nation,
    /// The site of this id; it counts as near as a neighbour.
    Site(String),
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
}
