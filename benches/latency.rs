//! From a line appended to a followed file to the page and the summary: prints p50, p95 and p99 of both.
//!
//! The real binary, a real file, real HTTP. The page is asked again and again, so the figures include one request.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../tests/support/mint.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod mint;
#[path = "../tests/support/place.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod place;
#[path = "../tests/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod process;

use std::time::{Duration, Instant};

use place::{Place, expired_at, rejections};
use process::{Daemon, PATIENCE};

const APPENDS: u64 = 100;

fn main() {
    let place = Place::new();
    let daemon = place.start();
    let (mut page, mut summary) = (Vec::new(), Vec::new());
    for number in 1..=APPENDS {
        let line = expired_at(place::now());
        let start = now();
        place.append(&line);
        page.push(passed(start, "the page", || rejections(&daemon, None) == number));
        summary.push(passed(start, "the summary", || counted(&daemon, number)));
    }
    print("append to /metrics", &mut page);
    print("append to /api/v1/summary", &mut summary);
}

/// Does the summary show so many rejections?
fn counted(daemon: &Daemon, number: u64) -> bool {
    let answer = daemon.get("/api/v1/summary?window=24h");
    serde_json::from_str::<serde_json::Value>(&answer.body).is_ok_and(|body| {
        let body = body.get("data").unwrap_or(&body);
        body.get("rejections").and_then(serde_json::Value::as_u64) == Some(number)
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

fn passed(start: Instant, what: &str, mut arrived: impl FnMut() -> bool) -> Duration {
    while !arrived() {
        assert!(start.elapsed() < PATIENCE, "{what} does not show the line");
    }
    start.elapsed()
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at =
        |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied().unwrap_or_default();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{what}: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, of {} appends",
        millis(at(50)),
        millis(at(95)),
        millis(at(99)),
        times.len()
    );
}
