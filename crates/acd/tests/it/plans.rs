//! The referee on overflow: whether a step took effect when it should, and none was forgotten.

use std::time::Instant;

use acd::{
    Acd, AgentId, AgentStateKind, CallId, Condition, Reach, Requirement, SiteId, SiteState,
    StepSpec,
};

use crate::books::{BookedCall, Books};

impl Books {
    /// How near a site is to a line's home once a step has taken effect; `None` when the step does
    /// not reach it.
    pub(crate) fn nearness_by(&self, home: SiteId, step: &StepSpec, site: SiteId) -> Option<u8> {
        if site == home {
            return None;
        }
        let (home, there) = (
            self.directory.site_profile(home),
            self.directory.site_profile(site),
        );
        let same = |a: &str, b: &str| !a.is_empty() && a == b;
        let nearness = if home.neighbours.contains(&site) {
            1
        } else if same(&home.region, &there.region) {
            2
        } else if same(&home.zone, &there.zone) {
            3
        } else {
            4
        };
        let reaches = |reach: &Reach| match reach {
            Reach::Neighbours => (nearness == 1).then_some(1),
            Reach::Region => (same(&home.region, &there.region)).then_some(nearness),
            Reach::Zone => (same(&home.zone, &there.zone)).then_some(nearness),
            Reach::Nation => Some(nearness),
            Reach::Site(id) => (*id == there.id).then_some(1),
        };
        step.widen.iter().filter_map(reaches).min()
    }

    fn is_on_duty(&self, agent: AgentId) -> bool {
        use AgentStateKind::{Offered, Ready, Talking, WrapUp};
        let booked = &self.agents[agent.index()];
        booked.wants_calls && matches!(booked.state, Ready | Offered | Talking | WrapUp)
    }

    fn on_duty(&self, site: SiteId, asked: &Requirement) -> usize {
        let is = |agent: &AgentId| {
            let profile = self.directory.agent_profile(*agent);
            profile.sites().any(|of| of == site)
                && self.is_on_duty(*agent)
                && asked.is_met_by(&profile.skills)
        };
        self.directory.agents().filter(is).count()
    }

    fn site_state(&self, site: SiteId) -> SiteState {
        let anybody = self.on_duty(site, &Requirement::All(vec![])) > 0;
        let seen = if anybody {
            SiteState::Normal
        } else {
            SiteState::Unstaffed
        };
        self.stated.get(&site).copied().unwrap_or(seen)
    }

    /// Whether a condition of a step is met. What is expected to be waited is asked of the
    /// distributor: it is measured, and has tests of its own.
    fn is_met(&self, now: Instant, acd: &Acd, id: CallId, step: &StepSpec) -> bool {
        let call = &self.calls[&id];
        let home = self.home(call.line);
        step.when.iter().any(|when| match when {
            Condition::After(wait) => {
                let turns_away = step.last_resort.is_some();
                let since = if turns_away {
                    call.line_since
                } else {
                    call.arrival
                };
                since + *wait <= now
            }
            Condition::QueueLongerThan(length) => {
                self.waiting(call.line).len() > usize::try_from(*length).unwrap()
            }
            Condition::OldestWaitOver(wait) => {
                let waiting = self.waiting(call.line);
                let oldest = waiting
                    .iter()
                    .map(|&one| (self.calls[&one].arrival, one))
                    .min();
                oldest.is_some_and(|(arrival, first)| {
                    let is_it = step.last_resort.is_some() && first == id;
                    let since = if is_it { call.line_since } else { arrival };
                    since + *wait <= now
                })
            }
            Condition::NoAgentOnDuty => {
                let asked = self.asked_after(call.line, std::iter::empty());
                self.on_duty(home, &asked) == 0
            }
            Condition::EstimatedWaitOver(wait) => acd
                .expected_wait(now, id)
                .is_some_and(|expected| expected > *wait),
            Condition::SiteState(states) => states.contains(&self.site_state(home)),
        })
    }

    /// A step is taken when it is met, or when it brings agents by time and one before it helps nobody.
    pub(crate) fn check_step(&self, now: Instant, acd: &Acd, id: CallId, step: usize) {
        let call = &self.calls[&id];
        let part = call.parts.last().expect("a step has a plan");
        let plan = self.country.plan(&part.plan);
        assert!(!part.steps.contains(&step), "{id:?} took {step} before");
        let estimates = |when: &Condition| matches!(when, Condition::EstimatedWaitOver(_));
        // What was expected when the step was taken can no longer be asked.
        let was_estimated = plan.steps[step].when.iter().any(estimates);
        assert!(
            was_estimated
                || self.is_met(now, acd, id, &plan.steps[step])
                || self.is_not_waited_for(call, step),
            "{id:?} took step {step} without a reason"
        );
    }

    fn is_not_waited_for(&self, call: &BookedCall, step: usize) -> bool {
        let part = call.parts.last().expect("a step has a plan");
        let plan = self.country.plan(&part.plan);
        let brings_by_time = |step: usize| {
            let step = &plan.steps[step];
            waits_for_time(step) && brings_only(step)
        };
        if !brings_by_time(step) {
            return false;
        }
        // Back to the step before it that also brings agents by time, that one included.
        let last = (0..step).rev().find(|&earlier| brings_by_time(earlier));
        let mut between = last.unwrap_or(0)..step;
        between.any(|earlier| part.steps.contains(&earlier) && !self.helps(call, earlier))
    }

    /// Whether a step brings anybody on duty to a call, or does anything else.
    pub(crate) fn helps(&self, call: &BookedCall, step: usize) -> bool {
        let part = call.parts.last().expect("a step has a plan");
        let spec = &self.country.plan(&part.plan).steps[step];
        if !brings_only(spec) {
            return true;
        }
        let mut without = call.clone();
        let last = without.parts.last_mut().expect("it has one");
        last.steps.remove(&step);
        let mut with = without.clone();
        let last = with.parts.last_mut().expect("it has one");
        last.steps.insert(step);
        let home = self.home(call.line);
        let (asked_with, asked_without) = (self.asked(&with), self.asked(&without));
        self.directory.sites().any(|site| {
            let is_new = self.nearness_by(home, spec, site).is_some();
            let mut steps = self.steps(call);
            let is_within =
                site == home || steps.any(|one| self.nearness_by(home, one, site).is_some());
            let on_duty = self.on_duty(site, &asked_with);
            is_new && on_duty > 0 || is_within && on_duty > self.on_duty(site, &asked_without)
        })
    }

    /// What is met now has been taken, and nothing waits for time behind a step that helps nobody.
    pub(crate) fn check_steps_taken(&self, now: Instant, acd: &Acd, id: CallId) {
        let call = &self.calls[&id];
        let Some(part) = call.parts.last() else {
            return;
        };
        let plan = self.country.plan(&part.plan);
        for (index, step) in plan.steps.iter().enumerate() {
            if part.steps.contains(&index) {
                continue;
            }
            assert!(
                !self.is_not_waited_for(call, index),
                "{id:?} waits for step {index} behind one that helps nobody"
            );
            let only_estimated = |when: &Condition| matches!(when, Condition::EstimatedWaitOver(_));
            assert!(
                step.when.iter().all(only_estimated)
                    || !self.is_met(now, acd, id, &known_at_once(step)),
                "{id:?} did not take step {index}"
            );
        }
    }
}

/// The same without what is looked at only every few seconds.
fn known_at_once(step: &StepSpec) -> StepSpec {
    let mut step = step.clone();
    step.when
        .retain(|when| !matches!(when, Condition::EstimatedWaitOver(_)));
    step
}

fn waits_for_time(step: &StepSpec) -> bool {
    let mut when = step.when.iter();
    when.any(|when| matches!(when, Condition::After(_)))
}

/// Whether a step brings agents and does nothing else.
fn brings_only(step: &StepSpec) -> bool {
    let brings = !step.widen.is_empty() || step.relax.is_some();
    brings && step.raise == 0 && step.announce.is_none() && step.last_resort.is_none()
}
