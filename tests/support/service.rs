//! Other programs of the Prometheus family, run for one test.
//!
//! `tests/run` unpacks Debian's packages into `target/tools` where they are not installed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::process::{PATIENCE, ask, text};

/// Where `tests/run` puts what it fetches.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools")
}

/// A program from PATH, or as `tests/run` fetched it.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([tools().join("bin")])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is missing: run tests/run, which fetches it"))
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

impl Service {
    /// Starts Alertmanager.
    pub(crate) fn alertmanager(config: &Path, storage: &Path, address: &str) -> Self {
        let mut command = Command::new(program("prometheus-alertmanager"));
        // An unpacked one looks for its templates in the current folder.
        let templates = tools().join("unpacked/usr/share/prometheus/alertmanager");
        if templates.is_dir() {
            command.current_dir(templates);
        }
        command
            .arg(format!("--config.file={}", text(config)))
            .arg(format!("--storage.path={}", text(storage)))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=");
        Self::start(command)
    }

    /// Starts Prometheus.
    pub(crate) fn prometheus(config: &Path, storage: &Path) -> Self {
        let mut command = Command::new(program("prometheus"));
        command
            .arg(format!("--config.file={}", text(config)))
            .arg(format!("--storage.tsdb.path={}", text(storage)))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"]);
        Self::start(command)
    }

    /// Starts it and waits until it says where it listens.
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (say, hear) = mpsc::channel();
        let pipe = child.stderr.take().expect("a pipe");
        // Reads to the end, so that the program never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listens any more once the address is known.
                _ = say.send(line);
            }
        });
        let mut service = Self { child, address: String::new() };
        let mut said = String::new();
        while service.address.is_empty() {
            let line = hear.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no address ({error}):\n{said}"));
            service.address = listening(&line).unwrap_or_default();
            said.push_str(&line);
            said.push('\n');
        }
        service
    }

    /// The JSON at a path; null while there is none.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&ask(&self.address, "GET", path, "", b"").body).unwrap_or_default()
    }
}

impl Drop for Service {
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
