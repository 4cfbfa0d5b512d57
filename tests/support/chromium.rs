//! A real Chromium, of Debian's package, driven over the DevTools protocol.
//!
//! Over a pair of pipes, with a NUL after each message: that needs no WebSocket, no port, and nothing but a shell to
//! put the pipes where the browser expects them.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::process::{PATIENCE, text, until};

/// What keeps the browser to itself: no sandbox (which needs rights that a test has not), nothing in the background.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// Puts its standard input and output where the browser expects the pipes.
const SHELL: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";

/// A browser with one tab; killed when dropped.
pub(crate) struct Browser {
    child: Child,
    pipe: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    number: u64,
    /// Errors of the page: exceptions, and what the console logs as an error, refusals of the policy among it.
    pub(crate) errors: VecDeque<String>,
    _profile: tempfile::TempDir,
}

/// The installed browser, or the one that `tests/run` fetched.
fn command() -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file());
    let browser = installed.unwrap_or_else(|| tools().join("bin/chromium"));
    assert!(browser.is_file(), "`chromium` is missing: run tests/run, which fetches it");
    let mut command = Command::new("sh");
    command.args(["-c", SHELL]).arg(browser);
    command
}

/// Where `tests/run` puts what it fetches.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools")
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut child = command()
            .args(FLAGS)
            .args(["--hide-scrollbars", &format!("--user-data-dir={}", text(profile.path())), "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let (say, messages) = mpsc::channel();
        let out = child.stdout.take().expect("a pipe");
        thread::spawn(move || {
            for message in BufReader::new(out).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON of the browser");
                // The test may be over.
                _ = say.send(message);
            }
        });
        let pipe = child.stdin.take().expect("a pipe");
        let errors = VecDeque::new();
        let mut browser = Self { child, pipe, messages, session: None, number: 0, errors, _profile: profile };
        let targets = browser.call("Target.getTargets", &json!({}));
        let tab = targets["targetInfos"].as_array().expect("targets").iter().find(|target| target["type"] == "page");
        let tab = tab.expect("a tab")["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", &json!({"targetId": tab, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// One call, and its result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut call = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.pipe.write_all(call.to_string().as_bytes()).and_then(|()| self.pipe.write_all(b"\0")).expect("a browser");
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{method}: {error}"));
            if message["id"] == self.number {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        let is_error = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some(_) | None => false,
        };
        if is_error {
            self.errors.push_back(event["params"].to_string());
        }
    }

    /// Opens a page and waits until it is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
        self.wait("the page", "document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression on the page; promises are waited for.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", &parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait(&mut self, what: &str, expression: &str) {
        until(what, || (self.value(expression) == Value::Bool(true)).then_some(()));
    }

    /// A window of this size, in light or dark.
    pub(crate) fn resize(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Keeps a picture of the whole page in the folder that `SCREENSHOTS` names, for a person to look at.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("SCREENSHOTS") else { return };
        let picture = self.call("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let bytes = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).expect("a writable folder");
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "char", "keyUp"] {
            let text = if kind == "char" && key == "Enter" { "\r" } else { "" };
            if kind == "char" && text.is_empty() {
                continue;
            }
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
