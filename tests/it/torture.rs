//! The torture messages of RFC 4475 and RFC 5118 against a running node, over UDP and over TCP:
//! each is answered or dropped as the table says, and a good call goes through right after it.

mod link;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use engine::sip::{HeaderName, Limits, Message, Via};

use self::{
    link::{Link, Transport},
    table::{Row, TABLE, Verdict},
};
use crate::support::{binary, node::Node};

/// Where the messages and the parser's own table are.
fn corpus() -> PathBuf {
    binary::root().join("crates/sip/tests/torture")
}

fn wire_bytes(name: &str) -> Vec<u8> {
    fs::read(corpus().join(format!("{name}.sip"))).unwrap()
}

fn lexed(row: &Row) -> Option<Message> {
    Message::parse(wire_bytes(row.name).into(), &Limits::default()).ok()
}

#[test]
fn the_table_has_every_message_once_and_a_reason_for_each() {
    let mut files = BTreeSet::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(corpus().join(rfc)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            files.insert(format!("{rfc}/{}", file.strip_suffix(".sip").unwrap()));
        }
    }
    let listed: BTreeSet<_> = TABLE.iter().map(|row| row.name.to_owned()).collect();
    assert_eq!(listed, files);
    assert_eq!(listed.len(), TABLE.len(), "a message is listed twice");
    for row in &TABLE {
        assert!(!row.why.is_empty(), "{}: why?", row.name);
    }
}

/// Why the node refuses what the parser accepts.
const NOT_OF_THE_PARSER: [&str; 3] = ["unknown-source", "proxy-require", "too-many-hops"];

/// What the parser refuses, the node refuses for the same reason; what it accepts is not dropped
/// unread.
#[test]
fn the_table_agrees_with_that_of_the_parser() {
    let text = fs::read_to_string(corpus().join("expected.tsv")).unwrap();
    let parsed: BTreeMap<_, Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .map(|columns| (columns[0], columns))
        .collect();
    for row in &TABLE {
        let (datagram, stream) = (parsed[row.name][2], parsed[row.name][3]);
        let said = match row.udp {
            Verdict::Refused(status, label) if !NOT_OF_THE_PARSER.contains(&label) => {
                format!("{status} {label}")
            }
            Verdict::Dropped(label) if label != "stray-response" => format!("drop {label}"),
            _ => "ok".to_owned(),
        };
        let agrees = if said == "ok" {
            datagram.starts_with("ok ")
        } else {
            datagram == said
        };
        assert!(agrees, "{}: «{datagram}» and «{said}»", row.name);
        let said = match row.tcp {
            Verdict::Closed(label) => format!("close {label}"),
            Verdict::Waits => "waits".to_owned(),
            _ => "1 message".to_owned(),
        };
        assert!(
            stream.ends_with(&said),
            "{}: «{stream}» and «{said}»",
            row.name
        );
    }
}

#[test]
fn a_running_node_survives_every_message_over_udp() {
    torture(Transport::Udp);
}

#[test]
fn a_running_node_survives_every_message_over_tcp() {
    torture(Transport::Tcp);
}

fn torture(transport: Transport) {
    let all = rounds();
    assert_eq!(all.iter().map(Vec::len).sum::<usize>(), TABLE.len());
    for (number, round) in all.iter().enumerate() {
        let folder = format!("torture/{transport:?}-{number}");
        let folder = binary::fresh_folder(&folder).unwrap();
        let mut bench = Bench {
            node: Node::start(&folder, configuration),
            transport,
            addresses: 0,
            calls: 0,
        };
        // A caller who was there before, and is when all is over.
        let (mut bystander, bystander_call) = (bench.link(5060), bench.next_call());
        open_call(&mut bystander, bench.at(), &bystander_call, &mut Vec::new());
        for row in round {
            bench.try_row(row);
        }
        end_call(&mut bystander, bench.at(), &bystander_call, &mut Vec::new());
        bench.node.stop();
    }
}

/// The messages in rounds, each for a node of its own: two messages of one transaction, or of one
/// Call-ID, do not meet, since the second would count as a repetition of the first.
fn rounds() -> Vec<Vec<&'static Row>> {
    let mut rounds: Vec<(BTreeSet<Vec<u8>>, Vec<&'static Row>)> = Vec::new();
    for row in &TABLE {
        let message = lexed(row);
        let marks: BTreeSet<Vec<u8>> = [HeaderName::Via, HeaderName::CallId]
            .into_iter()
            .filter_map(|name| Some(message.as_ref()?.elements(name).next()?.to_vec()))
            .collect();
        let free = rounds
            .iter_mut()
            .find(|(taken, _)| taken.is_disjoint(&marks));
        match free {
            Some((taken, rows)) => {
                taken.extend(marks);
                rows.push(row);
            }
            None => rounds.push((marks, vec![row])),
        }
    }
    rounds.into_iter().map(|(_, rows)| rows).collect()
}

/// The registrar of `example.com`, with three of those whom the messages name.
fn configuration(sip: u16, http: u16) -> String {
    let template = binary::root().join("sip-scenarios/nodes/one-site.toml");
    let mut text = fs::read_to_string(template)
        .unwrap()
        .replace("{sip_port}", &sip.to_string())
        .replace("{http_port}", &http.to_string())
        .replace("{ring_time}", "15s")
        .replace("{wrap_up}", "0s")
        .replace("samu67.example", "example.com");
    for agent in ["user", "j.user", "watson"] {
        text += &format!(
            "\n[[agent]]\nid = \"{agent}\"\nsite = \"FR670\"\nskills = {{ amu = 5 }}\n\
             start = \"logged-out\"\n"
        );
    }
    text
}

/// A node, and who sends to it.
struct Bench {
    node: Node,
    transport: Transport,
    addresses: u8,
    calls: u32,
}

impl Bench {
    fn at(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.node.sip).into()
    }

    /// A link from an address that nobody else has: a phone registered from one is not taken for
    /// the sender of the next message. Two runs on one machine take different ones.
    fn link(&mut self, port: u16) -> Link {
        self.addresses += 1;
        let run = std::process::id() % (250 * 120);
        let network = u8::try_from(1 + run / 250).expect("below 121");
        let network = network
            + if self.transport == Transport::Udp {
                0
            } else {
                121
            };
        let run = u8::try_from(1 + run % 250).expect("below 251");
        let us = Ipv4Addr::new(127, network, run, self.addresses);
        Link::open(self.transport, us, port, self.at())
    }

    fn next_call(&mut self) -> String {
        self.calls += 1;
        format!("good-{}-{:?}", self.calls, self.transport)
    }

    fn try_row(&mut self, row: &Row) {
        let bytes = wire_bytes(row.name);
        let verdict = match self.transport {
            Transport::Udp => row.udp,
            Transport::Tcp => row.tcp,
        };
        let mut drops = self.node.drops();
        let mut link = self.link(sent_by_port(row));
        link.send(&bytes);
        if verdict == Verdict::Waits {
            link.send(&rest_of_body(&bytes));
        }
        let statuses = self.check_answer(row, verdict, &mut link);
        if let Verdict::Refused(_, reason) | Verdict::Dropped(reason) | Verdict::Closed(reason) =
            verdict
        {
            *drops.entry(reason.to_owned()).or_default() += 1;
        }
        self.expect_drops(row, &drops);

        if matches!(verdict, Verdict::Closed(_)) {
            link = self.link(5060);
        }
        let (node, call, mut others) = (self.at(), self.next_call(), Vec::new());
        open_call(&mut link, node, &call, &mut others);
        end_call(&mut link, node, &call, &mut others);
        // What else came is of the message: repetitions of its answer, or how its call goes on.
        for other in others {
            let status = status_of(&other);
            assert!(statuses.contains(&status), "{}: {other}", row.name);
        }
        assert_eq!(self.node.drops(), drops, "{}: a good call drops", row.name);
    }

    /// Waits for the answer, or for the end of the connection; gives the statuses that the message
    /// may be answered with from then on.
    fn check_answer(&mut self, row: &Row, verdict: Verdict, link: &mut Link) -> Vec<u16> {
        match verdict {
            Verdict::Call | Verdict::Waits => {
                for status in [100, 180, 182] {
                    let answer = link.next().expect(row.name);
                    assert_eq!(status_of(&answer), status, "{}: {answer}", row.name);
                }
                Vec::new()
            }
            Verdict::Answered(status) | Verdict::Refused(status, _) => {
                let answer = link.next().expect(row.name);
                assert_eq!(status_of(&answer), status, "{}: {answer}", row.name);
                vec![status]
            }
            Verdict::Dropped(_) => Vec::new(),
            Verdict::Closed(_) => {
                while let Some(answer) = link.next() {
                    // What came before on the stream may be answered still.
                    assert_eq!(row.name, "rfc4475/dblreq", "{answer}");
                }
                Vec::new()
            }
        }
    }

    /// A drop is seen by its count, which rises; nothing else may.
    fn expect_drops(&mut self, row: &Row, expected: &BTreeMap<String, u64>) {
        let total: u64 = expected.values().sum();
        self.node
            .until(row.name, |node| node.drops().values().sum::<u64>() >= total);
        assert_eq!(&self.node.drops(), expected, "{}", row.name);
    }
}

/// The port that the answer goes to.
fn sent_by_port(row: &Row) -> u16 {
    let message = lexed(row);
    let via = message
        .as_ref()
        .and_then(|it| it.elements(HeaderName::Via).next());
    let port = via.and_then(|via| Via::parse(via).ok()?.port);
    port.unwrap_or(5060)
}

/// What is missing of a body that is shorter than its Content-Length.
fn rest_of_body(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let declared = text
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length:"))
        .unwrap();
    let declared: usize = declared.trim().parse().unwrap();
    let body_at = bytes.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
    vec![b'x'; declared - (bytes.len() - body_at)]
}

fn status_of(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("SIP/2.0 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer}"))
}

/// A request of a good call.
fn request(method: &str, link: &Link, node: SocketAddr, call: &str, to_tag: &str) -> String {
    let (us, transport) = (link.us, format!("{:?}", link.transport).to_uppercase());
    format!(
        "{method} sip:15@{node} SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {us};branch=z9hG4bK{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+33698765432@{us}>;tag=f\r\nTo: <sip:15@{node}>{to_tag}\r\n\
         Call-ID: {call}\r\nCSeq: 1 {method}\r\nContact: <sip:{us}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A good call: it is taken, and its caller hears that it waits.
fn open_call(link: &mut Link, node: SocketAddr, call: &str, others: &mut Vec<String>) {
    link.send(request("INVITE", link, node, call, "").as_bytes());
    for status in [100, 180, 182] {
        let answer = next_of(link, call, others);
        assert_eq!(status_of(&answer), status, "{call}: {answer}");
    }
}

/// Its caller hangs up.
fn end_call(link: &mut Link, node: SocketAddr, call: &str, others: &mut Vec<String>) {
    link.send(request("CANCEL", link, node, call, "").as_bytes());
    let cancelled = next_final_of(link, call, others);
    assert_eq!(status_of(&cancelled), 200, "{call}: {cancelled}");
    let ended = next_final_of(link, call, others);
    assert_eq!(status_of(&ended), 487, "{call}: {ended}");
    let to = ended.lines().find_map(|line| line.strip_prefix("To: "));
    let tag = to.and_then(|to| to.split_once(";tag=")).map(|it| it.1);
    let tag = format!(";tag={}", tag.expect("a final answer has a tag"));
    link.send(request("ACK", link, node, call, &tag).as_bytes());
}

/// Provisional answers in between say the place in the queue.
fn next_final_of(link: &mut Link, call: &str, others: &mut Vec<String>) -> String {
    loop {
        let answer = next_of(link, call, others);
        if status_of(&answer) >= 200 {
            return answer;
        }
    }
}

/// The next message of this call; what else comes is put aside.
fn next_of(link: &mut Link, call: &str, others: &mut Vec<String>) -> String {
    let line = format!("\r\nCall-ID: {call}\r\n");
    loop {
        let message = link.next().expect("the connection is open");
        if message.contains(&line) {
            return message;
        }
        others.push(message);
    }
}
