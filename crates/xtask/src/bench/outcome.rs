//! The rows of the table, and what came of them.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::series::{Series, figure};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Row {
    Proxy,
    Most,
    Queue,
    Floor,
    Parse,
    Transaction,
    Decision,
    Latency,
    Waiting,
    ProxyMemory,
    Idle,
    Scrape,
}

impl Row {
    pub(super) const ALL: [Self; 12] = [
        Self::Proxy,
        Self::Most,
        Self::Queue,
        Self::Floor,
        Self::Parse,
        Self::Transaction,
        Self::Decision,
        Self::Latency,
        Self::Waiting,
        Self::ProxyMemory,
        Self::Idle,
        Self::Scrape,
    ];

    /// Its name in `benches/notes.toml`.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Most => "most",
            Self::Queue => "queue",
            Self::Floor => "floor",
            Self::Parse => "parse",
            Self::Transaction => "transaction",
            Self::Decision => "decision",
            Self::Latency => "latency",
            Self::Waiting => "waiting",
            Self::ProxyMemory => "proxy-memory",
            Self::Idle => "idle",
            Self::Scrape => "scrape",
        }
    }

    /// The work, as the table has it.
    pub(super) const fn work(self) -> &'static str {
        match self {
            Self::Proxy => "stateful proxy with Record-Route, UDP: CPU per call",
            Self::Most => "the same, 5,000 calls/s, 30,000 calls",
            Self::Queue => "a queued call given to an agent, both legs: CPU per call",
            Self::Floor => "the same two against the floor",
            Self::Parse => "parse, read the routing fields, add a Via, print",
            Self::Transaction => "transaction: create, match, retransmit, expire",
            Self::Decision => "decision of `acd`, 10,000 agents, 100,000 waiting",
            Self::Latency => "caller's INVITE in to agent's INVITE out, 1,000 calls/s",
            Self::Waiting => "memory per waiting call, all layers",
            Self::ProxyMemory => "memory under proxy load, 2,000 calls/s",
            Self::Idle => "idle node, 10,000 phones refreshing each 10 minutes",
            Self::Scrape => "`/metrics` each second, 1,000 distributed calls/s",
        }
    }
}

/// One figure of a row against its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) row: Row,
    /// Which figure of the row.
    pub(super) what: String,
    pub(super) figure: String,
    pub(super) target: String,
    pub(super) reached: bool,
}

impl Outcome {
    /// A figure that may be so large at most. What could not be measured is not reached: NaN is at most nothing.
    pub(super) fn at_most(
        row: Row,
        what: impl Into<String>,
        value: f64,
        limit: (f64, &str),
    ) -> Self {
        Self::compared(row, what.into(), value, ("≤", limit), value <= limit.0)
    }

    /// The same of a figure that may be missing.
    pub(super) fn at_most_if_measured(
        row: Row,
        what: impl Into<String>,
        value: Result<f64, &anyhow::Error>,
        limit: (f64, &str),
    ) -> Self {
        match value {
            Ok(value) => Self::at_most(row, what, value, limit),
            Err(why) => Self::missing(row, what, why),
        }
    }

    /// A figure that has to be so large at least.
    pub(super) fn at_least(
        row: Row,
        what: impl Into<String>,
        value: f64,
        limit: (f64, &str),
    ) -> Self {
        Self::compared(row, what.into(), value, ("≥", limit), value >= limit.0)
    }

    fn compared(
        row: Row,
        what: String,
        value: f64,
        (sign, (limit, unit)): (&str, (f64, &str)),
        reached: bool,
    ) -> Self {
        let written = |number| format!("{} {unit}", figure(number)).trim_end().to_owned();
        Self {
            row,
            what,
            figure: written(value),
            target: format!("{sign} {}", written(limit)),
            reached,
        }
    }

    /// How many calls failed, of how many: none may.
    pub(super) fn none_failed(row: Row, what: impl Into<String>, failed: u32, of: u32) -> Self {
        Self {
            row,
            what: what.into(),
            figure: format!("{failed} of {of}"),
            target: "0".to_owned(),
            reached: failed == 0,
        }
    }

    /// A figure that could not be measured, and why.
    pub(super) fn missing(row: Row, what: impl Into<String>, why: &anyhow::Error) -> Self {
        Self {
            row,
            what: what.into(),
            figure: format!("not measured: {why:#}"),
            target: String::new(),
            reached: false,
        }
    }

    /// Whether it could not be measured.
    pub(super) const fn is_missing(&self) -> bool {
        self.target.is_empty()
    }
}

/// A point of the curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) system: String,
    pub(super) curve: Curve,
    /// Calls a second.
    pub(super) rate: u32,
    /// Microseconds.
    pub(super) value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Curve {
    Processor,
    /// From INVITE in to INVITE out.
    P99,
}

/// What one measurement found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) outcomes: Vec<Outcome>,
    /// What the outcomes were made from.
    pub(super) series: Vec<Series>,
    pub(super) points: Vec<Point>,
}

/// What is measured together, since it has to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Measurement {
    /// The proxy beside Kamailio and the floor.
    Proxy,
    /// The proxy's curves over the rate.
    Curves,
    /// Memory under proxy load.
    ProxyMemory,
    /// Queued calls, with the journal and without, beside the floor.
    Queue,
    /// From INVITE to INVITE, by a tap.
    Latency,
    /// The same while metrics are read.
    Scrape,
    /// Memory of those who wait.
    Waiting,
    /// Phones that refresh.
    Idle,
    /// Parser, transactions, decisions: by criterion.
    Core,
}

impl Measurement {
    pub(super) const ALL: [Self; 9] = [
        Self::Proxy,
        Self::Curves,
        Self::ProxyMemory,
        Self::Queue,
        Self::Latency,
        Self::Scrape,
        Self::Waiting,
        Self::Idle,
        Self::Core,
    ];

    /// The rows that want it.
    pub(super) const fn rows(self) -> &'static [Row] {
        match self {
            Self::Proxy => &[Row::Proxy, Row::Most, Row::Floor],
            Self::Curves => &[],
            Self::ProxyMemory => &[Row::ProxyMemory],
            Self::Queue => &[Row::Queue, Row::Floor],
            Self::Latency => &[Row::Latency],
            Self::Scrape => &[Row::Scrape],
            Self::Waiting => &[Row::Waiting],
            Self::Idle => &[Row::Idle],
            Self::Core => &[Row::Parse, Row::Transaction, Row::Decision],
        }
    }
}

/// A measurement that is done, and of what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) measurement: Measurement,
    /// The command that did it.
    pub(super) command: String,
    pub(super) commit: String,
    pub(super) day: String,
    pub(super) found: Found,
}

/// The measurements so far, kept between commands so that one alone can be done again.
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
    pub(super) done: Vec<Done>,
}

impl Kept {
    /// What earlier commands have measured.
    pub(super) fn load(file: PathBuf) -> anyhow::Result<Self> {
        let done = if file.exists() {
            let text = fs::read_to_string(&file)?;
            serde_json::from_str(&text).with_context(|| file.display().to_string())?
        } else {
            Vec::new()
        };
        Ok(Self { file, done })
    }

    pub(super) fn forget_all(&mut self) {
        self.done.clear();
    }

    /// Keeps a measurement in place of an earlier one of the same.
    pub(super) fn keep(&mut self, done: Done) -> anyhow::Result<()> {
        self.done.retain(|one| one.measurement != done.measurement);
        self.done.push(done);
        self.done.sort_by_key(|one| one.measurement);
        Ok(fs::write(
            &self.file,
            serde_json::to_string_pretty(&self.done)?,
        )?)
    }

    /// The outcomes of a row, from all measurements.
    pub(super) fn outcomes(&self, row: Row) -> Vec<&Outcome> {
        let all = self.done.iter().flat_map(|done| &done.found.outcomes);
        all.filter(|outcome| outcome.row == row).collect()
    }

    pub(super) fn points(&self) -> impl Iterator<Item = &Point> {
        self.done.iter().flat_map(|done| &done.found.points)
    }

    /// What a row has come to: reached when it was measured as a whole, and each figure is.
    pub(super) fn verdict(&self, row: Row) -> &'static str {
        let wants = |one: &Measurement| one.rows().contains(&row);
        let is_done = |one: &Measurement| self.done.iter().any(|done| done.measurement == *one);
        let outcomes = self.outcomes(row);
        if !Measurement::ALL
            .iter()
            .filter(|one| wants(one))
            .all(is_done)
            || outcomes.is_empty()
        {
            "not measured"
        } else if outcomes.iter().all(|outcome| outcome.reached) {
            "reached"
        } else {
            "not reached"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(measurement: Measurement, outcomes: Vec<Outcome>) -> Done {
        Done {
            measurement,
            command: String::new(),
            commit: String::new(),
            day: String::new(),
            found: Found {
                outcomes,
                ..Found::default()
            },
        }
    }

    fn floor(value: f64) -> Outcome {
        Outcome::at_most(Row::Floor, "proxied", value, (2.0, "×"))
    }

    #[test]
    fn a_row_is_reached_when_all_its_figures_are() {
        let mut kept = Kept {
            file: PathBuf::new(),
            done: Vec::new(),
        };
        assert_eq!(kept.verdict(Row::Floor), "not measured");
        kept.done.push(done(Measurement::Proxy, vec![floor(1.9)]));
        // The other half is still to come.
        assert_eq!(kept.verdict(Row::Floor), "not measured");
        kept.done.push(done(Measurement::Queue, vec![floor(2.0)]));
        assert_eq!(kept.verdict(Row::Floor), "reached");
        kept.done[1].found.outcomes.push(floor(2.1));
        assert_eq!(kept.verdict(Row::Floor), "not reached");
    }

    #[test]
    fn what_is_no_number_is_not_reached() {
        assert!(!floor(f64::NAN).reached);
        assert!(!Outcome::at_least(Row::Parse, "", f64::NAN, (8.0, "×")).reached);
        let missing = Outcome::missing(Row::Parse, "all", &anyhow::anyhow!("no bench"));
        assert!(missing.is_missing() && !missing.reached);
        assert!(!floor(f64::NAN).is_missing());
        assert!(!Outcome::none_failed(Row::Most, "", 1, 30_000).reached);
    }

    #[test]
    fn a_figure_is_shown_beside_its_target() {
        let outcome = floor(1.25);
        assert_eq!(
            (outcome.figure.as_str(), outcome.target.as_str()),
            ("1.25 ×", "≤ 2.00 ×")
        );
    }

    #[test]
    fn every_row_is_wanted_by_a_measurement_and_no_two_share_a_key() {
        for row in Row::ALL {
            assert!(
                Measurement::ALL.iter().any(|one| one.rows().contains(&row)),
                "{row:?}"
            );
            assert_eq!(
                Row::ALL
                    .iter()
                    .filter(|other| other.key() == row.key())
                    .count(),
                1
            );
        }
    }
}
