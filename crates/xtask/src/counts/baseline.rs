//! `benches/counts.toml`: what everything cost when it was last accepted.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, ensure};

use super::{Cost, Counted};
use crate::program::Program;

/// Where it is.
pub(super) const FILE: &str = "benches/counts.toml";

const HEAD: &str = "# What work costs, for one time of it: instructions outside of the C library, and calls of its allocator.\n\
    # `cargo xtask counts` compares with this, `cargo xtask counts --accept` writes it.\n";

/// What decides which instructions the same source becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    pub(super) rustc: String,
    pub(super) architecture: String,
}

/// What everything cost, in the order of the work.
#[derive(Debug)]
pub(super) struct Baseline {
    pub(super) toolchain: Toolchain,
    costs: Vec<(String, Cost)>,
}

impl Toolchain {
    /// The one that has built us.
    pub(super) fn here() -> anyhow::Result<Self> {
        // `rustc 1.95.0 (59807616e 2026-04-14)`
        let said = Program::new("rustc", &["--version"]).output()?;
        let version = said.split_whitespace().nth(1);
        Ok(Self {
            rustc: version
                .context("rustc does not say its version")?
                .to_owned(),
            architecture: env::consts::ARCH.to_owned(),
        })
    }
}

impl Baseline {
    pub(super) fn of(toolchain: Toolchain, counted: &[Counted]) -> Self {
        let costs = counted.iter().map(|one| (one.name.clone(), one.cost));
        Self {
            toolchain,
            costs: costs.collect(),
        }
    }

    pub(super) fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(path()).with_context(|| FILE.to_owned())?;
        Self::parse(&text).with_context(|| FILE.to_owned())
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        fs::write(path(), self.text()).with_context(|| FILE.to_owned())
    }

    pub(super) fn cost(&self, name: &str) -> Option<Cost> {
        let found = self.costs.iter().find(|(one, _)| one == name);
        found.map(|&(_, cost)| cost)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.costs.iter().map(|(name, _)| name.as_str())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text.parse()?;
        let word = |key: &str| {
            let value = table.get(key).and_then(toml::Value::as_str);
            value
                .map(str::to_owned)
                .with_context(|| format!("no `{key}`"))
        };
        let work = table.get("work").and_then(toml::Value::as_array);
        let costs = work.into_iter().flatten().map(cost);
        let costs: Vec<_> = costs.collect::<anyhow::Result<_>>()?;
        ensure!(!costs.is_empty(), "no `[[work]]`");
        Ok(Self {
            toolchain: Toolchain {
                rustc: word("rustc")?,
                architecture: word("architecture")?,
            },
            costs,
        })
    }

    fn text(&self) -> String {
        let Toolchain {
            rustc,
            architecture,
        } = &self.toolchain;
        let mut text = format!("{HEAD}rustc = \"{rustc}\"\narchitecture = \"{architecture}\"\n");
        for (name, cost) in &self.costs {
            let Cost {
                instructions,
                allocations,
            } = cost;
            write!(
                text,
                "\n[[work]]\nname = \"{name}\"\ninstructions = {instructions:.0}\n\
                 allocations = {allocations:.2}\n"
            )
            .expect("writing to memory does not fail");
        }
        text
    }
}

fn cost(work: &toml::Value) -> anyhow::Result<(String, Cost)> {
    let name = work.get("name").and_then(toml::Value::as_str);
    let name = name.context("work without a `name`")?;
    let number = |key: &str| {
        let value = work.get(key);
        let number = value.and_then(|value| {
            let whole = value.as_integer().map(|whole| whole as f64);
            whole.or_else(|| value.as_float())
        });
        number.with_context(|| format!("{name} has no `{key}`"))
    };
    let cost = Cost {
        instructions: number("instructions")?,
        allocations: number("allocations")?,
    };
    Ok((name.to_owned(), cost))
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let cost = Cost {
            instructions: 41_235.0,
            allocations: 61.5,
        };
        let written = Baseline {
            toolchain: Toolchain {
                rustc: "1.95.0".to_owned(),
                architecture: "x86_64".to_owned(),
            },
            costs: vec![("parse".to_owned(), cost)],
        };
        let read = Baseline::parse(&written.text()).unwrap();
        assert_eq!(read.toolchain, written.toolchain);
        assert_eq!(read.cost("parse"), Some(cost));
        assert_eq!(read.names().collect::<Vec<_>>(), ["parse"]);
        assert!(Baseline::parse("rustc = \"1\"\narchitecture = \"x\"\n").is_err());
    }
}
