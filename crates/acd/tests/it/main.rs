//! The distributor through its public boundary: rules, a referee who decides by brute force, scale.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

mod abandoned;
mod agents;
mod books;
mod country;
mod crisis;
mod desk;
mod in_vain;
mod matcher;
mod model;
mod overflow;
mod plans;
mod referee;
mod rules;
mod scale;
mod service;
mod transfers;
