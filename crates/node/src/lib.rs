//! The shell around the engine: real sockets, real time, HTTP, signals.
//!
//! One thread owns the [`engine::Engine`] and the UDP sockets (`core`): it receives a batch, lets
//! the engine decide, sends a batch. TCP and TLS connections (`streams`) and the HTTP API are tasks on a
//! runtime of their own; they speak to the core through bounded queues. Nothing is decided here.
//!
//! [`Node::start`] binds everything or nothing, or takes sockets that a supervisor holds ([`Inherited`]);
//! [`Node::drain`] ends it in peace; [`Signals::run`] runs a process with its signals, and tells the
//! supervisor how it is.

mod alarm;
mod core;
mod dns;
mod inherited;
pub mod journal;
mod keeping;
mod log;
#[cfg(test)]
mod model;
mod node;
mod signals;
mod streams;
mod supervisor;
mod sync;
mod tls;
mod udp;

pub use engine;
pub use inherited::Inherited;
pub use node::{End, Node, StartError};
pub use signals::Signals;
pub use tls::{CertificateError, check_certificates};

/// Entropy for tags, branches, call ids and hash tables.
///
/// # Errors
/// When the system has none.
pub fn entropy() -> std::io::Result<[u64; 4]> {
    let mut seed = [0; 4];
    for word in &mut seed {
        *word = getrandom::u64().map_err(std::io::Error::from)?;
    }
    Ok(seed)
}
