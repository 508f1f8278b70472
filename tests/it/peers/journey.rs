//! A caller's whole journey: through an operator's SBC over TLS into a queue, to an agent's phone, by
//! her transfer to the queue of another line, and to the agent there. One call id, one record.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Agent, Lab, LabNode,
    baresip::Baresip,
    kamailio::{Kamailio, Link, Probing},
    status,
};
use crate::{
    scenarios::{
        Failed,
        spec::{Bound, Condition},
    },
    support::{
        certificates::{Authority, loopback},
        ports::free_port,
    },
};

const FIRST: Agent = Agent::registering("arm-67-1");
const PHYSICIAN: Agent = Agent::registering("arm-67-2").with_skill("physician");

/// The number of the second line, as the first agent dials it.
const PHYSICIANS: &str = "sip:+33369670099@samu67.example";

/// One second of sound, in packets of 20 ms.
const SECOND: u64 = 50;

#[test]
fn a_call_is_one_call_from_the_sbc_to_the_second_agent() -> Result<(), Failed> {
    journey().map_err(Failed)
}

fn journey() -> anyhow::Result<()> {
    let mut scene = Scene::new()?;
    let id = scene.call_waits()?;
    scene.first_answers()?;
    scene.first_sends_it_on()?;
    assert_eq!(scene.call_id()?, id);
    scene.physician_answers()?;
    assert_eq!(scene.call_id()?, id);
    scene.caller.hang_up()?;
    scene.physician.await_event("CALL_CLOSED", |_| true)?;
    scene.end(&id)
}

/// Everybody who takes part.
struct Scene {
    lab: Lab,
    node: LabNode,
    sbc: Kamailio,
    caller: Baresip,
    first: Baresip,
    physician: Baresip,
}

impl Scene {
    fn new() -> anyhow::Result<Self> {
        let lab = Lab::new("journey")?;
        let tls_port = free_port();
        let authority = Authority::new("operators");
        let node_folder = lab.folder_of("node")?;
        authority.write(&node_folder);
        authority.issue(&loopback()).write(&node_folder);
        let with_port = |text: &str| text.replace("{tls_port}", &tls_port.to_string());
        let agents = [FIRST, PHYSICIAN];
        let mut node = LabNode::start_as(&lab, "node", "journey.toml", &agents, with_port)?;
        let [first, physician] = agents.map(|agent| phone(&lab, &node, agent.id));
        node.wait(&lab, "both registrations", &[status("/registrations", 2)])?;
        let folder = lab.folder_of("kamailio")?;
        let link = Link::Tls(&authority);
        let probing = Probing::EverySecond;
        let mut sbc = Kamailio::start(&folder, &[tls_port], link, probing, lab.deadline)?;
        sbc.await_nodes(&['A'], lab.deadline)?;
        let caller = Baresip::caller(&lab.folder_of("caller")?, "+33612345678", lab.deadline)?;
        Ok(Self {
            lab,
            node,
            sbc,
            caller,
            first: first?,
            physician: physician?,
        })
    }

    /// Nobody is on duty: the call waits.
    fn call_waits(&mut self) -> anyhow::Result<Value> {
        let uri = format!("sip:15@127.0.0.1:{}", self.sbc.port);
        self.caller.dial(&uri)?;
        self.wait("the call in the queue", &[status("/calls/waiting", 1)])?;
        self.call_id()
    }

    fn first_answers(&mut self) -> anyhow::Result<()> {
        self.on_duty(FIRST.id)?;
        self.first.await_event("CALL_INCOMING", |_| true)?;
        self.first.accept()?;
        for phone in [&mut self.first, &mut self.caller] {
            phone.await_event("CALL_RTPESTAB", |_| true)?;
        }
        self.wait("the first answer", &[of_call("/0/agent", FIRST.id)])
    }

    /// Nobody is on duty on the other line: the same call waits there, and the first agent is free.
    fn first_sends_it_on(&mut self) -> anyhow::Result<()> {
        self.first.transfer(PHYSICIANS)?;
        self.first.await_event("CALL_CLOSED", |_| true)?;
        let there = of_call("/0/line", "FR670-physicians");
        self.wait("the second queue", &[status("/calls/waiting", 1), there])
    }

    /// The physician answers, and hears a second of the caller's sound.
    fn physician_answers(&mut self) -> anyhow::Result<()> {
        self.on_duty(PHYSICIAN.id)?;
        self.physician.await_event("CALL_INCOMING", |_| true)?;
        self.physician.accept()?;
        self.wait("the second answer", &[of_call("/0/agent", PHYSICIAN.id)])?;
        self.physician.await_event("CALL_RTCP", |event| {
            let sent = event["rtcp_stats"]["rx"]["sent"].as_u64();
            sent.is_some_and(|sent| sent >= SECOND)
        })?;
        Ok(())
    }

    /// All programs end in peace; the node has forgotten everything, and told of one call.
    fn end(mut self, id: &Value) -> anyhow::Result<()> {
        let heard = self.physician.stop()?.received;
        assert!(heard >= SECOND, "the physician heard {heard} packets");
        self.first.stop()?;
        self.caller.stop()?;
        self.sbc.stop()?;
        // A server transaction over UDP answers repetitions for 32 s.
        let within = Instant::now() + Duration::from_secs(40);
        self.lab.deadline = self.lab.deadline.max(within);
        self.node
            .wait(&self.lab, "nothing left in any table", &forgotten())?;
        assert!(Instant::now() < within);
        let log = std::fs::read_to_string(self.node.folder.join("node.log"))?;
        let id = id.as_str().unwrap_or_default();
        let told = ["call started", "call transferred", "call ended"].map(|what| {
            let is_it = |line: &&str| line.contains(what) && line.contains(id);
            log.lines().filter(is_it).count()
        });
        assert_eq!(told, [1, 1, 1], "one record");
        self.node.end_empty(&self.lab)
    }

    fn wait(&mut self, what: &str, conditions: &[Condition]) -> anyhow::Result<()> {
        self.node.wait(&self.lab, what, conditions)
    }

    fn call_id(&self) -> anyhow::Result<Value> {
        self.node.node.api.value("/v1/calls", "/0/id")
    }

    fn on_duty(&self, agent: &str) -> anyhow::Result<()> {
        let path = format!("/v1/agents/{agent}/state");
        let ready = json!({ "state": "ready" });
        self.node.node.api.post(&path, &ready)
    }
}

fn phone(lab: &Lab, node: &LabNode, agent: &str) -> anyhow::Result<Baresip> {
    Baresip::registering(&lab.folder_of(agent)?, agent, node.sip, lab.deadline)
}

/// Something of the only call.
fn of_call(pointer: &str, is: &str) -> Condition {
    Condition::Api {
        get: "/v1/calls".to_owned(),
        pointer: pointer.to_owned(),
        is: Bound::Exactly(is.into()),
    }
}

/// No state is left in any table.
fn forgotten() -> [Condition; 7] {
    [
        "/calls/waiting",
        "/calls/ringing",
        "/calls/connected",
        "/legs",
        "/forwarding",
        "/transactions/client",
        "/transactions/server",
    ]
    .map(|pointer| status(pointer, 0))
}
