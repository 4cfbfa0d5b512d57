//! Bad surroundings and bad bytes through the real binary: said, counted, bounded, and the daemon goes on.
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

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use process::{Daemon, run, text, until};
use recipe::expand;

/// What the daemon and `scan` may use at most, whatever they read.
const RSS_BYTES_MAX: u64 = 64 << 20;
/// A line far beyond every limit.
const LINE_BYTES: usize = 100 << 20;

/// The most memory a process ever had, from `/proc`.
fn peak_bytes(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.id())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux has VmHWM");
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB");
    kibibytes << 10
}

#[test]
fn a_line_of_100_megabytes_takes_no_memory_and_hides_nothing() {
    let place = Place::new();
    let mut log = BufWriter::new(File::create(place.log()).expect("a writable folder"));
    let block = b"x\"{51007 eyJ ".repeat(80_659);
    for _ in 0..LINE_BYTES / block.len() {
        log.write_all(&block).expect("a writable log");
    }
    writeln!(log, "\n{}", expand(EXPIRED)).expect("a writable log");
    drop(log);
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    assert_eq!(rejections(&daemon, None), 1);
    let page = daemon.get("/metrics").body;
    let truncated = process::value(&page, "diag51007_lines_truncated_total", &["source=\"app\"".to_owned()]);
    assert_eq!(truncated, Some(1.0));
    let peak = peak_bytes(&daemon);
    assert!(peak <= RSS_BYTES_MAX, "expected at most {RSS_BYTES_MAX} bytes, but found {peak}");
}

#[test]
fn a_folder_that_is_not_there_yet_is_waited_for() {
    let place = Place::new();
    let later = place.path("later");
    let config = place.usual_config().replace(text(&place.log()), text(&later.join("*.log")));
    place.configure(&config);
    let daemon = place.start();
    fs::create_dir(&later).expect("a writable folder");
    fs::write(later.join("a.log"), expand(EXPIRED)).expect("a writable folder");
    until_rejections(&daemon, Some("expired"), 1);
}

#[test]
fn an_unreadable_file_is_said_and_the_others_are_read() {
    let place = Place::new();
    let config = place.usual_config().replace(text(&place.log()), text(&place.path("*.log")));
    place.configure(&config);
    let locked = place.path("locked.log");
    fs::write(&locked, expand(NO_IDENTITY)).expect("a writable folder");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("own file");
    let everything_is_readable = File::open(&locked).is_ok();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, Some("expired"), 1);
    if everything_is_readable {
        // Permissions do not bind root: the file is read like any other.
        until_rejections(&daemon, Some("identity_missing"), 1);
        return;
    }
    let labels = ["kind=\"permission\"", "source=\"app\""].map(str::to_owned);
    let errors = || process::value(&daemon.get("/metrics").body, "diag51007_source_errors_total", &labels);
    until("the error on the page", || errors().filter(|count| *count >= 1.0));
    assert!(daemon.output().contains("locked.log"), "{}", daemon.output());
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o644)).expect("own file");
    place.append("\n");
    until_rejections(&daemon, Some("identity_missing"), 1);
}

#[test]
fn a_bad_glob_is_a_bad_config() {
    let place = Place::new();
    place.configure(&place.usual_config().replace(text(&place.log()), "/var/log/[.log"));
    let output = run(&["run", "--config", text(&place.config())]);
    assert_eq!(output.code, Some(78), "{}", output.stderr);
    assert!(output.stderr.contains("config.toml:") && output.stderr.contains("source.include"), "{}", output.stderr);
}

#[test]
fn scan_goes_on_behind_a_missing_file() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let (config, log) = (place.config(), place.log());
    let output = run(&["scan", "--config", text(&config), "--format", "ndjson", "no/such.log", text(&log)]);
    assert_eq!(output.code, Some(66), "{}", output.stderr);
    assert!(output.stderr.contains("no/such.log"), "{}", output.stderr);
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
}

#[test]
fn a_last_line_without_an_end_counts_after_a_while() {
    let place = Place::new();
    let daemon = place.start();
    place.append(expand(EXPIRED).trim_end());
    until_rejections(&daemon, Some("expired"), 1);
    place.append("\n");
    place.append(&expand(NO_IDENTITY));
    until_rejections(&daemon, Some("identity_missing"), 1);
    assert_eq!(rejections(&daemon, None), 2);
}
