//! What the benches share: the work that is timed, and of which `cargo xtask counts` counts the instructions
//! ([`invite`], [`transactions`], [`nation`], [`script`]); real nodes under load ([`live`]), durable appends
//! beside them ([`appends`]); and what the command line says.

pub mod appends;
pub mod invite;
pub mod live;
pub mod nation;
pub mod script;
pub mod transactions;

/// The number on the command line, or this one.
pub fn number_or<T: std::str::FromStr>(usual: T) -> T {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    numbers.next().unwrap_or(usual)
}
