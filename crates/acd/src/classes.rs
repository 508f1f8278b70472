//! Waiting calls in classes: the calls of one line that have come equally far in the same plans have
//! the same requirement and the same reach, so whatever can take the first can take any.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    acd::Acd,
    course::Course,
    directory::{Directory, Ring, Step},
    ids::{LineId, SiteId, StepIndex, StepRef},
    order::{OrderKey, RankedSet},
    requirement::Relax,
    staff::RequirementId,
};

/// A class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassId(u32);

/// All classes that calls have been in. Their number is bounded by the lines and the steps of their
/// plans, not by the calls.
#[derive(Debug)]
pub(crate) struct Classes {
    classes: Vec<Class>,
    known: BTreeMap<(LineId, Course), ClassId>,
    by_line: Vec<Vec<ClassId>>,
    catchments: Vec<Catchment>,
    catchments_known: BTreeMap<(RequirementId, Vec<SiteId>), CatchmentId>,
    /// By site: the catchments that it is part of, and what they ask for.
    catchments_at: Vec<Vec<(RequirementId, CatchmentId)>>,
    /// By site: the first call of each class of its own lines, and what is asked for it.
    home: Vec<BTreeSet<(OrderKey, ClassId, RequirementId)>>,
}

/// Calls of a line that have come equally far.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) line: LineId,
    pub(crate) site: SiteId,
    pub(crate) course: Course,
    pub(crate) requirement: RequirementId,
    /// By how much its calls are more urgent than they were.
    pub(crate) raised: u8,
    /// From where agents may come, nearest first.
    reach: Vec<Reached>,
    advantage: Duration,
    /// By step of the plan that counts now: what is asked with it in effect, and without.
    asked: Vec<(RequirementId, RequirementId)>,
    /// By the same: the class of its calls once that step is in effect, as soon as that was asked for.
    onward: Vec<Option<ClassId>>,
    /// Where the calls are seen from other sites; `None` where they reach no other.
    catchment: Option<CatchmentId>,
    calls: RankedSet<OrderKey>,
}

/// A site within reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reached {
    pub(crate) ring: Ring,
    pub(crate) site: SiteId,
    /// The first step in effect that reaches it; `None` for the home site.
    pub(crate) step: Option<StepRef>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CatchmentId(u32);

/// Classes of any lines that ask for the same and reach the same sites, home included. A site looks
/// at the first call of each catchment that it is part of, not at each class of the country.
#[derive(Debug, Default)]
struct Catchment {
    /// The first call of each class, as sites see it that are not its home.
    heads: BTreeSet<(OrderKey, ClassId)>,
}

impl Class {
    /// The call that is served first.
    pub(crate) fn first(&self) -> Option<OrderKey> {
        self.calls.first().copied()
    }

    /// Whether a call is in it.
    #[cfg(debug_assertions)]
    pub(crate) fn has(&self, key: OrderKey) -> bool {
        self.calls.rank(&key).is_some()
    }

    /// The call after another one, or the first.
    pub(crate) fn after(&self, key: Option<OrderKey>) -> Option<OrderKey> {
        match key {
            Some(key) => self.calls.after(&key).copied(),
            None => self.first(),
        }
    }

    /// Its first calls, so many at most.
    pub(crate) fn first_calls(&self, count: usize) -> impl Iterator<Item = OrderKey> {
        self.calls.iter().take(count).copied()
    }

    /// Whether a step of the plan that counts now is in effect.
    pub(crate) fn has_taken(&self, step: &Step) -> bool {
        let part = self.course.governing();
        part.is_some_and(|part| part.steps.contains(step.index))
    }

    /// What is asked with a step of the plan that counts now in effect, and without.
    pub(crate) fn asked_with_and_without(&self, step: &Step) -> (RequirementId, RequirementId) {
        self.asked[usize::from(step.index.value())]
    }

    /// From where agents may come, nearest first.
    pub(crate) fn reach(&self) -> &[Reached] {
        &self.reach
    }

    /// How a site is reached.
    pub(crate) fn reaches(&self, site: SiteId) -> Option<&Reached> {
        self.reach.iter().find(|reached| reached.site == site)
    }

    /// A call's place as other sites see it.
    fn seen_from_elsewhere(&self, key: OrderKey) -> OrderKey {
        OrderKey {
            arrival: key.arrival + self.advantage,
            ..key
        }
    }
}

impl Classes {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self {
            classes: Vec::new(),
            known: BTreeMap::new(),
            by_line: directory.lines().map(|_| Vec::new()).collect(),
            catchments: Vec::new(),
            catchments_known: BTreeMap::new(),
            catchments_at: directory.sites().map(|_| Vec::new()).collect(),
            home: directory.sites().map(|_| BTreeSet::new()).collect(),
        }
    }

    pub(crate) fn get(&self, id: ClassId) -> &Class {
        &self.classes[id.0 as usize]
    }

    pub(crate) fn insert(&mut self, id: ClassId, key: OrderKey) {
        let class = &mut self.classes[id.0 as usize];
        let before = class.first();
        class.calls.insert(key);
        self.head_changed(id, before);
    }

    pub(crate) fn remove(&mut self, id: ClassId, key: OrderKey) {
        let class = &mut self.classes[id.0 as usize];
        let before = class.first();
        class.calls.remove(&key);
        self.head_changed(id, before);
    }

    /// Classes that have calls, in the order in which they first had any.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        let numbers = 0..u32::try_from(self.classes.len()).expect("lines and plans bound them");
        let classes = numbers.map(ClassId).zip(&self.classes);
        classes.filter(|(_, class)| !class.calls.is_empty())
    }

    /// The classes of a line.
    pub(crate) fn of_line(&self, line: LineId) -> impl Iterator<Item = (ClassId, &Class)> {
        let ids = self.by_line[line.index()].iter();
        ids.map(|&id| (id, self.get(id)))
    }

    /// The first call of a site's own lines, among those that ask for what somebody is able to take.
    pub(crate) fn first_at_home(
        &self,
        site: SiteId,
        is_able: impl Fn(RequirementId) -> bool,
    ) -> Option<(OrderKey, ClassId)> {
        let heads = self.home[site.index()].iter();
        let mut able = heads.filter(|&&(.., requirement)| is_able(requirement));
        able.next().map(|&(key, class, _)| (key, class))
    }

    /// The first call of the catchments that a site is part of, among those that ask for what somebody is able to
    /// take, as it is seen from elsewhere: the site's own calls among them are never before their place at home.
    pub(crate) fn first_from_elsewhere(
        &self,
        site: SiteId,
        is_able: impl Fn(RequirementId) -> bool,
    ) -> Option<(OrderKey, ClassId)> {
        let catchments = self.catchments_at[site.index()].iter();
        let able = catchments.filter(|&&(requirement, _)| is_able(requirement));
        let heads = able.filter_map(|(_, id)| self.catchments[id.0 as usize].heads.first());
        heads.min().copied()
    }

    fn head_changed(&mut self, id: ClassId, before: Option<OrderKey>) {
        let class = &self.classes[id.0 as usize];
        let after = class.first();
        if before == after {
            return;
        }
        let home = &mut self.home[class.site.index()];
        if let Some(key) = before {
            home.remove(&(key, id, class.requirement));
        }
        home.extend(after.map(|key| (key, id, class.requirement)));
        let Some(catchment) = class.catchment else {
            return;
        };
        let heads = &mut self.catchments[catchment.0 as usize].heads;
        if let Some(key) = before {
            heads.remove(&(class.seen_from_elsewhere(key), id));
        }
        heads.extend(after.map(|key| (class.seen_from_elsewhere(key), id)));
    }

    fn add(&mut self, class: Class) -> ClassId {
        let number = u32::try_from(self.classes.len()).expect("lines and plans bound them");
        let id = ClassId(number);
        self.known.insert((class.line, class.course.clone()), id);
        self.by_line[class.line.index()].push(id);
        self.classes.push(class);
        id
    }

    fn catchment(&mut self, requirement: RequirementId, reach: &[Reached]) -> Option<CatchmentId> {
        if reach.len() < 2 {
            return None;
        }
        let mut sites: Vec<_> = reach.iter().map(|reached| reached.site).collect();
        sites.sort_unstable();
        let number = u32::try_from(self.catchments.len()).expect("lines and plans bound them");
        let next = CatchmentId(number);
        let key = (requirement, sites);
        if let Some(&known) = self.catchments_known.get(&key) {
            return Some(known);
        }
        for site in &key.1 {
            self.catchments_at[site.index()].push((requirement, next));
        }
        self.catchments_known.insert(key, next);
        self.catchments.push(Catchment::default());
        Some(next)
    }
}

impl Acd {
    /// The class of a line's calls that have come so far.
    pub(crate) fn class_of(&mut self, line: LineId, course: Course) -> ClassId {
        let key = (line, course);
        if let Some(&known) = self.classes.known.get(&key) {
            return known;
        }
        let course = key.1;
        let directory = self.directory.clone();
        let profile = directory.line_profile(line);
        let taken: Vec<_> = course.steps().collect();
        let requirement = self.requirement(line, &taken);
        let raise = |step: &StepRef| u32::from(directory.step(*step).raise);
        let raised: u32 = taken.iter().map(raise).sum();
        let reach = reach(&directory, profile.site, &taken);
        let catchment = self.classes.catchment(requirement, &reach);
        let governing = course.governing();
        let asked = governing.map_or_else(Vec::new, |part| {
            let steps = directory.plans[part.plan.index()].steps.iter();
            let with_steps = |steps| course.clone().with_steps(steps).steps().collect::<Vec<_>>();
            steps
                .map(|step| {
                    let with = with_steps(part.steps.with(step.index));
                    let without = with_steps(part.steps.without(step.index));
                    (
                        self.requirement(line, &with),
                        self.requirement(line, &without),
                    )
                })
                .collect()
        });
        let onward = vec![None; asked.len()];
        let plan = governing.map(|part| part.plan);
        let advantage = plan.map(|plan| directory.plans[plan.index()].home_advantage);
        self.classes.add(Class {
            line,
            site: profile.site,
            requirement,
            raised: u8::try_from(raised).unwrap_or(u8::MAX),
            advantage: advantage.unwrap_or_default(),
            course,
            reach,
            asked,
            onward,
            catchment,
            calls: RankedSet::default(),
        })
    }

    /// The class of a class's calls once a step of the plan that counts now is in effect.
    pub(crate) fn class_onward(&mut self, id: ClassId, step: StepIndex) -> ClassId {
        let class = self.classes.get(id);
        let place = usize::from(step.value());
        if let Some(&Some(known)) = class.onward.get(place) {
            return known;
        }
        let (line, course) = (class.line, class.course.clone());
        let steps = course.governing().map(|part| part.steps.with(step));
        let onward = self.class_of(line, course.with_steps(steps.unwrap_or_default()));
        if let Some(known) = self.classes.classes[id.0 as usize].onward.get_mut(place) {
            *known = Some(onward);
        }
        onward
    }

    /// What is asked of an agent on a line once these steps are in effect.
    fn requirement(&mut self, line: LineId, steps: &[StepRef]) -> RequirementId {
        let directory = self.directory.clone();
        let asked = &directory.line_profile(line).requirement;
        let relaxed = Relax::all(steps, |step| directory.step(step).relax.as_ref())
            .map(|relaxes| asked.relaxed(&relaxes));
        let asked = relaxed.as_ref().unwrap_or(asked);
        self.staff.requirement(&directory, &self.agents, asked)
    }
}

/// The sites that the steps in effect reach, the home site first.
fn reach(directory: &Directory, home: SiteId, steps: &[StepRef]) -> Vec<Reached> {
    let mut nearest: BTreeMap<SiteId, Reached> = BTreeMap::new();
    for &step in steps {
        for &(ring, site) in &directory.step(step).reach[home.index()] {
            let reached = Reached {
                ring,
                site,
                step: Some(step),
            };
            let known = nearest.entry(site).or_insert(reached);
            known.ring = known.ring.min(ring);
        }
    }
    let at_home = Reached {
        ring: Ring::Home,
        site: home,
        step: None,
    };
    let mut reach: Vec<_> = nearest.into_values().chain([at_home]).collect();
    reach.sort_unstable();
    reach
}
