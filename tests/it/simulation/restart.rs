//! A node dies between two steps, and another begins with what it had written down: who waits, who is
//! being rung and who talks notices nothing but a moment of silence.

use std::{cell::Cell, rc::Rc, time::Duration};

use engine::{acd::Want, journal};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use sim::{Answer, CallPlan, DiskManner, Fate, Manner, SessionId, Weather};

use super::{
    AFTER_20_S, Bench, DIALLED, PHONES, Site, address, configuration,
    faults::{STORM, random_manner, random_plan, seeds, two_sites},
    seconds,
    transfers::{self, ARM_2},
};

impl Bench {
    /// Kills the node and starts another with other random numbers, `down` later.
    pub(super) fn restart(&mut self, text: &str, seed: u64, down: Duration) {
        let config = with_seed(text, seed);
        self.world.restart(self.node, config, down);
    }

    fn places(&self) -> Vec<Option<usize>> {
        let calls = self.world.node(self.node).calls(self.world.now());
        calls.iter().map(|call| call.place).collect()
    }
}

fn with_seed(text: &str, seed: u64) -> engine::Config {
    let loaded = config::load(
        "test.toml".as_ref(),
        text,
        [0, 1, 2, 3].map(|word| seed.rotate_left(word) ^ 0x9e37_79b9),
    );
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    loaded.engine
}

const ONE_SITE: [&str; 1] = ["arm-1"];

pub(super) fn one_site() -> (Bench, String) {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &ONE_SITE,
    };
    let plan = "[[overflow.step]]\nafter = \"1h\"\nraise = 1\n";
    let text = configuration(&[site], plan);
    (Bench::new(&text, 1, Weather::CALM), text)
}

fn call(bench: &mut Bench) -> SessionId {
    bench.call(CallPlan::to(DIALLED).talk(seconds(20.0)))
}

#[test]
fn callers_who_wait_keep_their_places_and_are_told_so() {
    let (mut bench, text) = one_site();
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(1.0)).talks(seconds(15.0)),
    );
    for _ in 0..3 {
        call(&mut bench);
        bench.world.run_for(seconds(1.0));
    }
    assert_eq!(bench.places(), [None, Some(1), Some(2)]);
    bench.restart(&text, 2, seconds(1.0));
    assert_eq!(bench.places(), [None, Some(1), Some(2)]);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"; 3]);
}

/// A process that dies while the sides of a transfer are brought together leaves a colleague who has answered.
#[test]
fn who_has_answered_a_transfer_is_acknowledged_before_goodbye() {
    for step in 0..12 {
        let mut bench = transfers::bench();
        let sends_on = Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), ARM_2);
        bench.manner("arm-1", sends_on);
        call(&mut bench);
        bench.world.run_for(seconds(6.0 + f64::from(step) * 0.001));
        bench.restart(&transfers::centre(""), 2, seconds(0.5));
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"], "{step} ms later");
    }
}

/// The process before may have died before its last ACK left, and both may hang up before that answer comes again.
#[test]
fn who_has_asked_for_a_transfer_is_acknowledged_again() {
    let mut bench = transfers::bench();
    let sends_on = Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), ARM_2);
    bench.manner("arm-1", sends_on);
    bench.manner("arm-2", Manner::answers_after(seconds(20.0)));
    call(&mut bench);
    bench.world.run_for(seconds(5.0));
    let acks = Rc::new(Cell::new(0));
    let seen = acks.clone();
    bench.world.set_filter(Box::new(move |datagram| {
        if datagram.to == address(PHONES) && datagram.bytes.starts_with(b"ACK ") {
            seen.set(seen.get() + 1);
        }
        Fate::Passes
    }));
    bench.restart(&transfers::centre(""), 2, seconds(0.5));
    bench.world.run_for(seconds(1.0));
    assert_eq!(acks.get(), 1);
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn a_phone_that_rings_rings_on_and_its_answer_is_taken() {
    let (mut bench, text) = one_site();
    bench.manner("arm-1", Manner::answers_after(seconds(4.0)));
    call(&mut bench);
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "offered");
    bench.restart(&text, 2, seconds(0.5));
    assert_eq!(bench.state("arm-1"), "offered");
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

/// She picks up while nobody is there to hear it: her phone says so again when it is asked again.
#[test]
fn an_answer_that_nobody_heard_is_heard_again() {
    let (mut bench, text) = one_site();
    bench.manner("arm-1", Manner::answers_after(seconds(2.0)));
    call(&mut bench);
    bench.world.run_for(seconds(1.5));
    bench.restart(&text, 2, seconds(1.0));
    bench.world.run_for(seconds(1.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn who_talks_talks_on_and_either_side_can_hang_up() {
    for hangs_up in ["caller", "agent"] {
        let (mut bench, text) = one_site();
        let talks = if hangs_up == "agent" { 10.0 } else { 300.0 };
        bench.manner(
            "arm-1",
            Manner::answers_after(seconds(1.0)).talks(seconds(talks)),
        );
        call(&mut bench);
        bench.world.run_for(seconds(5.0));
        bench.restart(&text, 2, seconds(2.0));
        assert_eq!(bench.state("arm-1"), "talking");
        bench.world.run_for(seconds(30.0));
        assert_eq!(bench.state("arm-1"), "ready", "{hangs_up} has hung up");
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"]);
    }
}

#[test]
fn agents_are_what_they_were() {
    let (mut bench, text) = one_site();
    let agent = bench.agent("arm-1");
    let reason = engine::acd::PauseReason::new("lunch").unwrap();
    bench
        .world
        .set_agent(bench.node, agent, Want::NotReady { reason });
    bench.restart(&text, 2, seconds(1.0));
    assert_eq!(bench.state("arm-1"), "not-ready");
    bench.world.set_agent(bench.node, agent, Want::Ready);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(1.0)).talks(seconds(2.0)),
    );
    call(&mut bench);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.restart(&text, 3, seconds(1.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "ready");
    bench.finish();
}

#[test]
fn who_gave_up_is_still_to_be_called_back_and_the_agent_of_the_last_call_is_known() {
    let (mut bench, text) = one_site();
    bench.manner("arm-1", Manner::answers(Answer::Never));
    let plan = CallPlan::to(DIALLED).number("+33612345678");
    bench.call(plan.patience(seconds(8.0)));
    bench.world.run_for(seconds(20.0));
    let listed = |bench: &Bench| {
        let entries = bench.world.node(bench.node).abandoned(bench.world.now());
        let one =
            |entry: &engine::AbandonedView| (entry.id, entry.entry.attempts, entry.entry.state);
        entries.iter().map(one).collect::<Vec<_>>()
    };
    let before = listed(&bench);
    assert_eq!(before.len(), 1);
    bench.restart(&text, 2, seconds(1.0));
    assert_eq!(listed(&bench), before);
    let node = bench.world.node(bench.node);
    let entry = node
        .abandoned_entry(bench.world.now(), before[0].0)
        .unwrap();
    let number = entry.number.map(|number| number.expose().clone());
    assert_eq!(
        number.as_deref(),
        Some("+33612345678"),
        "somebody can call back"
    );
    // The same caller, known by a secret that outlived the process.
    let agent = bench.agent("arm-1");
    bench.world.set_agent(bench.node, agent, Want::Ready);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(1.0)).talks(seconds(3.0)),
    );
    bench.call(CallPlan::to(DIALLED).number("+33612345678"));
    bench.world.run_for(seconds(30.0));
    let listed = listed(&bench);
    assert_eq!(
        listed[0].2,
        engine::acd::AbandonedState::Resolved,
        "{listed:?}"
    );
    bench.finish();
}

/// After three minutes nobody upstream waits any more. The agent's phone, which rang, is told to stop.
#[test]
fn who_waited_while_nobody_was_there_for_minutes_is_to_be_called_back() {
    let (mut bench, text) = one_site();
    bench.manner("arm-1", Manner::answers(Answer::Never));
    let (ringing, waiting) = ("+33612345678", "+33612345679");
    for number in [ringing, waiting] {
        let plan = CallPlan::to(DIALLED).number(number);
        bench.call(plan.patience(seconds(60.0)));
        bench.world.run_for(seconds(1.0));
    }
    assert_eq!(bench.places(), [None, Some(1)]);
    bench.restart(&text, 2, seconds(200.0));
    let (now, node) = (bench.world.now(), bench.world.node(bench.node));
    let mut listed: Vec<_> = node
        .abandoned(now)
        .into_iter()
        .map(|entry| entry.number.map(|number| number.expose().clone()))
        .collect();
    listed.sort();
    let expected = [ringing, waiting].map(|number| Some(number.to_owned()));
    assert_eq!(listed, expected);
    assert_eq!((node.status(now).waiting, node.status(now).ringing), (0, 0));
    let text_again = text.clone();
    bench.restart(&text_again, 3, seconds(1.0));
    let node = bench.world.node(bench.node);
    assert_eq!(
        node.abandoned(bench.world.now()).len(),
        2,
        "it is written down"
    );
}

/// Callers are known by a secret, so that nobody reads their numbers from what is written down about them. A journal whose
/// row of the process is damaged has lost it.
#[test]
fn who_called_before_the_secret_was_lost_is_known_after_it() {
    let (_, text) = one_site();
    let text = text.replacen("[[line]]\n", "[[line]]\nresume_within = \"10m\"\n", 1);
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    let agent = bench.agent("arm-1");
    bench.world.set_agent(bench.node, agent, Want::LoggedOut);
    let caller = |number| CallPlan::to(DIALLED).number(number);
    let (gone, patient, waiting) = ("+33612345671", "+33612345672", "+33612345673");
    bench.call(caller(gone).patience(seconds(5.0)));
    bench.world.run_for(seconds(1.0));
    bench.call(caller(patient).patience(seconds(20.0)));
    bench.world.run_for(seconds(1.0));
    bench.call(caller(waiting).patience(seconds(120.0)));
    bench.world.run_for(seconds(8.0));
    assert_eq!(bench.places(), [Some(1), Some(2)], "one has given up");
    let (config, lost) = (with_seed(&text, 2), journal::Kind::Process);
    let down = seconds(1.0);
    bench.world.restart_without(bench.node, config, down, lost);
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.places(), [Some(1)], "another has given up");
    for number in [patient, gone] {
        bench.call(caller(number).patience(seconds(30.0)));
        bench.world.run_for(seconds(1.0));
    }
    // As they came first: the one who waits, and after it who calls again, the last of whom was the first of all.
    assert_eq!(bench.places(), [Some(3), Some(2), Some(1)]);
    bench.finish();
}

/// Restarts at random moments in all weather: every call ends once, every dialog is ended, nothing is
/// left, and nobody is in two calls.
#[test]
fn no_call_is_lost_when_the_node_dies_again_and_again() {
    let text = configuration(&two_sites(), AFTER_20_S);
    let agents = ["a-1", "a-2", "b-1", "b-2"];
    for seed in seeds() {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let weather = if seed % 2 == 0 { Weather::CALM } else { STORM };
        let mut bench = Bench::new(&text, seed, weather);
        bench.world.set_disk(bench.node, random_disk(&mut rng));
        // Phones hang up when callers do not: a call that both sides keep up would never end.
        for agent in agents {
            let manner = random_manner(&mut rng);
            bench.manner(agent, manner);
        }
        let mut lives = 0;
        for _ in 0..20 {
            for agent in agents {
                if rng.random_bool(0.3) {
                    let manner = random_manner(&mut rng);
                    bench.manner(agent, manner);
                }
            }
            let plan = random_plan(&mut rng);
            bench.call(plan);
            bench.world.run_for(seconds(rng.random::<f64>() * 5.0));
            // Once, or again while it takes up what was before.
            for _ in 0..[0, 0, 0, 0, 1, 1, 2][rng.random_range(0..7)] {
                lives += 1;
                bench.world.die_after(bench.node, rng.random_range(1..12));
                bench.world.run_for(seconds(rng.random::<f64>() * 0.5));
                let down = seconds(rng.random::<f64>() * 1.5);
                bench.restart(&text, seed ^ (lives << 40), down);
            }
        }
        bench.world.set_weather(Weather::CALM);
        for agent in agents {
            bench.manner(
                agent,
                Manner::answers(Answer::After(seconds(1.0))).talks(seconds(5.0)),
            );
            let (node, agent) = (bench.node, bench.agent(agent));
            bench.world.run_for(seconds(60.0));
            bench.world.set_agent(node, agent, Want::Ready);
        }
        bench.world.run_for(seconds(2_400.0));
        bench.finish();
    }
}

/// Half of them are at once done with everything.
fn random_disk(rng: &mut Pcg64Mcg) -> DiskManner {
    match rng.random_bool(0.5) {
        true => DiskManner::PERFECT,
        false => DiskManner {
            delay: seconds(rng.random::<f64>() * 0.2),
            unheard: 0.5,
        },
    }
}

/// A world with a call that waits, one that rings, one that talks and one that is being refused.
fn busy() -> Bench {
    let mut bench = Bench::new(&configuration(&two_sites(), AFTER_20_S), 1, Weather::CALM);
    bench.manner("a-1", Manner::answers_after(seconds(1.0)));
    bench.manner("a-2", Manner::answers(Answer::Never));
    for _ in 0..3 {
        call(&mut bench);
        bench.world.run_for(seconds(2.0));
    }
    bench
}

#[test]
fn a_damaged_row_is_told_and_costs_no_other() {
    let bench = busy();
    let node = bench.world.node(bench.node);
    let clock = journal::Clock::new(bench.world.now(), 0);
    let rows = node.rows(clock);
    let calls = rows
        .iter()
        .filter(|row| row.kind == journal::Kind::Call.number());
    assert_eq!(calls.count(), 3);
    let mut told = 0;
    for (which, row) in rows.iter().enumerate() {
        for at in 0..row.body.len() {
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut rows = rows.clone();
                rows[which].body[at] ^= change;
                let read = journal::decode(&rows, node.names(), clock);
                let others = rows.len() - 1;
                let known = |read: &journal::Decoded| {
                    read.node.calls.len() + read.node.agents.len() + read.losses.len()
                };
                // The rows of sites and of the unheard are there, or told.
                assert!(known(&read) + 2 >= others, "{which} {at} {change}");
                assert!(read.losses.len() <= 1, "{:?}", read.losses);
                told += read.losses.len();
            }
        }
        let mut rows = rows.clone();
        rows[which].body.truncate(row.body.len() / 2);
        let read = journal::decode(&rows, node.names(), clock);
        assert_eq!(read.losses.len(), 1, "half of a row is none");
        rows[which].version += 1;
        let read = journal::decode(&rows, node.names(), clock);
        assert!(read.losses[0].error.to_string().contains("version 3"));
        (rows[which].version, rows[which].kind) = (1, 99);
        let read = journal::decode(&rows, node.names(), clock);
        let [loss] = &read.losses[..] else {
            panic!(
                "a row of a kind that nobody knows is told: {:?}",
                read.losses
            );
        };
        assert!(loss.error.to_string().contains("kind 99 is not known"));
    }
    assert!(told > 100, "{told}");
}

/// When a process dies it is compared what is written with what there is.
#[test]
fn a_registration_that_ends_beside_another_is_written_down() {
    let (_, text) = one_site();
    let fixed = format!("contact = \"sip:arm-1@{PHONES}\"\n");
    assert!(text.contains(&fixed));
    let text = text.replace(&fixed, "");
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    let elsewhere = address("203.0.113.2:5060");
    let manner = Manner::answers_after(seconds(1.0));
    bench.world.add_peer("home", elsewhere, manner);
    for phone in [bench.phones, elsewhere] {
        let node = bench.node;
        bench.world.register(phone, node, "arm-1", "samu.example");
        bench.world.run_for(seconds(600.0));
    }
    bench.world.run_for(seconds(2_700.0));
    bench.restart(&text, 2, seconds(1.0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.finish();
}

/// Neither is a call lost whose plan has another name now, nor one that an agent has, or is rung for, who
/// is not in the configuration any more.
#[test]
fn calls_outlive_the_plan_and_the_agents_of_a_configuration() {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2"],
    };
    let plan = "[[overflow.step]]\nafter = \"1h\"\nraise = 1\n";
    let text = configuration(&[site], plan);
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
    bench.manner("arm-2", Manner::answers(Answer::Never));
    for _ in 0..3 {
        bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
        bench.world.run_for(seconds(2.0));
    }
    assert_eq!(bench.places(), [None, None, Some(1)]);
    let text = text
        .replace("mutual-aid", "entraide")
        .replace("\"arm-1\"", "\"arm-3\"")
        .replace("\"arm-2\"", "\"arm-4\"");
    let loaded = config::load("test.toml".as_ref(), &text, [2; 4]).unwrap();
    let losses = bench
        .world
        .restart_otherwise(bench.node, loaded.engine, seconds(1.0));
    assert_eq!(losses.len(), 2, "the two agents: {losses:?}");
    // Who talks talks on; the others have the agents of now, at the same telephones.
    bench.manner("arm-2", Manner::answers_after(seconds(1.0)));
    bench.world.run_for(seconds(10.0));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!(calls.len(), 3);
    assert_eq!(
        [bench.state("arm-3"), bench.state("arm-4")],
        ["talking", "talking"]
    );
    bench.world.run_for(seconds(600.0));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes().len(), 3);
}

/// Whose line is gone is on the default line, at the old place; whoever has a call of it keeps it.
#[test]
fn calls_outlive_their_line() {
    let sites = [("FR670", "arm-1"), ("FR680", "arm-2")].map(|(id, agent)| (id, [agent]));
    let sites = sites.each_ref().map(|(id, agents)| Site {
        id,
        neighbours: &[],
        reserve: 0,
        agents,
    });
    let text = configuration(&sites, "[[overflow.step]]\nafter = \"1h\"\nraise = 1\n");
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    for agent in ["arm-1", "arm-2"] {
        bench.manner(
            agent,
            Manner::answers_after(seconds(1.0)).talks(seconds(30.0)),
        );
    }
    // To the other line, then to the default line: the agents have two calls, and two wait.
    for number in ["sip:+33300000001@192.0.2.1:5060", DIALLED] {
        for _ in 0..2 {
            bench.call(CallPlan::to(number).talk(seconds(60.0)));
            bench.world.run_for(seconds(2.0));
        }
    }
    assert_eq!(bench.places(), [None, Some(1), None, Some(1)]);
    let line = |site| format!("\"{site}-15-Samu-Px-F01\"");
    let text = text.replace(&line("FR680"), &line("FR681"));
    let loaded = config::load("test.toml".as_ref(), &text, [2; 4]).unwrap();
    let clock = journal::Clock::new(bench.world.now(), 0);
    let rows = bench.world.node(bench.node).rows(clock);
    let read = journal::decode(&rows, loaded.engine.names(), clock);
    assert_eq!(read.lines_missed, ["FR680-15-Samu-Px-F01"], "it is told");
    let losses = bench
        .world
        .restart_otherwise(bench.node, loaded.engine, seconds(1.0));
    assert!(losses.is_empty(), "nothing of it is lost: {losses:?}");
    assert_eq!(bench.places(), [None, Some(1), None, Some(2)]);
    assert_eq!(
        [bench.state("arm-1"), bench.state("arm-2")],
        ["talking", "talking"]
    );
    bench.world.run_for(seconds(300.0));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"; 4]);
}

/// A configuration that lost an agent and a plan in between finds the rest.
#[test]
fn what_the_configuration_does_not_know_any_more_is_told() {
    let bench = busy();
    let node = bench.world.node(bench.node);
    let clock = journal::Clock::new(bench.world.now(), 0);
    let rows = node.rows(clock);
    let text = configuration(&two_sites(), AFTER_20_S).replace("id = \"b-2\"", "id = \"b-3\"");
    let loaded = config::load("test.toml".as_ref(), &text, [1; 4]).unwrap();
    let read = journal::decode(&rows, loaded.engine.names(), clock);
    let told: Vec<_> = read
        .losses
        .iter()
        .map(|loss| loss.error.to_string())
        .collect();
    assert_eq!(told, ["the configuration has no agent `b-2`"]);
    assert_eq!((read.node.calls.len(), read.node.agents.len()), (3, 3));
}
