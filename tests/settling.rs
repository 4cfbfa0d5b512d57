//! When a rejection of a log that grows is diagnosed, and what a log teaches about that.
#![cfg(test)]

use std::sync::Arc;

use diag51007::cause::Cause;
use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::product::Product;
use diag51007::time::UnixTime;

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;

use mint::{Draft, REFUSED_AT};

/// A log that grows, and what was diagnosed by now.
struct Log {
    pipeline: Pipeline,
    stream: StreamId,
    now: UnixTime,
    found: Vec<Diagnosis>,
}

impl Log {
    fn new() -> Self {
        let mut log = Self {
            pipeline: Pipeline::new(Settings::default(), KeyRing::default()),
            stream: StreamId(0),
            now: UnixTime::from_millis(REFUSED_AT * 1000),
            found: Vec::new(),
        };
        log.next_file("app");
        log
    }

    fn next_file(&mut self, source: &str) {
        self.stream = StreamId(self.stream.0 + 1);
        let stream = Stream {
            source: Arc::from(source),
            path: None,
            modified: None,
            timezone: Arc::from("UTC"),
            offset: 0,
            whole: false,
        };
        self.pipeline.open(self.stream, stream);
    }

    fn write(&mut self, lines: &str) {
        let found = &mut self.found;
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push(*diagnosis);
            }
        };
        self.pipeline.push(self.stream, lines.as_bytes(), self.now, &mut emit);
        self.pipeline.tick(self.now, &mut emit);
    }

    /// Lets time pass up to a millisecond since the start; gives the causes found by then.
    fn at(&mut self, millis: i64) -> Vec<Cause> {
        self.now = UnixTime::from_millis(REFUSED_AT * 1000 + millis);
        self.write("");
        self.found.iter().map(|diagnosis| diagnosis.cause).collect()
    }
}

fn expired() -> String {
    expired_since(7200)
}

fn expired_since(seconds: i64) -> String {
    Draft::valid_at(REFUSED_AT - 3600 - seconds).sign()
}

const BARE: &str = "2026-03-01T10:00:00Z ERROR twilio code=51007 token rejected\n";
const VOICE: &str = "2026-03-01T10:00:00Z [TwilioVoice][Device] Received error: 51007\n";

#[test]
fn a_token_and_a_product_on_the_line_are_enough() {
    let mut log = Log::new();
    log.write(&format!("ts=2026-03-01T10:00:00Z level=error err_code=51007 product=chat token={}\n", expired()));
    assert_eq!(log.at(0), [Cause::Expired]);
    assert_eq!(log.found[0].product, Product::Chat);
}

#[test]
fn what_an_application_printed_is_diagnosed_after_a_moment() {
    for line in [BARE.to_owned(), format!("2026-03-01T10:00:00Z error code=51007 token={}\n", expired())] {
        let mut log = Log::new();
        log.write(&line);
        assert_eq!(log.at(1), []);
        assert_eq!(log.at(2).len(), 1, "{line}");
    }
}

#[test]
fn the_ticker_is_told_when_to_come() {
    let mut log = Log::new();
    assert_eq!(log.pipeline.due_in(log.now), None);
    log.write(BARE);
    assert_eq!(log.pipeline.due_in(log.now), Some(2));
    log.at(2);
    assert_eq!(log.pipeline.due_in(log.now), Some(98), "more could still come");
    log.at(100);
    assert_eq!(log.pipeline.due_in(log.now), None);
}

#[test]
fn lines_written_one_by_one_but_together_are_read_as_one() {
    let mut log = Log::new();
    log.write(BARE);
    log.at(1);
    log.write(&format!("2026-03-01T10:00:00Z INFO the token was {}\n", expired()));
    assert_eq!(log.at(2), [], "a token at the end may be that of the next refusal");
    log.write("2026-03-01T10:00:00Z INFO bye\n");
    assert_eq!(log.at(3), [Cause::Expired]);
}

#[test]
fn what_an_sdk_prints_waits_for_its_further_prints() {
    let mut log = Log::new();
    log.write(VOICE);
    assert_eq!(log.at(99), []);
    assert_eq!(log.at(100).len(), 1);
}

#[test]
fn the_token_of_another_line_before_is_a_guess_that_waits() {
    let mut log = Log::new();
    log.write(&format!("2026-03-01T10:00:00Z INFO issued {}\n", expired()));
    log.write(BARE);
    assert_eq!(log.at(99), []);
    assert_eq!(log.at(100), [Cause::Expired]);
}

#[test]
fn a_token_of_another_request_is_not_taken_for_want_of_a_better_one() {
    let line = |request: &str, text: &str| format!("ts=2026-03-01T10:00:00Z level=info request_id={request} {text}\n");
    let mut log = Log::new();
    log.write(&line("11111111-aaaa", &format!("token={}", Draft::valid_at(REFUSED_AT).sign())));
    log.write(&line("22222222-bbbb", "err_code=51007 msg=\"twilio refused\""));
    log.at(1);
    log.write(&line("22222222-bbbb", &format!("token={}", expired())));
    log.write(&line("33333333-cccc", "msg=bye"));
    assert_eq!(log.at(200), [Cause::Expired]);
}

#[test]
fn an_object_that_is_being_printed_is_waited_for() {
    let mut log = Log::new();
    log.write(BARE);
    log.write("2026-03-01T10:00:00Z ERROR refused {\n  errorCode: 51007,\n");
    assert_eq!(log.at(99), []);
    log.write("}\n");
    assert_eq!(log.at(101).len(), 2);
}

#[test]
fn a_log_that_tells_the_token_later_is_waited_for_from_then_on() {
    let mut log = Log::new();
    let token = |seconds: i64| {
        let token = expired_since(seconds);
        format!("2026-03-01T10:00:00Z INFO the token was {token}\n2026-03-01T10:00:00Z INFO bye\n")
    };
    log.write(BARE);
    assert_eq!(log.at(30).len(), 1, "nothing is known of this log yet");
    let unknown = log.found[0].cause;
    log.write(&token(10));
    log.at(5000);
    assert_eq!(log.found.len(), 1, "what was counted stays as it is");

    for (nth, start) in [(1, 20_000), (2, 40_000)] {
        log.next_file("app");
        log.at(start);
        log.write(BARE);
        assert_eq!(log.at(start + 30).len(), nth, "now it is");
        log.write(&token(start));
        assert_eq!(log.at(start + 100).last(), Some(&Cause::Expired));
    }

    log.next_file("other");
    log.at(80_000);
    log.write(BARE);
    assert_eq!(log.at(80_002).last(), Some(&unknown), "another source is another log");
}

#[test]
fn a_log_that_names_the_cause_in_a_second_line_is_waited_for_from_then_on() {
    let first = r#"{"time":"2026-03-01T10:00:00.000Z","reqId":"r-7f3a55bc9e","msg":"Twilio refused","code":51007}"#
        .to_owned()
        + "\n";
    let second = r#"{"time":"2026-03-01T10:00:00.020Z","reqId":"r-7f3a55bc9e","err":{"code":20104,"message":"Twilio: Access Token expired"}}"#
        .to_owned()
        + "\n";
    let mut log = Log::new();
    log.write(&first);
    assert_eq!(log.at(20).len(), 1);
    log.write(&second);
    log.at(15_000);
    assert_eq!(log.found.len(), 1, "{:?}", log.found);
    log.write(&first.replace("10:00:00", "10:00:15"));
    assert_eq!(log.at(15_050).len(), 1);
    log.write(&second.replace("10:00:00", "10:00:15"));
    assert_eq!(log.at(15_100).last(), Some(&Cause::Expired));
}
