//! A whole log through the core, in pieces; used by tests and by fuzzing.

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;

/// The diagnoses, by their place in the log.
pub(crate) fn diagnose<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Diagnosis> {
    let (id, now) = (StreamId(1), UnixTime::from_seconds(1_772_366_400));
    let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
    let stream = Stream {
        source: "app".into(),
        path: None,
        modified: Some(UnixTime::from_seconds(1_772_359_200)),
        timezone: "UTC".into(),
        offset: 0,
        whole: true,
    };
    pipeline.open(id, stream);
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
