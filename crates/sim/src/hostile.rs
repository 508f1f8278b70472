//! An engine among hostile peers: any bytes are read as a script of what trunks, phones, strangers,
//! the clock, the operator and a broken network do to it, in any order.
//!
//! The bytes come from a fuzzer, which finds its way to deep states by coverage, or from a seeded
//! generator in tests. Whatever they are, [`run`] drives one engine through them on virtual time
//! and holds it to what must always be true:
//!
//! - nothing panics, and what the engine sends is SIP that any peer can read;
//! - after what is due has been done, nothing is due at the same instant: its driver never spins;
//! - calls, transactions, bindings and outputs stay within their limits;
//! - every call starts and ends exactly once, and agents over all states are the agents known;
//! - on the wire the engine keeps its manners: CSeq numbers rise, nothing follows its BYE, and
//!   a request has one final answer; a phone that answers gets an ACK and, in the end, a BYE;
//! - when the peers fall silent and hours have passed, every table is empty and no timer is left.
//!
//! The encoding is made to be mutated: every byte string is a script, an operand that is missing
//! counts as 0, and 0 means the plain case, so that short scripts reach an answered call. Other
//! operands are the cases of a hostile one. [`Report`] tells how deep a script came.

mod bench;
mod centres;
mod laws;
mod manners;
mod memory;
mod messages;
mod mutation;
mod promises;
mod script;
mod trace;

pub use bench::{Report, run, run_traced};
pub use script::SCRIPT_LEN_MAX;
