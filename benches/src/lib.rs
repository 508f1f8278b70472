//! What the benches share: real nodes under load ([`live`]), durable appends beside them
//! ([`appends`]), and what the command line says.

pub mod appends;
pub mod live;

/// The number on the command line, or this one.
pub fn number_or<T: std::str::FromStr>(usual: T) -> T {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    numbers.next().unwrap_or(usual)
}
