//! Everybody who takes part in a run: callers, the operator's SBC, the node that is killed, phones, and
//! the relays between them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLockReadGuard},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::{
    far_end::{FarEnd, Manners},
    ledger::{Carriage, Ledger, Tally},
    phase::{Link, Phase},
    relay::{Fate, Place, Relay, Weather},
    sockets::Sockets,
    trap::{Hunt, Set, Trap},
    victim::Victim,
};
use crate::{
    peers::kamailio::{self, Kamailio, Probing},
    scenarios::{
        run::MACHINE,
        spec::{Bound, Condition},
    },
    support::{
        binary,
        poll::{self, Look},
        ports::free_port,
    },
};

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) agents: u32,
    pub(super) manners: Manners,
    pub(super) weather: Weather,
    pub(super) carriage: Carriage,
    /// How long an agent is left alone after a call.
    pub(super) wrap_up: &'static str,
    pub(super) operator: Operator,
    pub(super) sockets: Listening,
}

/// How calls come to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Callers speak UDP to Kamailio, and Kamailio TCP to the node.
    Kamailio,
    /// Callers speak UDP to the node.
    Nobody,
}

/// Whose the node's listening sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listening {
    /// The node's: they are gone while it is.
    Own,
    /// Somebody's who holds them while the node is away.
    Held,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            agents: 4,
            manners: Manners::default(),
            weather: Weather::default(),
            carriage: Carriage::Sure,
            wrap_up: "0s",
            operator: Operator::Kamailio,
            sockets: Listening::Own,
        }
    }
}

/// A run.
pub(super) struct Scene {
    plan: Plan,
    pub(super) folder: PathBuf,
    pub(super) node: Victim,
    trap: Arc<Trap>,
    hunt: Hunt,
    /// How many so far.
    kills: usize,
    /// Of the callers, and of the phones.
    relays: [Relay; 2],
    /// The callers' own port, and that of their relay.
    caller_ports: [u16; 2],
    callers: Option<FarEnd>,
    /// Whether they end by themselves.
    counted: bool,
    phones: FarEnd,
    sbc: Option<Kamailio>,
    /// Not beside a scenario that measures.
    _company: RwLockReadGuard<'static, ()>,
}

impl Scene {
    /// Starts all but the callers.
    pub(super) fn start(name: &str, plan: Plan, random: &mut Pcg64Mcg) -> anyhow::Result<Self> {
        binary::check_sipp()?;
        binary::quinze()?;
        let company = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("chaos")
            .join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let deadline = Instant::now() + START_MAX;
        let [sip, http, callers, callers_relay, phones, phones_relay] =
            std::array::from_fn(|_| free_port());
        let mut phone_end =
            FarEnd::start(&folder, "phone", [phones, phones_relay], plan.manners, &[])?;
        phone_end.await_listening(phones, deadline)?;
        let sockets = match plan.sockets {
            Listening::Own => None,
            Listening::Held => Some(Sockets::hold(sip)?),
        };
        let configuration = configuration([sip, http, phones_relay], plan)?;
        let node = Victim::start(
            &folder.join("node"),
            &configuration,
            http,
            sockets,
            deadline,
        )?;
        let sbc = match plan.operator {
            Operator::Nobody => None,
            Operator::Kamailio => Some(operator(&folder.join("kamailio"), sip, deadline)?),
        };
        let (trap, hunt) = Trap::new(node.target());
        let trap = Arc::new(trap);
        let mut relay = |link, [port, inner, outer]: [u16; 3]| {
            let trap = Arc::clone(&trap);
            let place = Place { port, inner, outer };
            let watch = Box::new(move |towards, message: &_| trap.look(link, towards, message));
            Relay::start(place, plan.weather, random.random(), watch)
        };
        let door = sbc.as_ref().map_or(sip, |sbc| sbc.port);
        let relays = [
            relay(Link::Callers, [callers_relay, callers, door])?,
            relay(Link::Phones, [phones_relay, phones, sip])?,
        ];
        Ok(Self {
            plan,
            folder,
            node,
            trap,
            hunt,
            kills: 0,
            relays,
            caller_ports: [callers, callers_relay],
            callers: None,
            counted: false,
            phones: phone_end,
            sbc,
            _company: company,
        })
    }

    /// Lets calls come, so many a second, and so many at a time at most; all in all so many, or until
    /// the end.
    pub(super) fn call(
        &mut self,
        rate: u32,
        at_a_time: u32,
        all: Option<u32>,
    ) -> anyhow::Result<()> {
        let [rate, at_a_time, all] =
            [Some(rate), Some(at_a_time), all].map(|number| number.unwrap_or(0).to_string());
        let target = format!("127.0.0.1:{}", self.caller_ports[1]);
        let mut args = vec!["-r", &rate, "-l", &at_a_time, "-s", "15", &target];
        if all != "0" {
            args.extend(["-m", &all]);
        }
        let callers = FarEnd::start(
            &self.folder,
            "caller",
            self.caller_ports,
            self.plan.manners,
            &args,
        )?;
        self.callers = Some(callers);
        self.counted = all != "0";
        Ok(())
    }

    /// Kills the node in a phase of one of the calls, and starts it again. What happened, in words.
    pub(super) fn kill(&mut self, phase: Phase, random: &mut Pcg64Mcg) -> anyhow::Result<String> {
        let how = phase.how(random);
        let fate = if phase.may_lose_the_sign() && random.random_bool(0.5) {
            Fate::Lost
        } else {
            Fate::Passed
        };
        self.trap.set(Set {
            sign: phase.sign(self.kills),
            how,
            fate,
            pass_before: random.random_range(0..4),
        });
        // Most are back at once; some let a while go by, in which others give up and hang up.
        let away = if random.random_bool(0.2) {
            Duration::from_millis(random.random_range(200..1500))
        } else {
            Duration::ZERO
        };
        self.kills += 1;
        self.check_runs()?;
        let deadline = Instant::now() + KILL_MAX;
        let target = self.node.target();
        let sprung = self
            .hunt
            .killed(&target, deadline)
            .with_context(|| format!("{phase:?}"))?;
        let away = self.restart(away)?;
        let by = sprung.by;
        Ok(format!(
            "{phase:?}: killed {how:?} of `{by}`, which was {fate:?}; away for {} ms",
            away.as_millis()
        ))
    }

    /// Waits until so many more calls have begun.
    pub(super) fn go_on(&mut self, calls: usize) -> anyhow::Result<()> {
        let wanted = self.trap.begun() + calls;
        poll::until(Instant::now() + KILL_MAX, "more calls", || {
            self.check_runs()?;
            let begun = self.trap.begun();
            Ok(if begun >= wanted {
                Look::Done(())
            } else {
                Look::NotYet(format!("{begun} of {wanted}"))
            })
        })
    }

    /// Kills the node at this moment, and starts it again after so long. How long it was away.
    pub(super) fn kill_now(&mut self, away: Duration) -> anyhow::Result<Duration> {
        self.check_runs()?;
        self.node.target().kill();
        self.restart(away)
    }

    /// Starts a node that was killed, not before so long after.
    fn restart(&mut self, away: Duration) -> anyhow::Result<Duration> {
        let killed = Instant::now();
        let deadline = killed + away + START_MAX;
        self.node.bury(deadline)?;
        // How long it is away is an input of the run.
        std::thread::sleep(away.saturating_sub(killed.elapsed()));
        self.node.revive(deadline)?;
        Ok(killed.elapsed())
    }

    pub(super) fn check_runs(&mut self) -> anyhow::Result<()> {
        self.node.check_runs()?;
        self.phones.check_runs()
    }

    /// Waits until all of this is true of the node at once.
    pub(super) fn wait(
        &mut self,
        what: &str,
        conditions: &[Condition],
        limit: Duration,
    ) -> anyhow::Result<()> {
        poll::until(Instant::now() + limit, what, || {
            self.check_runs()?;
            let unmet = self.node.api.unmet(conditions)?;
            Ok(if unmet.is_empty() {
                Look::Done(())
            } else {
                Look::NotYet(unmet.join("; "))
            })
        })
    }

    /// What both ends have logged up to now.
    pub(super) fn ledger(&self) -> anyhow::Result<Ledger> {
        let callers = match &self.callers {
            Some(callers) => callers.messages()?,
            None => Vec::new(),
        };
        Ok(Ledger::read(&callers, &self.phones.messages()?))
    }

    /// Lets the last calls end, and judges all.
    pub(super) fn end(mut self) -> anyhow::Result<Outcome> {
        let mut left = Vec::new();
        if let Some(callers) = &mut self.callers {
            if !self.counted {
                callers.wind_up()?;
            }
            let ended = poll::until(Instant::now() + END_MAX, "the end of the callers", || {
                Ok(if callers.ended()? {
                    Look::Done(())
                } else {
                    Look::NotYet("some callers are left".to_owned())
                })
            });
            left.extend(ended.err().map(|error| format!("{error:#}")));
        }
        let at_rest = at_rest(self.plan.agents);
        let rested = self.wait("a node at rest", &at_rest, REST_MAX);
        left.extend(rested.err().map(|error| format!("{error:#}")));
        // What the phones' SIPp has to say to that may be a moment later in its log.
        let _open = poll::until(Instant::now() + LOG_MAX, "the end of all dialogs", || {
            Ok(match self.ledger()?.open() {
                0 => Look::Done(()),
                open => Look::NotYet(format!("{open} dialogs are open")),
            })
        });
        let ledger = self.ledger()?;
        let relays = self.relays.each_ref().map(Relay::told);
        let told = format!(
            "callers' relay: {}; phones' relay: {}",
            relays[0], relays[1]
        );
        if let Some(sbc) = self.sbc.take() {
            sbc.stop()?;
        }
        Ok(Outcome {
            tally: ledger.tally(self.plan.carriage),
            ledger,
            left,
            told,
            folder: self.folder,
        })
    }
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) ledger: Ledger,
    /// What did not come to rest: callers, calls of the node, agents.
    pub(super) left: Vec<String>,
    /// What the relays did.
    pub(super) told: String,
    folder: PathBuf,
}

impl Outcome {
    /// Fails where a call was lost, a phone had two calls, or something did not come to rest.
    pub(super) fn check(&self, kills: &[String]) -> anyhow::Result<()> {
        let Self {
            tally, left, told, ..
        } = self;
        anyhow::ensure!(
            tally.is_good() && left.is_empty() && tally.answered > 0,
            "{tally}\nleft: {left:#?}\n{told}\nkills: {kills:#?}\nlogs: {}",
            self.folder.display()
        );
        Ok(())
    }
}

/// Nobody waits, no phone rings, nothing is connected, no leg is left, and every agent is free.
fn at_rest(agents: u32) -> Vec<Condition> {
    let mut conditions: Vec<_> = ["waiting", "ringing", "connected"]
        .map(|stage| status(&format!("/calls/{stage}"), 0))
        .into();
    conditions.push(status("/legs", 0));
    conditions.push(Condition::Metric {
        metric: "quinze_agents{site=\"FR670\",state=\"ready\"}".to_owned(),
        is: Bound::Exactly(agents.into()),
    });
    conditions
}

/// A number of `/v1/status`.
pub(super) fn status(pointer: &str, is: u32) -> Condition {
    Condition::Api {
        get: "/v1/status".to_owned(),
        pointer: pointer.to_owned(),
        is: Bound::Exactly(is.into()),
    }
}

/// Kamailio over TCP. It knows of no other node: one that is silent is asked once more.
fn operator(folder: &Path, sip: u16, deadline: Instant) -> anyhow::Result<Kamailio> {
    fs::create_dir_all(folder)?;
    let (nodes, link) = ([sip, sip], kamailio::Link::Tcp);
    Kamailio::start_patient(folder, &nodes, link, Probing::Never, SILENCE_MAX, deadline)
}

fn configuration([sip, http, phones]: [u16; 3], plan: Plan) -> anyhow::Result<String> {
    let template = binary::root().join("sip-scenarios/nodes/one-site.toml");
    let mut text = fs::read_to_string(&template)
        .with_context(|| format!("{}", template.display()))?
        .replace("{sip_port}", &sip.to_string())
        .replace("{http_port}", &http.to_string())
        .replace("{ring_time}", "15s")
        .replace("{wrap_up}", plan.wrap_up);
    text.push_str("\n[journal]\npath = \"quinze.journal\"\n");
    for n in 1..=plan.agents {
        text.push_str(&format!(
            "\n[[agent]]\nid = \"arm-67-{n}\"\nsite = \"FR670\"\nskills = {{ amu = 5 }}\n\
             contact = \"sip:arm-67-{n}@127.0.0.1:{phones}\"\nstart = \"ready\"\n"
        ));
    }
    Ok(text)
}

/// An SBC with one node waits longer than its restart takes.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Longer than any of the programs takes to start on a slow machine.
const START_MAX: Duration = Duration::from_secs(30);
/// By then a message that is waited for has come by.
const KILL_MAX: Duration = Duration::from_secs(30);
/// Longer than any transaction of SIP lives: by then the last caller has ended.
const END_MAX: Duration = Duration::from_secs(45);
/// How long a node may take after the last caller: a transaction may have to die.
const REST_MAX: Duration = Duration::from_secs(40);
/// SIPp writes its log a moment after it has sent.
const LOG_MAX: Duration = Duration::from_secs(2);
