//! The binary as an operator meets it: its commands, its exit codes, its signals, bad input.

mod disk;
mod explained;
mod hand_over;
mod listeners;
mod log;
mod orders;
mod raw;
mod sim;
mod systemd;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use nix::sys::signal::Signal;

use self::raw::Peer;
use crate::support::{
    binary,
    node::{LIMIT, Node},
    poll::{self, Look},
    ports::free_port,
    process::Process,
};

/// The caller's number, which no log and no metric may show.
const NUMBER: &str = "33698765432";

fn quinze(args: &[&str]) -> Output {
    let binary = binary::quinze().unwrap();
    Command::new(binary).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    binary::fresh_folder(&format!("operator/{name}")).unwrap()
}

fn configuration(sip: u16, http: u16) -> String {
    let template = binary::root().join("sip-scenarios/nodes/one-site.toml");
    let text = fs::read_to_string(template).unwrap();
    text.replace("{sip_port}", &sip.to_string())
        .replace("{http_port}", &http.to_string())
        .replace("{ring_time}", "15s")
        .replace("{wrap_up}", "0s")
        + "\n[[agent]]\nid = \"arm-67-1\"\nsite = \"FR670\"\nskills = { amu = 5 }\n\
           start = \"logged-out\"\n"
}

/// A node with one centre, whose only agent is logged out.
fn start(name: &str) -> Node {
    Node::start(&folder(name), configuration)
}

#[test]
fn check_says_what_a_right_configuration_holds() {
    let path = folder("check").join("right.toml");
    fs::write(&path, configuration(5060, 8015)).unwrap();
    let output = quinze(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("1 site, 2 lines, 1 agent"), "{said}");
}

#[test]
fn a_wrong_configuration_prints_every_error_and_starts_nothing() {
    let path = folder("wrong").join("wrong.toml");
    let sip = free_port();
    let text = configuration(sip, free_port())
        .replace("ring_time = \"15s\"", "ring_tine = \"15s\"")
        .replace("site = \"FR670\"\nskills", "site = \"FR671\"\nskills")
        .replace("[\"127.0.0.0/8\"]", "[\"127.0.0.0/99\"]");
    fs::write(&path, text).unwrap();
    for command in ["check", "serve"] {
        let output = quinze(&[command, "--config", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        for part in ["wrong.toml:", "ring_tine", "FR671", "127.0.0.0/99"] {
            assert!(said.contains(part), "{command}: {part} in\n{said}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = quinze(&["check", "--config", "no/such/file.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no/such/file.toml"));
}

#[test]
fn a_port_in_use_is_named_with_its_address() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let path = folder("port-in-use").join("node.toml");
    fs::write(&path, configuration(port, free_port())).unwrap();
    let output = quinze(&["serve", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert_eq!(said.matches("in use").count(), 1, "said once: {said}");
}

#[test]
fn sigterm_drains() {
    let mut node = start("drain");
    let mut waiting = Peer::calling(node.sip, NUMBER, "waiting");
    waiting.expect("SIP/2.0 182 ");
    node.process.signal(Signal::SIGTERM).unwrap();
    node.until("draining", |node| node.get("/readyz").0 == 503);

    let mut refused = Peer::calling(node.sip, NUMBER, "refused");
    let answer = refused.expect("SIP/2.0 503 ");
    assert!(answer.contains("Retry-After: "), "{answer}");
    refused.acknowledge(&answer);
    assert_eq!(
        node.get("/v1/status").0,
        200,
        "the waiting call is in peace"
    );

    waiting.cancel();
    let ended = waiting.expect("SIP/2.0 487 ");
    waiting.acknowledge(&ended);
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let mut node = start("stop");
    let mut waiting = Peer::calling(node.sip, NUMBER, "waiting");
    waiting.expect("SIP/2.0 182 ");
    node.process.signal(Signal::SIGTERM).unwrap();
    node.until("draining", |node| node.get("/readyz").0 == 503);
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
    assert!(node.log().contains("stopped with calls under way"));
}

#[test]
fn bad_input_is_answered_or_dropped_and_counted_and_never_logged() {
    let mut node = start("bad-input");
    let mut peer = Peer::new(node.sip);
    let secret = "never-in-a-log";
    peer.send(format!("\u{0}\u{1}\u{2} {secret}\r\n\r\n").as_bytes());
    peer.send(format!("INVITE sip:15@127.0.0.1 SIP/2.0\r\nX: {secret}\r\n\r\n").as_bytes());
    node.until("both counted", |node| {
        let (_, text) = node.get("/metrics");
        let drops = text
            .lines()
            .filter(|line| line.starts_with("quinze_drops_total{"));
        let count: f64 = drops
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        count >= 2.0
    });

    // What can be answered is: a request line that is no SIP, with all the headers.
    let bad = peer
        .invite(NUMBER, "bad")
        .replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    peer.send(bad.as_bytes());
    let answer = peer.expect("SIP/2.0 400 ");
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");

    // And the next call is served as if nothing had been.
    let mut caller = Peer::calling(node.sip, NUMBER, "after");
    caller.expect("SIP/2.0 182 ");
    caller.cancel();
    let ended = caller.expect("SIP/2.0 487 ");
    caller.acknowledge(&ended);
    node.until("the call has ended", |node| {
        node.metric(
            "quinze_calls_total{line=\"FR670-15-Samu-Px-F01\",outcome=\"abandoned\",\
             site=\"FR670\",node=\"scenario-1\"}",
        ) >= 1.0
    });

    let (_, metrics) = node.get("/metrics");
    let (_, calls) = node.get("/v1/calls");
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
    for text in [metrics, calls, node.log()] {
        assert!(!text.contains(NUMBER), "a caller's number in\n{text}");
        assert!(!text.contains(secret), "bad input in\n{text}");
    }
}

#[test]
fn a_stream_that_is_no_sip_is_closed_and_counted_and_the_others_go_on() {
    use std::io::{Read as _, Write as _};
    let mut node = start("bad-stream");
    let open = || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", node.sip)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    };
    let mut quiet = open();
    for garbage in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "INVITE sip:15@x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n".to_owned(),
        format!("INVITE sip:15@x SIP/2.0\r\nX: {}", "x".repeat(100_000)),
    ] {
        let mut stream = open();
        // It may be closed while we still write.
        let _closed = stream.write_all(garbage.as_bytes());
        let mut rest = Vec::new();
        let _reset = stream.read_to_end(&mut rest);
        assert_eq!(rest, b"", "closed without an answer");
    }
    for reason in ["not-sip", "message-too-long"] {
        let series = format!("quinze_drops_total{{reason=\"{reason}\",node=\"scenario-1\"}}");
        node.until(reason, |node| node.metric(&series) >= 1.0);
    }
    // A keep-alive on the first connection is still answered (RFC 5626 section 4.4.1).
    quiet.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    quiet.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
}

#[test]
fn what_the_api_does_not_know_is_a_problem_in_json() {
    let mut node = start("unknown-agent");
    let url = format!("http://127.0.0.1:{}/v1/agents/nobody/state", node.http);
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut answer = agent
        .post(url)
        .header("content-type", "application/json")
        .send("{\"state\":\"ready\"}")
        .unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(problem["status"], 404);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("no agent"), "{problem}");
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
}

/// Runs the demo to its end; what it printed.
fn demo(name: &str, seconds: u32, interrupt: Option<&str>) -> (Option<i32>, String) {
    let out = folder(name).join("demo.txt");
    let mut command = Command::new(binary::quinze().unwrap());
    let minutes = format!("{:.3}", f64::from(seconds) / 60.0);
    command.args(["demo", "--seed", "7", "--cps", "5", "--minutes", &minutes]);
    let mut process = Process::start("the demo", &mut command, &out).unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mut interrupt = interrupt;
    let status = poll::until(Instant::now() + 3 * LIMIT, "the end of the demo", || {
        if interrupt.is_some_and(|after| read(&out).contains(after)) {
            interrupt = None;
            process.signal(Signal::SIGINT)?;
        }
        Ok(match process.ended()? {
            Some(status) => Look::Done(status),
            None => Look::NotYet(read(&out)),
        })
    });
    (status.unwrap().code(), read(&out))
}

#[test]
fn the_demo_loses_no_call() {
    let (code, text) = demo("demo", 6, None);
    assert_eq!(code, Some(0), "{text}");
    let lost = text
        .lines()
        .find(|line| line.trim_start().starts_with("lost "))
        .unwrap();
    assert!(lost.ends_with(" 0"), "{text}");
    assert!(text.contains("QS30 of offered"), "{text}");
}

#[test]
fn ctrl_c_ends_the_demo_with_its_figures() {
    let (code, text) = demo("demo-interrupted", 3600, Some("talking"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("QS30 of offered"), "{text}");
}
