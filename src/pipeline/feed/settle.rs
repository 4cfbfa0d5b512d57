//! When a rejection is diagnosed: as soon as nothing that is still to come is likely to tell more of it.
//!
//! A rejection of a whole file waits until no further line can belong to it. One of a live stream is diagnosed
//!
//! * at once if its token and product are known,
//! * after a moment if an application printed it, which says all it knows on one line,
//! * else after `pairing.settle_milliseconds`: an SDK prints a refusal several times, and in some logs the token follows.
//!
//! Whether a log is of the last kind is learnt: once a later line would have told more, its source is [`Patience`]'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use memchr::memrchr;

use super::tokens::{self, TANGLE_MILLIS};
use super::{Feed, Line, blocks};
use crate::diagnosis::Found;
use crate::pair::rejection::{Progress, Rejection};
use crate::pipeline::Event;
use crate::pipeline::judge::Core;
use crate::time::UnixTime;

/// A rejection of a live stream takes further sightings for so long, in milliseconds.
const OPEN_MILLIS_MAX: i64 = 10_000;
/// Lines that a process writes one by one, but together, come within this time, in milliseconds.
const MOMENT_MILLIS: i64 = 2;

/// Sources in which a line after a refusal has told more of it than was known: there, every rejection waits for such
/// lines. Not kept across restarts.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Patience(BTreeSet<Arc<str>>);

impl Patience {
    pub(super) fn learn(&mut self, source: &Arc<str>) {
        if !self.0.contains(source) {
            self.0.insert(Arc::clone(source));
        }
    }

    fn has(&self, source: &str) -> bool {
        self.0.contains(source)
    }
}

impl Feed {
    /// Something waits for `tick`.
    pub(in crate::pipeline) fn is_awake(&self) -> bool {
        let is_underway = |rejection: &Rejection| rejection.progress != Progress::Settled;
        !self.stream.whole && (self.waiting.is_some() || self.open.iter().any(is_underway))
    }

    /// In how many milliseconds the first of what waits is due.
    pub(in crate::pipeline) fn due_in(&self, now: UnixTime, core: &Core) -> Option<i64> {
        let unsettled = self.open.iter().filter(|rejection| rejection.is_waiting());
        let rejections = unsettled.map(|rejection| self.wait(rejection, core) - now.millis_since(rejection.arrived));
        let object = self.waiting.map(|since| i64::from(core.settings.settle_millis) - now.millis_since(since));
        let settle = i64::from(core.settings.settle_millis);
        let early = self.open.iter().filter(|rejection| rejection.progress == Progress::Early);
        let early = early.map(|rejection| settle - now.millis_since(rejection.arrived));
        rejections.chain(early).chain(object).min().map(|millis| millis.max(0))
    }

    /// How long a rejection waits from its arrival on, in milliseconds.
    fn wait(&self, rejection: &Rejection, core: &Core) -> i64 {
        let settle = i64::from(core.settings.settle_millis);
        if rejection.is_tangled {
            return settle.max(TANGLE_MILLIS.cast_signed());
        }
        // The nearest token before may be another's.
        let has_token = rejection.token.as_ref().is_some_and(|(_, found)| !matches!(found, Found::Before(_)));
        let is_guess = rejection.token.is_some() && !has_token;
        if has_token && rejection.product.is_some() {
            return 0;
        }
        let tells_all =
            !rejection.is_of_sdk() && !is_guess && self.waiting.is_none() && (has_token || !self.ends_in_token(core));
        if tells_all && !core.patience.has(&self.stream.source) { settle.min(MOMENT_MILLIS) } else { settle }
    }

    /// The last lines are no refusal and hold a token, which may be that of a refusal to come.
    fn ends_in_token(&self, core: &Core) -> bool {
        let Some(last) = self.scanned.checked_sub(1) else { return false };
        let last = Line::around(&self.bytes, last, self.scanned);
        let block = blocks::head(&self.bytes, last, false, core.settings.line_bytes_max);
        let head_offset = self.base + block.head.start as u64;
        let is_refusal = self.last.as_ref().is_some_and(|last| last.is_sighting_at(head_offset));
        !is_refusal && tokens::is_any(&self.bytes, block.head.start..self.scanned, core.settings.line_bytes_max)
    }

    /// Gives the rejections that no further line can change.
    pub(super) fn close(&mut self, core: &mut Core, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        let window = core.settings.window_lines;
        let is_over = |rejection: &Rejection, line: u64, later: usize| {
            let is_old = rejection.is_settled() && now.millis_since(rejection.arrived) > OPEN_MILLIS_MAX;
            is_old || rejection.is_over(line, window, later)
        };
        while self.open.front().is_some_and(|front| is_over(front, self.line, self.open.len() - 1)) {
            let Some(rejection) = self.open.pop_front() else { break };
            self.heads.pop_first();
            self.settle(&rejection, now, core, emit);
        }
    }

    pub(super) fn settle(&self, rejection: &Rejection, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        if rejection.is_waiting() {
            let fallback = if self.stream.whole { self.stream.modified.unwrap_or(now) } else { rejection.arrived };
            let mut diagnosis = core.diagnose(rejection, &self.stream, fallback);
            let added = self.array.as_ref().map_or(0, |array| array.added_before(diagnosis.offset));
            diagnosis.line = diagnosis.line.saturating_sub(self.free_lines + added);
            emit(Event::Diagnosed(Box::new(diagnosis)));
        }
    }

    pub(in crate::pipeline) fn tick(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        let settle = i64::from(core.settings.settle_millis);
        let incomplete = self.waiting.is_some_and(|since| now.millis_since(since) >= settle);
        let is_last_call = |rejection: &Rejection| {
            rejection.token.is_none() && rejection.is_waiting() && now.millis_since(rejection.arrived) >= settle
        };
        if incomplete || self.open.iter().any(is_last_call) {
            let limit = memrchr(b'\n', &self.bytes).map_or(0, |at| at + 1);
            self.work(limit, now, true, None, core, emit);
        }
        let mut open = std::mem::take(&mut self.open);
        for rejection in open.iter_mut().filter(|rejection| rejection.is_waiting()) {
            let waited = now.millis_since(rejection.arrived);
            if waited >= self.wait(rejection, core) {
                self.settle(rejection, now, core, emit);
                rejection.progress = if waited < settle { Progress::Early } else { Progress::Settled };
            }
        }
        self.open = open;
        self.end_early(now, core);
        self.report_counts(emit);
    }

    /// Stops to look for more of rejections that were diagnosed before everything could have come, once it has.
    pub(super) fn end_early(&mut self, now: UnixTime, core: &Core) {
        let settle = i64::from(core.settings.settle_millis);
        for rejection in self.open.iter_mut().filter(|rejection| rejection.progress == Progress::Early) {
            if now.millis_since(rejection.arrived) >= settle {
                rejection.progress = Progress::Settled;
            }
        }
    }
}
