//! Long lines that may have been split: where a hit may lie across two pieces, and what was sighted already.

use std::collections::VecDeque;

use super::{Feed, Work};
use crate::detect::search::Hits;
use crate::pipeline::blocks::Line;
use crate::pipeline::judge::Core;
use crate::pipeline::split::{self, End, Joined, LINES_MAX, LONG_BYTES, Seam};

/// What is known of split lines.
#[derive(Debug, Default)]
pub(super) struct Splits {
    /// Offsets of long pieces that have not been looked at, ascending.
    long: VecDeque<u64>,
    /// Offsets of the first pieces of the last lines that were looked at as wholes.
    known: VecDeque<u64>,
    /// Offset of the first piece of the last line that was too long to be looked at as a whole.
    over: Option<u64>,
}

impl Splits {
    /// No long piece is still to be looked at.
    pub(super) fn is_empty(&self) -> bool {
        self.long.is_empty()
    }

    /// The line that begins there was looked at because of another of its pieces.
    pub(super) fn is_known(&self, first: u64) -> bool {
        self.known.contains(&first)
    }

    fn know(&mut self, first: u64) {
        self.known.push_back(first);
        if self.known.len() > LINES_MAX {
            self.known.pop_front();
        }
    }
}

impl Feed {
    /// The next position to look at: a hit, or a long piece that may end in a part of one.
    pub(super) fn next(&mut self, work: &Work<'_>, from: usize, core: &Core) -> Option<(usize, bool)> {
        let hit = work.next(from, core);
        while self.splits.long.front().is_some_and(|offset| *offset < self.base + from as u64) {
            self.splits.long.pop_front();
        }
        let long = self.splits.long.front().and_then(|offset| usize::try_from(offset - self.base).ok());
        let long = long.filter(|long| *long < work.limit && hit.is_none_or(|hit| *long <= hit));
        long.map(|long| (long, true)).or_else(|| hit.map(|hit| (hit, false)))
    }

    /// A hit lies across the end of a long piece, or may once the next piece has come. The piece is not looked at again
    /// if it does not.
    pub(super) fn is_hit_split(&mut self, work: &Work<'_>, line: Line, core: &Core) -> bool {
        let is_hit = match split::seam(work.bytes, line, work.limit, core.settings.line_bytes_max) {
            Seam::Nothing => false,
            Seam::Open => !work.is_final,
            Seam::Text(text) => core.detector.has_needle(&text),
        };
        if !is_hit {
            self.splits.long.pop_front();
        }
        is_hit
    }

    /// Notes the long lines among those that come next and are not finished.
    pub(super) fn note_long_lines(&mut self, lines: &[u8], hits: &Hits) {
        let (offset, mut done) = (self.end_offset(), 0);
        for at in hits.long_stretches().take_while(|at| *at < lines.len()) {
            if at < done {
                continue;
            }
            let line = Line::around(lines, at, lines.len());
            done = line.end;
            if is_long(lines.get(line.start..line.end).unwrap_or_default()) {
                self.splits.long.push_back(offset + line.start as u64);
            }
        }
    }

    /// Notes the last line, which begins there and has just ended, if it is long and not finished.
    pub(super) fn note_long_line(&mut self, start: usize) {
        if is_long(self.bytes.get(start..).unwrap_or_default()) {
            self.splits.long.push_back(self.base + start as u64);
        }
    }

    /// Notes that an object that begins at an offset, between the lines of which are lines of others, or a split line is
    /// being looked at. What was found in a line although it is too long counts as cut.
    pub(super) fn note_looked_at(&mut self, joined: Option<&Joined>, parted: Option<u64>) {
        if let Some(head) = parted {
            self.splits.know(head);
        }
        let Some(joined) = joined else { return };
        let first = self.base + joined.first as u64;
        if joined.is_over {
            // Another of its pieces is judged with what is near to that.
            let is_new = self.splits.over.replace(first) != Some(first);
            self.counts.truncated += u64::from(is_new && self.trail.is_uncounted_line(first));
        } else if joined.end != End::Open {
            self.splits.know(first);
        }
    }

    /// Notes which lines are a sighting: from one to another, or, where lines of others stand between, these, counted from
    /// the first; and the pieces of a split line.
    pub(super) fn own_lines(
        &mut self,
        (first, last): (u64, u64),
        (start, end): (usize, usize),
        parted: Option<&[u64]>,
        joined: Option<&Joined>,
    ) {
        if let Some(parted) = parted {
            for on in parted {
                self.tokens.own(first + on, first + on);
            }
        } else {
            self.tokens.own(first, last);
            self.tokens.own_bytes(start..end);
        }
        if let Some(joined) = joined {
            self.note_split(joined, self.line);
        }
    }

    /// Notes that a split line is a sighting, which stands on a line of this number.
    fn note_split(&mut self, joined: &Joined, line: u64) {
        let before = joined.before.iter().map(|back| line.saturating_sub(*back));
        for piece in before.chain(joined.after.iter().map(|on| line + on)) {
            self.tokens.own(piece, piece);
        }
        let first = self.base + joined.first as u64;
        if joined.end == End::Open || joined.is_over {
            self.splits.know(first);
        }
    }
}

/// A line that a runtime may have split at its usual limit, and that goes on.
fn is_long(line: &[u8]) -> bool {
    line.len() >= LONG_BYTES && split::is_unfinished(line.strip_suffix(b"\n").unwrap_or(line))
}
