//! Lines that a log shipper sends to the real binary, and senders that mean no good.
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
use std::io::{Read, Write};
use std::net::TcpStream;

use place::{EXPIRED, NO_IDENTITY, Place, rejections};
use process::{Daemon, PATIENCE, until};
use recipe::expand;

const BEARER: &str = "SyntheticBearerNotReal0000000001";

fn start() -> (Place, Daemon) {
    let place = Place::new();
    let mut config = place.usual_config();
    _ = write!(config, "\n[[source]]\nname = \"shipped\"\nkind = \"http\"\npath = \"/push\"\nbearer = \"{BEARER}\"\n");
    _ = write!(
        config,
        "\n[[source]]\nname = \"events\"\nkind = \"event_streams\"\npath = \"/twilio/events\"\n\
         public_url = \"https://ops.example.com/twilio/events\"\n"
    );
    place.configure(&config);
    let daemon = place.start();
    (place, daemon)
}

/// The whole answer to a request with these headers and this body.
fn send(daemon: &Daemon, path: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&daemon.address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    // What is refused by its head need not be read.
    _ = stream.write_all(body);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn check(daemon: &Daemon, headers: &str, body: &[u8], status: &str) {
    let headers = format!("Authorization: Bearer {BEARER}\r\n{headers}");
    let answer = send(daemon, "/push", &headers, body);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn lines_are_counted_before_they_are_acknowledged() {
    let (_place, daemon) = start();
    check(&daemon, "Content-Type: text/plain\r\n", expand(EXPIRED).as_bytes(), "204");
    assert_eq!(rejections(&daemon, Some("expired")), 1);
    check(&daemon, "Content-Encoding: gzip\r\n", &gzip(expand(NO_IDENTITY).as_bytes()), "204");
    assert_eq!(rejections(&daemon, Some("identity_missing")), 1);
    let zstd = zstd::encode_all(expand(NO_IDENTITY).replace("10:05", "10:06").as_bytes(), 1).expect("packed");
    check(&daemon, "Content-Encoding: zstd\r\n", &zstd, "204");
    assert_eq!(rejections(&daemon, Some("identity_missing")), 2);
    // A token in one delivery and its refusal in the next belong together.
    let token = expand("{{token -identity}}");
    check(&daemon, "", format!("2026-03-01T10:07:00Z info token={token}\n").as_bytes(), "204");
    check(&daemon, "", b"2026-03-01T10:07:00Z error Twilio error code=51007\n", "204");
    assert_eq!(rejections(&daemon, Some("identity_missing")), 3);
    let loki = serde_json::json!({"streams": [{"stream": {"app": "x"}, "values": [
        ["1772366400000000000", "error Twilio error code=51007 y"]
    ]}]});
    check(&daemon, "Content-Type: application/json\r\n", loki.to_string().as_bytes(), "204");
    assert_eq!(rejections(&daemon, None), 5);
}

#[test]
fn a_sender_without_the_bearer_is_refused() {
    let (_place, daemon) = start();
    for headers in ["", "Authorization: Bearer x\r\n", "Authorization: Basic eDp5\r\n"] {
        let answer = send(&daemon, "/push", headers, expand(EXPIRED).as_bytes());
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate"), "{answer}");
    }
    assert_eq!(rejections(&daemon, None), 0);
    // What is no event is committed a little later.
    let status = until("three refused senders", || {
        Some(daemon.get("/api/v1/status/sources").body).filter(|status| status.contains("\"unauthorized\":3"))
    });
    assert!(status.contains("\"auth\":0"), "{status}");
    assert!(status.contains("its credentials are missing or wrong"), "{status}");
}

#[test]
fn bombs_giants_and_deep_nests_are_refused_while_metrics_answer() {
    let (_place, daemon) = start();
    check(&daemon, "Content-Encoding: gzip\r\n", &gzip(&vec![b'a'; 64 << 20]), "413");
    check(&daemon, "Content-Encoding: gzip\r\n", b"no gzip", "400");
    check(&daemon, "Content-Encoding: br\r\n", b"x", "415");
    check(&daemon, "", format!("{{\"streams\":{}", "[".repeat(1 << 20)).as_bytes(), "400");
    // 100 MB that are announced, and 100 MB that are not.
    let announced = "POST /push HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n";
    let chunked = "POST /twilio/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n";
    for (head, body) in [(announced, ""), (chunked, "5f5e100\r\n")] {
        let mut stream = TcpStream::connect(&daemon.address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!("{head}Authorization: Bearer {BEARER}\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).expect("sent");
        let block = vec![b'x'; 1 << 20];
        let sent = if body.is_empty() { 0 } else { (0..100).take_while(|_| stream.write_all(&block).is_ok()).count() };
        assert!(sent < 100, "the server reads on");
        let mut answer = [0; 12];
        // A reset may overtake the answer.
        if stream.read_exact(&mut answer).is_ok() {
            assert_eq!(&answer, b"HTTP/1.1 413");
        }
    }
    // Bodies that never end, more of them than there are places.
    let mut slow = Vec::new();
    for _ in 0..400 {
        let mut stream = TcpStream::connect(&daemon.address).expect("connected");
        // Those whose place was given away are closed.
        _ = stream.write_all(b"POST /twilio/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
        slow.push(stream);
    }
    assert_eq!(daemon.get("/metrics").status, 200);
    assert_eq!(daemon.get("/-/healthy").status, 200);
    assert_eq!(rejections(&daemon, None), 0);
}
