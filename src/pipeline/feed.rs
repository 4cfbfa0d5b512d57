//! One stream: its bytes, its lines, and the rejections that are underway in it.
//!
//! Whole blocks are searched; a line is unwrapped only around a hit. Everything that is looked at later lies at most
//! `window_lines` lines back, or `OWN_LINES`, so that is how much of a stream is kept.

mod exposed;
mod further;
mod head;
mod heritage;
mod ids;
mod intake;
mod journal;
mod names;
mod replay;
mod settle;
mod splits;
mod times;
mod tokens;
mod wide;
mod wrapped;

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

use jiff::tz::TimeZone;
use memchr::memchr_iter;

use super::array::Array;
use super::blocks::{self, Line, Others};
use super::checkpoint::State;
use super::judge::Core;
use super::lean::without_tokens;
use super::split::{self, End};
use super::trace;
use super::{Event, Stream};
use crate::diagnosis::Fingerprint;
use crate::pair::rejection::{LinesAfter, Progress, Rejection, Sighting};
use crate::pair::sent::{self, Place};
use crate::stamp;
use crate::time::{Moment, UnixTime};

use exposed::Looked;
use further::{Last, What};
use head::{Head, Heads};
use intake::Fresh;
use journal::Journal;
use replay::{Before, Trail};
pub(super) use settle::Patience;
use splits::Splits;
use tokens::{Reach, Tokens};
use wide::Wide;
pub(super) use wide::{Encoding, Order};
use wrapped::Rest;

/// Kept of a stream at the most, besides an unfinished line, in bytes.
const KEPT_BYTES_MAX: usize = 512 << 10;
/// Lines are kept for at least so long after a stream fell silent, in seconds.
const REST_SECONDS_LEAST: u32 = 10;
/// One stream.
#[derive(Debug)]
pub(super) struct Feed {
    stream: Stream,
    zone: TimeZone,
    bytes: Vec<u8>,
    /// Offset of the first of `bytes` in the stream.
    base: u64,
    /// Whether it is an export of the journal, whose entries are its lines.
    journal: Journal,
    /// It is in UTF-16.
    wide: Option<Box<Wide>>,
    /// What of it is events in arrays.
    array: Option<Box<Array>>,
    /// Number of the line there.
    base_line: u64,
    /// So many lines are numbered before its first one.
    free_lines: u64,
    /// Position of the first line that has not been looked at.
    scanned: usize,
    /// Number of that line.
    line: u64,
    /// The rest of an overlong line is being skipped.
    skipping: bool,
    /// All that was there when the stream was opened has been read, as its source says.
    is_caught_up: bool,
    /// A multi-line object that is not complete yet has been waited for since then.
    waiting: Option<UnixTime>,
    tokens: Tokens,
    open: VecDeque<Rejection>,
    /// Of each of `open`, what most often tells that a sighting is of another rejection.
    heads: Heads,
    /// The last time seen, and on which line.
    last_time: Option<(u64, Moment)>,
    /// The numbers of lines, from the one to the other, of which none has a time.
    timeless: Cell<(u64, u64)>,
    last: Option<Last>,
    /// When bytes came first.
    first_push: Option<UnixTime>,
    /// When bytes came last, or were written last.
    last_push: UnixTime,
    counts: Counts,
    trail: Trail,
    looked: Option<Looked>,
    splits: Splits,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    lines: u64,
    truncated: u64,
    bytes: u64,
}

/// What the work on one piece needs besides the feed.
struct Work<'a> {
    bytes: &'a [u8],
    /// Where complete lines end.
    limit: usize,
    now: UnixTime,
    /// Nothing more will come for what is incomplete.
    is_final: bool,
    /// What is known of the lines that have not been looked at; none if they must be searched.
    fresh: Option<Fresh<'a>>,
}

impl Feed {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            zone: stamp::zone(&stream.timezone).unwrap_or(TimeZone::UTC),
            bytes: Vec::new(),
            base: stream.offset,
            journal: Journal::default(),
            wide: None,
            array: None,
            base_line: 1,
            free_lines: 0,
            scanned: 0,
            line: 1,
            skipping: false,
            is_caught_up: false,
            waiting: None,
            tokens: Tokens::default(),
            open: VecDeque::new(),
            heads: Heads::default(),
            last_time: None,
            timeless: Cell::default(),
            last: None,
            first_push: None,
            last_push: UnixTime::default(),
            counts: Counts::default(),
            trail: Trail::default(),
            looked: None,
            splits: Splits::default(),
            stream,
        }
    }

    /// Looks at all complete lines of the bytes that are kept.
    fn work(
        &mut self,
        limit: usize,
        now: UnixTime,
        is_final: bool,
        fresh: Option<Fresh<'_>>,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) {
        let bytes = std::mem::take(&mut self.bytes);
        self.work_on(&Work { bytes: &bytes, limit, now, is_final, fresh }, core, emit);
        self.bytes = bytes;
    }

    /// Looks at all complete lines.
    fn work_on(&mut self, work: &Work<'_>, core: &mut Core, emit: &mut dyn FnMut(Event)) {
        self.waiting = self.scan(work, core, emit).then(|| self.waiting.unwrap_or(work.now));
        self.end_early(work.now, core);
        if self.open.iter().any(Rejection::wants_token) {
            self.look_after(work, core);
        }
        self.close(core, work.now, emit);
    }

    /// Goes through the hits; says whether it stopped at an incomplete object.
    fn scan(&mut self, work: &Work<'_>, core: &mut Core, emit: &mut dyn FnMut(Event)) -> bool {
        let searched = work.bytes.get(..work.limit).unwrap_or_default();
        let mut from = self.scanned;
        let line_before = self.line.saturating_sub(work.fresh.as_ref().map_or(0, |fresh| fresh.passed));
        let mut last = Line { start: 0, end: 0 };
        while let Some((at, is_long)) = self.next(work, from, core) {
            // Of a long line with many hits, the ends are looked for once.
            let is_same = (last.start..last.end).contains(&at);
            let line = if is_same { last } else { Line::around(work.bytes, at, work.limit) };
            let before = std::mem::replace(&mut last, line);
            if is_long && !self.is_hit_split(work, line, core) {
                from = at;
                continue;
            }
            let in_reach = at - line.start < core.settings.line_bytes_max;
            // What came with the search is known to be promising.
            if !in_reach || (work.fresh.is_none() && !is_long && !core.detector.is_promising(searched, at)) {
                from = if in_reach { at + 1 } else { line.end };
                continue;
            }
            if core.detector.is_token(work.bytes, at) {
                self.expose(work, line, at, core, emit);
                from = at + 1;
                continue;
            }
            let lines_scanned = self.line.saturating_sub(line_before);
            let next = (before.start == self.scanned && before.end == line.start).then_some(lines_scanned + 1);
            let known = next.filter(|_| work.fresh.is_some());
            match known.or_else(|| work.lines_before(line.start, (self.scanned, lines_scanned))) {
                Some(lines) if line.start > self.scanned => self.pass_to(line.start, line_before + lines),
                Some(_) => {}
                None => self.advance(work.bytes, line.start),
            }
            let Some(end) = self.look(work, line, core, emit) else { return true };
            let end = end.max(line.end);
            if core.detector.exposed_tokens() {
                self.expose_rest(work, end, at, core, emit);
            }
            from = end;
        }
        match &work.fresh {
            // What was counted with the search is not counted again.
            Some(fresh) => self.pass_to(work.limit, line_before + fresh.hits.lines),
            None => self.advance(work.bytes, work.limit),
        }
        false
    }

    /// Moves to a later line of a known number; no line on the way was counted before.
    fn pass_to(&mut self, to: usize, line: u64) {
        self.counts.lines += line.saturating_sub(self.line);
        self.line = self.line.max(line);
        self.scanned = self.scanned.max(to);
    }

    /// Moves to a later line, counting the lines on the way.
    fn advance(&mut self, bytes: &[u8], to: usize) {
        let passed = bytes.get(self.scanned..to).unwrap_or_default();
        let lines = memchr_iter(b'\n', passed).count() as u64;
        self.line += lines;
        let counted = self.trail.counted_lines_end(self.base);
        self.counts.lines += if counted <= self.scanned { lines } else { replay::uncounted(bytes, counted, to) };
        self.scanned = self.scanned.max(to);
    }

    /// Looks at the block around a hit; gives the position to go on from, or `None` if the block is not complete yet.
    fn look(&mut self, work: &Work<'_>, hit: Line, core: &mut Core, emit: &mut dyn FnMut(Event)) -> Option<usize> {
        let max = core.settings.line_bytes_max;
        let joined = split::joined(work.bytes, hit, work.limit, max);
        if let Some(joined) = &joined {
            let may_come = joined.end == End::Open && !work.is_final;
            if may_come && work.limit - joined.first <= KEPT_BYTES_MAX {
                return None;
            }
            if self.splits.is_known(self.base + joined.first as u64) {
                return Some(hit.end);
            }
        }
        let mut block = blocks::head_behind(work.bytes, hit, joined.as_ref(), self.floor(), max);
        let too_long = work.limit - block.head.start > KEPT_BYTES_MAX;
        if block.is_open() && !work.is_final && !too_long {
            return None;
        }
        if self.is_further(work, hit, &block, core) {
            return Some(hit.end);
        }
        if block.is_source_code() {
            let lines = block.lines_to(hit.end, work.bytes, joined.as_ref());
            self.note_block((&block, hit.end), lines, What::Source);
            return Some(hit.end);
        }
        let head_offset = self.base + block.head.start as u64;
        let mut body = block.body(work.bytes, work.limit, Others::Pass, max);
        if body.parted.is_some() && self.splits.is_known(head_offset) {
            return Some(hit.end);
        }
        if !body.is_complete && !work.is_final && !too_long {
            return None;
        }
        let is_parted = joined.is_some() || body.parted.is_some();
        self.note_looked_at(joined.as_ref(), body.parted.as_ref().map(|_| head_offset));
        // Between its lines, or the pieces of a split line, may be lines of others.
        let end = if is_parted { hit.end } else { body.end.max(hit.end) };
        let lines = block.lines_to(end, work.bytes, joined.as_ref());
        block.take_in(&mut body);
        let text = without_tokens(&body.text);
        let Some(mut refusal) = core.detector.refusal(&text, &block.record) else {
            self.note_block((&block, end), lines, What::Nothing);
            return Some(end);
        };
        if refusal.product.is_none() {
            let announced = || core.detector.announced(block.head.before(work.bytes)?.text(work.bytes, max));
            refusal.probable_product = refusal.probable_product.or_else(announced);
        }
        let limited = blocks::is_limited(hit, &block.record, max);
        let mut sent = sent::find(&body.text, Place::Refusal, limited);
        let mut pieces = 0;
        if let Some(first) = sent.as_ref().filter(|_| !is_parted) {
            let last = Line { start: block.head.start, end };
            match wrapped::rest(first, &body.text, work.bytes, last, max) {
                Rest::Open if !work.is_final && !too_long => return None,
                Rest::Open | Rest::Nothing => {}
                Rest::Pieces(whole, lines) => (sent, pieces) = (Some(whole), lines),
            }
        }
        let behind = joined.as_ref().map_or(body.end, |joined| joined.behind).max(end);
        if self.trail.was_none(head_offset, self.base + behind as u64) {
            return Some(end);
        }
        let head_line = self.line.saturating_sub(block.lines_back);
        let mut ids = block.record.ids;
        ids::note_ids(&text, &mut ids);
        let time = self.time_of(work, (&block.record, block.head, head_line), core.settings.window_lines, core);
        self.trail.remember(Before { time: self.last_time, region: self.tokens.region() });
        self.last_time = time.map(|time| (head_line, time)).or(self.last_time);
        let last_line = head_line + lines.saturating_sub(1);
        self.own_lines(
            (head_line, last_line + pieces),
            (block.head.start, end),
            body.parted.as_deref(),
            joined.as_ref(),
        );
        let sighting = Sighting {
            line: head_line,
            last_line,
            offset: head_offset,
            time,
            format: block.record.format,
            emitter: block.record.emitter,
            ids,
            sent: sent.map(Arc::new),
            channel: names::channel_of(&refusal),
            region: names::region(&text).map(str::to_owned),
            trace_from: trace::lines_to_start(work.bytes, block.head, &block.record.text, max)
                .map(|lines| head_line.saturating_sub(lines)),
            refusal,
        };
        let id = self.sight(sighting, work, block.head, head_line, core, emit);
        self.note_block((&block, end), lines, What::Sighting(id));
        Some(end)
    }

    /// Puts a sighting to its rejection, or begins one; gives the id of the rejection, if that is still open.
    fn sight(
        &mut self,
        sighting: Sighting,
        work: &Work<'_>,
        head: Line,
        head_line: u64,
        core: &mut Core,
        emit: &mut dyn FnMut(Event),
    ) -> Option<Fingerprint> {
        let from = (self.base, self.base_line);
        let counted = self.trail.counted(sighting.offset);
        if let Some(counted) = counted.filter(|counted| counted.of != sighting.offset) {
            self.trail.note(sighting.offset, counted.of, from);
            return self.sight_further(counted, &sighting);
        }
        // With what is known before this sighting, so that it does not matter whether the lines came at once.
        self.choose_after(work, head.start, head_line, core);
        self.close(core, work.now, emit);
        let (lines, window) = (core.settings.window_lines, core.settings.window_seconds);
        let of_new = Head::of_sighting(&sighting);
        let fits = |at: &usize| self.heads.get(*at).is_some_and(|head| head.fits(&of_new));
        let best = self.best(&sighting, lines, window, self.heads.tied(&of_new).filter(fits));
        debug_assert_eq!(
            best,
            self.best(&sighting, lines, window, (0..self.open.len()).rev().filter(fits)),
            "no tie is missed"
        );
        let best = best.filter(|_| counted.is_none());
        if let Some((at, rejection)) = best.and_then(|at| Some((at, self.open.get_mut(at)?))) {
            self.trail.note(sighting.offset, rejection.first.offset, from);
            let tells_more = rejection.merge(&sighting);
            self.heads.replace(at, Head::of(rejection));
            if rejection.is_settled() {
                if tells_more && rejection.progress == Progress::Early {
                    core.patience.learn(&self.stream.source);
                }
                let source = Arc::clone(&self.stream.source);
                emit(Event::Resighted { id: rejection.id.hex(), source });
            }
            return Some(rejection.id);
        }
        let line = head.text(work.bytes, core.settings.line_bytes_max);
        let id = core.id(&self.stream, sighting.offset, line);
        self.trail.note(sighting.offset, sighting.offset, from);
        self.index_tokens(work, head.start, head_line, core);
        let mut rejection = Rejection::new(id, sighting, work.now);
        self.tokens.choose(&mut rejection, (work.bytes, head), &self.completion(work.now), &core.settings);
        if self.tokens.untangle(&mut self.open, &mut rejection, &core.settings) {
            self.heads = self.open.iter().map(Head::of).collect();
        }
        if counted.is_some() {
            rejection.progress = Progress::Settled;
        }
        if counted.is_none_or(|counted| counted.state == State::Open) {
            // Most streams have one at a time.
            self.open.reserve_exact(usize::from(self.open.is_empty()));
            self.heads.push(Head::of(&rejection));
            self.open.push_back(rejection);
        }
        Some(id)
    }

    /// The place of the open rejection with the strongest evidence that the sighting is of it, among these, the newest of
    /// which comes first.
    fn best(
        &self,
        sighting: &Sighting,
        lines: u32,
        seconds: u32,
        places: impl Iterator<Item = usize>,
    ) -> Option<usize> {
        let mut best = None;
        for at in places {
            let Some(open) = self.open.get(at) else { continue };
            if open.is_over(sighting.line, lines, self.open.len() - 1 - at) {
                continue;
            }
            let evidence = open.evidence(sighting, seconds);
            // Of equal evidence, the earliest rejection.
            if evidence.is_some_and(|evidence| best.is_none_or(|(strongest, _)| evidence >= strongest)) {
                best = evidence.map(|evidence| (evidence, at));
            }
        }
        best.map(|(_, at)| at)
    }

    fn index_tokens(&mut self, work: &Work<'_>, upto: usize, upto_line: u64, core: &Core) {
        let completion = self.completion(work.now);
        let reach = if work.is_final && upto == self.scanned { Reach::Last } else { Reach::Block };
        self.tokens.index(work.bytes, (upto, upto_line), reach, &completion, &core.settings);
    }

    /// Looks for the tokens of rejections on the lines after them, but for the last block: what is to come may make it
    /// a sighting, whose token is its own.
    fn look_after(&mut self, work: &Work<'_>, core: &mut Core) {
        let (mut upto, mut upto_line) = (self.scanned, self.line);
        if !work.is_final && self.scanned > 0 {
            let last = Line::around(work.bytes, self.scanned - 1, self.scanned);
            let block = blocks::head(work.bytes, last, false, core.settings.line_bytes_max);
            upto = block.head.start;
            upto_line = self.line.saturating_sub(block.lines_back + 1);
        }
        self.choose_after(work, upto, upto_line, core);
    }

    /// Looks for the tokens of rejections on the lines after them, up to a position.
    fn choose_after(&mut self, work: &Work<'_>, upto: usize, upto_line: u64, core: &mut Core) {
        // Not farther than the last of them reaches: what else is known of a stream must not depend on how it was cut.
        let Some(last) = self.heads.last_wanting() else { return };
        let reach = last.saturating_add(u64::from(core.settings.window_lines));
        let (head, completion) = ((work.bytes, upto, upto_line), self.completion(work.now));
        if !self.tokens.index_on(head, self.base_line, reach, &completion, &core.settings) {
            self.index_tokens(work, upto, upto_line, core);
        }
        self.match_after(core);
        self.end_searches(core.settings.window_lines);
    }

    /// Stops to look for the tokens of rejections whose window has been searched to its end.
    fn end_searches(&mut self, window_lines: u32) {
        let first = self.tokens.searched_line().saturating_sub(u64::from(window_lines));
        for rejection in self.open.iter_mut().take_while(|rejection| rejection.first.line < first) {
            rejection.lines_after = LinesAfter::Searched;
        }
        self.heads.end_wanting_before(first);
    }

    /// Matches rejections with the tokens found after them.
    fn match_after(&mut self, core: &mut Core) {
        let last_line = self.tokens.last_line();
        if self.heads.first_line().is_none_or(|first| first >= last_line) {
            return;
        }
        for (at, rejection) in self.open.iter_mut().enumerate() {
            let is_wanting = self.heads.get(at).is_some_and(|head| head.wants_token && head.line < last_line);
            if is_wanting && rejection.wants_token() {
                self.tokens.choose_after(rejection, &core.settings);
                if rejection.is_settled() && rejection.token.is_some() {
                    core.patience.learn(&self.stream.source);
                }
            }
        }
        let open = &self.open;
        let wants = |at: usize| open.get(at).is_some_and(Rejection::wants_token);
        self.heads.want(|at, head| head.wants_token && (head.line >= last_line || wants(at)));
    }

    fn report_counts(&mut self, emit: &mut dyn FnMut(Event)) {
        let Counts { lines, truncated, bytes } = std::mem::take(&mut self.counts);
        if lines + truncated + bytes > 0 {
            emit(Event::Lines { source: Arc::clone(&self.stream.source), lines, truncated, bytes });
        }
    }
}
