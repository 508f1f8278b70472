//! What a node needs to outlive its process: its state as rows, and the state from rows. It knows no file:
//! whoever has one keeps rows by kind and key, and gives back what was there.
//!
//! # Rows
//! A [`Row`] is one thing that changes by itself: a call, an agent, the state of the sites. Its body is CBOR
//! (RFC 8949), an array of fields in a fixed order; its version says how to read it, and a program reads its own and the one
//! before: one of before leaves later rows alone, and has told that it does. Sites, lines,
//! agents and plans are written by name, so that a configuration that changed in between still finds its
//! own; what it does not know any more is told ([`Loss`]), and costs no call: one whose line is gone is the
//! default line's.
//!
//! # Times
//! A process knows instants only. [`Clock`] counts nanoseconds from a zero that every process of a journal
//! shares, so order is kept whatever the clock on the wall did meanwhile.
//!
//! # What it does not do
//! It decides nothing, and holds no more of a caller than the dialogs need: the INVITE as received, which
//! holds the number, and the number itself for calling back.

mod clock;
mod item;
mod rows;
mod state;
mod wire;

pub use clock::Clock;
pub use item::{Item, Key};
pub use rows::{Change, Decoded, Kind, Loss, Names, Row, Scribe, VERSION, VERSIONS_READ, decode};
pub use state::{KeptEntry, KeptJourney, KeptNode, KeptPhone, KeptPlace, KeptProcess};
pub use wire::WireError;
