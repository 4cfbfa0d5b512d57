use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::pipeline::{Event, Pipeline, Settings, Stream, StreamId};

const START: UnixTime = UnixTime::from_seconds(1_795_488_000);

fn told(seed: u64, seconds: i64) -> Vec<Beat> {
    let mut story = Story::new(seed, Keys::derived(&[7; 32]));
    let (mut now, mut beats) = (START, Vec::new());
    while now.seconds_since(START) < seconds {
        let beat = story.next(now);
        now = now.plus_millis(i64::from(beat.wait_millis));
        beats.push(beat);
    }
    beats
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let texts = |seed| told(seed, 60).into_iter().flat_map(|beat| beat.lines).map(|line| line.text).collect::<Vec<_>>();
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
}

#[test]
fn half_an_hour_holds_every_fault_and_mostly_expired_tokens() {
    let causes: Vec<_> = (0..3).flat_map(|seed| told(seed, 1800)).filter_map(|beat| Some(beat.refused?.1)).collect();
    let expired = causes.iter().filter(|cause| **cause == "expired").count();
    assert!(expired * 2 > causes.len(), "{expired} of {}", causes.len());
    let seen: BTreeSet<_> = causes.into_iter().collect();
    let all: BTreeSet<_> = MIX.into_iter().map(|(fault, _)| cause_id(fault)).collect();
    assert_eq!(seen, all);
}

#[test]
fn every_line_is_one_line_and_every_log_is_written() {
    let beats = told(3, 600);
    let lines: Vec<_> = beats.iter().flat_map(|beat| &beat.lines).collect();
    assert!(lines.iter().all(|line| !line.text.contains(['\n', '\r'])));
    let logs: BTreeSet<_> = lines.iter().map(|line| line.log).collect();
    assert_eq!(logs, BTreeSet::from(Log::ALL));
    assert!(beats.iter().all(|beat| (1..=1000).contains(&beat.wait_millis)));
}

/// The core, given what the story wrote, finds each refusal once and names the cause that was made.
#[test]
fn the_core_diagnoses_exactly_what_the_story_wrote() {
    for seed in 0..3 {
        let mut logs: BTreeMap<Log, String> = BTreeMap::new();
        let mut expected: BTreeMap<Log, Vec<&str>> = BTreeMap::new();
        for beat in told(seed, 1800) {
            for LogLine { log, text } in beat.lines {
                let file = logs.entry(log).or_default();
                file.push_str(&text);
                file.push('\n');
            }
            if let Some((log, cause)) = beat.refused {
                expected.entry(log).or_default().push(cause);
            }
        }
        for (log, text) in logs {
            let diagnosed = diagnosed(log, &text);
            let expected = expected.remove(&log).unwrap_or_default();
            for (at, (cause, line)) in diagnosed.iter().enumerate() {
                assert_eq!(Some(cause), expected.get(at), "seed {seed}, {}, line {line}, refusal {at}", log.file());
            }
            assert_eq!(diagnosed.len(), expected.len(), "seed {seed}, {}", log.file());
        }
    }
}

/// Causes by line.
fn diagnosed(log: Log, text: &str) -> Vec<(&'static str, u64)> {
    let mut pipeline = Pipeline::new(Settings::default(), Keys::derived(&[7; 32]).keyring());
    let stream = Stream {
        source: log.source().into(),
        path: Some(log.file().into()),
        modified: None,
        timezone: "UTC".into(),
        offset: 0,
        whole: true,
    };
    let mut found = Vec::new();
    let mut emit = |event| match event {
        Event::Diagnosed(diagnosis) => found.push((diagnosis.cause.id(), diagnosis.line)),
        Event::Resighted { .. } | Event::Exposed(_) | Event::Misfit(_) | Event::Lines { .. } => {}
    };
    pipeline.open(StreamId(1), stream);
    pipeline.push(StreamId(1), text.as_bytes(), START, &mut emit);
    pipeline.finish(StreamId(1), START, &mut emit);
    found.sort_by_key(|(_, line)| *line);
    found
}
