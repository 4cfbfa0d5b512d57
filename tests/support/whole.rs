//! A whole log through the core, in pieces; used by tests and by fuzzing.

use diag51007::diagnosis::{Diagnosis, Fingerprint};
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;

/// The diagnoses, by their place in the log, but for whether they tell of an exposed token; and those that are told. If they are looked for
/// on all lines, either the line or a diagnosis tells of one.
pub(crate) fn diagnose<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    exposed_tokens: bool,
) -> (Vec<Diagnosis>, Vec<Fingerprint>) {
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
    let (mut found, mut exposed) = (Vec::new(), Vec::new());
    let mut emit = |event| match event {
        Event::Diagnosed(mut diagnosis) => {
            if let Some(token) = diagnosis.token.as_mut() {
                if token.exposed && !token.told {
                    exposed.push(token.fingerprint);
                }
                token.told = false;
            }
            found.push(*diagnosis);
        }
        Event::Exposed(leak) => exposed.push(leak.fingerprint),
        Event::Resighted { .. } | Event::Misfit(_) | Event::Lines { .. } => {}
    };
    for piece in pieces {
        pipeline.push(id, piece, now, &mut emit);
    }
    pipeline.finish(id, now, &mut emit);
    found.sort_by_key(|diagnosis| diagnosis.offset);
    exposed.sort_unstable();
    (found, exposed)
}
