//! Chunks as they come in: in pieces that fit the cache, each searched once.

use super::{Feed, Work};
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
    pub(super) from: usize,
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
        for mut piece in chunk.chunks(PIECE_BYTES.min(core.settings.line_bytes_max)) {
            while let Some((head, tail)) =
                self.trail.next_break(self.end_offset(), piece.len()).and_then(|at| piece.split_at_checked(at))
            {
                core.detector.search().search(head, &mut hits);
                self.take(head, &hits, now, core, emit);
                self.end_line(now, core, emit);
                piece = tail;
            }
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
        let has_break = self.trail.next_break(self.end_offset(), chunk.len()).is_some();
        if has_break || chunk.len() > PIECE_BYTES.min(core.settings.line_bytes_max) {
            self.push(chunk, now, core, emit);
            return;
        }
        self.last_push = now;
        self.take(chunk, hits, now, core, emit);
        self.report_counts(emit);
    }
}
