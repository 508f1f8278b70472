//! Callers who have called before: who had them last, and whether they gave up.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    acd::Acd,
    ids::{AgentId, CallId, CallerKey, LineId, SiteId},
    settings::Settings,
    table::Table,
};

/// Callers that are remembered; the one who was heard of longest ago goes first.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    known: Table<CallerKey, Known>,
    /// When callers were heard of. Only the last time of each counts; the others are left in it until
    /// they are the first, or the most of it.
    heard: VecDeque<(Instant, CallerKey)>,
}

#[derive(Debug)]
struct Known {
    heard: Instant,
    last_agent: Option<AgentId>,
    gave_up: Option<GaveUp>,
}

/// A caller who is remembered, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCaller {
    /// When the caller was last heard of.
    pub heard: Instant,
    /// The agent who had the caller last.
    pub last_agent: Option<AgentId>,
    /// A call without an answer: where, when it or the first of its chain arrived, and when it ended.
    pub gave_up: Option<(SiteId, Instant, Instant)>,
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
    /// From now on it is noted which callers are touched, for [`Self::drain_touched`].
    pub(crate) fn note_touched(&mut self) {
        self.known.note_touched();
    }

    /// From now on nothing is noted.
    pub(crate) fn note_nothing(&mut self) {
        self.known.note_nothing();
    }

    /// How many notes there are.
    pub(crate) fn notes(&self) -> usize {
        self.known.notes()
    }

    /// All who are remembered.
    pub(crate) fn keys(&self) -> Vec<CallerKey> {
        self.known.keys()
    }

    /// What of a caller outlives a process.
    pub(crate) fn keep(&self, caller: CallerKey) -> Option<KeptCaller> {
        let known = self.known.get(&caller)?;
        let gave_up = |one: GaveUp| (one.site, one.arrival, one.at);
        Some(KeptCaller {
            heard: known.heard,
            last_agent: known.last_agent,
            gave_up: known.gave_up.map(gave_up),
        })
    }

    /// Callers of before, each heard of later than the one before.
    pub(crate) fn restore(&mut self, caller: CallerKey, kept: &KeptCaller) {
        let gave_up = |(site, arrival, at)| GaveUp { site, arrival, at };
        let known = Known {
            heard: kept.heard,
            last_agent: kept.last_agent,
            gave_up: kept.gave_up.map(gave_up),
        };
        self.known.insert(caller, known);
        self.heard.push_back((kept.heard, caller));
    }

    /// Callers of whom something may have changed.
    pub(crate) fn drain_touched(&mut self) -> impl Iterator<Item = CallerKey> {
        self.known.drain_touched().map(|(caller, _)| caller)
    }

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
        while let Some(&(at, oldest)) = self.heard.front() {
            let counts = self.counts((at, oldest));
            let is_full = self.known.len() >= settings.callers_max;
            if counts && at + settings.caller_kept > now && !is_full {
                break;
            }
            self.heard.pop_front();
            if counts {
                self.known.remove(&oldest);
            }
        }
        if self.heard.len() > 2 * self.known.len() + 1 {
            let heard = std::mem::take(&mut self.heard);
            self.heard = heard.into_iter().filter(|&one| self.counts(one)).collect();
        }
        self.heard.push_back((now, caller));
        let known = self.known.or_insert(
            caller,
            Known {
                heard: now,
                last_agent: None,
                gave_up: None,
            },
        );
        known.heard = now;
        known
    }

    /// Whether a caller has not been heard of since.
    fn counts(&self, (at, caller): (Instant, CallerKey)) -> bool {
        self.known
            .get(&caller)
            .is_some_and(|known| known.heard == at)
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
