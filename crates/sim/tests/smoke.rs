#![allow(missing_docs, clippy::disallowed_methods)]
use engine::{acd::*, sip::*, sip_transaction::*, *};
use sim::*;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
fn cfg(seed: u64) -> engine::Config {
    let amu = BTreeMap::from([("amu".to_owned(), Level::new(1).unwrap())]);
    let site = SiteSpec {
        id: "FR670".into(),
        name: "".into(),
        region: "".into(),
        zone: "".into(),
        neighbours: vec![],
        reserve: 0,
    };
    let line = LineSpec {
        id: "L".into(),
        site: "FR670".into(),
        skills: amu.clone(),
        priority: Priority::new(2).unwrap(),
        service_level: Duration::from_secs(30),
        selection: Selection::LongestIdle,
        ring_time: Duration::from_secs(15),
        wrap_up: Duration::from_secs(5),
        overflow: None,
    };
    let agents = vec!["arm-1", "arm-2"]
        .into_iter()
        .map(|id| AgentSpec {
            id: id.into(),
            site: "FR670".into(),
            skills: amu.clone(),
            start: StartState::Ready,
        })
        .collect();
    let d = Directory::build(vec![site], vec![line], agents, vec![]).unwrap();
    let contacts = ["arm-1", "arm-2"]
        .map(|a| {
            (
                d.agent(a).unwrap(),
                UriBuf::new(format!("sip:{a}@203.0.113.1:5060")).unwrap(),
            )
        })
        .to_vec();
    let l = d.line("L").unwrap();
    engine::Config {
        node: "n".into(),
        domain: "samu.example".into(),
        listeners: vec![Listener::at(
            ListenerId(0),
            Transport::Udp,
            "192.0.2.1:5060".parse().unwrap(),
        )],
        trunks: vec![engine::sip_proxy::Trunk {
            name: "op".into(),
            sources: vec!["198.51.100.0/24".parse().unwrap()],
        }],
        directory: Arc::new(d),
        numbers: vec![],
        default_line: l,
        contacts,
        settings: engine::Settings::default(),
        seed: [seed, 2, 3, 4],
    }
}
fn s(x: f64) -> Duration {
    Duration::from_secs_f64(x)
}
#[test]
fn smoke() {
    for (m, p, q, w) in [
        (Answer::After(s(2.0)), None, Quirk::None, Weather::CALM),
        (Answer::Never, None, Quirk::None, Weather::CALM),
        (
            Answer::WhenCancelled,
            Some(s(4.0)),
            Quirk::None,
            Weather::CALM,
        ),
        (Answer::Dead, None, Quirk::LateOffer, Weather::CALM),
        (Answer::Busy, None, Quirk::Hold(s(1.0)), Weather::CALM),
        (Answer::After(s(1.0)), None, Quirk::NeverAcks, Weather::CALM),
    ] {
        let mut world = World::new(1, w);
        let n = world.add_node("node", cfg(1));
        let c = world.add_peer(
            "caller",
            "198.51.100.1:5060".parse().unwrap(),
            Manner::answers_after(s(1.0)),
        );
        let ph = world.add_peer(
            "phone",
            "203.0.113.1:5060".parse().unwrap(),
            Manner::answers_after(s(1.0)),
        );
        world.set_manner(ph, "arm-1", Manner::answers(m));
        let mut plan = CallPlan::to("sip:15@192.0.2.1:5060").talk(s(5.0)).quirk(q);
        plan.patience = p;
        world.call(c, n, plan);
        world.run_until_drained();
        println!("--- {m:?} {q:?}\n{}", world.ladder());
        for e in world.broken_laws() {
            println!("BROKEN {e}");
        }
    }
}
