//! A trunk that is found by its name: Debian's dnsmasq answers NAPTR, SRV and A, and the node asks the
//! servers whether they live, calls the first, and the second when that cannot serve.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::Context as _;

use super::LIMIT;
use crate::support::{
    binary,
    node::Node,
    poll::{self, Look},
    ports::free_port,
    process::Process,
};

const NODE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// An agent's phone, which is no trunk's address.
const PHONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 1, 5));

/// Somebody at a socket, whose messages are written by hand.
struct Peer(UdpSocket);

impl Peer {
    fn at(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next message that begins so, and who sent it.
    fn expect(&self, start: &str) -> (String, SocketAddr) {
        let mut buffer = [0; 65536];
        loop {
            let (len, from) = self.0.recv_from(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if text.starts_with(start) {
                return (text, from);
            }
        }
    }

    /// Answers the next request of this method.
    fn answer(&self, method: &str, status: &str) -> String {
        let (request, from) = self.expect(&format!("{method} "));
        let copied = |name: &str| {
            let lines = request.lines().filter(|line| line.starts_with(name));
            lines.fold(String::new(), |all, line| all + line.trim_end() + "\r\n")
        };
        let [via, caller, to, call_id, cseq] =
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].map(copied);
        let to = to.replace("\r\n", ";tag=hop\r\n");
        let text = format!(
            "SIP/2.0 {status}\r\n{via}{caller}{to}{call_id}{cseq}Content-Length: 0\r\n\r\n"
        );
        self.0.send_to(text.as_bytes(), from).unwrap();
        request
    }
}

/// Two servers of `carrier.test`, the first first.
fn dnsmasq(folder: &Path, first: &Peer, second: &Peer) -> (Process, u16) {
    let port = free_port();
    let server = |host: &str, peer: &Peer, priority: u8| {
        let address = peer.address();
        let (ip, port) = (address.ip(), address.port());
        [
            format!("--srv-host=_sip._udp.carrier.test,{host}.carrier.test,{port},{priority},1"),
            format!("--host-record={host}.carrier.test,{ip}"),
        ]
    };
    let mut command = Command::new("dnsmasq");
    command
        .args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ])
        .args([
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            "--local=/test/",
        ])
        .arg(format!("--port={port}"))
        .arg("--naptr-record=carrier.test,10,10,s,SIP+D2U,,_sip._udp.carrier.test")
        .args(server("first", first, 10))
        .args(server("second", second, 20));
    let process = Process::start("dnsmasq", &mut command, &folder.join("dnsmasq.log"))
        .context("`cargo xtask test` installs it, or `apt-get install dnsmasq-base`");
    let mut process = process.unwrap();
    poll::until(Instant::now() + LIMIT, "dnsmasq to start", || {
        anyhow::ensure!(process.ended()?.is_none(), "dnsmasq has ended");
        let log = fs::read_to_string(folder.join("dnsmasq.log"))?;
        Ok(if log.contains("started, version") {
            Look::Done(())
        } else {
            Look::NotYet("no word".to_owned())
        })
    })
    .unwrap();
    (process, port)
}

fn configuration(sip: u16, http: u16, dns: u16, phone: SocketAddr) -> String {
    format!(
        "[node]\nname = \"names\"\ndomain = \"samu67.example\"\ndefault_line = \"line\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{NODE}:{sip}\"\n\
         [http]\naddress = \"127.0.0.1:{http}\"\n[dns]\nservers = [\"127.0.0.1:{dns}\"]\n\
         [[trunk]]\nname = \"carrier\"\nsources = [\"{FIRST}\", \"{SECOND}\"]\n\
         next_hops = [\"sip:carrier.test\"]\nprefixes = [\"+\"]\n\
         [[site]]\nid = \"FR670\"\n[[line]]\nid = \"line\"\nsite = \"FR670\"\nnumbers = [\"15\"]\n\
         [[agent]]\nid = \"arm-67-1\"\nsite = \"FR670\"\ncontact = \"sip:arm-67-1@{phone}\"\n"
    )
}

#[test]
fn a_carrier_is_found_by_its_name_and_called_at_its_next_server() {
    let folder = binary::fresh_folder("peers/names").unwrap();
    let (first, second, phone) = (Peer::at(FIRST), Peer::at(SECOND), Peer::at(PHONE));
    let (_dns, dns) = dnsmasq(&folder, &first, &second);
    let at = phone.address();
    let mut node = Node::start(&folder, |sip, http| configuration(sip, http, dns, at));

    for server in [&first, &second] {
        let options = server.answer("OPTIONS", "200 OK");
        assert!(
            options.starts_with("OPTIONS sip:carrier.test SIP/2.0\r\n"),
            "{options}"
        );
    }
    let up = "quinze_trunk_next_hops{state=\"up\",trunk=\"carrier\",node=\"names\"}";
    node.until("both servers are up", |node| node.metric(up) >= 2.0);

    let to = format!("sip:0388112233@{NODE}:{}", node.sip);
    let invite = format!(
        "INVITE {to} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKout\r\nMax-Forwards: 70\r\n\
         From: <sip:arm-67-1@samu67.example>;tag=a\r\nTo: <{to}>\r\nCall-ID: out\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:arm-67-1@{at}>\r\nContent-Length: 0\r\n\r\n"
    );
    phone
        .0
        .send_to(invite.as_bytes(), (NODE, node.sip))
        .unwrap();
    for (server, status) in [
        (&first, "503 Service Unavailable"),
        (&second, "486 Busy Here"),
    ] {
        let asked = server.answer("INVITE", status);
        let line = "INVITE sip:+33388112233@carrier.test;user=phone SIP/2.0\r\n";
        assert!(asked.starts_with(line), "{asked}");
    }
    phone.expect("SIP/2.0 486 ");
    node.stop();
}
