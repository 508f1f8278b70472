//! A nation at work for the distributor: sites, agents and lines drawn from one seed, calls that wait, and
//! what is then asked of it.

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
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Over how long the calls that wait have come.
const CAME_OVER: Duration = Duration::from_secs(120);

/// How large a nation is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Sites, each with three lines.
    pub sites: usize,
    /// Agents of all sites.
    pub agents: usize,
    /// Skills, of which each agent has five and each line asks for one.
    pub skills: usize,
    /// Calls that wait.
    pub waiting: usize,
}

impl Scale {
    /// Lines of all sites.
    pub const fn lines(self) -> usize {
        3 * self.sites
    }
}

/// Runs one decision, and says how long it took where anybody wants to know.
pub type Watch = fn(&mut dyn FnMut()) -> Duration;

/// A nation at work, and a clock.
pub struct Nation {
    acd: Acd,
    now: Instant,
    lines: Vec<LineId>,
    calls: u64,
    random: Pcg64Mcg,
    talking: Vec<CallId>,
    watch: Watch,
    gap: Duration,
}

impl Nation {
    /// Every agent is in a call, and so many calls wait. `watch` runs each decision from then on.
    ///
    /// # Panics
    /// When the nation is no valid one.
    pub fn new(scale: Scale, watch: Watch) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(15);
        let directory = directory(scale, &mut random);
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
            watch: unwatched,
            gap: CAME_OVER / u32::try_from(scale.waiting).expect("a number of calls"),
        };
        // Until nobody is free whom any line could ask.
        let mut unlucky = 0;
        while unlucky < 2_000 {
            nation.arrive();
            let was_offered = nation.drain();
            unlucky = if was_offered { 0 } else { unlucky + 1 };
        }
        while nation.waiting() < scale.waiting {
            nation.pass();
            nation.arrive();
            nation.drain();
        }
        nation.watch = watch;
        nation
    }

    /// Calls that wait.
    fn waiting(&self) -> usize {
        usize::try_from(self.calls).expect("calls are in memory") - self.talking.len()
    }

    /// A call comes in. [`Self::drain`] is to follow.
    pub fn arrive(&mut self) -> Duration {
        self.calls += 1;
        let call = CallId::new(self.calls);
        let line = self.lines[self.random.random_range(0..self.lines.len())];
        self.feed(Input::CallArrived {
            call,
            line,
            priority: None,
            caller: None,
            arrival: None,
        })
    }

    /// An agent's call ends: the agent is free, and has the next. [`Self::drain`] is to follow.
    pub fn agent_ready(&mut self) -> Duration {
        let at = self.random.random_range(0..self.talking.len());
        let call = self.talking.swap_remove(at);
        self.feed(Input::CallEnded { call })
    }

    /// Lets so much time pass that as many calls come in it as went; what each thing that was due took.
    pub fn pass(&mut self) -> Vec<Duration> {
        let until = self.now + self.gap;
        let mut took = Vec::new();
        while let Some(at) = self.acd.poll_timeout().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            took.push(self.do_what_is_due());
            self.drain();
        }
        self.now = until;
        took
    }

    /// A crisis plan is switched on everywhere: how long until every waiting call follows it, and the
    /// longest turn, after which others are served.
    ///
    /// # Panics
    /// Never: the crisis is among those of the directory.
    pub fn crisis(&mut self) -> (Duration, Duration) {
        let directory = self.acd.directory();
        let order = CrisisOrder {
            crisis: directory.crisis(CRISIS).expect("it is in the directory"),
            sites: directory.sites().collect(),
            until: None,
            author: "bench".to_owned(),
            reason: "to see".to_owned(),
        };
        let mut turns = vec![self.feed(Input::CrisisOn(order))];
        while self.acd.poll_timeout().is_some_and(|at| at <= self.now) {
            turns.push(self.do_what_is_due());
        }
        self.drain();
        let longest = turns.iter().max().copied();
        (turns.iter().sum(), longest.unwrap_or_default())
    }

    /// Answers what is offered; whether anything was.
    pub fn drain(&mut self) -> bool {
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

    fn feed(&mut self, input: Input) -> Duration {
        let (acd, now, mut input) = (&mut self.acd, self.now, Some(input));
        (self.watch)(&mut || {
            if let Some(input) = input.take() {
                acd.handle_input(now, input);
            }
        })
    }

    fn do_what_is_due(&mut self) -> Duration {
        let (acd, now) = (&mut self.acd, self.now);
        (self.watch)(&mut || acd.handle_timeout(now))
    }
}

fn unwatched(decide: &mut dyn FnMut()) -> Duration {
    decide();
    Duration::ZERO
}

fn skill(index: usize) -> String {
    format!("skill-{index:02}")
}

fn site_id(index: usize) -> String {
    format!("S{index:03}")
}

fn level(value: u8) -> Level {
    Level::new(value).expect("a level is from 1 to 10")
}

fn sites(count: usize) -> Vec<SiteSpec> {
    let near = |index: usize, by: usize| site_id((index + by) % count);
    let site = |index: usize| SiteSpec {
        id: site_id(index),
        name: site_id(index),
        region: format!("R{}", index / 8),
        zone: format!("Z{}", index / 16),
        neighbours: vec![near(index, 1), near(index, count - 1), near(index, 7)],
        reserve: 1,
    };
    (0..count).map(site).collect()
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

fn directory(scale: Scale, random: &mut Pcg64Mcg) -> Arc<Directory> {
    let Scale { sites: count, .. } = scale;
    let mut drawn = || level(random.random_range(1..=10));
    let agent = |index: usize| {
        let has = (0..5).map(|step| (skill((index * 7 + step * 11) % scale.skills), drawn()));
        AgentSpec {
            id: format!("arm-{index:05}"),
            site: site_id(index % count),
            second_site: None,
            skills: has.collect::<BTreeMap<_, _>>(),
            start: StartState::Ready,
        }
    };
    let agents = (0..scale.agents).map(agent).collect();
    let line = |index: usize| LineSpec {
        requirement: Requirement::all_of([(skill(index % scale.skills), level(2))]),
        priority: u8::try_from(index % 4)
            .ok()
            .and_then(Priority::new)
            .expect("there are more than four priorities"),
        wrap_up: Duration::ZERO,
        overflow: Some("aid".to_owned()),
        selection: SELECTIONS[index % SELECTIONS.len()],
        parallel: if index.is_multiple_of(4) { 2 } else { 1 },
        ..LineSpec::new(&format!("L{index:03}"), &site_id(index % count))
    };
    let spec = DirectorySpec {
        sites: sites(count),
        lines: (0..scale.lines()).map(line).collect(),
        agents,
        plans: plans(),
        crises: vec![CrisisSpec {
            name: CRISIS.to_owned(),
            overflow: Some("at-once".to_owned()),
            reserve: Some(0),
            wrap_up: None,
            announcement: None,
            flow: CrisisFlow::Closed,
        }],
        ..DirectorySpec::default()
    };
    Arc::new(Directory::build(spec).expect("the nation is a valid one"))
}

const CRISIS: &str = "crisis";

const SELECTIONS: [Selection; 4] = [
    Selection::LongestIdle,
    Selection::MostSkilled,
    Selection::LeastSkilled,
    Selection::RoundRobin,
];
