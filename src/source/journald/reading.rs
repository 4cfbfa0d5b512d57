//! Where reading of a journal stands: what is read once more after a start, what is passed over, what is new.

use zeroize::Zeroizing;

use super::Settings;
use super::child::Start;
use super::entry::{Entry, is_later};
use crate::pipeline::{Stream, StreamId};
use crate::source::{Health, KeptJournal, Place, Sink};
use crate::time::UnixTime;

/// Delivered at a time, in bytes.
const BATCH_BYTES: usize = 256 << 10;
/// How often lag is told, in milliseconds.
const TELL_MILLIS: i64 = 1000;

/// What the next entries are.
enum Phase {
    /// Entries that were counted and are read once more, up to the end that was kept. The first is the one behind which
    /// they begin, unless they begin with the journal.
    Again { kept: KeptJournal, held: Zeroizing<Vec<u8>>, has_begun: bool },
    /// The last that was counted, and then new ones. If it is not there, those of its microsecond are compared with what
    /// was counted.
    Behind { counted: Place, is_missed: bool },
    /// New ones.
    New,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It was counted before.
    Known,
    /// It was taken.
    New,
    /// It is not the one with which the child had to begin, which is missing in what it prints: find out why, and offer
    /// it again.
    Missing,
    /// What was to be read once more is not there as it was: another child has to begin behind the last that was counted.
    Restart,
}

pub(super) struct Reading<'a> {
    settings: &'a Settings,
    sink: &'a dyn Sink,
    phase: Phase,
    stream: Option<StreamId>,
    /// Up to where entries were taken.
    end: Option<Place>,
    batch: Zeroizing<Vec<u8>>,
    /// Something was taken that has not been delivered.
    has_moved: bool,
    /// The last entry that was there at start; none once it has been taken.
    awaited: Option<u64>,
    has_caught_up: bool,
    /// Journalctl can't find the place of the cursor, so that it is asked for a time.
    is_by_time: bool,
    told: UnixTime,
}

impl<'a> Reading<'a> {
    pub(super) fn new(settings: &'a Settings, sink: &'a dyn Sink) -> Self {
        let kept = sink.journal(&settings.source);
        let mut reading = Self {
            settings,
            sink,
            phase: Phase::New,
            stream: None,
            end: None,
            batch: Zeroizing::default(),
            has_moved: false,
            awaited: None,
            has_caught_up: false,
            is_by_time: false,
            told: UnixTime::default(),
        };
        if let Some(kept) = kept {
            if kept.from == kept.end {
                reading.resume(&kept);
            } else {
                reading.phase = Phase::Again { kept, held: Zeroizing::default(), has_begun: false };
            }
        }
        reading
    }

    /// Before a child starts: `last` is the last entry that there is.
    pub(super) fn begin(&mut self, last: Option<&Entry>) {
        if let Phase::Again { held, has_begun, .. } = &mut self.phase {
            held.clear();
            *has_begun = false;
        } else {
            if self.stream.is_none() {
                let start = last.filter(|_| self.settings.from_end).map(|last| Place::default().followed_by(last));
                self.open(start.unwrap_or_default());
            }
            let end = self.end.clone().filter(|end| !end.cursor.is_empty());
            self.phase = end.map_or(Phase::New, |counted| Phase::Behind { counted, is_missed: false });
        }
        if !self.has_caught_up {
            let taken = self.end.as_ref().map_or(0, |end| end.micros);
            self.awaited = last.map(|last| last.micros).filter(|last| *last > taken || self.end.is_none());
            self.arrive(taken);
        }
    }

    /// Where the next child begins.
    pub(super) fn from(&self) -> Start<'_> {
        let place = match &self.phase {
            Phase::Again { kept, .. } => Some(&kept.from),
            Phase::Behind { .. } | Phase::New => self.end.as_ref(),
        };
        match place.filter(|place| !place.cursor.is_empty()) {
            Some(place) if self.is_by_time => Start::Since(place.micros / 1_000_000),
            Some(place) => Start::With(&place.cursor),
            None => Start::Beginning,
        }
    }

    /// Takes note that journalctl can't find the place of the cursor: times take its place.
    pub(super) fn lose_cursor(&mut self) {
        self.give_up_again();
        self.is_by_time = true;
    }

    /// Goes on behind the end that was kept, although what lies before it can't be read again as it was.
    fn give_up_again(&mut self) {
        let Phase::Again { kept, .. } = &self.phase else { return };
        let (end, undecided) = (kept.end.clone(), kept.undecided);
        if undecided > 0 {
            // It is counted and told with the next commit, as is that it is not looked for again.
            self.sink.report(&self.settings.source, Health::Lost(undecided));
        }
        self.phase = Phase::New;
        self.open(end);
    }

    /// The last entry that was counted, once an entry is [`Step::Missing`].
    pub(super) const fn end(&self) -> Option<&Place> {
        self.end.as_ref()
    }

    /// Takes the next entry.
    pub(super) fn take(&mut self, entry: &Entry) -> Step {
        match &mut self.phase {
            Phase::Again { .. } => return self.take_again(entry),
            Phase::Behind { counted, .. } if counted.cursor == entry.cursor => {
                self.phase = Phase::New;
                self.is_by_time = false;
                self.arrive(entry.micros);
                return Step::Known;
            }
            Phase::Behind { counted, is_missed } => {
                if counted.holds(entry) || (self.is_by_time && entry.micros < counted.micros) {
                    self.arrive(entry.micros);
                    return Step::Known;
                }
                if !std::mem::replace(is_missed, true) {
                    return Step::Missing;
                }
                if entry.micros > counted.micros {
                    self.phase = Phase::New;
                }
            }
            Phase::New => {}
        }
        self.is_by_time = false;
        let Some(end) = &mut self.end else { return Step::Known };
        self.batch.extend_from_slice(&entry.line);
        *end = end.followed_by(entry);
        self.has_moved = true;
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
        self.arrive(entry.micros);
        Step::New
    }

    /// Takes an entry that was counted and is read once more.
    fn take_again(&mut self, entry: &Entry) -> Step {
        let Phase::Again { kept, held, has_begun } = &mut self.phase else { return Step::Known };
        if !std::mem::replace(has_begun, true) && !kept.from.cursor.is_empty() {
            if kept.from.cursor == entry.cursor {
                return Step::Known;
            }
        } else {
            held.extend_from_slice(&entry.line);
            let length = kept.end.offset.saturating_sub(kept.from.offset);
            let is_end = entry.cursor == kept.end.cursor;
            if is_end && held.len() as u64 == length {
                let (kept, held) = (kept.clone(), std::mem::take(held));
                self.resume(&kept);
                let passed = usize::try_from(kept.resume.saturating_sub(kept.from.offset)).unwrap_or(usize::MAX);
                self.batch.extend_from_slice(held.get(passed..).unwrap_or_default());
                (self.phase, self.has_moved) = (Phase::New, true);
                self.arrive(entry.micros);
                return Step::Known;
            }
            let is_beyond = entry.micros > kept.end.micros || is_later(&entry.cursor, &kept.end.cursor);
            if !is_end && !is_beyond && held.len() as u64 <= length {
                return Step::Known;
            }
        }
        // The journal has lost a part, or what is selected of it or how it is printed has changed.
        self.give_up_again();
        Step::Restart
    }

    /// Delivers what was taken.
    pub(super) fn flush(&mut self) {
        let (Some(stream), Some(end)) = (self.stream, &self.end) else { return };
        if !std::mem::take(&mut self.has_moved) {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        self.sink.push_journal(stream, &batch, end);
        let now = (self.settings.clock)();
        if now.millis_since(self.told) >= TELL_MILLIS {
            self.told = now;
            self.tell(now);
        }
    }

    fn tell(&self, now: UnixTime) {
        let at = self.end.as_ref().map(|end| UnixTime::from_millis(i64::try_from(end.micros / 1000).unwrap_or(0)));
        let behind = at.filter(|_| !self.has_caught_up).map_or(0, |at| now.seconds_since(at).max(0));
        #[expect(clippy::cast_precision_loss, reason = "seconds fit an f64")]
        let lag_seconds = behind as f64;
        let source = &self.settings.source;
        self.sink.report(source, Health::Progress { files: 0, unread_bytes: 0, lag_seconds });
        self.sink.report(source, Health::Arrived { counted: 0, repeated: 0, ignored: 0, last: at });
    }

    /// Says that what was there at start has been read, once the awaited entry was.
    fn arrive(&mut self, taken: u64) {
        if !self.has_caught_up && self.awaited.is_none_or(|awaited| awaited <= taken) {
            self.catch_up();
        }
    }

    /// Says that what was there at start has been read.
    pub(super) fn catch_up(&mut self) {
        if !std::mem::replace(&mut self.has_caught_up, true) {
            self.flush();
            self.tell((self.settings.clock)());
            self.sink.report(&self.settings.source, Health::CaughtUp);
        }
    }

    /// Takes leave of the journal; it is read on in the next run.
    pub(super) fn leave(&mut self) {
        self.flush();
        if let Some(stream) = self.stream {
            self.sink.leave(stream);
            self.sink.pause();
        }
    }

    /// Goes on with the stream as it was kept.
    fn resume(&mut self, kept: &KeptJournal) {
        self.stream = Some(self.sink.open_journal(self.stream_at(kept.resume), None));
        self.end = Some(kept.end.clone());
    }

    /// Begins a stream anew behind a place.
    fn open(&mut self, start: Place) {
        self.stream = Some(self.sink.open_journal(self.stream_at(start.offset), Some(&start)));
        self.end = Some(start);
    }

    fn stream_at(&self, offset: u64) -> Stream {
        Stream {
            source: self.settings.source.clone(),
            path: None,
            modified: None,
            timezone: self.settings.timezone.clone(),
            offset,
            whole: false,
        }
    }
}
