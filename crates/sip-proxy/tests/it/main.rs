//! The crate through its public boundary, on virtual time.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are no #[test] functions"
)]

mod authentication;
mod expiry;
mod guard;
mod locate;
mod model;
mod next_hop;
mod proxy;
mod rules;
mod support;
mod trunk_load;
mod trunks;
