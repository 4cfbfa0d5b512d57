//! What the stream of a file leaves to that of the file that takes its place: a rotation may lie between a token and its
//! refusal.
//!
//! The lines of the successor are numbered behind [`FREE_LINES`], so that those of its predecessor stand before them.

use super::Feed;
use super::tokens::{Reach, Tokens};
use crate::pair::Candidate;
use crate::pipeline::judge::Core;
use crate::time::{Moment, UnixTime};

/// How many lines are left free before those of a stream that took the place of another: more than any window has.
const FREE_LINES: u64 = 1 << 20;

/// What the last lines of a stream hold, by the number of its line to come.
#[derive(Debug)]
pub(in crate::pipeline) struct Heritage {
    candidates: Vec<Candidate>,
    endpoints: Vec<(u64, &'static str)>,
    last_time: Option<Moment>,
    next_line: u64,
}

impl Feed {
    /// What it leaves to a successor, if its last lines are recent enough to matter.
    pub(in crate::pipeline) fn heritage(&mut self, now: UnixTime, core: &Core) -> Option<Heritage> {
        if self.stream.whole || self.is_silent(now, core.settings.window_seconds) {
            return None;
        }
        let completion = self.completion(now);
        self.tokens.index(&self.bytes, (self.scanned, self.line), Reach::Last, &completion, &core.settings);
        let (candidates, endpoints) = self.tokens.last(self.line, core.settings.window_lines);
        let last_time = self.last_time.map(|(_, time)| time);
        Some(Heritage { candidates, endpoints, last_time, next_line: self.line })
    }

    /// Takes the place of another stream, before the first byte.
    pub(in crate::pipeline) fn inherit(&mut self, heritage: Heritage) {
        let Heritage { mut candidates, mut endpoints, last_time, next_line } = heritage;
        if self.end_offset() > 0 || self.line != 1 {
            return;
        }
        self.free_lines = FREE_LINES;
        (self.line, self.base_line) = (1 + FREE_LINES, 1 + FREE_LINES);
        let number = |line: u64| (1 + FREE_LINES).saturating_sub(next_line.saturating_sub(line));
        for candidate in &mut candidates {
            candidate.line = number(candidate.line);
        }
        for (line, _) in &mut endpoints {
            *line = number(*line);
        }
        self.tokens.inherit(candidates, endpoints);
        self.last_time = last_time.map(|time| (FREE_LINES, time));
    }

    /// The number of a line as it is told.
    pub(super) fn told_line(&self, line: u64) -> u64 {
        line.saturating_sub(self.free_lines)
    }
}

impl Tokens {
    /// What was found so many lines before one, or nearer.
    fn last(&self, line: u64, lines: u32) -> (Vec<Candidate>, Vec<(u64, &'static str)>) {
        let oldest = line.saturating_sub(u64::from(lines));
        let candidates = self.candidates.iter().filter(|candidate| candidate.line >= oldest);
        let endpoints = self.endpoints.iter().filter(|(line, _)| *line >= oldest);
        (candidates.cloned().collect(), endpoints.copied().collect())
    }

    /// Takes over what was found in lines before the first one.
    fn inherit(&mut self, candidates: Vec<Candidate>, endpoints: Vec<(u64, &'static str)>) {
        (self.candidates, self.endpoints) = (candidates, endpoints.into());
    }
}
