//! The demo and the HTTP interface as a stranger meets them.
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

use std::collections::BTreeSet;

use serde_json::Value;

use place::{Place, expired_at, now, rejections, until_rejections};
use process::{Daemon, command, until};

#[test]
fn the_demo_serves_a_living_mix_of_causes_and_says_where() {
    let place = Place::new();
    let demo = Daemon::start(command(&["demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", place.folder()));
    let first = until("the first refusal", || Some(rejections(&demo, None)).filter(|count| *count > 0));
    until("another one", || (rejections(&demo, None) > first).then_some(()));
    let causes = until("three different causes", || {
        let page = demo.get("/metrics").body;
        let shown =
            page.lines().filter(|line| line.starts_with("diag51007_rejections_total{") && !line.ends_with(" 0"));
        let causes: BTreeSet<String> =
            shown.filter_map(|line| Some(line.split_once("cause=\"")?.1.split_once('"')?.0.to_owned())).collect();
        (causes.len() >= 3).then_some(causes)
    });
    assert!(causes.contains("expired"), "a demo has a burst of expired tokens: {causes:?}");
    assert!(demo.output().contains(&format!("http://{}", demo.address)), "{}", demo.output());
    demo.signal("INT");
    let (code, output) = demo.wait();
    assert_eq!(code, Some(0), "{output}");
    let left: Vec<_> = std::fs::read_dir(place.folder()).expect("the folder").filter_map(Result::ok).collect();
    let left: Vec<_> = left.iter().map(std::fs::DirEntry::file_name).filter(|name| !is_own(name)).collect();
    assert!(left.is_empty(), "the demo leaves nothing behind: {left:?}");
}

/// Files that the test itself put into its folder.
fn is_own(name: &std::ffi::OsStr) -> bool {
    name == "config.toml" || name == "app.log"
}

#[test]
fn bad_parameters_are_errors_in_the_usual_form() {
    let place = Place::new();
    let daemon = place.start();
    for path in [
        "/api/v1/summary?window=abc",
        "/api/v1/summary?window=",
        "/api/v1/rejections?limit=-1",
        "/api/v1/rejections?cause=expird",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        let error: Value = serde_json::from_str(&answer.body).expect("errors are JSON");
        assert_eq!(error["status"], "error", "{path}");
        assert!(
            error["error"].as_str().is_some_and(|text| text.contains("expected") || text.contains("did you mean")),
            "{path}: {error}"
        );
    }
    assert_eq!(daemon.post("/metrics", "text/plain", b"").status, 405);
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let place = Place::new();
    let daemon = place.start();
    let body = format!("{{\"token\":\"{}\"}}", "x".repeat(16 << 20));
    let answer = daemon.post("/api/v1/check", "application/json", body.as_bytes());
    // The connection may be gone before the whole body was sent.
    assert!(matches!(answer.status, 413 | 0), "{}", answer.head);
    assert_eq!(daemon.get("/-/healthy").status, 200);
}

#[test]
fn the_summary_tells_cause_remedy_and_an_example() {
    let place = Place::new();
    let at = now();
    place.append(&expired_at(at));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let answer = daemon.get("/api/v1/summary?window=1h");
    let remedy = diag51007::cause::Cause::Expired.remedy();
    assert!(answer.body.contains(remedy), "{}", answer.body);
    assert!(answer.head.to_ascii_lowercase().contains("content-type: application/json"), "{}", answer.head);
    let listed: Value = serde_json::from_str(&daemon.get("/api/v1/rejections?cause=expired").body).expect("JSON");
    let listed = listed.get("rejections").or_else(|| listed["data"].get("rejections")).unwrap_or(&listed);
    let [one] = listed.as_array().expect("a list").as_slice() else { panic!("{listed}") };
    assert_eq!(one["cause"], "expired");
    assert_eq!(one["findings"][0]["cause"], "expired");
    assert_eq!(one["token"]["found"], "same line");
    assert_eq!(one["line"], 1);
    assert_eq!(one["at"], at.to_string());
}
