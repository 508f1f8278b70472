//! The distributor through its public boundary: rules, a referee who decides by brute force, scale.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

mod country;
mod desk;
mod in_vain;
mod model;
mod overflow;
mod referee;
mod rules;
mod scale;
mod transfers;
