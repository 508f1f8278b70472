//! Any URI: what it is equivalent to, and what its parts are.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/sip/tests/fuzzed/uri.rs"]
mod uri;

fuzz_target!(|data: &[u8]| uri::run(data));
