//! How a line's calls are served, on the wire: who is rung for a caller who calls again.

use sim::{CallPlan, Manner, Weather};

use super::{Bench, DIALLED, Site, configuration, seconds, transfers::PHYSICIANS};

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

/// A line that wants its calls handed over in person: the agent's leg ends with the REFER all the same,
/// and she is not kept from other calls by one that she no longer has.
#[test]
fn whoever_sends_a_call_to_an_attended_line_is_free_once_the_leg_has_ended() {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let plan = "[[overflow.step]]\nafter = \"20s\"\nwiden = [\"nation\"]\n";
    let text = configuration(&[site], plan)
        + "[[line]]\nid = \"FR670-MU-P0\"\nsite = \"FR670\"\nnumbers = [\"+33300000099\"]\n\
           skills = { mu = 1 }\nhand_over = \"attended\"\n";
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), PHYSICIANS),
    );
    bench.call(CallPlan::to(DIALLED).talk(seconds(40.0)));
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("arm-1"), "ready");
    bench.finish();
}
