//! The real logs in `tests/samples`, through the core and through the binary's `scan`.
#![cfg(test)]

#[path = "support/case.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod case;
#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use diag51007::keyring::{Account, Key, KeyKind, KeyRing, Secret};
use serde_json::Value;

use case::Run;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// The rows of the manifest: name, expected cause, and what the key ring needs.
fn manifest() -> Vec<Value> {
    let text = fs::read(samples().join("scenarios/manifest.json")).expect("the manifest is there");
    serde_json::from_slice(&text).expect("the manifest is a list")
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("the manifest has no `{name}`"))
}

fn keyring(row: &Value) -> KeyRing {
    let key = Key {
        sid: text(row, "key_sid").to_owned(),
        account: Some(text(row, "account_sid").to_owned()),
        secret: Some(Secret::new(text(row, "secret"))),
        region: None,
        kind: KeyKind::Standard,
    };
    let auth_token = Some(Secret::new(text(row, "auth_token")));
    KeyRing::new(vec![key], vec![Account { sid: text(row, "account_sid").to_owned(), region: None, auth_token }])
}

/// File, number of rejections, product.
const SDK_LOGS: [(&str, usize, &str); 10] = [
    ("applog-pino-51007.log", 1, "chat"),
    ("applog-winston-text-51007.log", 1, "unknown"),
    ("chat-51007-warn.log", 1, "unknown"),
    ("conversations-51007-debug.log", 1, "chat"),
    ("conversations-51007-warn.log", 1, "chat"),
    ("old-chat-2.2.0-51007-debug.log", 1, "unknown"),
    ("sync-51007-debug.log", 1, "sync"),
    ("twilsock-close-51007-debug.log", 1, "unknown"),
    ("voice-31204-debug.log", 1, "voice"),
    ("voice-51007-warn.log", 0, "voice"),
];

#[test]
fn each_scenario_gives_its_cause_once() {
    for row in manifest() {
        let name = text(&row, "name");
        let log = fs::read(samples().join("scenarios").join(name).with_extension("log")).expect("a log a scenario");
        let found = Run::plain(log, keyring(&row)).diagnose([]);
        let found: Vec<_> = found.iter().map(|d| (d.cause.id(), d.product.id(), d.code)).collect();
        assert_eq!(found, [(text(&row, "cause"), "chat", Some(51007))], "{name}");
    }
}

#[test]
fn each_scenario_gives_the_same_however_it_is_cut() {
    for row in manifest() {
        let name = text(&row, "name");
        let log = fs::read(samples().join("scenarios").join(name).with_extension("log")).expect("a log a scenario");
        let run = Run::plain(log, keyring(&row));
        let whole = run.diagnose([]);
        assert_eq!(run.diagnose(1..run.log.len()), whole, "{name}, byte by byte");
        for cut in (1..run.log.len()).step_by(61) {
            assert_eq!(run.diagnose([cut]), whole, "{name}, cut after byte {cut}");
        }
    }
}

#[test]
fn every_sdk_log_is_listed() {
    let mut found: Vec<String> = fs::read_dir(samples().join("sdk-logs"))
        .expect("the logs are there")
        .map(|entry| entry.expect("a readable entry").file_name().into_string().expect("a UTF-8 name"))
        .collect();
    found.sort();
    assert_eq!(found, SDK_LOGS.map(|(name, _, _)| name));
}

#[test]
fn each_sdk_log_has_as_many_rejections_as_refused_connections() {
    for (name, count, product) in SDK_LOGS {
        let log = fs::read(samples().join("sdk-logs").join(name)).expect("the log is there");
        let found = Run::plain(log, KeyRing::default()).diagnose([]);
        let found: Vec<_> = found.iter().map(|d| d.product.id()).collect();
        assert_eq!(found, vec![product; count], "{name}");
    }
}

/// A config file with the key ring of the manifest.
fn config(row: &Value, folder: &Path) -> PathBuf {
    let mut config = String::new();
    _ = writeln!(config, "[[key]]\nsid = \"{}\"\naccount = \"{}\"", text(row, "key_sid"), text(row, "account_sid"));
    _ = writeln!(config, "secret = \"{}\"\n\n[[account]]", text(row, "secret"));
    _ = writeln!(config, "sid = \"{}\"\nauth_token = \"{}\"", text(row, "account_sid"), text(row, "auth_token"));
    let path = folder.join("config.toml");
    fs::write(&path, config).expect("a writable folder");
    path
}

fn scan(config: &Path, log: &Path) -> Vec<Value> {
    let output = process::run(&["scan", "--format", "ndjson", "--config", process::text(config), process::text(log)]);
    assert_eq!(output.code, Some(0), "{}: {}", log.display(), output.stderr);
    output.stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

#[test]
fn the_binary_scans_each_scenario_to_its_cause() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for row in manifest() {
        let name = text(&row, "name");
        let log = samples().join("scenarios").join(name).with_extension("log");
        let found = scan(&config(&row, folder.path()), &log);
        let causes: Vec<_> = found.iter().map(|diagnosis| diagnosis["cause"].as_str().unwrap_or_default()).collect();
        assert_eq!(causes, [text(&row, "cause")], "{name}");
    }
}

#[test]
fn the_binary_scans_each_sdk_log_to_its_count_and_product() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("empty.toml");
    fs::write(&empty, "").expect("a writable folder");
    for (name, count, product) in SDK_LOGS {
        let found = scan(&empty, &samples().join("sdk-logs").join(name));
        let products: Vec<_> = found.iter().map(|d| d["product"].as_str().unwrap_or_default()).collect();
        assert_eq!(products, vec![product; count], "{name}");
    }
}
