//! Callers who gave up and call again: they have the place of before.

use engine::{
    CallView, Engine, Outcome,
    acd::SiteId,
    call::{CallId, StageView},
    journal::{self, Kind},
};
use memchr::memmem;
use std::{collections::BTreeMap, time::Instant};

use super::{ByCall, Verdict};
use crate::{host::Host, storm::centre::RESUMED_WITHIN};

/// Who has called from which number, in nanoseconds of the journal's clock.
#[derive(Debug, Default)]
pub(super) struct Returning {
    /// Calls that have been looked at.
    known: ByCall<Known>,
    /// Calls without an answer that were given up: the first of each number at a site.
    gave_up: BTreeMap<(String, SiteId), GaveUp>,
    /// Calls that have ended since it was last looked.
    ended: Vec<(CallId, Option<Outcome>)>,
}

#[derive(Debug)]
struct Known {
    number: String,
    site: SiteId,
    arrival: i64,
    /// Whether it was connected when it was last looked.
    is_connected: bool,
}

#[derive(Clone, Copy, Debug)]
struct GaveUp {
    arrival: i64,
    at: i64,
}

/// What was told late may have happened so much before: a disk that is slower has failed.
const TOLD_WITHIN: i64 = 12 * SECOND;

const SECOND: i64 = 1_000_000_000;

impl Returning {
    /// The first look is at the very moment at which something came, or shortly after.
    pub(super) fn look(&mut self, host: &Host, now: Instant, calls: &[CallView]) -> Verdict {
        let nanos = host.clock().nanos(now);
        let has_news = !self.ended.is_empty();
        for (call, outcome) in std::mem::take(&mut self.ended) {
            self.end(&call, outcome, nanos);
        }
        for call in calls {
            let known = match self.known.get_mut(&call.id) {
                Some(known) => known,
                None => match self.begin(host, nanos, call)? {
                    Some(known) => self.known.entry(call.id.clone()).insert(known).into_mut(),
                    None => continue,
                },
            };
            let is_connected = call.stage == StageView::Connected;
            let was_connected = std::mem::replace(&mut known.is_connected, is_connected);
            if is_connected && (has_news || !was_connected) {
                let number = &known.number;
                self.gave_up.retain(|(of, _), _| of != number);
            }
        }
        Ok(())
    }

    /// How a call ended that nobody had answered.
    pub(super) fn note_end(&mut self, call: &CallId, outcome: Option<Outcome>) {
        self.ended.push((call.clone(), outcome));
    }

    /// Who is answered has not given up.
    pub(super) fn note_answer(&mut self, call: &CallId) {
        match self.known.get(call) {
            Some(Known { number, .. }) => self.gave_up.retain(|(of, _), _| of != number),
            // It is not known who that was.
            None => self.gave_up.clear(),
        }
    }

    /// Nobody can be held to what callers did before.
    pub(super) fn forget(&mut self) {
        self.gave_up.clear();
        self.ended.clear();
    }

    /// A call that has not been looked at before; `None` when it is not known who calls.
    fn begin(&self, host: &Host, nanos: i64, call: &CallView) -> Result<Option<Known>, String> {
        let Some(number) = number_of(host, &call.id) else {
            return Ok(None);
        };
        let line = host.engine.directory().line_profile(call.line);
        let site = line.site;
        let place_since = i64::try_from(call.place_since.as_nanos()).unwrap_or(i64::MAX);
        let arrival = nanos - place_since;
        let before = self.gave_up.get(&(number.clone(), site)).copied();
        let within = i64::try_from(RESUMED_WITHIN.as_nanos()).unwrap_or(i64::MAX);
        let began = nanos - i64::try_from(call.age.as_nanos()).unwrap_or(i64::MAX);
        let resumes = before.filter(|before| {
            let is_served_so = !line.resume_within.is_zero() && call.stage != StageView::Connected;
            is_served_so && before.at < began && began < before.at + within - TOLD_WITHIN
        });
        if let Some(before) = resumes.filter(|before| arrival > before.arrival + SECOND) {
            let lost = (arrival - before.arrival) / SECOND;
            return Err(format!(
                "call {} is of a caller who gave up, and has not the place of before: {lost} s less",
                call.id
            ));
        }
        Ok(Some(Known {
            number,
            site,
            arrival,
            is_connected: false,
        }))
    }

    fn end(&mut self, call: &CallId, outcome: Option<Outcome>, at: i64) {
        let Some(known) = self.known.remove(call) else {
            // It is not known who that was.
            self.gave_up.clear();
            return;
        };
        let Known {
            number,
            site,
            arrival,
            ..
        } = known;
        match outcome {
            // The last call of a number counts, wherever it was.
            Some(Outcome::Abandoned) => {
                self.gave_up.retain(|(of, _), _| *of != number);
                self.gave_up.insert((number, site), GaveUp { arrival, at });
            }
            _ => self.gave_up.retain(|(of, _), _| *of != number),
        }
    }
}

/// Who calls, as the node has written down: what it goes by, when one of two headers that say so was damaged.
fn number_of(host: &Host, call: &CallId) -> Option<String> {
    let finder = memmem::Finder::new(call.as_str());
    let mut rows = host.durable().values();
    let row =
        rows.find(|row| row.kind == Kind::Call.number() && finder.find(&row.body).is_some())?;
    let engine: &Engine = &host.engine;
    let read = journal::decode([row], engine.names(), host.clock()).node;
    let entry = read.calls.into_iter().next()?;
    // Agents who call have none.
    let number = entry.journey?.number?;
    Some(number.into_exposed())
}
