//! A real Prometheus, of Debian's package, scrapes the real daemon.
//!
//! `tests/run` unpacks the package into `target/tools` where it is not installed.
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
#[path = "support/prometheus.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod prometheus;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;
#[path = "support/service.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod service;

use std::io::Write as _;
use std::process::{Command, Stdio};

use place::{EXPIRED, Place, until_rejections};
use process::until;
use prometheus::Prometheus;
use recipe::expand;
use service::program;

#[test]
fn increase_sees_the_very_first_refusal_of_a_cause() {
    let place = Place::new();
    let daemon = place.start();
    let prometheus = Prometheus::start(&place, &daemon.address);
    let series = "diag51007_rejections_total{cause=\"expired\"}";
    until("a scrape before the refusal", || {
        prometheus.query(&format!("sum(count_over_time({series}[5m])) > 0")).map(drop)
    });
    assert_eq!(prometheus.query(&format!("sum({series})")), Some(0.0));
    place.append(&expand(EXPIRED));
    until_rejections(&daemon, Some("expired"), 1);
    until("the increase", || prometheus.query(&format!("sum(increase({series}[5m])) > 0")).map(drop));
    until("the total", || (prometheus.query(&format!("sum({series})")) == Some(1.0)).then_some(()));
    assert_eq!(prometheus.query("up{job=\"diag51007\"}"), Some(1.0));
}

#[test]
fn promtool_finds_nothing_wrong_with_the_page() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let page = daemon.get("/metrics").body;
    assert!(page.contains("diag51007_rejections_total"), "{page}");
    let mut child = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads it all");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
