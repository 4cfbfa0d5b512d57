//! The core's speed: bytes in, diagnoses out, on one core and without a disk.
//!
//! `noise` is the usual case, one refusal in 10,000 lines; `events` is a flood, every line a refusal with a token,
//! from 1,000 different ones.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../tests/support/mint.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod mint;

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use diag51007::keyring::{Key, KeyKind, KeyRing, Secret};
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;

use mint::{Draft, REFUSED_AT, SECRET, sid};

/// As the file source reads.
const BLOCK_BYTES: usize = 256 << 10;
const NOISE_LINES: u64 = 200_000;
const NOISE_LINES_PER_EVENT: u64 = 10_000;
const EVENT_LINES: u64 = 20_000;
const TOKENS: u64 = 1000;

fn keyring() -> KeyRing {
    let key = Key {
        sid: sid("SK", "1"),
        account: Some(sid("AC", "1")),
        secret: Some(Secret::new(SECRET)),
        region: None,
        kind: KeyKind::Standard,
    };
    KeyRing::new(vec![key], Vec::new())
}

/// The n-th of the different tokens, expired by 90 s and more.
fn token(number: u64) -> String {
    let mut draft = Draft::valid_at(REFUSED_AT - 7200);
    let offset = i64::try_from(number % TOKENS).expect("a small number");
    draft.payload.insert("exp".to_owned(), (REFUSED_AT - 90 - offset).into());
    draft.sign()
}

fn event(log: &mut String, number: u64, token: &str) {
    let at = UnixTime::from_millis(REFUSED_AT * 1000 + i64::try_from(number).expect("a small number"));
    _ = writeln!(log, "{at} error Twilio error code=51007 \"Token authentication is rejected\" token={token}");
}

fn noise() -> String {
    let mut log = String::new();
    let token = token(0);
    for number in 0..NOISE_LINES {
        if number % NOISE_LINES_PER_EVENT == NOISE_LINES_PER_EVENT / 2 {
            event(&mut log, number, &token);
            continue;
        }
        let at = UnixTime::from_millis(REFUSED_AT * 1000 + i64::try_from(number).expect("a small number"));
        _ = writeln!(
            log,
            "{at} info http method=GET path=/api/v1/rooms/{number:x}/messages status=200 bytes={} duration_ms={} \
             client=10.{}.{}.7 request_id={:016x}",
            number * 7919 % 65_536,
            number % 997,
            number % 251,
            number % 241,
            number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        );
    }
    log
}

fn events() -> String {
    let tokens: Vec<String> = (0..TOKENS).map(token).collect();
    let mut log = String::new();
    for (number, token) in (0..EVENT_LINES).zip(tokens.iter().cycle()) {
        event(&mut log, number * 1000, token);
    }
    log
}

/// Gives the number of rejections, so that a benchmark of something that finds nothing is noticed.
fn run(pipeline: &mut Pipeline, log: &[u8]) -> u64 {
    let (id, now) = (StreamId(1), UnixTime::from_seconds(REFUSED_AT + 7200));
    let mut rejections = 0;
    let mut emit = |event| {
        if let Event::Diagnosed(diagnosis) = black_box(event) {
            rejections += 1;
            drop(diagnosis);
        }
    };
    pipeline.open(
        id,
        Stream { source: "bench".into(), path: None, modified: None, timezone: "UTC".into(), offset: 0, whole: true },
    );
    for block in log.chunks(BLOCK_BYTES) {
        pipeline.push(id, block, now, &mut emit);
    }
    pipeline.finish(id, now, &mut emit);
    rejections
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    group.sample_size(20);
    let cases = [("noise", noise(), NOISE_LINES / NOISE_LINES_PER_EVENT), ("events", events(), EVENT_LINES)];
    for (name, log, rejections) in cases {
        let fresh = || Pipeline::new(Settings::default(), keyring());
        assert_eq!(run(&mut fresh(), log.as_bytes()), rejections, "{name}: rejections found");
        group.throughput(Throughput::Bytes(u64::try_from(log.len()).expect("a log that fits into memory")));
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(fresh, |pipeline| run(pipeline, log.as_bytes()), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
