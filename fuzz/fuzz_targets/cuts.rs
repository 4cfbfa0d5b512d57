//! Any log, cut anywhere, gives the same rejections, each with exactly one diagnosis. The first two bytes say where the
//! log is cut.
#![no_main]

use std::collections::BTreeSet;

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;
use libfuzzer_sys::fuzz_target;

fn diagnose(pieces: &[&[u8]]) -> Vec<Diagnosis> {
    let (id, now) = (StreamId(1), UnixTime::from_seconds(1_772_366_400));
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let modified = Some(UnixTime::from_seconds(1_772_359_200));
    let (source, timezone) = ("fuzz".into(), "UTC".into());
    pipeline.open(id, Stream { source, path: None, modified, timezone, offset: 0, whole: true });
    let mut found = Vec::new();
    let mut emit = |event| {
        if let Event::Diagnosed(diagnosis) = event {
            found.push(*diagnosis);
        }
    };
    for piece in pieces {
        pipeline.push(id, piece, now, &mut emit);
    }
    pipeline.finish(id, now, &mut emit);
    found.sort_by_key(|diagnosis| diagnosis.offset);
    found
}

fuzz_target!(|data: &[u8]| {
    let Some((place, log)) = data.split_first_chunk::<2>() else { return };
    let whole = diagnose(&[log]);
    let ids: BTreeSet<&str> = whole.iter().map(|diagnosis| diagnosis.id.as_str()).collect();
    assert_eq!(ids.len(), whole.len(), "one diagnosis a rejection");
    let (head, tail) = log.split_at(usize::from(u16::from_le_bytes(*place)) % (log.len() + 1));
    assert_eq!(diagnose(&[head, tail]), whole, "cut in two");
    let bytes: Vec<&[u8]> = log.chunks(1).collect();
    assert_eq!(diagnose(&bytes), whole, "byte by byte");
});
