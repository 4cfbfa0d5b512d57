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

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use place::{Place, expired_at, now, until_rejections};
use process::{BINARY, run, until};

/// What leaves the second screen of a terminal.
const LEAVE: &str = "\u{1b}[?1049l";

/// `top` on 24 lines of 80 columns; killed when dropped.
struct Top {
    child: Child,
    keys: ChildStdin,
    drawn: Arc<Mutex<String>>,
}

impl Top {
    fn start(address: &str) -> Self {
        let command = format!("stty rows 24 cols 80; exec '{BINARY}' top --url http://{address}");
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
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

    fn drawn(&self) -> String {
        self.drawn.lock().expect("no reader panicked").clone()
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("a terminal");
    }

    /// Waits until these words were drawn. Words that are on the screen already are not drawn again, and blanks may be
    /// jumped over.
    fn wait(&self, words: &str) {
        until(words, || words.split(' ').all(|word| self.drawn().contains(word)).then_some(()));
    }
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
    top.press("j\r");
    top.wait("expected refused,");
    top.press("\u{3}");
    let status = until("the end", || top.child.try_wait().expect("own child"));
    assert_eq!(status.code(), Some(0), "{}", top.drawn());
    until("the first screen", || top.drawn().contains(LEAVE).then_some(()));
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
    top.press("j\r");
    top.wait("\\u{1b}]0;pwned");
    let drawn = top.drawn();
    assert!(!drawn.contains("\u{1b}]0") && !drawn.contains('\u{7}') && !drawn.contains('\u{202e}'), "{drawn:?}");
}

#[test]
fn a_daemon_that_goes_away_is_said() {
    let place = Place::new();
    let daemon = place.start();
    let top = Top::start(&daemon.address);
    top.wait("Quiet");
    drop(daemon);
    top.wait("not connected");
}

#[test]
fn without_a_terminal_or_with_a_wrong_address_it_says_what_to_do() {
    let none = run(&["top"]);
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("ask /api/v1/summary instead"), "{}", none.stderr);
    let wrong = run(&["top", "--url", "https://ops.example.com"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("expected http://"), "{}", wrong.stderr);
}
