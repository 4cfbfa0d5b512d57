//! What stands in `dashboards/`, as those meet it who use it: linted, tested by promtool, and run by a real Prometheus
//! that scrapes the real daemon.
#![cfg(test)]

#[path = "dashboards/lint.rs"]
mod lint;
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

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use place::{EXPIRED, NO_IDENTITY, Place, expired_at, no_identity_at, now, until_rejections};
use process::until;
use prometheus::Prometheus;
use recipe::expand;
use service::program;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("diag51007.json")).expect("JSON")
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    let output =
        Command::new(program("promtool")).current_dir(folder()).args(arguments).output().expect("promtool runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
}

#[test]
fn the_rules_do_what_their_tests_say() {
    promtool(&["test", "rules", "diag51007.rules.test.yml"]);
}

#[test]
fn the_example_config_and_its_rules_are_sound() {
    promtool(&["check", "config", "prometheus.yml"]);
}

#[test]
fn the_rules_are_sound_for_vmalert_too() {
    let rules = format!("-rule={}", folder().join("diag51007.rules.yml").display());
    let output = Command::new(program("vmalert")).args(["-dryRun", &rules]).output().expect("vmalert runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_dashboard_satisfies_the_linter() {
    let complaints = lint::check(&dashboard());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn the_linter_complains() {
    let mut bad = dashboard();
    bad["editable"] = true.into();
    bad["templating"]["list"][1]["allValue"] = ".*".into();
    bad["panels"][1]["description"] = "".into();
    bad["panels"][1]["targets"][0]["expr"] = "sum(diag51007_rejections_total{job=\"x\"})".into();
    let complaints = lint::check(&bad).join("\n");
    for expected in
        ["`editable`", "`allValue`", "a description", "a matcher job", "a matcher instance", "rate or increase"]
    {
        assert!(complaints.contains(expected), "no `{expected}` in\n{complaints}");
    }
}

#[test]
fn every_alert_has_its_runbook() {
    let runbooks = read("runbooks.md");
    let rules = read("diag51007.rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in &alerts {
        assert!(runbooks.contains(&format!("\n## {alert}\n")), "no runbook of {alert}");
        let link = format!("runbook_url: runbooks.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not link its runbook");
    }
    for (name, chapter) in runbooks.split("\n## ").skip(1).filter_map(|chapter| chapter.split_once('\n')) {
        assert!(alerts.contains(&name), "no rule raises {name}");
        for part in ["**Meaning**", "**Impact**", "**Check**", "**Do**"] {
            assert!(chapter.contains(part), "{name}: no {part}");
        }
    }
}

#[test]
fn every_threshold_is_documented() {
    let (rules, runbooks) = (read("diag51007.rules.yml"), read("runbooks.md"));
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- record: diag51007:threshold:"));
    for name in names {
        assert!(runbooks.contains(&format!("| `{name}` |")), "`{name}` is not in the table of runbooks.md");
    }
}

/// Queries whose answer is 0, or nothing, as long as all is well.
const CALM: [&str; 6] = ["Sources down", "Lag", "Unread", "Errors and losses", "Files and rotations", "CPU"];

#[test]
fn every_query_of_the_dashboard_gives_data() {
    let place = Place::new();
    let daemon = place.start();
    let prometheus = Prometheus::start(&place, &daemon.address);
    until("a scrape before the refusals", || prometheus.query("up{job=\"diag51007\"} == 1"));
    let ahead = "2026-03-01T10:00:00Z error Twilio error code=51007 \"Token authentication is rejected\" \
                 token={{token nbf=\"2026-03-01T10:01:30Z\"}}\n";
    place.append(
        &(expand(EXPIRED) + &expand(NO_IDENTITY) + &expand(ahead) + &no_identity_at(now()) + &expired_at(now())),
    );
    until_rejections(&daemon, None, 5);
    let dashboard = dashboard();
    for panel in lint::panels(&dashboard) {
        let title = panel["title"].as_str().expect("a title");
        for query in lint::queries(panel) {
            let filled = query
                .replace("$__rate_interval", "30s")
                .replace("$__range", "1m")
                .replace("$job", "diag51007")
                .replace("$instance", ".+")
                .replace("$source", ".+");
            let wanted = |values: &Vec<f64>| {
                let is_calm = CALM.contains(&title) && !values.is_empty();
                is_calm || values.iter().any(|value| value.is_finite() && *value > 0.0)
            };
            until(&format!("data in panel `{title}`: {filled}"), || match prometheus.values(&filled) {
                Ok(values) => Some(values).filter(wanted),
                Err(error) => panic!("panel `{title}`: {filled}: {error}"),
            });
        }
    }
}

/// So many times faster than life: half an hour of warm-up is a quarter of a minute.
const FASTER: u64 = 120;

/// A rules file with every duration that much shorter.
fn hastened(rules: &str) -> String {
    let mut out = String::new();
    let mut rest = rules;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, behind) = rest.split_at(at);
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let (digits, after) = behind.split_at(end);
        let mut next = after.chars();
        let seconds = match next.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some(_) | None => 0,
        };
        let is_alone = !next.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let starts = before.ends_with(['[', ' ']);
        out.push_str(before);
        if seconds > 0 && is_alone && starts {
            let millis = digits.parse::<u64>().expect("a number") * seconds * 1000 / FASTER;
            out.extend([millis.to_string().as_str(), "ms"]);
            rest = after.split_at(1).1;
        } else {
            out.push_str(digits);
            rest = after;
        }
    }
    out + rest
}

#[test]
fn durations_are_shortened_and_nothing_else() {
    let rules = "for: 1m\nexpr: x:increase5m[5m] offset 20m >= 5 * sum(y[1d])\n# within 15 minutes\ninterval: 30s";
    let fast = "for: 500ms\nexpr: x:increase5m[2500ms] offset 10000ms >= 5 * sum(y[720000ms])\n# within 15 minutes\ninterval: 250ms";
    assert_eq!(hastened(rules), fast);
}

#[test]
fn a_burst_in_a_log_fires_the_alert_of_the_rules_and_is_over_when_it_is_over() {
    let place = Place::new();
    let daemon = place.start();
    let rules = place.path("fast.rules.yml");
    fs::write(&rules, hastened(&read("diag51007.rules.yml"))).expect("a writable folder");
    let prometheus = Prometheus::start_with(&place, &daemon.address, "250ms", Some(&rules));
    until("the end of the warm-up", || prometheus.query("diag51007:kind:mean5m{kind=\"expiry\"}"));
    // Prometheus takes five seconds of real time to look for its targets, which is too long for a hastened rule.
    let fired = prometheus.raw("count_over_time(ALERTS{alertstate=\"firing\", alertname!=\"DaemonMissing\"}[1h])");
    assert_eq!(fired["data"]["result"], Value::Array(Vec::new()), "nothing fires on a quiet log");
    place.append(&(0..30).map(|_| expired_at(now())).collect::<String>());
    let alert = until("the alert", || {
        let answer = prometheus.get("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        alerts.into_iter().find(|one| one["labels"]["alertname"] == "ExpirySpike" && one["state"] == "firing")
    });
    let said = alert["annotations"]["description"].as_str().expect("a description");
    assert!(said.contains("from source app, product"), "{said}");
    assert!(alert["annotations"]["runbook_url"].as_str().is_some_and(|url| url.ends_with("#expiryspike")), "{alert}");
    until("its end", || {
        let answer = prometheus.get("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array()?;
        alerts.iter().all(|one| one["labels"]["alertname"] != "ExpirySpike").then_some(())
    });
    for group in prometheus.get("/api/v1/rules")["data"]["groups"].as_array().expect("groups") {
        for rule in group["rules"].as_array().expect("rules") {
            assert_eq!((&rule["health"], &rule["lastError"]), (&"ok".into(), &Value::Null), "{rule}");
        }
    }
    let recorded: Vec<String> = read("diag51007.rules.yml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: ").map(str::to_owned))
        .collect();
    for name in recorded {
        let values = prometheus.values(&format!("count_over_time({name}[1h])"));
        assert!(values.is_ok_and(|values| !values.is_empty()), "{name} has no data");
    }
}
