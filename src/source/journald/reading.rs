//! Where reading of a journal stands: what is read once more after a start, what is passed over, what is new.

use zeroize::Zeroizing;

use super::Settings;
use super::child::Start;
use super::entry::Entry;
use crate::pipeline::{Stream, StreamId};
use crate::source::{Health, KeptJournal, Place, Sink};
use crate::time::UnixTime;

/// Delivered at a time, in bytes.
const BATCH_BYTES: usize = 256 << 10;
/// How often lag is told, in milliseconds.
const TELL_MILLIS: i64 = 1000;

/// What the next entries are.
enum Phase {
    /// Entries that were counted and are read once more, up to the end that was kept.
    Again { kept: KeptJournal, held: Zeroizing<Vec<u8>> },
    /// New ones, except for those that are not later than this time: they were counted.
    Later(u64),
    /// New ones.
    New,
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
    /// The journal does not know the cursor any more.
    has_lost_cursor: bool,
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
            has_lost_cursor: false,
            told: UnixTime::default(),
        };
        if let Some(kept) = kept {
            if kept.from == kept.end {
                reading.resume(&kept);
            } else {
                reading.phase = Phase::Again { kept, held: Zeroizing::default() };
            }
        }
        reading
    }

    /// Before a child starts: `last` is the last entry that there is.
    pub(super) fn begin(&mut self, last: Option<&Entry>) {
        if let Phase::Again { held, .. } = &mut self.phase {
            held.clear();
        } else if self.stream.is_none() {
            let start = match last.filter(|_| self.settings.from_end) {
                Some(last) => Place { cursor: last.cursor.clone(), micros: last.micros, offset: 0 },
                None => Place::default(),
            };
            self.open(start);
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
            Phase::Later(_) | Phase::New => self.end.as_ref(),
        };
        match place.filter(|place| !place.cursor.is_empty()) {
            Some(place) if self.has_lost_cursor => Start::Since(place.micros / 1_000_000),
            Some(place) => Start::After(&place.cursor),
            None => Start::Beginning,
        }
    }

    /// Takes note that the journal does not know the cursor: times take its place.
    pub(super) fn lose_cursor(&mut self) {
        if let Phase::Again { kept, .. } = &self.phase {
            let end = kept.end.clone();
            self.phase = Phase::Later(end.micros);
            self.open(end);
        } else if let Some(end) = &self.end {
            self.phase = Phase::Later(end.micros);
        }
        self.has_lost_cursor = true;
    }

    /// Takes the next entry.
    pub(super) fn take(&mut self, entry: &Entry) {
        if let Phase::Again { kept, held } = &mut self.phase {
            held.extend_from_slice(&entry.line);
            let length = kept.end.offset.saturating_sub(kept.from.offset);
            let is_end = entry.cursor == kept.end.cursor;
            if is_end && held.len() as u64 == length {
                let (kept, held) = (kept.clone(), std::mem::take(held));
                self.resume(&kept);
                let passed = usize::try_from(kept.resume.saturating_sub(kept.from.offset)).unwrap_or(usize::MAX);
                self.batch.extend_from_slice(held.get(passed..).unwrap_or_default());
                self.has_moved = true;
                self.arrive(entry.micros);
                return;
            }
            if !is_end && entry.micros <= kept.end.micros && held.len() as u64 <= length {
                return;
            }
            // The journal has lost a part, or prints it otherwise: what is later than the end is new.
            let end = kept.end.clone();
            self.phase = Phase::Later(end.micros);
            self.open(end);
        }
        if let Phase::Later(counted) = self.phase {
            if entry.micros <= counted {
                self.arrive(entry.micros);
                return;
            }
            self.phase = Phase::New;
        }
        self.has_lost_cursor = false;
        let Some(end) = &mut self.end else { return };
        self.batch.extend_from_slice(&entry.line);
        let offset = end.offset + entry.line.len() as u64;
        *end = Place { cursor: entry.cursor.clone(), micros: entry.micros, offset };
        self.has_moved = true;
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
        self.arrive(entry.micros);
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
        self.phase = Phase::New;
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
