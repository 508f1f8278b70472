//! What the tests need from outside.

use std::fs;

use anyhow::{Context as _, bail};

use crate::program::Program;

/// A program of Debian's that the tests run, and what shows that it is there.
#[derive(Clone, Copy, Debug)]
struct Tool {
    /// Its packages: the program's, and what it loads, which only Debian's dpkg can be asked about.
    packages: &'static [&'static str],
    program: &'static str,
    /// Arguments with which it says something and ends at once.
    proof: &'static [&'static str],
}

/// Whoever speaks to the node in the tests. Loads need the first two.
const TOOLS: [Tool; 6] = [
    Tool {
        packages: &["sip-tester"],
        program: "sipp",
        proof: &["-v"],
    },
    Tool {
        packages: &["kamailio", "kamailio-tls-modules"],
        program: "kamailio",
        proof: &["-v"],
    },
    Tool {
        packages: &["baresip-core"],
        program: "baresip",
        proof: &["-h"],
    },
    Tool {
        packages: &["dnsmasq-base"],
        program: "dnsmasq",
        proof: &["--version"],
    },
    // Loss in the kernel, in a network namespace.
    Tool {
        packages: &["nftables"],
        program: "nft",
        proof: &["--version"],
    },
    Tool {
        packages: &["iproute2"],
        program: "ip",
        proof: &["-V"],
    },
];

/// What the tests need from Debian: installed by apt when it is missing.
pub(crate) fn peers() -> anyhow::Result<()> {
    tools(&TOOLS)
}

/// What loads need from Debian: SIPp, and the proxy that is measured beside the node.
pub(crate) fn load() -> anyhow::Result<()> {
    tools(&TOOLS[..2])
}

/// What gives an instrumented node its calls.
pub(crate) fn sipp() -> anyhow::Result<()> {
    tools(&TOOLS[..1])
}

fn tools(tools: &[Tool]) -> anyhow::Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| !tool.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing
        .iter()
        .flat_map(|tool| tool.packages.iter().copied())
        .collect();
    if !Program::new("apt-get", &["--version"]).exists() {
        bail!(
            "there is no apt-get here: install what Debian has as {}",
            packages.join(", ")
        );
    }
    debian(&packages)?;
    match missing.iter().find(|tool| !tool.is_there()) {
        None => Ok(()),
        Some(tool) => bail!(
            "{} is installed, but `{}` does not run",
            tool.packages.join(" and "),
            tool.program
        ),
    }
}

/// cargo-deny, built from source when it is missing.
pub(crate) fn cargo_deny() -> anyhow::Result<()> {
    if Program::cargo(&["deny", "--version"]).succeeds() {
        return Ok(());
    }
    Program::cargo(&["install", "--locked", "cargo-deny"]).run()
}

/// cargo-fuzz, built from source when it is missing.
pub(crate) fn cargo_fuzz() -> anyhow::Result<()> {
    if Program::cargo(&["fuzz", "--version"]).succeeds() {
        return Ok(());
    }
    Program::cargo(&["install", "--locked", "cargo-fuzz"]).run()
}

/// The C++ compiler that libFuzzer is built with.
pub(crate) fn cpp() -> anyhow::Result<()> {
    if Program::new("c++", &["--version"]).succeeds() {
        return Ok(());
    }
    if !Program::new("apt-get", &["--version"]).exists() {
        bail!("there is no C++ compiler, and no apt-get here: install one as `c++`");
    }
    debian(&["g++"])
}

/// What counts instructions.
pub(crate) fn valgrind() -> anyhow::Result<()> {
    if Program::new("valgrind", &["--version"]).succeeds() {
        return Ok(());
    }
    if !Program::new("apt-get", &["--version"]).exists() {
        bail!("there is no valgrind, and no apt-get here: install one");
    }
    debian(&["valgrind"])
}

/// Installs packages of Debian.
fn debian(packages: &[&str]) -> anyhow::Result<()> {
    let rights = Rights::here()?;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    // The package lists of a new machine may be missing or old: then they are fetched first.
    if rights.apt_get(&install).is_err() {
        rights.apt_get(&["update"])?;
        rights.apt_get(&install)?;
    }
    Ok(())
}

impl Tool {
    fn is_there(&self) -> bool {
        self.runs()
            && self
                .packages
                .iter()
                .skip(1)
                .all(|package| is_installed(package))
    }

    /// Whatever it ends with: SIPp says 99 after its version.
    fn runs(&self) -> bool {
        Program::new(self.program, self.proof).exists()
    }
}

/// Whether Debian has installed a package. Where there is no dpkg, whoever has the program has seen to the rest.
fn is_installed(package: &str) -> bool {
    let query = |args: &[&str]| Program::new("dpkg-query", args);
    // A package that was removed is still known by its configuration.
    let status = ["--show", "--showformat=${db:Status-Status}", package];
    !query(&["--version"]).exists() || query(&status).output().is_ok_and(|is| is == "installed")
}

/// What we may do on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Root,
    /// By sudo, without a password.
    Sudo,
    None,
}

impl Rights {
    fn here() -> anyhow::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
        // `Uid: real effective saved filesystem` (proc_pid_status(5)).
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
        if uids.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0") {
            return Ok(Self::Root);
        }
        let may_sudo = Program::new("sudo", &["--non-interactive", "true"]).succeeds();
        Ok(if may_sudo { Self::Sudo } else { Self::None })
    }

    /// Debian's kamailio would start a service as soon as it is installed. That is refused here:
    /// the tests start their own, and port 5060 of a developer's machine is not ours to take.
    fn apt_get(self, args: &[&str]) -> anyhow::Result<()> {
        match self {
            Self::Root => QUIETLY
                .iter()
                .fold(Program::new("apt-get", args), |program, (name, value)| {
                    program.env(name, value)
                })
                .run(),
            Self::Sudo => {
                // sudo hands on no variables of ours, but those that `env` sets.
                let quietly: Vec<_> = QUIETLY
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let quietly: Vec<_> = quietly.iter().map(String::as_str).collect();
                let args = [
                    &["--non-interactive", "env"],
                    &quietly[..],
                    &["apt-get"],
                    args,
                ]
                .concat();
                Program::new("sudo", &args).run()
            }
            Self::None => bail!(
                "only root can install what is missing: run `apt-get {}` as root, then this \
                 command again",
                args.join(" ")
            ),
        }
    }
}

/// apt asks nothing, and the `systemctl start` of a package's script does not speak to systemd (its
/// docs/ENVIRONMENT.md). Kamailio's script for other init systems starts nothing before it is told
/// to in /etc/default.
const QUIETLY: [(&str, &str); 2] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("SYSTEMD_OFFLINE", "1"),
];
