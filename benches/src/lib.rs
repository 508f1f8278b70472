//! What the benches share: real nodes under load ([`live`]).

pub mod live;
