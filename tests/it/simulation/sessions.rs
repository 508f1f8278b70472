//! Connected sides that go silent: session timers where a side has them, OPTIONS where it has none.

use std::{cell::Cell, net::SocketAddr, rc::Rc};

use engine::{Event, acd::Want};
use sim::{CallPlan, Fate, Manner, Weather};

use super::{
    AFTER_20_S, Bench, DIALLED, OPERATOR, PHONES, Site, address, configuration,
    requests::{LINE, RAW, Wire, request, status},
    seconds,
};

/// One site with these agents; a side may be silent for 90 seconds.
fn text(agents: &[&str]) -> String {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents,
    };
    configuration(&[site], AFTER_20_S) + "[timers]\nsession = \"90s\"\n"
}

fn bench() -> Bench {
    Bench::new(&text(&["arm-1"]), 1, Weather::CALM)
}

/// Why the only call ended, and when.
fn end(bench: &Bench) -> (&'static str, u64) {
    let events = bench.world.events().iter();
    let mut ends = events.filter_map(|(at, event)| match event {
        Event::CallEnded { cause, .. } => Some((cause.label(), at.as_secs())),
        _ => None,
    });
    let end = ends.next().expect("the call has ended");
    assert_eq!(ends.next(), None);
    end
}

/// Nothing comes from or goes to an address once the switch is set.
fn cut_off(bench: &mut Bench, at: &str) -> Rc<Cell<bool>> {
    let is_cut = Rc::new(Cell::new(false));
    let (switch, at): (_, SocketAddr) = (is_cut.clone(), address(at));
    bench.world.set_filter(Box::new(move |datagram| {
        if switch.get() && (datagram.from == at || datagram.to == at) {
            Fate::Lost
        } else {
            Fate::Passes
        }
    }));
    is_cut
}

#[test]
fn a_call_goes_on_while_both_sides_answer() {
    let mut bench = bench();
    bench.call(CallPlan::to(DIALLED).talk(seconds(600.0)));
    bench.world.run_for(seconds(600.0));
    let ladder = bench.finish();
    let asked = ladder.matches(" OPTIONS").count();
    assert!(ladder.contains("200 OK (2 OPTIONS)"), "{ladder}");
    assert_eq!(asked, 2 * 2 * 13, "each side every 45 s, and its answer");
    assert_eq!(end(&bench), ("caller-bye", 602));
}

#[test]
fn a_side_that_has_vanished_ends_the_call() {
    for vanishes in [OPERATOR, PHONES] {
        let mut bench = bench();
        let is_cut = cut_off(&mut bench, vanishes);
        bench.call(CallPlan::to(DIALLED));
        bench.world.run_for(seconds(10.0));
        is_cut.set(true);
        bench.world.run_for(seconds(200.0));
        // Connected after 2 s, asked 45 s later, given up 32 s after that.
        assert_eq!(end(&bench), ("peer-lost", 79), "{vanishes}");
        let status = bench.world.node(bench.node).status(bench.world.now());
        assert_eq!(
            (status.connected, status.legs, status.client_transactions),
            (0, 0, 0)
        );
    }
}

/// A caller written by hand, with the lines of its INVITE, its answer acknowledged.
struct Caller {
    wire: Wire,
    ok: String,
}

impl Caller {
    fn new(lines: &str) -> Self {
        Self::of(bench(), lines)
    }

    fn of(bench: Bench, lines: &str) -> Self {
        Self::answered(bench, lines, |_| ())
    }

    /// With a phone that is played by hand, too.
    fn answered(bench: Bench, lines: &str, answer: impl FnOnce(&mut Wire)) -> Self {
        let mut wire = Wire::over(bench);
        let body = "v=0\r\n";
        let invite = request(RAW, "INVITE", LINE, "i", lines);
        let head = invite.strip_suffix("\r\n").unwrap();
        let invite = format!(
            "{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        wire.ask(RAW, &invite);
        answer(&mut wire);
        wire.bench.world.run_for(seconds(2.5));
        let ok = wire
            .got(RAW)
            .into_iter()
            .find(|one| one.starts_with("SIP/2.0 200"));
        let mut caller = Self {
            wire,
            ok: ok.expect("the call is answered"),
        };
        caller.send("ACK", 1, "");
        caller
    }

    /// A request inside the dialog; what comes back.
    fn send(&mut self, method: &str, cseq: u32, lines: &str) -> Vec<String> {
        let line = |name: &str| self.ok.lines().find(|line| line.starts_with(name)).unwrap();
        let target = line("Contact:")
            .trim_start_matches("Contact: ")
            .trim_matches(['<', '>']);
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {RAW};branch=z9hG4bK{method}{cseq}\r\n\
             {}\r\n{}\r\n{}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{RAW}>\r\n{lines}\r\n",
            line("From:"),
            line("To:"),
            line("Call-ID:")
        );
        self.wire.ask(RAW, &text)
    }

    /// What comes within this time.
    fn wait(&mut self, time: f64) -> Vec<String> {
        self.wire.forget();
        self.wire.bench.world.run_for(seconds(time));
        self.wire.got(RAW)
    }

    /// Requests of the node, by the first word of each.
    fn asked(got: &[String]) -> Vec<&str> {
        let words = got.iter().filter_map(|text| text.split(' ').next());
        words.filter(|word| *word != "SIP/2.0").collect()
    }
}

#[test]
fn a_caller_with_a_timer_refreshes_by_itself_or_is_gone() {
    let mut caller =
        Caller::new("Supported: timer\r\nSession-Expires: 120\r\nAllow: INVITE, UPDATE\r\n");
    assert!(
        caller.ok.contains("Session-Expires: 120;refresher=uac\r\n"),
        "{}",
        caller.ok
    );
    assert!(caller.ok.contains("Require: timer\r\n"));
    // It ends 32 s before its interval; an UPDATE begins a new one.
    assert!(!Caller::asked(&caller.wait(80.0)).contains(&"BYE"));
    let refreshed = caller.send(
        "UPDATE",
        2,
        "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n",
    );
    assert_eq!(status(&refreshed), ["200 OK"]);
    assert!(refreshed[0].contains("Session-Expires: 120;refresher=uac\r\n"));
    assert!(!Caller::asked(&caller.wait(86.0)).contains(&"BYE"));
    assert!(Caller::asked(&caller.wait(4.0)).contains(&"BYE"));
    assert_eq!(end(&caller.wire.bench).0, "peer-lost");
}

#[test]
fn a_caller_who_wants_us_to_refresh_is_asked_by_update() {
    let mut caller = Caller::new(
        "Supported: timer\r\nSession-Expires: 120;refresher=uas\r\nAllow: INVITE, UPDATE\r\n",
    );
    assert!(caller.ok.contains("Session-Expires: 120;refresher=uas\r\n"));
    assert!(!caller.ok.contains("Require: timer"));
    let got = caller.wait(61.0);
    let update = got.iter().find(|one| one.starts_with("UPDATE")).unwrap();
    assert!(
        update.contains("Session-Expires: 120;refresher=uac\r\n"),
        "{update}"
    );
    assert!(update.ends_with("Content-Length: 0\r\n\r\n"));
}

/// What the caller answers to a request of ours.
fn answer(request: &str, status: &str, lines: &str) -> String {
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(|name| {
        let line = request.lines().find(|line| line.starts_with(name));
        line.unwrap().to_owned() + "\r\n"
    });
    let copied = copied.concat();
    format!("SIP/2.0 {status}\r\n{copied}{lines}Content-Length: 0\r\n\r\n")
}

#[test]
fn one_that_knows_no_update_is_asked_by_re_invite_with_the_same_description() {
    let mut caller =
        Caller::new("Supported: timer\r\nSession-Expires: 120;refresher=uas\r\nAllow: INVITE\r\n");
    let described = caller.ok.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert!(described.starts_with("v=0"));
    let got = caller.wait(61.0);
    let invite = got
        .iter()
        .find(|one| one.starts_with("INVITE"))
        .unwrap()
        .clone();
    assert_eq!(invite.split("\r\n\r\n").nth(1), Some(&*described));

    // Its own re-INVITE meets ours: glare.
    let body = "Content-Type: application/sdp\r\nContent-Length: 0\r\n";
    let glare = caller.send("INVITE", 2, body);
    assert_eq!(status(&glare), ["491 Request Pending"]);

    // It agrees, and is acknowledged.
    let agrees = format!("Contact: <sip:{RAW}>\r\nSession-Expires: 120;refresher=uac\r\n");
    let ok = answer(&invite, "200 OK", &agrees);
    let acknowledged = caller.wire.ask(RAW, &ok);
    assert_eq!(Caller::asked(&acknowledged), ["ACK"]);
    let again = caller.wire.ask(RAW, &ok);
    assert_eq!(again, acknowledged, "each time the answer comes");
    assert!(!Caller::asked(&caller.wait(50.0)).contains(&"BYE"));
}

/// The agent puts the caller on hold, which is refused: all stays as it was.
#[test]
fn what_a_side_has_refused_is_not_said_to_it_again() {
    let mut bench = bench();
    let holds = Manner::answers_after(seconds(2.0)).holds(seconds(40.0));
    bench.manner("arm-1", holds);
    let lines = "Supported: timer\r\nSession-Expires: 120;refresher=uas\r\nAllow: INVITE\r\n";
    let mut caller = Caller::of(bench, lines);
    let described = caller.ok.split("\r\n\r\n").nth(1).unwrap().to_owned();
    let asked = |got: Vec<String>| {
        got.into_iter()
            .find(|one| one.starts_with("INVITE"))
            .unwrap()
    };
    let hold = asked(caller.wait(41.0));
    assert!(hold.contains("a=sendonly"), "{hold}");
    let refused = answer(&hold, "488 Not Acceptable Here", "");
    assert_eq!(Caller::asked(&caller.wire.ask(RAW, &refused)), ["ACK"]);
    let refresh = asked(caller.wait(20.0));
    assert_eq!(refresh.split("\r\n\r\n").nth(1), Some(&*described));
}

/// A caller whom one agent sends on to the other's line.
fn sent_on() -> Caller {
    let mut bench = Bench::new(&text(&["arm-1", "arm-2"]), 1, Weather::CALM);
    let (node, second) = (bench.node, bench.agent("arm-2"));
    bench.world.set_agent(node, second, Want::LoggedOut);
    let sends_on = Manner::answers_after(seconds(1.0)).transfers(seconds(2.0), DIALLED);
    bench.manner("arm-1", sends_on);
    let mut caller = Caller::of(bench, "");
    caller.wire.bench.world.set_agent(node, second, Want::Ready);
    caller
}

/// A caller whose side cannot take a re-INVITE is sent on: the next agent answers, and cannot be joined with the caller. It
/// is not the agent who did not answer.
#[test]
fn a_caller_who_is_joined_with_nobody_takes_no_agent_away() {
    let mut caller = sent_on();
    let mut states = Vec::new();
    for _ in 0..120 {
        for request in caller.wait(0.5) {
            if request.starts_with("INVITE") {
                let refused = answer(&request, "500 Server Internal Error", "");
                caller.wire.ask(RAW, &refused);
            }
        }
        let state = caller.wire.bench.state("arm-2");
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    assert_eq!(states[..3], ["offered", "not-ready", "ready"]);
}

/// A caller whose side refuses every agent after the first is hung up, so that others have these agents.
#[test]
fn a_caller_who_would_be_joined_with_nobody_is_hung_up_in_the_end() {
    let mut caller = sent_on();
    let mut asked = Vec::new();
    for _ in 0..120 {
        for request in caller.wait(0.5) {
            asked.extend(
                Caller::asked(std::slice::from_ref(&request))
                    .into_iter()
                    .filter(|what| *what != "ACK")
                    .map(str::to_owned),
            );
            if request.starts_with("INVITE") {
                caller
                    .wire
                    .ask(RAW, &answer(&request, "488 Not Acceptable Here", ""));
            } else if request.starts_with("BYE") {
                caller.wire.ask(RAW, &answer(&request, "200 OK", ""));
            }
        }
    }
    assert_eq!(asked, ["INVITE", "INVITE", "INVITE", "BYE"]);
    assert_eq!(caller.wire.bench.state("arm-2"), "ready");
}

/// The agent's phone makes an offer, and the answer comes in the caller's ACK: the caller takes the agent back from hold so.
#[test]
fn what_came_last_in_an_ack_is_said_again_when_the_session_is_refreshed() {
    const PHONE: &str = "203.0.113.77:5060";
    let text = text(&["arm-1"]);
    let bench = Bench::new(&text.replace(PHONES, PHONE), 1, Weather::CALM);
    let with_body = |lines: &str, body: &str| {
        let length = body.len();
        format!("{lines}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let invite_at = |wire: &Wire| {
        let got = wire.got(PHONE).into_iter();
        got.rev().find(|one| one.starts_with("INVITE")).unwrap()
    };
    // It wants to be asked by re-INVITE, since it knows no UPDATE.
    let answers = |invite: &str| {
        let lines = format!(
            "Contact: <sip:arm-1@{PHONE}>\r\nAllow: INVITE\r\nRequire: timer\r\n\
             Session-Expires: 90;refresher=uac\r\n"
        );
        let ok = answer(invite, "200 OK", &with_body(&lines, "v=0\r\no=agent\r\n"));
        let ok = ok.strip_suffix("Content-Length: 0\r\n\r\n").unwrap();
        ok.replacen(
            "@203.0.113.77:5060>\r\n",
            "@203.0.113.77:5060>;tag=agent\r\n",
            1,
        )
    };
    let mut caller = Caller::answered(bench, "", |wire| {
        let ok = answers(&invite_at(wire));
        wire.ask(PHONE, &ok);
        wire.bench.world.run_for(seconds(0.5));
    });
    caller.send("INVITE", 2, "");
    let ok = answers(&invite_at(&caller.wire));
    caller.wire.ask(PHONE, &ok);
    let resumed = "v=0\r\no=caller\r\n";
    let body = with_body("", resumed);
    caller.send("ACK", 2, body.strip_suffix("\r\n").unwrap());
    caller.wait(46.0);
    let refresh = invite_at(&caller.wire);
    assert_eq!(refresh.split("\r\n\r\n").nth(1), Some(resumed), "{refresh}");
}

/// Nobody reacts to what a phone asks for; it is not told that the call is lost.
#[test]
fn a_change_that_nobody_answers_costs_no_call() {
    let mut bench = bench();
    let holds = Manner::answers_after(seconds(2.0)).holds(seconds(10.0));
    bench.manner("arm-1", holds);
    let mut caller = Caller::of(bench, "");
    let got = caller.wait(12.0);
    let hold = got.iter().find(|one| one.starts_with("INVITE")).unwrap();
    let rings = answer(hold, "180 Ringing", "");
    caller.wire.ask(RAW, &rings);
    caller.wait(62.0);
    let ladder = caller.wire.bench.world.ladder().to_string();
    let told = |status: &str| {
        let is_it = |line: &&str| line.contains("-> phone") && line.contains(status);
        ladder.lines().filter(is_it).count()
    };
    let given_up = told("487 Request Terminated (");
    assert_eq!(
        (given_up, told("408 Request Timeout (")),
        (1, 0),
        "{ladder}"
    );
}

#[test]
fn an_interval_below_the_least_costs_no_call() {
    let caller = Caller::new("Supported: timer\r\nSession-Expires: 30\r\n");
    assert!(!caller.ok.contains("Session-Expires"), "{}", caller.ok);
}

/// Ours are of 90 seconds; a phone that wants half an hour says so, and is called without a proposal. One that is not content
/// with that either cannot be called.
#[test]
fn a_phone_that_wants_longer_sessions_is_rung_once_more() {
    const PHONE: &str = "203.0.113.77:5060";
    let text = text(&["arm-1"]).replace(PHONES, PHONE);
    let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
    wire.ask(RAW, &request(RAW, "INVITE", LINE, "call", ""));
    let first = wire.got(PHONE).remove(0);
    assert!(first.contains("Session-Expires: 90;"), "{first}");
    let refuses = |asked: &str| answer(asked, "422 Session Interval Too Small", "Min-SE: 1800\r\n");
    let got = wire.ask(PHONE, &refuses(&first));
    assert!(got[0].starts_with("ACK "), "{got:?}");
    let again = &got[1];
    assert!(again.starts_with("INVITE "), "{again}");
    assert!(!again.contains("Session-Expires"), "{again}");
    assert!(again.contains("Supported: timer"), "{again}");
    assert_eq!(wire.bench.state("arm-1"), "offered");
    // The second time it is the phone's own will.
    let got = wire.ask(PHONE, &refuses(again));
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(wire.bench.state("arm-1"), "not-ready");
}

/// Where the caller is, and no description: the phone makes the offer, and the answer to it comes in the caller's ACK.
#[test]
fn a_location_is_no_offer() {
    const PHONE: &str = "203.0.113.77:5060";
    let text = text(&["arm-1"]).replace(PHONES, PHONE);
    let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
    let lines = "Geolocation: <cid:loc@op.example>\r\nContent-Type: application/pidf+xml\r\n\
                 Content-ID: <loc@op.example>\r\n";
    let invite = request(RAW, "INVITE", LINE, "call", lines) + "<presence/>\r\n";
    wire.ask(RAW, &invite);
    let asked = wire.got(PHONE).remove(0);
    assert!(asked.ends_with("<presence/>\r\n"), "{asked}");
    let offer = "v=0\r\no=agent\r\n";
    let lines = format!("Contact: <sip:arm-1@{PHONE}>\r\nContent-Type: application/sdp\r\n");
    let ok = answer(&asked, "200 OK", &lines);
    let ok = ok.replace(
        "Content-Length: 0",
        &format!("Content-Length: {}", offer.len()),
    );
    let got = wire.ask(PHONE, &(ok + offer));
    assert_eq!(got, [""; 0], "it waits for the answer");
    let ok = wire.got(RAW).pop().unwrap();
    assert!(ok.ends_with(offer), "{ok}");
    let mut caller = Caller { wire, ok };
    let resumed = "v=0\r\no=caller\r\n";
    let length = resumed.len();
    let body =
        format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{resumed}");
    caller.send("ACK", 1, body.strip_suffix("\r\n").unwrap());
    let acked = caller.wire.got(PHONE).pop().unwrap();
    assert!(
        acked.starts_with("ACK ") && acked.ends_with(resumed),
        "{acked}"
    );
}

/// The operator refreshed until now; another system behind it takes the call and knows nothing of timers.
#[test]
fn a_side_that_keeps_no_timer_any_more_is_asked_whether_it_is_there() {
    let mut caller = Caller::new("Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n");
    let ok = caller.send("UPDATE", 2, "");
    assert_eq!(status(&ok), ["200 OK"]);
    assert!(!ok[0].contains("Session-Expires"), "{}", ok[0]);
    let mut asked = 0;
    for _ in 0..400 {
        for request in caller.wait(0.5) {
            assert!(!request.starts_with("BYE"), "{request}");
            if request.starts_with("OPTIONS") {
                asked += 1;
                caller.wire.ask(RAW, &answer(&request, "200 OK", ""));
            }
        }
    }
    assert_eq!(asked, 3, "each minute");
}
