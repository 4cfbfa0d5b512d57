//! Deliveries while the store can't be written, and while others send what they should not: nothing is lost, nothing is
//! counted twice, and `/metrics` answers.
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
#[path = "support/signed.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod signed;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use place::{Place, rejections};
use process::{BINARY, Daemon, PATIENCE, text, until};
use signed::{SHARED_KEY, TOKEN, all};

const BEARER: &str = "SyntheticBearerNotReal0000000001";
/// What the deliveries of [`all`] hold.
const SIGNED_EVENTS: u64 = 15;
/// How often each of those sends everything that nobody should send.
const ROUNDS: u64 = 5;
/// A debug build of the whole daemon, with as many connections as it has places, stays below this.
const MEMORY_BYTES_MAX: f64 = 400e6;

fn place() -> Place {
    let place = Place::new();
    let mut config = place.usual_config();
    for (name, kind, path) in
        [("debugger", "webhook", "/twilio/debugger"), ("events", "event_streams", "/twilio/events")]
    {
        _ = write!(
            config,
            "\n[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"{path}\"\n\
             public_url = \"https://ops.example.com{path}\"\nauth_token = \"{TOKEN}\"\nshared_key = \"{SHARED_KEY}\"\n"
        );
    }
    _ = write!(config, "\n[[source]]\nname = \"shipped\"\nkind = \"http\"\npath = \"/push\"\nbearer = \"{BEARER}\"\n");
    place.configure(&config);
    place
}

/// The status of the answer to a request; 0 if there was none.
fn send(address: &str, request: &[u8]) -> u16 {
    let answered = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // What is refused by its head need not be read.
        _ = stream.write_all(request);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = String::from_utf8_lossy(&answered().unwrap_or_default()).into_owned();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A request of a log shipper.
fn pushed(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /push HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {BEARER}\r\n{headers}\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn refusal(number: u64) -> Vec<u8> {
    pushed("", format!("2026-03-01T10:00:00Z error request_id=r{number} Twilio error code=51007\n").as_bytes())
}

/// Lets the files of the daemon grow no further, as a full disk does, or again.
fn limit_files(daemon: &Daemon, most: Option<u64>) {
    let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let maximum = getrlimit(Resource::Fsize).maximum;
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: most.or(maximum), maximum }).expect("own child");
}

#[test]
fn while_the_store_cannot_be_written_senders_are_told_to_come_again_and_nothing_is_lost() {
    let place = place();
    // Without the signal, a file that may not grow is an error of the write, as on a full disk.
    let start = || {
        let mut command = Command::new("sh");
        let script = "trap '' XFSZ; exec \"$0\" run --config \"$1\"";
        let daemon = Daemon::start(command.args(["-c", script, BINARY, text(&place.config())]));
        daemon.until_ready();
        daemon
    };
    let daemon = start();
    let (webhook, events) = (all().swap_remove(0), all().swap_remove(4));
    let requests = [webhook.request(&daemon.address), events.request(&daemon.address), refusal(2)];
    assert_eq!(send(&daemon.address, &refusal(1)), 204);
    limit_files(&daemon, Some(1));
    let statuses = thread::scope(|scope| {
        let sent = requests.each_ref().map(|request| {
            let sender = scope.spawn(|| send(&daemon.address, request));
            until("a failed commit", || daemon.output().contains("The state can't be written").then_some(()));
            sender
        });
        sent.map(|sender| sender.join().expect("no panic"))
    });
    assert_eq!(statuses, [503, 503, 429]);
    // What is not committed is not shown.
    assert_eq!(rejections(&daemon, None), 1);
    limit_files(&daemon, None);
    for request in &requests {
        until("an acknowledgement", || (send(&daemon.address, request) == 204).then_some(()));
    }
    assert_eq!(rejections(&daemon, None), 4);
    let page = daemon.get("/metrics").body;
    let of = |source: &str| {
        let labels = ["outcome=\"counted\"".to_owned(), format!("source=\"{source}\"")];
        process::value(&page, "diag51007_events_total", &labels)
    };
    assert_eq!((of("debugger"), of("events")), (Some(1.0), Some(1.0)));
    daemon.signal("KILL");
    drop(daemon);
    assert_eq!(rejections(&start(), None), 4);
}

/// Bodies that begin and go on slowly, for ever.
fn drip(address: &str, done: &AtomicBool) {
    let beginnings =
        ["POST /push HTTP/1.1\r\nHost: a\r\nX: ", "POST /twilio/events HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"];
    let mut open: Vec<TcpStream> = Vec::new();
    while !done.load(Ordering::Relaxed) {
        while open.len() < 100 {
            let Ok(mut stream) = TcpStream::connect(address) else { break };
            _ = stream.write_all(beginnings[open.len() % beginnings.len()].as_bytes());
            open.push(stream);
        }
        open.retain(|mut stream| stream.write_all(b"x").is_ok());
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Sends what nobody should send, and says how often that was refused as it should be.
fn bully(address: &str) -> u64 {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'a'; 64 << 20]).expect("packed");
    let bomb = pushed("Content-Encoding: gzip\r\n", &encoder.finish().expect("packed"));
    let giant = [&pushed("Transfer-Encoding: chunked\r\n", b"")[..], b"5f5e100\r\n", &vec![b'x'; 8 << 20]].concat();
    let giant = String::from_utf8(giant).expect("ASCII").replace("Content-Length: 0\r\n", "").into_bytes();
    let deep = pushed("", format!("{{\"streams\":{}", "[".repeat(1 << 20)).as_bytes());
    let unsigned = b"POST /twilio/debugger HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nSid=1";
    let mut refused = 0;
    for _ in 0..ROUNDS {
        for (request, expected) in [(&bomb[..], 413), (&giant, 413), (&deep, 400), (unsigned, 403)] {
            let status = send(address, request);
            // A reset may overtake the answer, and another connection may have been given the place.
            assert!([expected, 0, 429, 503].contains(&status), "{status} for {expected}");
            refused += u64::from(status == expected);
        }
    }
    refused
}

#[test]
fn deliveries_get_through_while_others_do_their_worst() {
    let place = place();
    let daemon = place.start();
    let (address, done, sent) = (daemon.address.as_str(), AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let bullies = [0, 1].map(|_| scope.spawn(|| bully(address)));
        for _ in 0..2 {
            scope.spawn(|| drip(address, &done));
        }
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(send(address, &refusal(sent.fetch_add(1, Ordering::Relaxed))), 204);
                }
                for delivery in all() {
                    until("an acknowledgement", || (send(address, &delivery.request(address)) == 204).then_some(()));
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(daemon.get("/metrics").status, 200);
                assert_eq!(daemon.get("/-/healthy").status, 200);
            }
        });
        let refused = bullies.map(|bully| bully.join().unwrap_or_default());
        done.store(true, Ordering::Relaxed);
        // A giant may be cut off before it has read why.
        assert!(refused.iter().all(|refused| *refused >= 3 * ROUNDS), "{refused:?} were refused");
    });
    assert_eq!(rejections(&daemon, None), sent.load(Ordering::Relaxed) + SIGNED_EVENTS);
    let memory = daemon.metric("process_resident_memory_bytes").expect("a metric of the process");
    assert!(memory < MEMORY_BYTES_MAX, "{memory}");
}
