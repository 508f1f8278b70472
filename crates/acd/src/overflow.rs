//! Overflow: when a step of a plan takes effect for a call.

use std::time::Instant;

use crate::{
    acd::{Acd, Deadline},
    classes::{Class, ClassId},
    directory::{Plan, Step},
    event::Event,
    ids::{CallId, LineId, SiteId, StepRef},
    spec::Condition,
};

impl Acd {
    /// Looks at a waiting call's steps in order: each that is met takes effect. A step that brings
    /// nobody on duty within reach is passed, and the next that would bring somebody by time is not
    /// waited for.
    pub(crate) fn take_steps(&mut self, now: Instant, id: CallId) {
        let directory = self.directory.clone();
        let Some(class) = self.class_of_waiting(id) else {
            return;
        };
        let Some(part) = self.classes.get(class).course.governing() else {
            return;
        };
        let plan = &directory.plans[part.plan.index()];
        // A step that takes effect can make an earlier one needless: what waits behind that one is
        // looked at again.
        while let Some(step) = self.due_step(now, id, plan) {
            self.take_step(now, id, step);
        }
        self.arm_step(id);
    }

    /// The first step of a plan that is due for a waiting call and not in effect.
    fn due_step<'a>(&self, now: Instant, id: CallId, plan: &'a Plan) -> Option<&'a Step> {
        let class = self.classes.get(self.class_of_waiting(id)?);
        let mut pending = plan.steps.iter().filter(|step| !class.has_taken(step));
        pending.find(|step| {
            self.is_met(now, id, class, step) || self.is_not_waited_for(class, plan, step)
        })
    }

    fn class_of_waiting(&self, id: CallId) -> Option<ClassId> {
        let call = self.calls.get(&id).filter(|call| call.waits())?;
        Some(call.class)
    }

    fn take_step(&mut self, now: Instant, id: CallId, step: &Step) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (line, waited, priority) = (call.line, now - call.key.arrival, call.priority);
        let before = call.class;
        let class = self.classes.get(before);
        let helps = self.helps(class, step);
        let Some(part) = class.course.governing() else {
            return;
        };
        let class = self.class_onward(before, step.index);
        let step_ref = StepRef {
            plan: part.plan,
            step: step.index,
        };
        self.emit(if helps {
            Event::StepTaken {
                call: id,
                line,
                step: step_ref,
                waited,
                candidates: self.candidates(class),
            }
        } else {
            Event::StepPassed {
                call: id,
                line,
                step: step_ref,
                waited,
                candidates: self.candidates(class),
            }
        });
        self.place_anew(id, class, priority);
        if let Some(announcement) = &step.announce {
            self.announce(now, id, announcement.clone());
        }
        if let Some(what) = &step.last_resort {
            self.try_outside(now, id, step_ref, what);
        }
    }

    fn is_met(&self, now: Instant, id: CallId, class: &Class, step: &Step) -> bool {
        let has_passed = |since: Option<Instant>, wait| since.is_some_and(|at| at + wait <= now);
        step.when.iter().any(|when| match when {
            Condition::After(wait) => {
                let call = self.calls.get(&id);
                has_passed(call.map(|call| step.counts_from(call)), *wait)
            }
            Condition::QueueLongerThan(length) => self.waiting(class.line) > *length as usize,
            Condition::OldestWaitOver(wait) => {
                let oldest = self.queues[class.line.index()].arrivals.first();
                let since = oldest.map(|&(arrival, oldest)| match self.calls.get(&id) {
                    Some(call) if oldest == id => step.counts_from(call),
                    _ => arrival,
                });
                has_passed(since, *wait)
            }
            Condition::NoAgentOnDuty => self.nobody_on_duty(class.line),
            Condition::EstimatedWaitOver(wait) => {
                let expected = self.expected_wait(now, id);
                expected.is_some_and(|expected| expected > *wait)
            }
            Condition::SiteState(states) => states.contains(&self.site_state(class.site)),
        })
    }

    /// Whether nobody is on duty at a line's site who could take its calls.
    fn nobody_on_duty(&self, line: LineId) -> bool {
        let entry = self.queues[line.index()].entry;
        entry.is_some_and(|entry| {
            let class = self.classes.get(entry);
            self.staff.on_duty(class.site, class.requirement) == 0
        })
    }

    /// Whether a step does something for a call of a class: it brings agents on duty, or does
    /// anything else.
    fn helps(&self, class: &Class, step: &Step) -> bool {
        if !step.only_brings_agents() {
            return true;
        }
        let (with, without) = class.asked_with_and_without(step);
        let on_duty = |site: SiteId, requirement| self.staff.on_duty(site, requirement);
        let reached = &step.reach[class.site.index()];
        reached.iter().any(|&(_, site)| on_duty(site, with) > 0)
            || with != without
                && class
                    .reach()
                    .iter()
                    .any(|near| on_duty(near.site, with) > on_duty(near.site, without))
    }

    /// Whether a step that brings agents by time is not waited for: the one before it that does is in
    /// effect and helps nobody. What does more than bring agents keeps its time, and changes nothing for
    /// those behind it: nobody is turned away or becomes urgent early because a helper has left.
    fn is_not_waited_for(&self, class: &Class, plan: &Plan, step: &Step) -> bool {
        let brings_by_time = |step: &Step| step.waits() && step.only_brings_agents();
        if !brings_by_time(step) {
            return false;
        }
        let before = plan.steps[..usize::from(step.index.value())].iter().rev();
        for earlier in before {
            if class.has_taken(earlier) && !self.helps(class, earlier) {
                return true;
            }
            if brings_by_time(earlier) {
                return false;
            }
        }
        false
    }

    /// Arms the timer of the next step that waits for time.
    fn arm_step(&mut self, id: CallId) {
        let directory = self.directory.clone();
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.waits()) else {
            return;
        };
        let class = self.classes.get(call.class);
        let plan = class.course.governing().map(|part| part.plan);
        let steps = plan.map_or(&[][..], |plan| &directory.plans[plan.index()].steps);
        let pending = steps.iter().filter(|step| !class.has_taken(step));
        let waits = pending.flat_map(|step| {
            let since = step.counts_from(call);
            step.when.iter().filter_map(move |when| match when {
                Condition::After(wait) => Some(since + *wait),
                // Whoever is the first need not have waited since they came.
                Condition::OldestWaitOver(wait) if step.last_resort.is_some() => {
                    Some(since + *wait)
                }
                _ => None,
            })
        });
        let next = waits.min();
        let before = std::mem::replace(&mut call.step_at, next);
        if before == next {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove((at, Deadline::Step(id)));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, Deadline::Step(id)));
        }
    }

    pub(crate) fn step_due(&mut self, now: Instant, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.step_at = None;
            self.follow_plan(now, id);
        }
    }

    /// An agent of a site went off duty: perhaps nobody is left who could take a line's calls, or
    /// whom a step in effect reaches. What waits behind such a step is not waited for, for all calls
    /// alike: else a call that comes back from an offer, and is looked at for that, would reach
    /// further than a more urgent one that only waits.
    pub(crate) fn duty_ended(&mut self, site: SiteId) {
        let directory = self.directory.clone();
        for &line in &directory.site_profile(site).lines {
            if self.nobody_on_duty(line) {
                self.review_line(line);
            }
        }
        let waits_in_vain = |class: &Class| {
            let Some(part) = class.course.governing() else {
                return false;
            };
            let plan = &directory.plans[part.plan.index()];
            let mut pending = plan.steps.iter().filter(|step| !class.has_taken(step));
            pending.any(|step| self.is_not_waited_for(class, plan, step))
        };
        let in_vain: Vec<_> = self
            .classes
            .occupied()
            .filter(|(_, class)| class.reaches(site).is_some() && waits_in_vain(class))
            .map(|(id, _)| id)
            .collect();
        for class in in_vain {
            self.reviews.insert(class, None);
        }
    }
}
