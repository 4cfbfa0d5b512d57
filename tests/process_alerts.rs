//! A burst of expired tokens in a followed log: the daemon's own alert and Prometheus' both reach a real Alertmanager,
//! and both resolve. The daemon measures in seconds here, where it measures in minutes by default.
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
#[path = "support/service.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod service;

use std::fs;

use serde_json::Value;

use place::{Place, expired_at, now};
use process::{Daemon, text, until};
use service::Service;

const KEY: &str = "SK00000000000000000000000000000001";

fn alertmanager(place: &Place, address: &str) -> Service {
    let config = place.path("alertmanager.yml");
    fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").expect("a writable folder");
    Service::alertmanager(&config, &place.path("alertmanager"), address)
}

/// A config whose alerts are quick; Alertmanager hears of an alert once, and of its end.
fn configure(place: &Place, alertmanager: &str) {
    let alerts = format!(
        "\n[alerts]\nstep_seconds = 1\nlabels = {{ instance = \"chat-1\" }}\n\n[alertmanager]\n\
         urls = [\"http://{alertmanager}\"]\nrepeat_seconds = 3600\n\n\
         [[alert]]\nname = \"ExpirySpike\"\nkeep_seconds = 1\n"
    );
    place.configure(&(place.usual_config() + &alerts));
}

/// So many clients with tokens of their own, expired.
fn burst(place: &Place, clients: i64) {
    let now = now();
    let lines: String = (0..clients).map(|client| expired_at(now.plus_millis(-client * 1000))).collect();
    place.append(&lines);
}

fn own(daemon: &Daemon) -> Value {
    let answer: Value = serde_json::from_str(&daemon.get("/api/v1/alerts").body).expect("JSON");
    assert_eq!(answer["status"], "success");
    named(&answer["data"]["alerts"], "ExpirySpike")
}

/// The alert of this name in a list, else null.
fn named(alerts: &Value, name: &str) -> Value {
    let mut alerts = alerts.as_array().into_iter().flatten();
    alerts.find(|alert| alert["labels"]["alertname"] == name).cloned().unwrap_or_default()
}

fn is_there(alertmanager: &Service, name: &str) -> Option<Value> {
    Some(named(&alertmanager.json("/api/v2/alerts"), name)).filter(|alert| !alert.is_null())
}

fn prometheus(place: &Place, daemon: &Daemon, alertmanager: &Service) -> Service {
    let rules = place.path("rules.yml");
    let rule = "groups: [{name: test, interval: 500ms, rules: [{alert: ExpiredByRule, \
                expr: 'sum(increase(diag51007_rejections_total{cause=~\"expired|stale_reuse\"}[5s])) > 5'}]}]\n";
    fs::write(&rules, rule).expect("a writable folder");
    let config = place.path("prometheus.yml");
    let (target, manager) = (&daemon.address, &alertmanager.address);
    let scrape = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
         rule_files: [\"{}\"]\nalerting: {{alertmanagers: [{{static_configs: [{{targets: [\"{manager}\"]}}]}}]}}\n\
         scrape_configs: [{{job_name: diag51007, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
        text(&rules)
    );
    fs::write(&config, scrape).expect("a writable folder");
    Service::prometheus(&config, &place.path("tsdb"))
}

#[test]
fn a_burst_of_expired_tokens_reaches_alertmanager_by_both_ways_and_resolves() {
    let place = Place::new();
    let manager = alertmanager(&place, "127.0.0.1:0");
    configure(&place, &manager.address);
    let daemon = place.start();
    let prometheus = prometheus(&place, &daemon, &manager);
    let scraped = "/api/v1/query?query=count_over_time(diag51007_expiry_spike_score%5B1m%5D)";
    until("two scrapes", || {
        let count = prometheus.json(scraped)["data"]["result"][0]["value"][1].as_str()?.parse::<u32>().ok()?;
        (count >= 2).then_some(())
    });
    burst(&place, 60);
    let alert = until("the daemon's own alert", || Some(own(&daemon)).filter(|alert| alert["state"] == "firing"));
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["labels"]["instance"], "chat-1");
    assert!(alert["value"].as_str().is_some_and(|value| value.contains("e+")), "{alert}");
    assert_eq!(alert["annotations"]["top_key"], KEY);
    let arrived = until("the alert in Alertmanager", || is_there(&manager, "ExpirySpike"));
    for (name, expected) in [("runbook_url", "#expiryspike"), ("remedy", "token"), ("description", "refusals")] {
        let found = arrived["annotations"][name].as_str().unwrap_or_default();
        assert!(found.contains(expected), "{name}: {arrived}");
    }
    assert_eq!(arrived["annotations"]["dashboard_url"], format!("http://{}/", daemon.address));
    assert_eq!(arrived["generatorURL"], format!("http://{}/", daemon.address));
    until("Prometheus' alert in Alertmanager", || is_there(&manager, "ExpiredByRule"));
    until("the end of both", || {
        let is_over = is_there(&manager, "ExpirySpike").is_none() && is_there(&manager, "ExpiredByRule").is_none();
        is_over.then_some(())
    });
    assert!(own(&daemon).is_null());
    let summary: Value = serde_json::from_str(&daemon.get("/api/v1/summary").body).expect("JSON");
    assert_eq!(summary["open_incidents"][0]["cause"], "expired");
    let incidents: Value = serde_json::from_str(&daemon.get("/api/v1/incidents").body).expect("JSON");
    assert_eq!((&incidents["incidents"][0]["count"], &incidents["incidents"][0]["open"]), (&60.into(), &true.into()));
}

#[test]
fn an_alertmanager_that_was_down_hears_of_what_still_fires() {
    let place = Place::new();
    // A port that was free a moment ago, and at which nobody listens yet.
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("its address").to_string()
    };
    configure(&place, &address);
    let config = fs::read_to_string(place.config()).expect("the config");
    place.configure(&config.replace("keep_seconds = 1", "keep_seconds = 600"));
    let daemon = place.start();
    burst(&place, 60);
    until("the daemon's own alert", || Some(own(&daemon)).filter(|alert| alert["state"] == "firing"));
    until("a failure in the log", || daemon.output().contains("does not take alerts").then_some(()));
    let manager = alertmanager(&place, &address);
    until("the alert in Alertmanager", || is_there(&manager, "ExpirySpike"));
}
