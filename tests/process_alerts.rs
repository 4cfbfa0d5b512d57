//! A burst of expired tokens in a followed log: the daemon's own alert and that of the shipped rules in a real Prometheus
//! both reach a real Alertmanager, say the same, and both resolve.
//!
//! Life is too slow for a test: the daemon measures in seconds here, where it measures in minutes by default, and the
//! durations of the shipped rules are [`rules::FASTER`] times shorter. Nothing else of them is changed.
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
#[path = "support/rules.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod rules;
#[path = "support/service.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod service;

use std::fs;

use serde_json::Value;

use place::{Place, expired_at, now};
use process::{Daemon, until};
use prometheus::Prometheus;
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
    // The SDK's prefix says which product refused.
    let lines = lines.replace("Twilio error", "Conversations Client E: Twilio error");
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

/// The `ExpirySpike` that carries this label, if Alertmanager has it: the daemon's own has `instance`, that of the rules
/// has `job`.
fn arrived(alertmanager: &Service, label: &str) -> Option<Value> {
    let alerts = alertmanager.json("/api/v2/alerts");
    let is_it = |alert: &&Value| alert["labels"]["alertname"] == "ExpirySpike" && alert["labels"].get(label).is_some();
    alerts.as_array()?.iter().find(is_it).cloned()
}

/// A text of an alert.
#[track_caller]
fn told<'a>(alert: &'a Value, annotation: &str) -> &'a str {
    alert["annotations"][annotation].as_str().unwrap_or_else(|| panic!("no {annotation}: {alert}"))
}

/// The number that a text begins with.
#[track_caller]
fn leading(text: &str) -> u32 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the same annotations of both alerts say.
fn compare(own: &Value, by_rule: &Value, daemon: &Daemon) {
    let names = |alert: &Value, part: &str| -> Vec<String> {
        alert[part].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(own["labels"]["severity"], "critical");
    assert_eq!(by_rule["labels"]["severity"], own["labels"]["severity"]);
    assert_eq!(names(own, "labels"), ["alertname", "instance", "severity"]);
    assert_eq!(names(by_rule, "labels"), ["alertname", "job", "kind", "severity"]);
    // No metric has the key as a label, so that only the daemon can name it.
    let mut common = names(own, "annotations");
    common.retain(|name| name != "top_key");
    assert_eq!(common, names(by_rule, "annotations"));
    assert_eq!(told(own, "top_key"), KEY);
    for (name, expected) in [
        ("runbook_url", format!("http://{}/runbooks#expiryspike", daemon.address)),
        ("dashboard_url", format!("http://{}/", daemon.address)),
        ("top_product", "chat".to_owned()),
        ("top_source", "app".to_owned()),
    ] {
        assert_eq!((told(own, name), told(by_rule, name)), (expected.as_str(), expected.as_str()), "{name}");
    }
    let summary = "Expired tokens are refused far more often than usual";
    assert_eq!((told(own, "summary"), told(by_rule, "summary")), (summary, format!("{summary} (diag51007)").as_str()));
    for alert in [own, by_rule] {
        assert!(told(alert, "remedy").contains("new token"), "{alert}");
        let description = told(alert, "description");
        // The first look may come when only a part of the burst has been read; Prometheus extrapolates.
        assert!((6..=100).contains(&leading(description)), "{description}");
        assert!(description.contains(" refusals in ") && !description.contains(['<', '{', '%']), "{description}");
    }
    assert!(told(by_rule, "description").contains("Most of all expired from source app, product chat."), "{by_rule}");
    assert!(told(own, "description").contains("different tokens"), "{own}");
}

/// Nothing of the shipped rules fails, and every recording rule has recorded.
fn check_rules(prometheus: &Prometheus) {
    for group in prometheus.get("/api/v1/rules")["data"]["groups"].as_array().expect("groups") {
        for rule in group["rules"].as_array().expect("rules") {
            assert_eq!((&rule["health"], &rule["lastError"]), (&"ok".into(), &Value::Null), "{rule}");
        }
    }
    let rules = rules::shipped();
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- record: ")) {
        let values = prometheus.values(&format!("count_over_time({name}[1h])"));
        assert!(values.is_ok_and(|values| !values.is_empty()), "{name} has no data");
    }
}

#[test]
fn a_burst_of_expired_tokens_reaches_alertmanager_by_both_ways_and_resolves() {
    let place = Place::new();
    let manager = alertmanager(&place, "127.0.0.1:0");
    configure(&place, &manager.address);
    let daemon = place.start();
    let file = place.path("fast.rules.yml");
    fs::write(&file, rules::hastened(&rules::shipped())).expect("a writable folder");
    let prometheus = Prometheus::start_with(&place, &daemon.address, "250ms", Some(&file), Some(&manager.address));
    until("the end of the warm-up", || prometheus.query("diag51007:kind:mean5m{kind=\"expiry\"}"));
    // Prometheus takes five seconds of real time to look for its targets, which is too long for a hastened rule.
    let fired = prometheus.raw("count_over_time(ALERTS{alertstate=\"firing\", alertname!=\"DaemonMissing\"}[1h])");
    assert_eq!(fired["data"]["result"], Value::Array(Vec::new()), "nothing fires on a quiet log");
    burst(&place, 60);
    let (mut by_daemon, mut by_rule) = (None, None);
    until("both alerts in Alertmanager", || {
        by_daemon = by_daemon.take().or_else(|| arrived(&manager, "instance"));
        by_rule = by_rule.take().or_else(|| arrived(&manager, "job"));
        (by_daemon.is_some() && by_rule.is_some()).then_some(())
    });
    let (by_daemon, by_rule) = (by_daemon.expect("the daemon's"), by_rule.expect("that of the rules"));
    compare(&by_daemon, &by_rule, &daemon);
    assert_eq!(by_daemon["generatorURL"], format!("http://{}/", daemon.address));
    until("the end of both", || {
        let is_over = arrived(&manager, "instance").is_none() && arrived(&manager, "job").is_none();
        is_over.then_some(())
    });
    assert!(own(&daemon).is_null());
    check_rules(&prometheus);
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
    let alert = until("the daemon's own alert", || Some(own(&daemon)).filter(|alert| alert["state"] == "firing"));
    assert!(alert["value"].as_str().is_some_and(|value| value.contains("e+")), "{alert}");
    until("a failure in the log", || daemon.output().contains("does not take alerts").then_some(()));
    let manager = alertmanager(&place, &address);
    until("the alert in Alertmanager", || arrived(&manager, "instance"));
}
