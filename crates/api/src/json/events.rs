//! Facts, as the event stream and the stories of calls tell them.

use engine::{
    Event, Transferred,
    acd::{
        AgentId, CallOutcome, Candidates, CrisisChange, Directory, Event as Acd, SiteId, StepRef,
    },
    call::CallId,
    sip::headers::Attestation,
};
use serde_json::{Value, json};

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
        Event::CallTransferred { call, agent, to } => transferred(directory, call, *agent, *to),
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
        Event::JournalChanged { state } => ("journal", json!({"state": state.label()})),
        Event::Distribution { call, what } => {
            let (name, mut data) = distribution(directory, what)?;
            if let (Some(call), Some(data)) = (call, data.as_object_mut()) {
                data.insert("call".to_owned(), json!(call.as_str()));
            }
            (name, data)
        }
        _ => return announcing(event),
    })
}

fn announcing(event: &Event) -> Option<(&'static str, Value)> {
    match event {
        Event::AnnouncementDue {
            call,
            announcement,
            place,
            expected_wait,
        } => Some((
            "announcement-due",
            json!({
                "call": call.as_str(),
                "announcement": &**announcement,
                "place": place,
                "expected_wait_seconds": expected_wait.map(|wait| wait.as_secs_f64()),
            }),
        )),
        _ => None,
    }
}

fn transferred(
    directory: &Directory,
    call: &CallId,
    by: AgentId,
    to: Transferred,
) -> (&'static str, Value) {
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    let (line, to) = match to {
        Transferred::Line { to, .. } => (Some(directory.line_profile(to).id.as_str()), None),
        Transferred::Agent(to) => (None, Some(agent_id(to))),
        Transferred::Outside => (None, None),
    };
    let data = json!({
        "call": call.as_str(),
        "by": agent_id(by),
        "line": line,
        "agent": to,
    });
    ("call-transferred", data)
}

/// What the distributor did, without its call.
fn distribution(directory: &Directory, event: &Acd) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    let site_id = |site| directory.site_profile(site).id.as_str();
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
        Acd::SiteStateChanged { site, state } => (
            "site-state-changed",
            json!({ "site": site_id(*site), "state": state.name() }),
        ),
        Acd::CrisisChanged {
            crisis,
            sites,
            change,
        } => {
            let name = &directory.crisis_profile(*crisis).name;
            crisis_changed(directory, name, sites, change)
        }
        Acd::AbandonedListed { entry, line, .. } => (
            "abandoned-listed",
            json!({ "entry": entry.value(), "line": line_id(*line) }),
        ),
        Acd::AbandonedChanged { entry, state } => (
            "abandoned-changed",
            json!({ "entry": entry.value(), "state": state.name() }),
        ),
        Acd::AbandonedForgotten { entry } => {
            ("abandoned-forgotten", json!({ "entry": entry.value() }))
        }
        _ => return queueing(directory, event).or_else(|| handling(directory, event)),
    })
}

fn crisis_changed(
    directory: &Directory,
    name: &str,
    sites: &[SiteId],
    change: &CrisisChange,
) -> (&'static str, Value) {
    let ids = sites.iter().map(|&site| &directory.site_profile(site).id);
    let sites: Vec<_> = ids.collect();
    match change {
        CrisisChange::On {
            author,
            reason,
            lasts,
        } => (
            "crisis-on",
            json!({
                "crisis": name,
                "sites": sites,
                "author": author,
                "reason": reason,
                "lasts_seconds": lasts.map(|lasts| lasts.as_secs_f64()),
            }),
        ),
        CrisisChange::Off { author } => (
            "crisis-off",
            json!({ "crisis": name, "sites": sites, "author": author }),
        ),
        CrisisChange::Expired => ("crisis-expired", json!({ "crisis": name, "sites": sites })),
    }
}

/// A call in its queue.
fn queueing(directory: &Directory, event: &Acd) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    Some(match event {
        Acd::Queued {
            line,
            place,
            priority,
            waited,
            plan,
            candidates: near,
            ..
        } => (
            "call-queued",
            json!({
                "line": line_id(*line),
                "plan": plan.map(|plan| directory.plan_name(plan)),
                "place": place,
                "priority": priority.value(),
                "waited_seconds": waited.as_secs_f64(),
                "candidates": candidates(near),
            }),
        ),
        Acd::CameBack {
            line,
            entry,
            attempts,
            ..
        } => (
            "caller-came-back",
            json!({ "line": line_id(*line), "entry": entry.value(), "attempts": attempts }),
        ),
        Acd::AgentAwaited { agent, .. } => ("agent-awaited", json!({ "agent": agent_id(*agent) })),
        Acd::AwaitEnded { agent, .. } => ("await-ended", json!({ "agent": agent_id(*agent) })),
        Acd::Diverting { line, .. } => ("call-diverting", json!({ "line": line_id(*line) })),
        Acd::DivertEnded { line, .. } => ("divert-failed", json!({ "line": line_id(*line) })),
        Acd::Returned { line, place, .. } => (
            "call-returned",
            json!({ "line": line_id(*line), "place": place }),
        ),
        _ => return overflowing(directory, event),
    })
}

/// A waiting call and its plan.
fn overflowing(directory: &Directory, event: &Acd) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let number = |step: &StepRef| step.step.value() + 1;
    Some(match event {
        Acd::StepTaken {
            line,
            step,
            waited,
            candidates: near,
            ..
        } => (
            "overflow-step-taken",
            json!({
                "line": line_id(*line),
                "plan": directory.plan_name(step.plan),
                "overflow_step": number(step),
                "waited_seconds": waited.as_secs_f64(),
                "candidates": candidates(near),
            }),
        ),
        Acd::StepPassed {
            line,
            step,
            waited,
            candidates: near,
            ..
        } => (
            "overflow-step-passed",
            json!({
                "line": line_id(*line),
                "plan": directory.plan_name(step.plan),
                "overflow_step": number(step),
                "waited_seconds": waited.as_secs_f64(),
                "candidates": candidates(near),
            }),
        ),
        Acd::PriorityChanged { line, priority, .. } => (
            "priority-changed",
            json!({ "line": line_id(*line), "priority": priority.value() }),
        ),
        Acd::PlanChanged { line, plan, .. } => (
            "plan-changed",
            json!({
                "line": line_id(*line),
                "plan": plan.map(|plan| directory.plan_name(plan)),
            }),
        ),
        _ => return None,
    })
}

/// A call and the agents who are asked for it, or have it.
fn handling(directory: &Directory, event: &Acd) -> Option<(&'static str, Value)> {
    let line_id = |line| directory.line_profile(line).id.as_str();
    let agent_id = |agent| directory.agent_profile(agent).id.as_str();
    let site_id = |site| directory.site_profile(site).id.as_str();
    let number = |step: &StepRef| step.step.value() + 1;
    Some(match event {
        Acd::Offered {
            line,
            agent,
            site,
            step,
            waited,
            ..
        } => (
            "call-offered",
            json!({
                "line": line_id(*line),
                "agent": agent_id(*agent),
                "site": site_id(*site),
                "overflow_step": step.as_ref().map(number),
                "waited_seconds": waited.as_secs_f64(),
            }),
        ),
        Acd::OfferEnded { agent, outcome, .. } => (
            "offer-ended",
            json!({ "agent": agent_id(*agent), "outcome": outcome.name() }),
        ),
        Acd::Answered {
            line,
            agent,
            site,
            step,
            waited,
            ..
        } => (
            "call-answered",
            json!({
                "line": line_id(*line),
                "agent": agent_id(*agent),
                "site": site_id(*site),
                "overflow_step": step.as_ref().map(number),
                "waited_seconds": waited.as_secs_f64(),
            }),
        ),
        Acd::HandedOver { line, agent, .. } => (
            "call-handed-over",
            json!({ "line": line_id(*line), "agent": agent_id(*agent) }),
        ),
        Acd::Moved {
            from, to, agent, ..
        } => (
            "call-sent-on",
            json!({ "from": line_id(*from), "line": line_id(*to), "agent": agent_id(*agent) }),
        ),
        Acd::Kept { line, agent, .. } => (
            "call-kept",
            json!({ "line": line_id(*line), "agent": agent_id(*agent) }),
        ),
        Acd::Disposed { agent, code, .. } => (
            "call-disposed",
            json!({ "agent": agent_id(*agent), "code": code.as_str() }),
        ),
        Acd::Left { line, outcome, .. } => (
            "call-left",
            json!({ "line": line_id(*line), "outcome": how(outcome) }),
        ),
        _ => return None,
    })
}

const fn how(outcome: &CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Abandoned { .. } => "abandoned",
        CallOutcome::Served { .. } => "served",
        CallOutcome::Diverted { .. } => "diverted",
        CallOutcome::Rejected { .. } => "rejected",
    }
}

/// The agents within reach, by what keeps them from taking the call; what there are none of is left out.
fn candidates(near: &Candidates) -> Value {
    let counts = [
        ("free", near.free),
        ("reserved", near.reserved),
        ("offered", near.offered),
        ("talking", near.talking),
        ("wrap-up", near.wrap_up),
        ("not-ready", near.not_ready),
        ("unreachable", near.unreachable),
        ("logged-out", near.logged_out),
        ("unskilled", near.unskilled),
    ];
    let there = counts.into_iter().filter(|&(_, count)| count > 0);
    there
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect()
}
