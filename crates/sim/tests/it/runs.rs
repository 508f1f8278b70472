//! What every history keeps to, whatever it is about.

use std::{collections::BTreeMap, time::Duration};

use config::{Loaded, scenario::Scenario};
use engine::acd::{CallId, Settings};
use sim::planning::{History, Outcome, Stage, Statistics, replicate, simulate};

/// Nothing happens.
static USUAL: std::sync::LazyLock<Scenario> = std::sync::LazyLock::new(Scenario::default);

/// The three centres that are shipped, each with all that a simulation needs.
pub(crate) fn three_sites() -> Loaded {
    load(&text_of_three_sites())
}

pub(crate) fn text_of_three_sites() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/three-sites.toml");
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn load(text: &str) -> Loaded {
    let loaded = config::load("three-sites.toml".as_ref(), text, [0; 4]);
    loaded.unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn history(loaded: &Loaded, seed: u64) -> History<'_> {
    History {
        directory: loaded.engine.directory.clone(),
        settings: Settings::default(),
        planning: loaded.planning.as_ref().unwrap(),
        scenario: &USUAL,
        recorded: None,
        length: Duration::from_secs(2 * 86_400),
        warm_up: Duration::ZERO,
        seed,
    }
}

pub(crate) fn stages(history: &History<'_>) -> (Statistics, Vec<Stage>) {
    let mut stages = Vec::new();
    let statistics = simulate(history, &mut |stage| stages.push(*stage));
    (statistics, stages)
}

#[test]
fn a_seed_is_a_history_on_any_number_of_threads() {
    let loaded = three_sites();
    let history = history(&loaded, 15);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| replicate(&history, 6))
    };
    let (one, four) = (on(1), on(4));
    assert_eq!(one, four);
    assert_eq!(one[0], stages(&history).0);
    assert_ne!(one[0], one[1], "another seed is another history");
}

#[test]
fn every_call_is_answered_or_given_up_once_on_each_line() {
    let loaded = three_sites();
    let (statistics, stages) = stages(&history(&loaded, 15));
    let mut seen: BTreeMap<(CallId, u32), Outcome> = BTreeMap::new();
    for stage in &stages {
        let before = seen.insert((stage.call, stage.stage), stage.outcome);
        assert_eq!(before, None, "{stage:?}");
    }
    let all = statistics.of(loaded.engine.directory.lines());
    assert_eq!(all.offered, all.answered + all.abandoned);
    assert_eq!(all.offered, u64::try_from(stages.len()).unwrap());
    assert!(all.answered > 1_000 && all.abandoned > 100, "{all:?}");
    let answered: u64 = statistics.answered_by.iter().flatten().sum();
    assert_eq!(answered, all.answered);
}

/// Two plans meet the same callers: who comes first, when, and with what patience is the same.
#[test]
fn another_plan_meets_the_same_callers() {
    let loaded = three_sites();
    let aided = history(&loaded, 15);
    let alone = History {
        directory: loaded.engine.directory.without_plans().into(),
        ..aided.clone()
    };
    let first_calls = |history: &History<'_>| {
        let (_, stages) = stages(history);
        let mut came: Vec<_> = stages
            .iter()
            .filter(|stage| stage.attempt == 0 && stage.came < Duration::from_secs(86_400))
            .map(|stage| (stage.came, stage.line))
            .collect();
        came.sort_unstable();
        came
    };
    assert_eq!(first_calls(&aided), first_calls(&alone));
}

/// Nobody works outside the roster, but for finishing a call.
#[test]
fn rosters_are_kept() {
    let loaded = three_sites();
    let directory = &loaded.engine.directory;
    let by_day = directory.agent("arm-57-2").unwrap();
    let (_, stages) = stages(&history(&loaded, 15));
    let answers = stages.iter().filter_map(|stage| match stage.outcome {
        Outcome::Answered(answer) if answer.agent == by_day => Some(stage.came + stage.waited),
        _ => None,
    });
    let hours: Vec<_> = answers.map(|at| at.as_secs() % 86_400 / 3_600).collect();
    assert!(hours.len() > 20, "{hours:?}");
    assert!(hours.iter().all(|hour| (7..19).contains(hour)), "{hours:?}");
}

/// Nobody of Strasbourg comes to work, nobody gives up and no other centre helps: they came all the same.
#[test]
fn who_still_waits_at_the_end_has_come_and_was_not_answered() {
    let text = text_of_three_sites();
    let patience = text.find("[planning.patience]").unwrap();
    let end = patience + text[patience..].find("\n\n").unwrap();
    let loaded = load(&[&text[..patience], &text[end..]].concat());
    let directory = &loaded.engine.directory;
    let strasbourg = directory.site("FR670").unwrap();
    let mut planning = loaded.planning.clone().unwrap();
    let nobody = planning.rosters.len();
    planning.rosters.push(config::planning::Roster {
        name: "never".to_owned(),
        shifts: Vec::new(),
    });
    for agent in directory.agents() {
        if directory.agent_profile(agent).site == strasbourg {
            planning.shifts.insert(agent, nobody);
        }
    }
    let alone = History {
        directory: directory.without_plans().into(),
        planning: &planning,
        ..history(&loaded, 15)
    };
    let (statistics, stages) = stages(&alone);
    let lines = directory.lines();
    let lines = lines.filter(|&line| directory.line_profile(line).site == strasbourg);
    let all = statistics.of(lines);
    assert!(all.offered > 100, "{all:?}");
    assert_eq!((all.answered, all.abandoned), (0, 0));
    let nation = statistics.of(directory.lines());
    assert_eq!(nation.offered, u64::try_from(stages.len()).unwrap());
    assert!(nation.level_of_offered()[2] < 0.9, "{nation:?}");
}
