//! The agents within reach of a call, counted by what keeps them from taking it.

use crate::{acd::Acd, agent::AgentStateKind, classes::ClassId};

/// The agents of the sites within a call's reach at a moment. An agent with two sites within reach
/// counts at both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Free, and may be asked.
    pub free: u32,
    /// Free, but kept by their sites for their own callers.
    pub reserved: u32,
    /// Being rung for another call.
    pub offered: u32,
    /// In a call.
    pub talking: u32,
    /// Finishing the work of a call.
    pub wrap_up: u32,
    /// There, but not taking calls.
    pub not_ready: u32,
    /// With a phone that cannot be reached.
    pub unreachable: u32,
    /// Not there.
    pub logged_out: u32,
    /// Without the skills that are asked for.
    pub unskilled: u32,
}

impl Acd {
    /// The agents within reach of the calls of a class.
    pub(crate) fn candidates(&self, class: ClassId) -> Candidates {
        let class = self.classes.get(class);
        let mut sum = Candidates::default();
        for reached in class.reach() {
            let tally = self.staff.tally(reached.site, class.requirement);
            let ready = tally.of(AgentStateKind::Ready);
            let kept = self.kept_from(reached.site, class.site);
            let kept = ready.min(u32::try_from(kept).unwrap_or(u32::MAX));
            sum.free += ready - kept;
            sum.reserved += kept;
            sum.offered += tally.of(AgentStateKind::Offered);
            sum.talking += tally.of(AgentStateKind::Talking);
            sum.wrap_up += tally.of(AgentStateKind::WrapUp);
            sum.not_ready += tally.of(AgentStateKind::NotReady);
            sum.unreachable += tally.of(AgentStateKind::Unreachable);
            sum.logged_out += tally.of(AgentStateKind::LoggedOut);
            let known = self.directory.site_profile(reached.site).agents;
            let known = u32::try_from(known).unwrap_or(u32::MAX);
            sum.unskilled += known - tally.all();
        }
        sum
    }
}
