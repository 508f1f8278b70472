//! Looking again at the calls of a line, because what they wait for concerns all of them: how many
//! they are, how long the first has waited, who is on duty. Many calls are looked at in several turns.

use std::time::{Duration, Instant};

use crate::{
    acd::{Acd, Deadline},
    classes::Class,
    directory::Plan,
    ids::{CallId, LineId},
    spec::Condition,
};

/// How often the calls of a line are held against what they are expected to wait.
const ESTIMATE_EVERY: Duration = Duration::from_secs(5);

impl Acd {
    /// The next call to look at.
    pub(crate) fn next_review(&mut self) -> Option<CallId> {
        if let Some(call) = self.awaiting_reviews.pop_first() {
            return Some(call);
        }
        while let Some((&class, &cursor)) = self.reviews.first_key_value() {
            let Some(key) = self.classes.get(class).after(cursor) else {
                self.reviews.remove(&class);
                continue;
            };
            self.reviews.insert(class, Some(key));
            return Some(key.call);
        }
        None
    }

    /// All waiting calls of a line have to be looked at.
    pub(crate) fn review_line(&mut self, line: LineId) {
        for (id, class) in self.classes.of_line(line) {
            if class.first().is_some() {
                self.reviews.insert(id, None);
            }
        }
        self.review_awaiting(line);
    }

    /// The calls of a line have to be looked at that may have a step before them which concerns all of
    /// them together. Those for which it is in effect already are not: they may be very many.
    fn review_those_before(&mut self, line: LineId, concerns_all: impl Fn(&Condition) -> bool) {
        let directory = self.directory.clone();
        let is_before = |class: &Class| {
            let Some(part) = class.course.governing() else {
                return false;
            };
            let steps = directory.plans[part.plan.index()].steps.iter();
            let mut pending = steps.filter(|step| !class.has_taken(step));
            pending.any(|step| step.when.iter().any(&concerns_all))
        };
        for (id, class) in self.classes.of_line(line) {
            if class.first().is_some() && is_before(class) {
                self.reviews.insert(id, None);
            }
        }
        self.review_awaiting(line);
    }

    /// Calls that wait for one agent are in no class; there are few.
    fn review_awaiting(&mut self, line: LineId) {
        for key in self.personal.values().flatten() {
            let call = self.calls.get(&key.call);
            if call.is_some_and(|call| call.line == line) {
                self.awaiting_reviews.insert(key.call);
            }
        }
    }

    /// A line's queue has one call more. The call itself has been looked at; the others are concerned
    /// where the queue has just become long enough, or its first call is older than the first was.
    pub(crate) fn queue_grew(&mut self, now: Instant, line: LineId) {
        let directory = self.directory.clone();
        let waiting = self.waiting(line);
        let oldest = self.oldest_arrival(line);
        let concerns_others = |when: &Condition| match when {
            Condition::QueueLongerThan(length) => waiting == *length as usize + 1,
            Condition::OldestWaitOver(wait) => oldest.is_some_and(|at| at + *wait <= now),
            _ => false,
        };
        if self.plan_of(line, &directory).is_some_and(|plan| {
            let mut conditions = plan.steps.iter().flat_map(|step| &step.when);
            conditions.any(concerns_others)
        }) {
            self.review_those_before(line, concerns_others);
        }
        self.arm_line(now, line);
    }

    /// Arms the timer of a line whose calls are concerned by the wait of the first, or by what each
    /// is expected to wait.
    pub(crate) fn arm_line(&mut self, now: Instant, line: LineId) {
        let directory = self.directory.clone();
        let oldest = self.oldest_arrival(line);
        let next = self.plan_of(line, &directory).and_then(|plan| {
            let conditions = plan.steps.iter().flat_map(|step| &step.when);
            let due = conditions.filter_map(|when| match when {
                Condition::OldestWaitOver(wait) => oldest.map(|at| at + *wait),
                Condition::EstimatedWaitOver(_) => oldest.map(|_| now + ESTIMATE_EVERY),
                _ => None,
            });
            due.filter(|&at| at > now).min()
        });
        let queue = &mut self.queues[line.index()];
        // What is due, or a tick that is under way, is not put off by what else happens meanwhile.
        let under_way = queue.review_at.filter(|_| oldest.is_some());
        let next = under_way.into_iter().chain(next).min();
        let before = std::mem::replace(&mut queue.review_at, next);
        if before != next {
            if let Some(at) = before {
                self.deadlines.remove((at, Deadline::Line(line)));
            }
            if let Some(at) = next {
                self.deadlines.insert((at, Deadline::Line(line)));
            }
        }
    }

    pub(crate) fn line_due(&mut self, now: Instant, line: LineId) {
        self.queues[line.index()].review_at = None;
        self.review_those_before(line, |when| {
            matches!(
                when,
                Condition::OldestWaitOver(_) | Condition::EstimatedWaitOver(_)
            )
        });
        self.arm_line(now, line);
    }

    /// The plan that the calls of a line follow now.
    fn plan_of<'a>(
        &self,
        line: LineId,
        directory: &'a crate::directory::Directory,
    ) -> Option<&'a Plan> {
        let entry = self.queues[line.index()].entry?;
        let part = self.classes.get(entry).course.governing()?;
        Some(&directory.plans[part.plan.index()])
    }
}
