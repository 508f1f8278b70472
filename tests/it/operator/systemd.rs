//! A node under a supervisor such as systemd: on sockets that it did not bind, saying how it is, and
//! killed while callers come. The test is the supervisor.

mod manager;
mod units;

use std::{
    fs::{self, File},
    io::{Read, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use self::manager::Manager;
use super::{NUMBER, configuration, folder, listeners::options_over_tcp, raw::Peer};
use crate::support::{
    certificates::{Authority, loopback, operator, over_tls},
    node::{LIMIT, Node},
    ports::free_port,
};

/// Reads until these words have come; all that was read.
fn expect(stream: &mut impl Read, words: &str) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(words) {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "waited for {words}, closed after {text}");
        text += &String::from_utf8_lossy(&buffer[..len]);
    }
    text
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A caller's INVITE over a stream.
fn invite(port: u16, transport: &str, call_id: &str) -> String {
    let invite = Peer::new(port).invite(NUMBER, call_id);
    invite.replace("SIP/2.0/UDP", &format!("SIP/2.0/{transport}"))
}

#[test]
fn a_node_serves_on_held_sockets_and_says_how_it_is() {
    let mut manager = Manager::new("systemd-serves", configuration);
    let mut node = manager.start();
    let ready = manager.hear("READY=1");
    assert!(ready.contains("STATUS=0 calls, 0 waiting"), "{ready}");
    assert_eq!(node.get("/readyz").0, 200, "whoever is ready serves HTTP");
    let mut caller = Peer::calling(manager.sip, NUMBER, "held");
    caller.expect("SIP/2.0 182 ");
    let answer = options_over_tcp(([127, 0, 0, 1], manager.sip).into());
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    node.until_logged("on an inherited socket", 3);
    manager.hear("STATUS=1 call, 1 waiting");

    node.process.signal(Signal::SIGHUP).unwrap();
    let reloading = manager.hear("RELOADING=1");
    let at = reloading
        .lines()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(at.unwrap().parse::<u64>().unwrap() > 0);
    manager.hear("READY=1");

    node.process.signal(Signal::SIGTERM).unwrap();
    manager.hear("STOPPING=1");
    // As long as a call goes on, the node does too.
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    caller.cancel();
    let ended = caller.expect("SIP/2.0 487 ");
    caller.acknowledge(&ended);
    assert_eq!(node.end(), Some(0));
    assert!(!manager.heard().contains(NUMBER), "{}", manager.heard());
    assert!(!node.log().contains("left alone"), "{}", node.log());
}

#[test]
fn who_comes_while_no_process_runs_is_answered_by_the_next() {
    let mut manager = Manager::new("systemd-killed", configuration);
    let mut node = manager.start();
    manager.hear("READY=1");
    node.process.signal(Signal::SIGKILL).unwrap();
    assert_eq!(node.end(), None, "killed");

    let mut by_udp = Peer::calling(manager.sip, NUMBER, "by-udp");
    let mut by_tcp = connect(manager.sip);
    let call = invite(manager.sip, "TCP", "by-tcp");
    by_tcp.write_all(call.as_bytes()).unwrap();
    let mut by_http = connect(manager.http);
    by_http
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\n\r\n")
        .unwrap();

    let next = manager.start();
    by_udp.expect("SIP/2.0 100 ");
    by_udp.expect("SIP/2.0 182 ");
    let answers = expect(&mut by_tcp, "SIP/2.0 182 ");
    assert!(answers.starts_with("SIP/2.0 100 "), "{answers}");
    expect(&mut by_http, "ready\n");
    manager.hear("READY=1");
    next.stop();
}

#[test]
fn who_begins_a_handshake_while_no_process_runs_finishes_it_with_the_next() {
    let mut manager = Manager::new("systemd-tls", |sip, http| {
        over_tls(&configuration(sip, http))
    });
    let authority = Authority::new("operators");
    authority.write(&manager.folder);
    authority.issue(&loopback()).write(&manager.folder);
    let mut node = manager.start();
    manager.hear("READY=1");
    node.process.signal(Signal::SIGKILL).unwrap();
    assert_eq!(node.end(), None, "killed");

    let config = authority.client(Some(&authority.issue(&operator())));
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = connect(manager.sip);
    tls.write_tls(&mut socket).unwrap();

    let next = manager.start();
    let mut stream = StreamOwned::new(tls, socket);
    let call = invite(manager.sip, "TLS", "by-tls");
    stream.write_all(call.as_bytes()).unwrap();
    expect(&mut stream, "SIP/2.0 182 ");
    next.stop();
}

#[test]
fn sockets_that_nobody_configured_are_told_and_left() {
    let mut manager = Manager::new("systemd-stray", configuration);
    let udp = UdpSocket::bind(("127.0.0.1", free_port())).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let both = TcpListener::bind(("::", 0)).unwrap();
    let [at_udp, at_tcp] = [udp.local_addr().unwrap(), tcp.local_addr().unwrap()];
    manager.hold("stray-udp", udp.into());
    manager.hold("stray-tcp", tcp.into());
    manager.hold("both-families", both.into());
    manager.hold("no-socket", File::open("/dev/null").unwrap().into());
    let mut node = manager.start();
    manager.hear("READY=1");
    let log = node.until_logged("left alone", 4);
    for (name, part) in [
        ("stray-udp", at_udp.to_string()),
        ("stray-tcp", at_tcp.to_string()),
        ("both-families", "BindIPv6Only=ipv6-only".to_owned()),
        ("no-socket", "neither a UDP socket".to_owned()),
    ] {
        let told = |line: &&str| line.contains(name) && line.contains("left alone");
        let line = log.lines().find(told);
        assert!(
            line.is_some_and(|line| line.contains(&part)),
            "{part} in\n{log}"
        );
    }
    let mut caller = Peer::calling(manager.sip, NUMBER, "beside-strays");
    caller.expect("SIP/2.0 182 ");
    node.stop();
}

#[test]
fn sockets_of_another_process_are_none_of_ours() {
    let folder = folder("systemd-not-ours");
    let (sip, http) = (free_port(), free_port());
    let config = folder.join("node.toml");
    fs::write(&config, configuration(sip, http)).unwrap();
    let mut command = Command::new(crate::support::binary::quinze().unwrap());
    command.arg("serve").arg("--config").arg(&config);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "3");
    let mut node = Node::spawn(&folder, &mut command, sip, http);
    node.until("ready", |node| node.get("/readyz").0 == 200);
    let log = node.stop();
    assert!(!log.contains("inherited"), "{log}");
}

/// The thread of a process that has this name.
#[test]
fn a_core_that_hangs_gives_no_sign_of_life_though_all_other_threads_run() {
    let mut manager = Manager::new("systemd-hangs", configuration);
    let node = manager.start();
    manager.hear("WATCHDOG=1");
    let halted = node.process.halt_thread("quinze-core");
    // What was said before it stopped.
    while manager.hear_within(Duration::from_secs(1)).is_some() {}
    assert_eq!(node.get("/healthz").0, 200, "the others run");
    assert_eq!(manager.hear_within(Duration::from_secs(1)), None);
    drop(halted);
    manager.hear("WATCHDOG=1");
    node.stop();
}

#[test]
fn a_planned_restart_under_a_supervisor_keeps_who_waits() {
    let journal = folder("systemd-restart").join("quinze.journal");
    let _first_run = fs::remove_file(&journal);
    let mut manager = Manager::new("systemd-restart", |sip, http| {
        configuration(sip, http) + "\n[journal]\npath = \"quinze.journal\"\n"
    });
    let mut node = manager.start();
    manager.hear("READY=1");
    let mut waiting = Peer::calling(manager.sip, NUMBER, "waiting");
    waiting.expect("SIP/2.0 182 ");
    node.process.signal(Signal::SIGUSR2).unwrap();
    manager.hear("STOPPING=1");
    assert_eq!(node.end(), Some(0));
    let mut meanwhile = Peer::calling(manager.sip, NUMBER, "meanwhile");

    let next = manager.start();
    let again = waiting.expect("SIP/2.0 182 ");
    assert!(again.contains("place 1"), "{again}");
    let queued = meanwhile.expect("SIP/2.0 182 ");
    assert!(queued.contains("place 2"), "{queued}");
    let ready = manager.hear("READY=1");
    // Who was taken up is there before the node says that it takes calls.
    assert!(!ready.contains("STATUS=0 calls"), "{ready}");
    next.stop();
}
