//! Coverage-guided fuzzing on the toolchain of the product: libFuzzer by cargo-fuzz, without a
//! sanitizer, since there is no unsafe code of ours for one to look at.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, ensure};

use crate::{install, program::Program};

/// One target of `fuzz/`.
#[derive(Clone, Copy, Debug)]
struct Target {
    name: &'static str,
    /// Where its seeds are, besides `fuzz/seeds/NAME`.
    seeds: &'static [&'static str],
    /// The longest input.
    len_max: u32,
    /// How many inputs are tried as a part of all tests: about ten seconds.
    runs: u32,
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// The same inputs each time, from the seeds on: a part of all tests must not fail by chance.
    Briefly,
    /// Others each time, and what was found before is kept: for so many seconds.
    Seconds(u32),
}

const TORTURE: &[&str] = &[
    "crates/sip/tests/torture/rfc4475",
    "crates/sip/tests/torture/rfc5118",
];

const TARGETS: [Target; 5] = [
    Target {
        name: "parse",
        seeds: TORTURE,
        len_max: 8192,
        runs: 300_000,
    },
    Target {
        name: "framing",
        seeds: TORTURE,
        len_max: 8192,
        runs: 300_000,
    },
    Target {
        name: "uri",
        seeds: &[],
        len_max: 512,
        runs: 500_000,
    },
    Target {
        name: "headers",
        seeds: &[],
        len_max: 2048,
        runs: 150_000,
    },
    Target {
        name: "engine",
        seeds: &[],
        len_max: 2048,
        runs: 2_500,
    },
];

/// Longer than any input of ours may take, on a slow machine: one that does hangs.
const INPUT_SECONDS_MAX: u32 = 30;

/// Runs every target. What it finds lies in `target/fuzz/corpus`, what breaks a target in
/// `fuzz/artifacts`.
pub(crate) fn run(effort: Effort) -> anyhow::Result<()> {
    install::cargo_fuzz()?;
    install::cpp()?;
    let mut broken = Vec::new();
    for target in TARGETS {
        if let Err(error) = target.run(effort) {
            broken.push(format!("{}: {error:#}", target.name));
        }
    }
    // Every failure is wanted, not the first one only.
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}

impl Target {
    fn run(self, effort: Effort) -> anyhow::Result<()> {
        let folder = build_folder();
        let corpus = match effort {
            Effort::Seconds(_) => folder.join("corpus").join(self.name),
            Effort::Briefly => {
                let corpus = folder.join("brief").join(self.name);
                if corpus.exists() {
                    fs::remove_dir_all(&corpus)?;
                }
                corpus
            }
        };
        fs::create_dir_all(&corpus).with_context(|| format!("{}", corpus.display()))?;
        let (folder, corpus) = (utf8(&folder)?, utf8(&corpus)?);
        let seeds = format!("fuzz/seeds/{}", self.name);
        let (amount, timeout, len) = (
            match effort {
                Effort::Briefly => format!("-runs={}", self.runs),
                Effort::Seconds(seconds) => format!("-max_total_time={seconds}"),
            },
            format!("-timeout={INPUT_SECONDS_MAX}"),
            format!("-max_len={}", self.len_max),
        );
        let mut args = vec!["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none"];
        args.extend(["--target-dir", &folder, self.name, &corpus, &seeds]);
        args.extend(self.seeds);
        args.extend(["--", &amount, &timeout, &len]);
        if effort == Effort::Briefly {
            args.push("-seed=1");
        }
        args.extend(["-verbosity=0", "-print_final_stats=1", "-print_funcs=0"]);
        Program::cargo(&args).run()
    }
}

/// Apart from the product's: all is built with instrumentation.
fn build_folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("fuzz")
}

fn utf8(path: &std::path::Path) -> anyhow::Result<String> {
    let path = path.to_str().context("the target directory is no UTF-8")?;
    Ok(path.to_owned())
}
