//! Overflow plans and crisis plans.

use std::time::Duration;

use crate::requirement::Relax;

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

/// A step of a plan: when, and what then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepSpec {
    /// It takes effect when any of these is met.
    pub when: Vec<Condition>,
    /// From where else an agent may come then.
    pub widen: Vec<Reach>,
    /// How less is asked of an agent then.
    pub relax: Option<Relax>,
    /// By how much the call becomes more urgent: its priority is lower by so much, down to 0.
    pub raise: u8,
    /// The name of an announcement that the caller hears then.
    pub announce: Option<String>,
    /// What is tried outside, where nobody inside has answered.
    pub last_resort: Option<LastResort>,
}

/// What a step tries outside the centres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastResort {
    /// Somebody outside is rung at this SIP URI as well. The call keeps its place until they answer.
    Divert(String),
    /// The caller is told that nobody can take the call. Only the last step of a plan.
    Reject,
}

/// When a step takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The call has waited this long: since it came, or since the caller's first call where they come back to their old
    /// place. A step with a last resort counts from when the call came to its line: nobody is turned away for a wait of before.
    After(Duration),
    /// More calls than this wait on the line.
    QueueLongerThan(u32),
    /// The call that has waited longest on the line has waited longer than this.
    OldestWaitOver(Duration),
    /// Nobody is on duty at the line's home site who could take its calls.
    NoAgentOnDuty,
    /// The call is expected to wait longer than this ([`crate::Acd::expected_wait`]).
    EstimatedWaitOver(Duration),
    /// The line's home site is in one of these states.
    SiteState(Vec<SiteState>),
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

/// How well a site works: the service states of NENA i3 (NENA-STA-010.3, registry
/// `serviceState`), by their names there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteState {
    /// As usual.
    Normal,
    /// Nobody is on duty. Told by the system itself while nothing else is said.
    Unstaffed,
    /// Planned work; the site takes no calls.
    ScheduledMaintenanceDown,
    /// Planned work; the site takes calls.
    ScheduledMaintenanceAvailable,
    /// A major incident keeps the site busy.
    MajorIncidentInProgress,
    /// Some of it works.
    Partial,
    /// More calls than it can take.
    Overloaded,
    /// It takes no new calls and will be down.
    GoingDown,
    /// It does not work.
    Down,
    /// It cannot be reached.
    Unreachable,
}

impl SiteState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::Unstaffed,
        Self::ScheduledMaintenanceDown,
        Self::ScheduledMaintenanceAvailable,
        Self::MajorIncidentInProgress,
        Self::Partial,
        Self::Overloaded,
        Self::GoingDown,
        Self::Down,
        Self::Unreachable,
    ];

    /// The name, as NENA writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Unstaffed => "Unstaffed",
            Self::ScheduledMaintenanceDown => "ScheduledMaintenanceDown",
            Self::ScheduledMaintenanceAvailable => "ScheduledMaintenanceAvailable",
            Self::MajorIncidentInProgress => "MajorIncidentInProgress",
            Self::Partial => "Partial",
            Self::Overloaded => "Overloaded",
            Self::GoingDown => "GoingDown",
            Self::Down => "Down",
            Self::Unreachable => "Unreachable",
        }
    }
}

/// A crisis plan: what is different at the sites where it is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrisisSpec {
    /// Its name.
    pub name: String,
    /// The overflow plan that replaces those of the sites' lines, for waiting calls as well.
    pub overflow: Option<String>,
    /// Replaces the sites' reserve.
    pub reserve: Option<u32>,
    /// Replaces the wrap-up of the sites' agents.
    pub wrap_up: Option<Duration>,
    /// The name of the announcement that callers of the sites hear instead of the usual one.
    pub announcement: Option<String>,
    /// Whether new calls of a line go to its [`crate::LineSpec::crisis_line`].
    pub flow: CrisisFlow,
}

/// Whether the crisis flow of a site is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrisisFlow {
    /// New calls go to the crisis lines of their lines, where there are any.
    Open,
    /// Calls go where they always go.
    Closed,
}
