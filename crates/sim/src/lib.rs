//! The simulator: whole engines, callers and phones on a virtual clock and a simulated network.
//!
//! The engine here is the engine of the product; only its driver differs. A [`World`] holds nodes
//! and peers, delivers datagrams with latency, loss, duplication and overtaking drawn from one seed,
//! and jumps from one deadline to the next, so that an hour costs milliseconds and every run can
//! be repeated. A run prints a SIP [`Ladder`], which tests hold as a snapshot, and at its end
//! [`World::assert_laws`] checks what must hold whatever happened: every call ends exactly once,
//! agents over all states add up, every 2xx is acknowledged, every confirmed leg gets one BYE, and
//! all tables drain to zero.
//!
//! [`storm::run`] lets everything go wrong in one world, with an oracle that looks after every step.
//!
//! The peers ([`Peer`]) are SIP user agents by the book, independent of the product's legs; they
//! also speak over real sockets in the demo.

mod connections;
mod host;
pub mod hostile;
mod ladder;
mod laws;
mod network;
mod peer;
pub mod planning;
mod proxy;
mod script;
pub mod storm;
mod tape;
mod world;

pub use host::DiskManner;
pub use ladder::Ladder;
pub use network::{Datagram, Fate, Filter, Weather};
pub use peer::{HungUpBy, Peer, PeerEvent, PeerOutput, SessionId};
pub use script::{Answer, CallPlan, Manner, Quirk};
pub use world::{World, epoch};
