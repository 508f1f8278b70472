//! Two nodes in one world.

use sim::{CallPlan, PeerEvent, Weather};

use super::{AFTER_20_S, Bench, NODE, Site, configuration, seconds};

const OTHER_NODE: &str = "192.0.2.2:5060";

fn text() -> String {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2"],
    };
    configuration(&[site], AFTER_20_S)
}

/// An operator's session border controller has both nodes as next hops: while one drains, its 503
/// sends the call to the other.
#[test]
fn while_one_node_drains_the_other_takes_the_calls() {
    let mut bench = Bench::new(&text(), 1, Weather::CALM);
    let other = text().replace(NODE, OTHER_NODE);
    let other = config::load("other.toml".as_ref(), &other, [5, 6, 7, 8])
        .unwrap_or_else(|errors| panic!("{errors}"));
    let other = bench.world.add_node("other", other.engine);
    let (node, operator) = (bench.node, bench.operator);
    let plan = |node: &str| CallPlan::to(format!("sip:+33300000000@{node}")).talk(seconds(20.0));
    bench.world.call(operator, node, plan(NODE));
    bench.world.run_for(seconds(5.0));
    bench.world.drain(node, seconds(60.0));
    bench.world.call(operator, node, plan(NODE));
    bench.world.run_for(seconds(1.0));
    let refused = bench.world.peer_events().iter().filter(
        |(_, _, event)| matches!(event, PeerEvent::Failed { status, .. } if status.value() == 503),
    );
    assert_eq!(refused.count(), 1);
    bench.world.call(operator, other, plan(OTHER_NODE));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered", "answered"]);
    assert_eq!(bench.world.node(node).calls_live(), 0);
}
