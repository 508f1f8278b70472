//! What queueing theory says of simple centres, and the simulation of them.
//!
//! Each point is simulated with several seeds. The mean of a figure over them has a confidence
//! interval by Student's t, wide enough that all comparisons of this file together hold with 99 %
//! (Bonferroni), and it must be narrow enough to mean something. `QUINZE_THEORY=long` runs all points
//! with more and longer histories (`cargo xtask theory`).

mod formulas;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use config::{
    planning::{Planning, Shape, Spread},
    scenario::Scenario,
};
use sim::planning::{History, Served, Statistics, replicate};

use engine::acd::{
    AgentSpec, Condition, Directory, DirectorySpec, LineId, LineSpec, PlanSpec, Priority, Reach,
    Settings, SiteSpec, StartState, StepSpec,
};

use self::formulas::{Queue, cobham, erlang_a, erlang_c, pollaczek_khinchine};

/// Histories of each point.
const SEEDS: u64 = 20;

/// Student's t for 19 degrees of freedom at a two-sided risk of 0.01 / 60: at most sixty figures are
/// compared, and all hold together with 99 %. (By the expansion of Cornish and Fisher from z = 3.765.)
const STUDENT: f64 = 4.67;

const TALK: Duration = Duration::from_secs(60);

fn is_long() -> bool {
    std::env::var("QUINZE_THEORY").is_ok_and(|mode| mode == "long")
}

fn site(id: &str, neighbour: &str) -> SiteSpec {
    SiteSpec {
        id: id.to_owned(),
        name: id.to_owned(),
        region: String::new(),
        zone: String::new(),
        neighbours: vec![neighbour.to_owned()],
        reserve: 0,
    }
}

/// Sites `A` and `B`, each with so many agents who can do everything.
fn spec(agents: [usize; 2]) -> DirectorySpec {
    let mut spec = DirectorySpec {
        sites: vec![site("A", "B"), site("B", "A")],
        ..DirectorySpec::default()
    };
    for (count, site) in agents.into_iter().zip(["A", "B"]) {
        spec.agents.extend((0..count).map(|index| AgentSpec {
            id: format!("{site}-{index:03}"),
            site: site.to_owned(),
            second_site: None,
            skills: BTreeMap::new(),
            start: StartState::Ready,
        }));
    }
    spec
}

fn line(id: &str, site: &str) -> LineSpec {
    LineSpec {
        wrap_up: Duration::ZERO,
        ..LineSpec::new(id, site)
    }
}

/// Several histories of a centre whose lines get so many calls in a mean talk time each.
fn histories(
    spec: DirectorySpec,
    loads: &[(&str, f64)],
    shape: Shape,
    calls: f64,
    change: impl Fn(&mut Planning),
) -> (Arc<Directory>, Vec<Statistics>) {
    let directory = Arc::new(Directory::build(spec).unwrap());
    let talk = Spread { mean: TALK, shape };
    let per_day = 86_400.0 / TALK.as_secs_f64();
    let lines = loads
        .iter()
        .map(|(id, load)| (directory.line(id).unwrap(), load * per_day));
    let mut planning = Planning::steady(talk, lines);
    change(&mut planning);
    let total: f64 = loads.iter().map(|(_, load)| load).sum();
    let counted = TALK.mul_f64(calls / total);
    let history = History {
        directory: directory.clone(),
        settings: Settings {
            calls_max: usize::MAX,
            ..Settings::default()
        },
        planning: &planning,
        scenario: &Scenario::default(),
        recorded: None,
        length: counted.mul_f64(1.1),
        warm_up: counted.mul_f64(0.1),
        seed: 15,
    };
    let statistics = replicate(&history, SEEDS);
    (directory, statistics)
}

/// Asserts that theory lies within the confidence interval of the simulated mean, and that the
/// interval is narrower than `meaning`.
fn agrees(what: &str, theory: f64, simulated: &[f64], meaning: f64) {
    let count = simulated.len() as f64;
    let mean = simulated.iter().sum::<f64>() / count;
    let variance = simulated
        .iter()
        .map(|one| (one - mean).powi(2))
        .sum::<f64>()
        / (count - 1.0);
    let half = STUDENT * (variance / count).sqrt();
    let told =
        format!("{what}: theory {theory:.4}, simulated {mean:.4} ± {half:.4}, seeds 15 to 34");
    assert!((mean - theory).abs() <= half, "{told}");
    assert!(half <= meaning, "says nothing: {told}");
}

fn figures(all: &[Statistics], lines: &[LineId], of: impl Fn(&Served) -> f64) -> Vec<f64> {
    let served = |one: &Statistics| of(&one.of(lines.iter().copied()));
    all.iter().map(served).collect()
}

fn mean_wait(served: &Served) -> f64 {
    served.waits.mean().as_secs_f64()
}

/// The share of calls that wait, the mean wait, and QS30.
fn agrees_with_erlang_c(what: &str, queue: Queue, all: &[Statistics], lines: &[LineId]) {
    let theory = erlang_c(queue);
    let waited = figures(all, lines, Served::waited_share);
    agrees(&format!("{what}: waited"), theory.waits, &waited, 0.05);
    let wait = figures(all, lines, mean_wait);
    let meaning = 0.35 * theory.mean_wait + 0.02 * TALK.as_secs_f64();
    agrees(
        &format!("{what}: mean wait"),
        theory.mean_wait,
        &wait,
        meaning,
    );
    let within = figures(all, lines, |served| served.level_of_offered()[1]);
    let expected = 1.0 - theory.waits_longer_than(30.0);
    agrees(&format!("{what}: QS30"), expected, &within, 0.05);
}

#[test]
fn one_site_is_erlang_c() {
    let bounded = [
        (2, 0.3, 4e3),
        (2, 0.8, 1e4),
        (5, 0.6, 6e3),
        (20, 0.9, 4e4),
        (60, 0.95, 1.2e5),
    ];
    let long = [2, 5, 10, 20, 40, 60].into_iter().flat_map(|agents| {
        let loads = [(0.3, 2e4), (0.6, 2e4), (0.8, 5e4), (0.9, 2e5), (0.95, 4e5)];
        loads.map(|(load, calls)| (agents, load, calls))
    });
    let points: Vec<_> = if is_long() {
        long.collect()
    } else {
        bounded.to_vec()
    };
    for (agents, occupancy, calls) in points {
        let mut spec = spec([agents, 0]);
        spec.lines.push(line("A", "A"));
        let load = occupancy * agents as f64;
        let (directory, all) = histories(spec, &[("A", load)], Shape::Exponential, calls, |_| {});
        let queue = Queue {
            agents,
            load,
            talk: TALK.as_secs_f64(),
        };
        let lines: Vec<_> = directory.lines().collect();
        agrees_with_erlang_c(&format!("{agents} at {occupancy}"), queue, &all, &lines);
    }
}

#[test]
fn two_sites_that_help_at_once_are_one_of_double_size() {
    for (agents, occupancy, calls) in [(3, 0.7, 8e3), (10, 0.9, 4e4)] {
        let mut spec = spec([agents, agents]);
        spec.plans.push(PlanSpec {
            name: "aid".to_owned(),
            home_advantage: Duration::ZERO,
            steps: vec![StepSpec {
                when: vec![Condition::After(Duration::ZERO)],
                widen: vec![Reach::Neighbours],
                ..StepSpec::default()
            }],
        });
        for id in ["A", "B"] {
            spec.lines.push(LineSpec {
                overflow: Some("aid".to_owned()),
                ..line(id, id)
            });
        }
        let load = occupancy * agents as f64;
        // Three quarters of the calls come to one of them.
        let loads = [("A", load * 1.5), ("B", load * 0.5)];
        let (directory, all) = histories(spec, &loads, Shape::Exponential, calls, |_| {});
        let queue = Queue {
            agents: 2 * agents,
            load: 2.0 * load,
            talk: TALK.as_secs_f64(),
        };
        let lines: Vec<_> = directory.lines().collect();
        agrees_with_erlang_c(&format!("2 × {agents} pooled"), queue, &all, &lines);
    }
}

#[test]
fn impatient_callers_are_erlang_a() {
    let points = [
        (4, 0.9, 90.0, 1e4),
        (10, 1.2, 60.0, 1e4),
        (30, 1.0, 120.0, 2e4),
    ];
    for (agents, occupancy, patience, calls) in points {
        let mut spec = spec([agents, 0]);
        spec.lines.push(line("A", "A"));
        let load = occupancy * agents as f64;
        let (directory, all) = histories(spec, &[("A", load)], Shape::Exponential, calls, |plan| {
            plan.patience.mean = Some(Duration::from_secs_f64(patience));
        });
        let queue = Queue {
            agents,
            load,
            talk: TALK.as_secs_f64(),
        };
        let theory = erlang_a(queue, patience);
        let lines: Vec<_> = directory.lines().collect();
        let waited = figures(&all, &lines, Served::waited_share);
        agrees(
            &format!("{agents} impatient: waited"),
            theory.waits,
            &waited,
            0.05,
        );
        let lost = figures(&all, &lines, |served| 1.0 - served.answer_rate());
        agrees(
            &format!("{agents} impatient: abandoned"),
            theory.abandons,
            &lost,
            0.03,
        );
    }
}

#[test]
fn one_agent_with_any_talk_times_is_pollaczek_khinchine() {
    let shapes = [
        (Shape::Constant, 0.0, 0.8, 1e4),
        (Shape::LogNormal(0.8), 0.8, 0.7, 2e4),
        (Shape::LogNormal(1.5), 1.5, 0.5, 3e4),
    ];
    for (shape, deviation, occupancy, calls) in shapes {
        let mut spec = spec([1, 0]);
        spec.lines.push(line("A", "A"));
        let (directory, all) = histories(spec, &[("A", occupancy)], shape, calls, |_| {});
        let theory = pollaczek_khinchine(occupancy, TALK.as_secs_f64(), deviation);
        let lines: Vec<_> = directory.lines().collect();
        let wait = figures(&all, &lines, mean_wait);
        agrees(
            &format!("{shape:?}: mean wait"),
            theory,
            &wait,
            0.3 * theory,
        );
    }
}

#[test]
fn two_priorities_are_cobham() {
    let mut spec = spec([1, 0]);
    for (id, priority) in [("A-0", 0), ("A-1", 1)] {
        spec.lines.push(LineSpec {
            priority: Priority::new(priority).unwrap(),
            ..line(id, "A")
        });
    }
    let loads = [0.3, 0.5];
    let named = [("A-0", loads[0]), ("A-1", loads[1])];
    let (directory, all) = histories(spec, &named, Shape::LogNormal(0.8), 3e4, |_| {});
    let theory = cobham(loads, TALK.as_secs_f64(), 0.8);
    for (line, theory) in directory.lines().zip(theory) {
        let wait = figures(&all, &[line], mean_wait);
        let what = format!("priority class {}: mean wait", line.index());
        agrees(&what, theory, &wait, 0.3 * theory);
    }
}
