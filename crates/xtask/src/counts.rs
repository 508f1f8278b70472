//! `cargo xtask counts`: how many instructions the product's own code takes for fixed pieces of work, held
//! against `benches/counts.toml`.
//!
//! Time depends on the machine and on who else uses it; a count of instructions does not. valgrind's callgrind
//! counts what runs inside of one function of `benches/counts.rs`, so set-up is left out. What the C library
//! does is left out, too: its `memcpy` is another on each kind of CPU, its `malloc` on each version. Instead
//! the calls of the allocator are counted, in a run of their own.

mod baseline;
mod profile;

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};

use self::baseline::{Baseline, Toolchain};
use crate::{install, program::Program};

/// By so much a count may be worse than the baseline; one that is better by more is worth a new one.
const TOLERANCE: f64 = 0.03;

/// The function of `benches/counts.rs` inside of which is counted.
const COUNTED: &str = "*counted_by_callgrind*";

/// What one time of some work costs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    /// Instructions outside of the C library.
    instructions: f64,
    /// Calls of the allocator: a reallocation is one, too.
    allocations: f64,
}

/// Some work, what it costs, and where callgrind has written how.
#[derive(Debug)]
struct Counted {
    name: String,
    cost: Cost,
    profile: PathBuf,
}

/// How a cost compares with what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Better,
    Worse,
}

/// Counts, and compares with the baseline or writes it anew.
pub(crate) fn run(accept: bool) -> anyhow::Result<()> {
    install::valgrind()?;
    // As the product is built: what is counted is what runs, and most of it has been built already.
    Program::cargo(&[
        "build",
        "--release",
        "--package",
        "quinze-benches",
        "--bin",
        "counts",
    ])
    .run()?;
    let counted = count_all()?;
    let toolchain = Toolchain::here()?;
    if accept {
        return Baseline::of(toolchain, &counted).write();
    }
    compare(&Baseline::read()?, &toolchain, &counted)
}

fn count_all() -> anyhow::Result<Vec<Counted>> {
    let binary = target().join("release/counts");
    let binary = binary
        .to_str()
        .context("the target directory is no UTF-8")?;
    let folder = target().join("counts");
    fs::create_dir_all(&folder)?;
    let list = Program::new(binary, &[]).output()?;
    list.lines()
        .map(|line| {
            let (name, times) = line.split_once(' ').context("a name and a number")?;
            let profile = folder.join(format!("{name}.callgrind"));
            let times: f64 = times.parse()?;
            let instructions = instructions(binary, name, &profile)? as f64 / times;
            let allocations = Program::new(binary, &[name, "allocations"]).output()?;
            let allocations = allocations.trim().parse::<f64>()? / times;
            // As in the file.
            let cost = Cost {
                instructions: instructions.round(),
                allocations: (100.0 * allocations).round() / 100.0,
            };
            Ok(Counted {
                name: name.to_owned(),
                cost,
                profile,
            })
        })
        .collect()
}

/// Has callgrind look at one piece of work.
fn instructions(binary: &str, name: &str, file: &Path) -> anyhow::Result<u64> {
    let out = format!("--callgrind-out-file={}", file.display());
    let toggle = format!("--toggle-collect={COUNTED}");
    let plain = "--compress-strings=no";
    let args = [
        "--tool=callgrind",
        "--quiet",
        plain,
        &out,
        &toggle,
        binary,
        name,
    ];
    Program::new("valgrind", &args).run()?;
    let written = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let instructions = profile::instructions(&written)?;
    ensure!(instructions > 0, "{name}: nothing was counted in {COUNTED}");
    Ok(instructions)
}

#[expect(clippy::print_stdout, reason = "the counts are this command's output")]
fn compare(baseline: &Baseline, toolchain: &Toolchain, counted: &[Counted]) -> anyhow::Result<()> {
    println!("\nfor one time:                       instructions                  allocations");
    let mut verdicts = Vec::new();
    for one in counted {
        let before = baseline.cost(&one.name);
        println!("{}", line(one, before));
        verdicts.push((one, before.map(|before| Verdict::of(one.cost, before))));
    }
    if baseline.toolchain.architecture != toolchain.architecture {
        println!(
            "The baseline is of {}: nothing here is compared.",
            baseline.toolchain.architecture
        );
        return Ok(());
    }
    if baseline.toolchain != *toolchain {
        println!(
            "The baseline is of rustc {}, this is {}.",
            baseline.toolchain.rustc, toolchain.rustc
        );
    }
    if verdicts
        .iter()
        .any(|&(_, one)| one == Some(Verdict::Better))
    {
        println!("Better: `cargo xtask counts --accept` keeps it so.");
    }
    let is_as_listed = baseline
        .names()
        .eq(counted.iter().map(|one| one.name.as_str()));
    ensure!(
        is_as_listed,
        "{} is of other work: `cargo xtask counts --accept` writes it anew",
        baseline::FILE
    );
    let mut worse = Vec::new();
    for (one, verdict) in verdicts {
        if verdict == Some(Verdict::Worse) {
            println!(
                "Where {} spends it: callgrind_annotate --inclusive=yes {}",
                one.name,
                one.profile.display()
            );
            worse.push(one.name.as_str());
        }
    }
    if !worse.is_empty() {
        bail!(
            "more than {:.0} % worse than {}: {} (if it is worth it: cargo xtask counts --accept)",
            100.0 * TOLERANCE,
            baseline::FILE,
            worse.join(", ")
        );
    }
    Ok(())
}

fn line(one: &Counted, before: Option<Cost>) -> String {
    let Cost {
        instructions,
        allocations,
    } = one.cost;
    let change = |now: f64, before: Option<f64>| match before {
        Some(before) if before > 0.0 => format!("{:+.1} %", 100.0 * (now / before - 1.0)),
        Some(before) if before < now => "more".to_owned(),
        Some(_) => "+0.0 %".to_owned(),
        None => "new".to_owned(),
    };
    format!(
        "{:<32} {instructions:>15.0} {:>9} {allocations:>18.2} {:>9}",
        one.name,
        change(instructions, before.map(|before| before.instructions)),
        change(allocations, before.map(|before| before.allocations)),
    )
}

fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    // Short and whole, for whoever copies a path from our output.
    let target = path::absolute(&target).unwrap_or(target);
    target.canonicalize().unwrap_or(target)
}

impl Verdict {
    fn of(now: Cost, before: Cost) -> Self {
        let pairs = [
            (now.instructions, before.instructions),
            (now.allocations, before.allocations),
        ];
        let is_any = |is_it: fn(f64, f64) -> bool| pairs.iter().any(|&(a, b)| is_it(a, b));
        if is_any(|now, before| now > before * (1.0 + TOLERANCE)) {
            Self::Worse
        } else if is_any(|now, before| now < before * (1.0 - TOLERANCE)) {
            Self::Better
        } else {
            Self::Same
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_hundredths_are_the_same() {
        let cost = |instructions, allocations| Cost {
            instructions,
            allocations,
        };
        let before = cost(1000.0, 100.0);
        for (now, verdict) in [
            (cost(1030.0, 97.0), Verdict::Same),
            (cost(1031.0, 100.0), Verdict::Worse),
            (cost(1000.0, 103.5), Verdict::Worse),
            (cost(900.0, 103.5), Verdict::Worse),
            (cost(969.0, 100.0), Verdict::Better),
            (cost(1000.0, 96.0), Verdict::Better),
        ] {
            assert_eq!(Verdict::of(now, before), verdict, "{now:?}");
        }
        let nothing = cost(1000.0, 0.0);
        assert_eq!(Verdict::of(cost(1000.0, 0.01), nothing), Verdict::Worse);
        assert_eq!(Verdict::of(nothing, nothing), Verdict::Same);
    }
}
