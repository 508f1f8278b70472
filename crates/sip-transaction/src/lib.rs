//! SIP transactions: RFC 3261 §17 with RFC 6026, and the RFC 2543 rules for old peers.
//!
//! # What it is
//! One sans-IO machine, [`TransactionLayer`], holds all transactions of a node. The four machines of
//! the RFC are one file each: `client_invite`, `client_non_invite`, `server_invite`,
//! `server_non_invite`, with the RFC's figure on top and every transition in one table. The layer
//! matches messages to them (`matching`), keeps their timers in one wheel ([`TimerWheel`]) and does
//! what the tables say.
//!
//! # What it does not do
//! It knows no dialogs, makes no 100 and no 2xx by itself, acknowledges no 2xx (its user does,
//! RFC 3261 §13.2.2.4), reads no bytes and opens no socket. Time is an argument.
//!
//! # Cost
//! A repetition, received or sent, allocates nothing: its transaction is found by a keyed 128-bit
//! fingerprint, and what is sent again is shared bytes. A finished transaction keeps its last
//! message and a timer.
//!
//! ```
//! use std::time::Instant;
//! use sip::{Limits, Message, Request, StatusCode, Transport};
//! use sip_transaction::{Event, Flow, ListenerId, Output, Settings, Timers, TransactionLayer};
//!
//! let settings = Settings { timers: Timers::default(), transactions_max: 10, hash_seed: [1, 2], streams: vec![] };
//! let mut layer = TransactionLayer::new(settings);
//! let bytes = "OPTIONS sip:15@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
//!     From: <sip:a@192.0.2.9>;tag=1\r\nTo: <sip:15@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
//! let request = Request::new(Message::parse(bytes.into(), &Limits::default())?)?;
//! let remote = "192.0.2.9:5060".parse()?;
//! let flow = Flow { transport: Transport::Udp, listener: ListenerId(0), remote };
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//!
//! layer.handle_request(now, request, flow);
//! let Some(Output::Event(Event::Request { tx, .. })) = layer.poll_output() else { panic!() };
//! let ok = layer.response_builder(tx, StatusCode::OK, "OK", Some(b"t1")).expect("it is open");
//! layer.respond(now, tx, ok.finish());
//! assert!(matches!(layer.poll_output(), Some(Output::Transmit(sent)) if sent.flow == flow));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client_invite;
mod client_non_invite;
mod event;
mod flow;
mod ids;
mod layer;
mod locals;
mod matching;
mod server_invite;
mod server_non_invite;
mod timers;
mod wheel;

pub use event::{Event, Failure, Merged, Output, RefuseReason};
pub use flow::{Attempt, Flow, ListenerId, MessageKind, Target, Transmit};
pub use ids::IdSource;
pub use layer::{
    ClientTx, Live, Overloaded, Refused, ServerTx, Settings, StreamListener, Touched,
    TransactionLayer,
};
pub use locals::{Local, Locals};
pub use timers::Timers;
pub use wheel::{TimerId, TimerWheel};
