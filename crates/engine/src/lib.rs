//! The engine: everything that a node decides, in one machine without a socket, a clock, a thread
//! or a random source.
//!
//! [`Engine::handle_input`] takes what came in, [`Engine::handle_timeout`] what is due; after each,
//! [`Engine::poll_output`] is drained: bytes to send and facts to note. Three drivers run it: the
//! node on real sockets, the simulator on virtual time and a faulty network, and tests.
//!
//! # The way of a call
//! 1. Bytes become a [`sip::Request`]; the [`sip_transaction::TransactionLayer`] absorbs
//!    repetitions and opens a transaction (`receive`).
//! 2. The Request-URI and the trunk name a line (`routing`); [`call::Calls`] opens the call, answers
//!    100, and the distributor hears of it: [`acd::Input::CallArrived`].
//! 3. [`acd::Output::Offer`] names an agent; the phone's contact comes from the registrar or the
//!    configuration (`dispatch`); [`call::Calls::ring`] sends the INVITE. With no agent free, the
//!    caller hears 180 and 182 with the place in the queue.
//! 4. The phone's answer joins the legs and ends the offer; any other end of it leaves the call
//!    waiting at its place.
//! 5. [`Event::CallEnded`] is told exactly once.

/// The machines inside, for the shells: they take types from here and depend on nothing below.
#[doc(no_inline)]
pub use {acd, call, journal, sip, sip_proxy, sip_transaction};

mod caller;
mod codes;
mod config;
mod dispatch;
mod engine;
mod event;
mod forwarding;
mod gate;
mod hidden;
mod identity;
mod input_output;
mod journal_state;
mod kept;
mod notebook;
mod orders;
mod outgoing;
mod proven;
mod receive;
mod record;
mod routing;
mod silent;
mod status;
mod stories;
mod transfers;
mod view;

pub use config::{Authentication, Config, Importance, Listener, NumberRoute, Settings};
pub use engine::Engine;
pub use event::{BlockReason, Direction, DropReason, Event, Outcome, TransferOutcome, Transferred};
pub use gate::Class;
pub use input_output::{Input, Output};
pub use journal_state::JournalState;
pub use orders::{Order, OrderError, Picked};
pub use routing::{Dialled, DialledError};
pub use view::{
    AbandonedView, AgentView, CallView, CrisisOrderView, CrisisView, GaugesView, LineView,
    SiteView, StatusView, StoryView, TrunkView,
};
