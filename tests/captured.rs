//! What the npm packages really print when a server refuses them, in many versions and at many log levels, alone and in
//! every envelope: as many rejections as refused connections, each with its cause, product and code.
//!
//! `tests/samples/captured/manifest.json` holds the truth. `CAPTURED=FOLDER` runs over another folder of the same form.
#![cfg(test)]

#[path = "support/case.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod case;
#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;
#[path = "support/wrap.rs"]
mod wrap;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::{Account, Key, KeyKind, KeyRing, Secret};
use diag51007::time::UnixTime;
use serde::Deserialize;

use case::Run;
use wrap::{ENVELOPES, Timed};

/// Places at which a log is cut in two.
const CUTS: usize = 6;

#[derive(Deserialize)]
struct Manifest {
    key_ring: Ring,
    logs: Vec<Row>,
}

#[derive(Deserialize)]
struct Ring {
    keys: Vec<RingKey>,
    accounts: Vec<RingAccount>,
}

#[derive(Deserialize)]
struct RingKey {
    sid: String,
    account: String,
    secret: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct RingAccount {
    sid: String,
    auth_token: Option<String>,
}

/// One log and its truth.
#[derive(Deserialize)]
struct Row {
    file: String,
    /// When it was captured: judges lines without any time, as the file's modification time does.
    at: String,
    refusals: Vec<Refusal>,
}

/// One refused connection.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Refusal {
    cause: String,
    product: String,
    code: Option<u32>,
}

impl Refusal {
    fn of(diagnosis: &Diagnosis) -> Self {
        let (cause, product) = (diagnosis.cause.id().to_owned(), diagnosis.product.id().to_owned());
        Self { cause, product, code: diagnosis.code }
    }
}

impl Row {
    fn read(&self) -> Timed {
        let log = fs::read(folder().join(&self.file)).expect("a log a row");
        Timed::new(log, UnixTime::parse(&self.at).expect("a time"))
    }
}

fn folder() -> PathBuf {
    std::env::var_os("CAPTURED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/captured"), PathBuf::from)
}

fn manifest() -> Manifest {
    let text = fs::read(folder().join("manifest.json")).expect("the manifest is there");
    serde_json::from_slice(&text).expect("the manifest has its form")
}

fn keyring(ring: &Ring) -> KeyRing {
    let keys = ring.keys.iter().map(|key| Key {
        sid: key.sid.clone(),
        account: Some(key.account.clone()),
        secret: Some(Secret::new(key.secret.as_str())),
        region: None,
        kind: if key.kind.as_deref() == Some("restricted") { KeyKind::Restricted } else { KeyKind::Standard },
    });
    let accounts = ring.accounts.iter().map(|account| Account {
        sid: account.sid.clone(),
        region: None,
        auth_token: account.auth_token.as_deref().map(Secret::new),
    });
    KeyRing::new(keys.collect(), accounts.collect())
}

/// Runs `observe` over every log and compares with the manifest; says what differs, and of how many.
fn compare(how: &str, observe: impl Fn(&Timed, &KeyRing) -> Vec<Diagnosis>) -> Result<(), String> {
    let manifest = manifest();
    let ring = keyring(&manifest.key_ring);
    let (mut failures, mut wrong) = (String::new(), 0);
    for row in &manifest.logs {
        let found: Vec<Refusal> = observe(&row.read(), &ring).iter().map(Refusal::of).collect();
        if found != row.refusals {
            wrong += 1;
            _ = writeln!(failures, "{}: expected {:?}, but found {found:?}", row.file, row.refusals);
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("{how}: {wrong} of {} logs\n{failures}", manifest.logs.len()))
    }
}

#[track_caller]
fn check(how: &str, observe: impl Fn(&Timed, &KeyRing) -> Vec<Diagnosis>) {
    if let Err(failure) = compare(how, observe) {
        panic!("{failure}");
    }
}

#[test]
fn each_log_gives_its_refusals() {
    check("alone", |log, ring| log.run(ring).diagnose([]));
}

#[test]
fn each_log_gives_its_refusals_in_every_envelope() {
    let all = |log: &Timed, ring: &KeyRing, envelope| log.wrapped(envelope).run(ring).diagnose([]);
    let failures: Vec<String> = (ENVELOPES.iter())
        .filter_map(|(name, envelope)| compare(name, |log, ring| all(log, ring, *envelope)).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.concat());
}

#[test]
fn each_log_gives_the_same_however_it_is_cut() {
    let manifest = manifest();
    let ring = keyring(&manifest.key_ring);
    let mut state = 51007_u64;
    for row in &manifest.logs {
        let run: Run = row.read().run(&ring);
        let whole = run.diagnose([]);
        for _ in 0..CUTS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let cut = usize::try_from(state >> 33).expect("31 bits") % run.log.len().max(1);
            assert_eq!(run.diagnose([cut]), whole, "{}, cut after byte {cut}", row.file);
        }
    }
}

#[test]
fn each_log_gives_the_same_while_it_is_being_written() {
    check("line by line, live", Timed::live);
}

#[test]
fn every_captured_log_is_in_the_manifest() {
    let mut listed: Vec<String> = manifest().logs.into_iter().map(|row| row.file).collect();
    let mut found: Vec<String> = fs::read_dir(folder())
        .expect("the logs are there")
        .map(|entry| entry.expect("a readable entry").file_name().into_string().expect("a UTF-8 name"))
        .filter(|name| name != "manifest.json")
        .collect();
    listed.sort();
    found.sort();
    assert_eq!(found, listed);
}
