//! How urgent a call is: its line's priority, its number's, what an operator that is trusted says, what
//! a person says.

use engine::{Order, OrderError, acd::Priority};
use sim::{CallPlan, Weather};

use super::{Bench, Site, configuration, seconds};

const USUAL: &str = "sip:+33300000000@192.0.2.1:5060";
const VITAL: &str = "sip:+33300000115@192.0.2.1:5060";

/// One agent; calls by the second number are priority 0, and so are those that are said to be.
fn bench(trust: &str) -> Bench {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let plan = "[[overflow.step]]\nafter = \"20s\"\nwiden = [\"nation\"]\n";
    let text = configuration(&[site], plan)
        .replace(
            "[[line]]\n",
            "[[line]]\nnumbers_with_priority = { \"+33300000115\" = 0 }\n",
        )
        .replace("[[trunk]]\n", &format!("[[trunk]]\ntrust = \"{trust}\"\n"));
    let text = text + "[resource_priority]\n\"esnet.4\" = 0\n\"esnet.0\" = 9\n";
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    // Somebody talks, so that the others wait.
    bench.call(CallPlan::to(USUAL).talk(seconds(60.0)));
    bench.world.run_for(seconds(5.0));
    bench
}

/// Priority and place of the calls that wait, in the order of their arrival.
fn waiting(bench: &Bench) -> Vec<(u8, usize)> {
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    let waiting = calls
        .iter()
        .filter_map(|call| Some((call.priority?, call.place?)));
    waiting.collect()
}

#[test]
fn the_number_says_how_urgent_a_call_is_and_so_does_a_trusted_operator() {
    let mut bench = bench("trusted");
    bench.call(CallPlan::to(USUAL).talk(seconds(5.0)));
    bench.world.run_for(seconds(1.0));
    bench.call(CallPlan::to(VITAL).talk(seconds(5.0)));
    bench.world.run_for(seconds(1.0));
    bench.call(CallPlan::to(USUAL).importance("ESNET.4").talk(seconds(5.0)));
    bench.world.run_for(seconds(1.0));
    assert_eq!(waiting(&bench), [(2, 3), (0, 1), (0, 2)]);
    // Nothing that is said makes a call less urgent than it is without.
    bench.call(CallPlan::to(VITAL).importance("esnet.0").talk(seconds(5.0)));
    bench.call(CallPlan::to(USUAL).importance("esnet.0").talk(seconds(5.0)));
    bench.call(
        CallPlan::to(USUAL)
            .importance("dsn.flash")
            .talk(seconds(5.0)),
    );
    bench.world.run_for(seconds(1.0));
    assert_eq!(
        waiting(&bench),
        [(2, 4), (0, 1), (0, 2), (0, 3), (2, 5), (2, 6)]
    );
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"; 7]);
}

#[test]
fn who_is_not_trusted_says_it_in_vain() {
    let mut bench = bench("untrusted");
    bench.call(CallPlan::to(USUAL).importance("esnet.4").talk(seconds(5.0)));
    bench.world.run_for(seconds(1.0));
    assert_eq!(waiting(&bench), [(2, 1)]);
    bench.finish();
}

#[test]
fn a_person_makes_a_waiting_call_more_urgent() {
    let mut bench = bench("trusted");
    for _ in 0..3 {
        bench.call(CallPlan::to(USUAL).talk(seconds(5.0)));
        bench.world.run_for(seconds(1.0));
    }
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    let [talks, first, _, last] = &calls[..] else {
        panic!("{calls:?}");
    };
    let set = |call: &engine::CallView, priority| Order::SetPriority {
        call: call.id.to_string(),
        priority: Priority::new(priority).unwrap(),
    };
    assert_eq!(bench.world.order(bench.node, set(last, 1)), Ok(()));
    assert_eq!(waiting(&bench), [(2, 2), (2, 3), (1, 1)]);
    assert_eq!(bench.world.order(bench.node, set(first, 5)), Ok(()));
    assert_eq!(waiting(&bench), [(5, 3), (2, 2), (1, 1)]);
    let talks = set(talks, 0);
    assert_eq!(
        bench.world.order(bench.node, talks),
        Err(OrderError::NotWaiting)
    );
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"; 4]);
}
