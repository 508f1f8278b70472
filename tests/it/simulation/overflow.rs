//! Help between sites.

use engine::{
    Event,
    acd::{self, Want},
};
use sim::{CallPlan, Manner, Weather};

use super::{AFTER_20_S, Bench, Site, configuration, seconds};

const STRASBOURG: &str = "sip:+33300000000@192.0.2.1:5060";
const MULHOUSE: &str = "sip:+33300000001@192.0.2.1:5060";

fn two_sites(reserve: u32, helpers: &[&str], plan: &str) -> Bench {
    let sites = [
        Site {
            id: "FR670",
            neighbours: &["FR680"],
            reserve: 0,
            agents: &["arm-67-1"],
        },
        Site {
            id: "FR680",
            neighbours: &["FR670"],
            reserve,
            agents: helpers,
        },
    ];
    let mut bench = Bench::new(&configuration(&sites, plan), 1, Weather::CALM);
    bench.manner("arm-67-1", Manner::answers_after(seconds(1.0)));
    bench
}

/// When each call was answered, by whom.
fn answers(bench: &Bench) -> Vec<(u64, String)> {
    let node = bench.world.node(bench.node);
    let answered = bench
        .world
        .events()
        .iter()
        .filter_map(|(at, event)| match event {
            Event::Distribution {
                what: acd::Event::Answered { agent, .. },
                ..
            } => Some((
                at.as_secs(),
                node.directory().agent_profile(*agent).id.clone(),
            )),
            _ => None,
        });
    answered.collect()
}

#[test]
fn a_neighbour_helps_after_its_time_and_not_before() {
    let mut bench = two_sites(0, &["arm-68-1"], AFTER_20_S);
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(60.0)));
    bench.world.run_for(seconds(5.0));
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(5.0)));
    bench.world.run_for(seconds(19.0));
    assert_eq!(answers(&bench), [(1, "arm-67-1".to_owned())]);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(
        answers(&bench),
        [(1, "arm-67-1".to_owned()), (27, "arm-68-1".to_owned())]
    );
}

#[test]
fn the_reserve_is_kept_for_the_helpers_own_callers() {
    let mut bench = two_sites(1, &["arm-68-1", "arm-68-2"], AFTER_20_S);
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(100.0)));
    bench.world.run_for(seconds(1.5));
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(100.0)));
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(5.0)));
    bench.world.run_for(seconds(40.0));
    assert_eq!(
        answers(&bench).len(),
        2,
        "the third call is not given the reserved agent"
    );
    bench.call(CallPlan::to(MULHOUSE).talk(seconds(5.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(
        answers(&bench).len(),
        3,
        "the helper's own caller has the reserved agent"
    );
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"; 4]);
}

#[test]
fn nobody_on_duty_at_home_overflows_at_once() {
    let plan = format!(
        "{AFTER_20_S}[[overflow.step]]\nwhen = \"no-agent-on-duty\"\nwiden = [\"neighbours\"]\n"
    );
    let mut bench = two_sites(0, &["arm-68-1"], &plan);
    let (node, agent) = (bench.node, bench.agent("arm-67-1"));
    bench.world.set_agent(node, agent, Want::LoggedOut);
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(5.0)));
    bench.world.run_for(seconds(3.0));
    assert_eq!(answers(&bench), [(2, "arm-68-1".to_owned())]);
    bench.finish();
}

#[test]
fn a_higher_priority_is_served_first() {
    let text = configuration(
        &[Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &["arm-67-1"],
        }],
        AFTER_20_S,
    ) + "[[line]]\nid = \"FR670-15-Samu-UV-F01\"\nsite = \"FR670\"\nnumbers = [\"+33300000099\"]\n\
         skills = { amu = 1 }\npriority = 0\nservice_level = \"30s\"\nselection = \"longest-idle\"\n\
         ring_time = \"15s\"\nwrap_up = \"5s\"\noverflow = \"mutual-aid\"\n";
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(20.0)));
    bench.world.run_for(seconds(3.0));
    bench.call(CallPlan::to(STRASBOURG).talk(seconds(2.0)));
    bench.world.run_for(seconds(3.0));
    bench.call(CallPlan::to("sip:+33300000099@192.0.2.1:5060").talk(seconds(2.0)));
    bench.finish();
    let node = bench.world.node(bench.node);
    let lines: Vec<_> = bench
        .world
        .events()
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Distribution {
                what: acd::Event::Answered { line, .. },
                ..
            } => Some(node.directory().line_profile(*line).id.as_str()),
            _ => None,
        })
        .collect();
    let (px, uv) = ("FR670-15-Samu-Px-F01", "FR670-15-Samu-UV-F01");
    assert_eq!(lines, [px, uv, px]);
}
