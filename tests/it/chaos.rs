//! Real processes, and one of them is killed: SIPp's callers, Kamailio as the operator's SBC (UDP in, TCP
//! out), the node, SIPp's phones. No call that somebody was told to be in hand is lost, no agent is stuck,
//! no phone rings for two calls at once.
//!
//! Both ends log what they send and receive, and that alone decides ([`ledger`]); what SIPp itself thinks
//! of its calls does not count. `cargo xtask test --only chaos` runs these; `cargo xtask chaos` runs the
//! long form and prints what it measured. `SEED=n` repeats what was drawn.

mod far_end;
mod figures;
mod ledger;
mod leg;
mod loss;
mod message;
mod phase;
mod relay;
mod scene;
mod sockets;
mod trace;
mod trap;
mod victim;

use std::{env, str::FromStr};

use anyhow::Context as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use self::{
    phase::Phase,
    scene::{Listening, Plan, Scene},
};
use crate::scenarios::Failed;

/// One test for each phase in which the node is killed.
macro_rules! phases {
    ($($test:ident: $phase:ident,)*) => {
        $(
            #[test]
            fn $test() -> Result<(), Failed> {
                killed_in(stringify!($test), Phase::$phase).map_err(Failed)
            }
        )*

        #[test]
        fn every_phase_is_tested() {
            assert_eq!(Phase::ALL.to_vec(), [$(Phase::$phase),*]);
        }
    };
}

phases! {
    killed_before_the_journal: BeforeTheJournal,
    killed_when_journalled_but_unsent: JournalledButUnsent,
    killed_when_182_is_sent: Queued,
    killed_when_the_agent_is_asked: AgentAsked,
    killed_when_the_agent_rings: AgentRings,
    killed_when_the_agent_answers: AgentAnswers,
    killed_when_the_caller_is_answered: CallerAnswered,
    killed_before_the_ack: BeforeAck,
    killed_while_they_talk: Talking,
    killed_at_a_re_invite: ReInvite,
    killed_at_a_bye: Bye,
}

fn killed_in(name: &str, phase: Phase) -> anyhow::Result<()> {
    seeded(name, |random| {
        let sockets = if random.random_bool(0.5) {
            Listening::Own
        } else {
            Listening::Held
        };
        let plan = Plan {
            sockets,
            ..Plan::default()
        };
        let mut scene = Scene::start(name, plan, random)?;
        scene.call(20, 10, None)?;
        let mut kills = Vec::new();
        for _ in 0..size("QUINZE_CHAOS_KILLS", 5) {
            kills.push(scene.kill(phase, random)?);
        }
        scene.go_on(MORE_CALLS)?;
        let outcome = scene.end()?;
        tell(&format!(
            "{name}, sockets {sockets:?}: {}\n{kills:#?}",
            outcome.tally
        ));
        outcome.check(&kills)
    })
}

#[test]
fn nothing_is_lost_where_nothing_is_killed() -> Result<(), Failed> {
    seeded("calm", |random| {
        let mut scene = Scene::start("calm", Plan::default(), random)?;
        scene.call(20, 10, Some(40))?;
        let outcome = scene.end()?;
        tell(&format!("calm: {}", outcome.tally));
        outcome.check(&[])
    })
    .map_err(Failed)
}

/// How many calls come after the last kill.
const MORE_CALLS: usize = 10;

/// Runs with the random numbers of `SEED`, or of the test's name; says which where it fails.
fn seeded<T>(
    name: &str,
    run: impl FnOnce(&mut Pcg64Mcg) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let seed = size("SEED", 15_u64);
    let of_the_name = name.bytes().fold(seed, |sum, byte| {
        sum.wrapping_mul(0x0100_0000_01b3)
            .wrapping_add(u64::from(byte))
    });
    run(&mut Pcg64Mcg::seed_from_u64(of_the_name))
        .with_context(|| format!("SEED={seed} draws the same again"))
}

/// For whoever looks on.
#[expect(
    clippy::print_stdout,
    reason = "what a run came to belongs to its output"
)]
fn tell(what: &str) {
    println!("{what}");
}

/// How much is done: what a variable says, or what is enough for a part of all tests.
fn size<T: FromStr>(variable: &str, usual: T) -> T {
    let given = env::var(variable).ok();
    given.map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}
