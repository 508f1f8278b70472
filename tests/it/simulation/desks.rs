//! What agents say by their phones and at their desks: feature codes, picks, wrap-up, crisis plans.

use engine::{
    Order, OrderError, Picked,
    acd::{Disposition, PauseReason, Want},
};
use sim::{Answer, CallPlan, Manner, PeerEvent, SessionId, Weather};

use super::{Bench, DIALLED, PHONES, Site, address, configuration, faults::STORM, seconds};

const AGENTS: [&str; 2] = ["arm-1", "arm-2"];

fn bench_in(seed: u64, weather: Weather) -> Bench {
    let sites = [
        Site {
            id: "FR670",
            neighbours: &["FR680"],
            reserve: 0,
            agents: &AGENTS,
        },
        Site {
            id: "FR680",
            neighbours: &["FR670"],
            reserve: 1,
            agents: &["arm-68-1"],
        },
    ];
    let plan = "[[overflow.step]]\nafter = \"1h\"\nwiden = [\"neighbours\"]\n";
    let text = configuration(&sites, plan)
        + "[[overflow]]\nname = \"at-once\"\n[[overflow.step]]\nafter = \"0s\"\n\
           widen = [\"neighbours\"]\n\
           [[crisis]]\nname = \"plan-blanc\"\noverflow = \"at-once\"\nreserve = 0\n\
           [[agent]]\nid = \"clerk\"\nsite = \"FR670\"\n\
           contact = \"sip:clerk@203.0.113.20\"\nstart = \"ready\"\n\
           [desk]\npause_reasons = [\"lunch\", \"training\"]\ndispositions = [\"medical\"]\n";
    Bench::new(&text, seed, weather)
}

fn bench() -> Bench {
    bench_in(1, Weather::CALM)
}

/// An agent dials a code on the phone; what the phone hears.
fn dials(bench: &mut Bench, agent: &str, code: &str) -> Vec<String> {
    let plan =
        CallPlan::to(format!("sip:{code}@192.0.2.1")).identity(format!("sip:{agent}@samu.example"));
    let session = bench.world.call(address(PHONES), bench.node, plan);
    bench.world.run_for(seconds(0.5));
    heard(bench, session)
}

fn heard(bench: &Bench, of: SessionId) -> Vec<String> {
    let events = bench.world.peer_events().iter();
    let heard = events.filter_map(|(_, at, event)| match event {
        PeerEvent::Connected { session, .. } if *session == of => Some("done".to_owned()),
        PeerEvent::Failed {
            session, status, ..
        } if *session == of => Some(status.value().to_string()),
        PeerEvent::Ended { session, by } if *session == of && *at == address(PHONES) => {
            Some(format!("{by:?}"))
        }
        _ => None,
    });
    heard.collect()
}

const DONE: [&str; 2] = ["done", "Them"];

fn reason(bench: &Bench, agent: &str) -> String {
    let view = bench
        .world
        .node(bench.node)
        .agent(bench.world.now(), bench.agent(agent));
    match view.state {
        engine::acd::AgentState::NotReady { reason, .. } => reason.name().to_owned(),
        other => other.kind().name().to_owned(),
    }
}

#[test]
fn agents_log_in_and_out_and_take_pauses_by_phone() {
    let mut bench = bench();
    for (code, expected) in [
        ("*14", "lunch"),
        ("*142", "training"),
        ("*13", "ready"),
        ("*11", "ready"),
        ("*12", "logged-out"),
        ("*11", "logged-in"),
        ("%2a13", "ready"),
    ] {
        assert_eq!(dials(&mut bench, "arm-1", code), DONE, "{code}");
        assert_eq!(reason(&bench, "arm-1"), expected, "{code}");
    }
    for code in ["*143", "*99", "*8", "*82"] {
        assert_eq!(dials(&mut bench, "arm-1", code), ["404"], "{code}");
    }
    insta::assert_snapshot!(bench.finish());
}

#[test]
fn who_has_logged_out_in_a_call_and_in_again_stays() {
    let mut bench = bench();
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(4.0));
    for code in ["*12", "*11"] {
        assert_eq!(dials(&mut bench, "arm-1", code), DONE);
    }
    bench.world.run_for(seconds(60.0));
    assert_eq!(reason(&bench, "arm-1"), "logged-in");
}

/// Busy with a call, an agent who dials `*14` has the pause after the wrap-up.
#[test]
fn a_pause_that_is_asked_for_in_a_call_begins_after_wrap_up() {
    let mut bench = bench();
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(dials(&mut bench, "arm-1", "*14"), DONE);
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.run_for(seconds(9.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.world.run_for(seconds(5.0));
    assert_eq!(reason(&bench, "arm-1"), "lunch");
    bench.finish();
}

/// Nobody is ready; who dials has the second of the callers as soon as the receiver is down.
#[test]
fn an_agent_picks_a_waiting_call_by_phone() {
    for (seed, weather) in (0..20)
        .map(|seed| (seed, STORM))
        .chain([(1, Weather::CALM)])
    {
        let mut bench = bench_in(seed, weather);
        let pause = PauseReason::new("lunch").unwrap();
        for agent in AGENTS {
            let agent = bench.agent(agent);
            let want = Want::NotReady {
                reason: pause.clone(),
            };
            bench.world.set_agent(bench.node, agent, want);
        }
        bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
        for number in ["+33600000001", "+33600000002"] {
            let plan = CallPlan::to(DIALLED).number(number).talk(seconds(60.0));
            bench.call(plan);
            bench.world.run_for(seconds(3.0));
        }
        let waiting = |bench: &Bench| {
            let calls = bench.world.node(bench.node).calls(bench.world.now());
            calls.iter().map(|call| call.place).collect::<Vec<_>>()
        };
        assert_eq!(waiting(&bench), [Some(1), Some(2)], "seed {seed}");
        let plan = CallPlan::to("sip:*82@192.0.2.1").identity("sip:arm-1@samu.example".to_owned());
        bench.world.call(address(PHONES), bench.node, plan);
        bench.world.run_for(seconds(20.0));
        assert_eq!(waiting(&bench), [Some(1), None], "seed {seed}");
        assert_eq!(bench.state("arm-1"), "talking", "seed {seed}");
        let agent = bench.agent("arm-2");
        bench.world.set_agent(bench.node, agent, Want::Ready);
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"; 2], "seed {seed}");
    }
}

#[test]
fn an_agent_picks_a_waiting_call_at_the_desk() {
    let mut bench = bench();
    let [first, second] = AGENTS.map(|agent| bench.agent(agent));
    bench.world.set_agent(bench.node, first, Want::LoggedOut);
    let away = Want::NotReady {
        reason: PauseReason::new("training").unwrap(),
    };
    bench.world.set_agent(bench.node, second, away);
    bench.manner("arm-2", Manner::answers(Answer::DeclineAfter(seconds(1.0))));
    bench.call(CallPlan::to(DIALLED).talk(seconds(20.0)));
    bench.world.run_for(seconds(1.0));
    let pick = |agent, call| Order::Pick { agent, call };
    let next = || Picked::Place(1);
    assert_eq!(
        bench.world.order(bench.node, pick(first, next())),
        Err(OrderError::AgentUnavailable)
    );
    assert_eq!(bench.world.order(bench.node, pick(second, next())), Ok(()));
    assert_eq!(
        bench.world.order(bench.node, pick(second, next())),
        Err(OrderError::NoCallAtPlace)
    );
    bench.world.run_for(seconds(3.0));
    // Declined: it is at its place again, and who was in a pause still is.
    assert_eq!(reason(&bench, "arm-2"), "training");
    bench.manner("arm-2", Manner::answers_after(seconds(1.0)));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    let by_id = Picked::Call(calls[0].id.to_string());
    // Chosen by its id, a call is still only for who can take it.
    let clerk = bench.agent("clerk");
    assert_eq!(
        bench.world.order(bench.node, pick(clerk, by_id.clone())),
        Err(OrderError::NotQualified)
    );
    assert_eq!(
        bench.world.order(bench.node, pick(second, by_id.clone())),
        Ok(())
    );
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-2"), "talking");
    assert_eq!(
        bench.world.order(bench.node, pick(second, by_id)),
        Err(OrderError::NotWaiting)
    );
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn wrap_up_is_extended_ended_early_and_closed_with_a_code() {
    let mut bench = bench();
    let agent = bench.agent("arm-1");
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    bench.world.run_for(seconds(8.0));
    let order = Order::ExtendWrapUp {
        agent,
        by: seconds(20.0),
    };
    assert_eq!(bench.world.order(bench.node, order.clone()), Ok(()));
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    let code = |word| Order::Dispose {
        agent,
        code: Disposition::new(word).unwrap(),
    };
    assert_eq!(bench.world.order(bench.node, code("medical")), Ok(()));
    assert_eq!(
        bench.world.order(bench.node, code("hoax")),
        Err(OrderError::UnknownDisposition)
    );
    bench.world.set_agent(bench.node, agent, Want::Ready);
    assert_eq!(bench.state("arm-1"), "ready");
    assert_eq!(
        bench.world.order(bench.node, order),
        Err(OrderError::NotInWrapUp)
    );
    bench.finish();
}

/// The neighbour keeps its only agent, and the plan widens after an hour: under the crisis plan the
/// caller who waits already is answered at once, and afterwards all is as it was.
#[test]
fn a_crisis_plan_is_in_force_for_who_waits_already_and_ends_by_itself() {
    let mut bench = bench();
    let crisis = bench
        .world
        .node(bench.node)
        .directory()
        .crisis("plan-blanc");
    let crisis = crisis.unwrap();
    for agent in AGENTS {
        let agent = bench.agent(agent);
        bench.world.set_agent(bench.node, agent, Want::LoggedOut);
    }
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(60.0));
    assert_eq!(bench.state("arm-68-1"), "ready");
    let sites = bench.world.node(bench.node).directory().sites().collect();
    let on = Order::SwitchOn {
        crisis,
        sites,
        lasts: Some(seconds(60.0)),
        author: "Dr A".to_owned(),
        reason: "a train".to_owned(),
    };
    assert_eq!(bench.world.order(bench.node, on), Ok(()));
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-68-1"), "talking");
    let crises = bench.world.node(bench.node).crises(bench.world.now());
    assert_eq!(crises[0].orders[0].sites.len(), 2);
    assert_eq!(crises[0].orders[0].until, Some(seconds(55.0)));
    bench.world.run_for(seconds(60.0));
    let crises = bench.world.node(bench.node).crises(bench.world.now());
    assert_eq!(crises[0].orders, []);
    // The plan is over: the neighbour keeps its agent again.
    assert_eq!(bench.state("arm-68-1"), "ready");
    bench.call(CallPlan::to(DIALLED).patience(seconds(30.0)));
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("arm-68-1"), "ready");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered", "abandoned"]);
}
