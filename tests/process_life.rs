//! The life of the daemon as a process: ready, scrape, reload, drain.
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

use std::fs;

use serde_json::Value;

use diag51007::cause::Cause;
use diag51007::product::Product;

use place::{EXPIRED, NO_IDENTITY, Place, expired_at, no_identity_at, now, rejections, until_rejections};
use process::{ask, until, value};
use recipe::expand;

#[test]
fn the_backlog_is_counted_once() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    // The last refusal of a log waits a moment for what may still be printed about it.
    until_rejections(&daemon, Some("expired"), 1);
    assert_eq!(rejections(&daemon, None), 1);
}

#[test]
fn an_appended_refusal_reaches_the_page_and_the_summary() {
    let place = Place::new();
    let daemon = place.start();
    place.append(&expired_at(now()));
    place.append(&no_identity_at(now()));
    until_rejections(&daemon, None, 2);
    let summary = daemon.get("/api/v1/summary?window=1h");
    assert_eq!(summary.status, 200, "{}", summary.body);
    let listed = daemon.get("/api/v1/rejections");
    let listed: Value = serde_json::from_str(&listed.body).expect("JSON");
    assert_eq!(count_causes(&listed), 2, "{listed}");
    assert!(summary.body.contains("\"expired\"") && summary.body.contains("\"identity_missing\""), "{}", summary.body);
}

/// How many objects with a `cause` stand anywhere in the first list of the answer.
fn count_causes(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().filter(|item| item.get("cause").is_some()).count(),
        Value::Object(members) => members.values().map(count_causes).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[test]
fn every_child_of_the_closed_labels_is_there_from_the_start() {
    let place = Place::new();
    let daemon = place.start();
    let page = daemon.get("/metrics").body;
    for cause in Cause::ALL {
        for product in Product::ALL {
            let labels = [("cause", cause.id()), ("product", product.id()), ("source", "app")];
            let labels = labels.map(|(name, value)| format!("{name}=\"{value}\""));
            assert_eq!(value(&page, "diag51007_rejections_total", &labels), Some(0.0), "{labels:?}");
        }
    }
}

#[test]
fn health_readiness_and_the_table_answer() {
    let place = Place::new();
    let daemon = place.start();
    for path in [
        "/",
        "/-/healthy",
        "/-/ready",
        "/metrics",
        "/api/v1/causes",
        "/api/v1/status/config",
        "/api/v1/status/sources",
        "/api/v1/status/buildinfo",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let causes = daemon.get("/api/v1/causes").body;
    for cause in Cause::ALL {
        assert!(causes.contains(&format!("\"{}\"", cause.id())), "{}", cause.id());
    }
    let missing = daemon.get("/no/such/page");
    assert_eq!(missing.status, 404);
    let missing: Value = serde_json::from_str(&missing.body).expect("errors are JSON");
    assert_eq!(missing["status"], "error");
}

#[test]
fn a_reload_takes_over_a_new_key_ring() {
    let place = Place::new();
    place.configure(&place.usual_config().replace("secret =", "# secret ="));
    let daemon = place.start();
    let bad = NO_IDENTITY.replace("-identity", "secret=\"rotated\"");
    place.append(&expand(&bad));
    until_rejections(&daemon, Some("none_found"), 1);
    place.configure(&place.usual_config());
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert_eq!(answer.status, 200, "{}", answer.body);
    place.append(&expand(&bad.replace("10:05", "10:06")));
    until_rejections(&daemon, Some("signature_invalid"), 1);
    assert_eq!(daemon.metric("diag51007_config_last_reload_successful"), Some(1.0));
}

#[test]
fn a_bad_config_changes_nothing_and_says_why() {
    let place = Place::new();
    let daemon = place.start();
    place.configure(&place.usual_config().replace("include", "inclde"));
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert!(answer.status >= 400, "{}", answer.head);
    let error: Value = serde_json::from_str(&answer.body).expect("errors are JSON");
    let reason = error["error"].as_str().unwrap_or_default();
    assert!(reason.contains("config.toml:") && reason.contains("inclde") && reason.contains("include"), "{reason}");
    assert_eq!(daemon.metric("diag51007_config_last_reload_successful"), Some(0.0));
    place.append(&expand(EXPIRED));
    until_rejections(&daemon, Some("expired"), 1);
}

#[test]
fn a_reload_follows_other_files_and_reads_nothing_twice() {
    let place = Place::new();
    let daemon = place.start();
    place.append(&expand(EXPIRED));
    until_rejections(&daemon, None, 1);
    let other = place.log().with_file_name("other.txt");
    fs::write(&other, expand(EXPIRED)).expect("the other log is written");
    let more =
        format!("[[source]]\nname = \"other\"\nkind = \"file\"\ninclude = [{:?}]\n", other.display().to_string());
    place.configure(&format!("{}\n{more}", place.usual_config()));
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert_eq!(answer.status, 200, "{}", answer.body);
    until_rejections(&daemon, None, 2);
    place.append(&expand(&EXPIRED.replace("10:0", "10:1")));
    until_rejections(&daemon, None, 3);
    place.configure(&format!("{}\n[[source]]\nname = \"in\"\nkind = \"stdin\"\n", place.usual_config()));
    let answer = daemon.post("/-/reload", "text/plain", b"");
    assert!(answer.body.contains("a source of another kind than `file` differs"), "{}", answer.body);
}

#[test]
fn sighup_reloads_too() {
    let place = Place::new();
    let daemon = place.start();
    place.configure("[web\n");
    daemon.signal("HUP");
    until("the failed reload", || {
        (daemon.metric("diag51007_config_last_reload_successful") == Some(0.0)).then_some(())
    });
    place.configure(&place.usual_config());
    daemon.signal("HUP");
    until("the good reload", || (daemon.metric("diag51007_config_last_reload_successful") == Some(1.0)).then_some(()));
}

#[test]
fn sigterm_and_sigint_end_it_with_0() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        place.append(&expand(EXPIRED));
        let daemon = place.start();
        let address = daemon.address.clone();
        daemon.signal(signal);
        let (code, output) = daemon.wait();
        assert_eq!(code, Some(0), "{signal}: {output}");
        assert_eq!(ask(&address, "GET", "/-/healthy", "", b"").status, 0, "nobody listens any more");
    }
}

#[test]
fn rotation_by_rename_goes_on_in_the_new_file() {
    let place = Place::new();
    let daemon = place.start();
    place.append(&expand(EXPIRED));
    until_rejections(&daemon, None, 1);
    fs::rename(place.log(), place.path("app.log.1")).expect("a rename");
    place.append(&expand(NO_IDENTITY));
    until_rejections(&daemon, None, 2);
}

#[test]
fn garbage_in_the_log_does_not_stop_it() {
    let place = Place::new();
    let daemon = place.start();
    let mut garbage: Vec<u8> =
        (0..200_000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap_or(0)).collect();
    garbage.extend_from_slice(b"\n\0\0\0 51007 \xff\xfe error code=51007\n");
    let before = fs::read(place.log()).expect("the log");
    fs::write(place.log(), [before, garbage].concat()).expect("a writable log");
    place.append(&expand(EXPIRED));
    until("the expired token", || (rejections(&daemon, Some("expired")) == 1).then_some(()));
    assert_eq!(daemon.get("/-/healthy").status, 200);
}
