//! The binary over TLS: who a certificate makes a peer, what a bad one costs, and what an operator
//! sees of it.

mod files;
mod handshakes;
mod peer;
mod reload;
mod reuse;
mod slow;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
};

use self::peer::Peer;
use crate::support::{
    binary,
    certificates::{Authority, Identity, loopback, operator, over_tls, with_names},
    node::{LIMIT, Node},
};

/// A node whose only trunk is known by its certificates, and who signs them.
struct Lab {
    folder: PathBuf,
    authority: Authority,
    node: Node,
}

impl Lab {
    fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// More configuration may follow.
    fn with(name: &str, more: &str) -> Self {
        let folder = folder(name);
        let authority = Authority::new("operators");
        authority.write(&folder);
        authority.issue(&loopback()).write(&folder);
        let node = Node::start(&folder, |sip, http| configuration(sip, http) + more);
        Self {
            folder,
            authority,
            node,
        }
    }

    /// A peer that shows this certificate.
    fn peer(&self, identity: &Identity) -> Peer {
        let client = self.authority.client(Some(identity));
        Peer::connect(self.node.sip, client).unwrap()
    }

    /// A peer that shows none.
    fn stranger(&self) -> Peer {
        Peer::connect(self.node.sip, self.authority.client(None)).unwrap()
    }

    /// A peer that the trunk is known by.
    fn operator(&self) -> Peer {
        self.peer(&self.authority.issue(&operator()))
    }

    fn refused(&self, reason: &str) -> f64 {
        self.node.metric(&refusals(reason))
    }

    /// Waits until so many connections have been refused.
    fn until_refused(&mut self, reason: &str, count: f64) {
        let series = refusals(reason);
        let is_counted = |node: &Node| node.metric(&series) == count;
        self.node.until(&series, is_counted);
    }
}

fn refusals(reason: &str) -> String {
    format!("quinze_connections_refused_total{{reason=\"{reason}\",node=\"scenario-1\"}}")
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    binary::fresh_folder(&format!("tls/{name}")).unwrap()
}

fn configuration(sip: u16, http: u16) -> String {
    let template = binary::root().join("sip-scenarios/nodes/one-site.toml");
    let text = fs::read_to_string(template).unwrap();
    let text = text
        .replace("{sip_port}", &sip.to_string())
        .replace("{http_port}", &http.to_string())
        .replace("{ring_time}", "15s")
        .replace("{wrap_up}", "0s");
    over_tls(&text)
}

#[test]
fn a_trunk_is_known_by_the_name_of_its_certificate() {
    let lab = Lab::new("known");
    let mut operator = lab.operator();
    operator.invite("known");
    operator.expect("SIP/2.0 100 ");
    operator.expect("SIP/2.0 182 ");
    lab.node.stop();
}

#[test]
fn a_certificate_that_proves_nothing_makes_a_stranger_and_costs_nobody_else() {
    let lab = Lab::new("strangers");
    let authority = &lab.authority;
    let mut expired = operator();
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let mut not_yet = operator();
    not_yet.not_before = rcgen::date_time_ymd(2098, 1, 1);
    // Its name is that of the authority that the node believes.
    let foreign = Authority::new("operators");
    let strangers = [
        ("none", None),
        ("expired", Some(authority.issue(&expired))),
        ("not-yet", Some(authority.issue(&not_yet))),
        ("foreign", Some(foreign.issue(&operator()))),
    ];
    for (what, identity) in strangers {
        let mut peer = match &identity {
            Some(identity) => lab.peer(identity),
            None => lab.stranger(),
        };
        peer.invite(what);
        assert_eq!(peer.status(), "403", "{what}");
        // Nothing of it rubs off on who calls from the same address.
        let mut operator = lab.operator();
        operator.invite(&format!("after-{what}"));
        assert_eq!(operator.status(), "180", "after {what}");
    }
    assert_eq!(lab.refused("tls-handshake"), 0.0);
    lab.node.stop();
}

#[test]
fn a_certificate_is_believed_through_an_authority_in_between() {
    let lab = Lab::new("between");
    let between = lab.authority.below("operator a");
    let mut alone = lab.peer(&between.issue(&operator()));
    alone.invite("alone");
    assert_eq!(alone.status(), "403", "nobody says who has signed it");
    let mut shown = lab.peer(&between.issue(&operator()).shown_with(&between));
    shown.invite("shown");
    assert_eq!(shown.status(), "180");
    lab.node.stop();
}

/// RFC 5922 §7.1, and §7.2 for how names compare.
#[test]
fn a_certificate_is_its_sip_domains_else_its_dns_names_and_never_its_common_name() {
    const TRUNK: &str = "180";
    const STRANGER: &str = "403";
    let cases: [(&str, &[&str], &str); 13] = [
        ("sbc", &["URI:sip:operator-a.example"], TRUNK),
        ("sbc", &["DNS:operator-a.example"], TRUNK),
        ("sbc", &["URI:sip:Operator-A.Example"], TRUNK),
        ("sbc", &["DNS:OPERATOR-A.example"], TRUNK),
        (
            "sbc",
            &["URI:sip:other.example", "URI:sip:operator-a.example"],
            TRUNK,
        ),
        (
            "sbc",
            &["DNS:other.example", "DNS:operator-a.example"],
            TRUNK,
        ),
        // A SIP domain leaves the DNS names without meaning; what is no SIP domain does not.
        (
            "sbc",
            &["URI:sip:other.example", "DNS:operator-a.example"],
            STRANGER,
        ),
        (
            "sbc",
            &["URI:https://other.example", "DNS:operator-a.example"],
            TRUNK,
        ),
        (
            "sbc",
            &["URI:sip:bob@other.example", "DNS:operator-a.example"],
            TRUNK,
        ),
        ("sbc", &["URI:sip:bob@operator-a.example"], STRANGER),
        ("sbc", &["DNS:*.example"], STRANGER),
        ("operator-a.example", &["DNS:other.example"], STRANGER),
        ("operator-a.example", &[], STRANGER),
    ];
    let lab = Lab::new("names");
    for (index, (common_name, names, status)) in cases.into_iter().enumerate() {
        let request = with_names(common_name, names.iter().copied());
        let mut peer = lab.peer(&lab.authority.issue(&request));
        peer.invite(&format!("names-{index}"));
        assert_eq!(peer.status(), status, "CN={common_name} {names:?}");
    }
    lab.node.stop();
}

#[test]
fn a_ban_of_an_address_does_not_cost_the_calls_of_a_trunk_behind_it() {
    let mut lab = Lab::new("banned");
    let banned = "quinze_drops_total{reason=\"banned\",node=\"scenario-1\"}";
    let mut stranger = lab.stranger();
    let mut count = 0;
    let Lab { node, .. } = &mut lab;
    node.until("a ban", |node| {
        stranger.invite(&format!("stranger-{count}"));
        count += 1;
        node.metric(banned) >= 1.0
    });
    let mut operator = lab.operator();
    operator.invite("operator");
    assert_eq!(operator.status(), "180");
    lab.node.stop();
}

#[test]
fn what_is_no_tls_is_closed_and_counted() {
    let mut lab = Lab::new("plain");
    let mut plain = TcpStream::connect(("127.0.0.1", lab.node.sip)).unwrap();
    plain.set_read_timeout(Some(LIMIT)).unwrap();
    plain
        .write_all(b"OPTIONS sip:15@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut rest = Vec::new();
    match plain.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    // TLS has a word for it, at most.
    assert!(!rest.starts_with(b"SIP"), "{rest:?}");
    lab.until_refused("tls-handshake", 1.0);
    let mut operator = lab.operator();
    operator.invite("after");
    assert_eq!(operator.status(), "180");
    let log = lab.node.stop();
    assert!(!log.contains("OPTIONS"), "{log}");
}

#[test]
fn one_address_has_only_so_many_connections_and_gets_a_place_back_for_each_that_ends() {
    let mut lab = Lab::with("places", "\n[connections]\nmax_per_source = 2\n");
    let reason = "connections-per-source-max";
    let mut first = lab.operator();
    let mut second = lab.operator();
    for open in [&mut first, &mut second] {
        open.ping().unwrap();
    }
    let authority = Authority::client(&lab.authority, None);
    let third = Peer::connect(lab.node.sip, authority.clone());
    assert!(third.is_err(), "closed before its handshake");
    assert_eq!(lab.refused(reason), 1.0);
    second.invite("second");
    assert_eq!(second.status(), "180", "who is there stays");

    drop(first);
    lab.node.until("the place of the first", |node| {
        Peer::connect(node.sip, authority.clone()).is_ok()
    });
    lab.node.stop();
}

#[test]
fn the_metrics_say_when_the_certificate_of_the_node_ends() {
    let lab = Lab::new("expiry");
    // 2099-01-01, midnight.
    assert_eq!(expiry(&lab.node), 4_070_908_800.0);
    lab.node.stop();
}

/// When the certificate of a node ends.
fn expiry(node: &Node) -> f64 {
    node.metric("quinze_certificate_expiry_timestamp_seconds{node=\"scenario-1\"}")
}
