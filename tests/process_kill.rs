//! The daemon killed at any moment, and started again: totals are exact, and nothing that was shown goes back.
#![cfg(test)]

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use process::{Daemon, command, run, text, until};
use recipe::expand;

/// How often the daemon is killed, unless `KILLS` says otherwise. Each takes a start and a part of a second.
const KILLS: u64 = 20;

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What was shown last of every counter.
#[derive(Default)]
struct Shown(BTreeMap<String, f64>);

impl Shown {
    /// Takes a page, and says which counters went back.
    fn take(&mut self, page: &str) {
        let is_counter = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            // The process is a new one.
            !name.starts_with("process_")
                && ["_total", "_bucket", "_count", "_sum"].iter().any(|end| name.ends_with(end))
        };
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            if is_counter(series) {
                let value: f64 = value.parse().expect("a number");
                let last = self.0.insert(series.to_owned(), value).unwrap_or(0.0);
                assert!(value >= last, "{series} went from {last} back to {value}");
            }
        }
    }
}

#[derive(Default)]
struct Written {
    lines: AtomicU64,
    bytes: AtomicU64,
    refusals: AtomicU64,
    stop: AtomicBool,
}

/// Writes refusals and other lines as fast as an application does, with rotations, until it is told to stop.
fn write(place: &Place, written: &Written) {
    let refusals = [expand(EXPIRED), expand(NO_IDENTITY)];
    let mut random = Random(7);
    let open = || OpenOptions::new().append(true).create(true).open(place.log()).expect("a writable log");
    let mut log = open();
    let mut rotations = 0;
    while !written.stop.load(Ordering::Relaxed) {
        let mut block = Vec::new();
        for _ in 0..random.below(60) {
            let number = written.lines.fetch_add(1, Ordering::Relaxed);
            if random.below(10) == 0 {
                // Every refusal is a connection of its own: the same shape twice is two rejections.
                block.extend_from_slice(refusals[usize::try_from(number % 2).expect("0 or 1")].as_bytes());
                written.refusals.fetch_add(1, Ordering::Relaxed);
            } else {
                block.extend_from_slice(format!("2026-03-01T10:00:00Z info request {number} served\n").as_bytes());
            }
        }
        // In two parts, so that lines are seen half written.
        let (head, tail) = block.split_at(block.len() / 2);
        log.write_all(head).and_then(|()| log.write_all(tail)).expect("a writable log");
        written.bytes.fetch_add(block.len() as u64, Ordering::Relaxed);
        if random.below(200) == 0 && rotations < 40 {
            rotations += 1;
            fs::rename(place.log(), place.path(&format!("app.log.{rotations}"))).expect("a rename");
            log = open();
        }
        thread::park_timeout(Duration::from_millis(random.below(4)));
    }
}

#[test]
fn killed_again_and_again_under_load_it_counts_every_refusal_once() {
    let place = Place::new();
    place.configure(&place.usual_config().replace("app.log\"", "app.log*\""));
    let (written, mut shown, mut random) = (Written::default(), Shown::default(), Random(42));
    thread::scope(|scope| {
        let writer = scope.spawn(|| write(&place, &written));
        let kills = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
        for _ in 0..kills {
            let daemon = Daemon::start(&mut command(&["run", "--config", text(&place.config())]));
            for _ in 0..random.below(12) {
                shown.take(&daemon.get("/metrics").body);
                thread::park_timeout(Duration::from_millis(random.below(30)));
            }
            daemon.signal("KILL");
            drop(daemon);
        }
        written.stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends");
    });
    let daemon = place.start();
    let (refusals, lines) = (written.refusals.load(Ordering::Relaxed), written.lines.load(Ordering::Relaxed));
    until_rejections(&daemon, None, refusals);
    let page = daemon.get("/metrics").body;
    shown.take(&page);
    let label = ["source=\"app\"".to_owned()];
    let count = |name: &str| process::value(&page, name, &label).map(|value| format!("{value}"));
    assert_eq!(count("diag51007_lines_total"), Some(lines.to_string()));
    assert_eq!(count("diag51007_read_bytes_total"), Some(written.bytes.load(Ordering::Relaxed).to_string()));
    assert_eq!(count("diag51007_sightings_total"), Some(refusals.to_string()));
    assert_eq!(count("diag51007_lost_bytes_total"), Some("0".to_owned()));
}

#[test]
fn what_was_written_while_it_was_down_is_counted_and_what_was_there_is_not_counted_again() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().0, Some(0));
    place.append(&expand(NO_IDENTITY));
    let daemon = place.start();
    until_rejections(&daemon, Some("identity_missing"), 1);
    assert_eq!(rejections(&daemon, None), 2);
    drop(daemon);
    // A third time with nothing new, after a kill.
    let daemon = place.start();
    assert_eq!(rejections(&daemon, None), 2);
    assert!(daemon.get("/api/v1/rejections").body.contains("\"identity_missing\""));
}

#[test]
fn a_line_that_was_half_written_at_the_end_is_one_line() {
    let place = Place::new();
    let line = expand(EXPIRED);
    let (head, tail) = line.split_at(line.len() / 2);
    place.append(&expand(NO_IDENTITY));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    place.append(head);
    let label = ["source=\"app\"".to_owned()];
    let read = |daemon: &Daemon| process::value(&daemon.get("/metrics").body, "diag51007_read_bytes_total", &label);
    let expected = (expand(NO_IDENTITY).len() + head.len()).to_string();
    until("the half line", || (read(&daemon)?.to_string() == expected).then_some(()));
    daemon.signal("KILL");
    drop(daemon);
    place.append(tail);
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    assert_eq!(rejections(&daemon, None), 2);
}

#[test]
fn a_token_that_was_refused_before_the_restart_is_stale_after_it() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    drop(daemon);
    place.append(&expand(EXPIRED).replace("10:00:00Z", "10:20:00Z"));
    let daemon = place.start();
    until_rejections(&daemon, Some("stale_reuse"), 1);
}

#[test]
fn a_file_renamed_while_it_was_down_goes_on_where_it_was() {
    let place = Place::new();
    place.configure(&place.usual_config().replace("app.log\"", "app.log*\""));
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    drop(daemon);
    place.append(&expand(NO_IDENTITY));
    fs::rename(place.log(), place.path("app.log.1")).expect("a rename");
    place.append(&expand(EXPIRED).replace("10:00", "11:00"));
    let daemon = place.start();
    until_rejections(&daemon, None, 3);
}

#[test]
fn two_daemons_do_not_share_a_state() {
    let place = Place::new();
    let daemon = place.start();
    let second = run(&["run", "--config", text(&place.config())]);
    assert_eq!(second.code, Some(69), "{}", second.stderr);
    assert!(second.stderr.contains(&format!("process {}", daemon.id())), "{}", second.stderr);
    let reset = run(&["state", "reset", "--yes", "--config", text(&place.config())]);
    assert_eq!(reset.code, Some(69), "{}", reset.stderr);
}

#[test]
fn a_damaged_state_is_moved_aside_loudly_and_the_daemon_starts() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    drop(place.start());
    fs::write(place.path("state/state.redb"), "this is no database").expect("a state");
    let daemon = place.start();
    assert_eq!(daemon.metric("diag51007_state_recoveries_total"), Some(1.0));
    until_rejections(&daemon, None, 1);
    let output = daemon.output();
    assert!(output.contains("ERROR") && output.contains("state.redb.damaged-"), "{output}");
    drop(daemon);
    let daemon = place.start();
    assert_eq!(daemon.metric("diag51007_state_recoveries_total"), Some(1.0));
    assert_eq!(rejections(&daemon, None), 1);
}

#[test]
fn a_state_that_cannot_be_written_is_said_at_the_start_with_what_helps() {
    let place = Place::new();
    fs::write(place.path("state"), "a file in the way").expect("a writable folder");
    let output = run(&["run", "--config", text(&place.config())]);
    assert_eq!(output.code, Some(73), "{}", output.stderr);
    assert!(output.stderr.contains("`state_dir`"), "{}", output.stderr);
    let nowhere = run(&["run", text(&place.log())]);
    assert_eq!(nowhere.code, Some(78), "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("$STATE_DIRECTORY"), "{}", nowhere.stderr);
}

#[test]
fn what_was_read_before_a_cut_is_not_read_again_in_an_archive_that_is_complete_only_after_a_kill() {
    let place = Place::new();
    place.configure(&place.usual_config().replace("app.log\"", "app.log*\""));
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&fs::read(place.log()).expect("the log")).expect("packed");
    fs::write(place.log(), "").expect("cut");
    place.append(&expand(NO_IDENTITY));
    fs::write(place.path("app.log.1.gz"), packed.finish().expect("packed")).expect("an archive");
    until_rejections(&daemon, None, 2);
    daemon.signal("KILL");
    drop(daemon);

    // Ready when both archives are read; the other one shows that they are.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(expand(EXPIRED).replace("10:", "11:").as_bytes()).expect("packed");
    fs::write(place.path("app.log.2.gz"), packed.finish().expect("packed")).expect("an archive");
    let daemon = place.start();
    assert_eq!(rejections(&daemon, None), 3);
    let shown = run(&["state", "show", "--config", text(&place.config())]);
    assert!(shown.stdout.contains(" bytes that it held are recognised in archives"), "{shown:?}");
}

#[test]
fn the_state_is_shown_exported_and_removed() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let config = place.config();
    let shown = run(&["state", "show", "--config", text(&config)]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert!(shown.stdout.contains("rejections  1\n") && shown.stdout.contains("app.log: read up to byte"), "{shown:?}");
    let exported = run(&["state", "export", "--config", text(&config)]);
    let document: serde_json::Value = serde_json::from_str(&exported.stdout).expect("JSON");
    assert_eq!(document["ledger"]["totals"]["rejections"], 1);
    assert_eq!(document["refused"].as_array().map(Vec::len), Some(1));
    assert!(!exported.stdout.contains("eyJ") && !exported.stdout.contains(mint::SECRET), "{}", exported.stdout);
    drop(daemon);
    let asked = run(&["state", "reset", "--config", text(&config)]);
    assert_eq!(asked.code, Some(2), "{}", asked.stderr);
    let reset = run(&["state", "reset", "--yes", "--config", text(&config)]);
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let shown = run(&["state", "show", "--config", text(&config)]);
    assert_eq!(shown.code, Some(66), "{}", shown.stderr);
}
