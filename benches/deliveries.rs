//! All that is sent to the daemon at once, at a given rate, on this machine: signed deliveries of the Debugger webhook and
//! of Event Streams, and lines that a log shipper pushes, in turns, while the Alerts API lists some of the same events.
//!
//! Each is sent at its time on one of the connections that are kept open, and again while it is not acknowledged, as
//! Twilio does. Printed is how long until each was acknowledged, from its time on; how often the daemon said 429 or 503;
//! that it counted what was sent, each once; and its memory. `cargo bench --bench deliveries`, or with a rate and seconds:
//! `… -- 5000 60`.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::indexing_slicing, reason = "there are three channels")]
#![expect(clippy::disallowed_methods, reason = "this measures time")]

#[path = "../tests/support/mint.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod mint;
#[path = "../tests/support/monitor.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod monitor;
#[path = "../tests/support/place.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod place;
#[path = "../tests/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod process;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use mint::{AUTH_TOKEN, Draft, REFUSED_AT, sid};
use monitor::{Monitor, alert};
use place::Place;
use process::{Daemon, until, value};

const BASE: &str = "https://ops.example.com";
const BEARER: &str = "SyntheticBearerNotReal0000000001";
/// The sources that are sent to, by name and kind; their paths are their names.
const CHANNELS: [(&str, &str); 3] = [("debugger", "webhook"), ("events", "event_streams"), ("shipped", "http")];
/// Connections that are kept open, as a proxy keeps them.
const CONNECTIONS: u64 = 64;
/// Alerts that the API lists; the webhook brings every second of them, too.
const ALERTS: u64 = 200;
/// Numbers of events that only the API lists.
const API_ONLY: u64 = 1 << 40;
/// Tokens of the lines that are pushed.
const TOKENS: i64 = 1000;
/// How long a sender waits before it sends the same again.
const AGAIN: Duration = Duration::from_millis(50);

/// What became of the deliveries of each channel: how long each took, and how often it had to be sent again.
type Sent = [(Vec<Duration>, u64); CHANNELS.len()];

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (rate, seconds) = (numbers.first().copied().unwrap_or(5000), numbers.get(1).copied().unwrap_or(10));
    let (place, monitor) = (Place::new(), Monitor::start());
    monitor.with(|state| {
        // Of the webhook are the multiples of three.
        let number = |at| if at % 2 == 0 { at * 3 } else { API_ONLY + at };
        state.alerts = (0..ALERTS).map(|at| alert(number(at), &json!({}))).collect();
    });
    place.configure(&config(&place, &monitor));
    let daemon = place.start();
    let before = memory(&daemon);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (sent, took) = runtime.expect("a runtime").block_on(send(&daemon.address, rate, rate * seconds));
    let after = memory(&daemon);

    println!("{} deliveries at {rate}/s, all acknowledged in {took:.2?}", rate * seconds);
    for ((name, _), (mut waits, again)) in CHANNELS.into_iter().zip(sent.clone()) {
        waits.sort_unstable();
        let at = |share: usize| waits.get(waits.len() * share / 1000).or(waits.last()).copied().unwrap_or_default();
        println!(
            "{name}: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, most {:.1?}; asked to send again {again} times",
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
    check_counts(&daemon, &sent);
    println!("resident memory: {before} MiB before, {after} MiB after");
}

fn config(place: &Place, monitor: &Monitor) -> String {
    let mut config = place.usual_config();
    for (name, kind) in CHANNELS {
        let access = if kind == "http" {
            format!("bearer = \"{BEARER}\"")
        } else {
            format!("public_url = \"{BASE}/{name}\"\nauth_token = \"{AUTH_TOKEN}\"")
        };
        _ = write!(config, "\n[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\npath = \"/{name}\"\n{access}\n");
    }
    let (account, address) = (sid("AC", "1"), &monitor.address);
    let api = format!("account = \"{account}\"\nbase_url = \"http://{address}\"\npoll_seconds = 5\n");
    _ = write!(config, "\n[[source]]\nname = \"alerts\"\nkind = \"alerts_api\"\n{api}");
    config
}

/// Resident memory in MiB.
fn memory(daemon: &Daemon) -> f64 {
    let bytes = daemon.metric("process_resident_memory_bytes").expect("a metric of the process");
    (bytes / f64::from(1 << 20) * 10.0).round() / 10.0
}

/// Says what the daemon counted, and fails if that is not what was sent.
fn check_counts(daemon: &Daemon, sent: &Sent) {
    let [webhook, events, lines] = [0, 1, 2].map(|channel: usize| sent[channel].0.len() as u64);
    // One of the API's comes through the webhook only if that got so far.
    let listed_twice = (0..ALERTS).step_by(2).filter(|at| *at < webhook).count() as u64;
    let expected = webhook + events + lines + ALERTS - listed_twice;
    let mut counted = 0;
    until("the API's alerts", || {
        counted = place::rejections(daemon, None);
        (counted >= expected).then_some(())
    });
    let page = daemon.get("/metrics").body;
    let outcome = |source: &str, outcome: &str| {
        let labels = [format!("outcome=\"{outcome}\""), format!("source=\"{source}\"")];
        value(&page, "diag51007_events_total", &labels).unwrap_or_default()
    };
    for source in ["debugger", "events", "alerts"] {
        let (counted, repeated) = (outcome(source, "counted"), outcome(source, "repeated"));
        println!("{source}: {counted} events counted here, {repeated} known already");
    }
    println!("{counted} rejections counted of {expected} events and lines that were sent or listed");
    assert_eq!(counted, expected, "each is counted once");
}

/// A request to the channel whose turn it is.
fn request(number: u64, address: &str, tokens: &[String]) -> Vec<u8> {
    let (name, event) = (CHANNELS[channel(number)].0, format!("NO{number:032x}"));
    let (query, kind, access, body) = match channel(number) {
        0 => {
            let (body, signature) = form(&event);
            (String::new(), "application/x-www-form-urlencoded", format!("X-Twilio-Signature: {signature}"), body)
        }
        1 => {
            let body = cloud_events(&event);
            let digest = digest::digest(&digest::SHA256, body.as_bytes());
            let digits = digest.as_ref().iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
            let query = format!("?bodySHA256={digits}");
            let signature = signature(&format!("{BASE}/{name}{query}"));
            (query, "application/json", format!("X-Twilio-Signature: {signature}"), body)
        }
        _ => {
            let place = usize::try_from(number).unwrap_or_default() % tokens.len();
            let line = format!("connection {number}: Twilio error code=51007 token={}", tokens[place]);
            let body = json!({"time": "2026-03-01T10:00:00Z", "level": "error", "message": line}).to_string() + "\n";
            (String::new(), "application/x-ndjson", format!("Authorization: Bearer {BEARER}"), body)
        }
    };
    let length = body.len();
    format!(
        "POST /{name}{query} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n{access}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn channel(number: u64) -> usize {
    usize::try_from(number % CHANNELS.len() as u64).unwrap_or_default()
}

fn signature(signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, AUTH_TOKEN.as_bytes());
    STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

/// A delivery of the Debugger webhook, and its signature.
fn form(event: &str) -> (String, String) {
    let payload = r#"{"error_code":"51007","more_info":{"Msg":"Client Connection: Token authentication is rejected"}}"#;
    let account = sid("AC", "1");
    let pairs = [("AccountSid", account.as_str()), ("Level", "ERROR"), ("Payload", payload), ("Sid", event)];
    let (mut signed, mut body) = (format!("{BASE}/debugger"), String::new());
    for (name, value) in pairs {
        signed += name;
        signed += value;
        _ = write!(body, "{}{name}=", if body.is_empty() { "" } else { "&" });
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() {
                body.push(char::from(byte));
            } else {
                _ = write!(body, "%{byte:02X}");
            }
        }
    }
    (body, signature(&signed))
}

/// A delivery of Event Streams: a batch of one event.
fn cloud_events(event: &str) -> String {
    let data = json!({"sid": event, "account_sid": sid("AC", "1"), "level": "ERROR", "error_code": "51007",
        "date_created": "2026-03-01T10:00:00Z", "product_name": "Conversations", "service_sid": sid("IS", "1"),
        "payload": r#"{"error_code":51007,"message":"Client Connection: Token authentication is rejected"}"#});
    json!([{"specversion": "1.0", "type": "com.twilio.error-logs.error.logged", "source": "/v1/error-logs", "id": event,
        "time": "2026-03-01T10:00:01Z", "datacontenttype": "application/json", "data": data}])
    .to_string()
}

/// Sends each request at its time, or as soon after as a connection is free; the wait counts from its time.
async fn send(address: &str, rate: u64, count: u64) -> (Sent, Duration) {
    let token = |number: i64| {
        let mut draft = Draft::valid_at(REFUSED_AT - 7200 - number);
        _ = draft.payload.insert("exp".to_owned(), (REFUSED_AT - 3600 - number).into());
        draft.sign()
    };
    let tokens: Arc<Vec<String>> = Arc::new((0..TOKENS).map(token).collect());
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now() + Duration::from_millis(100);
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (tokens, next, address) = (Arc::clone(&tokens), Arc::clone(&next), address.to_owned());
        tasks.push(tokio::spawn(async move {
            let (mut sent, mut stream) = (Sent::default(), connect(&address).await);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return sent;
                }
                let request = request(number, &address, &tokens);
                let due = start + Duration::from_nanos(1_000_000_000 / rate * number);
                tokio::time::sleep_until(due.into()).await;
                let (waits, again) = &mut sent[channel(number)];
                while !is_acknowledged(&mut stream, &request).await {
                    *again += 1;
                    tokio::time::sleep(AGAIN).await;
                    stream = connect(&address).await;
                }
                waits.push(due.elapsed());
            }
        }));
    }
    let mut all = Sent::default();
    for task in tasks {
        let sent = task.await.expect("no panic");
        for ((waits, again), (more, times)) in all.iter_mut().zip(sent) {
            waits.extend(more);
            *again += times;
        }
    }
    (all, start.elapsed())
}

async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("connected");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Whether it is committed; else it has to be sent again.
async fn is_acknowledged(stream: &mut TcpStream, request: &[u8]) -> bool {
    let mut answer = [0; 4096];
    stream.write_all(request).await.expect("sent");
    let length = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(answer.get(..length).unwrap_or_default());
    match answer.split(' ').nth(1) {
        Some("204") => true,
        Some("429" | "503") => false,
        _ => panic!("neither taken nor to be sent again: {answer}"),
    }
}
