//! Exports of Twilio's Debugger, followed and scanned by the real binary.
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

use mint::sid;
use place::{EXPIRED, Place, rejections, until_rejections};
use process::{run, text};
use recipe::expand;

/// The rows of an export: a refusal whose message of two lines has the token, and one of another code.
fn export(first: u64) -> String {
    let (a, b) = (first, first + 1);
    let token = expand("{{token exp=\"2026-03-01T09:58:30Z\"}}");
    format!(
        "NO{a:032x},error,51007,2026-03-01T10:00:00Z,\"Token authentication, is \"\"rejected\"\"\ntoken={token}\"\n\
         NO{b:032x},error,11200,2026-03-01T10:00:01Z,HTTP retrieval failure\n"
    )
}

const HEADER: &str = "Sid,Log Level,Error Code,Date Created,Alert Text\n";

fn config(place: &Place) {
    let config = place.usual_config().replace("kind = \"file\"", "kind = \"csv\"").replace("app.log", "*.csv");
    place.configure(&config);
}

#[test]
fn each_event_counts_once_however_often_it_is_exported_and_across_a_kill() {
    let place = Place::new();
    config(&place);
    fs::write(place.path("a.csv"), format!("{HEADER}{}", export(1))).expect("a writable folder");
    let daemon = place.start();
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    daemon.signal("KILL");
    drop(daemon);
    // The next export has the first event again, and columns in another order.
    let other = export(3).replace("error,51007", "ERROR,51007");
    fs::write(place.path("b.csv"), format!("{HEADER}{}{other}", export(1))).expect("a writable folder");
    fs::write(place.path("a.csv"), format!("{HEADER}{}{}", export(1), export(5))).expect("a writable folder");
    let daemon = place.start();
    until_rejections(&daemon, None, 3);
    daemon.signal("KILL");
    drop(daemon);
    let daemon = place.start();
    assert_eq!(rejections(&daemon, None), 3);
    assert_eq!(rejections(&daemon, Some("no_token")), 0);
}

#[test]
fn scan_knows_an_export_by_its_header() {
    let place = Place::new();
    let (with, without) = (place.path("with.csv"), place.path("without.csv"));
    fs::write(&with, format!("{HEADER}{}{}", export(1), export(1))).expect("a writable folder");
    fs::write(&without, "code date message\n").expect("a writable folder");
    let output = run(&["scan", "--format", "ndjson", text(&with), text(&without)]);
    let rows: Vec<Value> = output.stdout.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    assert_eq!(rows.len(), 1, "{}{}", output.stdout, output.stderr);
    assert_eq!(rows[0]["at"], "2026-03-01T10:00:00Z");
    assert_eq!((rows[0]["line"].as_u64(), rows[0]["cause"].as_str()), (Some(2), Some("expired")));
}

#[test]
fn a_refusal_that_twilio_reports_and_the_application_logs_is_linked_and_counts_for_each() {
    let place = Place::new();
    let (head, tail) =
        place.usual_config().split_once("[[key]]").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a key");
    let exports = place.path("*.csv");
    let source = format!("[[source]]\nname = \"exports\"\nkind = \"csv\"\ninclude = [\"{}\"]\n\n", exports.display());
    place.configure(&format!("{head}{source}[[key]]{tail}"));
    place.append(&expand(EXPIRED));
    let row = |sid: u8, account: &str| format!("NO{sid:032x},error,51007,2026-03-01T10:00:02Z,refused,{account}\n");
    let (own, other) = (row(1, &sid("AC", "1")), row(2, &sid("AC", "2")));
    let header = "Sid,Log Level,Error Code,Date Created,Alert Text,Account Sid\n";
    fs::write(place.path("a.csv"), format!("{header}{other}{own}")).expect("a writable folder");
    let daemon = place.start();
    until_rejections(&daemon, None, 3);
    let answer = |path: &str| serde_json::from_str::<Value>(&daemon.get(path).body).expect("JSON");
    let incidents = answer("/api/v1/incidents");
    let incidents = incidents["incidents"].as_array().expect("a list");
    let expired = incidents.iter().find(|incident| incident["cause"] == "expired").expect("an incident");
    assert_eq!(expired["same_refusals"][0]["source"], "exports", "{expired}");
    assert_eq!(expired["same_refusals"][0]["count"], 1);
    let rejections = answer("/api/v1/rejections");
    let rejections = rejections["rejections"].as_array().expect("a list");
    let linked: Vec<&Value> = rejections.iter().filter(|found| found.get("same_as").is_some()).collect();
    assert_eq!(linked.len(), 2, "{rejections:?}");
    assert_eq!(linked[0]["same_as"], linked[1]["id"]);
    let event = linked.iter().find(|found| found["source"] == "exports").expect("the event");
    assert_eq!(event["event"]["sid"], format!("NO{:032x}", 1));
}

#[test]
fn records_that_do_not_fit_are_counted_once_across_a_kill_and_their_contents_shown_nowhere() {
    const SECRET: &str = "not-for-showing";
    let place = Place::new();
    config(&place);
    let misfits = format!("{SECRET},error\nNO{:032x},error,{SECRET},2026-03-01T10:00:05Z,x\n", 7);
    let export = format!("{HEADER}{misfits}{}", export(1));
    fs::write(place.path("a.csv"), &export).expect("a writable folder");
    let metric = "diag51007_source_errors_total{source=\"app\",kind=\"payload\"}";
    for expected in [2, 2, 4] {
        if expected == 4 {
            fs::write(place.path("a.csv"), format!("{export}{misfits}")).expect("a writable folder");
        }
        let daemon = place.start();
        process::until("the misfits", || {
            (daemon.get("/metrics").body.contains(&format!("{metric} {expected}\n"))).then_some(())
        });
        assert_eq!(rejections(&daemon, None), 1);
        if expected != 2 {
            let status = daemon.get("/api/v1/status/sources").body;
            assert!(status.contains("a.csv, line 8: a record does not fit the header"), "{status}");
            assert!(!status.contains(SECRET), "{status}");
        }
        daemon.signal("KILL");
        let (_, output) = daemon.wait();
        assert!(!output.contains(SECRET), "{output}");
    }
    for (format, expected) in [
        ("text", "4 records do not fit the header (first at line 2): judged as plain lines"),
        ("json", "\"records_unfit\":4"),
        ("prometheus", "kind=\"payload\"} 4"),
    ] {
        let output = run(&["scan", "--format", format, text(&place.path("a.csv"))]).stdout;
        let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.contains(expected) && !output.contains(SECRET), "{output}");
    }
}

#[test]
fn a_probe_tells_an_export_without_a_header() {
    let place = Place::new();
    config(&place);
    fs::write(place.path("a.csv"), format!("{HEADER}{}", export(1))).expect("a writable folder");
    let probe = || run(&["config", "check", "--probe", text(&place.config())]);
    assert_eq!(probe().code, Some(0), "{}", probe().stdout);
    fs::write(place.path("b.csv"), export(1)).expect("a writable folder");
    let output = probe();
    assert_eq!(output.code, Some(69));
    assert!(output.stdout.contains("2 files match, 1 without a header"), "{}", output.stdout);
}
