//! What is not as usual: demand, outages, crisis plans; and calls that came before.

use std::time::Duration;

use config::{
    Loaded,
    scenario::{Scenario, load_scenario},
};
use engine::acd::{LineId, SiteId};
use sim::planning::{Answer, History, KnownPatience, Outcome, RecordedCall, Recording, Stage};

use crate::runs::{history, load, stages, text_of_three_sites, three_sites};

const HOUR: Duration = Duration::from_secs(3_600);

fn scenario(loaded: &Loaded, text: &str) -> Scenario {
    let scenario = load_scenario("scenario".as_ref(), text, &loaded.engine.directory);
    scenario.unwrap_or_else(|errors| panic!("{errors}"))
}

fn during(stages: &[Stage], hours: std::ops::Range<u32>) -> impl Iterator<Item = &Stage> {
    let window = HOUR * hours.start..HOUR * hours.end;
    stages
        .iter()
        .filter(move |stage| window.contains(&stage.came))
}

fn line_of(loaded: &Loaded, id: &str) -> (LineId, SiteId) {
    let directory = &loaded.engine.directory;
    let line = directory.line(id).unwrap();
    (line, directory.line_profile(line).site)
}

fn answer(stage: &Stage) -> Option<Answer> {
    match stage.outcome {
        Outcome::Answered(answer) => Some(answer),
        _ => None,
    }
}

#[test]
fn demand_multiplies_the_calls_of_its_sites_while_it_lasts() {
    let loaded = three_sites();
    let usual = history(&loaded, 15);
    let busy = scenario(
        &loaded,
        "name = \"busy\"\n\
         demand = [{ factor = 4, sites = \"FR680\", from = \"08:00\", until = \"20:00\" },\n\
                   { factor = 2, from = \"12:00\", until = \"20:00\" }]",
    );
    let busy = History {
        scenario: &busy,
        ..usual.clone()
    };
    let (line, _) = line_of(&loaded, "FR680-15-Samu-Px-F01");
    let (_, usual) = stages(&usual);
    let (_, busy) = stages(&busy);
    let count = |stages: &[Stage], hours, of_line: bool| {
        let all = during(stages, hours).filter(|stage| stage.attempt == 0);
        all.filter(|stage| (stage.line == line) == of_line).count() as f64
    };
    // Four times in the morning, eight times in the afternoon; the others twice. Poisson: five standard
    // deviations on either side.
    for (hours, of_line, factor) in [
        (8..12, true, 4.0),
        (12..20, true, 8.0),
        (12..20, false, 2.0),
        (20..48, true, 1.0),
    ] {
        let (usual, busy) = (
            count(&usual, hours.clone(), of_line),
            count(&busy, hours.clone(), of_line),
        );
        let error = 5.0 * (busy + factor * factor * usual).sqrt();
        assert!(
            usual > 20.0 && (busy - factor * usual).abs() < error,
            "{hours:?}: {usual}, {busy}"
        );
    }
    // What is drawn before it begins is the same.
    let first = |stages: &[Stage]| {
        let mut came: Vec<_> = during(stages, 0..8).map(|stage| stage.came).collect();
        came.sort_unstable();
        came
    };
    assert_eq!(first(&usual), first(&busy));
}

#[test]
fn nobody_works_at_a_site_that_is_down_and_neighbours_take_its_calls() {
    let loaded = three_sites();
    let usual = history(&loaded, 15);
    let outage = scenario(
        &loaded,
        "name = \"down\"\noutage = [{ sites = \"FR670\", from = \"10:00\", until = \"14:00\" },\n\
                                    { sites = \"FR670\", from = \"12:00\", until = \"16:00\" }]",
    );
    let history = History {
        scenario: &outage,
        ..usual
    };
    let (line, site) = line_of(&loaded, "FR670-15-Samu-Px-F01");
    let (_, stages) = stages(&history);
    let (start, end) = (HOUR * 10, HOUR * 16);
    let there = |stage: &Stage| {
        let answer = answer(stage)?;
        let at = stage.came + stage.waited;
        (answer.site == site).then_some(at)
    };
    let answered: Vec<_> = stages.iter().filter_map(there).collect();
    assert!(
        !answered.iter().any(|at| (start..end).contains(at)),
        "nobody is there"
    );
    assert!(answered.iter().any(|at| *at < start) && answered.iter().any(|at| *at >= end));
    let elsewhere = during(&stages, 10..16).filter(|stage| stage.line == line);
    let elsewhere = elsewhere
        .filter_map(answer)
        .filter(|answer| answer.site != site);
    assert!(elsewhere.count() > 20);
}

#[test]
fn a_crisis_plan_is_on_while_its_windows_are() {
    let crisis = "\n[[crisis]]\nname = \"open\"\noverflow = \"life-at-risk\"\n";
    let loaded = load(&(text_of_three_sites() + crisis));
    let usual = history(&loaded, 15);
    let open = scenario(
        &loaded,
        "name = \"open\"\ndemand = [{ factor = 3, sites = \"FR680\", from = \"00:00\", until = \"1d 24:00\" }]\n\
         crisis = [{ plan = \"open\", from = \"08:00\", until = \"12:00\" },\n\
                                    { plan = \"open\", from = \"11:00\", until = \"16:00\" }]",
    );
    let history = History {
        scenario: &open,
        ..usual
    };
    let (line, site) = line_of(&loaded, "FR680-15-Samu-Px-F01");
    let (_, stages) = stages(&history);
    // By its own plan the line's calls reach others after 20 s; by the crisis plan at once.
    let soon = |hours| {
        let line = during(&stages, hours).filter(|stage| stage.line == line);
        let soon = line.filter(|stage| stage.waited < Duration::from_secs(20));
        soon.filter_map(answer)
            .filter(|answer| answer.site != site)
            .count()
    };
    assert!(soon(8..16) > 10);
    assert_eq!((soon(0..8), soon(17..48)), (0, 0));
}

/// One stage, nobody calls again, phones are picked up at once: all that a record does not hold.
fn plain() -> Loaded {
    let text = text_of_three_sites();
    let text = text.replace("pickup = \"3s\"", "pickup = \"0s\"");
    load(&text.replace("share = 0.6", "share = 0.0"))
}

fn recording(stages: &[Stage]) -> Recording {
    let record = |stage: &Stage| RecordedCall {
        came: stage.came,
        line: stage.line,
        caller: Some(stage.caller),
        patience: match stage.outcome {
            Outcome::Abandoned => KnownPatience::Exactly(stage.waited),
            _ => KnownPatience::AtLeast(stage.waited),
        },
        talk: answer(stage).map(|answer| answer.talk),
    };
    let mut calls: Vec<_> = stages.iter().map(record).collect();
    calls.sort_by_key(|call| call.came);
    Recording { calls }
}

#[test]
fn recorded_calls_under_the_same_plan_are_the_same_history() {
    let loaded = plain();
    let drawn = history(&loaded, 15);
    let (_, first) = stages(&drawn);
    let recording = recording(&first);
    let replayed = History {
        recorded: Some(&recording),
        ..drawn
    };
    let (_, second) = stages(&replayed);
    // Calls that had not ended when the history did are not on record.
    let known = |stages: &[Stage]| {
        let mut known: Vec<_> = during(stages, 0..47)
            .map(|stage| {
                (
                    stage.came,
                    stage.line,
                    stage.caller,
                    stage.waited,
                    stage.outcome,
                )
            })
            .collect();
        known.sort_by_key(|one| (one.0, one.1));
        known
    };
    let (first, second) = (known(&first), known(&second));
    assert!(first.len() > 1_000);
    assert_eq!(first, second);
}

#[test]
fn a_replayed_caller_is_as_patient_as_the_record_shows() {
    let loaded = plain();
    let drawn = history(&loaded, 15);
    let busy = "name = \"busy\"\ndemand = [{ factor = 3, from = \"00:00\", until = \"1d 24:00\" }]";
    let busy = scenario(&loaded, busy);
    let drawn = History {
        scenario: &busy,
        ..drawn
    };
    let (_, first) = stages(&drawn);
    let recording = recording(&first);
    let alone = History {
        directory: loaded.engine.directory.without_plans().into(),
        recorded: Some(&recording),
        ..drawn
    };
    let (_, second) = stages(&alone);
    let mut shorter = 0;
    for stage in during(&second, 0..47) {
        let at = recording
            .calls
            .partition_point(|call| call.came < stage.came);
        match (stage.outcome, recording.calls[at].patience) {
            (Outcome::Abandoned, KnownPatience::Exactly(patience)) => {
                assert_eq!(stage.waited, patience);
            }
            (Outcome::Abandoned, KnownPatience::AtLeast(shown)) => {
                assert!(stage.waited >= shown, "{stage:?}");
                shorter += 1;
            }
            (_, KnownPatience::Exactly(patience)) => assert!(stage.waited <= patience, "{stage:?}"),
            _ => {}
        }
    }
    assert!(
        shorter > 20,
        "some who were answered before give up alone: {shorter}"
    );
}
