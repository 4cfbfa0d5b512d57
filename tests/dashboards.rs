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
#[path = "support/rules.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod rules;
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
use rules::hastened;
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
        let link = format!("{{{{ . | first | label \"runbooks\" }}}}{{{{ end }}}}#{}\n", alert.to_lowercase());
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

#[test]
fn durations_are_shortened_and_nothing_else() {
    let rules = "for: 1m\nexpr: x:increase5m[5m] offset 20m >= 5 * sum(y[1d])\n# within 15 minutes\ninterval: 30s";
    let fast = "for: 500ms\nexpr: x:increase5m[2500ms] offset 10000ms >= 5 * sum(y[720000ms])\n# within 15 minutes\ninterval: 250ms";
    assert_eq!(hastened(rules), fast);
}
