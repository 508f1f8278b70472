//! Locating servers (RFC 3263), with a DNS that is a table.

use std::{collections::BTreeMap, net::IpAddr, time::Instant};

use sip::{Transport, Uri};
use sip_proxy::{Answer, DomainName, Located, Locator, LocatorSettings, Naptr, Query, Srv};

use crate::support::{seconds, start};

fn name(text: &str) -> DomainName {
    DomainName::new(text.as_bytes()).unwrap()
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight,
        port,
        target: name(target),
    }
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
    Naptr {
        order,
        preference,
        flags: "s".to_owned(),
        service: service.to_owned(),
        replacement: name(replacement),
    }
}

/// A locator, and what DNS would say: anything else does not exist.
struct Bench {
    now: Instant,
    locator: Locator,
    zone: BTreeMap<Query, Answer>,
    asked: Vec<Query>,
}

impl Bench {
    fn new() -> Self {
        Self::with(LocatorSettings::default(), 1)
    }

    fn with(settings: LocatorSettings, seed: u64) -> Self {
        let transports = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
        Self {
            now: start(),
            locator: Locator::new(settings, transports, [seed, 2]),
            zone: BTreeMap::new(),
            asked: Vec::new(),
        }
    }

    fn naptr(mut self, domain: &str, records: Vec<Naptr>) -> Self {
        self.zone
            .insert(Query::Naptr(name(domain)), Answer::Naptr(records));
        self
    }

    fn srv(mut self, service: &str, records: Vec<Srv>) -> Self {
        self.zone
            .insert(Query::Srv(name(service)), Answer::Srv(records));
        self
    }

    fn host(mut self, host: &str, addresses: &[&str]) -> Self {
        let addresses: Vec<IpAddr> = addresses.iter().map(|one| one.parse().unwrap()).collect();
        self.zone
            .insert(Query::Addresses(name(host)), Answer::Addresses(addresses));
        self
    }

    fn locate_once(&mut self, uri: &str) -> Located {
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        self.locator.locate(self.now, uri.as_sip().unwrap())
    }

    /// Asks until it is known: `UDP 192.0.2.1:5060` for each hop.
    fn locate(&mut self, uri: &str) -> Vec<String> {
        loop {
            match self.locate_once(uri) {
                Located::Hops(hops) | Located::Perhaps(hops) => {
                    return hops
                        .iter()
                        .map(|hop| format!("{} {}", hop.transport.as_str(), hop.remote))
                        .collect();
                }
                Located::Nowhere => return Vec::new(),
                Located::Pending => self.answer(),
            }
        }
    }

    fn answer(&mut self) {
        let mut is_asked = false;
        while let Some(query) = self.locator.poll_query() {
            is_asked = true;
            let answer = self.zone.get(&query).cloned().unwrap_or(Answer::None);
            self.asked.push(query.clone());
            self.locator
                .handle_answer(self.now, query, answer, seconds(60));
        }
        assert!(is_asked, "it waits for nothing");
    }
}

#[test]
fn an_address_needs_no_dns() {
    let mut bench = Bench::new();
    for (uri, hop) in [
        ("sip:a@192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:a@192.0.2.1:5070", "UDP 192.0.2.1:5070"),
        ("sip:a@192.0.2.1;transport=tcp", "TCP 192.0.2.1:5060"),
        ("sips:a@192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:a@192.0.2.1;transport=tcp", "TLS 192.0.2.1:5061"),
        (
            "sip:a@[2001:db8::1];transport=tls",
            "TLS [2001:db8::1]:5061",
        ),
        ("sip:a@name.example;maddr=192.0.2.9", "UDP 192.0.2.9:5060"),
    ] {
        assert_eq!(bench.locate(uri), [hop], "{uri}");
    }
    assert!(bench.asked.is_empty());
    assert_eq!(
        bench.locate_once("sip:a@192.0.2.1;transport=sctp"),
        Located::Nowhere
    );
}

#[test]
fn the_example_of_rfc_3263() {
    // RFC 3263 §4.1 and §4.2, with addresses.
    let mut bench = Bench::new()
        .naptr(
            "example.com",
            vec![
                naptr(100, 50, "SIP+D2U", "_sip._udp.example.com"),
                naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
                naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com"),
            ],
        )
        .srv(
            "_sip._tcp.example.com",
            vec![
                srv(1, 1, 5060, "server2.example.com"),
                srv(0, 1, 5060, "server1.example.com"),
            ],
        )
        .host("server1.example.com", &["192.0.2.1"])
        .host("server2.example.com", &["192.0.2.2"]);
    assert_eq!(
        bench.locate("sip:user@example.com"),
        ["TCP 192.0.2.1:5060", "TCP 192.0.2.2:5060"],
        "the TLS service has no servers here, the UDP one neither"
    );
    let asked = bench.asked.len();
    bench.locate("sip:user@example.com");
    assert_eq!(bench.asked.len(), asked, "what is known is not asked again");
}

#[test]
fn a_sips_uri_uses_nothing_but_tls() {
    let mut bench = Bench::new()
        .naptr(
            "example.com",
            vec![
                naptr(10, 50, "SIP+D2U", "_sip._udp.example.com"),
                naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
            ],
        )
        .srv(
            "_sips._tcp.example.com",
            vec![srv(0, 0, 5071, "tls.example.com")],
        )
        .srv(
            "_sip._udp.example.com",
            vec![srv(0, 0, 5060, "udp.example.com")],
        )
        .host("tls.example.com", &["192.0.2.3"])
        .host("udp.example.com", &["192.0.2.4"]);
    assert_eq!(
        bench.locate("sips:user@example.com"),
        ["TLS 192.0.2.3:5071"]
    );
    let Located::Hops(hops) = bench.locate_once("sips:user@example.com") else {
        panic!("it is known");
    };
    assert_eq!(
        hops[0].name.as_ref().map(DomainName::as_str),
        Some("example.com"),
        "the certificate is that of the domain, not of what DNS says"
    );
}

#[test]
fn without_naptr_the_services_are_guessed_and_without_them_the_host() {
    let mut bench = Bench::new()
        .srv(
            "_sip._tcp.a.example",
            vec![srv(0, 0, 5070, "host.a.example")],
        )
        .host("host.a.example", &["192.0.2.5"])
        .host("b.example", &["192.0.2.6", "2001:db8::6"]);
    assert_eq!(bench.locate("sip:user@a.example"), ["TCP 192.0.2.5:5070"]);
    assert_eq!(
        bench.locate("sip:user@b.example"),
        ["UDP 192.0.2.6:5060", "UDP [2001:db8::6]:5060"]
    );
    assert_eq!(
        bench.locate("sip:user@b.example:5080;transport=tcp"),
        ["TCP 192.0.2.6:5080", "TCP [2001:db8::6]:5080"]
    );
    assert!(bench.locate("sip:user@nowhere.example").is_empty());
}

#[test]
fn a_server_that_cannot_be_found_costs_the_others_nothing() {
    let mut bench = Bench::new()
        .srv(
            "_sip._udp.a.example",
            vec![
                srv(0, 0, 5060, "gone.a.example"),
                srv(1, 0, 5060, "there.a.example"),
            ],
        )
        .host("there.a.example", &["192.0.2.7"]);
    assert_eq!(
        bench.locate("sip:a.example;transport=udp"),
        ["UDP 192.0.2.7:5060"]
    );
}

#[test]
fn weights_share_the_load_and_every_server_is_in_the_list() {
    let mut first = BTreeMap::new();
    for seed in 0..1000 {
        let mut bench = Bench::with(LocatorSettings::default(), seed)
            .srv(
                "_sip._udp.a.example",
                vec![
                    srv(0, 30, 1, "a.a.example"),
                    srv(0, 10, 2, "a.a.example"),
                    srv(0, 0, 3, "a.a.example"),
                    srv(1, 0, 4, "a.a.example"),
                ],
            )
            .host("a.a.example", &["192.0.2.8"]);
        let hops = bench.locate("sip:a.example;transport=udp");
        assert_eq!(hops.len(), 4);
        assert_eq!(hops[3], "UDP 192.0.2.8:4", "the next priority");
        *first.entry(hops[0].clone()).or_insert(0) += 1;
    }
    let share = |port: u16| {
        first
            .get(&format!("UDP 192.0.2.8:{port}"))
            .copied()
            .unwrap_or(0)
    };
    assert!((680..=780).contains(&share(1)), "{first:?}");
    assert!((200..=290).contains(&share(2)), "{first:?}");
    assert!((5..=60).contains(&share(3)), "a small chance: {first:?}");
}

#[test]
fn answers_hold_for_their_time_and_failures_for_a_short_one() {
    let mut bench = Bench::new().host("a.example", &["192.0.2.9"]);
    let uri = "sip:a.example:5060";
    assert_eq!(bench.locate(uri).len(), 1);
    bench.now += seconds(59);
    assert!(matches!(bench.locate_once(uri), Located::Hops(_)));
    bench.now += seconds(1);
    assert_eq!(bench.locate_once(uri), Located::Pending);
    assert_eq!(bench.locate_once(uri), Located::Pending);
    assert!(bench.locator.poll_query().is_some());
    assert_eq!(bench.locator.poll_query(), None, "asked once");
    bench.locator.handle_answer(
        bench.now,
        Query::Addresses(name("a.example")),
        Answer::Failed,
        seconds(60),
    );
    assert_eq!(bench.locate_once(uri), Located::Nowhere);
    bench.now += seconds(10);
    assert_eq!(bench.locate(uri).len(), 1, "DNS is back");
}

/// The domain's own address is often another machine's.
#[test]
fn where_dns_does_not_tell_the_servers_the_address_of_the_domain_is_a_guess() {
    let uri = "sip:operator.example";
    for (answer, is_guess) in [(Answer::Failed, true), (Answer::None, false)] {
        let mut bench = Bench::new().host("operator.example", &["192.0.2.80"]);
        for service in ["_sip._udp", "_sip._tcp", "_sips._tcp"] {
            let query = Query::Srv(name(&format!("{service}.operator.example")));
            bench.zone.insert(query, answer.clone());
        }
        assert_eq!(bench.locate(uri), ["UDP 192.0.2.80:5060"]);
        let located = bench.locate_once(uri);
        assert_eq!(matches!(located, Located::Perhaps(_)), is_guess);
    }
}

#[test]
fn a_question_that_is_never_answered_is_asked_again() {
    let mut bench = Bench::new();
    assert_eq!(bench.locate_once("sip:a.example:5060"), Located::Pending);
    assert!(bench.locator.poll_query().is_some());
    bench.now += seconds(10);
    assert_eq!(bench.locate_once("sip:a.example:5060"), Located::Pending);
    assert!(bench.locator.poll_query().is_some());
}

#[test]
fn no_more_is_kept_than_the_limit() {
    let settings = LocatorSettings {
        entries_max: 10,
        ..LocatorSettings::default()
    };
    let mut bench = Bench::with(settings, 1);
    for number in 0..1000 {
        bench.locate(&format!("sip:host{number}.example:5060"));
    }
    // Only the latest are still known.
    assert_eq!(
        bench.locate_once("sip:host0.example:5060"),
        Located::Pending
    );
    assert_eq!(
        bench.locate_once("sip:host999.example:5060"),
        Located::Nowhere
    );
}

#[test]
fn names_that_are_none_lead_nowhere() {
    for wrong in ["", ".", "a..b", &"a".repeat(64), &"a.".repeat(150)] {
        assert!(DomainName::new(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert_eq!(name("SIP.Example.").as_str(), "sip.example");
}
