//! Tests of the whole: what `cargo metadata` says of the architecture, whole engines on virtual time,
//! SIPp against the real binary over loopback, the real binary among Kamailio and baresip, and the real
//! binary killed again and again.
//!
//! `cargo xtask test --only sipp` runs the scenarios alone; their files lie in `sip-scenarios/`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

/// That of the product.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod architecture;
mod chaos;
mod hostile;
mod operator;
mod peers;
mod scenarios;
mod simulation;
mod support;
mod tls;
mod torture;
