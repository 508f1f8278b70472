//! Any script of hostile peers: see `sim::hostile`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    sim::hostile::run(data);
});
