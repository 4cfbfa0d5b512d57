//! Long lines that container runtimes split: judged as if they had not been.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

use diag51007::diagnosis::Diagnosis;
use diag51007::pipeline::{Event, Pipeline, Settings, StreamId};
use diag51007::time::UnixTime;
use serde_json::{Value, json};

use crate::case::{Run, usual_keyring};
use crate::place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use crate::recipe::expand;
use crate::{mint, process};

/// At which docker and containerd split by default, in bytes.
const PIECE_BYTES: usize = 16 << 10;
const ID: StreamId = StreamId(1);

/// Writes a piece as a runtime does: to stdout or stderr, the last of its line or not.
type Runtime = fn(piece: &str, stream: &str, is_last: bool) -> String;

const RUNTIMES: [(&str, Runtime); 4] = [
    ("CRI", |piece, stream, is_last| {
        format!("2026-03-01T10:00:00.123456789Z {stream} {} {piece}\n", if is_last { "F" } else { "P" })
    }),
    ("docker json-file", |piece, stream, is_last| {
        let end = if is_last { "\n" } else { "" };
        json!({"log": format!("{piece}{end}"), "stream": stream, "time": "2026-03-01T10:00:00.123456789Z"}).to_string()
            + "\n"
    }),
    ("docker in the journal", |piece, stream, is_last| {
        let mut entry = json!({"__REALTIME_TIMESTAMP": "1772359200123456", "CONTAINER_NAME": "chat", "MESSAGE": piece,
            "PRIORITY": if stream == "stdout" { "6" } else { "3" }});
        if !is_last {
            entry["CONTAINER_PARTIAL_MESSAGE"] = "true".into();
        }
        entry.to_string() + "\n"
    }),
    ("journald", |piece, stream, is_last| {
        let id = if stream == "stdout" { "0a" } else { "0b" }.repeat(16);
        let mut entry = json!({"__REALTIME_TIMESTAMP": "1772359200123456", "_TRANSPORT": "stdout", "_STREAM_ID": id,
            "PRIORITY": "6", "MESSAGE": piece});
        if !is_last {
            entry["_LINE_BREAK"] = "line-max".into();
        }
        entry.to_string() + "\n"
    }),
];

/// A line in pieces.
fn split(line: &str, stream: &str, runtime: Runtime, bytes: usize) -> Vec<String> {
    let pieces: Vec<&str> =
        line.as_bytes().chunks(bytes).map(|piece| std::str::from_utf8(piece).expect("ASCII")).collect();
    let last = pieces.len() - 1;
    pieces.iter().enumerate().map(|(at, piece)| runtime(piece, stream, at == last)).collect()
}

/// A line of a program, so long that it is split inside the recipe's text, so many bytes before its end.
fn long_line(recipe: &str, before_end: usize) -> String {
    let text = expand(recipe).trim_end().to_owned();
    let padding = PIECE_BYTES + before_end - text.len() - "pad= ".len();
    let (time, rest) = text.split_once(' ').expect("a time");
    format!("{time} pad={} {rest}", "x".repeat(padding))
}

fn causes(found: &[Diagnosis]) -> Vec<(&'static str, bool)> {
    found.iter().map(|diagnosis| (diagnosis.cause.id(), diagnosis.token.is_some())).collect()
}

#[test]
fn a_refusal_with_its_token_is_found_wherever_it_is_split() {
    let length = expand(EXPIRED).trim_end().len();
    for (name, runtime) in RUNTIMES {
        for before_end in 1..length - "2026-03-01T10:00:00Z ".len() {
            let pieces = split(&long_line(EXPIRED, before_end), "stdout", runtime, PIECE_BYTES);
            assert_eq!(pieces.len(), 2, "{name}");
            let run = Run::plain(pieces.concat().into_bytes(), usual_keyring());
            let found = run.diagnose([]);
            assert_eq!(causes(&found), [("expired", true)], "{name}, {before_end} bytes before the end");
            let state = found.iter().filter_map(|found| found.token.as_ref()).map(|token| token.state.id());
            assert_eq!(state.collect::<Vec<_>>(), ["readable"], "{name}, {before_end} bytes before the end");
        }
    }
}

/// A log with everything: a token on a split line before the refusal, pieces of both streams between each other, refusals
/// among them, and a line that never ends.
fn mixed(runtime: Runtime) -> String {
    let token = expand("2026-03-01T10:00:00Z info connects with token={{token -identity}}");
    let token = format!("{} {}", token.trim_end(), "y".repeat(PIECE_BYTES));
    let mut log = split(&token, "stdout", runtime, PIECE_BYTES).concat();
    log.push_str(&runtime("2026-03-01T10:00:01Z error Twilio error code=51007", "stdout", true));
    log.push_str(&runtime("2026-03-01T10:20:00Z info nothing", "stdout", true).repeat(40));
    let (a, b) = (
        split(&long_line(EXPIRED, 30), "stdout", runtime, PIECE_BYTES),
        split(&long_line(NO_IDENTITY, 600), "stderr", runtime, PIECE_BYTES),
    );
    for (a, b) in a.iter().zip(&b) {
        log.push_str(a);
        log.push_str(b);
    }
    // Split in the middle of its code, with a refusal of the other stream between.
    let cut = format!("2026-03-01T10:30:00Z error {} code=51007 Twilio", "z".repeat(PIECE_BYTES));
    let at = cut.find("51007").expect("a code") + 2;
    let (head, tail) = cut.split_at(at);
    log.push_str(&runtime(head, "stdout", false));
    log.push_str(&runtime(expand(EXPIRED).trim_end(), "stderr", true));
    log.push_str(&runtime(tail, "stdout", true));
    log.push_str(&runtime(&"a piece without an end ".repeat(1000), "stderr", false));
    log
}

#[test]
fn what_is_mixed_and_what_has_no_end_gives_the_same_however_it_is_cut() {
    for (name, runtime) in RUNTIMES {
        let run = Run::plain(mixed(runtime).into_bytes(), usual_keyring());
        let whole = run.diagnose([]);
        let found: Vec<_> = whole.iter().map(|found| found.cause.id()).collect();
        let expected: Vec<_> = whole
            .iter()
            .map(|found| (found.cause.id(), found.token.as_ref().map(|token| token.found.to_string())))
            .collect();
        assert_eq!(
            found,
            ["identity_missing", "expired", "identity_missing", "no_token", "stale_reuse"],
            "{name}: {expected:?}"
        );
        assert_eq!(run.diagnose(1..run.log.len()), whole, "{name}, byte by byte");
        for step in [77, 4096, 10_000, PIECE_BYTES + 1] {
            assert_eq!(run.diagnose((step..run.log.len()).step_by(step)), whole, "{name}, every {step} bytes");
        }
    }
}

/// What a run that ends at any place, and the one after it, count together.
#[test]
fn a_restart_between_pieces_loses_nothing_and_repeats_nothing() {
    let now = UnixTime::from_seconds(mint::REFUSED_AT + 7200);
    for (name, runtime) in RUNTIMES {
        let log = mixed(runtime).into_bytes();
        let ends: Vec<usize> = memchr::memchr_iter(b'\n', &log).map(|at| at + 1).collect();
        let places = ends.iter().flat_map(|end| [end - 300.min(*end), *end]).collect::<BTreeSet<_>>();
        for place in places {
            let run = Run::plain(log.clone(), usual_keyring());
            let mut offsets = Vec::new();
            let mut lines = 0;
            let mut emit = |event| match event {
                Event::Diagnosed(diagnosis) => offsets.push(diagnosis.offset),
                Event::Lines { lines: read, .. } => lines += read,
                Event::Resighted { .. } | Event::Exposed(_) | Event::Misfit(_) => {}
            };
            let mut pipeline = Pipeline::new(Settings::default(), usual_keyring());
            pipeline.open(ID, run.live_stream());
            pipeline.push(ID, &log[..place], now, &mut emit);
            let checkpoint = pipeline.checkpoint(ID).expect("an open stream");
            let mut pipeline = Pipeline::new(Settings::default(), usual_keyring());
            let resume = usize::try_from(checkpoint.resume).expect("an offset");
            pipeline.resume(ID, run.live_stream(), checkpoint);
            pipeline.push(ID, &log[resume..], now, &mut emit);
            pipeline.finish(ID, now, &mut emit);
            offsets.sort_unstable();
            let whole: Vec<_> = run.diagnose([]).iter().map(|found| found.offset).collect();
            assert_eq!((offsets, lines), (whole, ends.len() as u64), "{name}, after {place} bytes");
        }
    }
}

#[test]
fn a_line_longer_than_what_is_joined_is_counted_and_its_beginning_is_judged() {
    for (name, runtime) in RUNTIMES {
        let line = format!("{} {}", expand(EXPIRED).trim_end(), "x".repeat(40 * PIECE_BYTES));
        let log = split(&line, "stdout", runtime, PIECE_BYTES).concat();
        assert_eq!(live(&log, log.len()), (vec!["expired"], 1), "{name}");
    }
}

/// Diagnoses and lines counted as cut of a live log that comes in pieces of a size.
fn live(log: &str, piece: usize) -> (Vec<&'static str>, u64) {
    let (mut pipeline, mut cut, mut found) = (Pipeline::new(Settings::default(), usual_keyring()), 0, Vec::new());
    let now = UnixTime::from_seconds(mint::REFUSED_AT + 7200);
    let mut emit = |event| match event {
        Event::Diagnosed(diagnosis) => found.push(diagnosis.cause.id()),
        Event::Lines { truncated, .. } => cut += truncated,
        Event::Resighted { .. } | Event::Exposed(_) | Event::Misfit(_) => {}
    };
    pipeline.open(ID, Run::plain(Vec::new(), usual_keyring()).live_stream());
    log.as_bytes().chunks(piece).for_each(|piece| pipeline.push(ID, piece, now, &mut emit));
    pipeline.finish(ID, now, &mut emit);
    (found, cut)
}

#[test]
fn a_split_line_that_opens_an_object_is_judged_once_the_object_is_there() {
    let (_, runtime) = RUNTIMES[0];
    let opening = format!("2026-03-01T10:00:00Z {} TwilioError code: 51007 {{", "x".repeat(PIECE_BYTES));
    let mut log = split(&opening, "stdout", runtime, PIECE_BYTES).concat();
    for line in ["  status: 401", "}"] {
        log += &runtime(line, "stdout", true);
    }
    let whole = live(&log, log.len());
    assert_eq!(whole.0.len(), 1, "{whole:?}");
    let lines: Vec<usize> = log.split_inclusive('\n').map(str::len).collect();
    assert_eq!(live(&log, lines[0]), whole);
    for piece in [1, 100, 1000] {
        assert_eq!(live(&log, piece), whole, "{piece}");
    }
}

#[test]
fn an_object_whose_head_is_split_is_one_refusal() {
    let (_, runtime) = RUNTIMES[0];
    for indent in ["", "  "] {
        let opening = format!("{indent}TwilioError 51007 refused {} {{", "x".repeat(PIECE_BYTES));
        let mut log = String::from("2026-03-01T10:00:00Z stdout F 2026-03-01T10:00:00Z start\n");
        log += &split(&opening, "stdout", runtime, PIECE_BYTES).concat();
        for line in ["  code: 51007,", "  status: 401", "}"] {
            log += &runtime(line, "stdout", true);
        }
        for piece in [log.len(), 1, 100, 1000] {
            assert_eq!(live(&log, piece).0.len(), 1, "{piece}: {indent:?}");
        }
    }
}

#[test]
fn a_refusal_of_another_stream_between_two_pieces_is_not_passed_over() {
    let (_, runtime) = RUNTIMES[0];
    let pieces = split(&long_line(EXPIRED, 100), "stdout", runtime, PIECE_BYTES);
    let other = runtime(expand(NO_IDENTITY).trim_end(), "stderr", true);
    let log = [pieces[0].as_str(), &other, &pieces[1]].concat();
    for piece in [log.len(), 1, 1000] {
        let mut found = live(&log, piece).0;
        found.sort_unstable();
        assert_eq!(found, ["expired", "identity_missing"], "{piece}");
    }
}

#[test]
fn a_refusal_far_inside_a_line_that_is_too_long_is_found() {
    for (name, runtime) in RUNTIMES {
        let text = expand(EXPIRED).trim_end().to_owned();
        let (time, rest) = text.split_once(' ').expect("a time");
        let line = format!("{time} {} {rest} {}", "x".repeat(18 * PIECE_BYTES), "y".repeat(9 * PIECE_BYTES));
        let log = split(&line, "stdout", runtime, PIECE_BYTES).concat();
        assert_eq!(live(&log, log.len()), (vec!["expired"], 1), "{name}");
        assert_eq!(live(&log, 999), (vec!["expired"], 1), "{name}");
    }
}

#[test]
fn scan_and_a_followed_file_agree_and_a_kill_between_pieces_costs_nothing() {
    let (_, runtime) = RUNTIMES[0];
    let place = Place::new();
    let log = place.path("app.log");
    // Split in the middle of its code, so that the first piece says nothing by itself.
    let text = expand(EXPIRED).trim_end().to_owned();
    let before_end = text.len() - text.find("51007").expect("a code") - 2;
    let pieces = split(&long_line(EXPIRED, before_end), "stdout", runtime, PIECE_BYTES);
    let append = |text: &str| {
        let mut file = OpenOptions::new().append(true).create(true).open(&log).expect("a writable log");
        file.write_all(text.as_bytes()).expect("a writable log");
    };
    append(&pieces[0]);
    let daemon = place.start();
    assert_eq!(rejections(&daemon, None), 0);
    daemon.signal("KILL");
    drop(daemon);
    append(&pieces[1]);
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    append(&split(&long_line(NO_IDENTITY, 400), "stderr", runtime, PIECE_BYTES).concat());
    until_rejections(&daemon, None, 2);
    assert_eq!(rejections(&daemon, Some("identity_missing")), 1);
    daemon.signal("KILL");
    drop(daemon);
    let config = place.config();
    let output = Command::new(env!("CARGO_BIN_EXE_diag51007"))
        .args(["scan", "--format", "json", "--config", process::text(&config), process::text(&log)])
        .output()
        .expect("the program starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found: Vec<_> = report["rejections"].as_array().into_iter().flatten().map(|one| one["cause"].clone()).collect();
    assert_eq!(found, [json!("expired"), json!("identity_missing")]);
    assert!(fs::metadata(&log).is_ok_and(|file| file.len() > 2 * PIECE_BYTES as u64));
}
