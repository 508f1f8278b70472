//! `quinze sim`: its result, its page, its files, and what it says to a wrong one.

use std::{fs, process::Command};

use super::{folder, quinze, stderr};
use crate::support::binary;

fn three_sites() -> String {
    let path = binary::root().join("config/three-sites.toml");
    path.to_str().unwrap().to_owned()
}

fn stdout(args: &[&str]) -> String {
    let args: Vec<_> = ["sim", "--language", "en"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    let output = quinze(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The row of a table, as words.
fn row<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.split_whitespace().collect()
}

/// As `quinze sim ... | head` leaves it: the page is not lost for that.
#[test]
fn a_reader_that_has_gone_costs_no_report() {
    let out = folder("sim-reader-gone");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(binary::quinze().unwrap());
    command
        .args(["sim", "--config", &three_sites(), "--days", "1", "--report"])
        .arg(&out)
        .stdout(writer);
    let ended = command.output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(out.join("index.html").is_file());
}

#[test]
fn a_report_is_a_page_and_every_call() {
    let out = folder("sim-report");
    let args = [
        "--config",
        &three_sites(),
        "--days",
        "3",
        "--report",
        out.to_str().unwrap(),
    ];
    let said = stdout(&args);
    assert_eq!(said, stdout(&args), "the same seed, the same result");
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    for part in [
        "each centre alone",
        "with mutual aid",
        "FR680 Samu 68 Mulhouse",
        "<svg",
        "QS30 ≥ 95 %",
        "Help between sites",
        "3 days, seed 15",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("<script") && !page.contains(" src="),
        "it needs nothing else"
    );
    // The file of calls adds up to the table.
    let calls = fs::read_to_string(out.join("calls.csv")).unwrap();
    let offered = calls.lines().skip(1).count().to_string();
    assert_eq!(row(&said, "nation")[1], offered);
    let answered = calls
        .lines()
        .filter(|row| row.contains(",answered,"))
        .count() as f64;
    let rate = format!("{:.1}", 100.0 * answered / offered.parse::<f64>().unwrap());
    assert_eq!(row(&said, "nation")[2], rate);
    assert!(out.join("alone.csv").exists());
}

#[test]
fn recorded_calls_are_replayed() {
    let out = folder("sim-replay");
    let (config, report) = (three_sites(), out.to_str().unwrap().to_owned());
    let first = stdout(&["--config", &config, "--days", "2", "--report", &report]);
    let calls = out.join("calls.csv");
    let calls = calls.to_str().unwrap();
    let again = stdout(&["--config", &config, "--replay", calls]);
    assert!(again.contains("3 days, seed 15. Recorded calls"), "{again}");
    // The last ones came just before midnight, and end after it. All come again, but for those that had
    // not ended.
    let offered = |said: &str| row(said, "nation")[1].parse::<i64>().unwrap();
    assert!(
        (offered(&first) - offered(&again)).abs() <= 3,
        "{first}\n{again}"
    );
    let record = out.join("cdr.csv");
    fs::write(
        &record,
        "line,came,outcome,waited,talk,caller\n\
         FR670-15-Samu-Px-F01,2026-03-04 18:05:11,answered,3.2,61,a\n\
         FR680-15-Samu-Px-F01,2026-03-04T18:05:12.5,abandoned,20,,b\n\
         FR680-15-Samu-Px-F01,2026-03-06 00:00:00,,,,\n",
    )
    .unwrap();
    let said = stdout(&["--config", &config, "--replay", record.to_str().unwrap()]);
    assert!(said.contains("5 days"), "from Monday to Friday: {said}");
    assert_eq!(row(&said, "nation")[1], "3");
}

#[test]
fn two_configurations_are_compared_on_the_same_callers() {
    let out = folder("sim-compare");
    let without = out.join("without.toml");
    let text = fs::read_to_string(three_sites()).unwrap();
    fs::write(&without, text.replace("\noverflow = \"mutual-aid\"", "")).unwrap();
    let (with, without) = (three_sites(), without.to_str().unwrap().to_owned());
    let args = |a: &str, b: &str| {
        let args = ["--compare", a, b, "--days", "3", "--replications", "5"];
        stdout(&args)
    };
    let said = args(&without, &with);
    assert!(said.ends_with("\nQS30: B is better\n"), "{said}");
    assert!(!said.contains("callers differ"), "{said}");
    assert!(args(&with, &without).ends_with("\nQS30: A is better\n"));
    let same = args(&with, &with);
    assert!(same.ends_with("\nQS30: no difference shown\n"), "{same}");
    assert!(same.contains("+0.00 ± 0.00"), "{same}");
}

#[test]
fn a_wrong_file_is_told_with_its_place() {
    let out = folder("sim-wrong");
    let config = three_sites();
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let scenario = write(
        "scenario.toml",
        "name = \"x\"\n[[outage]]\nsites = \"FR999\"\n",
    );
    let unknown = write("unknown.csv", "came,line\n12,FR670-15\n");
    let moment = write("moment.csv", "came,line\nnoon,FR670-15-Samu-Px-F01\n");
    let columns = write("columns.csv", "when,line\n12,FR670-15-Samu-Px-F01\n");
    let empty = write("empty.csv", "came,line\n");
    let outcome = write(
        "outcome.csv",
        "came,line,outcome,waited\n1,FR670-15-Samu-Px-F01,lost,2\n",
    );
    for (option, path, told) in [
        ("--scenario", &scenario, "scenario.toml:3:9: site `FR999`"),
        (
            "--replay",
            &unknown,
            "unknown.csv:2: line `FR670-15` is not in the configuration",
        ),
        (
            "--replay",
            &moment,
            "moment.csv:2: came `noon`: write seconds",
        ),
        (
            "--replay",
            &columns,
            "columns.csv:1: there is no column `came`, only when, line",
        ),
        ("--replay", &empty, "empty.csv has no calls"),
        (
            "--replay",
            &outcome,
            "outcome.csv:2: outcome `lost`: write answered",
        ),
        (
            "--replay",
            &"/nowhere.csv".to_owned(),
            "cannot read /nowhere.csv",
        ),
    ] {
        let output = quinze(&["sim", "--config", &config, option, path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}
