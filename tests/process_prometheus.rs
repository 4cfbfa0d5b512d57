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
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use serde_json::Value;

use place::{EXPIRED, Place, until_rejections};
use process::{PATIENCE, ask, text, until};
use recipe::expand;

/// A program from PATH, or as `tests/run` unpacked it.
fn program(name: &str) -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/unpacked/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([unpacked])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: run tests/run, which fetches it"))
}

/// A running Prometheus; killed when dropped.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// Starts it on a free port with one target, scraped twice a second.
    fn start(place: &Place, target: &str) -> Self {
        let config = place.path("prometheus.yml");
        let scrape = format!(
            "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\nscrape_configs:\n  - job_name: diag51007\n    \
             static_configs:\n      - targets: [\"{target}\"]\n"
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

    /// The value of an instant query, if it has exactly one.
    fn query(&self, query: &str) -> Option<f64> {
        let answer = ask(&self.address, "GET", &format!("/api/v1/query?query={}", encoded(query)), "", b"");
        let answer: Value = serde_json::from_str(&answer.body).ok()?;
        let [sample] = answer["data"]["result"].as_array()?.as_slice() else { return None };
        sample["value"][1].as_str()?.parse().ok()
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
