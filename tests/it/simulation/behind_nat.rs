//! Agents' phones behind the NAT of a home router: they name an address that leads nowhere, and are reached where their
//! registration came from.

use engine::acd::Want;
use sim::Weather;

use super::{
    AFTER_20_S, Bench, Site, configuration,
    requests::{LINE, RAW, Wire, copied, request, status},
    seconds,
};

const HOME_ROUTER: &str = "203.0.113.77:41000";

/// The same as a phone behind a home router writes it.
fn from_inside(text: &str) -> String {
    text.replace(
        &format!("Via: SIP/2.0/UDP {HOME_ROUTER};"),
        "Via: SIP/2.0/UDP 10.0.0.5:5060;rport;",
    )
    .replace(
        &format!("Contact: <sip:{HOME_ROUTER}>"),
        "Contact: <sip:arm-1@10.0.0.5:5060>",
    )
    .replace(
        &format!("From: <sip:someone@{HOME_ROUTER}>"),
        "From: <sip:arm-1@samu.example>",
    )
}

fn registers(wire: &mut Wire) {
    let register = request(HOME_ROUTER, "REGISTER", "sip:arm-1@samu.example", "nat", "");
    let answers = wire.ask(HOME_ROUTER, &from_inside(&register));
    assert_eq!(status(&answers), ["200 OK"]);
}

/// A request inside of the dialog that an answer has made.
fn inside_of(answer: &str, (from, method): (&str, &str), call_id: &str, cseq: u32) -> String {
    let to = answer.lines().find_map(|line| line.strip_prefix("To: "));
    let branch = format!("in{method}");
    request(from, method, "sip:192.0.2.1:5060", &branch, "")
        .replace(
            &format!("Call-ID: {branch}"),
            &format!("Call-ID: {call_id}"),
        )
        .replace("CSeq: 1 ", &format!("CSeq: {cseq} "))
        .replace("To: <sip:192.0.2.1:5060>", &format!("To: {}", to.unwrap()))
}

#[test]
fn a_phone_behind_a_nat_gets_everything_where_it_registered_from() {
    let contact = "<sip:arm-1@10.0.0.5:5060>";
    let mut wire = Wire::new();
    registers(&mut wire);
    wire.ask(RAW, &request(RAW, "INVITE", LINE, "natcall", ""));
    let rung = wire.got(HOME_ROUTER);
    assert!(
        rung[0].starts_with("INVITE sip:arm-1@10.0.0.5:5060 "),
        "{rung:?}"
    );
    let ok = format!(
        "SIP/2.0 200 OK\r\n{}Contact: {contact}\r\n\r\n",
        copied(&rung[0])
    );
    wire.ask(HOME_ROUTER, &ok);
    // The caller sent no offer, so the phone's ACK waits for the caller's.
    let answer = wire.got(RAW).last().unwrap().clone();
    for (cseq, method) in [(1, "ACK"), (2, "BYE")] {
        let text = inside_of(&answer, (RAW, method), "natcall", cseq);
        wire.ask(RAW, &text);
        let relayed = wire.got(HOME_ROUTER);
        assert!(
            relayed
                .iter()
                .any(|one| one.starts_with(&format!("{method} sip:arm-1@10.0.0.5:5060 "))),
            "{method}: {relayed:?}"
        );
        assert_eq!(wire.got("10.0.0.5:5060"), Vec::<String>::new());
    }
}

/// What a phone behind a NAT has opened itself: it is hung up where it is, and so is free for the next call at once.
#[test]
fn a_phone_behind_a_nat_that_dials_a_code_is_hung_up_where_it_is() {
    let mut wire = Wire::new();
    registers(&mut wire);
    let code = request(HOME_ROUTER, "INVITE", "sip:*14@samu.example", "code", "");
    let answers = wire.ask(HOME_ROUTER, &from_inside(&code));
    let ok = answers.last().unwrap();
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    let ack = inside_of(ok, (HOME_ROUTER, "ACK"), "code", 1);
    let got = wire.ask(HOME_ROUTER, &from_inside(&ack));
    assert!(got.iter().any(|one| one.starts_with("BYE ")), "{got:?}");
}

/// Who waits for somebody is reached where the phone is, also by the process that comes after.
#[test]
fn a_phone_behind_a_nat_that_waits_is_reached_where_it_is_after_a_restart() {
    let site = |id, agents| Site {
        id,
        neighbours: &[],
        reserve: 0,
        agents,
    };
    let sites = [site("FR670", &["arm-1"][..]), site("FR680", &["arm-2"])];
    let text = configuration(&sites, AFTER_20_S);
    let bench = Bench::new(&text, 1, Weather::CALM);
    let mut wire = Wire::over(bench);
    let second = wire.bench.agent("arm-2");
    let node = wire.bench.node;
    let away = Want::LoggedOut;
    wire.bench.world.set_agent(node, second, away);
    registers(&mut wire);
    let line = "sip:+33300000001@samu.example";
    let invite = request(HOME_ROUTER, "INVITE", line, "waits", "");
    let told = wire.ask(HOME_ROUTER, &from_inside(&invite));
    assert_eq!(status(&told).last(), Some(&"182 Queued; place 1"));
    wire.bench.restart(&text, 2, seconds(1.0));
    let back = Want::Ready;
    wire.bench.world.set_agent(node, second, back);
    wire.bench.world.run_for(seconds(4.0));
    let got = wire.got(HOME_ROUTER);
    let ok = got
        .iter()
        .find(|one| one.starts_with("SIP/2.0 200"))
        .unwrap();
    let ack = inside_of(ok, (HOME_ROUTER, "ACK"), "waits", 1);
    wire.ask(HOME_ROUTER, &from_inside(&ack));
    wire.forget();
    wire.bench.world.drain(node, seconds(1.0));
    wire.bench.world.run_for(seconds(2.0));
    let got = wire.got(HOME_ROUTER);
    assert!(got.iter().any(|one| one.starts_with("BYE ")), "{got:?}");
}
