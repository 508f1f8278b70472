//! The shapes of the API: ids as they are written, times in seconds, nothing of a person.

use std::time::Duration;

use engine::{
    AgentView, CallView, LineView, SiteView, StatusView,
    acd::{AgentState, Directory, Want},
    call::StageView,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

mod desk;
mod events;

pub(crate) use desk::{Abandoned, Crisis, Desk, Story};
pub(crate) use events::event;

#[derive(Serialize)]
pub(crate) struct Status {
    node: String,
    draining: bool,
    journal: &'static str,
    uptime_seconds: f64,
    calls: Calls,
    legs: usize,
    forwarding: usize,
    transactions: Transactions,
    registrations: usize,
}

#[derive(Serialize)]
struct Calls {
    waiting: usize,
    ringing: usize,
    connected: usize,
}

#[derive(Serialize)]
struct Transactions {
    server: usize,
    client: usize,
}

impl Status {
    pub(crate) fn new(view: StatusView) -> Self {
        Self {
            node: view.node,
            draining: view.draining,
            journal: view.journal.label(),
            uptime_seconds: view.uptime.as_secs_f64(),
            calls: Calls {
                waiting: view.waiting,
                ringing: view.ringing,
                connected: view.connected,
            },
            legs: view.legs,
            forwarding: view.forwarding,
            transactions: Transactions {
                server: view.server_transactions,
                client: view.client_transactions,
            },
            registrations: view.registered,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Site<'a> {
    id: &'a str,
    name: &'a str,
    region: &'a str,
    zone: &'a str,
    neighbours: Vec<&'a str>,
    reserve: usize,
    state: &'static str,
    crises: Vec<&'a str>,
    waiting: usize,
    agents: Map<String, Value>,
}

impl<'a> Site<'a> {
    pub(crate) fn new(directory: &'a Directory, view: &SiteView) -> Self {
        let site = directory.site_profile(view.id);
        let neighbours = site
            .neighbours
            .iter()
            .map(|&one| directory.site_profile(one).id.as_str());
        let crises = view.crises.iter();
        let crises = crises.map(|&id| directory.crisis_profile(id).name.as_str());
        let agents = view
            .agents
            .iter()
            .map(|(kind, count)| (kind.name().to_owned(), json!(count)));
        Self {
            id: &site.id,
            name: &site.name,
            region: &site.region,
            zone: &site.zone,
            neighbours: neighbours.collect(),
            reserve: site.reserve,
            state: view.state.name(),
            crises: crises.collect(),
            waiting: view.waiting,
            agents: agents.collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Line<'a> {
    id: &'a str,
    site: &'a str,
    priority: u8,
    service_level_seconds: f64,
    waiting: usize,
    wait_longest_seconds: f64,
    wait_expected_seconds: Option<f64>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(directory: &'a Directory, view: &LineView) -> Self {
        let line = directory.line_profile(view.id);
        Self {
            id: &line.id,
            site: &directory.site_profile(line.site).id,
            priority: line.priority.value(),
            service_level_seconds: line.service_level.as_secs_f64(),
            waiting: view.waiting,
            wait_longest_seconds: view.wait_longest.as_secs_f64(),
            wait_expected_seconds: seconds(view.wait_expected),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Agent<'a> {
    id: &'a str,
    site: &'a str,
    state: &'static str,
    reason: Option<String>,
    wants: &'static str,
    since_seconds: Option<f64>,
    until_seconds: Option<f64>,
    has_phone: bool,
    call: Option<String>,
    skills: Map<String, Value>,
}

impl<'a> Agent<'a> {
    pub(crate) fn new(directory: &'a Directory, view: AgentView) -> Self {
        let agent = directory.agent_profile(view.id);
        let reason = match &view.state {
            AgentState::NotReady { reason, .. } => Some(reason.name().to_owned()),
            _ => None,
        };
        let skills = agent.skills.iter();
        Self {
            id: &agent.id,
            site: &directory.site_profile(agent.site).id,
            state: view.state.kind().name(),
            reason,
            wants: match view.wants {
                Want::Ready => "ready",
                Want::NotReady { .. } => "not-ready",
                Want::LoggedOut => "logged-out",
            },
            since_seconds: seconds(view.since),
            until_seconds: seconds(view.until),
            has_phone: view.has_phone,
            call: view.call.map(|call| call.to_string()),
            skills: skills
                .map(|(skill, level)| (skill.clone(), json!(level.value())))
                .collect(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Call<'a> {
    id: String,
    line: &'a str,
    site: &'a str,
    state: &'static str,
    priority: Option<u8>,
    place: Option<usize>,
    wait_expected_seconds: Option<f64>,
    age_seconds: f64,
    waited_seconds: f64,
    agent: Option<&'a str>,
    rung: Vec<&'a str>,
    overflow_steps: Vec<u8>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(directory: &'a Directory, view: CallView) -> Self {
        let line = directory.line_profile(view.line);
        Self {
            id: view.id.to_string(),
            line: &line.id,
            site: &directory.site_profile(line.site).id,
            state: match view.stage {
                StageView::Waiting => "waiting",
                StageView::Ringing => "ringing",
                StageView::Connected => "connected",
                StageView::Ending => "ending",
            },
            priority: view.priority,
            place: view.place,
            wait_expected_seconds: seconds(view.wait_expected),
            age_seconds: view.age.as_secs_f64(),
            waited_seconds: view.waited.as_secs_f64(),
            agent: view
                .agent
                .map(|agent| directory.agent_profile(agent).id.as_str()),
            rung: view
                .rung
                .into_iter()
                .map(|agent| directory.agent_profile(agent).id.as_str())
                .collect(),
            overflow_steps: view.steps,
        }
    }
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}
