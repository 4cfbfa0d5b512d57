//! Ten thousand connections, slow ones and strangers at the listener: bounded, refused, and `/metrics` stays reachable.
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

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

use place::{EXPIRED, Place, rejections};
use process::{Daemon, value};
use recipe::expand;

const CONNECTIONS: usize = 10_000;
/// More than the server has places, and room for the rest of the process.
const FILES_MAX: f64 = 400.0;
/// A listener costs memory for each place; a debug build of the whole daemon stays below this.
const MEMORY_BYTES_MAX: f64 = 300e6;

/// Raises the limit of open files; gives how many connections may be open here.
fn raise_limit() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
    let most = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    CONNECTIONS.min(most.saturating_sub(500))
}

fn start() -> (Place, Daemon) {
    let place = Place::new();
    let mut config = place.usual_config();
    _ = write!(
        config,
        "\n[[source]]\nname = \"shipped\"\nkind = \"http\"\npath = \"/push\"\nuser = \"a\"\npassword = \"synthetic\"\n\
         \n[[source]]\nname = \"debugger\"\nkind = \"webhook\"\npath = \"/twilio\"\n\
         public_url = \"https://ops.example.com/twilio\"\n"
    );
    place.configure(&config);
    let daemon = place.start();
    (place, daemon)
}

/// Sends lines with the password; gives the status.
fn push(daemon: &Daemon, body: &str) -> String {
    let mut stream = TcpStream::connect(&daemon.address).expect("connected");
    stream.set_read_timeout(Some(process::PATIENCE)).expect("a timeout");
    let length = body.len();
    let head = "POST /push HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic YTpzeW50aGV0aWM=\r\n";
    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn ten_thousand_connections_that_say_little_keep_nobody_out() {
    let count = raise_limit();
    let (_place, daemon) = start();
    // Some say nothing, some begin a head, some a body, and none goes on.
    let beginnings =
        ["", "GET /metrics HTTP/1.1\r\nHost: a\r\n", "POST /twilio HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"];
    let mut open = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = TcpStream::connect(&daemon.address).expect("connected");
        // Whoever has lost its place already is closed.
        _ = stream.write_all(beginnings[number % beginnings.len()].as_bytes());
        open.push(stream);
        if number % 1000 == 999 {
            let answer = daemon.get("/metrics");
            assert_eq!(answer.status, 200, "after {number} connections");
            let metric = |name: &str| value(&answer.body, name, &[]).expect("a metric of the process");
            assert!(metric("process_open_fds") < FILES_MAX, "{}", metric("process_open_fds"));
            assert!(metric("process_resident_memory_bytes") < MEMORY_BYTES_MAX);
        }
    }
    // Deliveries get through.
    assert_eq!(push(&daemon, &expand(EXPIRED)), "204");
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    // Those that lost their place were told so: with an answer, or by the end of the connection.
    let mut block = [0; 64];
    let ended = open.iter().take(count / 2).filter(|stream| {
        let mut stream: &TcpStream = stream;
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        match stream.read(&mut block) {
            Ok(length) => length == 0 || block.starts_with(b"HTTP/1.1 4"),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    });
    assert_eq!(ended.count(), count / 2);
}

#[test]
fn strangers_are_refused_and_counted_and_no_reason_for_an_alert() {
    let (_place, daemon) = start();
    for _ in 0..200 {
        assert_eq!(daemon.post("/twilio", "application/x-www-form-urlencoded", b"Sid=NO1&Payload=%7B%7D").status, 403);
    }
    let label = ["kind=\"signature\"".to_owned(), "source=\"debugger\"".to_owned()];
    let counted = || value(&daemon.get("/metrics").body, "diag51007_source_errors_total", &label);
    process::until("the refusals", || (counted()? >= 200.0).then_some(()));
    let page = daemon.get("/metrics").body;
    let state = value(&page, "diag51007_alert_state", &["alert=\"SourceFailing\"".to_owned()]);
    assert_eq!(state.map(|state| state.to_string()), Some("0".to_owned()), "{page}");
}
