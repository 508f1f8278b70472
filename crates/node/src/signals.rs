//! A node as a process: SIGTERM or Ctrl-C drains it, a second one stops it at once; SIGHUP has it read
//! its certificates again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::node::{End, Node};

/// Runs a node until it has ended, by signal. Must be called inside a runtime.
///
/// # Errors
/// When the signals cannot be watched; the node is stopped then.
pub async fn run(mut node: Node) -> io::Result<End> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            end = node.ended() => return Ok(end),
            () = either(&mut terminate, &mut interrupt) => break,
            _ = hang_up.recv() => reload_certificates(&node),
        }
    }
    info!("draining; send the signal again to stop at once");
    node.drain();
    tokio::select! {
        end = node.ended() => {
            info!("drained");
            Ok(end)
        }
        () = either(&mut terminate, &mut interrupt) => {
            warn!("stopped with calls under way");
            node.stop();
            Ok(node.ended().await)
        }
    }
}

fn reload_certificates(node: &Node) {
    match node.reload_certificates() {
        Ok(()) => info!("certificates were read again"),
        Err(error) => error!(
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
