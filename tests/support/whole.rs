//! A whole log through the core, in pieces; used by tests and by fuzzing.

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Leak, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;

/// The diagnoses, by their place in the log, and, if they are looked for, the tokens on other lines.
pub(crate) fn diagnose<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    exposed_tokens: bool,
) -> (Vec<Diagnosis>, Vec<Leak>) {
    let (id, now) = (StreamId(1), UnixTime::from_seconds(1_772_366_400));
    let mut pipeline = Pipeline::new(Settings { exposed_tokens, ..Settings::default() }, KeyRing::default());
    let stream = Stream {
        source: "app".into(),
        path: None,
        modified: Some(UnixTime::from_seconds(1_772_359_200)),
        timezone: "UTC".into(),
        offset: 0,
        whole: true,
    };
    pipeline.open(id, stream);
    let (mut found, mut leaks) = (Vec::new(), Vec::new());
    let mut emit = |event| match event {
        Event::Diagnosed(diagnosis) => found.push(*diagnosis),
        Event::Exposed(leak) => leaks.push(*leak),
        Event::Resighted { .. } | Event::Misfit(_) | Event::Lines { .. } => {}
    };
    for piece in pieces {
        pipeline.push(id, piece, now, &mut emit);
    }
    pipeline.finish(id, now, &mut emit);
    found.sort_by_key(|diagnosis| diagnosis.offset);
    (found, leaks)
}
