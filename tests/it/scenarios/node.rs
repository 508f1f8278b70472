//! The node under test: its configuration, its life as a process.

use std::{
    collections::BTreeMap, fmt::Write as _, fs, path::Path, process::Command, time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::Signal;

use super::{
    http::Api,
    spec::{AgentSpec, Scenario, Transport},
};
use crate::support::{
    binary,
    poll::{self, Look},
    process::Process,
};

pub(crate) struct Node {
    process: Process,
    pub(crate) api: Api,
}

impl Node {
    /// Starts a node with the configuration of a scenario and waits until it takes calls.
    pub(crate) fn start(
        scenario: &Scenario,
        ports: &BTreeMap<&str, u16>,
        folder: &Path,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let text = configuration(scenario, ports)?;
        Self::serve(&text, ports["http"], folder, deadline)
    }

    /// Starts a node with a configuration whose API is on a port of loopback, and waits until it
    /// takes calls.
    pub(crate) fn serve(
        configuration: &str,
        http: u16,
        folder: &Path,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let config = folder.join("node.toml");
        fs::write(&config, configuration)?;
        let mut command = Command::new(binary::quinze()?);
        command.arg("serve").arg("--config").arg(&config);
        let process = Process::start("the node", &mut command, &folder.join("node.log"))?;
        let mut node = Self {
            process,
            api: Api::new(http),
        };
        poll::until(deadline, "the node's /readyz", || {
            node.check_runs()?;
            Ok(if node.api.is_ready() {
                Look::Done(())
            } else {
                Look::NotYet("no 200".to_owned())
            })
        })?;
        Ok(node)
    }

    /// A node that ends before it is told to has failed.
    pub(crate) fn check_runs(&mut self) -> anyhow::Result<()> {
        match self.process.ended()? {
            Some(status) => bail!("the node ended by itself: {status}; see node.log"),
            None => Ok(()),
        }
    }

    /// Ends the node as an operator does, by SIGTERM: in peace, with exit code 0.
    pub(crate) fn stop(mut self, deadline: Instant) -> anyhow::Result<()> {
        self.drain()?;
        self.await_end(deadline)
    }

    /// Tells it to take no new calls and to end after the last, by SIGTERM.
    pub(crate) fn drain(&mut self) -> anyhow::Result<()> {
        self.check_runs()?;
        self.process.signal(Signal::SIGTERM)
    }

    /// Waits for the end of a node that drains.
    pub(crate) fn await_end(mut self, deadline: Instant) -> anyhow::Result<()> {
        let status = poll::until(deadline, "the end of the node after SIGTERM", || {
            Ok(match self.process.ended()? {
                Some(status) => Look::Done(status),
                None => Look::NotYet("it still runs".to_owned()),
            })
        })?;
        ensure!(
            status.success(),
            "the node ended with {status} after SIGTERM; see node.log"
        );
        Ok(())
    }
}

/// The template with its placeholders filled in, and the agents.
fn configuration(scenario: &Scenario, ports: &BTreeMap<&str, u16>) -> anyhow::Result<String> {
    let path = binary::root()
        .join("sip-scenarios")
        .join(&scenario.node.config);
    let mut text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    for (name, value) in &scenario.node.values {
        let placeholder = format!("{{{name}}}");
        ensure!(
            text.contains(&placeholder),
            "{} has no {placeholder}",
            path.display()
        );
        text = text.replace(&placeholder, value);
    }
    let folder = binary::root().join("sip-scenarios");
    text = text.replace("{scenarios}", &folder.to_string_lossy());
    for name in ["sip", "http"] {
        text = text.replace(&format!("{{{name}_port}}"), &ports[name].to_string());
    }
    if let Some(line) = text
        .lines()
        .find(|line| line.contains("_port}") || line.contains("\"{"))
    {
        bail!(
            "{}: nothing is given for the placeholder in `{line}`",
            path.display()
        );
    }
    for agent in &scenario.agents {
        let phone = agent.phone.as_deref().map(|phone| Phone {
            port: ports[phone],
            transport: agent
                .contact_transport
                .unwrap_or_else(|| scenario.transport_of(phone)),
        });
        agent.write(&mut text, phone);
    }
    Ok(text)
}

/// Where an agent is rung.
#[derive(Clone, Copy)]
struct Phone {
    port: u16,
    transport: Transport,
}

impl AgentSpec {
    /// Writes this agent, or all `count` of them, as the node's configuration has agents.
    fn write(&self, text: &mut String, phone: Option<Phone>) {
        let Self {
            site,
            start,
            skills,
            ..
        } = self;
        for n in 1..=self.count {
            let id = self.id.replace("{n}", &n.to_string());
            let contact = phone.map_or_else(String::new, |Phone { port, transport }| {
                let transport = match transport {
                    Transport::Udp => "",
                    Transport::Tcp => ";transport=tcp",
                };
                format!("contact = \"sip:{id}@127.0.0.1:{port}{transport}\"\n")
            });
            write!(
                text,
                "\n[[agent]]\nid = \"{id}\"\nsite = \"{site}\"\nskills = {skills}\n\
                 {contact}start = \"{start}\"\n"
            )
            .expect("writing to a string does not fail");
        }
    }
}
