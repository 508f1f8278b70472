//! A network that loses, doubles and reorders; peers that misbehave. The laws hold all the same.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use sim::{Answer, CallPlan, Fate, Manner, Quirk, Weather};

use super::{AFTER_20_S, Bench, DIALLED, Site, configuration, seconds};

pub(crate) const STORM: Weather = Weather {
    latency: Duration::from_millis(5),
    jitter: Duration::from_millis(400),
    loss: 0.15,
    duplication: 0.10,
};

/// Seeds to run: `SEED=n` runs that one alone, `SEEDS=n` the first n.
pub(super) fn seeds() -> Vec<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    match number("SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SEEDS").unwrap_or(150)).collect(),
    }
}

pub(super) fn random_plan(rng: &mut Pcg64Mcg) -> CallPlan {
    let line = rng.random_range(0..2);
    let mut plan = CallPlan::to(format!("sip:+3330000000{line}@192.0.2.1:5060"));
    if rng.random_bool(0.4) {
        plan = plan.patience(seconds(rng.random::<f64>() * 30.0));
    }
    if rng.random_bool(0.7) {
        plan = plan.talk(seconds(rng.random::<f64>() * 20.0));
    }
    let quirk = match rng.random_range(0..6) {
        0 => Quirk::Hold(seconds(1.0 + rng.random::<f64>() * 3.0)),
        1 => Quirk::LateOffer,
        _ => Quirk::None,
    };
    plan.quirk(quirk)
}

pub(super) fn random_manner(rng: &mut Pcg64Mcg) -> Manner {
    let wait = seconds(rng.random::<f64>() * 12.0);
    let answer = match rng.random_range(0..10) {
        0 => Answer::Busy,
        1 => Answer::DeclineAfter(wait),
        2 => Answer::Never,
        3 => Answer::WhenCancelled,
        4 => Answer::Dead,
        _ => Answer::After(wait),
    };
    let manner = Manner::answers(answer).talks(seconds(5.0 + rng.random::<f64>() * 20.0));
    if rng.random_bool(0.4) {
        manner.holds(seconds(1.0 + rng.random::<f64>() * 3.0))
    } else {
        manner
    }
}

/// Two neighbours of two agents each, one of which keeps an agent for itself.
pub(super) fn two_sites() -> [Site<'static>; 2] {
    [
        Site {
            id: "FR670",
            neighbours: &["FR680"],
            reserve: 0,
            agents: &["a-1", "a-2"],
        },
        Site {
            id: "FR680",
            neighbours: &["FR670"],
            reserve: 1,
            agents: &["b-1", "b-2"],
        },
    ]
}

#[test]
fn no_call_is_lost_in_a_storm() {
    let text = configuration(&two_sites(), AFTER_20_S);
    for seed in seeds() {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut bench = Bench::new(&text, seed, STORM);
        // Phones hang up when callers do not: a call that both sides keep up would never end.
        for agent in ["a-1", "a-2", "b-1", "b-2"] {
            let manner = random_manner(&mut rng);
            bench.manner(agent, manner);
        }
        for _ in 0..30 {
            for agent in ["a-1", "a-2", "b-1", "b-2"] {
                if rng.random_bool(0.2) {
                    let manner = random_manner(&mut rng);
                    bench.manner(agent, manner);
                }
            }
            let plan = random_plan(&mut rng);
            bench.call(plan);
            bench.world.run_for(seconds(rng.random::<f64>() * 6.0));
        }
        for agent in ["a-1", "a-2", "b-1", "b-2"] {
            bench.manner(
                agent,
                Manner::answers_after(seconds(1.0)).talks(seconds(5.0)),
            );
            let (node, agent) = (bench.node, bench.agent(agent));
            bench.world.run_for(seconds(60.0));
            bench.world.set_agent(node, agent, engine::acd::Want::Ready);
        }
        bench.world.set_weather(Weather::CALM);
        bench.world.run_for(seconds(600.0));
        bench.finish();
    }
}

/// Loses the first datagram that goes this way and starts so.
fn lose_first(bench: &mut Bench, start: &'static str, cseq: &'static str) {
    let mut lost = false;
    bench.world.set_filter(Box::new(move |datagram| {
        let text = String::from_utf8_lossy(&datagram.bytes);
        if !lost && text.starts_with(start) && text.contains(cseq) {
            lost = true;
            return Fate::Lost;
        }
        Fate::Passes
    }));
}

#[test]
fn a_lost_200_is_sent_again() {
    let mut bench = Bench::one_site(&["arm-1"]);
    lose_first(&mut bench, "SIP/2.0 200", "CSeq: 1 INVITE");
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn a_lost_ack_is_sent_again() {
    let mut bench = Bench::one_site(&["arm-1"]);
    lose_first(&mut bench, "ACK ", "CSeq: 1 ACK");
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn a_lost_bye_is_sent_again() {
    let mut bench = Bench::one_site(&["arm-1"]);
    lose_first(&mut bench, "BYE ", "CSeq:");
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn noise_costs_nobody_a_call() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let node = bench.node;
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    for _ in 0..2000 {
        let len = rng.random_range(0..200);
        let noise: Vec<u8> = (0..len).map(|_| rng.random::<u8>()).collect();
        bench
            .world
            .send(super::address("198.51.100.66:5060"), node, noise);
        bench.world.run_for(Duration::from_millis(2));
    }
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}
