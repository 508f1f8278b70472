//! Calls through an operator's SBC, and what it does when a node goes.

use serde_json::json;

use super::{
    Agent, Lab, LabNode, caller, calls,
    kamailio::{Kamailio, Link, Probing},
    phone, status,
};
use crate::{
    scenarios::{
        Failed,
        spec::{Bound, Condition},
    },
    support::{certificates::Authority, ports::free_port},
};

type Tested = Result<(), Failed>;

/// Calls of one SIPp in a row: more than one at a time, so that some wait in the queue.
const CALLS: u64 = 6;

#[test]
fn callers_hang_up_through_an_sbc_over_udp() -> Tested {
    callers_hang_up("caller-hangs-up-udp", Link::Udp).map_err(Failed)
}

#[test]
fn callers_hang_up_through_an_sbc_over_tcp() -> Tested {
    callers_hang_up("caller-hangs-up-tcp", Link::Tcp).map_err(Failed)
}

#[test]
fn callers_hang_up_through_an_sbc_over_tls() -> Tested {
    let authority = Authority::new("operators");
    callers_hang_up("caller-hangs-up-tls", Link::Tls(&authority)).map_err(Failed)
}

/// Kamailio refuses what comes in a dialog without its route: a caller whose 200 did not bring the
/// Record-Route back would see its BYE refused, and the phone's SIPp no end of the call.
fn callers_hang_up(name: &str, link: Link<'_>) -> anyhow::Result<()> {
    let lab = Lab::new(name)?;
    let port = free_port();
    let answers = phone("phone", "peers/phone-answers.xml", CALLS, &["-d", "100"]);
    let phone = lab.phone(&answers, port)?;
    let node = node(&lab, "node", link, Agent::ready("arm-67-1", port))?;
    let mut sbc = sbc(&lab, &[&node], link, Probing::EverySecond)?;
    sbc.await_nodes(&['A'], lab.deadline)?;

    let dials = caller("caller", "peers/caller.xml", CALLS, &["-d", "100"]);
    lab.await_end(lab.caller(&dials, sbc.port)?)?;
    lab.await_end(phone)?;

    assert_eq!(sbc.received("bye")?, CALLS);
    ended_answered(node, &lab, CALLS)?;
    sbc.stop()
}

#[test]
fn an_agent_hangs_up_through_an_sbc_over_udp() -> Tested {
    agent_hangs_up("agent-hangs-up-udp", Link::Udp).map_err(Failed)
}

#[test]
fn an_agent_hangs_up_through_an_sbc_over_tcp() -> Tested {
    agent_hangs_up("agent-hangs-up-tcp", Link::Tcp).map_err(Failed)
}

#[test]
fn an_agent_hangs_up_through_an_sbc_over_tls() -> Tested {
    let authority = Authority::new("operators");
    agent_hangs_up("agent-hangs-up-tls", Link::Tls(&authority)).map_err(Failed)
}

/// The node's own BYE takes the way of the Record-Route, not the short one to the caller's Contact.
fn agent_hangs_up(name: &str, link: Link<'_>) -> anyhow::Result<()> {
    let lab = Lab::new(name)?;
    let port = free_port();
    let hangs_up = phone("phone", "peers/phone-hangs-up.xml", CALLS, &["-d", "100"]);
    let phone = lab.phone(&hangs_up, port)?;
    let node = node(&lab, "node", link, Agent::ready("arm-67-1", port))?;
    let mut sbc = sbc(&lab, &[&node], link, Probing::EverySecond)?;
    sbc.await_nodes(&['A'], lab.deadline)?;

    let dials = caller("caller", "peers/caller-is-hung-up.xml", CALLS, &[]);
    lab.await_end(lab.caller(&dials, sbc.port)?)?;
    lab.await_end(phone)?;

    assert_eq!(sbc.received("bye")?, CALLS);
    ended_answered(node, &lab, CALLS)?;
    sbc.stop()
}

#[test]
fn a_dead_node_costs_no_new_call_and_comes_back() -> Tested {
    dead_node("dead-node", Link::Udp).map_err(Failed)
}

#[test]
fn a_dead_node_costs_no_new_call_over_tls() -> Tested {
    let authority = Authority::new("operators");
    dead_node("dead-node-tls", Link::Tls(&authority)).map_err(Failed)
}

/// Calls that begin before Kamailio knows of the death wait for its two seconds of silence and go to
/// the other node; later ones go there at once.
fn dead_node(name: &str, link: Link<'_>) -> anyhow::Result<()> {
    let lab = Lab::new(name)?;
    let (one, other) = (free_port(), free_port());
    let answers_one = phone("phone-1", "peers/phone-answers.xml", 0, &["-d", "50"]);
    let answers_other = phone("phone-2", "peers/phone-answers.xml", 0, &["-d", "50"]);
    let mut phones = [
        lab.phone(&answers_one, one)?,
        lab.phone(&answers_other, other)?,
    ];
    let node_one = node(&lab, "node-1", link, Agent::ready("arm-67-1", one))?;
    let mut node_other = node(&lab, "node-2", link, Agent::ready("arm-67-2", other))?;
    let nodes = [&node_one, &node_other];
    let mut sbc = sbc(&lab, &nodes, link, Probing::EverySecond)?;
    sbc.await_nodes(&['A', 'A'], lab.deadline)?;

    let dials = |name| caller(name, "peers/caller.xml", CALLS, &["-d", "50"]);
    let (both_up, one_dead, known) = (dials("both-up"), dials("one-dead"), dials("known"));
    lab.await_end(lab.caller(&both_up, sbc.port)?)?;
    node_other.wait(
        &lab,
        "its half of the calls",
        &[calls("answered", CALLS / 2)],
    )?;

    let dead = node_one.die();
    lab.await_end(lab.caller(&one_dead, sbc.port)?)?;
    sbc.await_nodes(&['I', 'A'], lab.deadline)?;
    lab.await_end(lab.caller(&known, sbc.port)?)?;
    let answered = CALLS / 2 + 2 * CALLS;

    let node_one = dead.revive(&lab)?;
    sbc.await_nodes(&['A', 'A'], lab.deadline)?;
    ended_answered(node_one, &lab, 0)?;
    ended_answered(node_other, &lab, answered)?;
    for phone in &mut phones {
        phone.check()?;
    }
    sbc.stop()
}

#[test]
fn a_draining_node_hands_a_new_call_to_the_next_within_the_call() -> Tested {
    draining_node().map_err(Failed)
}

/// Kamailio does not ask the nodes here: only the 503 tells it.
fn draining_node() -> anyhow::Result<()> {
    let lab = Lab::new("draining-node")?;
    let (one, other) = (free_port(), free_port());
    let hangs_up = phone("phone-1", "peers/phone-answers.xml", 1, &[]);
    let answers = phone("phone-2", "peers/phone-answers.xml", CALLS, &["-d", "50"]);
    let (phone_one, phone_other) = (lab.phone(&hangs_up, one)?, lab.phone(&answers, other)?);
    let mut draining = LabNode::start(&lab, "node-1", &[Agent::ready("arm-67-1", one)])?;
    let node_other = LabNode::start(&lab, "node-2", &[Agent::ready("arm-67-2", other)])?;
    let nodes = [&draining, &node_other];
    let sbc = sbc(&lab, &nodes, Link::Udp, Probing::Never)?;

    let talks = caller("talks", "peers/caller-until-cue.xml", 1, &[]);
    let talking = lab.caller(&talks, sbc.port)?;
    draining.wait(&lab, "the first call", &[status("/calls/connected", 1)])?;
    draining.node.drain()?;
    let refuses = Condition::Metric {
        metric: "quinze_draining".to_owned(),
        is: Bound::Exactly(json!(1)),
    };
    draining.wait(&lab, "the node to drain", &[refuses])?;

    let dials = caller("caller", "peers/caller.xml", CALLS, &["-d", "50"]);
    lab.await_end(lab.caller(&dials, sbc.port)?)?;
    lab.await_end(phone_other)?;
    draining.wait(&lab, "a 503 for each call", &[sent("503", CALLS)])?;
    ended_answered(node_other, &lab, CALLS)?;

    // The call that the draining node holds goes on, and its end finds the way back there.
    talking.cue()?;
    lab.await_end(talking)?;
    lab.await_end(phone_one)?;
    draining.node.await_end(lab.deadline)?;
    sbc.stop()
}

#[test]
fn an_sbc_sees_nodes_come_and_go_by_options() -> Tested {
    options().map_err(Failed)
}

fn options() -> anyhow::Result<()> {
    let lab = Lab::new("options")?;
    let mut nodes = Vec::new();
    for name in ["node-1", "node-2"] {
        nodes.push(LabNode::start(&lab, name, &[])?);
    }
    let both: Vec<_> = nodes.iter().collect();
    // It takes no node for up before an OPTIONS is answered 200.
    let mut sbc = sbc(&lab, &both, Link::Tcp, Probing::EverySecond)?;
    sbc.await_nodes(&['A', 'A'], lab.deadline)?;
    for node in &mut nodes {
        let asked = Condition::Metric {
            metric: "quinze_sip_messages_total{direction=\"in\",kind=\"OPTIONS\"}".to_owned(),
            is: Bound::AtLeast { at_least: 1.0 },
        };
        node.wait(&lab, "an OPTIONS", &[asked])?;
    }
    for (node, then) in nodes.into_iter().zip([['I', 'A'], ['I', 'I']]) {
        node.end_empty(&lab)?;
        sbc.await_nodes(&then, lab.deadline)?;
    }
    sbc.stop()
}

/// A node with one agent, which the SBC reaches over this link.
fn node(lab: &Lab, name: &str, link: Link<'_>, agent: Agent) -> anyhow::Result<LabNode> {
    match link {
        Link::Udp | Link::Tcp => LabNode::start(lab, name, &[agent]),
        Link::Tls(authority) => LabNode::start_over_tls(lab, name, &[agent], authority),
    }
}

fn sbc(
    lab: &Lab,
    nodes: &[&LabNode],
    link: Link<'_>,
    probing: Probing,
) -> anyhow::Result<Kamailio> {
    let ports: Vec<_> = nodes.iter().map(|node| node.sip).collect();
    let folder = lab.folder_of("kamailio")?;
    Kamailio::start(&folder, &ports, link, probing, lab.deadline)
}

/// So many calls were answered, none was lost, and nothing is left of any.
fn ended_answered(mut node: LabNode, lab: &Lab, answered: u64) -> anyhow::Result<()> {
    let counted = [
        calls("answered", answered),
        calls("failed", 0),
        calls("abandoned", 0),
    ];
    node.wait(lab, "the figures of all calls", &counted)?;
    node.end_empty(lab)
}

/// Answers of a node with this status.
fn sent(status: &str, is: u64) -> Condition {
    Condition::Metric {
        metric: format!("quinze_sip_messages_total{{direction=\"out\",kind=\"{status}\"}}"),
        is: Bound::Exactly(is.into()),
    }
}
