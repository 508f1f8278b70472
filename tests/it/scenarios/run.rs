//! One run of one scenario.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    node::Node,
    sipp::Sipp,
    spec::{Bound, Company, Condition, NotBefore, Scenario, SippSpec, Step},
};
use crate::support::{
    binary,
    poll::{self, Look},
    ports::free_port,
};

/// Scenarios share the machine, but for those that want it alone.
pub(crate) static MACHINE: RwLock<()> = RwLock::new(());

/// How long the node may take to stop once no call is left.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Runs the scenario of a folder below `sip-scenarios/`.
pub(super) fn run(name: &str) -> anyhow::Result<()> {
    let xml_folder = binary::root().join("sip-scenarios").join(name);
    let scenario = Scenario::read(&xml_folder)?;
    binary::check_sipp()?;
    binary::quinze()?;
    let folder = binary::fresh_folder(name)?;
    // A scenario that failed while it held the lock has nothing to do with this one.
    let (mut _shared, mut _alone) = (None, None);
    match scenario.company {
        Company::Others => _shared = Some(MACHINE.read().unwrap_or_else(PoisonError::into_inner)),
        Company::Alone => _alone = Some(MACHINE.write().unwrap_or_else(PoisonError::into_inner)),
    }
    Run::start(&scenario, &xml_folder, &folder)
        .and_then(Run::play)
        .with_context(|| {
            format!(
                "{name} ({}); its files: {}",
                scenario.what,
                folder.display()
            )
        })
}

struct Run<'a> {
    scenario: &'a Scenario,
    xml_folder: &'a Path,
    folder: &'a Path,
    ports: BTreeMap<&'a str, u16>,
    node: Node,
    sipps: Vec<Sipp<'a>>,
    deadline: Instant,
}

impl<'a> Run<'a> {
    /// Starts the phones, then the node.
    fn start(
        scenario: &'a Scenario,
        xml_folder: &'a Path,
        folder: &'a Path,
    ) -> anyhow::Result<Self> {
        let deadline = Instant::now() + scenario.time_limit;
        let names = scenario
            .sipps
            .iter()
            .map(|sipp| &sipp.name)
            .chain(&scenario.dead_phones);
        let names = names.map(String::as_str).chain(["sip", "http"]);
        let ports: BTreeMap<_, _> = names.map(|name| (name, free_port())).collect();
        let mut sipps = Vec::new();
        for spec in scenario.sipps.iter().filter(|spec| spec.dials.is_none()) {
            let mut phone = Sipp::start(spec, &ports, xml_folder, folder)?;
            phone.await_listening(deadline)?;
            sipps.push(phone);
        }
        let node = Node::start(scenario, &ports, folder, deadline)?;
        Ok(Self {
            scenario,
            xml_folder,
            folder,
            ports,
            node,
            sipps,
            deadline,
        })
    }

    /// Plays all steps, then looks whether everything is as it must be.
    fn play(mut self) -> anyhow::Result<()> {
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.step(step)
                .with_context(|| format!("step {}, {step}", index + 1))?;
            self.node.check_runs()?;
        }
        self.await_end(|sipp| sipp.ends_by_itself())?;
        self.wait("the end of all calls", &all_over())?;
        self.sipps
            .iter_mut()
            .filter(|sipp| !sipp.ends_by_itself())
            .try_for_each(Sipp::stop)?;
        self.await_end(|_| true)?;
        self.wait("what is expected after all calls", &self.scenario.expect)?;
        let Self { node, .. } = self;
        node.stop(Instant::now() + STOP_MAX)
    }

    fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Start { sipp } => self.start_caller(sipp),
            Step::Wait { until, not_before } => {
                self.wait("a condition", until)?;
                not_before
                    .as_ref()
                    .map_or(Ok(()), |limit| self.check_not_before(limit))
            }
            Step::Post { path, body } => self.node.api.post(path, body),
            Step::Cue { sipp } => self.sipps[self.index_of(sipp)?].cue(),
            Step::End { sipp } => self.await_end(|one| one.name() == sipp),
        }
    }

    fn start_caller(&mut self, name: &str) -> anyhow::Result<()> {
        let named = |spec: &&SippSpec| spec.name == name;
        let spec = self
            .scenario
            .sipps
            .iter()
            .find(named)
            .context("no such SIPp")?;
        let caller = Sipp::start(spec, &self.ports, self.xml_folder, self.folder)?;
        self.sipps.push(caller);
        Ok(())
    }

    fn index_of(&self, name: &str) -> anyhow::Result<usize> {
        self.sipps
            .iter()
            .position(|sipp| sipp.name() == name)
            .context("it does not run yet")
    }

    /// Waits until those of the SIPps that run by now have ended.
    fn await_end(&mut self, those: impl Fn(&Sipp<'_>) -> bool) -> anyhow::Result<()> {
        let Self {
            sipps,
            node,
            deadline,
            ..
        } = self;
        poll::until(*deadline, "the end of SIPp", || {
            check_all(node, sipps)?;
            let running: Vec<_> = sipps
                .iter()
                .filter(|sipp| sipp.runs() && those(sipp))
                .map(Sipp::name)
                .collect();
            Ok(if running.is_empty() {
                Look::Done(())
            } else {
                Look::NotYet(format!("{running:?} still run"))
            })
        })
    }

    fn wait(&mut self, what: &str, conditions: &[Condition]) -> anyhow::Result<()> {
        let Self {
            sipps,
            node,
            deadline,
            ..
        } = self;
        poll::until(*deadline, what, || {
            check_all(node, sipps)?;
            let unmet = node.api.unmet(conditions)?;
            Ok(if unmet.is_empty() {
                Look::Done(())
            } else {
                Look::NotYet(unmet.join("; "))
            })
        })
    }

    /// The time runs from before the caller's INVITE, so the true delay can only be shorter than
    /// what is measured here: a slow machine never makes this fail.
    fn check_not_before(&self, limit: &NotBefore) -> anyhow::Result<()> {
        let elapsed = self.sipps[self.index_of(&limit.since)?]
            .started_at
            .elapsed();
        ensure!(
            elapsed >= limit.after,
            "true {elapsed:?} after the start of {}, must not be before {:?}",
            limit.since,
            limit.after
        );
        Ok(())
    }
}

/// A node that has ended by itself ends the scenario, and so does a SIPp that has ended, but not
/// well: nothing that is waited for can come any more.
fn check_all(node: &mut Node, sipps: &mut [Sipp<'_>]) -> anyhow::Result<()> {
    node.check_runs()?;
    sipps.iter_mut().try_for_each(Sipp::check)
}

/// After every scenario: nobody waits, no phone rings, nothing is connected, no dialog is left.
fn all_over() -> Vec<Condition> {
    [
        "/calls/waiting",
        "/calls/ringing",
        "/calls/connected",
        "/legs",
    ]
    .map(|pointer| Condition::Api {
        get: "/v1/status".to_owned(),
        pointer: pointer.to_owned(),
        is: Bound::Exactly(0.into()),
    })
    .into()
}
