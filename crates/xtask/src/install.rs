//! What the tests need from outside.

use std::fs;

use anyhow::{Context as _, bail};

use crate::program::Program;

/// SIPp, Debian's `sip-tester`: installed by apt when it is missing.
pub(crate) fn sipp() -> anyhow::Result<()> {
    if sipp_runs() {
        return Ok(());
    }
    if !Program::new("apt-get", &["--version"]).exists() {
        bail!("SIPp is missing and there is no apt-get here: install SIPp 3.6 or later as `sipp`");
    }
    package("sip-tester")?;
    if sipp_runs() {
        Ok(())
    } else {
        bail!("sip-tester is installed, but `sipp` does not run")
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
    package("g++")
}

/// Installs a package of Debian.
fn package(name: &str) -> anyhow::Result<()> {
    let rights = Rights::here()?;
    let install = ["install", "--yes", "--no-install-recommends", name];
    // The package lists of a new machine may be missing or old: then they are fetched first.
    if rights.apt_get(&install).is_err() {
        rights.apt_get(&["update"])?;
        rights.apt_get(&install)?;
    }
    Ok(())
}

/// `sipp -v` prints its version and ends with 99.
fn sipp_runs() -> bool {
    Program::new("sipp", &["-v"]).exists()
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

    fn apt_get(self, args: &[&str]) -> anyhow::Result<()> {
        match self {
            Self::Root => Program::new("apt-get", args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run(),
            Self::Sudo => {
                let args = [&["--non-interactive", "apt-get"], args].concat();
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
