//! Signed deliveries to the daemon at a given rate, on this machine: how long until each is acknowledged, and how much
//! memory that takes. `cargo bench --bench deliveries`, or with a rate and seconds: `… -- 5000 10`.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a measurement that can't go on has failed")]
#![expect(clippy::indexing_slicing, clippy::string_slice, reason = "the positions are those of this file's own text")]
#![expect(clippy::disallowed_methods, reason = "this measures time")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "00112233445566778899aabbccddeeff";
const URL: &str = "https://ops.example.com/twilio/debugger";
/// Connections that are kept open, as a proxy keeps them.
const CONNECTIONS: usize = 64;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (rate, seconds) = (numbers.first().copied().unwrap_or(5000), numbers.get(1).copied().unwrap_or(10));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let state = folder.path().join("state");
    let text = format!(
        "state_dir = \"{}\"\n[web]\nlisten = [\"127.0.0.1:0\"]\n[log]\nlevel = \"info\"\n[[source]]\nname = \"debugger\"\n\
         kind = \"webhook\"\npath = \"/twilio/debugger\"\npublic_url = \"{URL}\"\nauth_token = \"{TOKEN}\"\n",
        state.display()
    );
    std::fs::write(&config, text).expect("a config");
    let mut child = Command::new(env!("CARGO_BIN_EXE_diag51007"))
        .args(["run", "--config"])
        .arg(&config)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the daemon");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let line = lines.by_ref().find(|line| line.contains("http://127.0.0.1:")).expect("an address");
    let address = line[line.find("127.0.0.1:").expect("an address")..].trim().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    let requests: Vec<Vec<u8>> = (0..rate * seconds).map(|number| request(number, &address)).collect();
    let before = memory(&child);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (mut waits, took) = runtime.block_on(send(&address, requests, rate));
    waits.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place"
        )]
        let place = (waits.len() as f64 * share) as usize;
        waits[place.min(waits.len() - 1)]
    };
    println!("{} deliveries acknowledged in {took:.2?}, sent at {rate}/s", waits.len());
    println!("p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, most {:.1?}", at(0.5), at(0.99), at(0.999), at(1.0));
    println!("resident memory {} KiB before, {} KiB after", before, memory(&child));
    child.kill().expect("own child");
    child.wait().expect("own child");
}

fn memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn request(number: u64, address: &str) -> Vec<u8> {
    let sid = format!("NO{number:032x}");
    let payload = r#"{"error_code":"51007","more_info":{"Msg":"Client Connection: Token authentication is rejected"}}"#;
    let pairs =
        [("AccountSid", "AC0123456789abcdef0123456789abcdef"), ("Level", "ERROR"), ("Payload", payload), ("Sid", &sid)];
    let mut signed = URL.to_owned();
    let mut body = String::new();
    for (name, value) in pairs {
        signed += name;
        signed += value;
        if !body.is_empty() {
            body.push('&');
        }
        body += name;
        body.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() {
                body.push(char::from(byte));
            } else {
                _ = write!(body, "%{byte:02X}");
            }
        }
    }
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes()), signed.as_bytes());
    format!(
        "POST /twilio/debugger HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         X-Twilio-Signature: {}\r\nContent-Length: {}\r\n\r\n{body}",
        STANDARD.encode(tag),
        body.len()
    )
    .into_bytes()
}

/// Sends each request at its time, or as soon after as a connection is free; the wait counts from its time.
async fn send(address: &str, requests: Vec<Vec<u8>>, rate: u64) -> (Vec<Duration>, Duration) {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let start = Instant::now() + Duration::from_millis(100);
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("a socket");
        tasks.push(tokio::spawn(async move {
            let (mut waits, mut answer) = (Vec::new(), vec![0; 4096]);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(number) else { return waits };
                let due = start + Duration::from_nanos(1_000_000_000 / rate * number as u64);
                tokio::time::sleep_until(due.into()).await;
                stream.write_all(request).await.expect("sent");
                let length = stream.read(&mut answer).await.expect("an answer");
                assert!(
                    answer[..length].starts_with(b"HTTP/1.1 204"),
                    "{}",
                    String::from_utf8_lossy(&answer[..length])
                );
                waits.push(due.elapsed());
            }
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.expect("no panic"));
    }
    (waits, start.elapsed())
}
