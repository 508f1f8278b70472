//! What holds for every version of TLS that the node speaks.

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

use super::{Lab, operator, peer::Peer};

const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("1.2", &TLS12), ("1.3", &TLS13)];

#[test]
fn a_trunk_is_known_by_its_certificate_and_again_when_it_resumes_a_session() {
    let lab = Lab::new("versions");
    for (version, protocol) in VERSIONS {
        let operator = lab.authority.issue(&operator());
        let client = lab.authority.client_of(protocol, &operator, &operator);
        for is_resumed in [false, true] {
            let mut peer = Peer::connect(lab.node.sip, client.clone()).unwrap();
            assert_eq!(peer.is_resumed(), is_resumed, "TLS {version}");
            peer.invite(&format!("{version}-{is_resumed}"));
            assert_eq!(peer.status(), "180", "TLS {version}");
        }
    }
    lab.node.stop();
}

#[test]
fn a_certificate_without_its_key_opens_no_connection() {
    let mut lab = Lab::new("stolen");
    let operator_has = lab.authority.issue(&operator());
    let thief_has = lab.authority.issue(&operator());
    for (count, (version, protocol)) in (1_u32..).zip(VERSIONS) {
        let thief = lab.authority.client_of(protocol, &operator_has, &thief_has);
        // With TLS 1.3 it hears of the refusal only behind its own part of the handshake.
        let opened = Peer::connect(lab.node.sip, thief).and_then(|mut peer| peer.ping());
        assert!(opened.is_err(), "TLS {version}");
        lab.until_refused("tls-handshake", f64::from(count));
    }
    lab.node.stop();
}
