//! How far a call has come in its plans: which steps are in effect, and whose steps count now.

use crate::ids::{CrisisId, PlanId, StepIndex, StepRef};

/// The steps of a plan that are in effect for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepSet(u16);

impl StepSet {
    pub(crate) const fn contains(self, step: StepIndex) -> bool {
        self.0 & (1 << step.value()) != 0
    }

    #[must_use]
    pub(crate) const fn with(self, step: StepIndex) -> Self {
        Self(self.0 | (1 << step.value()))
    }

    #[must_use]
    pub(crate) const fn without(self, step: StepIndex) -> Self {
        Self(self.0 & !(1 << step.value()))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = StepIndex> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let step = (left != 0).then(|| StepIndex::new(left.trailing_zeros() as usize))?;
            left &= left - 1;
            Some(step)
        })
    }
}

/// A plan and its steps that are in effect, as they are written down.
pub type KeptPart = (PlanId, Vec<StepIndex>);

/// The same of a crisis.
pub type KeptCrisisPart = (CrisisId, PlanId, Vec<StepIndex>);

/// A plan and its steps that are in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) plan: PlanId,
    pub(crate) steps: StepSet,
}

/// What a call has met: the plan of its line, then those of crises, in the order in which they were
/// switched on. Only the last takes further steps; what took effect stays in effect as long as its
/// plan is there, so that switching a crisis plan off leaves what was before.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Course {
    base: Option<Part>,
    crises: Vec<(CrisisId, Part)>,
}

impl Course {
    /// The course of a call that has just come to a line.
    pub(crate) fn new(
        plan: Option<PlanId>,
        crises: impl IntoIterator<Item = (CrisisId, PlanId)>,
    ) -> Self {
        let mut course = Self {
            base: plan.map(Part::new),
            crises: Vec::new(),
        };
        for (crisis, plan) in crises {
            course.crises.push((crisis, Part::new(plan)));
        }
        course
    }

    /// The plan of the line and those of crises, each with its steps in effect.
    pub(crate) fn keep(&self) -> (Option<KeptPart>, Vec<KeptCrisisPart>) {
        let steps = |part: &Part| part.steps.iter().collect();
        let base = self.base.as_ref().map(|part| (part.plan, steps(part)));
        let crises = self.crises.iter();
        let crises = crises.map(|(crisis, part)| (*crisis, part.plan, steps(part)));
        (base, crises.collect())
    }

    /// The same course again.
    pub(crate) fn restore(base: Option<KeptPart>, crises: Vec<KeptCrisisPart>) -> Self {
        let part = |plan, steps: Vec<StepIndex>| Part {
            plan,
            steps: steps.into_iter().fold(StepSet::default(), StepSet::with),
        };
        let crises = crises.into_iter();
        Self {
            base: base.map(|(plan, steps)| part(plan, steps)),
            crises: crises
                .map(|(crisis, plan, steps)| (crisis, part(plan, steps)))
                .collect(),
        }
    }

    /// The same with exactly these crises on.
    pub(crate) fn under(&self, crises: impl IntoIterator<Item = (CrisisId, PlanId)>) -> Self {
        let part = |(crisis, plan)| {
            let before = self.crises.iter().find(|(one, _)| *one == crisis);
            before.copied().unwrap_or_else(|| (crisis, Part::new(plan)))
        };
        Self {
            base: self.base,
            crises: crises.into_iter().map(part).collect(),
        }
    }

    /// The part whose steps count now.
    pub(crate) fn governing(&self) -> Option<Part> {
        self.crises.last().map(|&(_, part)| part).or(self.base)
    }

    /// The crisis whose plan's steps count now; `None` for the plan of the line.
    pub(crate) fn governing_crisis(&self) -> Option<CrisisId> {
        self.crises.last().map(|&(crisis, _)| crisis)
    }

    /// Whether the plan of a crisis is among those that were met and are on.
    pub(crate) fn is_under(&self, crisis: CrisisId) -> bool {
        self.crises.iter().any(|&(one, _)| one == crisis)
    }

    /// The same with other steps of the governing part in effect.
    #[must_use]
    pub(crate) fn with_steps(mut self, steps: StepSet) -> Self {
        let governing = self.crises.last_mut().map(|(_, part)| part);
        if let Some(part) = governing.or(self.base.as_mut()) {
            part.steps = steps;
        }
        self
    }

    /// All parts, in the order in which they were met.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let crises = self.crises.iter().map(|&(_, part)| part);
        self.base.into_iter().chain(crises)
    }

    /// All steps in effect.
    pub(crate) fn steps(&self) -> impl Iterator<Item = StepRef> + '_ {
        self.parts().flat_map(|part| {
            let step_of = move |step| StepRef {
                plan: part.plan,
                step,
            };
            part.steps.iter().map(step_of)
        })
    }
}

impl Part {
    fn new(plan: PlanId) -> Self {
        Self {
            plan,
            steps: StepSet::default(),
        }
    }
}
