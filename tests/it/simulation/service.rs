//! How a line's calls are served, on the wire: who is rung for a caller who calls again.

use sim::{CallPlan, Weather};

use super::{Bench, DIALLED, Site, configuration, seconds};

fn bench(line_key: &str) -> Bench {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2"],
    };
    let plan = "[[overflow.step]]\nafter = \"20s\"\nwiden = [\"nation\"]\n";
    let text = configuration(&[site], plan);
    let line = "[[line]]\n";
    assert_eq!(text.matches(line).count(), 1);
    let text = text.replace(line, &format!("{line}{line_key}\n"));
    Bench::new(&text, 1, Weather::CALM)
}

/// National or international form, it is the same caller.
#[test]
fn a_caller_waits_a_moment_for_the_agent_of_the_last_call() {
    let mut bench = bench("preferred_agent = \"10s\"");
    let call = |number: &str| CallPlan::to(DIALLED).number(number).talk(seconds(20.0));
    bench.call(call("+33639980001").talk(seconds(5.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(
        [bench.state("arm-1"), bench.state("arm-2")],
        ["talking", "ready"]
    );
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.call(call("0639980001"));
    bench.world.run_for(seconds(2.0));
    assert_eq!(
        bench.state("arm-2"),
        "ready",
        "free, and not the one who is waited for"
    );
    // Somebody else is not kept waiting.
    bench.call(call("+33639980002"));
    bench.world.run_for(seconds(9.0));
    assert_eq!(
        [bench.state("arm-1"), bench.state("arm-2")],
        ["talking", "talking"]
    );
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered", "answered", "answered"]);
}
