//! What a node does when the disk of its journal is slow, and when it fails.

use std::{fs, process::Command};

use nix::sys::signal::Signal;

use super::{NUMBER, Peer, folder, quinze};
use crate::support::node::Node;

fn start(name: &str) -> Node {
    Node::start(&folder(name), super::configuration)
}

fn alarm(state: &str) -> String {
    format!("quinze_journal_state{{state=\"{state}\",node=\"scenario-1\"}}")
}

/// The answer to OPTIONS.
fn options(node: &Node, call_id: &str) -> String {
    let mut peer = Peer::new(node.sip);
    let options = peer.invite(NUMBER, call_id).replace("INVITE", "OPTIONS");
    peer.send(options.as_bytes());
    peer.expect("SIP/2.0 ")
}

/// No file of the process may grow any more: each write of the journal fails from then on.
fn let_no_file_grow(node: &Node) {
    let id = node.process.id().to_string();
    let done = Command::new("prlimit")
        .args(["--pid", &id, "--fsize=1:"])
        .status()
        .expect("prlimit runs: it comes with util-linux");
    assert!(done.success());
}

#[test]
fn when_the_disk_fails_calls_go_on_and_new_ones_are_for_another_node() {
    let mut node = start("disk-fails");
    let mut first = Peer::calling(node.sip, NUMBER, "first");
    first.expect("SIP/2.0 182 ");
    assert!(options(&node, "sound").starts_with("SIP/2.0 200 "));
    assert_eq!(node.get("/readyz").0, 200);
    let_no_file_grow(&node);
    // What needs the disk finds out. Whoever was accepted by then is told so all the same.
    let mut second = Peer::calling(node.sip, NUMBER, "second");
    second.expect("SIP/2.0 182 ");
    node.until("it says so", |node| node.get("/readyz").0 == 503);
    let (_, problem) = node.get("/readyz");
    assert!(problem.contains("the journal is failed"), "{problem}");
    assert_eq!(node.metric(&alarm("failed")), 1.0);
    assert_eq!(node.metric(&alarm("kept")), 0.0);
    assert!(options(&node, "failed").starts_with("SIP/2.0 503 "));
    let mut third = Peer::calling(node.sip, NUMBER, "third");
    let refused = third.expect("SIP/2.0 503 ");
    assert!(refused.contains("Retry-After: "), "{refused}");
    third.acknowledge(&refused);
    for caller in [&mut first, &mut second] {
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
    }
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(
        node.end(),
        Some(0),
        "no signal of the file's size has ended it"
    );
}

/// `systemctl restart`: what the next process would find is not what was told.
#[test]
fn who_is_to_be_restarted_after_the_disk_has_failed_stays_for_the_calls() {
    let mut node = start("disk-fails-restart");
    let mut first = Peer::calling(node.sip, NUMBER, "first");
    first.expect("SIP/2.0 182 ");
    let_no_file_grow(&node);
    let mut second = Peer::calling(node.sip, NUMBER, "second");
    second.expect("SIP/2.0 182 ");
    node.until("it says so", |node| node.get("/readyz").0 == 503);
    node.process.signal(Signal::SIGUSR2).unwrap();
    node.until("it drains", |node| {
        node.get("/readyz").1.contains("draining")
    });
    for caller in [&mut first, &mut second] {
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
    }
    assert_eq!(node.end(), Some(0));
}

/// A page whose sync has failed may look written and not be: the next process does not write the same file.
#[test]
fn after_the_disk_has_failed_the_next_process_goes_on_in_another_file() {
    let folder = folder("disk-failed");
    let configuration =
        |sip, http| super::configuration(sip, http) + "\n[journal]\npath = \"quinze.journal\"\n";
    let mut node = Node::start(&folder, configuration);
    let sip = node.sip;
    let mut waits = Peer::calling(sip, NUMBER, "waits");
    waits.expect("SIP/2.0 182 ");
    let_no_file_grow(&node);
    let mut finds_out = Peer::calling(sip, NUMBER, "finds-out");
    finds_out.expect("SIP/2.0 182 ");
    let note = folder.join("quinze.journal.failed");
    node.until("it is noted", |_| note.exists());
    node.process.signal(Signal::SIGKILL).unwrap();
    assert_eq!(node.end(), None);

    let mut next = Node::start(&folder, |_, http| configuration(sip, http));
    let log = next.until_logged("goes on in a new file", 1);
    assert!(!log.contains("has lost"), "{log}");
    waits.expect("SIP/2.0 182 ");
    assert!(!note.exists());
    let names = fs::read_dir(&folder).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let aside: Vec<_> = names
        .filter(|name| name.starts_with("quinze.journal.broken-"))
        .collect();
    let old = aside
        .iter()
        .find(|name| !name.contains("-wal") && !name.contains("-shm"));
    let old = folder.join(old.expect("the old file is kept for somebody to look at"));
    for journal in [&folder.join("quinze.journal"), &old] {
        let verified = quinze(&["journal", "verify", journal.to_str().unwrap()]);
        assert_eq!(verified.status.code(), Some(0), "{journal:?}: {verified:?}");
    }
    waits.cancel();
    let ended = waits.expect("SIP/2.0 487 ");
    waits.acknowledge(&ended);
    next.stop();
}

/// A disk that does not come back from a write: its thread is stopped.
#[test]
fn while_the_disk_stalls_nothing_is_answered_and_afterwards_everything() {
    let mut node = start("disk-stalls");
    let mut first = Peer::calling(node.sip, NUMBER, "before");
    first.expect("SIP/2.0 182 ");
    let halted = node.process.halt_thread("journal");
    let mut second = Peer::calling(node.sip, NUMBER, "meanwhile");
    // The node says so by HTTP, which needs no disk, and has sent nothing to the caller by then.
    node.until("it says so", |node| node.get("/readyz").0 == 503);
    let (_, problem) = node.get("/readyz");
    assert!(problem.contains("the journal is late"), "{problem}");
    assert_eq!(node.metric(&alarm("late")), 1.0);
    assert!(!second.has_heard());
    drop(halted);
    second.expect("SIP/2.0 100 ");
    second.expect("SIP/2.0 182 ");
    node.until("it is sound again", |node| node.get("/readyz").0 == 200);
    for caller in [&mut first, &mut second] {
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
    }
    node.stop();
}
