//! Quinze among programs of others: Debian's Kamailio as the operator's SBC in front of the nodes,
//! Debian's baresip as an agent's phone. SIPp plays whoever else is needed.
//!
//! `cargo xtask test --only peers` runs these alone and installs what they need.

mod baresip;
mod journey;
pub(crate) mod kamailio;
mod names;
mod sbc;
mod softphone;
mod telephone;
mod tone;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLockReadGuard},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    scenarios::{
        node::Node,
        run::MACHINE,
        sipp::Sipp,
        spec::{Bound, Condition, Play, SippSpec, Transport},
    },
    support::{
        binary,
        certificates::{Authority, loopback, over_tls},
        poll::{self, Look},
        ports::free_port,
    },
};

/// Longer than any of these takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A test's own folder, and the time by which all of it must be over.
struct Lab {
    folder: PathBuf,
    deadline: Instant,
    /// Not beside a scenario that measures.
    _company: RwLockReadGuard<'static, ()>,
}

impl Lab {
    fn new(name: &str) -> anyhow::Result<Self> {
        binary::check_sipp()?;
        binary::quinze()?;
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("peers")
            .join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let company = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            folder,
            deadline: Instant::now() + LIMIT,
            _company: company,
        })
    }

    /// A folder of one of the test's programs.
    fn folder_of(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Starts a SIPp that waits to be called, and waits until it listens.
    fn phone<'a>(&self, spec: &'a SippSpec, port: u16) -> anyhow::Result<Sipp<'a>> {
        let mut phone = self.sipp(spec, port, 0)?;
        phone.await_listening(self.deadline)?;
        Ok(phone)
    }

    /// Starts a SIPp that calls whoever listens at `target`.
    fn caller<'a>(&self, spec: &'a SippSpec, target: u16) -> anyhow::Result<Sipp<'a>> {
        self.sipp(spec, free_port(), target)
    }

    fn sipp<'a>(&self, spec: &'a SippSpec, port: u16, target: u16) -> anyhow::Result<Sipp<'a>> {
        let ports = BTreeMap::from([(spec.name.as_str(), port), ("sip", target)]);
        // The scenarios of `peers/` are found by their name; those of a folder, in it.
        let xml = binary::root().join("sip-scenarios");
        Sipp::start(spec, &ports, &xml, &self.folder_of(&spec.name)?)
    }

    /// Waits until a SIPp has made or taken all its calls, and well.
    fn await_end(&self, mut sipp: Sipp<'_>) -> anyhow::Result<()> {
        let what = format!("the end of {}", sipp.name());
        poll::until(self.deadline, &what, || {
            sipp.check()?;
            Ok(if sipp.runs() {
                Look::NotYet("it still runs".to_owned())
            } else {
                Look::Done(())
            })
        })
    }
}

/// A node and where it listens.
struct LabNode {
    node: Node,
    sip: u16,
    http: u16,
    folder: PathBuf,
    configuration: String,
}

impl LabNode {
    /// Starts a node for one site, with these agents, whose phones are believed by their address.
    fn start(lab: &Lab, name: &str, agents: &[Agent]) -> anyhow::Result<Self> {
        Self::start_as(lab, name, "one-site.toml", agents, str::to_owned)
    }

    /// Starts a node for one site that knows its operator by the certificate alone.
    fn start_over_tls(
        lab: &Lab,
        name: &str,
        agents: &[Agent],
        authority: &Authority,
    ) -> anyhow::Result<Self> {
        let folder = lab.folder_of(name)?;
        authority.write(&folder);
        authority.issue(&loopback()).write(&folder);
        Self::start_as(lab, name, "one-site.toml", agents, over_tls)
    }

    /// Starts a node for one site where phones prove who they are.
    fn start_with_passwords(lab: &Lab, name: &str, agents: &[Agent]) -> anyhow::Result<Self> {
        Self::start_as(lab, name, "passwords.toml", agents, str::to_owned)
    }

    fn start_as(
        lab: &Lab,
        name: &str,
        template: &str,
        agents: &[Agent],
        change: impl Fn(&str) -> String,
    ) -> anyhow::Result<Self> {
        let (sip, http) = (free_port(), free_port());
        let scenarios = binary::root().join("sip-scenarios");
        let template = scenarios.join("nodes").join(template);
        let mut configuration = fs::read_to_string(&template)
            .with_context(|| format!("{}", template.display()))?
            .replace("{sip_port}", &sip.to_string())
            .replace("{http_port}", &http.to_string())
            .replace("{ring_time}", "15s")
            .replace("{wrap_up}", "0s")
            // Debian's baresip gives up at a challenge by anything else, even beside one by MD5.
            .replace("{algorithms}", "\"MD5\"")
            .replace("{scenarios}", &scenarios.to_string_lossy())
            .replace("scenario-1", name);
        configuration = change(&configuration);
        configuration.extend(agents.iter().map(Agent::configured));
        let folder = lab.folder_of(name)?;
        let node = Node::serve(&configuration, http, &folder, lab.deadline)?;
        Ok(Self {
            node,
            sip,
            http,
            folder,
            configuration,
        })
    }

    /// Ends it at once, as a power cut does, and starts it again where it was.
    fn die(self) -> Dead {
        let Self {
            node,
            sip,
            http,
            folder,
            configuration,
        } = self;
        // SIGKILL, by its process id.
        drop(node);
        Dead {
            sip,
            http,
            folder,
            configuration,
        }
    }

    /// Waits until all of this is true at once.
    fn wait(&mut self, lab: &Lab, what: &str, conditions: &[Condition]) -> anyhow::Result<()> {
        let node = &mut self.node;
        poll::until(lab.deadline, what, || {
            node.check_runs()?;
            let unmet = node.api.unmet(conditions)?;
            Ok(if unmet.is_empty() {
                Look::Done(())
            } else {
                Look::NotYet(unmet.join("; "))
            })
        })
    }

    /// Nobody waits, no phone rings, nothing is connected, no leg is left; then the node ends in
    /// peace.
    fn end_empty(mut self, lab: &Lab) -> anyhow::Result<()> {
        let all_over = [
            "/calls/waiting",
            "/calls/ringing",
            "/calls/connected",
            "/legs",
        ]
        .map(|pointer| status(pointer, 0));
        self.wait(lab, "the end of all calls", &all_over)?;
        self.node.stop(lab.deadline)
    }
}

/// A node that was killed.
struct Dead {
    sip: u16,
    http: u16,
    folder: PathBuf,
    configuration: String,
}

impl Dead {
    /// Starts it again, at the same addresses.
    fn revive(self, lab: &Lab) -> anyhow::Result<LabNode> {
        let Self {
            sip,
            http,
            folder,
            configuration,
        } = self;
        let node = Node::serve(&configuration, http, &folder, lab.deadline)?;
        Ok(LabNode {
            node,
            sip,
            http,
            folder,
            configuration,
        })
    }
}

/// An agent of the one site.
struct Agent {
    id: &'static str,
    start: &'static str,
    /// Where the phone listens; none where it registers.
    phone: Option<u16>,
    /// What the agent can do.
    skill: &'static str,
}

impl Agent {
    /// One who takes calls from the beginning, at a phone with a fixed address.
    const fn ready(id: &'static str, phone: u16) -> Self {
        Self {
            id,
            start: "ready",
            phone: Some(phone),
            skill: "amu",
        }
    }

    /// One who is rung where the phone registers, and is not on duty yet.
    const fn registering(id: &'static str) -> Self {
        Self {
            id,
            start: "not-ready",
            phone: None,
            skill: "amu",
        }
    }

    /// One who can do this and nothing else.
    const fn with_skill(self, skill: &'static str) -> Self {
        Self { skill, ..self }
    }

    fn configured(&self) -> String {
        let Self {
            id,
            start,
            phone,
            skill,
        } = self;
        let contact = phone.map_or_else(String::new, |port| {
            format!("contact = \"sip:{id}@127.0.0.1:{port}\"\n")
        });
        format!(
            "\n[[agent]]\nid = \"{id}\"\nsite = \"FR670\"\nskills = {{ {skill} = 5 }}\n{contact}\
             start = \"{start}\"\n"
        )
    }
}

/// A SIPp that waits for so many calls.
fn phone(name: &str, play: &str, calls: u64, args: &[&str]) -> SippSpec {
    SippSpec {
        name: name.to_owned(),
        play: Play::File(play.to_owned()),
        transport: Transport::Udp,
        dials: None,
        calls,
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
    }
}

/// A SIPp that dials 15 so many times.
fn caller(name: &str, play: &str, calls: u64, args: &[&str]) -> SippSpec {
    SippSpec {
        dials: Some("15".to_owned()),
        ..phone(name, play, calls, args)
    }
}

/// A number of `/v1/status`.
fn status(pointer: &str, is: u64) -> Condition {
    Condition::Api {
        get: "/v1/status".to_owned(),
        pointer: pointer.to_owned(),
        is: Bound::Exactly(is.into()),
    }
}

/// Calls of the first line by how they ended.
fn calls(outcome: &str, is: u64) -> Condition {
    Condition::Metric {
        metric: format!(
            "quinze_calls_total{{site=\"FR670\",line=\"FR670-15-Samu-Px-F01\",outcome=\"{outcome}\"}}"
        ),
        is: Bound::Exactly(is.into()),
    }
}
