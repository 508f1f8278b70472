//! Reliable provisional responses (RFC 3262) and early media, with a caller or a phone that is
//! written by hand.

use std::collections::BTreeSet;

use engine::{Event, acd::Want};

use super::{
    AFTER_20_S, Bench, Site, configuration,
    requests::{Call, LINE, RAW, Wire, request, status},
    seconds,
};
use sim::{Answer, CallPlan, Manner, Weather};

/// A phone at an address of its own, where no simulated peer answers.
const RAW_PHONE: &str = "203.0.113.9:5060";

/// A caller who requires that ringing is confirmed.
struct Caller {
    wire: Wire,
    pracks: u32,
}

impl Caller {
    fn new(lines: &str) -> (Self, Vec<String>) {
        let mut bench = Bench::one_site(&["arm-1"]);
        bench.manner("arm-1", Manner::answers_after(seconds(4.0)));
        let mut wire = Wire::over(bench);
        let got = wire.ask(RAW, &request(RAW, "INVITE", LINE, "rel", lines));
        (Self { wire, pracks: 1 }, got)
    }

    /// Confirms a response; what comes back.
    fn prack(&mut self, response: &str, rack: &str) -> Vec<String> {
        let line = |name: &str| {
            response
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap()
        };
        self.pracks += 1;
        let cseq = self.pracks;
        let prack = format!(
            "PRACK sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {RAW};branch=z9hG4bKp{cseq}\r\n\
             {}\r\n{}\r\n{}\r\nCSeq: {cseq} PRACK\r\nRAck: {rack}\r\n\r\n",
            line("From:"),
            line("To:"),
            line("Call-ID:")
        );
        self.wire.ask(RAW, &prack)
    }

    fn wait(&mut self, time: f64) -> Vec<String> {
        self.wire.forget();
        self.wire.bench.world.run_for(seconds(time));
        self.wire.got(RAW)
    }
}

#[test]
fn a_caller_who_requires_it_hears_ringing_until_the_prack() {
    let (mut caller, got) = Caller::new("Require: 100rel\r\n");
    assert_eq!(status(&got), ["100 Trying", "180 Ringing"]);
    let ringing = got[1].clone();
    assert!(ringing.contains("\r\nRequire: 100rel\r\n") && ringing.contains("\r\nRSeq: 1\r\n"));
    // Sent again after 0.5 s and 1 s more.
    assert_eq!(caller.wait(1.6), [ringing.clone(), ringing.clone()]);

    for wrong in ["2 1 INVITE", "1 2 INVITE", "1 1 UPDATE"] {
        let answer = caller.prack(&ringing, wrong);
        assert_eq!(
            status(&answer),
            ["481 Call/Transaction Does Not Exist"],
            "{wrong}"
        );
    }
    assert_eq!(status(&caller.prack(&ringing, "1 1 INVITE")), ["200 OK"]);
    let again = caller.prack(&ringing, "1 1 INVITE");
    assert_eq!(
        status(&again),
        ["481 Call/Transaction Does Not Exist"],
        "once"
    );
    let answered = caller.wait(2.0);
    assert_eq!(
        status(&answered)[0],
        "200 OK",
        "and nothing more of the 180"
    );
}

#[test]
fn one_who_never_confirms_is_not_refused() {
    let (mut caller, _) = Caller::new("Require: 100rel\r\n");
    let got = caller.wait(5.0);
    assert!(status(&got).contains(&"200 OK"), "{:?}", status(&got));
}

#[test]
fn one_who_waits_hears_its_place_after_the_prack_before() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let (node, agent) = (bench.node, bench.agent("arm-1"));
    bench
        .world
        .set_agent(node, agent, engine::acd::Want::LoggedOut);
    let mut wire = Wire::over(bench);
    let got = wire.ask(
        RAW,
        &request(RAW, "INVITE", LINE, "rel", "Require: 100rel\r\n"),
    );
    assert_eq!(status(&got), ["100 Trying", "180 Ringing"], "one at a time");
    let mut caller = Caller { wire, pracks: 1 };
    let got = caller.prack(&got[1], "1 1 INVITE");
    let mut heard = status(&got);
    heard.sort_unstable();
    assert_eq!(heard, ["182 Queued; place 1", "200 OK"]);
    assert!(got.iter().any(|one| one.contains("\r\nRSeq: 2\r\n")));
}

#[test]
fn one_who_only_supports_it_is_not_bothered() {
    let (_, got) = Caller::new("Supported: 100rel\r\n");
    assert!(got.iter().all(|one| !one.contains("RSeq")));
}

/// One site with an agent whose phone is written by hand.
fn with_raw_phone() -> String {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2"],
    };
    configuration(&[site], AFTER_20_S).replace(
        "sip:arm-1@203.0.113.1:5060",
        &format!("sip:arm-1@{RAW_PHONE}"),
    )
}

fn raw_phone() -> Wire {
    let text = with_raw_phone();
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench.manner("arm-2", Manner::answers(Answer::Never));
    Wire::over(bench)
}

/// A response of the phone to what it was sent.
fn phone_says(invite: &str, first: &str, lines: &str, body: &str) -> String {
    let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap();
    format!(
        "SIP/2.0 {first}\r\n{}\r\n{}\r\n{};tag=phone\r\n{}\r\n{}\r\n\
         Contact: <sip:arm-1@{RAW_PHONE}>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        line("Via:"),
        line("From:"),
        line("To:"),
        line("Call-ID:"),
        line("CSeq:"),
        body.len()
    )
}

/// Calls, and gives the INVITE that the phone gets.
fn rung(wire: &mut Wire) -> String {
    wire.bench
        .call(CallPlan::to(super::DIALLED).talk(seconds(5.0)));
    wire.bench.world.run_for(seconds(0.1));
    let got = wire.got(RAW_PHONE);
    got.into_iter()
        .find(|text| text.starts_with("INVITE"))
        .unwrap()
}

#[test]
fn a_phone_that_wants_its_ringing_confirmed_gets_a_prack_in_order_and_once() {
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    assert!(invite.contains("\r\nSupported: 100rel\r\n"));
    let ringing = |rseq: u32| {
        let lines = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
        phone_says(&invite, "180 Ringing", &lines, "")
    };
    let got = wire.ask(RAW_PHONE, &ringing(7));
    assert!(got[0].starts_with("PRACK ") && got[0].contains("\r\nRAck: 7 1 INVITE\r\n"));
    assert!(got[0].contains("\r\nCSeq: 2 PRACK\r\n"));
    for passed_over in [7, 9, 6] {
        let got = wire.ask(RAW_PHONE, &ringing(passed_over));
        assert!(
            got.iter()
                .all(|one| !one.contains("RAck: 9") && !one.contains("RAck: 6"))
        );
        assert!(
            got.iter().all(|one| !one.contains("CSeq: 3 PRACK")),
            "{got:?}"
        );
    }
    let got = wire.ask(RAW_PHONE, &ringing(8));
    assert!(
        got.iter()
            .any(|one| one.contains("RAck: 8 1 INVITE") && one.contains("CSeq: 3 PRACK"))
    );

    // The dialog goes on where the early one was.
    let ok = phone_says(
        &invite,
        "200 OK",
        "Content-Type: application/sdp\r\n",
        "v=0\r\n",
    );
    assert!(
        wire.ask(RAW_PHONE, &ok)
            .iter()
            .any(|one| one.starts_with("ACK"))
    );
    wire.bench.world.run_for(seconds(6.0));
    let bye = wire.got(RAW_PHONE);
    let bye = bye.iter().find(|one| one.starts_with("BYE")).unwrap();
    assert!(bye.contains("\r\nCSeq: 4 BYE\r\n"), "{bye}");
}

/// Nobody else is there: what the caller hears from then on is what the operator plays to a 180.
#[test]
fn who_has_heard_a_phone_speak_is_told_that_it_rings_when_that_is_over() {
    let mut wire = raw_phone();
    let second = wire.bench.agent("arm-2");
    let node = wire.bench.node;
    wire.bench.world.set_agent(node, second, Want::LoggedOut);
    let invite = rung(&mut wire);
    let (sdp, lines) = ("v=0\r\ns=early\r\n", "Content-Type: application/sdp\r\n");
    let says = phone_says(&invite, "183 Session Progress", lines, sdp);
    wire.ask(RAW_PHONE, &says);
    wire.ask(RAW_PHONE, &phone_says(&invite, "486 Busy Here", "", ""));
    wire.bench.world.run_for(seconds(0.1));
    let told: Vec<_> = wire.got(super::OPERATOR);
    let told: Vec<_> = told.iter().filter_map(|one| one.lines().next()).collect();
    assert_eq!(told, ["SIP/2.0 180 Ringing", "SIP/2.0 182 Queued; place 1"]);
}

/// As callers do who wait long and keep their own timer; an offer has to wait (RFC 3311 §5.2).
#[test]
fn a_caller_who_waits_may_say_that_they_are_there() {
    let (mut caller, got) = Caller::new("");
    let line = |name: &str| got[1].lines().find(|line| line.starts_with(name)).unwrap();
    let mut says = |cseq: u32, contact: &str, body: &str| {
        let update = format!(
            "UPDATE sip:192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {RAW};branch=z9hG4bKu{cseq}\r\n\
             {}\r\n{}\r\n{}\r\nCSeq: {cseq} UPDATE\r\nContact: <sip:{contact}>\r\n\
             Content-Length: {}\r\n\r\n{body}",
            line("From:"),
            line("To:"),
            line("Call-ID:"),
            body.len()
        );
        caller.wire.ask(RAW, &update)
    };
    let agreed = says(2, RAW, "");
    assert_eq!(status(&agreed), ["200 OK"]);
    assert!(
        agreed[0].contains("\r\nContact: <sip:192.0.2.1"),
        "{agreed:?}"
    );
    for (cseq, contact, body) in [(3, RAW, "v=0\r\n"), (4, "203.0.113.99", "")] {
        let pending = says(cseq, contact, body);
        assert_eq!(status(&pending), ["491 Request Pending"]);
    }
}

/// A description would have to be agreed; ringing needs none.
#[test]
fn who_requires_confirmation_hears_that_it_rings_where_a_phone_speaks() {
    let mut wire = raw_phone();
    wire.ask(
        RAW,
        &request(RAW, "INVITE", LINE, "rel", "Require: 100rel\r\n"),
    );
    let invite = wire.got(RAW_PHONE).remove(0);
    let (sdp, lines) = ("v=0\r\ns=early\r\n", "Content-Type: application/sdp\r\n");
    let says = phone_says(&invite, "183 Session Progress", lines, sdp);
    wire.ask(RAW_PHONE, &says);
    assert_eq!(status(&wire.got(RAW)), ["180 Ringing"]);
}

#[test]
fn early_media_pass_and_end_with_the_phone_that_made_them() {
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    let sdp = "v=0\r\ns=early\r\n";
    let lines = "Content-Type: application/sdp\r\n";
    wire.ask(
        RAW_PHONE,
        &phone_says(&invite, "183 Session Progress", lines, sdp),
    );
    let heard = wire.got(super::OPERATOR);
    let early = heard
        .iter()
        .find(|one| one.starts_with("SIP/2.0 183"))
        .unwrap();
    assert!(early.ends_with(sdp) && early.contains("Content-Type: application/sdp"));

    // The phone gives up; the next agent's ringing is another early dialog.
    wire.ask(RAW_PHONE, &phone_says(&invite, "486 Busy Here", "", ""));
    wire.bench.world.run_for(seconds(0.1));
    let heard = wire.got(super::OPERATOR);
    let next = heard
        .iter()
        .find(|one| one.starts_with("SIP/2.0 180"))
        .unwrap();
    let tag = |text: &str| {
        let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
        to.rsplit_once(";tag=").unwrap().1.to_owned()
    };
    assert_ne!(tag(early), tag(next));
    assert!(!next.contains("v=0"));
    let offers = wire.bench.world.events().iter().filter(|(_, event)| {
        matches!(
            event,
            Event::Distribution {
                what: engine::acd::Event::Offered { .. },
                ..
            }
        )
    });
    assert_eq!(offers.count(), 2);
}

/// Its INVITE was damaged on its way: whoever picks up is in a call that nobody has.
#[test]
fn who_goes_on_answering_what_was_not_asked_is_hung_up_and_the_next_is_rung() {
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    let other = phone_says(&invite, "200 OK", "", "").replacen("Call-ID: ", "Call-ID: x", 1);
    assert_eq!(wire.ask(RAW_PHONE, &other), Vec::<String>::new());
    assert_eq!(wire.bench.state("arm-1"), "offered");
    let got = wire.ask(RAW_PHONE, &other);
    let kinds: BTreeSet<_> = got.iter().filter_map(|one| one.split(' ').next()).collect();
    assert_eq!(kinds, BTreeSet::from(["ACK", "BYE"]), "{got:?}");
    assert!(got.iter().all(|one| one.contains("Call-ID: x")), "{got:?}");
    assert_eq!(wire.bench.state("arm-2"), "offered");
}

#[test]
fn an_answer_to_another_call_is_none() {
    for (what, with) in [
        ("Call-ID: ", "Call-ID: x"),
        (";tag=", ";tag=x"),
        ("CSeq: 1", "CSeq: 9"),
    ] {
        let mut wire = raw_phone();
        let invite = rung(&mut wire);
        let ok = phone_says(&invite, "200 OK", "", "");
        let got = wire.ask(RAW_PHONE, &ok.replacen(what, with, 1));
        assert!(got.iter().all(|one| !one.starts_with("ACK")), "{what}");
        assert_eq!(wire.bench.state("arm-1"), "offered", "{what}");
        // It was damaged on its way, and comes again.
        let got = wire.ask(RAW_PHONE, &ok);
        assert!(got.iter().any(|one| one.starts_with("ACK")), "{what}");
        assert_eq!(wire.bench.state("arm-1"), "talking", "{what}");
        // Another time, when its phone has been heard.
        let got = wire.ask(
            RAW_PHONE,
            &ok.replacen(what, with, 1)
                .replacen(";tag=phone", ";tag=other", 1),
        );
        assert!(got.iter().all(|one| !one.starts_with("ACK")), "{what}");
    }
}

#[test]
fn the_reason_of_who_hangs_up_reaches_the_other_side() {
    const REASON: &str = "Reason: Q.850;cause=16;text=\"bye\"\r\n";
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    let ok = phone_says(&invite, "200 OK", "", "");
    wire.ask(RAW_PHONE, &ok);
    wire.bench.world.run_for(seconds(1.0));
    let line = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(": ").unwrap().1.to_owned()
    };
    let bye = format!(
        "BYE sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {RAW_PHONE};branch=z9hG4bKbye\r\n\
         From: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 9 BYE\r\n{REASON}\r\n",
        line(&invite, "To:"),
        line(&invite, "From:"),
        line(&invite, "Call-ID:")
    );
    wire.ask(RAW_PHONE, &bye);
    let heard = wire.got(super::OPERATOR);
    let heard = heard.iter().find(|one| one.starts_with("BYE")).unwrap();
    assert!(heard.contains(REASON), "{heard}");

    // A caller who gives up while the phone rings.
    let mut wire = raw_phone();
    let call = request(RAW, "INVITE", LINE, "give-up", "");
    wire.ask(RAW, &call);
    let invite = wire.got(RAW_PHONE).remove(0);
    wire.ask(RAW_PHONE, &phone_says(&invite, "180 Ringing", "", ""));
    let cancel = call
        .replace("INVITE", "CANCEL")
        .replace("Contact:", &format!("{REASON}Contact:"));
    wire.ask(RAW, &cancel);
    let heard = wire.got(RAW_PHONE);
    let heard = heard.iter().find(|one| one.starts_with("CANCEL")).unwrap();
    assert!(heard.contains(REASON), "{heard}");
}

#[test]
fn a_phone_that_asks_something_while_it_rings_is_answered() {
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    wire.ask(RAW_PHONE, &phone_says(&invite, "180 Ringing", "", ""));
    let sdp = "v=0\r\n";
    let cases = [
        ("UPDATE", "", "200 OK"),
        ("UPDATE", sdp, "491 Request Pending"),
        ("OPTIONS", "", "200 OK"),
        ("INFO", "", "480 Temporarily Unavailable"),
        ("BYE", "", "481 Call/Transaction Does Not Exist"),
    ];
    let line = |name: &str| {
        let line = invite.lines().find(|line| line.starts_with(name)).unwrap();
        line.trim_start_matches(name).trim().to_owned()
    };
    for (index, (method, body, expected)) in cases.into_iter().enumerate() {
        let (from, to, call_id) = (line("To:"), line("From:"), line("Call-ID:"));
        let cseq = index + 1;
        let text = format!(
            "{method} sip:192.0.2.1:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP {RAW_PHONE};branch=z9hG4bKearly{index}\r\nMax-Forwards: 70\r\n\
             From: {from};tag=raw\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{RAW_PHONE}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answers = wire.ask(RAW_PHONE, &text);
        assert_eq!(super::requests::status(&answers), [expected], "{method}");
    }
}

/// A phone answers when its INVITE is given up, and does not hear that its call is over: the next process goes on saying
/// so, and says nothing else.
#[test]
fn a_phone_that_answers_late_hears_one_bye_from_any_process() {
    let mut wire = raw_phone();
    let plan = CallPlan::to(super::DIALLED).patience(seconds(3.0));
    wire.bench.call(plan);
    wire.bench.world.run_for(seconds(0.1));
    let invite = first(&wire, "INVITE");
    wire.bench.world.run_for(seconds(33.0));
    let ok = phone_says(&invite, "200 OK", "", "");
    let mut byes = BTreeSet::new();
    for _ in 0..2 {
        let got = wire.ask(RAW_PHONE, &ok);
        let acks = got.iter().filter(|one| one.starts_with("ACK"));
        assert_eq!(acks.count(), 1, "each answer has its ACK: {got:?}");
        byes.extend(got.into_iter().filter(|one| one.starts_with("BYE")));
        wire.forget();
        wire.bench.restart(&with_raw_phone(), 2, seconds(1.0));
        wire.bench.world.run_for(seconds(1.0));
        let got = wire.got(RAW_PHONE);
        byes.extend(got.into_iter().filter(|one| one.starts_with("BYE")));
    }
    assert_eq!(byes.len(), 1, "{byes:?}");
    let bye = byes.first().unwrap();
    wire.ask(RAW_PHONE, &phone_says(bye, "200 OK", "", ""));
    wire.bench.finish();
}

/// A caller asks for something and hangs up. Both was sent on to a phone, which answers the first when nobody waits for
/// it any more, and has not heard the second.
#[test]
fn who_answers_while_its_call_is_ended_is_acknowledged_and_no_more() {
    let mut wire = raw_phone();
    wire.ask(RAW, &request(RAW, "INVITE", LINE, "call", ""));
    let invite = first(&wire, "INVITE");
    wire.ask(RAW_PHONE, &phone_says(&invite, "200 OK", "", ""));
    let ok = wire.got(RAW).pop().unwrap();
    let mut call = Call::answered(wire, &ok);
    call.ask(2, "INVITE", "v=0\r\n");
    let reinvite = first(&call.wire, "INVITE");
    call.ask(3, "BYE", "");
    assert!(first(&call.wire, "BYE").contains("CSeq: 3 BYE"));
    call.wire.bench.world.run_for(seconds(31.9));
    let answer =
        phone_says(&reinvite, "200 OK", "", "").replacen(";tag=phone;tag=phone", ";tag=phone", 1);
    let got = call.wire.ask(RAW_PHONE, &answer);
    let kinds: Vec<_> = got.iter().filter_map(|one| one.split(' ').next()).collect();
    assert_eq!(kinds, ["ACK"], "{got:?}");
    assert!(got[0].contains("CSeq: 2 ACK"));
    call.wire.bench.finish();
}

/// The first of what a phone was sent that begins so.
fn first(wire: &Wire, method: &str) -> String {
    let mut got = wire.got(RAW_PHONE).into_iter();
    got.find(|one| one.starts_with(method)).unwrap()
}

/// Two processes before have confirmed that the phone rings. What the third says in the dialog comes after that, or the phone
/// refuses it (RFC 3261 §12.2.2) and stays in a call that is over.
#[test]
fn what_processes_before_have_confirmed_counts_for_the_next() {
    let number = |text: &str| -> u32 {
        let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: "));
        cseq.unwrap().split(' ').next().unwrap().parse().unwrap()
    };
    let mut wire = raw_phone();
    let invite = rung(&mut wire);
    let mut said = 1;
    for rseq in 1..5_u64 {
        let lines = format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
        let says = phone_says(&invite, "180 Ringing", &lines, "");
        let got = wire.ask(RAW_PHONE, &says);
        let prack = got.iter().find(|one| one.starts_with("PRACK")).unwrap();
        assert!(number(prack) > said, "{prack}");
        said = number(prack);
        wire.ask(RAW_PHONE, &phone_says(prack, "200 OK", "", ""));
        if rseq % 2 == 0 {
            wire.bench.restart(&with_raw_phone(), rseq, seconds(1.0));
            wire.bench.world.run_for(seconds(0.1));
        }
    }
    let lines = "Content-Type: application/sdp\r\n";
    wire.ask(RAW_PHONE, &phone_says(&invite, "200 OK", lines, "v=0\r\n"));
    assert_eq!(wire.bench.state("arm-1"), "talking");
    wire.forget();
    wire.bench.world.run_for(seconds(10.0));
    let got = wire.got(RAW_PHONE);
    let bye = got.iter().find(|one| one.starts_with("BYE")).unwrap();
    assert!(number(bye) > said, "{bye}");
    wire.ask(RAW_PHONE, &phone_says(bye, "200 OK", "", ""));
}
