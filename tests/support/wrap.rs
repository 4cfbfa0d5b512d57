//! Logs line by line: each with its time, in the envelopes that collectors put around them.

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::KeyRing;
use diag51007::pipeline::{Event, Pipeline, Settings, StreamId};
use diag51007::stamp::{self, Completion};
use diag51007::time::UnixTime;
use serde_json::json;

use super::case::Run;

/// Puts a line and its time into an envelope.
pub(crate) type Envelope = fn(&str, UnixTime) -> String;

/// Every envelope, by name.
pub(crate) const ENVELOPES: [(&str, Envelope); 6] = [
    ("docker json-file", |line, time| {
        json!({ "log": format!("{line}\n"), "stream": "stdout", "time": time.to_string() }).to_string()
    }),
    ("CRI", |line, time| format!("{time} stdout F {line}")),
    ("syslog, RFC 5424", |line, time| format!("<134>1 {time} web-1 chat-gw 42 - - {line}")),
    ("syslog, RFC 3164", |line, time| format!("<134>{} web-1 chat-gw[42]: {line}", month_day(time))),
    ("journald JSON", |line, time| {
        let micros = (time.as_millis() * 1000).to_string();
        json!({ "__REALTIME_TIMESTAMP": micros, "_HOSTNAME": "web-1", "SYSLOG_IDENTIFIER": "chat-gw", "_PID": "42", "MESSAGE": line })
            .to_string()
    }),
    ("Windows line ends", |line, _| format!("{line}\r")),
];

/// `Nov 24 07:39:18`.
fn month_day(time: UnixTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = time.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).expect("an RFC 3339 time");
    let month: usize = part(5..7).parse().expect("a month");
    format!("{} {:>2} {}", MONTHS[month - 1], part(8..10).trim_start_matches('0'), part(11..19))
}

/// A log and the time at which it was written.
pub(crate) struct Timed {
    log: Vec<u8>,
    at: UnixTime,
}

impl Timed {
    pub(crate) fn new(log: Vec<u8>, at: UnixTime) -> Self {
        Self { log, at }
    }

    /// As a whole file.
    pub(crate) fn run(&self, ring: &KeyRing) -> Run {
        Run::written_at(self.log.clone(), ring.clone(), self.at)
    }

    /// Every line with its time: its own, else that of the line before, else the first in the log.
    fn lines(&self) -> Vec<(String, UnixTime)> {
        let completion = Completion { zone: jiff::tz::TimeZone::UTC, near: self.at, after: None };
        let text = String::from_utf8(self.log.clone()).expect("UTF-8");
        let own = |line: &str| {
            let epoch = line.split("\"time\":").nth(1).and_then(|rest| stamp::epoch(rest.get(..13)?.as_bytes()));
            epoch.or_else(|| stamp::find(line.as_bytes())?.complete(&completion))
        };
        let mut last = text.lines().find_map(own).unwrap_or(self.at);
        text.lines()
            .map(|line| {
                last = own(line).filter(|time| time.millis_since(self.at).abs() < 60_000).unwrap_or(last).max(last);
                (line.to_owned(), last)
            })
            .collect()
    }

    /// In an envelope.
    pub(crate) fn wrapped(&self, envelope: Envelope) -> Self {
        let lines = self.lines().into_iter().map(|(line, time)| envelope(&line, time) + "\n");
        Self { log: lines.collect::<String>().into_bytes(), at: self.at }
    }

    /// Followed while it grows: each line is read when it was written, with ticks between, as the daemon does.
    pub(crate) fn live(&self, ring: &KeyRing) -> Vec<Diagnosis> {
        let mut pipeline = Pipeline::new(Settings::default(), ring.clone());
        let id = StreamId(1);
        let run = self.run(ring);
        pipeline.open(id, run.live_stream());
        let mut found: Vec<Diagnosis> = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push(*diagnosis);
            }
        };
        let mut now = UnixTime::from_millis(0);
        for (line, time) in self.lines() {
            let read = time.plus_millis(15);
            while now < read {
                now = if now.as_millis() == 0 { read } else { now.plus_millis(25).min(read) };
                pipeline.tick(now, &mut emit);
            }
            pipeline.push(id, format!("{line}\n").as_bytes(), now, &mut emit);
        }
        for _ in 0..100 {
            now = now.plus_millis(25);
            pipeline.tick(now, &mut emit);
        }
        pipeline.finish(id, now, &mut emit);
        found.sort_by_key(|diagnosis| diagnosis.offset);
        found
    }
}
