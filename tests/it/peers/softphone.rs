//! baresip as an agent's phone that is reached by its own TLS connection alone, while the node is killed: the connection
//! dies with it.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::json;

use super::{Agent, Lab, LabNode, baresip::Baresip, calls, status};
use crate::{
    scenarios::Failed,
    support::{
        certificates::{Authority, CERTIFICATE, KEY, loopback},
        ports::free_port,
    },
};

const AGENT: &str = "arm-67-1";

/// The operator has an address of its own: what its trunk sends would be known by the phone's, too.
const OPERATOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// baresip that cannot register waits for up to a minute until it tries again: it may, where the node takes long to be
/// there again.
const TRIES_AGAIN: Duration = Duration::from_secs(60);

#[test]
fn a_phone_that_is_back_after_the_death_of_the_node_hears_that_the_caller_hangs_up()
-> Result<(), Failed> {
    hangs_up_after_the_phone_is_back().map_err(Failed)
}

fn hangs_up_after_the_phone_is_back() -> anyhow::Result<()> {
    let mut talk = Talk::through_a_death("softphone-back-first")?;
    talk.agent.await_registration()?;
    talk.caller.hang_up()?;
    talk.end()
}

/// Nothing leads to the phone when the caller hangs up.
#[test]
fn a_phone_that_is_back_after_the_end_of_its_call_hears_of_it() -> Result<(), Failed> {
    hangs_up_before_the_phone_is_back().map_err(Failed)
}

fn hangs_up_before_the_phone_is_back() -> anyhow::Result<()> {
    let mut talk = Talk::through_a_death("softphone-back-late")?;
    talk.caller.hang_up()?;
    let over = [status("/calls/connected", 0)];
    talk.node.wait(&talk.lab, "the end of the call", &over)?;
    talk.end()
}

/// An agent and a caller who are connected.
struct Talk {
    lab: Lab,
    node: LabNode,
    agent: Baresip,
    caller: Baresip,
}

impl Talk {
    /// The node has been killed while they talk, and started again. The phone has registered right before, so it is not back
    /// for six seconds.
    fn through_a_death(name: &str) -> anyhow::Result<Self> {
        let mut lab = Lab::new(name)?;
        lab.deadline += TRIES_AGAIN;
        let mut talk = Self::begun(lab)?;
        talk.agent.await_registration()?;
        let Self {
            lab,
            node,
            agent,
            caller,
        } = talk;
        let mut node = node.die().revive(&lab)?;
        node.wait(&lab, "the call of before", &[status("/calls/connected", 1)])?;
        Ok(Self {
            lab,
            node,
            agent,
            caller,
        })
    }

    fn begun(lab: Lab) -> anyhow::Result<Self> {
        let tls_port = free_port();
        let folder = lab.folder_of("node")?;
        Authority::new("phones").issue(&loopback()).write(&folder);
        let agents = [Agent::registering(AGENT)];
        let with_tls = |text: &str| with_tls(text, tls_port);
        let mut node = LabNode::start_as(&lab, "node", "passwords.toml", &agents, with_tls)?;
        let folder = lab.folder_of("agent")?;
        let mut agent = Baresip::registering_over_tls(&folder, AGENT, tls_port, lab.deadline)?;
        node.wait(&lab, "the registration", &[status("/registrations", 1)])?;
        let path = format!("/v1/agents/{AGENT}/state");
        node.node.api.post(&path, &json!({ "state": "ready" }))?;

        let folder = lab.folder_of("caller")?;
        let mut caller = Baresip::caller_at(&folder, OPERATOR, "+33612345678", lab.deadline)?;
        caller.dial(&format!("sip:15@127.0.0.1:{}", node.sip))?;
        agent.await_event("CALL_INCOMING", |_| true)?;
        agent.accept()?;
        for phone in [&mut agent, &mut caller] {
            phone.await_event("CALL_RTPESTAB", |_| true)?;
        }
        node.wait(&lab, "the call", &[status("/calls/connected", 1)])?;
        Ok(Self {
            lab,
            node,
            agent,
            caller,
        })
    }

    /// Both phones know that the call is over, and the node has forgotten it.
    fn end(mut self) -> anyhow::Result<()> {
        self.agent.await_bye()?;
        self.caller.await_event("CALL_CLOSED", |_| true)?;
        self.node.wait(
            &self.lab,
            "the figures of the call",
            &[calls("answered", 1)],
        )?;
        self.agent.stop()?;
        self.caller.stop()?;
        self.node.end_empty(&self.lab)
    }
}

/// The configuration with a listener for phones over TLS.
fn with_tls(configuration: &str, port: u16) -> String {
    let by_source = "sources = [\"127.0.0.0/8\"]";
    assert!(configuration.contains(by_source));
    let operator = format!("sources = [\"{OPERATOR}/32\"]");
    configuration.replace(by_source, &operator)
        + &format!(
            "\n[[listen]]\ntransport = \"tls\"\naddress = \"127.0.0.1:{port}\"\n\n\
             [tls]\ncertificate = \"{CERTIFICATE}\"\nkey = \"{KEY}\"\n"
        )
}
