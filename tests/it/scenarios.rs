//! SIPp against the real binary: each folder of `sip-scenarios/` is one test.

pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod run;
pub(crate) mod sipp;
pub(crate) mod spec;

use std::{collections::BTreeSet, fmt, fs};

use crate::support::binary;

/// One test for each scenario, and the list of them.
macro_rules! scenarios {
    ($($test:ident: $folder:literal,)*) => {
        $(
            #[test]
            fn $test() -> Result<(), Failed> {
                run::run($folder).map_err(Failed)
            }
        )*

        const LISTED: &[&str] = &[$($folder),*];
    };
}

scenarios! {
    answered_at_once: "calls/01-answered-at-once",
    waits_then_answered: "calls/02-waits-then-answered",
    priority_order: "calls/03-priority-order",
    sipp_builtin: "calls/04-sipp-builtin",
    emergency_headers: "calls/05-emergency-headers",
    over_tcp: "calls/06-over-tcp",
    large_invite: "calls/07-large-invite",
    large_invite_without_tcp: "calls/08-large-invite-without-tcp",
    resource_priority: "calls/09-resource-priority",
    crisis_plan: "crisis/01-on-and-off",
    cancel_while_waiting: "give-up/01-cancel-while-waiting",
    cancel_while_ringing: "give-up/02-cancel-while-ringing",
    cancel_crosses_answer: "give-up/03-cancel-crosses-answer",
    agent_busy: "agents/01-busy",
    agent_declines: "agents/02-declines",
    agent_does_not_answer: "agents/03-no-answer",
    phone_dead: "agents/04-phone-dead",
    registered_phone: "agents/05-registered-phone",
    phone_with_password: "agents/06-registers-with-password",
    feature_codes: "agents/07-feature-codes",
    picks_by_phone: "agents/08-picks-by-phone",
    skill_german: "skills/01-the-one-who-speaks-german",
    skill_relaxed: "skills/02-anybody-after-its-time",
    several_phones_ring: "skills/03-several-phones-ring",
    two_stages: "two-stages/01-the-agent-stays",
    forwarded_to_an_agents_phone: "forwarding/01-to-an-agents-phone",
    overflow_after_its_time_with_reserve: "overflow/01-after-its-time-with-reserve",
    agent_hangs_up: "in-call/01-agent-hangs-up",
    caller_hangs_up: "in-call/02-caller-hangs-up",
    hold_by_caller: "in-call/03-hold-by-caller",
    hold_by_agent: "in-call/04-hold-by-agent",
    transfer_to_a_line: "in-call/05-transfer-to-a-line",
    early_media_confirmed: "in-call/06-early-media-confirmed",
    lost_200: "loss/01-lost-200",
    lost_ack: "loss/02-lost-ack",
    lost_bye: "loss/03-lost-bye",
    retransmitted_invite: "loss/04-retransmitted-invite",
    load_200_calls_a_second: "load/01-200-calls-a-second",
}

/// A scenario that failed, told as a list of what lies behind what.
pub(crate) struct Failed(pub(crate) anyhow::Error);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chain()
            .try_for_each(|cause| write!(f, "\n- {cause}"))
    }
}

#[test]
fn every_scenario_folder_is_listed() -> anyhow::Result<()> {
    let scenarios = binary::root().join("sip-scenarios");
    let mut there = BTreeSet::new();
    for area in fs::read_dir(&scenarios)? {
        let area = area?.path();
        if !area.is_dir() {
            continue;
        }
        for folder in fs::read_dir(&area)? {
            let folder = folder?.path();
            if folder.is_dir() {
                there.insert(folder.strip_prefix(&scenarios)?.display().to_string());
            }
        }
    }
    let listed: BTreeSet<_> = LISTED.iter().map(|folder| (*folder).to_owned()).collect();
    assert_eq!(
        there, listed,
        "list each folder of sip-scenarios/ in tests/it/scenarios.rs"
    );
    Ok(())
}

#[test]
fn every_scenario_can_be_read() -> anyhow::Result<()> {
    for folder in LISTED {
        spec::Scenario::read(&binary::root().join("sip-scenarios").join(folder))?;
    }
    Ok(())
}
