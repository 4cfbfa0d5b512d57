//! Logs of containers, where docker and the kubelet put them and turn them over.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::place::{EXPIRED, NO_IDENTITY, Place, rejections, until_rejections};
use crate::process::Daemon;
use crate::recipe::expand;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A place whose one source is of this kind, with the kind's own globs below the place's folder.
fn place(kind: &str, glob: &str) -> Place {
    let place = Place::new();
    let config = place.usual_config();
    let (include, _) = config.split_once("include = [").expect("a list of globs");
    let (_, tail) = config.split_once("[[key]]").expect("a key");
    let head = include.replace("kind = \"file\"", &format!("kind = \"{kind}\""));
    let glob = place.folder().join(glob);
    place.configure(&format!("{head}include = [\"{}\"]\n\n[[key]]{tail}", glob.display()));
    place
}

fn append(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
    let mut log = OpenOptions::new().append(true).create(true).open(path).expect("a writable log");
    log.write_all(text.as_bytes()).expect("a writable log");
}

fn cri(recipe: &str) -> String {
    format!("2026-03-01T10:00:00.5Z stderr F {}", expand(recipe))
}

fn docker(recipe: &str) -> String {
    json!({"log": expand(recipe), "stream": "stderr", "time": "2026-03-01T10:00:00.5Z"}).to_string() + "\n"
}

/// The last rejection.
fn last(daemon: &Daemon) -> Value {
    let answer: Value = serde_json::from_str(&daemon.get("/api/v1/rejections?limit=1").body).unwrap_or_default();
    answer.pointer("/rejections/0").cloned().unwrap_or_default()
}

#[test]
fn a_pods_log_is_followed_through_the_kubelets_rotation_and_names_the_pod() {
    let place = place("cri", "pods/*/*/*.log");
    let log = place.path("pods/prod_chat-7d9f-x2x_0a1b-2c3d/api/0.log");
    append(&log, &cri(EXPIRED));
    let daemon = place.start();
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    append(&log, &cri(NO_IDENTITY));
    fs::rename(&log, log.with_extension("log.20260301-100000")).expect("a rename");
    append(&log, &cri(NO_IDENTITY));
    until_rejections(&daemon, Some("identity_missing"), 2);
    // A restart of the container begins a file of its own.
    append(&log.with_file_name("1.log"), &cri(NO_IDENTITY));
    until_rejections(&daemon, None, 4);
    let last = last(&daemon);
    let named = ["namespace", "pod", "container"].map(|name| last.get(name).and_then(Value::as_str));
    assert_eq!(named, [Some("prod"), Some("chat-7d9f-x2x"), Some("api")]);
    // Pods come and go, so they are no labels.
    assert!(!daemon.get("/metrics").body.contains("chat-7d9f"));
}

#[test]
fn a_containers_log_is_followed_through_dockers_rotation_and_names_the_container() {
    let place = place("docker", "containers/*/*-json.log");
    let log = place.path(&format!("containers/{ID}/{ID}-json.log"));
    append(&log, &docker(EXPIRED));
    let daemon = place.start();
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    append(&log, &docker(NO_IDENTITY));
    fs::rename(&log, log.with_extension("log.1")).expect("a rename");
    append(&log, &docker(NO_IDENTITY));
    until_rejections(&daemon, Some("identity_missing"), 2);
    assert_eq!(last(&daemon).get("container"), Some(&json!("0123456789ab")));
}
