//! A peer that does not keep up.

use super::{Lab, peer::Peer};
use crate::support::node::Node;

/// So many answers of this length are more than the node's queue and what Linux keeps between two
/// processes hold: 256 of them, 4 MB and 6 MB.
const QUESTIONS: u32 = 2500;
const LENGTH: usize = 7000;

impl Peer {
    /// A question whose answer is at least as long as its Via.
    fn ask(&mut self, id: u32) {
        let (us, padding) = (self.address, "x".repeat(LENGTH));
        self.send(&format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS {us};branch=z9hG4bK{id};x={padding}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:sbc@{us}>;tag=f\r\nTo: <sip:127.0.0.1>\r\n\
             Call-ID: ask-{id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ));
    }
}

#[test]
fn a_trunk_that_reads_too_slowly_loses_answers_but_not_its_name() {
    let mut lab = Lab::new("slow");
    let mut operator = lab.operator();
    for id in 0..QUESTIONS {
        operator.ask(id);
    }
    let heard = |node: &Node, what: &str| {
        let labels = format!("direction=\"in\",kind=\"{what}\",node=\"scenario-1\"");
        node.metric(&format!("quinze_sip_messages_total{{{labels}}}"))
    };
    operator.invite("last");
    lab.node.until("all that was sent", |node| {
        let dropped: u64 = node.drops().values().sum();
        assert_eq!(dropped, 0, "{:?}", node.drops());
        heard(node, "INVITE") == 1.0
    });
    assert_eq!(heard(&lab.node, "OPTIONS"), f64::from(QUESTIONS));
    lab.node.stop();
}
