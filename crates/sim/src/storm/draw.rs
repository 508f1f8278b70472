//! What happens next, drawn by weight.

use std::time::{Duration, Instant};

use engine::{
    Engine, Order, Picked,
    acd::{AbandonedState, Disposition, PauseReason, Priority, SiteState, Want},
    sip::Transport,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::{
    Pace,
    centre::{DOMAIN, NUMBERS, ONWARD},
};
use crate::{
    host::DiskManner,
    network::{Damage, Weather},
    peer::Patience,
    proxy::{GivesUp, ProxyManner, Style},
    script::{Answer, CallPlan, Manner, Quirk},
};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Call,
    Burst,
    Manner,
    Weather,
    Order,
    Crisis,
    Kill,
    KillWithin,
    Disk,
    Stall,
    Fill,
    Refuse,
    Register,
    Unregister,
    CallerHangsUp,
    Cut,
    Deafen,
    Consult,
    BringTogether,
}

const WEIGHTS: [(Action, u32); 19] = [
    (Action::Call, 100),
    (Action::Burst, 2),
    (Action::Manner, 40),
    (Action::Weather, 10),
    (Action::Order, 60),
    (Action::Crisis, 4),
    (Action::Kill, 5),
    (Action::KillWithin, 8),
    (Action::Disk, 6),
    (Action::Stall, 2),
    (Action::Fill, 1),
    (Action::Refuse, 4),
    (Action::Register, 12),
    (Action::Unregister, 3),
    (Action::CallerHangsUp, 10),
    (Action::Cut, 16),
    (Action::Deafen, 3),
    (Action::Consult, 8),
    (Action::BringTogether, 8),
];

pub(super) fn action(rng: &mut Pcg64Mcg) -> Action {
    let all: u32 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut at = rng.random_range(0..all);
    for (action, weight) in WEIGHTS {
        if at < weight {
            return action;
        }
        at -= weight;
    }
    Action::Call
}

/// How long nothing is done: mostly seconds, often nothing, now and then longer. At the long pace minutes.
pub(super) fn gap(rng: &mut Pcg64Mcg, pace: Pace) -> Duration {
    if pace == Pace::Long && chance(rng, 0.8) {
        return between(rng, 30.0, 240.0);
    }
    match rng.random_range(0..10) {
        0..3 => between(rng, 0.0, 0.3),
        3..9 => between(rng, 0.3, 8.0),
        _ => between(rng, 8.0, 60.0),
    }
}

pub(super) fn between(rng: &mut Pcg64Mcg, low: f64, high: f64) -> Duration {
    Duration::from_secs_f64(low + (high - low) * rng.random::<f64>())
}

/// As often between 1 and 10 as between 10 and 100.
fn on_a_scale(rng: &mut Pcg64Mcg, low: f64, high: f64) -> Duration {
    let (low, high) = (low.ln(), high.ln());
    Duration::from_secs_f64((low + (high - low) * rng.random::<f64>()).exp())
}

pub(super) fn chance(rng: &mut Pcg64Mcg, share: f64) -> bool {
    rng.random_bool(share)
}

pub(super) fn one_of<T: Copy>(rng: &mut Pcg64Mcg, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

/// The number of a caller.
pub(super) fn number(which: u64) -> String {
    format!("+336{which:08}")
}

/// Nobody waits or talks for ever.
pub(super) fn plan(rng: &mut Pcg64Mcg, number: String, pace: Pace) -> CallPlan {
    let dialled = one_of(rng, &NUMBERS);
    let hurried = match pace {
        Pace::Dense => 0.4,
        Pace::Long => 0.1,
    };
    let patience = match chance(rng, hurried) {
        true => on_a_scale(rng, 0.002, 60.0),
        false => on_a_scale(rng, 60.0, 1_200.0),
    };
    let of = match pace {
        Pace::Dense => 20,
        Pace::Long => 50,
    };
    let quirk = match rng.random_range(0..of) {
        0..3 => Quirk::Hold(one_of(rng, &HOLDS)),
        3..6 => Quirk::LateOffer,
        6 => Quirk::ByeBeforeAck,
        7 => Quirk::NeverAcks,
        _ => Quirk::None,
    };
    CallPlan::to(format!("sip:{dialled}@192.0.2.1:5060"))
        .number(number)
        .patience(patience)
        .talk(match pace {
            Pace::Dense => on_a_scale(rng, 0.5, 1_200.0),
            Pace::Long => on_a_scale(rng, 120.0, 3_600.0),
        })
        .quirk(quirk)
}

/// When a call is held after its answer: often by both sides in the same moment.
const HOLDS: [Duration; 3] = [
    Duration::from_millis(700),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// How phones are reached that register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phones {
    /// Where they say that they are, too.
    AtTheirContact,
    /// By the connections alone that they open.
    BehindNat,
}

/// Drawn apart: whatever else happens by a seed happens either way.
pub(super) fn phones(seed: u64) -> Phones {
    let mut rng = Pcg64Mcg::seed_from_u64(seed.rotate_left(29) ^ 0x5eed);
    match chance(&mut rng, 0.4) {
        true => Phones::BehindNat,
        false => Phones::AtTheirContact,
    }
}

pub(super) fn manner(rng: &mut Pcg64Mcg, pace: Pace) -> Manner {
    let wait = on_a_scale(rng, 0.01, 16.0);
    let of = match pace {
        Pace::Dense => 16,
        Pace::Long => 40,
    };
    let answer = match rng.random_range(0..of) {
        0 => Answer::Busy,
        1 => Answer::DeclineAfter(wait),
        2 => Answer::Never,
        3 => Answer::WhenCancelled,
        4 => Answer::Dead,
        5 => Answer::Twice(wait),
        _ => Answer::After(wait),
    };
    let manner = Manner::answers(answer).talks(match pace {
        Pace::Dense => on_a_scale(rng, 1.0, 1_800.0),
        Pace::Long => on_a_scale(rng, 600.0, 3_600.0),
    });
    let manner = match chance(rng, 0.3) {
        true => manner.holds(one_of(rng, &HOLDS)),
        false => manner,
    };
    match chance(rng, 0.2) {
        true => manner.transfers(on_a_scale(rng, 0.01, 30.0), one_of(rng, &ONWARD)),
        false => manner,
    }
}

/// A call that an agent makes, mostly about another.
pub(super) fn consultation(rng: &mut Pcg64Mcg, agent: &str) -> CallPlan {
    CallPlan::to(one_of(rng, &ONWARD))
        .identity(format!("sip:{agent}@{DOMAIN}"))
        .patience(on_a_scale(rng, 0.1, 120.0))
        .talk(on_a_scale(rng, 1.0, 300.0))
}

/// What a peer makes of the end of a connection.
pub(super) fn patience(rng: &mut Pcg64Mcg) -> Patience {
    one_of(rng, &[Patience::Waits, Patience::None])
}

/// How a proxy behaves.
pub(super) fn proxy(rng: &mut Pcg64Mcg) -> ProxyManner {
    ProxyManner {
        downstream: one_of(rng, &[Transport::Udp, Transport::Tcp]),
        stays: chance(rng, 0.6),
        hops_hidden: rng.random_range(0..4),
        forks: chance(rng, 0.2),
        // Three minutes at least (RFC 3261 §16.6), but for those who know better.
        timer_c: match chance(rng, 0.7) {
            true => Duration::from_secs(181),
            false => between(rng, 20.0, 90.0),
        },
        gives_up: one_of(rng, &[GivesUp::ByItself, GivesUp::WithTheAnswer]),
        patience: patience(rng),
        style: one_of(rng, &[Style::AsTheyCame, Style::Compact, Style::Odd]),
    }
}

/// How a phone behaves when all is well.
pub(super) fn good_manner() -> Manner {
    Manner::answers_after(Duration::from_secs(1)).talks(Duration::from_secs(20))
}

pub(super) fn weather(rng: &mut Pcg64Mcg) -> (Weather, Damage) {
    let milliseconds = Duration::from_millis;
    let storm = Weather {
        latency: milliseconds(5),
        jitter: milliseconds(400),
        loss: 0.15,
        duplication: 0.1,
    };
    let damage = Damage {
        delay: 0.03,
        truncation: 0.02,
        corruption: 0.02,
    };
    match rng.random_range(0..8) {
        0..4 => (Weather::CALM, Damage::default()),
        4..6 => (
            Weather {
                jitter: milliseconds(30),
                loss: 0.02,
                duplication: 0.02,
                ..storm
            },
            Damage::default(),
        ),
        6 => (storm, Damage::default()),
        _ => (
            Weather {
                loss: 0.08,
                ..storm
            },
            damage,
        ),
    }
}

pub(super) fn disk(rng: &mut Pcg64Mcg) -> DiskManner {
    match rng.random_range(0..3) {
        0 => DiskManner::PERFECT,
        1 => DiskManner {
            delay: between(rng, 0.0, 0.02),
            unheard: 0.5,
        },
        _ => DiskManner {
            delay: between(rng, 0.0, 0.4),
            unheard: 0.5,
        },
    }
}

/// What somebody at a desk asks for: often what makes no sense now.
pub(super) fn order(
    rng: &mut Pcg64Mcg,
    node: &Engine,
    now: Instant,
    calls: &[String],
) -> Option<Order> {
    let directory = node.directory();
    let agents: Vec<_> = directory.agents().collect();
    let agent = one_of(rng, &agents);
    let lunch = || Want::NotReady {
        reason: PauseReason::new("lunch").expect("it is a word"),
    };
    let call = (!calls.is_empty()).then(|| calls[rng.random_range(0..calls.len())].clone());
    Some(match rng.random_range(0..24) {
        0..12 => Order::SetAgent {
            agent,
            want: Want::Ready,
        },
        12 => Order::SetAgent {
            agent,
            want: lunch(),
        },
        13 => Order::SetAgent {
            agent,
            want: Want::LoggedOut,
        },
        14 => Order::LogIn { agent },
        15 => Order::ExtendWrapUp {
            agent,
            by: between(rng, 0.0, 30.0),
        },
        16 => Order::Dispose {
            agent,
            code: Disposition::new("medical").expect("it is a word"),
        },
        17 => Order::Pick {
            agent,
            call: Picked::Place(rng.random_range(1..5)),
        },
        18 => Order::Pick {
            agent,
            call: Picked::Call(call?),
        },
        19 => Order::SetPriority {
            call: call?,
            priority: Priority::new(rng.random_range(0..4))?,
        },
        20 => Order::Keep { call: call? },
        21 => Order::SetSiteState {
            site: one_of(rng, &directory.sites().collect::<Vec<_>>()),
            state: one_of(
                rng,
                &[None, Some(SiteState::Overloaded), Some(SiteState::Down)],
            ),
        },
        _ => Order::HandleAbandoned {
            entry: node.abandoned(now).first()?.id,
            state: AbandonedState::Resolved,
        },
    })
}
