//! When agents come and go, and how busy they were.

use std::time::Duration;

use engine::acd::{AgentId, AgentStateKind, Directory, SiteId};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{History, callers::stream, timetable::id_stream};

/// An agent comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Duty {
    Begins,
    Ends,
}

/// All comings and goings of a history, in no order.
pub(super) fn duties(history: &History<'_>) -> Vec<(Duration, AgentId, Duty)> {
    let mut duties = Vec::new();
    for agent in history.directory.agents() {
        let Some(&roster) = history.planning.shifts.get(&agent) else {
            duties.push((Duration::ZERO, agent, Duty::Begins));
            continue;
        };
        let mut random = Pcg64Mcg::seed_from_u64(stream(
            history.seed,
            u64::MAX,
            id_stream(&history.directory.agent_profile(agent).id),
        ));
        let shifts = &history.planning.rosters[roster].shifts;
        let weeks = history.length.as_secs().div_ceil(WEEK.as_secs());
        for week in 0..u32::try_from(weeks).unwrap_or(u32::MAX) {
            for &(from, until) in shifts {
                let missed: f64 = random.random();
                if missed < history.planning.no_shows {
                    continue;
                }
                let minute = |minute: u32| WEEK * week + Duration::from_secs(60) * minute;
                duties.push((minute(from), agent, Duty::Begins));
                // Who begins anew at that very minute does not leave.
                if !shifts
                    .iter()
                    .any(|&(next, _)| next % MINUTES == until % MINUTES)
                {
                    duties.push((minute(until), agent, Duty::Ends));
                }
            }
        }
    }
    duties.retain(|(at, ..)| *at < history.length);
    duties
}

const WEEK: Duration = Duration::from_secs(7 * 86_400);
const MINUTES: u32 = 7 * 24 * 60;

/// How long the agents of each site were there, and busy.
#[derive(Debug)]
pub(super) struct Occupancy {
    /// By agent: since when in which state.
    states: Vec<(Duration, AgentStateKind)>,
    /// By site: logged in, and of that in talk and wrap-up.
    pub(super) sites: Vec<(Duration, Duration)>,
    counted_from: Duration,
}

impl Occupancy {
    pub(super) fn new(directory: &Directory, counted_from: Duration) -> Self {
        let begin = (Duration::ZERO, AgentStateKind::LoggedOut);
        Self {
            states: vec![begin; directory.agents().len()],
            sites: vec![(Duration::ZERO, Duration::ZERO); directory.sites().len()],
            counted_from,
        }
    }

    pub(super) fn change(
        &mut self,
        now: Duration,
        agent: AgentId,
        site: SiteId,
        to: AgentStateKind,
    ) {
        use AgentStateKind::{LoggedOut, Talking, WrapUp};
        let (since, state) = std::mem::replace(&mut self.states[agent.index()], (now, to));
        let lasted = now.saturating_sub(since.max(self.counted_from));
        let (there, busy) = &mut self.sites[site.index()];
        if state != LoggedOut {
            *there += lasted;
        }
        if matches!(state, Talking | WrapUp) {
            *busy += lasted;
        }
    }
}
