//! `top` on a terminal of its own, which `script` (of every Linux) gives it, against the real daemon.
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

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use place::{Place, burst, expired_at, now, until_rejections};
use process::{BINARY, run, until};

/// What leaves the second screen of a terminal.
const LEAVE: &str = "\u{1b}[?1049l";

/// The size of the terminal.
const ROWS: usize = 24;
const COLUMNS: usize = 80;

/// `top` on a terminal; killed when dropped.
struct Top {
    child: Child,
    keys: ChildStdin,
    drawn: Arc<Mutex<String>>,
}

impl Top {
    fn start(address: &str) -> Self {
        Self::start_in(&std::env::temp_dir(), &format!("--url http://{address}"))
    }

    fn start_in(temporary: &Path, arguments: &str) -> Self {
        let command = format!("stty rows {ROWS} cols {COLUMNS}; exec '{BINARY}' top {arguments}");
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .env("TMPDIR", temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`script` is part of every Linux");
        let drawn: Arc<Mutex<String>> = Arc::default();
        let (mut pipe, into) = (child.stdout.take().expect("a pipe"), Arc::clone(&drawn));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                into.lock().expect("no reader panicked").push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let keys = child.stdin.take().expect("a pipe");
        Self { child, keys, drawn }
    }

    /// The process that draws: `script` runs a shell, which becomes it.
    fn process(&self) -> u32 {
        let script = self.child.id();
        let children = fs::read_to_string(format!("/proc/{script}/task/{script}/children")).expect("a child's list");
        children.split_whitespace().next().expect("a child").parse().expect("a number")
    }

    fn drawn(&self) -> String {
        self.drawn.lock().expect("no reader panicked").clone()
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("a terminal");
    }

    /// Waits until all these words are on the screen.
    fn wait(&self, words: &str) {
        let is_there = || {
            let screen = screen(&self.drawn());
            words.split(' ').all(|word| screen.contains(word)).then_some(())
        };
        until(words, is_there);
    }
}

/// How many sockets of a process others can connect to.
fn open_doors(process: u32) -> usize {
    let links = fs::read_dir(format!("/proc/{process}/fd")).expect("own process").flatten();
    let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
    let own: HashSet<String> =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    // Column of the state, its value for a listener, column of the inode.
    let tables = [("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)];
    let listening = tables.map(|(table, state, listens, inode)| {
        let sockets = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        let columns = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        columns.filter(|c| c.get(state) == Some(&listens) && c.get(inode).is_some_and(|n| own.contains(*n))).count()
    });
    listening.iter().sum()
}

/// What is on the screen after all that was drawn. Only cells that change are drawn, so a word may come in pieces.
fn screen(drawn: &str) -> String {
    let mut cells = vec![[' '; COLUMNS]; ROWS];
    let (mut row, mut column) = (0, 0);
    let mut rest = drawn.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            if let Some(cell) = cells.get_mut(row).and_then(|cells| cells.get_mut(column)) {
                *cell = c;
            }
            column += 1;
        } else if rest.next() == Some('[') {
            let mut numbers = String::new();
            let end = rest.by_ref().find(|c| {
                numbers.push(*c);
                c.is_ascii_alphabetic()
            });
            if end == Some('H') {
                let place = numbers.trim_end_matches('H').split_once(';').unwrap_or(("1", "1"));
                let at = |number: &str| number.parse::<usize>().map_or(0, |number| number.saturating_sub(1));
                (row, column) = (at(place.0), at(place.1));
            }
        }
    }
    cells.into_iter().map(|line| line.into_iter().collect::<String>() + "\n").collect()
}

impl Drop for Top {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[test]
fn a_refusal_is_drawn_opened_and_the_terminal_given_back() {
    let place = Place::new();
    let daemon = place.start();
    let mut top = Top::start(&daemon.address);
    top.wait("Quiet");
    place.append(&expired_at(now()));
    top.wait("Access Token expired");
    top.wait("Incidents 1 refusal since");
    top.press("j\r");
    top.wait("expected refused,");
    top.press("\u{3}");
    let status = until("the end", || top.child.try_wait().expect("own child"));
    assert_eq!(status.code(), Some(0), "{}", top.drawn());
    until("the first screen", || top.drawn().contains(LEAVE).then_some(()));
}

#[test]
fn files_are_followed_without_a_daemon_and_nothing_is_kept() {
    let place = Place::new();
    place.append(&expired_at(now()));
    let temporary = place.path("tmp");
    fs::create_dir(&temporary).expect("a writable folder");
    let mut top = Top::start_in(&temporary, &format!("'{}'", place.log().display()));
    top.wait("Access Token expired 1 refusal since app.log");
    place.append(&expired_at(now().plus_millis(-7000)));
    top.wait("2 refusals since");
    assert_eq!(open_doors(top.process()), 0, "what it knows of the logs is nobody else's");
    let modes: Vec<u32> = fs::read_dir(&temporary)
        .expect("a folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("its mode").permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o700]);
    top.press("q");
    let status = until("the end", || top.child.try_wait().expect("own child"));
    assert_eq!(status.code(), Some(0), "{}", top.drawn());
    assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0);
}

#[test]
fn hostile_log_content_does_nothing_to_the_terminal() {
    let place = Place::new();
    place.configure(&place.usual_config().replace("/app.log", "/*.log"));
    let name = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{202e}.log";
    fs::write(place.path(name), expired_at(now())).expect("a writable folder");
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let mut top = Top::start(&daemon.address);
    top.wait("expired");
    top.wait("Incidents since");
    top.press("j\r");
    top.wait("\\u{1b}]0;pwned");
    let drawn = top.drawn();
    assert!(!drawn.contains("\u{1b}]0") && !drawn.contains('\u{7}') && !drawn.contains('\u{202e}'), "{drawn:?}");
}

#[test]
fn an_open_incident_says_what_happened_and_what_to_do() {
    let place = Place::new();
    place.append(&burst(12, 12));
    let daemon = place.start();
    until_rejections(&daemon, None, 12);
    let answer = daemon.get("/api/v1/incidents");
    let incidents: Value = serde_json::from_str(&answer.body).expect("JSON");
    let incident = &incidents["incidents"][0];
    let said = |name: &str| incident[name].as_str().expect("text").replace('`', "");
    let top = Top::start(&daemon.address);
    top.wait("12 refusals since incident open");
    top.wait(&said("what_happened"));
    top.wait(&said("remedy"));
}

#[test]
fn a_daemon_that_goes_away_is_said() {
    let place = Place::new();
    let daemon = place.start();
    let top = Top::start(&daemon.address);
    top.wait("Quiet");
    assert_eq!(open_doors(daemon.id()), 1);
    drop(daemon);
    top.wait("not connected");
}

#[test]
fn without_a_terminal_or_with_a_wrong_address_it_says_what_to_do() {
    let none = run(&["top"]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("ask /api/v1/summary instead"), "{}", none.stderr);
    let files = run(&["top", "app.log"]);
    assert!(files.stderr.contains("take `diag51007 scan` instead"), "{}", files.stderr);
    let both = run(&["top", "--url", "http://127.0.0.1:1", "app.log"]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
    let wrong = run(&["top", "--url", "https://ops.example.com"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("expected http://"), "{}", wrong.stderr);
}
