//! Checkpoints of a stream, and how a stream that is read again keeps silent about what was counted.

use std::collections::{BTreeMap, VecDeque};

use super::head::Head;
use super::journal::Journal;
use super::wide::{Order, Wide};
use super::{Feed, Stream, blocks, names};
use crate::diagnosis::Fingerprint;
use crate::pair::rejection::{Progress, Rejection, Sighting};
use crate::pipeline::Event;
use crate::pipeline::array::Array;
use crate::pipeline::checkpoint::{Checkpoint, Sighted, State};
use crate::pipeline::judge::Core;
use crate::time::{Moment, UnixTime};

/// The sightings and forced line ends that a checkpoint may have to name, and those that the last one named.
#[derive(Debug, Default)]
pub(super) struct Trail {
    seen: VecDeque<Seen>,
    breaks: VecDeque<u64>,
    /// The last time seen before the sighting at hand, and on which line.
    before: Before,
    replay: Replay,
}

/// A sighting.
#[derive(Clone, Copy, Debug)]
struct Seen {
    offset: u64,
    /// Offset of the first sighting of its rejection.
    of: u64,
    /// Where to read again to see it as it was seen: an offset, and the number of the line there.
    from: (u64, u64),
    /// What was known before it.
    before: Before,
}

/// What sightings leave behind for those that follow.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// The last time seen, and on which line.
    pub(super) time: Option<(u64, Moment)>,
    /// The region of the last rejection that had an endpoint near to it.
    pub(super) region: Option<&'static str>,
}

/// What is counted of a stream that is read again.
#[derive(Debug, Default)]
struct Replay {
    sightings: BTreeMap<u64, Sighted>,
    breaks: VecDeque<u64>,
    bytes_to: u64,
    lines_to: u64,
}

impl Trail {
    /// How many of the next bytes are not counted yet.
    pub(super) fn uncounted_bytes(&self, offset: u64, length: usize) -> u64 {
        let length = length as u64;
        length - self.replay.bytes_to.saturating_sub(offset).min(length)
    }

    /// Whether the line that starts there is not counted yet.
    pub(super) fn is_uncounted_line(&self, start: u64) -> bool {
        start >= self.replay.lines_to
    }

    /// How many bytes from `base` on belong to lines that are counted.
    pub(super) fn counted_lines_end(&self, base: u64) -> usize {
        usize::try_from(self.replay.lines_to.saturating_sub(base)).unwrap_or(usize::MAX)
    }

    /// How the sighting that starts there was counted, if it was.
    pub(super) fn counted(&self, offset: u64) -> Option<Sighted> {
        self.replay.sightings.get(&offset).copied().filter(|sighted| sighted.state != State::Waiting)
    }

    /// Whether what looks like a sighting was looked at before and was none: a part of an object, for example, whose
    /// beginning is not read again.
    pub(super) fn was_none(&self, offset: u64, end: u64) -> bool {
        end <= self.replay.lines_to && !self.replay.sightings.contains_key(&offset)
    }

    /// How many of the next bytes are to be taken before a line was ended by force.
    pub(super) fn next_break(&mut self, offset: u64, length: usize) -> Option<usize> {
        while self.replay.breaks.front().is_some_and(|at| *at <= offset) {
            self.replay.breaks.pop_front();
        }
        let next = self.replay.breaks.front()?.checked_sub(offset)?;
        usize::try_from(next).ok().filter(|next| *next <= length)
    }

    /// Notes what was known before the next sighting.
    pub(super) const fn remember(&mut self, before: Before) {
        self.before = before;
    }

    pub(super) fn note(&mut self, offset: u64, of: u64, from: (u64, u64)) {
        self.seen.push_back(Seen { offset, of, from, before: self.before });
    }

    /// Gives back the room of what was forgotten.
    pub(super) fn shrink(&mut self) {
        self.seen.shrink_to_fit();
        self.breaks.shrink_to_fit();
    }

    pub(super) fn note_break(&mut self, offset: u64) {
        self.breaks.push_back(offset);
    }
}

/// How many lines up to a position are not counted yet: those that start at `counted` or after it.
pub(super) fn uncounted(bytes: &[u8], counted: usize, to: usize) -> u64 {
    let ends = memchr::memchr_iter(b'\n', bytes.get(counted..to).unwrap_or_default()).count() as u64;
    // An overlong line is counted before its end is seen.
    let starts = counted.checked_sub(1).and_then(|at| bytes.get(at)).is_none_or(|before| *before == b'\n');
    if starts { ends } else { ends.saturating_sub(1) }
}

impl Feed {
    /// A feed that goes on where a checkpoint was taken.
    pub(in crate::pipeline) fn resumed(stream: Stream, checkpoint: Checkpoint) -> Self {
        let mut feed = Self::new(stream);
        feed.base = checkpoint.resume;
        feed.journal = match checkpoint.is_journal {
            true => Journal::Field,
            false if checkpoint.resume == 0 => Journal::default(),
            false => Journal::No,
        };
        feed.wide = checkpoint.wide.map(|is_big| Box::new(Wide::new(if is_big { Order::Big } else { Order::Little })));
        feed.array = checkpoint.array.map(|place| Box::new(Array::resumed(place, checkpoint.resume)));
        (feed.line, feed.base_line) = (checkpoint.line, checkpoint.line);
        feed.skipping = checkpoint.skipping;
        feed.last_time = checkpoint.last_time.map(|(line, millis)| {
            let exact = Moment::exact(UnixTime::from_millis(millis));
            (line, Moment { is_dateless: checkpoint.last_time_is_dateless, ..exact })
        });
        feed.tokens.set_region(checkpoint.region.as_deref().and_then(names::known_region));
        feed.trail.replay = Replay {
            sightings: checkpoint.sightings.into_iter().map(|sighted| (sighted.offset, sighted)).collect(),
            breaks: checkpoint.breaks.into(),
            bytes_to: checkpoint.bytes_to,
            lines_to: checkpoint.lines_to,
        };
        feed
    }

    /// Where and how to go on if this is the last that is known of the stream.
    pub(in crate::pipeline) fn checkpoint(&self) -> Checkpoint {
        let (resume, line) = self.resume_at();
        let state = |of: u64| self.open_at(of).and_then(|at| self.open.get(at)).map(Rejection::is_settled);
        let sighted = |seen: &Seen| {
            let state = match state(seen.of) {
                None => State::Closed,
                Some(true) => State::Open,
                Some(false) => State::Waiting,
            };
            Sighted { offset: seen.offset, of: seen.of, state }
        };
        // What the stream was resumed with and has not reached again yet still stands.
        let reached = self.base + self.scanned as u64;
        let replay = &self.trail.replay;
        let next = self.trail.seen.back().map_or(resume, |seen| seen.offset + 1);
        let ahead = replay.sightings.range(next..).map(|(_, sighted)| *sighted);
        let seen = self.trail.seen.iter().filter(|seen| seen.offset >= resume);
        // Only sightings change this, so the first after that place knows how it was there.
        let now = Before { time: self.last_time, region: self.tokens.region() };
        let before = seen.clone().next().map_or(now, |seen| seen.before);
        let breaks = self.trail.breaks.iter().chain(&replay.breaks).copied();
        Checkpoint {
            resume,
            line: self.told_line(line),
            skipping: self.skipping && resume == self.base,
            bytes_to: self.end_offset().max(replay.bytes_to),
            lines_to: reached.max(replay.lines_to),
            breaks: breaks.filter(|at| *at > resume).collect(),
            sightings: seen.map(sighted).chain(ahead).collect(),
            last_time: before.time.map(|(line, moment)| (self.told_line(line), moment.time.as_millis())),
            last_time_is_dateless: before.time.is_some_and(|(_, moment)| moment.is_dateless),
            region: before.region.map(str::to_owned),
            is_journal: self.journal.is_export(),
            wide: self.wide.as_ref().map(|wide| wide.order() == Order::Big),
            array: self.array.as_ref().map(|array| array.place(resume, self.skipping && resume == self.base)),
            columns: None,
        }
    }

    /// Offset behind the last byte that came.
    pub(super) fn taken_offset(&self) -> u64 {
        self.end_offset() + self.wide.as_ref().map_or(0, |wide| wide.held() as u64)
    }

    /// Offset behind the last byte taken.
    pub(super) fn end_offset(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// The place from which all is seen again that may still matter.
    pub(super) fn resume_at(&self) -> (u64, u64) {
        let now = (self.base, self.base_line);
        // Rejections and sightings both stand in the order of the stream, so the first that is open needs the most.
        let Some(first) = self.open.front().map(|open| open.first.offset) else { return now };
        let seen = self.trail.seen.binary_search_by_key(&first, |seen| seen.offset).ok();
        seen.and_then(|at| self.trail.seen.get(at)).map_or(now, |seen| seen.from.min(now))
    }

    /// Moves the place from which the first open rejection needs to be read again up to the lines that it can need.
    fn tighten(&mut self, bytes: &[u8], keep_lines: usize) {
        let Some((offset, line)) = self.open.front().map(|open| (open.first.offset, open.first.line)) else { return };
        let Ok(seen) = self.trail.seen.binary_search_by_key(&offset, |seen| seen.offset) else { return };
        let Some(seen) = self.trail.seen.get_mut(seen) else { return };
        let from_line = line.saturating_sub(keep_lines as u64);
        if seen.from.1 >= from_line {
            return;
        }
        let Some(at) = offset.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()) else { return };
        let before = bytes.get(..at).unwrap_or_default();
        if let Some(found) = blocks::last_lines(before, keep_lines) {
            seen.from = seen.from.max((self.base + found as u64, from_line));
        }
    }

    /// The place among the open rejections of the one whose first sighting stands there.
    fn open_at(&self, of: u64) -> Option<usize> {
        self.open.binary_search_by_key(&of, |open| open.first.offset).ok()
    }

    /// Forgets what no checkpoint will name any more; call it while the bytes before the first open rejection are there.
    pub(super) fn prune_trail(&mut self, keep_lines: usize) {
        let bytes = std::mem::take(&mut self.bytes);
        self.prune_trail_in(&bytes, keep_lines);
        self.bytes = bytes;
    }

    /// The same, where these are the bytes.
    pub(super) fn prune_trail_in(&mut self, bytes: &[u8], keep_lines: usize) {
        if self.trail.seen.is_empty() && self.trail.breaks.is_empty() {
            return;
        }
        self.tighten(bytes, keep_lines);
        let (resume, _) = self.resume_at();
        while self.trail.seen.front().is_some_and(|seen| seen.offset < resume) {
            self.trail.seen.pop_front();
        }
        while self.trail.breaks.front().is_some_and(|at| *at <= resume) {
            self.trail.breaks.pop_front();
        }
    }

    /// Puts a further sighting that is counted to its rejection, if that is still open; gives its id.
    pub(super) fn sight_further(&mut self, counted: Sighted, sighting: &Sighting) -> Option<Fingerprint> {
        let at = self.open_at(counted.of)?;
        let open = self.open.get_mut(at)?;
        open.merge(sighting);
        self.heads.replace(at, Head::of(open));
        Some(open.id)
    }

    /// Gives what waits, because nobody reads the stream for now; it may go on from its checkpoint later.
    pub(in crate::pipeline) fn suspend(&mut self, now: UnixTime, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        if !self.stream.whole {
            if self.waiting.is_some() || self.open.iter().any(Rejection::is_waiting) {
                let limit = memchr::memrchr(b'\n', &self.bytes).map_or(0, |at| at + 1);
                self.work(limit, now, true, None, core, emit);
            }
            let mut open = std::mem::take(&mut self.open);
            for rejection in &mut open {
                self.settle(rejection, now, core, emit);
                rejection.progress = Progress::Settled;
            }
            self.open = open;
        }
        self.report_counts(emit);
    }
}
