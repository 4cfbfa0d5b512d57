//! A real Prometheus, of Debian's package, that scrapes the real daemon.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::place::Place;
use super::process::text;
use super::service::Service;

/// A running Prometheus; killed when dropped.
pub(crate) struct Prometheus(Service);

impl Prometheus {
    /// Starts it on a free port with one target, scraped twice a second, and without rules.
    pub(crate) fn start(place: &Place, target: &str) -> Self {
        Self::start_with(place, target, "500ms", None, None)
    }

    /// Starts it with a scrape interval, a rules file, and an Alertmanager to tell.
    pub(crate) fn start_with(
        place: &Place,
        target: &str,
        interval: &str,
        rules: Option<&Path>,
        alertmanager: Option<&str>,
    ) -> Self {
        let config = place.path("prometheus.yml");
        let rules = rules.map_or_else(String::new, |path| format!("rule_files: [\"{}\"]\n", text(path)));
        let told = alertmanager.map_or_else(String::new, |address| {
            format!("alerting: {{alertmanagers: [{{static_configs: [{{targets: [\"{address}\"]}}]}}]}}\n")
        });
        let scrape = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n{rules}{told}scrape_configs:\n  \
             - job_name: diag51007\n    static_configs:\n      - targets: [\"{target}\"]\n"
        );
        fs::write(&config, scrape).expect("a writable folder");
        Self(Service::prometheus(&config, &place.path("tsdb")))
    }

    /// An answer of its API.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.0.json(path)
    }

    /// What it answers to an instant query.
    pub(crate) fn raw(&self, query: &str) -> Value {
        self.get(&format!("/api/v1/query?query={}", encoded(query)))
    }

    /// The values of an instant query, or why there are none.
    pub(crate) fn values(&self, query: &str) -> Result<Vec<f64>, String> {
        let answer = self.raw(query);
        let Some(samples) = answer["data"]["result"].as_array() else { return Err(answer.to_string()) };
        Ok(samples.iter().filter_map(|sample| sample["value"][1].as_str()?.parse().ok()).collect())
    }

    /// The value of an instant query, if it has exactly one.
    pub(crate) fn query(&self, query: &str) -> Option<f64> {
        let values = self.values(query).ok()?;
        let [value] = values.as_slice() else { return None };
        Some(*value)
    }
}

fn encoded(query: &str) -> String {
    query
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
