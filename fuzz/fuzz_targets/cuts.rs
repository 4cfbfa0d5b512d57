//! Any log, cut anywhere, gives the same rejections, each with exactly one diagnosis.
#![no_main]

#[path = "../../tests/support/laws.rs"]
#[allow(dead_code, reason = "each target holds one law")]
mod laws;
#[path = "../../tests/support/whole.rs"]
mod whole;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| laws::cuts(data));
