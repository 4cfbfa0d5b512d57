//! Bytes as they come, cut anyhow: in pieces that fit the cache, each searched once; into whole lines, of which only as
//! many are kept as can be looked back at.

use std::cell::Cell;
use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr};

use super::head::{Head, Heads};
use super::journal::Journal;
use super::tokens::{OWN_LINES, Tokens};
use super::wide::Wide;
use super::{Feed, KEPT_BYTES_MAX, REST_SECONDS_LEAST, Work, replay};
use crate::detect::search::Hits;
use crate::pair::rejection::Rejection;
use crate::pipeline::Event;
use crate::pipeline::array::Array;
use crate::pipeline::blocks::{BLOCK_LINES_MAX, last_lines};
use crate::pipeline::judge::Core;
use crate::pipeline::table::Log;
use crate::time::UnixTime;

/// Chunks are taken in pieces of this size, in bytes: small enough for the second-level cache.
const PIECE_BYTES: usize = 512 << 10;

/// At least so many bytes are looked at where they are; fewer are copied behind those that are kept.
const IN_PLACE_LEAST: usize = 16 << 10;

/// Candidates in the last lines of the bytes that are worked on.
pub(super) struct Fresh<'a> {
    pub(super) hits: &'a Hits,
    /// Where these lines begin.
    from: usize,
    /// So many of them have been looked at.
    pub(super) passed: u64,
    /// So many of the hits have been passed.
    hits_passed: Cell<usize>,
}

impl Work<'_> {
    /// The next candidate at or after a position.
    pub(super) fn next(&self, from: usize, core: &Core) -> Option<usize> {
        let Some(fresh) = &self.fresh else {
            return core.detector.find(self.bytes.get(..self.limit).unwrap_or_default(), from);
        };
        // Whoever asks goes on, and never back.
        let starts = fresh.hits.starts.get(fresh.hits_passed.get()..).unwrap_or_default();
        let passed = starts.iter().take_while(|start| fresh.from + **start < from).count();
        fresh.hits_passed.set(fresh.hits_passed.get() + passed);
        starts.get(passed).map(|start| fresh.from + start)
    }

    /// Lines from where those that have not been looked at begin up to a position, if that is known from the search; up to
    /// an earlier one there are so many.
    pub(super) fn lines_before(&self, to: usize, (earlier, lines_earlier): (usize, u64)) -> Option<u64> {
        let fresh = self.fresh.as_ref()?;
        let lines = self.bytes.get(fresh.from..)?;
        let earlier = (earlier.checked_sub(fresh.from)?, lines_earlier);
        Some(fresh.hits.lines_before(lines, to.checked_sub(fresh.from)?, earlier))
    }
}

impl Feed {
    /// Says what the first bytes tell of the stream, before they come.
    pub(in crate::pipeline) fn begin(&mut self, is: Log) {
        match is {
            Log::Plain => {}
            Log::Wide(order) => self.wide = Some(Box::new(Wide::new(order))),
            Log::Array(path) => self.array = Some(Box::new(Array::new(path))),
        }
    }

    /// Takes what is held of a stream in UTF-16: nothing more comes for it.
    pub(super) fn flush(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        if let Some(left) = self.wide.as_mut().map(|wide| wide.flush()).filter(|left| !left.is_empty()) {
            self.search_and_take_unfolded(&left, now, core, emit);
        }
    }

    pub(in crate::pipeline) fn push(
        &mut self,
        chunk: &[u8],
        now: UnixTime,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        self.note_push(now);
        let mut chunk = chunk;
        while let Some((head, tail)) =
            self.trail.next_break(self.taken_offset(), chunk.len()).and_then(|at| chunk.split_at_checked(at))
        {
            self.search_and_take(head, now, core, emit);
            self.end_line(now, core, emit);
            chunk = tail;
        }
        self.search_and_take(chunk, now, core, emit);
        self.report_counts(emit);
    }

    /// Takes bytes among which no line is ended by force.
    fn search_and_take(&mut self, chunk: &[u8], now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        let (offset, resume) = (self.end_offset(), self.array.as_ref().map_or(0, |_| self.resume_at().0));
        let unfolded = match (&mut self.wide, &mut self.array) {
            (Some(wide), _) => Some(wide.unfold(chunk, core.settings.line_bytes_max)),
            (None, Some(array)) => {
                array.forget_before(resume);
                Some(array.unfold(chunk, offset))
            }
            (None, None) => self.journal.unfold(chunk),
        };
        self.search_and_take_unfolded(unfolded.as_deref().unwrap_or(chunk), now, core, emit);
    }

    fn search_and_take_unfolded(&mut self, chunk: &[u8], now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        // Not longer than a line may be, so that an overlong one never lies within one piece.
        let mut hits = Hits::default();
        for piece in chunk.chunks(PIECE_BYTES.min(core.settings.line_bytes_max)) {
            core.detector.search().search(piece, &mut hits);
            self.take(piece, &hits, now, core, emit);
        }
    }

    /// Takes a chunk whose candidates and lines are known.
    pub(in crate::pipeline) fn push_searched(
        &mut self,
        chunk: &[u8],
        hits: &Hits,
        now: UnixTime,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        self.journal.rule_out(chunk);
        let is_plain = self.journal == Journal::No && self.array.is_none() && self.wide.is_none();
        let has_break = self.trail.next_break(self.end_offset(), chunk.len()).is_some();
        if !is_plain || has_break || chunk.len() > PIECE_BYTES.min(core.settings.line_bytes_max) {
            self.push(chunk, now, core, emit);
            return;
        }
        self.note_push(now);
        self.take(chunk, hits, now, core, emit);
        self.report_counts(emit);
    }

    fn take(&mut self, chunk: &[u8], hits: &Hits, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        let (mut piece, mut lines_before) = (chunk, 0);
        self.counts.bytes += self.trail.uncounted_bytes(self.end_offset(), piece.len());
        if self.skipping {
            let Some(at) = memchr(b'\n', piece) else {
                self.base += piece.len() as u64;
                return;
            };
            piece = piece.get(at + 1..).unwrap_or_default();
            lines_before += 1;
            self.base += at as u64 + 1;
            self.skipping = false;
        }
        if let Some(at) = self.has_partial().then(|| memchr(b'\n', piece)).flatten() {
            let (head, rest) = piece.split_at_checked(at + 1).unwrap_or((piece, b""));
            self.count_truncated(self.partial_length() + at, core);
            let start = self.bytes.len() - self.partial_length();
            self.bytes.extend_from_slice(head);
            self.note_long_line(start);
            self.work(self.bytes.len(), now, false, None, core, emit);
            piece = rest;
            lines_before += 1;
        }
        if !self.has_partial() {
            let end = memrchr(b'\n', piece).map_or(0, |at| at + 1);
            let (lines, rest) = piece.split_at_checked(end).unwrap_or((piece, b""));
            let mut hits = hits.within(chunk.len() - piece.len(), lines.len(), lines_before);
            core.detector.keep_promising(lines, &mut hits);
            self.note_long_lines(lines, &hits);
            if self.is_quiet() && hits.starts.is_empty() && self.splits.is_empty() {
                self.pass(lines, &hits, now, core, emit);
            } else {
                self.look_through(lines, &hits, now, core, emit);
            }
            piece = rest;
        }
        self.bytes.extend_from_slice(piece);
        if self.partial_length() > core.settings.line_bytes_max {
            self.count_truncated(self.partial_length(), core);
            self.force(now, core, emit);
            self.skipping = true;
        }
    }

    /// Looks at new lines.
    fn look_through(&mut self, lines: &[u8], hits: &Hits, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        // Lines that were counted in an earlier run are told from others by going through them.
        let is_new = self.trail.counted_lines_end(self.end_offset()) == 0;
        let keep = kept_lines(core.settings.window_lines);
        let first = hits.behind_breaks(lines, keep as u64).filter(|first| lines.len() - first >= IN_PLACE_LEAST);
        let Some(first) = first.filter(|_| is_new && self.scanned == self.bytes.len()) else {
            self.copy_and_work(lines, is_new.then_some(hits), now, core, emit);
            return;
        };
        let (head, tail) = lines.split_at_checked(first).unwrap_or((lines, b""));
        self.copy_and_work(head, Some(&hits.of_first(first, keep as u64)), now, core, emit);
        if self.bytes.len() != first || self.scanned != first {
            self.copy_and_work(tail, None, now, core, emit);
            return;
        }
        // What is kept are lines of this chunk now: the others need not be copied behind them.
        debug_assert!(self.bytes == head, "the lines before these are no longer kept");
        let fresh = Some(Fresh { hits, from: 0, passed: keep as u64, hits_passed: Cell::default() });
        self.work_on(&Work { bytes: lines, limit: lines.len(), now, is_final: false, fresh }, core, emit);
        self.prune_trail_in(lines, keep);
        let known = (self.scanned == lines.len()).then_some((lines, hits));
        let (cut, kept) = self.dropped(lines, keep, known).unwrap_or((0, keep as u64));
        self.bytes.clear();
        self.bytes.extend_from_slice(lines.get(cut..).unwrap_or_default());
        self.drop_before(cut, kept);
    }

    /// Looks at new lines together with those that are kept.
    fn copy_and_work(
        &mut self,
        lines: &[u8],
        hits: Option<&Hits>,
        now: UnixTime,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        let hits = hits.filter(|_| self.scanned == self.bytes.len());
        let fresh = hits.map(|hits| Fresh { hits, from: self.scanned, passed: 0, hits_passed: Cell::default() });
        self.bytes.extend_from_slice(lines);
        self.work(self.bytes.len(), now, false, fresh, core, emit);
        let is_done = self.scanned == self.bytes.len();
        self.trim(core.settings.window_lines, hits.filter(|_| is_done).map(|hits| (lines, hits)));
    }

    /// The last line has not ended yet.
    fn has_partial(&self) -> bool {
        self.bytes.last().is_some_and(|byte| *byte != b'\n')
    }

    fn partial_length(&self) -> usize {
        self.bytes.len() - memrchr(b'\n', &self.bytes).map_or(0, |at| at + 1)
    }

    /// Counts the unfinished line as cut, if it comes to more bytes than a line may have.
    fn count_truncated(&mut self, length: usize, core: &Core) {
        let start = self.base + (self.bytes.len() - self.partial_length()) as u64;
        let is_cut = length > core.settings.line_bytes_max;
        self.counts.truncated += u64::from(is_cut && self.trail.is_uncounted_line(start));
    }

    /// Nothing is underway that lines without a hit could matter to.
    fn is_quiet(&self) -> bool {
        self.waiting.is_none() && !self.open.iter().any(Rejection::wants_token)
    }

    /// Takes lines without a hit: they are counted, and only as many are kept as can be looked back at.
    fn pass(&mut self, lines: &[u8], hits: &Hits, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.line += hits.lines;
        let counted = self.trail.counted_lines_end(self.end_offset());
        self.counts.lines += if counted == 0 { hits.lines } else { replay::uncounted(lines, counted, lines.len()) };
        let keep = kept_lines(core.settings.window_lines);
        let dropped = hits.lines.checked_sub(keep as u64).filter(|dropped| *dropped > 0);
        if let Some(cut) = dropped.and_then(|dropped| hits.behind_breaks(lines, dropped)) {
            self.prune_trail(keep);
            self.base += (self.bytes.len() + cut) as u64;
            self.base_line = self.line - keep as u64;
            self.bytes.clear();
            self.bytes.extend_from_slice(lines.get(cut..).unwrap_or_default());
            self.scanned = self.bytes.len();
            self.tokens.forget_bytes();
        } else {
            self.bytes.extend_from_slice(lines);
            self.scanned = self.bytes.len();
            self.trim(core.settings.window_lines, None);
        }
        self.close(core, now, emit);
    }

    /// Drops what lies too far back to be looked at again. `lines` were looked at last, if their breaks are known.
    fn trim(&mut self, window_lines: u32, lines: Option<(&[u8], &Hits)>) {
        let keep = kept_lines(window_lines);
        self.prune_trail(keep);
        if let Some((cut, kept)) = self.dropped(&self.bytes, keep, lines).filter(|(cut, _)| *cut > 0) {
            self.bytes.drain(..cut);
            self.drop_before(cut, kept);
        }
    }

    /// Up to where the bytes that were looked at are no longer needed, and how many of their lines are kept.
    fn dropped(&self, bytes: &[u8], keep: usize, lines: Option<(&[u8], &Hits)>) -> Option<(usize, u64)> {
        let within = lines.and_then(|(lines, hits)| {
            let before = self.scanned.checked_sub(lines.len())?;
            Some(before + hits.behind_breaks(lines, hits.lines.checked_sub(keep as u64)?)?)
        });
        let floor = self.scanned.saturating_sub(KEPT_BYTES_MAX);
        let head = bytes.get(floor..self.scanned).unwrap_or_default();
        match within.or_else(|| Some(floor + last_lines(head, keep)?)) {
            Some(at) => Some((at, keep as u64)),
            None => (floor > 0).then(|| (floor, memchr_iter(b'\n', head).count() as u64)),
        }
    }

    /// The first bytes were dropped, and so many lines that were looked at are kept.
    fn drop_before(&mut self, cut: usize, kept: u64) {
        self.base_line = self.line.saturating_sub(kept);
        self.base += cut as u64;
        self.scanned -= cut;
        self.tokens.shift(cut, self.base_line);
    }

    fn note_push(&mut self, now: UnixTime) {
        self.first_push.get_or_insert(now);
        self.last_push = now;
    }

    /// Takes note of when the last bytes were written, if that is earlier than when they came, and that there are no others.
    pub(in crate::pipeline) fn written(&mut self, at: UnixTime) {
        self.is_caught_up = !self.stream.whole;
        self.last_push = self.last_push.min(at);
    }

    /// The stream has been silent for longer than a token may be away.
    pub(in crate::pipeline) fn is_silent(&self, now: UnixTime, window_seconds: u32) -> bool {
        now.millis_since(self.last_push) > i64::from(window_seconds.max(REST_SECONDS_LEAST)) * 1000
    }

    /// Forgets the lines of a silent stream that could be looked back at, but for an unfinished one; gives their bytes.
    pub(in crate::pipeline) fn rest(&mut self, now: UnixTime, window_seconds: u32) -> usize {
        if !self.is_silent(now, window_seconds) || self.kept() == 0 || !self.is_quiet() || self.is_awake() {
            return 0;
        }
        let before = self.kept();
        self.drop_lines();
        self.tokens = Tokens::default();
        // Their room is given back too: of thousands of silent files it is much.
        (self.open, self.heads, self.last) = (VecDeque::new(), Heads::default(), None);
        self.prune_trail(0);
        self.trail.shrink();
        before - self.kept()
    }

    /// When bytes came last, if some could be forgotten.
    pub(in crate::pipeline) fn forgettable_since(&self) -> Option<UnixTime> {
        (self.kept() > 0 && self.is_quiet() && !self.is_awake()).then_some(self.last_push)
    }

    /// Forgets the lines that could be looked back at although some may still matter: there are too many in all.
    pub(in crate::pipeline) fn forget(&mut self, window_lines: u32) {
        self.prune_trail(kept_lines(window_lines));
        self.drop_lines();
        self.tokens.forget();
        self.open.iter_mut().filter(|rejection| rejection.is_settled()).for_each(Rejection::forget_tokens);
        self.heads = self.open.iter().map(Head::of).collect();
    }

    /// Bytes kept: lines, and the tokens that were found in them.
    pub(in crate::pipeline) fn kept(&self) -> usize {
        let open: usize = self.open.iter().map(Rejection::token_bytes).sum();
        self.bytes.capacity() + self.tokens.kept() + open
    }

    /// Drops all lines but an unfinished one.
    fn drop_lines(&mut self) {
        let partial = self.bytes.len() - self.partial_length();
        self.bytes.drain(..partial);
        self.bytes.shrink_to_fit();
        self.base += partial as u64;
        self.base_line = self.line;
        self.scanned = 0;
    }

    pub(in crate::pipeline) fn end_line(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.flush(now, core, emit);
        if self.bytes.last().is_some_and(|byte| *byte != b'\n') {
            self.force(now, core, emit);
            self.trail.note_break(self.base);
            if let Some(array) = &mut self.array {
                array.begin(self.base);
            }
        }
        self.report_counts(emit);
    }

    pub(in crate::pipeline) fn finish(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.flush(now, core, emit);
        self.force(now, core, emit);
        self.heads = Heads::default();
        while let Some(rejection) = self.open.pop_front() {
            self.settle(&rejection, now, core, emit);
        }
        self.report_counts(emit);
    }

    /// Takes what is there as complete lines and forgets the bytes.
    pub(super) fn force(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        let limit = self.bytes.len();
        self.work(limit, now, true, None, core, emit);
        if self.bytes.last().is_some_and(|byte| *byte != b'\n') {
            let start = memrchr(b'\n', &self.bytes).map_or(0, |at| at + 1);
            self.line += 1;
            self.counts.lines += u64::from(self.trail.is_uncounted_line(self.base + start as u64));
        }
        self.base += limit as u64;
        self.base_line = self.line;
        self.bytes.clear();
        self.scanned = 0;
        self.tokens.forget_bytes();
    }
}

/// How many lines are kept to be looked back at: from a hit to the head of its block, and from there as far as times and
/// tokens may be.
const fn kept_lines(window_lines: u32) -> usize {
    let window = window_lines as usize;
    (if window > OWN_LINES { window } else { OWN_LINES }) + BLOCK_LINES_MAX + 1
}
