//! One decision of the distributor, in a nation of 102 sites, 10,000 agents and 50 skills, with 100 to
//! 100,000 calls waiting: how long it takes, and how that grows.
//!
//! Each decision is timed alone, so that a rare slow one is seen.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentSpec, CallId, Condition, CrisisFlow, CrisisOrder, CrisisSpec, Directory,
    DirectorySpec, Input, Level, LineId, LineSpec, Output, PlanSpec, Priority, Reach, Requirement,
    Selection, Settings, SiteSpec, StartState, StepSpec,
};
use hdrhistogram::Histogram;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

const SITES: usize = 102;
const AGENTS: usize = 10_000;
const SKILLS: usize = 50;
const LINES: usize = 3 * SITES;
/// Decisions of each kind that are timed.
const ROUNDS: usize = 20_000;

fn skill(index: usize) -> String {
    format!("skill-{index:02}")
}

fn site_id(index: usize) -> String {
    format!("S{index:03}")
}

fn sites() -> Vec<SiteSpec> {
    let near = |index: usize, by: usize| site_id((index + by) % SITES);
    let site = |index: usize| SiteSpec {
        id: site_id(index),
        name: site_id(index),
        region: format!("R{}", index / 8),
        zone: format!("Z{}", index / 16),
        neighbours: vec![near(index, 1), near(index, SITES - 1), near(index, 7)],
        reserve: 1,
    };
    (0..SITES).map(site).collect()
}

fn plans() -> Vec<PlanSpec> {
    let step = |when, widen| StepSpec {
        when: vec![when],
        widen: vec![widen],
        ..StepSpec::default()
    };
    let seconds = Duration::from_secs;
    let after = |wait| Condition::After(seconds(wait));
    let aid = vec![
        step(after(20), Reach::Neighbours),
        step(after(40), Reach::Region),
        // These two concern all calls of a line together.
        step(Condition::OldestWaitOver(seconds(50)), Reach::Region),
        step(Condition::QueueLongerThan(100), Reach::Region),
        step(after(60), Reach::Zone),
        step(after(90), Reach::Nation),
    ];
    let plan = |name: &str, steps| PlanSpec {
        name: name.to_owned(),
        home_advantage: seconds(10),
        steps,
    };
    let at_once = vec![step(after(0), Reach::Nation)];
    vec![plan("aid", aid), plan("at-once", at_once)]
}

fn directory(random: &mut Pcg64Mcg) -> Arc<Directory> {
    let mut level = |low: u8| Level::new(random.random_range(low..=10)).unwrap();
    let agent = |index: usize| {
        let has = (0..5).map(|step| (skill((index * 7 + step * 11) % SKILLS), level(1)));
        AgentSpec {
            id: format!("arm-{index:05}"),
            site: site_id(index % SITES),
            second_site: None,
            skills: has.collect::<BTreeMap<_, _>>(),
            start: StartState::Ready,
        }
    };
    let agents = (0..AGENTS).map(agent).collect();
    let line = |index: usize| LineSpec {
        requirement: Requirement::all_of([(skill(index % SKILLS), Level::new(2).unwrap())]),
        priority: Priority::new(u8::try_from(index % 4).unwrap()).unwrap(),
        wrap_up: Duration::ZERO,
        overflow: Some("aid".to_owned()),
        selection: SELECTIONS[index % SELECTIONS.len()],
        parallel: if index.is_multiple_of(4) { 2 } else { 1 },
        ..LineSpec::new(&format!("L{index:03}"), &site_id(index % SITES))
    };
    let spec = DirectorySpec {
        sites: sites(),
        lines: (0..LINES).map(line).collect(),
        agents,
        plans: plans(),
        crises: vec![CrisisSpec {
            name: "crisis".to_owned(),
            overflow: Some("at-once".to_owned()),
            reserve: Some(0),
            wrap_up: None,
            announcement: None,
            flow: CrisisFlow::Closed,
        }],
        ..DirectorySpec::default()
    };
    Arc::new(Directory::build(spec).unwrap())
}

const SELECTIONS: [Selection; 4] = [
    Selection::LongestIdle,
    Selection::MostSkilled,
    Selection::LeastSkilled,
    Selection::RoundRobin,
];

/// A nation at work, and a clock.
struct Nation {
    acd: Acd,
    now: Instant,
    lines: Vec<LineId>,
    calls: u64,
    random: Pcg64Mcg,
    talking: Vec<CallId>,
}

impl Nation {
    /// Every agent is in a call, and so many calls wait, which came over two minutes.
    fn new(waiting: usize) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(15);
        let directory = directory(&mut random);
        let lines: Vec<_> = directory.lines().collect();
        let now = Instant::now();
        let settings = Settings {
            calls_max: usize::MAX,
            ..Settings::default()
        };
        let mut nation = Self {
            acd: Acd::new(now, directory, settings),
            now,
            lines,
            calls: 0,
            random,
            talking: Vec::new(),
        };
        // Until nobody is free whom any line could ask.
        let mut unlucky = 0;
        while unlucky < 2_000 {
            let offer = nation.arrive().1;
            unlucky = if offer { 0 } else { unlucky + 1 };
        }
        let gap = Duration::from_secs(120) / u32::try_from(waiting).unwrap();
        while nation.calls - u64::try_from(nation.talking.len()).unwrap()
            < u64::try_from(waiting).unwrap()
        {
            nation.pass(gap);
            nation.arrive();
        }
        nation
    }

    /// A call comes in; how long that took, and whether it was offered to somebody.
    fn arrive(&mut self) -> (Duration, bool) {
        self.calls += 1;
        let call = CallId::new(self.calls);
        let line = self.lines[self.random.random_range(0..self.lines.len())];
        let input = Input::CallArrived {
            call,
            line,
            priority: None,
            caller: None,
            arrival: None,
        };
        self.feed(input)
    }

    fn feed(&mut self, input: Input) -> (Duration, bool) {
        let before = Instant::now();
        self.acd.handle_input(self.now, input);
        let took = before.elapsed();
        (took, self.drain())
    }

    /// Answers what is offered; whether anything was.
    fn drain(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.acd.poll_output() {
            if let Output::Offer(offer) = output {
                let offered = offer.offer;
                self.acd
                    .handle_input(self.now, Input::OfferAnswered { offer: offered });
                self.talking.push(offer.call);
                any = true;
            }
        }
        any
    }

    /// An agent's call ends: the agent is free, and has the next.
    fn agent_ready(&mut self) -> Duration {
        let at = self.random.random_range(0..self.talking.len());
        let call = self.talking.swap_remove(at);
        self.feed(Input::CallEnded { call }).0
    }

    /// A crisis plan is switched on everywhere: how long until every waiting call follows it, and the
    /// longest turn, after which others are served.
    fn crisis(&mut self) -> (Duration, Duration) {
        let directory = self.acd.directory();
        let order = CrisisOrder {
            crisis: directory.crisis("crisis").unwrap(),
            sites: directory.sites().collect(),
            until: None,
            author: "bench".to_owned(),
            reason: "to see".to_owned(),
        };
        let mut turns = Vec::new();
        let before = Instant::now();
        self.acd.handle_input(self.now, Input::CrisisOn(order));
        turns.push(before.elapsed());
        while self.acd.poll_timeout().is_some_and(|at| at <= self.now) {
            let before = Instant::now();
            self.acd.handle_timeout(self.now);
            turns.push(before.elapsed());
        }
        self.drain();
        (turns.iter().sum(), turns.into_iter().max().unwrap())
    }

    /// Lets time pass; what each thing that was due took.
    fn pass(&mut self, duration: Duration) -> Vec<Duration> {
        let until = self.now + duration;
        let mut took = Vec::new();
        while let Some(at) = self.acd.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            let before = Instant::now();
            self.acd.handle_timeout(self.now);
            took.push(before.elapsed());
            self.drain();
        }
        self.now = until;
        took
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    let nanos = u64::try_from(took.as_nanos()).unwrap();
    histogram.record(nanos.max(1)).unwrap();
}

#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn main() {
    println!("{SITES} sites, {AGENTS} agents, {SKILLS} skills, {LINES} lines; microseconds");
    println!(
        "waiting    arrival p50    p99    agent free p50    p99    step p50    p99    crisis: all, ms   a turn, ms"
    );
    for waiting in [100, 1_000, 10_000, 100_000] {
        let mut nation = Nation::new(waiting);
        let [mut arrivals, mut frees, mut steps] = [histogram(), histogram(), histogram()];
        let gap = Duration::from_secs(120) / u32::try_from(waiting).unwrap();
        for _ in 0..ROUNDS {
            // As many come as go, so that the number that wait stays.
            record(&mut arrivals, nation.arrive().0);
            record(&mut frees, nation.agent_ready());
            let took = nation.pass(gap);
            took.into_iter().for_each(|one| record(&mut steps, one));
        }
        let shown = [&arrivals, &frees, &steps].map(|one| {
            let at = |quantile| one.value_at_quantile(quantile) as f64 / 1_000.0;
            (at(0.5), at(0.99))
        });
        let [(a, b), (c, d), (e, f)] = shown;
        let (all, turn) = nation.crisis();
        let (all, turn) = (1e3 * all.as_secs_f64(), 1e3 * turn.as_secs_f64());
        println!(
            "{waiting:7} {a:14.2} {b:6.2} {c:17.2} {d:6.2} {e:11.2} {f:6.2} {all:20.1} {turn:12.2}"
        );
    }
}
