//! Any log, cut anywhere, gives the same rejections, each with exactly one diagnosis. The first two bytes say where the
//! log is cut.
#![no_main]

#[path = "../../tests/support/whole.rs"]
mod whole;

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use whole::diagnose;

fuzz_target!(|data: &[u8]| {
    let Some((place, log)) = data.split_first_chunk::<2>() else { return };
    let whole = diagnose([log]);
    let ids: BTreeSet<&str> = whole.iter().map(|diagnosis| diagnosis.id.as_str()).collect();
    assert_eq!(ids.len(), whole.len(), "one diagnosis a rejection");
    let (head, tail) = log.split_at(usize::from(u16::from_le_bytes(*place)) % (log.len() + 1));
    assert_eq!(diagnose([head, tail]), whole, "cut in two");
    assert_eq!(diagnose(log.chunks(1)), whole, "byte by byte");
});
