//! Answers to queries: snapshots of the machines inside.

use std::time::{Duration, Instant};

use acd::{
    Abandoned, AbandonedId, ActiveCrisis, AgentId, AgentState, AgentStateKind, CallPhase, LineId,
    NotReadyReason, SiteId,
};
use call::{CallId, CallNumber, StageView};
use sip_proxy::Health;

use crate::{
    engine::Engine,
    receive::aor_of,
    record::{Place, Record, acd_id},
    view::{
        AbandonedView, AgentView, CallView, CrisisOrderView, CrisisView, GaugesView, LineView,
        SiteView, StatusView, StoryView, TrunkView,
    },
};

impl Engine {
    /// The node as a whole.
    pub fn status(&self, now: Instant) -> StatusView {
        let live = self.layer.live();
        let mut stages = [0; 3];
        for number in self.calls.numbers() {
            match self.calls.stage(number) {
                Some(StageView::Waiting) => stages[0] += 1,
                Some(StageView::Ringing) => stages[1] += 1,
                Some(StageView::Connected) => stages[2] += 1,
                Some(StageView::Ending) | None => {}
            }
        }
        let [waiting, ringing, connected] = stages;
        StatusView {
            node: self.config.node.clone(),
            draining: self.is_draining(),
            journal: self.journal_state(),
            uptime: now - self.started_at,
            waiting,
            ringing,
            connected,
            legs: self.calls.legs(),
            forwarding: self.proxy.len(),
            server_transactions: live.server,
            client_transactions: live.client,
            registered: self.registrar.bound(),
        }
    }

    /// Node, sites and lines at one moment.
    pub fn gauges(&self, now: Instant) -> GaugesView {
        GaugesView {
            status: self.status(now),
            sites: self.sites(),
            lines: self.lines(now),
            trunks: self.trunks(),
        }
    }

    /// All trunks in the order of the configuration.
    pub fn trunks(&self) -> Vec<TrunkView> {
        let health = [Health::Up, Health::Down, Health::Unknown];
        let trunks = self.trunks.iter().map(|(id, trunk)| TrunkView {
            name: trunk.name.clone(),
            calls: self.trunk_loads.calls(id),
            next_hops: health.map(|health| (health, self.hops.count(id, health))),
        });
        trunks.collect()
    }

    /// All sites in the order of their ids.
    pub fn sites(&self) -> Vec<SiteView> {
        self.directory()
            .sites()
            .map(|site| self.site(site))
            .collect()
    }

    fn site(&self, id: SiteId) -> SiteView {
        let agents = AgentStateKind::ALL
            .map(|kind| (kind, self.acd.agents_in(id, kind)))
            .to_vec();
        SiteView {
            id,
            state: self.acd.site_state(id),
            crises: self.acd.crises_at(id).to_vec(),
            waiting: self.acd.waiting_at_site(id),
            agents,
        }
    }

    /// All lines in the order of their ids.
    pub fn lines(&self, now: Instant) -> Vec<LineView> {
        self.directory()
            .lines()
            .map(|line| self.line(now, line))
            .collect()
    }

    fn line(&self, now: Instant, id: LineId) -> LineView {
        let oldest = self.acd.oldest_arrival(id);
        LineView {
            id,
            waiting: self.acd.waiting(id),
            wait_longest: oldest.map_or(Duration::ZERO, |arrival| now - arrival),
            wait_expected: self.acd.expected_wait_of_next(now, id),
        }
    }

    /// All agents in the order of their ids.
    pub fn agents(&self, now: Instant) -> Vec<AgentView> {
        self.directory()
            .agents()
            .map(|agent| self.agent(now, agent))
            .collect()
    }

    /// One agent.
    pub fn agent(&self, now: Instant, id: AgentId) -> AgentView {
        let state = self.agent_state(id).clone();
        let (since, until) = span_of(&state);
        AgentView {
            id,
            wants: self.acd.agent_wants(id).clone(),
            since: since.map(|since| now.saturating_duration_since(since)),
            until: until.map(|until| until.saturating_duration_since(now)),
            has_phone: self.fixed_phones.contains_key(&id)
                || self.registrar.bindings(aor_of(id)).next().is_some(),
            call: self.call_of(id).cloned(),
            state,
        }
    }

    /// What the system does with an agent now.
    pub fn agent_state(&self, id: AgentId) -> &AgentState {
        self.acd.agent_state(id)
    }

    /// The call that an agent is offered or talks in.
    pub fn call_of(&self, id: AgentId) -> Option<&CallId> {
        let call = match self.agent_state(id) {
            AgentState::Offered { call, .. } | AgentState::Talking { call, .. } => *call,
            _ => return None,
        };
        let number = self.records.by_acd(call)?;
        self.records.get(number).map(|record| &record.id)
    }

    /// All calls in the order of their arrival.
    pub fn calls(&self, now: Instant) -> Vec<CallView> {
        self.records
            .iter()
            .map(|(number, record)| self.call_view(now, number, record))
            .collect()
    }

    /// The call of this id.
    pub fn call(&self, now: Instant, id: &str) -> Option<CallView> {
        let number = self.records.by_id(id)?;
        self.records
            .get(number)
            .map(|record| self.call_view(now, number, record))
    }

    fn call_view(&self, now: Instant, number: CallNumber, record: &Record) -> CallView {
        let known = acd_id(number);
        let acd_call = self.acd.call(known);
        let place = acd_call.as_ref().and_then(|call| call.place);
        let agent = acd_call.as_ref().and_then(|call| match &call.phase {
            CallPhase::Waiting { held_by } => *held_by,
            CallPhase::Offered { offers, held_by } => {
                held_by.or_else(|| offers.first().map(|&(_, agent)| agent))
            }
            CallPhase::Talking { agent } => Some(*agent),
        });
        let rung = match acd_call.as_ref().map(|call| &call.phase) {
            Some(CallPhase::Offered { offers, .. }) => {
                offers.iter().map(|&(_, agent)| agent).collect()
            }
            _ => Vec::new(),
        };
        let stood = match record.place {
            Place::Left(standing) => standing.map(|standing| standing.priority),
            Place::InDistributor | Place::Diverted(_) => None,
        };
        let priority = acd_call.as_ref().map(|call| call.priority).or(stood);
        let answered_at = record.answered.map_or(now, |answered| answered.at);
        CallView {
            id: record.id.clone(),
            line: acd_call.as_ref().map_or(record.line, |call| call.line),
            stage: self.calls.stage(number).unwrap_or(StageView::Ending),
            age: now - record.offered_at,
            waited: answered_at - record.offered_at,
            place,
            // Who has no place waits for nothing.
            wait_expected: place.and_then(|_| self.acd.expected_wait(now, known)),
            rung,
            priority: priority.map(acd::Priority::value),
            place_since: now
                - acd_call
                    .as_ref()
                    .map_or(record.offered_at, |call| call.arrival),
            awaited: acd_call.as_ref().and_then(|call| call.awaited),
            agent,
            steps: acd_call
                .map(|call| call.steps.iter().map(|at| at.step.value() + 1).collect())
                .unwrap_or_default(),
        }
    }
}

impl Engine {
    /// All crisis plans in the order of the configuration, with where they are on.
    pub fn crises(&self, now: Instant) -> Vec<CrisisView> {
        let view = |order: &ActiveCrisis| CrisisOrderView {
            sites: order.sites.iter().copied().collect(),
            since: now - order.since,
            until: order
                .until
                .map(|until| until.saturating_duration_since(now)),
            author: order.author.clone(),
            reason: order.reason.clone(),
        };
        let orders_of = |id| {
            let orders = self.acd.active_crises();
            let orders = orders.filter(move |order| order.crisis == id);
            orders.map(view).collect()
        };
        let crises = self.directory().crises();
        let crises = crises.map(|id| CrisisView {
            id,
            orders: orders_of(id),
        });
        crises.collect()
    }

    /// The callers who gave up, in the order in which they first did.
    pub fn abandoned(&self, now: Instant) -> Vec<AbandonedView> {
        let entries = self.acd.abandoned();
        entries
            .map(|(id, entry)| self.abandoned_view(now, id, entry))
            .collect()
    }

    /// One of them.
    pub fn abandoned_entry(&self, now: Instant, id: AbandonedId) -> Option<AbandonedView> {
        let entry = self.acd.abandoned_entry(id)?;
        Some(self.abandoned_view(now, id, entry))
    }

    fn abandoned_view(&self, now: Instant, id: AbandonedId, entry: &Abandoned) -> AbandonedView {
        let known = |&call: &acd::CallId| self.stories.id_of(call).cloned();
        AbandonedView {
            id,
            first: now - entry.first,
            last: now - entry.last,
            calls: entry.calls.iter().filter_map(known).collect(),
            came_back: entry.came_back.as_ref().and_then(known),
            number: self.abandoned_numbers.get(&id).cloned(),
            entry: entry.clone(),
        }
    }

    /// What happened to a call that is there, or was not long ago.
    pub fn story(&self, now: Instant, id: &str) -> Option<StoryView> {
        let story = self.stories.by_id(id)?;
        let entries = story.entries.iter();
        Some(StoryView {
            id: story.id.clone(),
            rules: self.directory().version().to_owned(),
            age: now - story.began,
            entries: entries
                .map(|(at, event)| (*at - story.began, event.clone()))
                .collect(),
            left_out: story.left_out,
        })
    }
}

/// When a state began and when it will end at the latest.
const fn span_of(state: &AgentState) -> (Option<Instant>, Option<Instant>) {
    match state {
        AgentState::LoggedOut => (None, None),
        AgentState::NotReady { reason, since } => {
            let until = match reason {
                NotReadyReason::Busy { retry_at } | NotReadyReason::Declined { retry_at } => {
                    Some(*retry_at)
                }
                NotReadyReason::Pause(_)
                | NotReadyReason::NoAnswer
                | NotReadyReason::DeclinedTooOften => None,
            };
            (Some(*since), until)
        }
        AgentState::Ready { since } | AgentState::Talking { since, .. } => (Some(*since), None),
        AgentState::Offered { deadline, .. } => (None, Some(*deadline)),
        AgentState::WrapUp { until } => (None, Some(*until)),
        AgentState::Unreachable { retry_at } => (None, Some(*retry_at)),
    }
}
