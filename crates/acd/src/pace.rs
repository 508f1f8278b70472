//! How fast a line's queue moves, as it was measured: what a caller is told to expect.

use std::time::{Duration, Instant};

use crate::{
    acd::Acd,
    ids::{CallId, LineId},
};

/// What has been measured of a line's queue.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Since when calls have waited without an answer; `None` while nobody waits.
    since: Option<Instant>,
    /// Between two answers while calls waited: a moving average.
    between: Option<Duration>,
    /// What a call takes an agent: a moving average of talk and wrap-up.
    handling: Option<Duration>,
}

impl Pace {
    /// A call came to wait.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Nobody waits any more.
    pub(crate) fn pause(&mut self) {
        self.since = None;
    }

    /// A call was answered. It has left the queue before; only where others still wait does the time
    /// since the last answer say how fast the queue moves.
    pub(crate) fn answered(&mut self, now: Instant) {
        if let Some(since) = self.since {
            average(&mut self.between, now - since);
            self.since = Some(now);
        }
    }

    /// An agent is done with a call.
    pub(crate) fn handled(&mut self, took: Duration) {
        average(&mut self.handling, took);
    }

    /// What a call at a place has still to wait, with so many agents on duty. A queue that has stood
    /// still for longer than usual is taken to move as slowly as that from now on.
    fn expected(
        &self,
        now: Instant,
        place: u32,
        on_duty: u32,
        handling_assumed: Duration,
    ) -> Duration {
        let one = self.between.unwrap_or_else(|| {
            let handling = self.handling.unwrap_or(handling_assumed);
            handling / on_duty.max(1)
        });
        let stood_still = self.since.map(|since| now - since).unwrap_or_default();
        one.max(stood_still).saturating_mul(place)
    }
}

/// An eighth of what is new: some ten calls decide.
fn average(mean: &mut Option<Duration>, new: Duration) {
    *mean = Some(match *mean {
        Some(mean) => (mean * 7 + new) / 8,
        None => new,
    });
}

impl Acd {
    /// What a waiting call can expect still to wait, by the pace at which its line's queue has moved
    /// of late. `None` for a call that does not wait, and where nobody on duty could take it.
    pub fn expected_wait(&self, now: Instant, call: CallId) -> Option<Duration> {
        let known = self.calls.get(&call)?;
        let place = self.place_of(known)?;
        let class = self.classes.get(known.class);
        let on_duty = class
            .reach()
            .iter()
            .map(|reached| self.staff.on_duty(reached.site, class.requirement))
            .sum();
        self.expected_at(now, known.line, place, on_duty)
    }

    /// What a call that came to the end of a line's queue now could expect to wait; `None` where
    /// nobody at the line's site is on duty who could take it.
    pub fn expected_wait_of_next(&self, now: Instant, line: LineId) -> Option<Duration> {
        let entry = self.queues[line.index()].entry?;
        let class = self.classes.get(entry);
        let on_duty = self.staff.on_duty(class.site, class.requirement);
        if self.staff.ready(class.site, class.requirement) > 0 && self.waiting(line) == 0 {
            return Some(Duration::ZERO);
        }
        self.expected_at(now, line, self.waiting(line) + 1, on_duty)
    }

    fn expected_at(
        &self,
        now: Instant,
        line: LineId,
        place: usize,
        on_duty: usize,
    ) -> Option<Duration> {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let on_duty = u32::try_from(on_duty).unwrap_or(u32::MAX);
        let pace = &self.queues[line.index()].pace;
        let assumed = self.settings.handling_assumed;
        (on_duty > 0).then(|| pace.expected(now, place, on_duty, assumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_counts_and_a_queue_that_stands_still_slows_down() {
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant has no other constructor"
        )]
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        let assumed = Duration::from_secs(90);
        assert_eq!(pace.expected(start, 2, 3, assumed), Duration::from_secs(60));
        pace.handled(Duration::from_secs(30));
        assert_eq!(pace.expected(start, 2, 3, assumed), Duration::from_secs(20));
        pace.begin(start);
        pace.answered(at(8));
        pace.answered(at(24));
        // (7 × 8 + 16) / 8
        let expected = |now| pace.expected(now, 10, 3, assumed);
        assert_eq!(expected(at(24)), Duration::from_secs(90));
        assert_eq!(expected(at(44)), Duration::from_secs(200));
    }

    #[test]
    fn an_answer_that_leaves_nobody_waiting_says_nothing_of_the_pace() {
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant has no other constructor"
        )]
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.begin(start);
        pace.pause();
        pace.answered(start + Duration::from_secs(60));
        assert_eq!(pace.between, None);
    }
}
