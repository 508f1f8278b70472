//! SIGUSR2: a node writes everything down, ends, and the next process goes on with every call.

use std::fs;

use nix::sys::signal::Signal;

use super::{NUMBER, Peer, folder, quinze, stderr};
use crate::support::node::Node;

fn configuration(sip: u16, http: u16) -> String {
    super::configuration(sip, http) + "\n[journal]\npath = \"quinze.journal\"\n"
}

/// The To-tag of an answer.
fn tag(answer: &str) -> &str {
    let to = answer
        .lines()
        .find(|line| line.starts_with("To: "))
        .unwrap();
    to.split_once(";tag=").unwrap().1
}

#[test]
fn the_next_process_goes_on_with_every_call() {
    let folder = folder("hand-over");
    let mut node = Node::start(&folder, configuration);
    let (sip, mut callers) = (node.sip, Vec::new());
    for which in ["one", "two"] {
        let mut caller = Peer::calling(sip, NUMBER, which);
        let queued = caller.expect("SIP/2.0 182 ");
        callers.push((caller, queued));
    }
    node.process.signal(Signal::SIGUSR2).unwrap();
    assert_eq!(node.end(), Some(0));
    assert!(node.log().contains("written down for the next process"));
    let journal = folder.join("quinze.journal");
    let look = |action: &str| {
        let output = quinze(&["journal", action, journal.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(look("verify").contains("call: 2 rows"));
    let rows = look("inspect");
    assert!(
        rows.contains("agent arm-67-1 version 2") && !rows.contains(NUMBER),
        "{rows}"
    );
    // Nobody told the callers anything; what was written holds no number in the log.
    assert!(!node.log().contains(NUMBER));

    let mut next = Node::start(&folder, |_, http| configuration(sip, http));
    for (place, (caller, queued)) in callers.iter_mut().enumerate() {
        let again = caller.expect("SIP/2.0 182 ");
        assert!(again.contains(&format!("place {}", place + 1)), "{again}");
        assert_eq!(tag(&again), tag(queued), "the same dialog");
    }
    let (mut first, _) = callers.remove(0);
    first.cancel();
    let ended = first.expect("SIP/2.0 487 ");
    first.acknowledge(&ended);
    next.until("the second is next", |node| {
        let (_, calls) = node.get("/v1/calls");
        calls.contains("\"place\":1")
    });
    let (mut second, _) = callers.remove(0);
    second.cancel();
    let ended = second.expect("SIP/2.0 487 ");
    second.acknowledge(&ended);
    next.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(next.end(), Some(0));
}

/// `kill -9`, again and again: nothing is written at the end, since everything has been before it was told.
#[test]
fn a_killed_node_has_lost_nothing_that_it_has_told() {
    let folder = folder("killed");
    let mut node = Node::start(&folder, configuration);
    let sip = node.sip;
    let mut callers: Vec<_> = (0..5)
        .map(|which| {
            let mut caller = Peer::calling(sip, NUMBER, &format!("killed-{which}"));
            let queued = caller.expect("SIP/2.0 182 ");
            (caller, queued)
        })
        .collect();
    let pause = r#"{"state":"not-ready","reason":"pause"}"#;
    assert_eq!(node.post("/v1/agents/arm-67-1/state", pause), 200);
    for _ in 0..3 {
        node.process.signal(Signal::SIGKILL).unwrap();
        assert_eq!(node.end(), None, "killed");
        node = Node::start(&folder, |_, http| configuration(sip, http));
        for (place, (caller, queued)) in callers.iter_mut().enumerate() {
            let again = caller.expect("SIP/2.0 182 ");
            assert!(again.contains(&format!("place {}", place + 1)), "{again}");
            assert_eq!(tag(&again), tag(queued), "the same dialog");
        }
        let (_, agent) = node.get("/v1/agents/arm-67-1");
        assert!(agent.contains("not-ready"), "{agent}");
    }
    // Who is gone does not come back.
    while let Some((mut caller, _)) = callers.pop() {
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
        node.process.signal(Signal::SIGKILL).unwrap();
        assert_eq!(node.end(), None, "killed");
        node = Node::start(&folder, |_, http| configuration(sip, http));
        let (_, calls) = node.get("/v1/status");
        let waiting = format!("\"waiting\":{},", callers.len());
        assert!(calls.contains(&waiting), "{calls}");
    }
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
}

#[test]
fn without_a_journal_nothing_is_handed_over_and_the_node_goes_on() {
    let folder = folder("hand-over-nowhere");
    let mut node = Node::start(&folder, |sip, http| {
        super::configuration(sip, http) + "\n[journal]\nmode = \"off\"\n"
    });
    node.until_logged("no call outlives this process", 1);
    let mut caller = Peer::calling(node.sip, NUMBER, "stays");
    caller.expect("SIP/2.0 182 ");
    node.process.signal(Signal::SIGUSR2).unwrap();
    node.until_logged("nothing can be handed over", 1);
    caller.cancel();
    let ended = caller.expect("SIP/2.0 487 ");
    caller.acknowledge(&ended);
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_journal_that_is_none_is_refused_and_left_as_it_is() {
    let folder = folder("hand-over-wrong");
    let journal = folder.join("quinze.journal");
    fs::write(&journal, "somebody's letter, and no journal at all").unwrap();
    let path = folder.join("node.toml");
    let ports = [
        crate::support::ports::free_port(),
        crate::support::ports::free_port(),
    ];
    fs::write(&path, configuration(ports[0], ports[1])).unwrap();
    let output = quinze(&["serve", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("quinze.journal"),
        "{}",
        stderr(&output)
    );
    let left = fs::read_to_string(&journal).unwrap();
    assert_eq!(left, "somebody's letter, and no journal at all");
}
