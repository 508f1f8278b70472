//! The planning simulation: what every history keeps to, and what theory says of simple ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

mod runs;
mod scenarios;
mod theory;
