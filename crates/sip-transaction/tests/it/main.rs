//! The layer through its public boundary, on virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests may fail a test and take what reads best"
)]

mod allocations;
mod client;
mod connections;
mod large;
mod layer;
mod server;
mod support;
