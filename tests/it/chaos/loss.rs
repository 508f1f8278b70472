//! Datagrams that are lost and come twice, while the node is killed: by our own relay, which any machine
//! allows, and by the kernel's nftables in a network namespace, which not every one does.

use std::{
    env, fmt,
    process::{Command, Stdio},
    sync::PoisonError,
};

use anyhow::{Context as _, bail, ensure};
use rand::seq::IndexedRandom as _;
use rand_pcg::Pcg64Mcg;

use super::{
    far_end::Manners,
    ledger::Carriage,
    phase::Phase,
    relay::Weather,
    scene::{Outcome, Plan, Scene},
    seeded, size, tell,
};
use crate::{
    scenarios::{Failed, run::MACHINE},
    support::binary,
};

/// Of a thousand datagrams.
const LOST: u32 = 30;
const DOUBLED: u32 = 30;

#[test]
fn nothing_is_lost_where_datagrams_are_lost_and_doubled() -> Result<(), Failed> {
    let weather = Weather {
        lost: LOST,
        doubled: DOUBLED,
    };
    seeded("bad-weather", |random| {
        killed_in("bad-weather", weather, 0, random)
    })
    .map_err(Failed)
}

#[test]
fn a_kill_in_any_phase_loses_nothing_where_datagrams_are_lost_and_doubled() -> Result<(), Failed> {
    let weather = Weather {
        lost: LOST,
        doubled: DOUBLED,
    };
    let kills = size("QUINZE_CHAOS_KILLS", 5);
    seeded("bad-weather-and-kills", |random| {
        killed_in("bad-weather-and-kills", weather, kills, random)
    })
    .map_err(Failed)
}

/// Where this machine lets us have a network namespace and rules of nftables in it, the kernel loses; where
/// it does not, the relay loses as much. `QUINZE_CHAOS_LOSS=nft` makes that a failure.
#[test]
fn a_kill_in_any_phase_loses_nothing_where_the_kernel_loses_datagrams() -> Result<(), Failed> {
    by_the_kernel().map_err(Failed)
}

fn by_the_kernel() -> anyhow::Result<()> {
    const NAME: &str = "kernel-loses";
    let kills = size("QUINZE_CHAOS_KILLS", 5);
    if env::var_os(INSIDE).is_some() {
        // The kernel loses; what comes twice is the relay's part.
        let weather = Weather {
            lost: 0,
            doubled: DOUBLED,
        };
        return seeded(NAME, |random| killed_in(NAME, weather, kills, random));
    }
    match Namespace::here() {
        Ok(namespace) => {
            tell(&format!(
                "{NAME}: nftables loses, in a namespace of {namespace}"
            ));
            namespace.run_this_test_inside()
        }
        Err(why) if env::var(FORM).is_ok_and(|form| form == "nft") => {
            bail!("{FORM}=nft, and this machine does not let us: {why:#}")
        }
        Err(why) => {
            tell(&format!(
                "{NAME}: the relay loses, since there is no nftables for us here: {why:#}"
            ));
            let weather = Weather {
                lost: LOST,
                doubled: DOUBLED,
            };
            seeded(NAME, |random| killed_in(NAME, weather, kills, random))
        }
    }
}

/// Kills in phases that are drawn.
fn killed_in(
    name: &str,
    weather: Weather,
    kills: u32,
    random: &mut Pcg64Mcg,
) -> anyhow::Result<()> {
    // A phone that has not heard the BYE yet, since it was lost, is not rung for another call before it is
    // repeated. A talk is long enough for an ACK to be repeated twice: SIPp does not repeat its BYE where
    // it still hears the 200 to its INVITE.
    let plan = Plan {
        agents: 16,
        manners: Manners {
            talk: 1700,
            ..Manners::default()
        },
        weather,
        carriage: Carriage::Lossy,
        wrap_up: "2s",
        ..Plan::default()
    };
    let mut scene = Scene::start(name, plan, random)?;
    scene.call(20, 24, None)?;
    let mut told = Vec::new();
    for _ in 0..kills {
        let phase = *Phase::ALL.choose(random).expect("there are phases");
        told.push(scene.kill(phase, random)?);
    }
    scene.go_on(40)?;
    let outcome = scene.end()?;
    let Outcome {
        tally,
        told: relays,
        ..
    } = &outcome;
    tell(&format!("{name}: {tally}\n{relays}\n{told:#?}"));
    outcome.check(&told)
}

/// A way to a network namespace of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    /// We may make one as we are.
    OfRoot,
    /// We may as the root of a user namespace.
    OfUsers,
}

impl Namespace {
    /// The first way that this machine allows, tried with all that is done in it.
    fn here() -> anyhow::Result<Self> {
        let mut why = Vec::new();
        for namespace in [Self::OfRoot, Self::OfUsers] {
            let output = namespace
                .command("true")
                .stdin(Stdio::null())
                .output()
                .context("cannot run unshare")?;
            if output.status.success() {
                return Ok(namespace);
            }
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            why.push(format!("{namespace}: {said}"));
        }
        bail!("{}", why.join("; "))
    }

    /// Runs this in a namespace where loopback loses datagrams.
    fn command(self, then: &str) -> Command {
        let mut command = Command::new("unshare");
        match self {
            Self::OfRoot => command.arg("--net"),
            Self::OfUsers => command.args(["--user", "--map-root-user", "--net"]),
        };
        let rules = format!(
            "add table inet chaos; \
             add chain inet chaos loses {{ type filter hook input priority 0; }}; \
             add rule inet chaos loses meta l4proto udp numgen random mod 1000 < {LOST} counter drop"
        );
        let script = format!("ip link set lo up && nft '{rules}' && {then}");
        command.args(["sh", "-c", &script, "sh"]);
        command
    }

    fn run_this_test_inside(self) -> anyhow::Result<()> {
        let _company = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        let test =
            "chaos::loss::a_kill_in_any_phase_loses_nothing_where_the_kernel_loses_datagrams";
        let status = self
            .command("\"$@\" && nft list ruleset")
            .arg(env::current_exe()?)
            .args(["--exact", test, "--nocapture"])
            .env(INSIDE, "1")
            // Not built again in there.
            .env("QUINZE_BIN", binary::quinze()?)
            .status()?;
        ensure!(status.success(), "the run inside the namespace failed");
        Ok(())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfRoot => write!(f, "root's own"),
            Self::OfUsers => write!(f, "a user's own"),
        }
    }
}

/// Says that this process is in the namespace already.
const INSIDE: &str = "QUINZE_CHAOS_INSIDE";

/// Which form must run.
const FORM: &str = "QUINZE_CHAOS_LOSS";
