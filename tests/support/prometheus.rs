//! A real Prometheus, of Debian's package, that scrapes the real daemon.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use super::place::Place;
use super::process::{PATIENCE, ask, text};

/// A program from PATH, or as `tests/run` fetched it.
pub(crate) fn program(name: &str) -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([fetched])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: run tests/run, which fetches it"))
}

/// A running Prometheus; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) address: String,
}

impl Prometheus {
    /// Starts it on a free port with one target, scraped twice a second, and without rules.
    pub(crate) fn start(place: &Place, target: &str) -> Self {
        Self::start_with(place, target, "500ms", None)
    }

    /// Starts it with a scrape interval and a rules file.
    pub(crate) fn start_with(place: &Place, target: &str, interval: &str, rules: Option<&Path>) -> Self {
        let config = place.path("prometheus.yml");
        let rules = rules.map_or_else(String::new, |path| format!("rule_files: [\"{}\"]\n", text(path)));
        let scrape = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n{rules}scrape_configs:\n  \
             - job_name: diag51007\n    static_configs:\n      - targets: [\"{target}\"]\n"
        );
        fs::write(&config, scrape).expect("a writable folder");
        let mut child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", text(&config)))
            .arg(format!("--storage.tsdb.path={}", text(&place.path("tsdb"))))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus starts");
        let (say, hear) = mpsc::channel();
        let pipe = child.stderr.take().expect("a pipe");
        // Reads to the end, so that Prometheus never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listens any more once the address is known.
                _ = say.send(line);
            }
        });
        let mut prometheus = Self { child, address: String::new() };
        let mut said = String::new();
        while prometheus.address.is_empty() {
            let line = hear.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no address ({error}):\n{said}"));
            prometheus.address = listening(&line).unwrap_or_default();
            said.push_str(&line);
            said.push('\n');
        }
        prometheus
    }

    /// An answer of its API.
    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&ask(&self.address, "GET", path, "", b"").body).unwrap_or_default()
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

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The address in `… msg="Listening on" address=127.0.0.1:PORT`.
fn listening(line: &str) -> Option<String> {
    let (_, behind) = line.split_once("msg=\"Listening on\"")?;
    let (_, address) = behind.split_once("address=")?;
    Some(address.split_whitespace().next()?.trim_matches('"').to_owned())
}

fn encoded(query: &str) -> String {
    query
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
