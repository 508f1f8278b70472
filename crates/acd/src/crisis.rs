//! Crisis plans, and how a site works: what is different somewhere for a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    acd::{Acd, Changed, Deadline},
    classes::ClassId,
    course::Course,
    event::{CrisisChange, Event, Ignored},
    ids::{AgentId, CallId, CrisisId, LineId, PlanId, SiteId},
    input::CrisisOrder,
    output::Output,
    spec::{CrisisFlow, SiteState},
};

/// How a site works now.
#[derive(Debug, Default)]
pub(crate) struct SiteNow {
    /// What a person said.
    stated: Option<SiteState>,
    /// What was told last; `None`: nothing yet.
    told: Option<SiteState>,
    /// The crisis plans that are on, in the order in which they were switched on here.
    crises: Vec<CrisisId>,
}

/// A crisis plan that is on at some sites, as somebody ordered it. A site is in one order of a plan: the
/// latest that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveCrisis {
    /// The plan.
    pub crisis: CrisisId,
    /// Where.
    pub sites: BTreeSet<SiteId>,
    /// When it was ordered.
    pub since: Instant,
    /// When it ends by itself.
    pub until: Option<Instant>,
    /// Who switched it on.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// An order of a crisis plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CrisisOrderId(u64);

/// The orders that are in force, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct CrisisOrders {
    orders: BTreeMap<CrisisOrderId, ActiveCrisis>,
    given: u64,
}

impl CrisisOrders {
    fn add(&mut self, order: ActiveCrisis) -> CrisisOrderId {
        self.given += 1;
        let id = CrisisOrderId(self.given);
        self.orders.insert(id, order);
        id
    }

    /// Takes sites out of the orders of a plan: those of them that it was on at, and the ends of the
    /// orders that have no site left.
    fn take(
        &mut self,
        crisis: CrisisId,
        is_meant: impl Fn(SiteId) -> bool,
    ) -> (Vec<SiteId>, Vec<(Instant, CrisisOrderId)>) {
        let (mut taken, mut ends) = (BTreeSet::new(), Vec::new());
        self.orders.retain(|&id, order| {
            if order.crisis != crisis {
                return true;
            }
            taken.extend(order.sites.extract_if(.., |&site| is_meant(site)));
            let is_over = order.sites.is_empty();
            if is_over {
                ends.extend(order.until.map(|at| (at, id)));
            }
            !is_over
        });
        (taken.into_iter().collect(), ends)
    }
}

impl SiteNow {
    pub(crate) const fn stated(&self) -> Option<SiteState> {
        self.stated
    }
}

impl Acd {
    /// An order of before goes on.
    pub(crate) fn restore_crisis(&mut self, order: ActiveCrisis) {
        let until = order.until;
        let active = self.crises.add(order);
        if let Some(at) = until {
            self.deadlines.insert((at, Deadline::Crisis(active)));
        }
    }

    /// What is on at a site, in the order in which it was switched on there.
    pub(crate) fn restore_crises_at(&mut self, now: Instant, site: SiteId, crises: Vec<CrisisId>) {
        self.sites[site.index()].crises = crises;
        self.crises_changed(now, &[site]);
    }

    pub(crate) fn crisis_on(&mut self, now: Instant, order: CrisisOrder) {
        let id = order.crisis;
        let is_known = id.index() < self.directory.crises().len();
        let sites = self.directory.sites().len();
        let is_possible = is_known && !order.sites.is_empty();
        if !is_possible || order.sites.iter().any(|site| site.index() >= sites) {
            return self.ignore(Ignored::Crisis(id));
        }
        self.touch_sites();
        let meant: BTreeSet<_> = order.sites.iter().copied().collect();
        let (before, ends) = self.crises.take(id, |site| meant.contains(&site));
        self.forget_ends(ends);
        let added: Vec<_> = meant
            .iter()
            .copied()
            .filter(|site| !before.contains(site))
            .collect();
        let active = self.crises.add(ActiveCrisis {
            crisis: id,
            sites: meant,
            since: now,
            until: order.until,
            author: order.author.clone(),
            reason: order.reason.clone(),
        });
        if let Some(at) = order.until {
            self.deadlines.insert((at, Deadline::Crisis(active)));
        }
        for &site in &added {
            self.sites[site.index()].crises.push(id);
        }
        self.emit(Event::CrisisChanged {
            crisis: id,
            sites: order.sites,
            change: CrisisChange::On {
                author: order.author,
                reason: order.reason,
                lasts: order
                    .until
                    .map(|until| until.saturating_duration_since(now)),
            },
        });
        self.crises_changed(now, &added);
    }

    fn forget_ends(&mut self, ends: Vec<(Instant, CrisisOrderId)>) {
        for (at, order) in ends {
            self.deadlines.remove((at, Deadline::Crisis(order)));
        }
    }

    /// Switches a plan off at some sites; everywhere where none is named.
    pub(crate) fn crisis_off(
        &mut self,
        now: Instant,
        id: CrisisId,
        sites: &[SiteId],
        author: String,
    ) {
        let is_meant = |site: SiteId| sites.is_empty() || sites.contains(&site);
        let (ended, ends) = self.crises.take(id, is_meant);
        if ended.is_empty() {
            return self.ignore(Ignored::Crisis(id));
        }
        self.forget_ends(ends);
        self.crisis_ended(now, id, ended, CrisisChange::Off { author });
    }

    /// The time of an order is over.
    pub(crate) fn crisis_due(&mut self, now: Instant, order: CrisisOrderId) {
        if let Some(order) = self.crises.orders.remove(&order) {
            let sites = order.sites.into_iter().collect();
            self.crisis_ended(now, order.crisis, sites, CrisisChange::Expired);
        }
    }

    fn crisis_ended(
        &mut self,
        now: Instant,
        id: CrisisId,
        ended: Vec<SiteId>,
        change: CrisisChange,
    ) {
        self.touch_sites();
        for site in &ended {
            self.sites[site.index()].crises.retain(|one| *one != id);
        }
        self.crises_changed(now, &ended);
        self.emit(Event::CrisisChanged {
            crisis: id,
            sites: ended,
            change,
        });
    }

    /// Lets everything at some sites follow the crisis plans that are on now.
    fn crises_changed(&mut self, now: Instant, sites: &[SiteId]) {
        let directory = self.directory.clone();
        for &site in sites {
            for &line in &directory.site_profile(site).lines {
                self.queues[line.index()].entry = None;
                self.entry_class(line);
                self.review_line(line);
                self.arm_line(now, line);
            }
            self.changed.push_back(Changed::Site(site));
        }
    }

    /// The class of calls that come to a line now.
    pub(crate) fn entry_class(&mut self, line: LineId) -> ClassId {
        if let Some(known) = self.queues[line.index()].entry {
            return known;
        }
        let profile = self.directory.line_profile(line);
        let course = Course::new(profile.plan, self.crisis_plans(profile.site));
        let class = self.class_of(line, course);
        self.queues[line.index()].entry = Some(class);
        class
    }

    /// Lets a waiting call follow the plans that are on at its site now, and looks at their steps.
    pub(crate) fn follow_plan(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id).filter(|call| call.waits()) else {
            return;
        };
        let (line, priority) = (call.line, call.priority);
        let class = self.classes.get(call.class);
        let plan_of = |course: &Course| course.governing().map(|part| part.plan);
        let before = plan_of(&class.course);
        let course = class.course.under(self.crisis_plans(class.site));
        if course != class.course {
            let plan = plan_of(&course);
            let class = self.class_of(line, course);
            if plan != before {
                self.emit(Event::PlanChanged {
                    call: id,
                    line,
                    plan,
                });
            }
            self.place_anew(id, class, priority);
            self.end_needless_diversion(id);
        }
        self.take_steps(now, id);
    }

    fn crisis_plans(&self, site: SiteId) -> Vec<(CrisisId, PlanId)> {
        let crises = self.sites[site.index()].crises.iter();
        let plan = |&id: &CrisisId| Some((id, self.directory.crisis_profile(id).plan?));
        crises.filter_map(plan).collect()
    }

    /// What the crisis plan that was switched on last says, of those that say anything.
    fn in_crisis<T>(
        &self,
        site: SiteId,
        say: impl Fn(&crate::directory::Crisis) -> Option<T>,
    ) -> Option<T> {
        let mut crises = self.sites[site.index()].crises.iter().rev();
        crises.find_map(|&id| say(self.directory.crisis_profile(id)))
    }

    /// Ready agents that a site keeps for its own callers.
    pub(crate) fn reserve(&self, site: SiteId) -> usize {
        let usual = self.directory.site_profile(site).reserve;
        self.in_crisis(site, |crisis| crisis.reserve)
            .unwrap_or(usual)
    }

    /// How long an agent has after a call of a line.
    pub(crate) fn wrap_up(&self, agent: AgentId, line: LineId) -> Duration {
        let site = self.directory.agent_profile(agent).site;
        let usual = self.directory.line_profile(line).wrap_up;
        self.in_crisis(site, |crisis| crisis.wrap_up)
            .unwrap_or(usual)
    }

    /// The line that takes the new calls of a line.
    pub(crate) fn line_in_crisis(&self, dialled: LineId) -> LineId {
        let line = self.directory.line_profile(dialled);
        let is_open = self.in_crisis(line.site, |crisis| {
            (crisis.flow == CrisisFlow::Open).then_some(())
        });
        line.crisis_line
            .filter(|_| is_open.is_some())
            .unwrap_or(dialled)
    }

    pub(crate) fn announce_crisis(&mut self, now: Instant, id: CallId, site: SiteId) {
        if let Some(name) = self.in_crisis(site, |crisis| crisis.announcement.clone()) {
            self.announce(now, id, name);
        }
    }

    pub(crate) fn announce(&mut self, now: Instant, call: CallId, announcement: Arc<str>) {
        self.outputs.push_back(Output::Announce {
            call,
            announcement,
            place: self.place(call),
            expected_wait: self.expected_wait(now, call),
        });
    }

    pub(crate) fn set_site_state(&mut self, site: SiteId, state: Option<SiteState>) {
        if let Some(now) = self.sites.get_mut(site.index()) {
            now.stated = state;
            self.touch_sites();
            self.note_site_state(site);
        }
    }

    /// How a site works: as somebody said, or as can be seen.
    pub fn site_state(&self, site: SiteId) -> SiteState {
        let seen = if self.staff.anybody_on_duty(site) {
            SiteState::Normal
        } else {
            SiteState::Unstaffed
        };
        self.sites[site.index()].stated.unwrap_or(seen)
    }

    /// Tells when a site works differently; calls may overflow then.
    pub(crate) fn note_site_state(&mut self, site: SiteId) {
        let state = self.site_state(site);
        let told = self.sites[site.index()].told.replace(state);
        if told == Some(state) {
            return;
        }
        self.emit(Event::SiteStateChanged { site, state });
        for line in self.directory.clone().site_profile(site).lines.clone() {
            self.review_line(line);
        }
    }

    /// The crisis plans that are on, in the order in which they were ordered.
    pub fn active_crises(&self) -> impl Iterator<Item = &ActiveCrisis> {
        self.crises.orders.values()
    }

    /// The crisis plans that are on at a site, the one that counts most last.
    pub fn crises_at(&self, site: SiteId) -> &[CrisisId] {
        &self.sites[site.index()].crises
    }
}
