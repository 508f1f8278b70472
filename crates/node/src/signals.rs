//! A node as a process: SIGTERM or Ctrl-C drains it, a second one stops it at once; SIGHUP has it read
//! its certificates again; SIGUSR2 has it write everything down for the next process, and end. Its
//! supervisor is told of all that.

use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::{
    node::{End, Node},
    supervisor::Supervisor,
};

/// The signals that a node obeys, watched from before it starts: none may end it unheard.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    hand_over: Signal,
    /// A file may not grow any more: watched, since it would end the process otherwise. The write fails,
    /// and that is seen to where it does.
    _file_size: Signal,
}

impl Signals {
    /// Watches them. Must be called inside a runtime.
    ///
    /// # Errors
    /// They cannot be watched.
    pub fn watch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            hand_over: signal(SignalKind::user_defined2())?,
            _file_size: signal(SignalKind::from_raw(Number::SIGXFSZ as i32))?,
        })
    }

    /// Runs a node until it has ended.
    pub async fn run(mut self, mut node: Node) -> End {
        let mut supervisor = Supervisor::from_env(node.requests());
        loop {
            tokio::select! {
                end = node.ended() => {
                    supervisor.stopping();
                    return end;
                }
                () = either(&mut self.terminate, &mut self.interrupt) => break,
                _ = self.hang_up.recv() => supervisor.reload(|| reload_certificates(&node)),
                _ = self.hand_over.recv() => node.hand_over(),
                () = supervisor.turn() => {}
            }
        }
        info!("draining; send the signal again to stop at once");
        node.drain();
        supervisor.stopping();
        loop {
            tokio::select! {
                end = node.ended() => {
                    info!("drained");
                    return end;
                }
                () = either(&mut self.terminate, &mut self.interrupt) => break,
                () = supervisor.turn() => {}
            }
        }
        warn!("stopped with calls under way");
        node.stop();
        node.ended().await
    }
}

fn reload_certificates(node: &Node) {
    match node.reload_certificates() {
        None => info!("there are no certificates to read again"),
        Some(Ok(())) => info!("certificates were read again"),
        Some(Err(error)) => error!(
            error = &error as &dyn std::error::Error,
            "certificates stay as they were"
        ),
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
