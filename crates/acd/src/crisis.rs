//! Crisis plans, and how a site works: what is different somewhere for a time.

use std::{
    collections::BTreeSet,
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

/// A crisis plan that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveCrisis {
    /// Where.
    pub sites: BTreeSet<SiteId>,
    /// Since when.
    pub since: Instant,
    /// When it ends by itself.
    pub until: Option<Instant>,
    /// Who switched it on.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl Acd {
    pub(crate) fn crisis_on(&mut self, now: Instant, order: CrisisOrder) {
        let id = order.crisis;
        let is_known = id.index() < self.directory.crises().len();
        let sites = self.directory.sites().len();
        let is_possible = is_known && !order.sites.is_empty();
        if !is_possible || order.sites.iter().any(|site| site.index() >= sites) {
            return self.ignore(Ignored::Crisis(id));
        }
        let active = self.crises.entry(id).or_insert_with(|| ActiveCrisis {
            sites: BTreeSet::new(),
            since: now,
            until: None,
            author: String::new(),
            reason: String::new(),
        });
        let before = std::mem::replace(&mut active.until, order.until);
        active.author.clone_from(&order.author);
        active.reason.clone_from(&order.reason);
        let added: Vec<_> = order
            .sites
            .iter()
            .copied()
            .filter(|&site| active.sites.insert(site))
            .collect();
        if let Some(at) = before {
            self.deadlines.remove(&(at, Deadline::Crisis(id)));
        }
        if let Some(at) = order.until {
            self.deadlines.insert((at, Deadline::Crisis(id)));
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
                until: order.until,
            },
        });
        self.crises_changed(now, &added);
    }

    pub(crate) fn crisis_off(
        &mut self,
        now: Instant,
        id: CrisisId,
        sites: &[SiteId],
        author: String,
    ) {
        self.end_crisis(now, id, sites, CrisisChange::Off { author });
    }

    pub(crate) fn crisis_due(&mut self, now: Instant, id: CrisisId) {
        self.end_crisis(now, id, &[], CrisisChange::Expired);
    }

    fn end_crisis(&mut self, now: Instant, id: CrisisId, sites: &[SiteId], change: CrisisChange) {
        let Some(active) = self.crises.get_mut(&id) else {
            return self.ignore(Ignored::Crisis(id));
        };
        let ended: Vec<_> = match sites {
            [] => active.sites.iter().copied().collect(),
            some => some
                .iter()
                .copied()
                .filter(|site| active.sites.contains(site))
                .collect(),
        };
        active.sites.retain(|site| !ended.contains(site));
        if active.sites.is_empty() {
            let until = active.until;
            self.crises.remove(&id);
            if let Some(at) = until {
                self.deadlines.remove(&(at, Deadline::Crisis(id)));
            }
        }
        for site in &ended {
            self.sites[site.index()].crises.retain(|one| *one != id);
        }
        self.emit(Event::CrisisChanged {
            crisis: id,
            sites: ended.clone(),
            change,
        });
        self.crises_changed(now, &ended);
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

    pub(crate) fn announce_crisis(&mut self, id: CallId, site: SiteId) {
        if let Some(name) = self.in_crisis(site, |crisis| crisis.announcement.clone()) {
            self.announce(id, name);
        }
    }

    pub(crate) fn announce(&mut self, call: CallId, announcement: Arc<str>) {
        self.outputs
            .push_back(Output::Announce { call, announcement });
    }

    pub(crate) fn set_site_state(&mut self, site: SiteId, state: Option<SiteState>) {
        if let Some(now) = self.sites.get_mut(site.index()) {
            now.stated = state;
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

    /// The crisis plans that are on, by their handles.
    pub fn active_crises(&self) -> impl Iterator<Item = (CrisisId, &ActiveCrisis)> {
        self.crises.iter().map(|(&id, active)| (id, active))
    }

    /// The crisis plans that are on at a site, the one that counts most last.
    pub fn crises_at(&self, site: SiteId) -> &[CrisisId] {
        &self.sites[site.index()].crises
    }
}
