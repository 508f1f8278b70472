//! The shapes of the API: ids as they are written, times in seconds, nothing of a person.

use std::time::Duration;

use engine::{
    AgentView, CallView, Event, LineView, SiteView, StatusView, Transferred,
    acd::{AgentState, Directory, Event as Acd, StepRef, Want},
    call::StageView,
    sip::headers::Attestation,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

#[derive(Serialize)]
pub(crate) struct Status {
    node: String,
    draining: bool,
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
    priority: u8,
    place: Option<usize>,
    age_seconds: f64,
    waited_seconds: f64,
    agent: Option<&'a str>,
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
            age_seconds: view.age.as_secs_f64(),
            waited_seconds: view.waited.as_secs_f64(),
            agent: view
                .agent
                .map(|agent| directory.agent_profile(agent).id.as_str()),
            overflow_steps: view.steps,
        }
    }
}

fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.map(|duration| duration.as_secs_f64())
}

/// An event of the stream: its name and its data. `None` for what the stream does not tell:
/// single SIP messages, which metrics count.
pub(crate) fn event(directory: &Directory, event: &Event) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    Some(match event {
        Event::CallStarted {
            call,
            line,
            attestation,
            ..
        } => (
            "call-started",
            json!({
                "call": call.as_str(),
                "line": line_id(*line),
                "attestation": attestation.map(Attestation::letter),
            }),
        ),
        Event::CallTransferred { call, agent, to } => {
            let (line, to) = match to {
                Transferred::Line { to, .. } => (Some(line_id(*to)), None),
                Transferred::Agent(to) => (None, Some(agent_id(*to))),
                Transferred::Outside => (None, None),
            };
            (
                "call-transferred",
                json!({
                    "call": call.as_str(),
                    "by": agent_id(*agent),
                    "line": line,
                    "agent": to,
                }),
            )
        }
        Event::CallBlocked { line, reason } => (
            "call-blocked",
            json!({ "line": line_id(*line), "reason": reason.label() }),
        ),
        Event::CallEnded {
            call,
            line,
            outcome,
            cause,
            waited,
            talked,
            agent,
        } => (
            "call-ended",
            json!({
                "call": call.as_str(),
                "line": line_id(*line),
                "outcome": outcome.label(),
                "cause": cause.label(),
                "waited_seconds": waited.as_secs_f64(),
                "talked_seconds": talked.as_secs_f64(),
                "agent": agent.map(agent_id),
            }),
        ),
        Event::PhoneRegistered { agent } => {
            ("phone-registered", json!({ "agent": agent_id(*agent) }))
        }
        Event::PhoneUnregistered { agent } => {
            ("phone-unregistered", json!({ "agent": agent_id(*agent) }))
        }
        Event::Draining => ("draining", json!({})),
        Event::Distribution(event) => return distribution(directory, event),
        _ => return None,
    })
}

/// What the distributor did, as the stream tells it.
fn distribution(directory: &Directory, event: &Acd) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    let site_id = |site| directory.site_profile(site).id.as_str();
    let number = |step: &StepRef| step.step.value() + 1;
    let step = |step: &Option<StepRef>| step.as_ref().map(number);
    Some(match event {
        Acd::AgentChanged {
            agent,
            site,
            from,
            to,
        } => (
            "agent-changed",
            json!({
                "agent": agent_id(*agent),
                "site": site_id(*site),
                "from": from.name(),
                "to": to.name(),
            }),
        ),
        Acd::Queued {
            line,
            place,
            priority,
            ..
        } => (
            "call-queued",
            json!({ "line": line_id(*line), "place": place, "priority": priority.value() }),
        ),
        Acd::Offered {
            line,
            agent,
            site,
            step: by,
            waited,
            ..
        } => (
            "call-offered",
            json!({
                "line": line_id(*line),
                "agent": agent_id(*agent),
                "site": site_id(*site),
                "overflow_step": step(by),
                "waited_seconds": waited.as_secs_f64(),
            }),
        ),
        Acd::OfferEnded { agent, outcome, .. } => (
            "offer-ended",
            json!({ "agent": agent_id(*agent), "outcome": outcome.name() }),
        ),
        Acd::StepTaken {
            line, step, waited, ..
        } => (
            "overflow-step-taken",
            json!({
                "line": line_id(*line),
                "plan": directory.plan_name(step.plan),
                "overflow_step": number(step),
                "waited_seconds": waited.as_secs_f64(),
            }),
        ),
        _ => return None,
    })
}
