//! Any stream: frames do not depend on where it is cut, and nothing grows.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sip/tests/fuzzed/framing.rs"]
mod framing;

fuzz_target!(|data: &[u8]| framing::run(data));
