//! Overflow: when a step of a plan takes effect for a call.

use std::time::Instant;

use crate::{
    acd::{Acd, Changed, Deadline, Phase},
    directory::{Line, Step},
    event::Event,
    ids::{CallId, LineId, SiteId},
    spec::Condition,
    waiting::StepSet,
};

impl Step {
    /// Whether it can take effect by time alone.
    fn waits(&self) -> bool {
        let mut when = self.when.iter();
        when.any(|when| matches!(when, Condition::After(_)))
    }
}

impl Acd {
    /// Looks at a waiting call's steps in order: each that is met takes effect. A step that reaches
    /// nobody on duty is passed, and the next that waits for time is not waited for.
    pub(crate) fn take_steps(&mut self, now: Instant, id: CallId) {
        let directory = self.directory.clone();
        let Some(call) = self
            .calls
            .get(&id)
            .filter(|call| call.phase == Phase::Waiting)
        else {
            return;
        };
        let (line_id, key, before) = (call.line, call.key, call.steps);
        let line = directory.line_profile(line_id);
        let waited = now - key.arrival;
        let mut steps = before;
        let mut skip_wait = false;
        for step in &line.steps {
            let waits = step.waits();
            let skipped = skip_wait && waits;
            if waits {
                skip_wait = false;
            }
            let taken = steps.contains(step.index);
            if !taken && !skipped && !self.is_met(now, key.arrival, line_id, line, step) {
                continue;
            }
            let helps = self.helps(line, step);
            skip_wait |= !helps;
            if taken {
                continue;
            }
            steps = steps.with(step.index);
            let step = step.index;
            self.emit(if helps {
                Event::StepTaken {
                    call: id,
                    line: line_id,
                    step,
                    waited,
                }
            } else {
                Event::StepPassed {
                    call: id,
                    line: line_id,
                    step,
                }
            });
        }
        if steps != before {
            self.classes.remove(line_id, before, key);
            self.classes.insert(&directory, line_id, steps, key);
            if let Some(call) = self.calls.get_mut(&id) {
                call.steps = steps;
            }
            self.changed.push_back(Changed::Call(id));
        }
        self.arm_step(id, line);
    }

    fn is_met(&self, now: Instant, arrival: Instant, id: LineId, line: &Line, step: &Step) -> bool {
        step.when.iter().any(|when| match *when {
            Condition::After(wait) => arrival + wait <= now,
            Condition::QueueLongerThan(length) => self.waiting(id) > length as usize,
            Condition::NoAgentOnDuty => self.staff.on_duty(line.site, line) == 0,
        })
    }

    /// Arms the timer of the next step that waits for time.
    fn arm_step(&mut self, id: CallId, line: &Line) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let pending = line
            .steps
            .iter()
            .filter(|step| !call.steps.contains(step.index));
        let waits = pending
            .flat_map(|step| &step.when)
            .filter_map(|when| match when {
                Condition::After(wait) => Some(call.key.arrival + *wait),
                Condition::QueueLongerThan(_) | Condition::NoAgentOnDuty => None,
            });
        let next = waits.min();
        let before = std::mem::replace(&mut call.step_at, next);
        if before == next {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove(&(at, Deadline::Step(id)));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, Deadline::Step(id)));
        }
    }

    pub(crate) fn step_due(&mut self, now: Instant, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.step_at = None;
            self.take_steps(now, id);
        }
    }

    /// A line's queue has one call more: steps that wait for its length may be met, for all its
    /// calls. Each call takes a step once, so the work is spread over the calls.
    pub(crate) fn queue_grew(&mut self, now: Instant, id: LineId) {
        let waiting = self.waiting(id);
        self.take_steps_of_line(
            now,
            id,
            |when| matches!(*when, Condition::QueueLongerThan(length) if waiting > length as usize),
        );
    }

    /// An agent of a site went off duty: perhaps nobody is left who could take a line's calls.
    pub(crate) fn duty_ended(&mut self, now: Instant, site: SiteId) {
        let directory = self.directory.clone();
        for &id in &directory.site_profile(site).lines {
            if self.staff.on_duty(site, directory.line_profile(id)) == 0 {
                self.take_steps_of_line(now, id, |when| *when == Condition::NoAgentOnDuty);
            }
        }
        self.help_ended(now, site);
    }

    /// Nobody is left on duty where a step in effect reaches: what waits behind it is not waited for,
    /// for all calls alike. Else a call that comes back from an offer, and is looked at for that,
    /// would reach further than a more urgent one that only waits. Each call looked at takes a step,
    /// so the work is spread over the calls.
    fn help_ended(&mut self, now: Instant, site: SiteId) {
        let left_alone = |line: &Line| self.staff.on_duty(site, line) == 0;
        let mut behind = Vec::new();
        for ((id, steps), class) in self.classes.iter() {
            let line = self.directory.line_profile(id);
            if class.reaches(site).is_some() && left_alone(line) && self.waits_in_vain(line, steps)
            {
                behind.extend(class.calls());
            }
        }
        for key in behind {
            self.take_steps(now, key.call);
        }
    }

    /// Whether the next step that waits for time stands behind one in effect that helps nobody.
    fn waits_in_vain(&self, line: &Line, taken: StepSet) -> bool {
        let mut skip_wait = false;
        for step in &line.steps {
            let is_taken = taken.contains(step.index);
            if step.waits() {
                if skip_wait && !is_taken {
                    return true;
                }
                skip_wait = false;
            }
            skip_wait |= is_taken && !self.helps(line, step);
        }
        false
    }

    /// Whether somebody is on duty where a step reaches.
    fn helps(&self, line: &Line, step: &Step) -> bool {
        let mut sites = step.reach.iter();
        sites.any(|&(_, site)| self.staff.on_duty(site, line) > 0)
    }

    fn take_steps_of_line(
        &mut self,
        now: Instant,
        id: LineId,
        is_met: impl Fn(&Condition) -> bool,
    ) {
        let directory = self.directory.clone();
        let steps = &directory.line_profile(id).steps;
        for step in steps.iter().filter(|step| step.when.iter().any(&is_met)) {
            for key in self.classes.without_step(id, step.index) {
                self.take_steps(now, key.call);
            }
        }
    }
}
