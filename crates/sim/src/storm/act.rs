//! A storm: who is there, what is done to them, and the oracle that looks after each step.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
    time::Duration,
};

use engine::{Order, acd::Want};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::{
    Options, Pace, Shown,
    centre::{self, NODE, OPERATORS, Variant, place},
    deeds,
    draw::{self, Action, chance},
    faults::{Fault, FaultCounts},
    oracle::{After, Oracle, Verdict},
    planted::Planted,
    report::{Failure, Report},
};
use crate::{
    DiskManner, PeerEvent, Weather, World, host::Host, network::Damage, peer::SessionId,
    script::Quirk,
};

/// All rows are compared with the state this often: it costs more than all other looks.
const WRITTEN_CHECKED_EVERY: u64 = 64;

/// What was done last is told when something does not hold.
const ACTS_TOLD: usize = 20;

/// How long everything is well before what is left must be over: longer than anybody waits or talks.
const AFTERWARDS: Duration = Duration::from_secs(4_500);

pub(super) struct Storm {
    pub(super) seed: u64,
    pub(super) world: World,
    pub(super) rng: Pcg64Mcg,
    pub(super) node: SocketAddr,
    pub(super) oracle: Oracle,
    pub(super) faults: FaultCounts,
    pub(super) variant: Variant,
    pub(super) restarts: u64,
    steps: u64,
    callers: u64,
    /// Callers under way who may hang up.
    sessions: Vec<(SocketAddr, SessionId)>,
    /// The numbers of those who may call again.
    numbers: BTreeMap<(SocketAddr, SessionId), String>,
    /// Agents who have called somebody, and from where.
    pub(super) consultations: VecDeque<(SocketAddr, &'static str, SessionId)>,
    acts: VecDeque<String>,
    shown: Shown,
    pub(super) pace: Pace,
    pub(super) planted: Option<Planted>,
    /// Nothing goes wrong any more.
    pub(super) is_over: bool,
}

impl Storm {
    pub(super) fn new(seed: u64, options: &Options) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut world = World::new(seed, Weather::CALM);
        world.watch();
        if options.shown == Shown::LastMinute {
            world.keep_last_minute();
        }
        let mut config = Variant::Usual.config(seed);
        if let Some(planted) = options.planted {
            planted.put_into(&mut config);
        }
        let node = world.add_node("node", config);
        if let Some(host) = world.host_mut(node) {
            host.plant(options.planted);
            host.check_every(WRITTEN_CHECKED_EVERY);
        }
        let phones = draw::phones(seed);
        deeds::populate(&mut world, &mut rng, options.pace, phones);
        let mut storm = Self {
            seed,
            world,
            rng,
            node: place(NODE),
            oracle: Oracle::new(node),
            faults: FaultCounts::default(),
            variant: Variant::Usual,
            restarts: 0,
            steps: 0,
            callers: 0,
            sessions: Vec::new(),
            numbers: BTreeMap::new(),
            consultations: VecDeque::new(),
            acts: VecDeque::new(),
            shown: options.shown,
            pace: options.pace,
            planted: options.planted,
            is_over: false,
        };
        storm.register_all();
        storm
    }

    /// Lets things go wrong for so long, then lets everything end well.
    pub(super) fn blow(&mut self, length: Duration) -> Verdict {
        while self.world.elapsed() < length {
            let gap = draw::gap(&mut self.rng, self.pace);
            self.pass(gap)?;
            let action = draw::action(&mut self.rng);
            self.act(action)?;
        }
        self.calm_down()
    }

    pub(super) fn report(&self) -> Report {
        let mut faults = self.faults.clone();
        faults.merge(&self.oracle.seen);
        let mishaps = self.world.mishaps();
        faults.add(Fault::Lost, mishaps.lost);
        faults.add(Fault::Duplicated, mishaps.duplicated);
        faults.add(Fault::Delayed, mishaps.delayed);
        faults.add(Fault::Reordered, mishaps.overtaken);
        faults.add(Fault::Truncated, mishaps.truncated);
        faults.add(Fault::Corrupted, mishaps.corrupted);
        let mishaps = self.world.stream_mishaps();
        faults.add(Fault::CutInAMessage, mishaps.cut_in_a_message);
        faults.add(Fault::ConnectionRefused, mishaps.refused);
        faults.add(Fault::GivenUpByProxy, self.world.times_given_up());
        faults.add(Fault::CameBack, self.world.times_come_back());
        faults.add(Fault::Glare, self.oracle.glares());
        faults.add(Fault::AnsweredTwice, self.oracle.answered_twice());
        Report {
            tally: self.oracle.tally,
            faults,
            restarts: self.restarts,
            steps: self.steps,
            elapsed: self.world.elapsed(),
        }
    }

    pub(super) fn failure(&self, what: &str) -> Failure {
        let ladder = self.world.ladder();
        let acts: Vec<_> = self.acts.iter().map(String::as_str).collect();
        Failure {
            seed: self.seed,
            step: self.steps,
            at: self.world.elapsed(),
            what: ladder.lettered(what),
            acts: acts.join("\n"),
            ladder: ladder.to_string(),
        }
    }

    /// Lets time pass, step by step.
    pub(super) fn pass(&mut self, duration: Duration) -> Verdict {
        let until = self.world.now() + duration;
        loop {
            let moved = self.world.advance(until);
            self.look(match moved {
                true => After::Step,
                false => After::Act,
            })?;
            self.hear_peers();
            if self.world.host(self.node).is_some_and(Host::is_dead) {
                self.come_again()?;
            }
            if !moved && self.world.now() >= until {
                return Ok(());
            }
        }
    }

    pub(super) fn look(&mut self, after: After) -> Verdict {
        self.steps += 1;
        self.oracle.look(&mut self.world, after)
    }

    pub(super) fn tell(&mut self, what: impl fmt::Display) {
        let at = self.world.elapsed().as_secs_f64();
        if self.shown == Shown::LastMinute && self.acts.len() >= ACTS_TOLD {
            self.acts.pop_front();
        }
        self.acts.push_back(format!("{at:>8.3}  {what}"));
    }

    fn act(&mut self, action: Action) -> Verdict {
        let after = match action {
            Action::Order => After::Order,
            _ => After::Act,
        };
        match action {
            Action::Call => {
                let count = match self.pace {
                    Pace::Dense => 1,
                    Pace::Long => self.rng.random_range(1..4),
                };
                for _ in 0..count {
                    self.call();
                }
            }
            Action::Burst => {
                self.faults.note(Fault::Burst);
                for _ in 0..self.rng.random_range(20..50) {
                    self.call();
                }
            }
            Action::Manner => self.change_manner(),
            Action::Weather => {
                let (weather, damage) = draw::weather(&mut self.rng);
                self.tell(format_args!("{weather:?} {damage:?}"));
                self.world.set_weather(weather);
                self.world.set_damage(damage);
                self.oracle.note_damage(damage != Damage::default());
            }
            Action::Order => self.give_order(),
            Action::Crisis => self.switch_crisis(),
            Action::Kill => return self.kill(),
            Action::KillWithin => {
                let outputs = self.rng.random_range(1..12);
                self.faults.note(Fault::KilledWithin);
                self.tell(format_args!("it dies after {outputs} outputs"));
                self.world.die_after(self.node, outputs);
            }
            Action::Disk => {
                let manner = draw::disk(&mut self.rng);
                self.tell(format_args!("{manner:?}"));
                self.world.set_disk(self.node, manner);
            }
            Action::Stall => self.stall(),
            Action::Fill => return self.fill(),
            Action::Refuse => self.refuse(),
            Action::Consult => self.consult(),
            Action::BringTogether => self.bring_together(),
            Action::Cut => self.cut(),
            Action::Deafen => self.deafen(),
            Action::Register => self.register_all(),
            Action::Unregister => self.unregister(),
            Action::CallerHangsUp => {
                if !self.sessions.is_empty() {
                    let which = self.rng.random_range(0..self.sessions.len());
                    let (peer, session) = self.sessions.swap_remove(which);
                    self.world.hang_up(peer, session);
                }
            }
        }
        self.look(after)
    }

    /// Somebody calls: mostly one who never did.
    pub(super) fn call(&mut self) {
        let which = match self.callers > 0 && chance(&mut self.rng, 0.2) {
            true => self.rng.random_range(1..=self.callers),
            false => {
                self.callers += 1;
                self.callers
            }
        };
        self.call_from(draw::number(which));
    }

    fn call_from(&mut self, number: String) {
        let plan = draw::plan(&mut self.rng, number.clone(), self.pace);
        match plan.quirk {
            Quirk::ByeBeforeAck => self.faults.note(Fault::ByeBeforeAck),
            Quirk::NeverAcks => self.faults.note(Fault::NeverAcked),
            _ => {}
        }
        let which = self.rng.random_range(0..OPERATORS.len());
        let operator = &OPERATORS[which];
        let first = operator.proxy.map_or(self.node, place);
        let operator = place(operator.address);
        let session = self.world.call(operator, first, plan);
        self.numbers.insert((operator, session), number);
        self.sessions.push((operator, session));
        if self.sessions.len() > 50 {
            self.sessions.remove(0);
        }
    }

    /// Who has failed calls again at once, one time of four.
    pub(super) fn hear_peers(&mut self) {
        for (_, address, event) in self.world.take_peer_events() {
            let (session, status) = match event {
                PeerEvent::Failed {
                    session, status, ..
                } => (session, Some(status)),
                PeerEvent::Ended { session, .. } => (session, None),
                _ => continue,
            };
            let (Some(number), Some(status)) = (self.numbers.remove(&(address, session)), status)
            else {
                continue;
            };
            if status.value() == 487 {
                self.faults.note(Fault::Cancelled);
            }
            if !self.is_over && chance(&mut self.rng, 0.25) {
                self.faults.note(Fault::Redialled);
                self.call_from(number);
            }
        }
    }

    /// All is well from now on, and everything that is under way ends.
    fn calm_down(&mut self) -> Verdict {
        self.is_over = true;
        self.pass(Duration::ZERO)?;
        self.world.die_after(self.node, u32::MAX);
        self.tell("all is well");
        self.world.set_weather(Weather::CALM);
        self.world.set_damage(Damage::default());
        self.world.set_disk(self.node, DiskManner::PERFECT);
        for (agent, phones) in centre::agents() {
            self.world.set_manner(phones, agent, draw::good_manner());
        }
        self.register_all();
        // Whoever was rung in vain is not ready until a person says so.
        for _ in 0..AFTERWARDS.as_secs() / 60 {
            self.pass(Duration::from_secs(60))?;
            let node = self.world.node(self.node);
            let agents: Vec<_> = node.directory().agents().collect();
            let is_idle = node.calls_live() == 0 && self.world.peers_are_idle();
            for agent in agents {
                let want = Want::Ready;
                let order = Order::SetAgent { agent, want };
                let _done = self.world.order(self.node, order);
            }
            self.look(After::Act)?;
            if is_idle {
                break;
            }
        }
        self.pass(Duration::from_secs(300))?;
        self.oracle.look_at_the_end(&self.world)
    }
}
