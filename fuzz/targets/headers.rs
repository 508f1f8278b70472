//! Any value under any header: the first byte says which name, the rest is the value, and a body.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sip/tests/fuzzed/headers.rs"]
mod headers;
#[path = "../../crates/sip/tests/read_all/mod.rs"]
mod read_all;

fuzz_target!(|data: &[u8]| headers::run(data));
