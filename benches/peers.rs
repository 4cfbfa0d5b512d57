//! The daemon beside mtail and ripgrep, in one run: started by `benches/peers`, which fetches both.
//!
//! One log of several formats, an event in 10,000 lines. The daemon is measured from its start until `/metrics` shows
//! every event, with tokens read and verified and the state kept; mtail until its one pass has ended, with a program that
//! counts lines of the same pattern; ripgrep until it has counted them.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::cast_precision_loss, reason = "three digits are printed")]

#[path = "../tests/support/mint.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod mint;
#[path = "../tests/support/place.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod place;
#[path = "../tests/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests; each uses a part")]
mod process;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mint::{Draft, REFUSED_AT};
use place::{Place, rejections};
use process::{PATIENCE, ask, text};

/// Lines to an event.
const DENSITY: u64 = 10_000;
/// Runs of each, in turns; the median counts.
const RUNS: usize = 3;
/// Appends whose way to the counter is timed.
const APPENDS: u64 = 50;
/// How mtail counts.
const PROGRAM: &str = "counter refusals\n/(?:[Cc]ode|[Ee]rror)[\"':= ]{1,4}51007(?:[^0-9]|$)/ {\n  refusals++\n}\n";

fn main() {
    let megabytes = std::env::var("PEERS_MEGABYTES").ok().and_then(|size| size.parse().ok()).unwrap_or(500);
    let place = Place::new();
    let program = place.path("refusals.mtail");
    fs::write(&program, PROGRAM).expect("a writable folder");
    let corpus = place.path("corpus.log");
    let (bytes, events) = write_corpus(&corpus, megabytes * 1_000_000);
    println!("{} MB, {events} events, {} processors", bytes / 1_000_000, processors());

    let mut times = [const { Vec::new() }; 3];
    for _ in 0..RUNS {
        let measured = [daemon(&place, &corpus, events), mtail(&program, &corpus), ripgrep(&corpus)];
        for (all, one) in times.iter_mut().zip(measured) {
            all.push(one);
        }
    }
    let medians = times.map(|mut all| {
        all.sort_unstable();
        all.get(RUNS / 2).copied().unwrap_or_default()
    });
    let own = medians[0];
    for (name, time) in ["diag51007", "mtail", "ripgrep"].into_iter().zip(medians) {
        let (speed, ratio) = (bytes as f64 / 1e6 / time.as_secs_f64(), time.as_secs_f64() / own.as_secs_f64());
        println!("backlog  {name:<10} {:>7.3} s {speed:>7.0} MB/s {ratio:>8.2} of our time", time.as_secs_f64());
    }
    latency(&program);
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Writes a log of several formats; gives its size and its events.
fn write_corpus(path: &Path, size: u64) -> (u64, u64) {
    let mut file = BufWriter::new(File::create(path).expect("a writable folder"));
    let token = Draft::valid_at(REFUSED_AT - 7200).sign();
    let (mut written, mut events, mut chance) = (0, 0, 1_u64);
    let mut number = 0_u64;
    while written < size {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (value, second) = (chance >> 40, number / 4000 % 60);
        let is_event = (chance >> 33).is_multiple_of(DENSITY);
        events += u64::from(is_event);
        number += 1;
        let line = match (is_event, number % 4) {
            (true, 0 | 1) => format!(
                "{{\"level\":50,\"time\":\"2026-03-01T10:00:{second:02}.000Z\",\"reqId\":\"{value:016x}\",\"err\":{{\"type\":\
                 \"TwilioError\",\"code\":51007}},\"token\":\"{token}\",\"msg\":\"twilio client disconnected\"}}\n"
            ),
            (true, _) => format!(
                "ts=2026-03-01T10:00:{second:02}.000Z level=error component=twilio err_code=51007 msg=\"connection refused\" \
                 token={token}\n"
            ),
            (false, 0) => format!(
                "{{\"level\":30,\"time\":\"2026-03-01T10:00:{second:02}.000Z\",\"reqId\":\"{value:016x}\",\"bytes\":{value},\
                 \"responseTime\":{},\"msg\":\"request completed\"}}\n",
                value % 900
            ),
            (false, 1) => format!(
                "2026-03-01 10:00:{second:02},000 INFO  [http-nio-8080-exec-{}] c.e.o.service.OrderService - order #{value} \
                 stored in {} ms\n",
                value % 40,
                value % 700
            ),
            (false, 2) => format!(
                "ts=2026-03-01T10:00:{second:02}.000Z level=info component=room-manager msg=\"cache miss\" order={value} \
                 duration_ms={}\n",
                value % 800
            ),
            (false, _) => format!(
                "10.2.{}.7 - - [01/Mar/2026:10:00:{second:02} +0000] \"GET /api/v1/orders/{value} HTTP/1.1\" 200 {} \"-\" \
                 \"okhttp/4.12.0\"\n",
                value % 256,
                value % 90_000
            ),
        };
        file.write_all(line.as_bytes()).expect("room on the disk");
        written += line.len() as u64;
    }
    file.flush().expect("room on the disk");
    (written, events)
}

/// From the daemon's start until its counter is right.
fn daemon(place: &Place, corpus: &Path, events: u64) -> Duration {
    _ = fs::remove_dir_all(place.path("state"));
    let usual = place.usual_config();
    place.configure(&usual.replace(text(&place.log()), text(corpus)));
    let start = now();
    let daemon = place.start();
    until(start, "the daemon", || rejections(&daemon, None) == events);
    start.elapsed()
}

/// One pass of mtail.
fn mtail(program: &Path, corpus: &Path) -> Duration {
    let start = now();
    let arguments = ["--progs", text(program), "--logs", text(corpus), "--one_shot", "--logtostderr"];
    finish("mtail", Command::new("mtail").args(arguments));
    start.elapsed()
}

fn ripgrep(corpus: &Path) -> Duration {
    let start = now();
    finish("rg", Command::new("rg").args(["--count", "--fixed-strings", "51007", text(corpus)]));
    start.elapsed()
}

fn finish(name: &str, command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => {}
        other => panic!("{name}: {other:?}; `benches/peers` fetches it"),
    }
}

fn until(start: Instant, what: &str, mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} does not count all");
    }
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which shows elsewhere.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// From an appended line until the counter has moved.
fn latency(program: &Path) {
    let place = Place::new();
    let daemon = place.start();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let log = text(&place.log()).to_owned();
    let arguments = ["--progs", text(program), "--logs", &log, "--address", "127.0.0.1", "--port", &port.to_string()];
    let mtail = Command::new("mtail").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let _mtail = Running(mtail.expect("`benches/peers` fetches mtail"));
    let address = format!("127.0.0.1:{port}");
    let start = now();
    until(start, "mtail", || TcpListener::bind(&address).is_err());
    let mut ours: Vec<Duration> =
        (1..=APPENDS).map(|number| append(&place, || rejections(&daemon, None) == number)).collect();
    // It follows the same log.
    until(now(), "mtail", || counted(&address) == APPENDS);
    let mut theirs: Vec<Duration> =
        (1..=APPENDS).map(|number| append(&place, || counted(&address) == APPENDS + number)).collect();
    print("diag51007", &mut ours);
    print("mtail", &mut theirs);
}

fn append(place: &Place, mut is_there: impl FnMut() -> bool) -> Duration {
    // Not in step with whoever polls.
    std::thread::sleep(Duration::from_millis(60));
    let start = now();
    place.append("ts=2026-03-01T10:00:00.000Z level=error component=twilio err_code=51007 msg=\"refused\"\n");
    until(start, "the counter", &mut is_there);
    start.elapsed()
}

fn counted(address: &str) -> u64 {
    let page = ask(address, "GET", "/metrics", "", b"").body;
    let lines = page.lines().filter(|line| line.starts_with("refusals{") || line.starts_with("refusals "));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

fn print(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at =
        |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied().unwrap_or_default();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("latency  {name:<10} p50 {:>6.1} ms, p99 {:>6.1} ms", millis(at(50)), millis(at(99)));
}
