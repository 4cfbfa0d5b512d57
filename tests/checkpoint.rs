//! The core after a crash: whatever was committed when it ended, reading on from a checkpoint gives what one run gives.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use diag51007::keyring::KeyRing;
use diag51007::pipeline::checkpoint::Checkpoint;
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const ID: StreamId = StreamId(1);
const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    rejections: u64,
    sightings: u64,
    lines: u64,
    bytes: u64,
    /// Where rejections begin.
    offsets: BTreeSet<u64>,
}

impl Counts {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Diagnosed(diagnosis) => {
                self.rejections += 1;
                self.sightings += u64::from(diagnosis.sightings);
                assert!(self.offsets.insert(diagnosis.offset), "the rejection at {} comes twice", diagnosis.offset);
            }
            Event::Resighted { .. } => self.sightings += 1,
            Event::Exposed(_) | Event::Misfit(_) => {}
            Event::Lines { lines, bytes, .. } => {
                self.lines += lines;
                self.bytes += bytes;
            }
        }
    }
}

fn settings() -> Settings {
    Settings { line_bytes_max: 4096, window_lines: 30, ..Settings::default() }
}

fn stream(offset: u64) -> Stream {
    Stream {
        source: "app".into(),
        path: Some("app.log".into()),
        modified: None,
        timezone: "UTC".into(),
        offset,
        whole: false,
    }
}

/// The real prints of SDKs and loggers, and lines between them.
fn parts() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/sdk-logs");
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut parts: Vec<Vec<u8>> = names.iter().map(|path| fs::read(path).unwrap()).collect();
    let noise = |lines: usize| (0..lines).flat_map(|n| format!("noise {n} and more\n").into_bytes()).collect();
    parts.extend([noise(1), noise(25), noise(140)]);
    parts.push(b"2026-03-01T10:00:00Z error code=51007 \"Token authentication is rejected\"\n".repeat(7));
    // Lines that a container runtime split, those of both streams between each other.
    let pieces = [
        "stdout P 2026-03-01T10:00:00Z error code=51",
        "stderr P Twilio",
        "stdout P 007 Token authentication is rejected token=eyJ",
        "stderr F  error code=51007",
        "stdout F hbGciOiJIUzI1NiJ9.e30.x code=51007",
    ];
    let split = pieces.iter().flat_map(|piece| ["2026-03-01T10:00:00.123456789Z ", piece, "\n"]).collect::<String>();
    parts.push(split.into_bytes());
    parts.push(b"2026-03-01T10:00:00.123456789Z stdout P without an end, code=51007\n".to_vec());
    parts
}

/// Lines longer than is looked at.
fn long_parts() -> Vec<Vec<u8>> {
    let refusals = [&b"51007 error code: 51007 ".repeat(400)[..], b"\n"].concat();
    let late = [&[b'x'; 9000][..], b" error code=51007\n"].concat();
    vec![refusals, late, b"2026-03-01T10:00:00Z error code=51007 \"Token authentication is rejected\"\n".to_vec()]
}

/// What happens to a stream besides bytes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Push(usize),
    /// Pushes what is missing up to an offset.
    To(usize),
    Tick,
    Commit,
    Crash,
    Restart,
    EndLine,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (1_usize..6000).prop_map(Act::Push),
        3 => Just(Act::Tick),
        3 => Just(Act::Commit),
        2 => Just(Act::Crash),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}

struct Run {
    pipeline: Pipeline,
    counts: Counts,
    committed: (Counts, Checkpoint),
    offset: usize,
    now: UnixTime,
}

impl Run {
    fn new() -> Self {
        let mut pipeline = Pipeline::new(settings(), KeyRing::default());
        pipeline.open(ID, stream(0));
        let start = Checkpoint { line: 1, ..Checkpoint::default() };
        Self { pipeline, counts: Counts::default(), committed: (Counts::default(), start), offset: 0, now: NOW }
    }

    fn push(&mut self, text: &[u8], length: usize) {
        let end = (self.offset + length).min(text.len());
        let counts = &mut self.counts;
        self.pipeline.push(ID, &text[self.offset..end], self.now, &mut |event| counts.apply(event));
        self.offset = end;
    }

    fn commit(&mut self) {
        // As it is after it was kept.
        let kept = serde_json::to_vec(&self.pipeline.checkpoint(ID).unwrap()).unwrap();
        self.committed = (self.counts.clone(), serde_json::from_slice(&kept).unwrap());
    }

    fn crash(&mut self) {
        let (counts, checkpoint) = self.committed.clone();
        self.offset = usize::try_from(checkpoint.resume).unwrap();
        self.pipeline = Pipeline::new(settings(), KeyRing::default());
        self.pipeline.resume(ID, stream(checkpoint.resume), checkpoint);
        self.counts = counts;
    }

    fn act(&mut self, text: &[u8], act: Act) {
        let (counts, now) = (&mut self.counts, self.now);
        match act {
            Act::Push(length) => self.push(text, length),
            Act::To(end) => self.push(text, end.saturating_sub(self.offset)),
            Act::Tick => {
                self.now = now.plus_millis(150);
                self.pipeline.tick(self.now, &mut |event| counts.apply(event));
            }
            Act::EndLine => self.pipeline.end_line(ID, now, &mut |event| counts.apply(event)),
            Act::Commit => self.commit(),
            Act::Crash => self.crash(),
            Act::Restart => {
                let checkpoint = self.pipeline.suspend(ID, now, &mut |event| counts.apply(event)).unwrap();
                self.committed = (self.counts.clone(), checkpoint);
                self.crash();
            }
        }
    }

    fn finish(mut self, text: &[u8]) -> Counts {
        self.push(text, text.len());
        let counts = &mut self.counts;
        self.pipeline.finish(ID, self.now, &mut |event| counts.apply(event));
        self.counts
    }
}

fn check(text: &[u8], acts: &[Act]) -> TestCaseResult {
    let expected = Run::new().finish(text);
    let mut run = Run::new();
    for act in acts {
        run.act(text, *act);
        prop_assert!(run.counts.bytes <= text.len() as u64);
    }
    prop_assert_eq!(run.finish(text), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn crashes_lose_nothing_and_repeat_nothing(
        picks in prop::collection::vec(0_usize..16, 1..25),
        acts in acts(),
    ) {
        let parts = parts();
        let text: Vec<u8> = picks.iter().flat_map(|pick| parts[pick % parts.len()].clone()).collect();
        let acts: Vec<Act> = acts.into_iter().filter(|act| !matches!(act, Act::Tick | Act::Restart)).collect();
        check(&text, &acts)?;
    }

    /// How an overlong line is seen depends on where it is cut, but it is one line in any case.
    #[test]
    fn overlong_lines_are_counted_once(
        picks in prop::collection::vec(0_usize..3, 1..12),
        acts in acts(),
    ) {
        let parts = long_parts();
        let text: Vec<u8> = picks.iter().flat_map(|pick| parts[*pick].clone()).collect();
        let mut run = Run::new();
        for act in acts {
            run.act(&text, act);
        }
        let counts = run.finish(&text);
        prop_assert_eq!((counts.bytes, counts.lines), (text.len() as u64, picks.len() as u64));
    }

    /// Ticks come between prints only, because they make a print that is not complete count as it is.
    #[test]
    fn the_passing_of_time_between_prints_changes_nothing(
        picks in prop::collection::vec((0_usize..15, 0_u8..8), 1..25),
    ) {
        let parts = parts();
        let (mut text, mut acts) = (Vec::new(), Vec::new());
        for (pick, what) in picks {
            let part = &parts[pick % parts.len()];
            text.extend_from_slice(part);
            acts.push(Act::To(text.len()));
            acts.push(match what {
                0..3 => Act::Tick,
                3..5 => Act::Commit,
                5..7 => Act::Crash,
                _ => Act::Restart,
            });
        }
        check(&text, &acts)?;
    }
}

#[test]
fn a_line_that_was_ended_by_force_stays_ended() {
    let first = b"2026-03-01T10:00:00Z error code=51007 rejected".as_slice();
    let text = [first, b" error code=51007 again\nnext\n"].concat();
    let acts = |crashes: &[Act]| {
        let mut acts = vec![Act::Push(first.len()), Act::EndLine, Act::Tick];
        acts.extend_from_slice(crashes);
        acts
    };
    let mut expected = Run::new();
    for act in acts(&[]) {
        expected.act(&text, act);
    }
    let expected = expected.finish(&text);
    assert_eq!(expected.lines, 3);
    for crashes in [&[Act::Commit, Act::Crash][..], &[Act::Restart, Act::Push(5), Act::Commit, Act::Crash]] {
        let mut run = Run::new();
        for act in acts(crashes) {
            run.act(&text, act);
        }
        assert_eq!(run.finish(&text), expected, "{crashes:?}");
    }
}

#[test]
fn a_checkpoint_is_bounded_and_holds_nothing_of_the_log() {
    let line =
        b"2026-03-01T10:00:00Z error code=51007 \"Token authentication is rejected\" token=eyJhbGciOiJIUzI1NiJ9\n";
    let mut run = Run::new();
    let text = line.repeat(20_000);
    run.act(&text, Act::Push(text.len()));
    run.commit();
    let kept = serde_json::to_string(&run.committed.1).unwrap();
    assert!(kept.len() < 16 * 1024, "{} bytes", kept.len());
    assert!(!kept.contains("eyJ") && !kept.contains("rejected"), "{kept}");
}
