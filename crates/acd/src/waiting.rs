//! Waiting calls in classes: the calls of one line with the same overflow steps in effect have the
//! same requirement and the same reach, so whatever can take the first can take any.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    directory::{Directory, Ring, STEPS_MAX},
    ids::{LineId, SiteId, StepIndex},
    order::OrderKey,
};

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

    pub(crate) fn iter(self) -> impl Iterator<Item = StepIndex> {
        (0..STEPS_MAX)
            .map(StepIndex::new)
            .filter(move |&step| self.contains(step))
    }
}

/// A class's name.
pub(crate) type ClassKey = (LineId, StepSet);

/// All classes that have calls.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    classes: BTreeMap<ClassKey, Class>,
}

/// The calls of a class, and how far they reach.
#[derive(Debug)]
pub(crate) struct Class {
    calls: BTreeSet<OrderKey>,
    /// Nearest first.
    reach: Vec<Reached>,
    /// The same by site, for a look-up.
    by_site: Vec<Reached>,
}

/// A site within reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached {
    pub(crate) ring: Ring,
    pub(crate) site: SiteId,
    /// The first step in effect that reaches it; `None` for the home site.
    pub(crate) step: Option<StepIndex>,
}

impl Class {
    fn new(directory: &Directory, line: LineId, steps: StepSet) -> Self {
        let line = directory.line_profile(line);
        let home = Reached {
            ring: Ring::Home,
            site: line.site,
            step: None,
        };
        let mut nearest: BTreeMap<SiteId, Reached> = BTreeMap::new();
        for step in line.steps.iter().filter(|step| steps.contains(step.index)) {
            for &(ring, site) in &step.reach {
                let reached = Reached {
                    ring,
                    site,
                    step: Some(step.index),
                };
                let known = nearest.entry(site).or_insert(reached);
                known.ring = known.ring.min(ring);
            }
        }
        nearest.insert(line.site, home);
        let by_site: Vec<_> = nearest.into_values().collect();
        let mut reach = by_site.clone();
        reach.sort_unstable();
        Self {
            calls: BTreeSet::new(),
            reach,
            by_site,
        }
    }

    /// The call that is served first.
    pub(crate) fn first(&self) -> OrderKey {
        *self
            .calls
            .first()
            .expect("a class without calls is forgotten")
    }

    /// All its calls, in order.
    pub(crate) fn calls(&self) -> impl Iterator<Item = OrderKey> {
        self.calls.iter().copied()
    }

    /// The sites within reach, nearest first.
    pub(crate) fn reach(&self) -> &[Reached] {
        &self.reach
    }

    /// How a site is reached.
    pub(crate) fn reaches(&self, site: SiteId) -> Option<&Reached> {
        let found = self
            .by_site
            .binary_search_by_key(&site, |reached| reached.site);
        found.ok().map(|at| &self.by_site[at])
    }
}

impl Classes {
    pub(crate) fn insert(
        &mut self,
        directory: &Directory,
        line: LineId,
        steps: StepSet,
        key: OrderKey,
    ) {
        let class = self.classes.entry((line, steps));
        class
            .or_insert_with(|| Class::new(directory, line, steps))
            .calls
            .insert(key);
    }

    pub(crate) fn remove(&mut self, line: LineId, steps: StepSet, key: OrderKey) {
        if let Some(class) = self.classes.get_mut(&(line, steps)) {
            class.calls.remove(&key);
            if class.calls.is_empty() {
                self.classes.remove(&(line, steps));
            }
        }
    }

    pub(crate) fn get(&self, line: LineId, steps: StepSet) -> Option<&Class> {
        self.classes.get(&(line, steps))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ClassKey, &Class)> {
        self.classes.iter().map(|(&key, class)| (key, class))
    }

    /// The calls of a line for which a step is not in effect, in the order of their classes.
    pub(crate) fn without_step(&self, line: LineId, step: StepIndex) -> Vec<OrderKey> {
        let of_line = self
            .classes
            .range((line, StepSet(0))..=(line, StepSet(u16::MAX)));
        of_line
            .filter(|((_, steps), _)| !steps.contains(step))
            .flat_map(|(_, class)| class.calls.iter().copied())
            .collect()
    }
}
