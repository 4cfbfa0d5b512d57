//! Reading a token never panics, and what was minted is read back as it was.
#![no_main]

#[path = "../../tests/support/laws.rs"]
#[allow(dead_code, reason = "each target holds one law")]
mod laws;
#[path = "../../tests/support/whole.rs"]
mod whole;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| laws::token(data));
