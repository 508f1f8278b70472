//! Parser, transactions and decisions: what the benches of the core print and keep.

use std::fs;

use anyhow::Context as _;
use serde_json::Value;

use super::{
    outcome::{Found, Outcome, Row},
    series::Series,
    target,
};
use crate::program::Program;

/// The group of criterion's that reads, routes and prints one INVITE.
const WHOLE: &str = "parse, read, add a Via, print";

/// What one INVITE may take, in microseconds, and how many times faster than rsip it has to be.
const PARSE_MOST: f64 = 1.3;
const FASTER_THAN_RSIP: f64 = 8.0;

/// Nanoseconds that each step of a transaction may take, and how much more with a thousand times as many.
const STEP_MOST: f64 = 500.0;
const GROWTH_MOST: f64 = 2.0;

/// Microseconds that one decision in a hundred may take, and how many calls wait meanwhile.
const DECISION_MOST: f64 = 5.0;
const WAITING: &str = "100000";

/// The decisions in the order of the columns.
const DECISIONS: [&str; 3] = [
    "a call arrives",
    "an agent is free",
    "an overflow step falls due",
];

pub(super) fn measure() -> anyhow::Result<Found> {
    let mut found = Found::default();
    for (row, part) in [
        (Row::Parse, parse as fn(&mut Found) -> anyhow::Result<()>),
        (Row::Transaction, transactions),
        (Row::Decision, decisions),
    ] {
        if let Err(error) = part(&mut found) {
            found.outcomes.push(Outcome::missing(row, "all", &error));
        }
    }
    Ok(found)
}

fn parse(found: &mut Found) -> anyhow::Result<()> {
    let output = bench("sip", &[WHOLE])?;
    let [ours, rsips] = [criterion("sip")?, criterion("rsip 0.4")?];
    let allocations = allocations(&output).context("the bench says nothing about allocations")?;
    found.series.extend([
        Series::new("read, route and print an INVITE", "ns", vec![ours]),
        Series::new("the same by rsip 0.4", "ns", vec![rsips]),
    ]);
    found.outcomes.extend([
        Outcome::at_most(Row::Parse, "time", ours / 1e3, (PARSE_MOST, "µs")),
        Outcome::at_most(Row::Parse, "allocations", allocations, (0.0, "")),
        Outcome::at_least(
            Row::Parse,
            "faster than rsip",
            rsips / ours,
            (FASTER_THAN_RSIP, "×"),
        ),
    ]);
    Ok(())
}

fn transactions(found: &mut Found) -> anyhow::Result<()> {
    let output = bench("transactions", &[])?;
    let steps = steps(&output);
    anyhow::ensure!(!steps.is_empty(), "the bench says nothing about steps");
    for (step, few, many) in steps {
        let slowest = few.max(many);
        let outcomes = [
            Outcome::at_most(
                Row::Transaction,
                format!("{step}, 10³ or 10⁶ live"),
                slowest,
                (STEP_MOST, "ns"),
            ),
            Outcome::at_most(
                Row::Transaction,
                format!("{step}, growth"),
                many / few,
                (GROWTH_MOST, "×"),
            ),
        ];
        found.outcomes.extend(outcomes);
        found
            .series
            .push(Series::new(format!("{step}, 10³ live"), "ns", vec![few]));
        found
            .series
            .push(Series::new(format!("{step}, 10⁶ live"), "ns", vec![many]));
    }
    Ok(())
}

fn decisions(found: &mut Found) -> anyhow::Result<()> {
    let output = bench("acd", &[])?;
    let quantiles = quantiles(&output).context("the bench says nothing about 100,000 who wait")?;
    for (decision, (p50, p99)) in DECISIONS.iter().zip(quantiles) {
        let outcome = Outcome::at_most(
            Row::Decision,
            format!("{decision}, p99"),
            p99,
            (DECISION_MOST, "µs"),
        );
        found.outcomes.push(outcome);
        found
            .series
            .push(Series::new(format!("{decision}, p50"), "µs", vec![p50]));
        found
            .series
            .push(Series::new(format!("{decision}, p99"), "µs", vec![p99]));
    }
    Ok(())
}

/// Runs one bench; what it prints.
fn bench(name: &str, more: &[&str]) -> anyhow::Result<String> {
    let args = [
        "bench",
        "--package",
        "quinze-benches",
        "--bench",
        name,
        "--",
    ];
    Program::cargo(&[&args[..], more].concat()).output()
}

/// Nanoseconds that criterion has kept of the last run, the median.
fn criterion(id: &str) -> anyhow::Result<f64> {
    let path = target()?
        .join("criterion")
        .join(WHOLE)
        .join(id)
        .join("new/estimates.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let kept: Value = serde_json::from_str(&text)?;
    let median = kept
        .pointer("/median/point_estimate")
        .and_then(Value::as_f64);
    median.with_context(|| format!("{}: no median", path.display()))
}

/// How many allocations our own parser made for one message.
fn allocations(output: &str) -> Option<f64> {
    let prefix = format!("{WHOLE}: sip makes ");
    let line = output.lines().find_map(|line| line.strip_prefix(&prefix))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Lines like `Client: Create   310   420   1.35`: the step, nanoseconds with few alive and with many.
fn steps(output: &str) -> Vec<(String, f64, f64)> {
    let step = |line: &str| {
        let mut columns = line.split_whitespace().rev();
        let numbers: Vec<f64> = columns
            .by_ref()
            .take(3)
            .map_while(|one| one.parse().ok())
            .collect();
        let [_growth, many, few] = numbers[..] else {
            return None;
        };
        let name: Vec<_> = columns.rev().collect();
        Some((name.join(" "), few, many)).filter(|(name, ..)| name.contains(':'))
    };
    output.lines().filter_map(step).collect()
}

/// The p50 and p99 of each decision while so many wait.
fn quantiles(output: &str) -> Option<Vec<(f64, f64)>> {
    let line = output
        .lines()
        .find(|line| line.split_whitespace().next() == Some(WAITING))?;
    let numbers: Option<Vec<f64>> = line
        .split_whitespace()
        .skip(1)
        .map(|one| one.parse().ok())
        .collect();
    let numbers = numbers.filter(|numbers| numbers.len() >= 2 * DECISIONS.len())?;
    Some(
        numbers
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_those_of_our_own_parser() {
        let output = "parse, read, add a Via, print: sip makes 0 allocations, 0 bytes\n\
                      parse, read, add a Via, print: rsip 0.4 makes 189 allocations, 16500 bytes\n";
        assert_eq!(allocations(output), Some(0.0));
        assert_eq!(allocations(""), None);
    }

    #[test]
    fn steps_are_read_from_their_lines() {
        let output = "nanoseconds                    1000 live    1000000 live     growth\n\
                      Client: Create                       310             420       1.35\n\
                      Server: Expire                        90             100       1.11\n";
        let expected = [
            ("Client: Create".to_owned(), 310.0, 420.0),
            ("Server: Expire".to_owned(), 90.0, 100.0),
        ];
        assert_eq!(steps(output), expected);
    }

    #[test]
    fn decisions_are_those_with_most_who_wait() {
        let output = "waiting    arrival p50    p99\n  10000  1 2 3 4 5 6 7 8\n \
                      100000           4.70   9.60              6.20  15.30        2.30   6.30     400.0     11.00\n";
        let quantiles = quantiles(output).unwrap();
        assert_eq!(quantiles[..3], [(4.7, 9.6), (6.2, 15.3), (2.3, 6.3)]);
        assert_eq!(super::quantiles("10000 1 2 3 4 5 6\n"), None);
    }
}
