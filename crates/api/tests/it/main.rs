//! The API as its clients see it, before an engine that holds one call that waits and one that talks.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

mod agents;
mod desk;
mod orders;
mod routes;
mod snapshots;
mod stream;
