//! A log that nobody reads: whoever looks at the node's lines has no hold on its calls.

use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};

use super::{NUMBER, configuration, folder, raw::Peer};
use crate::support::node::Node;

/// What the pipe holds.
const PIPE: i32 = 4096;

/// Two lines for each are more than that.
const CALLS: usize = 50;

#[test]
fn a_log_that_nobody_reads_holds_up_no_call() {
    let folder = folder("log");
    let log = folder.join("node.log");
    mkfifo(&log, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    // Open for both: whoever opens it for one waits for another.
    let pipe = OpenOptions::new().read(true).write(true).open(&log);
    let pipe = pipe.unwrap();
    fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(PIPE)).unwrap();

    let mut node = Node::start(&folder, configuration);
    for number in 0..CALLS {
        let listener = (Ipv4Addr::LOCALHOST, node.sip).into();
        let mut caller = Peer::calling_at(listener, NUMBER, &format!("call{number}"));
        caller.expect("SIP/2.0 182 ");
        caller.cancel();
        let ended = caller.expect("SIP/2.0 487 ");
        caller.acknowledge(&ended);
    }

    // Whoever reads it at last finds all of it.
    let ended = BufReader::new(pipe)
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.contains("call ended"));
    assert_eq!(ended.take(CALLS).count(), CALLS);

    // And that nobody can read it any more is no reason to stop, nor to stay.
    node.process.signal(Signal::SIGTERM).unwrap();
    assert_eq!(node.end(), Some(0));
}
