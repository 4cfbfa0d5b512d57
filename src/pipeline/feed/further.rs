//! Further hits in an object whose first line was judged: codes, and the product that its stack trace names.

use super::{Feed, Line, Work};
use crate::diagnosis::Fingerprint;
use crate::envelope::{Emitter, Record};
use crate::pair::rejection::Rejection;
use crate::pipeline::blocks::{self, BLOCK_LINES_MAX, Block, Floor};
use crate::pipeline::judge::Core;

/// The block that was looked at last: a further hit in it begins no other sighting, and no line of it is looked at again
/// to find where a block begins.
#[derive(Debug)]
pub(super) struct Last {
    /// Offset of its first line.
    pub head: u64,
    /// Offset behind what has been looked at of it.
    pub behind: u64,
    /// Lines up to there.
    pub lines: u64,
    /// Who wrote it.
    pub emitter: Emitter,
    pub what: What,
}

/// What a block was.
#[derive(Debug)]
pub(super) enum What {
    /// A sighting of the rejection with this id, if that was open.
    Sighting(Option<Fingerprint>),
    /// Source code that a traceback shows.
    Source,
    Nothing,
}

impl Last {
    /// The block that begins at this offset, if it is a sighting.
    pub(super) fn is_sighting_at(&self, head: u64) -> bool {
        self.head == head && matches!(self.what, What::Sighting(_))
    }
}

impl Feed {
    /// Where the block that was looked at last ends, if that is still kept.
    pub(super) fn floor(&self) -> Option<Floor> {
        let last = self.last.as_ref()?;
        let position = |offset: u64| usize::try_from(offset.checked_sub(self.base)?).ok();
        let at = position(last.behind)?;
        Some(Floor { head: position(last.head).unwrap_or(at), at, emitter: last.emitter })
    }

    /// Takes a further hit of the block that was looked at last; says whether it is one.
    pub(super) fn is_further(&mut self, work: &Work<'_>, hit: Line, block: &Block<'_>, core: &Core) -> bool {
        let (base, max) = (self.base, core.settings.line_bytes_max);
        let head_offset = base + block.head.start as u64;
        let Some(last) = self.last.as_mut() else { return false };
        let lines = last.lines + block.lines_back + 1;
        let is_of_last = match &last.what {
            What::Source => block.follows,
            What::Sighting(_) => {
                block.is_continuation
                    && (last.head == head_offset || (block.follows && lines <= BLOCK_LINES_MAX as u64 + 1))
            }
            What::Nothing => false,
        };
        if !is_of_last {
            return false;
        }
        let from = usize::try_from(last.behind.saturating_sub(base)).unwrap_or(hit.start);
        (last.behind, last.lines) = (base + hit.end as u64, lines);
        if let What::Sighting(id) = &last.what
            && let Some(head) = last.head.checked_sub(base).and_then(|head| usize::try_from(head).ok())
        {
            let rejection = self.open.iter_mut().find(|open| Some(open.id) == *id);
            let first = blocks::read(work.bytes, Line::around(work.bytes, head, work.limit), max);
            note(work.bytes, (from, hit), &first, rejection, core);
        }
        true
    }

    /// Notes the block that was looked at, from its first line up to a position, so many lines on.
    pub(super) fn note_block(&mut self, (block, end): (&Block<'_>, usize), lines: u64, what: What) {
        let (head, behind) = (self.base + block.head.start as u64, self.base + end as u64);
        self.last = Some(Last { head, behind, lines, emitter: block.record.emitter, what });
    }
}

/// Takes in what a further hit in an object says, and what its lines from a position up to there say of the product: they
/// do, and not what a collector has put around them.
fn note(bytes: &[u8], (from, hit): (usize, Line), first: &Record<'_>, rejection: Option<&mut Rejection>, core: &Core) {
    let max = core.settings.line_bytes_max;
    // With the words of the first line, which tell whose code it is.
    let own = blocks::read(bytes, hit, max).text;
    let text = [&*first.text, b"\n", &*own].concat();
    let further = core.detector.refusal(&text, first);
    let Some(rejection) = rejection else { return };
    if let Some(further) = further {
        rejection.add_codes(&further.codes);
    }
    let mut line = Line { start: from, end: from };
    while rejection.product.is_none()
        && let Some(next) = line.after(bytes, hit.start)
    {
        rejection.product = core.detector.product(&blocks::read(bytes, next, max).text);
        line = next;
    }
    rejection.product = rejection.product.or_else(|| core.detector.product(&own));
}
