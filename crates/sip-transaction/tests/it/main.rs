//! The layer through its public boundary, on virtual time.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests may fail a test and take what reads best"
)]

mod allocations;
mod connections;
mod layer;
mod support;
