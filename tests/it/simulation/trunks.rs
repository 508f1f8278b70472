//! Calls that leave through trunks: which trunk, which next hop, and how the number is written.

use std::{net::IpAddr, time::Duration};

use engine::{
    Event,
    sip_proxy::{Answer, DomainName, Health, Naptr, Query, Srv},
};
use sim::Weather;

use super::{
    AFTER_20_S, Bench, PHONES, Site, address, configuration,
    requests::{LINE, RAW, Wire, request, status},
    seconds,
};

const FIRST: &str = "198.51.100.50:5060";
const SECOND: &str = "198.51.100.51:5060";
const ABROAD: &str = "198.51.100.52:5060";

const TRUNKS: &str = "
[[trunk]]
name = \"carrier\"
sources = [\"198.51.100.50/31\"]
next_hops = [\"sip:198.51.100.50\", \"sip:198.51.100.51\"]
prefixes = [\"+\", \"17\"]
number_form = \"national\"
presented = \"0388000015\"
[[trunk]]
name = \"abroad\"
sources = [\"198.51.100.52\"]
next_hops = [\"sip:198.51.100.52\"]
prefixes = [\"+49\"]
";

/// A node with these trunks beside the operator's, and an agent's phone that is written by hand.
fn wire(trunks: &str) -> Wire {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let text = configuration(&[site], AFTER_20_S) + trunks;
    let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
    // The node asks at once whether its trunks are there.
    wire.bench.world.run_for(seconds(0.01));
    wire
}

/// An agent dials, and this is what the node answers so far.
fn dial(wire: &mut Wire, number: &str, lines: &str) -> Vec<String> {
    let uri = format!("sip:{number}@192.0.2.1");
    let call = request(PHONES, "INVITE", &uri, &format!("out{number}"), lines);
    let from = format!("<sip:someone@{PHONES}>");
    wire.ask(PHONES, &call.replace(&from, "<sip:arm-1@samu.example>"))
}

/// What came to a next hop, and is no OPTIONS.
fn invites(wire: &Wire, at: &str) -> Vec<String> {
    let mut got = wire.got(at);
    got.retain(|text| text.starts_with("INVITE "));
    got
}

/// Answers a request as whoever was asked.
fn answer(wire: &mut Wire, at: &str, asked: &str, status: &str) {
    let copied = |name: &str| {
        let lines = asked.lines().filter(|line| line.starts_with(name));
        lines.fold(String::new(), |all, line| all + line.trim_end() + "\r\n")
    };
    let [via, from, to, call_id, cseq] = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(copied);
    let to = to.replace("\r\n", ";tag=hop\r\n");
    let text =
        format!("SIP/2.0 {status}\r\n{via}{from}{to}{call_id}{cseq}Content-Length: 0\r\n\r\n");
    let node = wire.bench.node;
    wire.bench.world.send(address(at), node, text);
    wire.bench.world.run_for(seconds(0.1));
}

fn request_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn health(wire: &Wire) -> Vec<(String, Health)> {
    let events = wire.bench.world.events().iter();
    let changes = events.filter_map(|(_, event)| match event {
        Event::TrunkHealth { remote, health, .. } => Some((remote.to_string(), *health)),
        _ => None,
    });
    changes.collect()
}

#[test]
fn a_number_goes_to_the_trunk_with_the_longest_prefix_in_its_form() {
    let cases = [
        (
            "0388112233",
            FIRST,
            "sip:0388112233@198.51.100.50;user=phone",
        ),
        (
            "+33388112233",
            FIRST,
            "sip:0388112233@198.51.100.50;user=phone",
        ),
        (
            "0041223344556",
            FIRST,
            "sip:0041223344556@198.51.100.50;user=phone",
        ),
        ("17", FIRST, "sip:17@198.51.100.50;user=phone"),
        (
            "004930112000",
            ABROAD,
            "sip:+4930112000@198.51.100.52;user=phone",
        ),
    ];
    for (dialled, at, uri) in cases {
        let mut wire = wire(TRUNKS);
        assert_eq!(
            status(&dial(&mut wire, dialled, "")),
            ["100 Trying"],
            "{dialled}"
        );
        let asked = invites(&wire, at);
        assert_eq!(asked.len(), 1, "{dialled}");
        assert_eq!(request_line(&asked[0]), format!("INVITE {uri} SIP/2.0"));
    }
}

#[test]
fn a_number_that_no_trunk_takes_is_not_found() {
    let mut wire = wire(TRUNKS);
    assert_eq!(status(&dial(&mut wire, "99", "")), ["404 Not Found"]);
}

#[test]
fn nobody_but_agents_calls_out() {
    let mut wire = wire(TRUNKS);
    let through = request(RAW, "INVITE", "sip:0388112233@192.0.2.1", "through", "");
    let answers = wire.ask(RAW, &through);
    // An operator's call that is nobody's goes to the default line: it is not lost.
    assert!(
        answers.last().unwrap().contains("180 Ringing"),
        "{answers:?}"
    );
    assert_eq!(invites(&wire, FIRST).len(), 0);
}

#[test]
fn what_cannot_serve_is_passed_over_within_the_call() {
    let mut wire = wire(TRUNKS);
    dial(&mut wire, "0388112233", "");
    let first = invites(&wire, FIRST).remove(0);
    wire.forget();
    answer(&mut wire, FIRST, &first, "503 Service Unavailable");
    assert_eq!(wire.got(PHONES), Vec::<String>::new(), "the call goes on");
    let second = invites(&wire, SECOND);
    assert_eq!(second.len(), 1);
    assert!(second[0].starts_with("INVITE sip:0388112233@198.51.100.51;"));
    answer(&mut wire, SECOND, &second[0], "180 Ringing");
    answer(&mut wire, SECOND, &second[0], "486 Busy Here");
    assert_eq!(status(&wire.got(PHONES)), ["180 Ringing", "486 Busy Here"]);
}

#[test]
fn what_a_next_hop_refuses_is_refused() {
    let mut wire = wire(TRUNKS);
    dial(&mut wire, "0388112233", "");
    let first = invites(&wire, FIRST).remove(0);
    wire.forget();
    answer(&mut wire, FIRST, &first, "404 Not Found");
    assert_eq!(status(&wire.got(PHONES)), ["404 Not Found"]);
    assert_eq!(invites(&wire, SECOND).len(), 0);
}

#[test]
fn a_next_hop_that_does_not_answer_is_out_until_it_answers_again() {
    let mut wire = wire(TRUNKS);
    for at in [FIRST, SECOND, ABROAD] {
        let options = wire.got(at).remove(0);
        assert!(options.starts_with("OPTIONS sip:198.51.100.5"), "{options}");
        if at != FIRST {
            answer(&mut wire, at, &options, "200 OK");
        }
    }
    wire.bench.world.run_for(seconds(34.0));
    assert_eq!(
        health(&wire),
        [
            (SECOND.to_owned(), Health::Up),
            (ABROAD.to_owned(), Health::Up),
            (FIRST.to_owned(), Health::Down)
        ]
    );
    dial(&mut wire, "0388112233", "");
    assert_eq!(invites(&wire, FIRST).len(), 0);
    assert_eq!(invites(&wire, SECOND).len(), 1);
    // 30 s after the first time all are asked again.
    wire.bench.world.run_for(seconds(26.0));
    let options = wire.got(FIRST).pop().unwrap();
    answer(&mut wire, FIRST, &options, "404 Not Found");
    assert_eq!(health(&wire).last(), Some(&(FIRST.to_owned(), Health::Up)));
    wire.forget();
    dial(&mut wire, "0388112244", "");
    assert_eq!(invites(&wire, FIRST).len(), 1);
}

#[test]
fn when_all_are_out_a_call_is_tried_all_the_same() {
    let mut wire = wire(TRUNKS);
    wire.bench.world.run_for(seconds(33.0));
    dial(&mut wire, "0388112233", "");
    assert_eq!(invites(&wire, FIRST).len(), 1);
}

fn name(text: &str) -> DomainName {
    DomainName::new(text.as_bytes()).unwrap()
}

fn answered(wire: &mut Wire, query: Query, answer: Answer) {
    let ttl = Duration::from_secs(20);
    wire.bench.world.set_answer(query, answer, ttl);
}

fn server(priority: u16, port: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight: 1,
        port,
        target: name(target),
    }
}

const BY_NAME: &str = "
[[trunk]]
name = \"carrier\"
sources = [\"198.51.100.50/31\"]
next_hops = [\"sip:carrier.example\"]
prefixes = [\"+\"]
";

#[test]
fn a_name_leads_by_dns_and_what_dns_said_last_counts_while_it_is_silent() {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let text = configuration(&[site], AFTER_20_S) + BY_NAME;
    let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
    let naptr = Naptr {
        order: 10,
        preference: 1,
        flags: "s".to_owned(),
        service: "SIP+D2U".to_owned(),
        replacement: name("_sip._udp.carrier.example"),
    };
    let domain = name("carrier.example");
    let service = name("_sip._udp.carrier.example");
    answered(&mut wire, Query::Naptr(domain), Answer::Naptr(vec![naptr]));
    let servers = vec![
        server(20, 5060, "b.carrier.example"),
        server(10, 5080, "a.carrier.example"),
    ];
    answered(&mut wire, Query::Srv(service.clone()), Answer::Srv(servers));
    for (host, ip) in [("a", "198.51.100.50"), ("b", "198.51.100.51")] {
        let query = Query::Addresses(name(&format!("{host}.carrier.example")));
        let address: IpAddr = ip.parse().unwrap();
        answered(&mut wire, query, Answer::Addresses(vec![address]));
    }
    wire.bench.world.run_for(seconds(1.0));
    dial(&mut wire, "0388112233", "");
    let asked = invites(&wire, "198.51.100.50:5080");
    assert!(asked[0].starts_with("INVITE sip:+33388112233@carrier.example;user=phone "));
    wire.forget();
    answer(
        &mut wire,
        "198.51.100.50:5080",
        &asked[0],
        "503 Service Unavailable",
    );
    assert_eq!(invites(&wire, SECOND).len(), 1);

    // The address of the domain is another machine's.
    let own = Query::Addresses(name("carrier.example"));
    let address: IpAddr = "198.51.100.80".parse().unwrap();
    answered(&mut wire, own, Answer::Addresses(vec![address]));
    answered(&mut wire, Query::Srv(service), Answer::Failed);
    wire.bench.world.run_for(seconds(60.0));
    wire.forget();
    dial(&mut wire, "0388112244", "");
    assert_eq!(invites(&wire, "198.51.100.50:5080").len(), 1);
}

/// An operator's calls are not refused because somebody called out through another one.
#[test]
fn a_call_out_is_counted_on_the_trunk_that_it_tries_first() {
    let second = "
[[trunk]]
name = \"second\"
sources = [\"198.51.100.60\"]
next_hops = [\"sip:198.51.100.60\"]
prefixes = [\"+\"]
calls_per_second = 1
";
    let mut wire = wire(&(TRUNKS.to_owned() + second));
    dial(&mut wire, "0388112233", "");
    assert_eq!(invites(&wire, FIRST).len(), 1);
    let from = "198.51.100.60:5060";
    let answers = wire.ask(from, &request(from, "INVITE", LINE, "in", ""));
    assert_eq!(status(&answers)[0], "100 Trying");
}

#[test]
fn a_trunk_sees_the_number_of_the_centre_unless_the_caller_wants_privacy() {
    let identity = "P-Asserted-Identity: <sip:0388000015@samu.example;user=phone>";
    for (lines, shows) in [
        ("", true),
        ("Privacy: id\r\n", false),
        ("Privacy: none\r\n", true),
    ] {
        let mut wire = wire(TRUNKS);
        dial(&mut wire, "0388112233", lines);
        let asked = invites(&wire, FIRST).remove(0);
        assert_eq!(asked.contains(identity), shows, "{lines}: {asked}");
        assert_eq!(
            asked.matches("P-Asserted-Identity").count(),
            usize::from(shows)
        );
    }
}

#[test]
fn a_trunk_that_is_to_see_nothing_of_our_network_is_called_by_us() {
    let trunks = TRUNKS.replacen(
        "prefixes",
        "calls_max = 1\ntopology = \"hidden\"\nprefixes",
        1,
    );
    let mut wire = wire(&trunks);
    let answers = dial(&mut wire, "0388112233", "");
    assert_eq!(status(&answers), ["100 Trying"]);
    let first = invites(&wire, FIRST).remove(0);
    for inside in [PHONES, "203.0.113.1", "arm-1", "samu.example:", "someone"] {
        assert!(!first.contains(inside), "{inside}: {first}");
    }
    assert!(
        first.contains("From: <sip:0388000015@samu.example;user=phone>;tag="),
        "{first}"
    );
    answer(&mut wire, FIRST, &first, "503 Service Unavailable");
    let second = invites(&wire, SECOND).remove(0);
    wire.forget();
    answer(&mut wire, SECOND, &second, "180 Ringing");
    assert_eq!(status(&wire.got(PHONES)), ["180 Ringing"]);
    // The trunk takes one call at a time.
    let more = dial(&mut wire, "0388112244", "");
    assert_eq!(status(&more), ["503 Service Unavailable"]);
    wire.forget();
    answer(&mut wire, SECOND, &second, "486 Busy Here");
    assert_eq!(status(&wire.got(PHONES)), ["486 Busy Here"]);
    let status = wire
        .bench
        .world
        .node(wire.bench.node)
        .status(wire.bench.world.now());
    assert_eq!((status.legs, status.waiting, status.ringing), (0, 0, 0));
}

#[test]
fn such_a_trunk_that_calls_an_agent_sees_no_phone_either() {
    let trunks = TRUNKS.replacen("prefixes", "topology = \"hidden\"\nprefixes", 1);
    let mut wire = wire(&trunks);
    let call = request(FIRST, "INVITE", "sip:arm-1@samu.example", "inward", "");
    wire.forget();
    wire.ask(FIRST, &call);
    wire.bench.world.run_for(seconds(3.0));
    let rung = invites(&wire, PHONES);
    assert_eq!(rung.len(), 1);
    assert!(!rung[0].contains("Call-ID: inward"), "{}", rung[0]);
    let got = wire.got(FIRST);
    let ok = got
        .iter()
        .find(|one| one.starts_with("SIP/2.0 200"))
        .unwrap();
    assert!(
        ok.contains("Contact: <sip:192.0.2.1:5060>") && !ok.contains("203.0.113"),
        "{ok}"
    );
    let to = ok
        .lines()
        .find(|line| line.starts_with("To:"))
        .unwrap()
        .to_owned();
    for (cseq, method) in [(1, "ACK"), (2, "BYE")] {
        let text = request(
            FIRST,
            method,
            "sip:192.0.2.1:5060",
            &format!("in{method}"),
            "",
        )
        .replace(&format!("Call-ID: in{method}"), "Call-ID: inward")
        .replace("CSeq: 1", &format!("CSeq: {cseq}"))
        .replace("To: <sip:192.0.2.1:5060>", &to);
        wire.ask(FIRST, &text);
    }
    let status = wire
        .bench
        .world
        .node(wire.bench.node)
        .status(wire.bench.world.now());
    assert_eq!((status.legs, status.connected), (0, 0));
}

#[test]
fn a_line_is_reached_however_its_number_is_written() {
    let trunks = "[[trunk]]\nname = \"ported\"\nsources = [\"198.51.101.0/24\"]\n\
                  portability_prefixes = [\"D601\"]\n";
    let line = "[[line]]\nid = \"other\"\nsite = \"FR670\"\nnumbers = [\"+33388000015\"]\n\
                skills = { amu = 1 }\npriority = 2\nservice_level = \"30s\"\n\
                selection = \"longest-idle\"\nring_time = \"15s\"\nwrap_up = \"5s\"\n\
                overflow = \"mutual-aid\"\n";
    let cases = [
        ("198.51.101.1:5060", "0388000015"),
        ("198.51.101.1:5060", "D6010388000015"),
        ("198.51.101.1:5060", "0033388000015"),
        (RAW, "33388000015"),
        (RAW, "+33388000015"),
    ];
    for (from, dialled) in cases {
        let mut wire = wire(&format!("{trunks}{line}"));
        let uri = format!("sip:{dialled}@192.0.2.1");
        wire.ask(from, &request(from, "INVITE", &uri, "in", ""));
        let world = &wire.bench.world;
        let directory = world.node(wire.bench.node).directory();
        let on = world.events().iter().find_map(|(_, event)| match event {
            Event::CallStarted { line, .. } => Some(directory.line_profile(*line).id.clone()),
            _ => None,
        });
        assert_eq!(on.as_deref(), Some("other"), "{dialled} from {from}");
    }
}

/// Whose trunk fails is not told to the next, nor what was to be private there alone.
#[test]
fn each_trunk_is_shown_what_it_may_see() {
    let trunks = TRUNKS.replace(
        "prefixes = [\"+49\"]",
        "prefixes = [\"+49\"]\npresented = \"+4930555\"",
    );
    let identity = |text: &str| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("P-Asserted-Identity"));
        line.map(str::to_owned)
    };
    let shown = |number: &str| {
        Some(format!(
            "P-Asserted-Identity: <sip:{number}@samu.example;user=phone>"
        ))
    };
    let fails = "503 Service Unavailable";
    let mut wire = wire(&trunks);
    dial(&mut wire, "004930112000", "");
    let first = invites(&wire, ABROAD).remove(0);
    assert_eq!(identity(&first), shown("+4930555"));
    answer(&mut wire, ABROAD, &first, fails);
    let next = invites(&wire, FIRST).remove(0);
    assert_eq!(identity(&next), shown("0388000015"));

    // Asked for in a second line.
    let trunks = trunks.replace("\"0388000015\"", "\"0388000015\"\ntrust = \"trusted\"");
    let mut wire = self::wire(&trunks);
    let private = "Privacy: critical\r\nPrivacy: id\r\n";
    dial(&mut wire, "004930112000", private);
    let first = invites(&wire, ABROAD).remove(0);
    assert_eq!(identity(&first), None);
    answer(&mut wire, ABROAD, &first, fails);
    let next = invites(&wire, FIRST).remove(0);
    assert_eq!(identity(&next), shown("0388000015"), "{next}");

    // Nor where we call for the agent ourselves.
    let mut wire = self::wire(&format!("{trunks}topology = \"hidden\"\n"));
    dial(&mut wire, "004930112000", private);
    let hidden = invites(&wire, ABROAD).remove(0);
    assert_eq!(identity(&hidden), None);
    assert!(hidden.contains("From: \"Anonymous\""), "{hidden}");
    assert!(!hidden.contains("4930555"), "{hidden}");
}

#[test]
fn the_number_of_a_line_may_be_written_as_it_is_dialled_at_home() {
    let site = |id| Site {
        id,
        neighbours: &[],
        reserve: 0,
        agents: &[],
    };
    // What leads nowhere leads to the first.
    let text = configuration(&[site("FR670"), site("FR680")], AFTER_20_S);
    let text = text.replace("+33300000001", "03 00 00 00 01");
    for number in ["+33300000001", "0300000001", "0033300000001"] {
        let mut wire = Wire::over(Bench::new(&text, 1, Weather::CALM));
        let invite = request(
            RAW,
            "INVITE",
            &format!("sip:{number}@192.0.2.1"),
            "home",
            "",
        );
        wire.ask(RAW, &invite);
        let (now, node) = (wire.bench.world.now(), wire.bench.node);
        let node = wire.bench.world.node(node);
        let line = node.directory().line_profile(node.calls(now)[0].line);
        assert_eq!(
            node.directory().site_profile(line.site).id,
            "FR680",
            "{number}"
        );
    }
}

/// The process that begins has not dialled the call, and its trunk takes one at a time.
#[test]
fn a_call_that_hides_us_is_counted_after_a_restart() {
    let trunks = TRUNKS.replacen(
        "prefixes",
        "calls_max = 1\ntopology = \"hidden\"\nprefixes",
        1,
    );
    let mut wire = wire(&trunks);
    dial(&mut wire, "0388112233", "");
    let asked = invites(&wire, FIRST).remove(0);
    wire.forget();
    answer(
        &mut wire,
        FIRST,
        &asked,
        "200 OK\r\nContact: <sip:198.51.100.50>",
    );
    assert_eq!(status(&wire.got(PHONES)), ["200 OK"]);
    let ok = wire.got(PHONES).remove(0);
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let text = configuration(&[site], AFTER_20_S) + &trunks;
    wire.bench.restart(&text, 2, seconds(1.0));
    wire.bench.world.run_for(seconds(0.1));
    let more = dial(&mut wire, "0388112244", "");
    assert_eq!(status(&more), ["503 Service Unavailable"]);
    let line = |name: &str| ok.lines().find(|line| line.starts_with(name)).unwrap();
    let contact = line("Contact:").trim_start_matches("Contact: <");
    let contact = contact.split('>').next().unwrap();
    let bye = format!(
        "BYE {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {PHONES};branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         {}\r\n{}\r\n{}\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n",
        line("From:"),
        line("To:"),
        line("Call-ID:")
    );
    assert_eq!(status(&wire.ask(PHONES, &bye)), ["200 OK"]);
    let next = dial(&mut wire, "0388112255", "");
    assert_eq!(status(&next), ["100 Trying"]);
}

/// The first trunk of a number may see our network, and the next may not.
#[test]
fn a_trunk_that_hides_us_is_called_by_us_also_as_the_second() {
    let trunks = TRUNKS.replacen("prefixes", "topology = \"hidden\"\nprefixes", 1);
    let mut wire = wire(&trunks);
    dial(&mut wire, "004930112000", "");
    let first = invites(&wire, ABROAD).remove(0);
    assert!(first.contains("From: <sip:arm-1@samu.example>"), "{first}");
    answer(&mut wire, ABROAD, &first, "503 Service Unavailable");
    let second = invites(&wire, FIRST).remove(0);
    for inside in [PHONES, "203.0.113.1", "arm-1", "samu.example:"] {
        assert!(!second.contains(inside), "{inside}: {second}");
    }
}
