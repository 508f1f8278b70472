//! The table as it is printed, and `benches/RESULTS.md`.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use anyhow::Context as _;

use super::{
    machine::Machine,
    outcome::{Done, Kept, Row},
    plot, root,
    series::figure,
};

/// What is known about rows that are not reached, by their keys: written by people.
type Notes = BTreeMap<String, String>;

/// All rows, a line for each figure.
pub(super) fn table(kept: &Kept) -> String {
    let mut text = String::from("| work | | figure | target | |\n|---|---|---|---|---|\n");
    for row in Row::ALL {
        let verdict = kept.verdict(row);
        let outcomes = kept.outcomes(row);
        if outcomes.is_empty() {
            let _never_fails = writeln!(text, "| {} | | | | {verdict} |", row.work());
        }
        for (index, outcome) in outcomes.iter().enumerate() {
            let work = if index == 0 { row.work() } else { "" };
            let missed = if outcome.reached {
                "reached"
            } else {
                "**not reached**"
            };
            let _never_fails = writeln!(
                text,
                "| {work} | {} | {} | {} | {missed} |",
                cell(&outcome.what),
                cell(&outcome.figure),
                cell(&outcome.target)
            );
        }
    }
    text
}

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "/").replace('\n', " ")
}

/// Writes the page and the plot.
pub(super) fn write(kept: &Kept, machine: &Machine) -> anyhow::Result<()> {
    let benches = root()?.join("benches");
    let notes = fs::read_to_string(benches.join("notes.toml")).context("benches/notes.toml")?;
    let notes = read_notes(&notes)?;
    fs::write(benches.join("RESULTS.md"), page(kept, machine, &notes))?;
    let points: Vec<_> = kept.points().cloned().collect();
    if !points.is_empty() {
        fs::write(benches.join("results.svg"), plot::curves(&points)?)?;
    }
    Ok(())
}

/// A note that belongs to no row would be read by nobody.
fn read_notes(text: &str) -> anyhow::Result<Notes> {
    let notes: Notes = toml::from_str(text)?;
    let is_row = |key: &&String| Row::ALL.iter().any(|row| row.key() == key.as_str());
    match notes.keys().find(|key| !is_row(key)) {
        None => Ok(notes),
        Some(key) => anyhow::bail!("benches/notes.toml: there is no row `{key}`"),
    }
}

fn page(kept: &Kept, machine: &Machine, notes: &Notes) -> String {
    let Machine {
        processor,
        cores,
        kernel,
        rustc,
        sipp,
        kamailio,
        ..
    } = machine;
    let mut text = format!(
        "# What was measured\n\nWritten by `cargo xtask bench load`; what is said about rows that are not \
         reached comes from `notes.toml`.\n\n\
         - machine: {processor}, {cores} cores; Linux {kernel}\n\
         - {rustc}, the node as `cargo xtask release` builds it; SIPp {sipp}; Kamailio {kamailio} with `-x fm -X fm -b 4194304`, four workers\n\
         - server on core 0, SIPp and all that makes load on core 1; CPU is the processes' own clock, the \
         one that `/proc` shows, from the beginning of a run to that of the next, by completed call\n\
         - medians; ranges below. Ratios count, not absolute times.\n\n{}",
        table(kept)
    );
    if kept.points().next().is_some() {
        text += "\n![CPU per call and p99 over calls a second](results.svg)\n";
    }
    text += "\n## What holds back what is not reached\n\n";
    for row in Row::ALL
        .into_iter()
        .filter(|row| kept.verdict(*row) != "reached")
    {
        let note = notes
            .get(row.key())
            .map_or("nothing is known yet.", |note| note.trim());
        let _never_fails = writeln!(text, "- **{}** ({}): {note}", row.work(), kept.verdict(row));
    }
    for done in &kept.done {
        text += &section(done);
    }
    text
}

/// All figures of one measurement.
fn section(done: &Done) -> String {
    let Done {
        measurement,
        command,
        commit,
        day,
        found,
    } = done;
    let mut text = format!(
        "\n## {measurement:?}\n\n`{command}`, commit {commit}, {day}.\n\n\
         | what | median | least | most | runs |\n|---|---|---|---|---|\n"
    );
    for series in &found.series {
        let unit = &series.unit;
        let at = |of: fn(f64, f64) -> f64| figure(series.values.iter().copied().fold(f64::NAN, of));
        let _never_fails = writeln!(
            text,
            "| {} | {} {unit} | {} | {} | {} |",
            cell(&series.what),
            figure(series.median()),
            at(f64::min),
            at(f64::max),
            series.values.len()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::bench::{
        outcome::{Found, Measurement, Outcome},
        series::Series,
    };

    fn kept() -> Kept {
        let found = Found {
            outcomes: vec![
                Outcome::at_most(Row::Idle, "share of a core", 0.5, (1.0, "%")),
                Outcome::missing(Row::Idle, "all", &anyhow::anyhow!("a | b")),
            ],
            series: vec![Series::new("idle", "%", vec![0.4, 0.5, 0.6])],
            points: Vec::new(),
        };
        let done = Done {
            measurement: Measurement::Idle,
            command: "cargo xtask bench load".to_owned(),
            commit: "abc".to_owned(),
            day: "2026-11-26".to_owned(),
            found,
        };
        let mut kept = Kept::load(PathBuf::from("/nowhere/figures.json")).unwrap();
        kept.done.push(done);
        kept
    }

    #[test]
    fn the_table_says_of_each_row_whether_it_is_reached() {
        let table = table(&kept());
        assert_eq!(table.lines().count(), 2 + Row::ALL.len() + 1);
        assert!(
            table.contains("| share of a core | 0.500 % | ≤ 1.00 % | reached |"),
            "{table}"
        );
        let missing = "| all | not measured: a / b |  | **not reached** |";
        assert!(table.contains(missing), "{table}");
        assert!(table.contains("| | | | not measured |"), "{table}");
    }

    #[test]
    fn ranges_are_those_of_the_runs() {
        let text = section(&kept().done[0]);
        assert!(
            text.contains("| idle | 0.500 % | 0.400 | 0.600 | 3 |"),
            "{text}"
        );
    }

    #[test]
    fn the_committed_notes_belong_to_rows() {
        let notes = include_str!("../../../../benches/notes.toml");
        read_notes(notes).unwrap();
        assert!(read_notes("proxi = \"typo\"").is_err());
    }
}
