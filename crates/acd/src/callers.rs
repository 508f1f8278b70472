//! Callers who have called before: who had them last, and whether they gave up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    acd::Acd,
    ids::{AgentId, CallId, CallerKey, LineId, SiteId},
    settings::Settings,
};

/// Callers that are remembered; the one who was heard of longest ago goes first.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    known: BTreeMap<CallerKey, Known>,
    by_time: BTreeSet<(Instant, CallerKey)>,
}

#[derive(Debug)]
struct Known {
    heard: Instant,
    last_agent: Option<AgentId>,
    gave_up: Option<GaveUp>,
}

/// A call that ended without an answer.
#[derive(Clone, Copy, Debug)]
struct GaveUp {
    site: SiteId,
    /// When it arrived, or the first of a chain of such calls.
    arrival: Instant,
    at: Instant,
}

impl Callers {
    /// The agent who had a caller last.
    pub(crate) fn last_agent(&self, caller: CallerKey) -> Option<AgentId> {
        self.known.get(&caller)?.last_agent
    }

    /// When a caller first came to a site and was not answered, if that ended so short a time ago.
    pub(crate) fn gave_up(
        &self,
        caller: CallerKey,
        site: SiteId,
        now: Instant,
        within: Duration,
    ) -> Option<Instant> {
        let gave_up = self.known.get(&caller)?.gave_up?;
        let is_recent = !within.is_zero() && now <= gave_up.at + within;
        (is_recent && gave_up.site == site).then_some(gave_up.arrival)
    }

    fn heard(&mut self, now: Instant, caller: CallerKey, settings: &Settings) -> &mut Known {
        if let Some(known) = self.known.get(&caller) {
            self.by_time.remove(&(known.heard, caller));
        }
        while let Some(&(at, oldest)) = self.by_time.first()
            && (at + settings.caller_kept <= now || self.by_time.len() >= settings.callers_max)
        {
            self.by_time.pop_first();
            self.known.remove(&oldest);
        }
        self.by_time.insert((now, caller));
        let known = self.known.entry(caller).or_insert(Known {
            heard: now,
            last_agent: None,
            gave_up: None,
        });
        known.heard = now;
        known
    }
}

impl Acd {
    /// A caller gave up without an answer.
    pub(crate) fn caller_gave_up(
        &mut self,
        now: Instant,
        call: CallId,
        line: LineId,
        caller: Option<CallerKey>,
        arrival: Instant,
        waited: Duration,
    ) {
        let site = self.directory.line_profile(line).site;
        if let Some(caller) = caller {
            let known = self.callers.heard(now, caller, &self.settings);
            known.gave_up = Some(GaveUp {
                site,
                arrival,
                at: now,
            });
        }
        self.list_abandoned(now, call, line, caller, waited);
    }

    /// An agent has a caller.
    pub(crate) fn caller_reached(
        &mut self,
        now: Instant,
        call: CallId,
        caller: Option<CallerKey>,
        agent: AgentId,
    ) {
        if let Some(caller) = caller {
            let known = self.callers.heard(now, caller, &self.settings);
            known.last_agent = Some(agent);
            known.gave_up = None;
        }
        self.resolve_abandoned(call);
    }
}
