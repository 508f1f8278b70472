//! Any datagram: it is refused, or it is printed again as it came, and can be answered.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sip/tests/fuzzed/parse.rs"]
mod parse;
#[path = "../../crates/sip/tests/read_all/mod.rs"]
mod read_all;

fuzz_target!(|data: &[u8]| parse::run(data));
