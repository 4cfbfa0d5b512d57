//! Chunks as they come in: searched whole, cut into lines, and passed over where nothing is to be looked at.

use memchr::{memchr, memrchr};

use super::{Feed, KEPT_BYTES_MAX, Work, kept_lines};
use crate::detect::search::Hits;
use crate::pipeline::Event;
use crate::pipeline::judge::Core;
use crate::time::UnixTime;

/// Chunks are taken in pieces of this size, in bytes: small enough for the second-level cache.
const PIECE_BYTES: usize = 256 << 10;
/// Candidates in the last lines of a feed's bytes.
pub(super) struct Fresh<'a> {
    pub(super) hits: &'a Hits,
    /// Where these lines begin.
    from: usize,
}

impl Work<'_> {
    /// The next candidate at or after a position.
    pub(super) fn next(&self, from: usize, core: &Core) -> Option<usize> {
        let Some(fresh) = &self.fresh else {
            return core.detector.find(self.bytes.get(..self.limit).unwrap_or_default(), from);
        };
        let at = fresh.hits.starts.partition_point(|start| fresh.from + start < from);
        fresh.hits.starts.get(at).map(|start| fresh.from + start)
    }
}

impl Feed {
    pub(in crate::pipeline) fn push(
        &mut self,
        chunk: &[u8],
        now: UnixTime,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        self.last_push = now;
        // Not longer than a line may be, so that an overlong one never lies within one piece.
        let mut hits = Hits::default();
        for piece in chunk.chunks(PIECE_BYTES.min(core.settings.line_bytes_max)) {
            core.detector.search().search(piece, &mut hits);
            self.take(piece, &hits, now, core, emit);
        }
        self.report_counts(emit);
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
        if chunk.len() > PIECE_BYTES.min(core.settings.line_bytes_max) {
            self.push(chunk, now, core, emit);
            return;
        }
        self.last_push = now;
        self.take(chunk, hits, now, core, emit);
        self.report_counts(emit);
    }

    fn take(&mut self, chunk: &[u8], hits: &Hits, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.counts.bytes += chunk.len() as u64;
        let mut piece = chunk;
        let mut lines_before = 0;
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
            self.counts.truncated += u64::from(self.partial_length() + at > core.settings.line_bytes_max);
            self.bytes.extend_from_slice(head);
            self.work(self.bytes.len(), now, false, None, core, emit);
            piece = rest;
            lines_before += 1;
        }
        if !self.has_partial() {
            let end = memrchr(b'\n', piece).map_or(0, |at| at + 1);
            let (lines, rest) = piece.split_at_checked(end).unwrap_or((piece, b""));
            let mut hits = hits.within(chunk.len() - piece.len(), lines.len());
            hits.lines = hits.lines.saturating_sub(lines_before);
            core.detector.keep_promising(lines, &mut hits);
            if self.is_quiet() && hits.starts.is_empty() {
                self.pass(lines, hits.lines, now, core, emit);
            } else {
                let fresh = (self.scanned == self.bytes.len()).then_some(Fresh { hits: &hits, from: self.scanned });
                self.bytes.extend_from_slice(lines);
                self.work(self.bytes.len(), now, false, fresh, core, emit);
                self.trim(core.settings.window_lines);
            }
            piece = rest;
        }
        self.bytes.extend_from_slice(piece);
        if self.partial_length() > core.settings.line_bytes_max {
            self.counts.truncated += 1;
            self.force(now, core, emit);
            self.skipping = true;
        }
    }

    /// Takes lines without a hit: they are counted, and only as many are kept as can be looked back at.
    fn pass(&mut self, lines: &[u8], count: u64, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.line += count;
        self.counts.lines += count;
        let keep = kept_lines(core.settings.window_lines);
        let floor = lines.len().saturating_sub(KEPT_BYTES_MAX);
        let near = lines.get(floor..).unwrap_or_default();
        match memchr::memrchr_iter(b'\n', near).nth(keep) {
            Some(at) if count > keep as u64 => {
                let cut = floor + at + 1;
                self.base += (self.bytes.len() + cut) as u64;
                self.bytes.clear();
                self.bytes.extend_from_slice(lines.get(cut..).unwrap_or_default());
                self.scanned = self.bytes.len();
                self.tokens.forget_bytes();
            }
            Some(_) | None => {
                self.bytes.extend_from_slice(lines);
                self.scanned = self.bytes.len();
                self.trim(core.settings.window_lines);
            }
        }
        self.close(core, now, emit);
    }
}
