//! Scanners, guessers and noise; and what is shed when there is too much of everything.

use engine::{Event, acd::Want};
use sim::{CallPlan, Weather};

use super::{
    AFTER_20_S, Bench, DIALLED, PHONES, Site, configuration,
    requests::{LINE, RAW, STRANGER, Wire, request, status},
    seconds,
};

/// How many drops there were of each of these reasons.
fn drops(wire: &Wire, label: &str) -> usize {
    let events = wire.bench.world.events().iter();
    let drops = events
        .filter(|(_, event)| matches!(event, Event::Dropped { reason } if reason.label() == label));
    drops.count()
}

/// The `number`-th request of a scanner.
fn scan(from: &str, number: usize) -> String {
    request(
        from,
        "INVITE",
        &format!("sip:{number}@192.0.2.1"),
        &format!("scan{number}"),
        "",
    )
}

#[test]
fn a_scanner_is_refused_without_state_then_not_even_read_and_later_refused_again() {
    let mut wire = Wire::new();
    let mut answers = 0;
    for number in 0..500 {
        answers += wire.ask(STRANGER, &scan(STRANGER, number)).len();
    }
    assert_eq!(answers, 21, "20, and the one too many");
    assert_eq!(drops(&wire, "unknown-source"), answers);
    assert_eq!(drops(&wire, "banned"), 500 - answers);
    let live = wire
        .bench
        .world
        .node(wire.bench.node)
        .status(wire.bench.world.now());
    assert_eq!(live.server_transactions, 0, "nothing is kept of it");
    let bans = wire
        .bench
        .world
        .events()
        .iter()
        .filter(|(_, event)| matches!(event, Event::SourceBanned { .. }));
    assert_eq!(bans.count(), 1);

    wire.bench.world.run_for(seconds(60.0));
    let again = wire.ask(STRANGER, &scan(STRANGER, 500));
    assert_eq!(status(&again), ["403 Forbidden"]);
}

#[test]
fn every_kind_of_nuisance_is_an_offence() {
    let register = |number| {
        let branch = format!("r{number}");
        request(
            STRANGER,
            "REGISTER",
            &format!("sip:guess{number}@samu.example"),
            &branch,
            "",
        )
    };
    let cancel = |number| request(STRANGER, "CANCEL", LINE, &format!("c{number}"), "");
    let bye = |number| {
        request(STRANGER, "BYE", LINE, &format!("b{number}"), "").replace(
            "To: <sip:+33300000000@192.0.2.1>",
            "To: <sip:+33300000000@192.0.2.1>;tag=x",
        )
    };
    let routed = |number| {
        let route = format!("Route: <sip:q0011223344556677@192.0.2.1;lr>, <sip:{STRANGER};lr>\r\n");
        request(STRANGER, "MESSAGE", LINE, &format!("m{number}"), &route).replace(
            "To: <sip:+33300000000@192.0.2.1>",
            "To: <sip:+33300000000@192.0.2.1>;tag=x",
        )
    };
    let noise = |_| "noise".to_owned();
    let invalid = |number| scan(STRANGER, number).replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let kinds: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("routed", &routed),
        ("register", &register),
        ("cancel", &cancel),
        ("bye", &bye),
        ("noise", &noise),
        ("invalid", &invalid),
    ];
    for (kind, make) in kinds {
        let mut wire = Wire::new();
        for number in 0..100 {
            wire.ask(STRANGER, &make(number));
        }
        assert!(drops(&wire, "banned") > 50, "{kind}");
        let live = wire
            .bench
            .world
            .node(wire.bench.node)
            .status(wire.bench.world.now());
        assert_eq!(live.server_transactions, 0, "{kind}");
    }
}

#[test]
fn an_operator_and_a_phone_are_never_banned() {
    let mut wire = Wire::new();
    for from in [RAW, PHONES] {
        for number in 0..200 {
            wire.ask(from, "noise");
            wire.ask(
                from,
                &scan(from, number).replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
            );
        }
    }
    assert_eq!(drops(&wire, "banned"), 0);
    let call = request(RAW, "INVITE", LINE, "after", "");
    assert_eq!(status(&wire.ask(RAW, &call))[0], "100 Trying");
}

#[test]
fn who_registers_from_a_banned_place_is_heard_again() {
    let mut wire = Wire::new();
    // The phone registers, then something beside it floods us.
    let register = request(STRANGER, "REGISTER", "sip:arm-1@samu.example", "phone", "");
    assert_eq!(status(&wire.ask(STRANGER, &register)), ["200 OK"]);
    for number in 0..100 {
        wire.ask(STRANGER, &scan(STRANGER, number));
    }
    assert_eq!(drops(&wire, "banned"), 0, "a phone is there");
}

/// A node that is small: 40 transactions, 10 calls. Line 0 is for emergencies, line 1 a partner's.
fn small() -> Wire {
    let site = |id, agents| Site {
        id,
        neighbours: &[],
        reserve: 0,
        agents,
    };
    let text = configuration(&[site("FR670", &["arm-1"]), site("FR680", &[])], AFTER_20_S).replace(
        "numbers = [\"+33300000001\"]",
        "numbers = [\"+33300000001\"]\nservice = \"partner\"",
    ) + "[limits]\ntransactions = 40\ncalls = 1000\n";
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    let (node, agent) = (bench.node, bench.agent("arm-1"));
    bench.world.set_agent(node, agent, Want::LoggedOut);
    Wire::over(bench)
}

/// A 503 would have it send all its calls elsewhere, while there is room for them.
#[test]
fn an_operator_who_asks_is_told_that_calls_may_come() {
    let mut wire = small();
    for number in 0..30 {
        wire.ask(
            RAW,
            &request(RAW, "INVITE", LINE, &format!("i{number}"), ""),
        );
    }
    let answers = wire.ask(RAW, &request(RAW, "OPTIONS", "sip:192.0.2.1", "o", ""));
    assert_eq!(status(&answers), ["200 OK"]);
}

#[test]
fn emergencies_are_shed_last_of_all() {
    let mut wire = small();
    let partner = LINE.replace("0000000@", "0000001@");
    let mut taken = Vec::new();
    // One more waiting call each round: what is still taken beside so many?
    for waiting in 1..=41 {
        let call = request(RAW, "INVITE", LINE, &format!("e{waiting}"), "");
        let emergency = status(&wire.ask(RAW, &call))[0].to_owned();
        taken.push((waiting, emergency));
        if waiting % 4 != 0 {
            continue;
        }
        let refused = |wire: &mut Wire, text: &str| {
            status(&wire.ask(RAW, text)).first().copied() == Some("503 Service Unavailable")
        };
        // Probes that would stay are only made where they are refused.
        if waiting >= 36 {
            let call = request(RAW, "INVITE", &partner, &format!("p{waiting}"), "");
            assert!(
                refused(&mut wire, &call),
                "a partner's call beside {waiting}"
            );
        }
        if waiting >= 32 {
            let to = "sip:arm-1@samu.example";
            let call = request(RAW, "INVITE", to, &format!("o{waiting}"), "");
            assert!(
                refused(&mut wire, &call),
                "a call to a phone beside {waiting}"
            );
        }
        if waiting >= 28 {
            let ask = request(RAW, "SUBSCRIBE", LINE, &format!("s{waiting}"), "");
            assert!(refused(&mut wire, &ask), "a subscription beside {waiting}");
        }
        if waiting >= 24 {
            let to = "sip:arm-1@samu.example";
            let register = request(PHONES, "REGISTER", to, &format!("r{waiting}"), "");
            let answer = wire.ask(PHONES, &register);
            assert_eq!(
                status(&answer),
                ["503 Service Unavailable"],
                "beside {waiting}"
            );
            assert!(answer[0].contains("\r\nRetry-After: 5\r\n"));
        }
    }
    for (waiting, answer) in taken {
        let expected = if waiting <= 40 {
            "100 Trying"
        } else {
            "503 Service Unavailable"
        };
        assert_eq!(answer, expected, "emergency {waiting}");
    }
    assert!(drops(&wire, "shed-registration") > 0 && drops(&wire, "shed-outgoing") > 0);
}

#[test]
fn below_its_share_everything_is_taken() {
    let mut wire = small();
    let partner = LINE.replace("0000000@", "0000001@");
    for number in 1..=20 {
        let call = request(RAW, "INVITE", &partner, &format!("p{number}"), "");
        assert_eq!(status(&wire.ask(RAW, &call))[0], "100 Trying");
    }
    let to = "sip:arm-1@samu.example";
    let register = request(PHONES, "REGISTER", to, "r", "");
    assert_eq!(status(&wire.ask(PHONES, &register)), ["200 OK"]);
}

#[test]
fn a_flood_changes_nothing_for_a_call() {
    let mut wire = Wire::new();
    for number in 0..300 {
        wire.ask(STRANGER, &scan(STRANGER, number));
    }
    wire.bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    wire.bench.world.run_for(seconds(60.0));
    assert_eq!(wire.bench.outcomes(), ["answered"]);
}

/// What the answer to an operator's INVITE says of the load, in its Via.
fn told(wire: &mut Wire, number: usize, offered: &str) -> String {
    let call = request(RAW, "INVITE", LINE, &format!("oc{number}"), "");
    let via = format!("branch=z9hG4bKoc{number}");
    let answer = wire
        .ask(RAW, &call.replace(&via, &format!("{via}{offered}")))
        .remove(0);
    let via = answer
        .lines()
        .find(|line| line.starts_with("Via:"))
        .unwrap();
    via.split(';')
        .filter(|param| param.starts_with("oc"))
        .collect::<Vec<_>>()
        .join(";")
}

#[test]
fn a_neighbour_that_offers_it_is_told_how_much_less_to_send() {
    const OFFER: &str = ";oc;oc-algo=\"rate,loss\"";
    let mut wire = small();
    let first = told(&mut wire, 1, OFFER);
    assert!(
        first.starts_with("oc=0;oc-algo=\"loss\";oc-validity=1000;oc-seq="),
        "{first}"
    );
    let losses: Vec<_> = (2..=40)
        .map(|number| {
            let told = told(&mut wire, number, OFFER);
            let loss = told
                .strip_prefix("oc=")
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned();
            loss.parse::<u8>().unwrap()
        })
        .collect();
    // More than four fifths are used beside the 34th.
    assert!(losses[..32].iter().all(|loss| *loss == 0), "{losses:?}");
    assert!(
        losses[32..].iter().all(|loss| *loss > 0) && losses.is_sorted(),
        "{losses:?}"
    );
    assert!(*losses.last().unwrap() > 80, "{losses:?}");
    let refused = told(&mut wire, 41, OFFER);
    assert!(
        refused.starts_with("oc=100;"),
        "a 503 says it too: {refused}"
    );

    // Who offers nothing, or another algorithm, finds its Via as it was.
    assert_eq!(told(&mut wire, 42, ""), "");
    let other = ";oc;oc-algo=\"rate\"";
    assert_eq!(told(&mut wire, 43, other), other[1..]);
}

#[test]
fn a_trunk_sends_no_more_than_was_agreed() {
    let blocked = |limit: &str| {
        let site = Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &[],
        };
        let sources = "sources = [\"198.51.100.0/24\"]\n";
        let text =
            configuration(&[site], AFTER_20_S).replace(sources, &format!("{sources}{limit}\n"));
        let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
        for number in 0..15 {
            let call = request(RAW, "INVITE", LINE, &format!("t{number}"), "");
            wire.ask(RAW, &call);
        }
        let blocked: Vec<_> = wire
            .bench
            .world
            .events()
            .iter()
            .filter_map(|(_, event)| match event {
                Event::CallBlocked { reason, .. } => Some(reason.label()),
                _ => None,
            })
            .collect();
        // When its callers have given up there is room again.
        for number in 0..15 {
            let cancel = request(RAW, "CANCEL", LINE, &format!("t{number}"), "");
            wire.ask(RAW, &cancel);
        }
        let call = request(RAW, "INVITE", LINE, "again", "");
        assert_eq!(status(&wire.ask(RAW, &call))[0], "100 Trying");
        blocked
    };
    assert_eq!(blocked("calls_max = 10"), ["trunk-calls"; 5]);
    // Five at once, and seven more in 1.4 s at five a second.
    assert_eq!(blocked("calls_per_second = 5"), ["trunk-rate"; 3]);
    assert!(blocked("").is_empty());
}

#[test]
fn what_an_operator_attests_is_recorded_and_refuses_nobody() {
    // {"attest":"B"} in the claims; a signature that nobody could verify.
    let signed =
        "Identity: e30.eyJhdHRlc3QiOiJCIn0.c2ln;info=<https://c.example/c.pem>;alg=ES256\r\n";
    let broken = "Identity: not a passport\r\n";
    for (lines, letter) in [(signed, Some("B")), (broken, None), ("", None)] {
        let mut wire = Wire::new();
        let answers = wire.ask(RAW, &request(RAW, "INVITE", LINE, "stir", lines));
        assert_eq!(status(&answers)[0], "100 Trying", "{lines}");
        let rung = wire.got(PHONES);
        assert!(
            rung[0].contains(lines),
            "it goes on to the agent: {}",
            rung[0]
        );
        let attested = wire
            .bench
            .world
            .events()
            .iter()
            .find_map(|(_, event)| match event {
                engine::Event::CallStarted { attestation, .. } => Some(*attestation),
                _ => None,
            });
        let attested = attested
            .unwrap()
            .map(engine::sip::headers::Attestation::letter);
        assert_eq!(attested, letter, "{lines}");
    }
}

#[test]
fn a_call_for_an_emergency_by_its_priority_is_shed_last_whatever_its_number() {
    let partner = LINE.replace("0000000@", "0000001@");
    let cases = [
        ("", "503 Service Unavailable"),
        ("Resource-Priority: q735.4\r\n", "503 Service Unavailable"),
        ("Resource-Priority: esnet.1\r\n", "100 Trying"),
        ("Resource-Priority: dsn.flash, ETS.0\r\n", "100 Trying"),
    ];
    for (lines, expected) in cases {
        let mut wire = small();
        for waiting in 1..=36 {
            let call = request(RAW, "INVITE", LINE, &format!("w{waiting}"), "");
            wire.ask(RAW, &call);
        }
        let call = request(RAW, "INVITE", &partner, "one-more", lines);
        assert_eq!(status(&wire.ask(RAW, &call))[0], expected, "{lines}");
    }
}
