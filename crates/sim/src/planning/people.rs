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
        let worked = worked_shifts(shifts, history.length, || {
            let drawn: f64 = random.random();
            drawn < history.planning.no_shows
        });
        for (number, &(from, until)) in worked.iter().enumerate() {
            duties.push((from, agent, Duty::Begins));
            // Who begins anew at that very minute does not leave.
            if worked
                .get(number + 1)
                .is_none_or(|&(next, _)| next != until)
            {
                duties.push((until, agent, Duty::Ends));
            }
        }
    }
    duties.retain(|(at, ..)| *at < history.length);
    duties
}

/// The shifts of a roster to which somebody comes, in order. `is_missed` is asked once for each of a week; one that passes
/// Sunday midnight is missed or worked as a whole, but for one that never ends.
fn worked_shifts(
    shifts: &[(u32, u32)],
    length: Duration,
    mut is_missed: impl FnMut() -> bool,
) -> Vec<(Duration, Duration)> {
    let weeks = length.as_secs().div_ceil(WEEK.as_secs());
    let mut worked = Vec::new();
    let mut on_sunday = None;
    for week in 0..u32::try_from(weeks).unwrap_or(u32::MAX) {
        let on_sunday_before = on_sunday.take();
        for &(from, until) in shifts {
            let is_missed = is_missed();
            let is_missed = match on_sunday_before {
                Some(was_missed) if from == 0 && until < MINUTES => was_missed,
                _ => is_missed,
            };
            if until == MINUTES && from > 0 {
                on_sunday = Some(is_missed);
            }
            if !is_missed {
                let minute = |minute: u32| WEEK * week + Duration::from_secs(60) * minute;
                worked.push((minute(from), minute(until)));
            }
        }
    }
    worked
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u32 = 60;

    /// Three weeks of nights, the last of which passes Sunday midnight; these are missed, one after the other.
    fn nights(missed: &[bool]) -> Vec<(u64, u64)> {
        let sunday = 6 * 24 * HOUR;
        let shifts = [
            (0, 7 * HOUR),
            (sunday - 5 * HOUR, sunday + 7 * HOUR),
            (sunday + 19 * HOUR, MINUTES),
        ];
        let mut missed = missed.iter().copied();
        let worked = worked_shifts(&shifts, WEEK * 3, || {
            missed.next().expect("one for each shift of each week")
        });
        let hours = |at: Duration| at.as_secs() / 3_600;
        let hours = worked
            .into_iter()
            .map(|(from, until)| (hours(from), hours(until)));
        hours.collect()
    }

    #[test]
    fn a_night_over_sunday_midnight_is_missed_or_worked_as_a_whole() {
        let all = nights(&[false; 9]);
        assert_eq!(all[2..4], [(163, 168), (168, 175)]);
        // Of the second week what is drawn for Monday morning does not count.
        let drawn = [false, false, true, false, true, false, true, true, true];
        assert_eq!(nights(&drawn), [(0, 7), (139, 151), (331, 336), (336, 343)]);
    }

    #[test]
    fn who_is_always_there_is_missed_by_the_week() {
        let mut missed = [false, true, false].into_iter();
        let worked = worked_shifts(&[(0, MINUTES)], WEEK * 3, || {
            missed.next().expect("one for each shift of each week")
        });
        assert_eq!(worked, [(Duration::ZERO, WEEK), (WEEK * 2, WEEK * 3)]);
    }
}
