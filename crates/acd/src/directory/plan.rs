//! Overflow plans and crisis plans, resolved for each site.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    call::Call,
    ids::{PlanId, SiteId, StepIndex},
    requirement::Relax,
    spec::{Condition, CrisisFlow, LastResort},
};

/// A crisis plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Crisis {
    /// Its name.
    pub name: String,
    /// The overflow plan that replaces those of the sites' lines.
    pub plan: Option<PlanId>,
    /// Replaces the sites' reserve.
    pub reserve: Option<usize>,
    /// Replaces the wrap-up of the sites' agents.
    pub wrap_up: Option<Duration>,
    /// The announcement that callers of the sites hear.
    pub announcement: Option<Arc<str>>,
    /// Whether new calls of a line go to its crisis line.
    pub flow: CrisisFlow,
}

/// An overflow plan.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) home_advantage: Duration,
    pub(crate) steps: Vec<Step>,
}

/// A step of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) index: StepIndex,
    pub(crate) when: Vec<Condition>,
    /// Whether it is written to bring other sites within reach, be there any or not.
    pub(crate) widens: bool,
    pub(crate) relax: Option<Relax>,
    pub(crate) raise: u8,
    pub(crate) announce: Option<Arc<str>>,
    pub(crate) last_resort: Option<LastResort>,
    /// By the call's home site: where else agents may come from, by nearness and id.
    pub(crate) reach: Vec<Vec<(Ring, SiteId)>>,
}

/// A step of a plan, as a line's calls meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanStep<'a> {
    /// Its place in the plan.
    pub index: StepIndex,
    /// It takes effect when any of these is met.
    pub when: &'a [Condition],
    /// From which sites agents may come then, the nearest first.
    pub sites: Vec<SiteId>,
    /// How less is asked of them.
    pub relax: Option<&'a Relax>,
    /// By how much the call becomes more urgent.
    pub raise: u8,
    /// What the caller hears.
    pub announce: Option<&'a str>,
    /// What is tried outside.
    pub last_resort: Option<&'a LastResort>,
}

/// How near a site is to a call's home site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ring {
    Home,
    Neighbour,
    Region,
    Zone,
    Nation,
}

impl Step {
    /// The step, as the calls of a site meet it.
    pub(super) fn met_at(&self, site: SiteId) -> PlanStep<'_> {
        let reach = &self.reach[site.index()];
        PlanStep {
            index: self.index,
            when: &self.when,
            sites: reach.iter().map(|&(_, site)| site).collect(),
            relax: self.relax.as_ref(),
            raise: self.raise,
            announce: self.announce.as_deref(),
            last_resort: self.last_resort.as_ref(),
        }
    }

    /// Whether it can take effect by time alone.
    pub(crate) fn waits(&self) -> bool {
        let mut when = self.when.iter();
        when.any(|when| matches!(when, Condition::After(_)))
    }

    /// Since when a call has waited for it. Whoever comes back to their old place, or was sent on with it, is not turned away
    /// for that: they have to have waited here.
    pub(crate) fn counts_from(&self, call: &Call) -> Instant {
        match self.last_resort {
            Some(_) => call.line_since,
            None => call.key.arrival,
        }
    }

    /// Whether it does nothing but bring agents within reach: where it brings nobody, it is in vain.
    pub(crate) fn only_brings_agents(&self) -> bool {
        let brings = self.relax.is_some() || self.widens;
        let does_more = self.raise > 0 || self.announce.is_some() || self.last_resort.is_some();
        brings && !does_more
    }
}
