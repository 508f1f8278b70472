//! baresip as an agent's phone: it registers, is rung, speaks, holds, and hangs up or is hung up.

use serde_json::{Value, json};

use super::{Agent, Lab, LabNode, baresip::Baresip, caller, calls, status};
use crate::scenarios::Failed;

type Tested = Result<(), Failed>;

/// Who takes the call: an agent whose contact is not in the configuration.
const AGENT: &str = "arm-67-1";

/// One second of sound, in packets of 20 ms.
const SECOND: u64 = 50;

#[test]
fn a_registered_baresip_talks_holds_and_hangs_up() -> Tested {
    agent_hangs_up().map_err(Failed)
}

fn agent_hangs_up() -> anyhow::Result<()> {
    let lab = Lab::new("baresip-agent-hangs-up")?;
    let (node, mut agent) = on_duty(&lab)?;
    let mut caller = Baresip::caller(&lab.folder_of("caller")?, "+33612345678", lab.deadline)?;
    let node = answered(&lab, node, &mut agent, &mut caller)?;

    // Each side says in its RTCP what it has sent: the other hears of it only if sound flows.
    for phone in [&mut agent, &mut caller] {
        phone.await_event("CALL_RTCP", |event| spoke(event, "rx"))?;
    }

    agent.hold()?;
    caller.await_description("offer")?;
    agent.await_description("answer")?;
    agent.resume()?;
    caller.await_description("offer")?;
    agent.await_description("answer")?;

    // And the agent's phone is held.
    caller.hold()?;
    agent.await_description("offer")?;
    caller.await_description("answer")?;
    caller.resume()?;
    agent.await_description("offer")?;
    caller.await_description("answer")?;

    agent.hang_up()?;
    over(&lab, node, agent, caller, SECOND)
}

#[test]
fn a_registered_baresip_is_hung_up_by_the_caller() -> Tested {
    caller_hangs_up().map_err(Failed)
}

fn caller_hangs_up() -> anyhow::Result<()> {
    let lab = Lab::new("baresip-caller-hangs-up")?;
    let (node, mut agent) = on_duty(&lab)?;
    let mut caller = Baresip::caller(&lab.folder_of("caller")?, "+33612345678", lab.deadline)?;
    let node = answered(&lab, node, &mut agent, &mut caller)?;
    caller.hang_up()?;
    over(&lab, node, agent, caller, 1)
}

#[test]
fn a_hold_of_baresip_reaches_the_caller_as_it_was_said() -> Tested {
    hold().map_err(Failed)
}

/// SIPp is the caller here: it looks at the directions of both offers, and hangs up at the end.
fn hold() -> anyhow::Result<()> {
    let lab = Lab::new("baresip-holds")?;
    let (mut node, mut agent) = on_duty(&lab)?;
    let dials = caller("caller", "in-call/04-hold-by-agent/caller.xml", 1, &[]);
    let caller = lab.caller(&dials, node.sip)?;
    agent.await_event("CALL_INCOMING", |_| true)?;
    agent.accept()?;
    agent.await_event("CALL_ESTABLISHED", |_| true)?;
    node.wait(&lab, "the call", &[status("/calls/connected", 1)])?;
    agent.hold()?;
    agent.await_description("answer")?;
    agent.resume()?;
    lab.await_end(caller)?;
    agent.await_event("CALL_CLOSED", |_| true)?;
    node.wait(&lab, "the figures of the call", &[calls("answered", 1)])?;
    agent.stop()?;
    node.end_empty(&lab)
}

/// A node, and an agent who has logged in at a phone that has registered by its password.
fn on_duty(lab: &Lab) -> anyhow::Result<(LabNode, Baresip)> {
    let mut node = LabNode::start_with_passwords(lab, "node", &[Agent::registering(AGENT)])?;
    let folder = lab.folder_of("agent")?;
    let phone = Baresip::registering(&folder, AGENT, node.sip, lab.deadline)?;
    node.wait(lab, "the registration", &[status("/registrations", 1)])?;
    let path = format!("/v1/agents/{AGENT}/state");
    node.node.api.post(&path, &json!({ "state": "ready" }))?;
    Ok((node, phone))
}

/// The caller dials, the agent answers, and each hears the other.
fn answered(
    lab: &Lab,
    mut node: LabNode,
    agent: &mut Baresip,
    caller: &mut Baresip,
) -> anyhow::Result<LabNode> {
    caller.dial(&format!("sip:15@127.0.0.1:{}", node.sip))?;
    agent.await_event("CALL_INCOMING", |_| true)?;
    caller.await_event("CALL_RINGING", |_| true)?;
    agent.accept()?;
    for phone in [agent, caller] {
        phone.await_event("CALL_ESTABLISHED", |_| true)?;
        // The first packet of the other's sound.
        phone.await_event("CALL_RTPESTAB", |_| true)?;
    }
    node.wait(lab, "the call", &[status("/calls/connected", 1)])?;
    Ok(node)
}

/// Both phones know that the call is over, each has heard the other for so many packets, and the
/// node has forgotten it.
fn over(
    lab: &Lab,
    mut node: LabNode,
    mut agent: Baresip,
    mut caller: Baresip,
    heard: u64,
) -> anyhow::Result<()> {
    agent.await_event("CALL_CLOSED", |_| true)?;
    caller.await_event("CALL_CLOSED", |_| true)?;
    node.wait(lab, "the figures of the call", &[calls("answered", 1)])?;
    let (agent, caller) = (agent.stop()?, caller.stop()?);
    for (one, other) in [(agent, caller), (caller, agent)] {
        assert!(
            (heard..=one.sent).contains(&other.received),
            "one side counts {one:?}, the other {other:?}"
        );
    }
    node.end_empty(lab)
}

/// Whether a side's RTCP counts more than a second of sound.
fn spoke(event: &Value, side: &str) -> bool {
    event["rtcp_stats"][side]["sent"]
        .as_u64()
        .is_some_and(|sent| sent >= SECOND)
}
