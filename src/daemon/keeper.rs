//! What the daemon keeps: turns what the core and the ledger say into one commit of the store.
//!
//! A commit holds the counters and where every stream stands with them, so that neither is ever without the other.

mod events;
mod journals;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::events::Events;
pub use self::events::read_event;
use self::journals::Journals;
use super::clock::monotonic;
use crate::diagnosis::Fingerprint;
use crate::ledger::rows::REMEMBERED_BEFORE;
use crate::ledger::{Ledger, View};
use crate::pipeline::checkpoint::{Checkpoint, MemoryChange, Note, Remembered, Verified};
use crate::pipeline::seen::Seen;
use crate::pipeline::{Pipeline, Stream, StreamId};
use crate::source::Mark;
use crate::source::file::follow::Identity;
use crate::store::{Ahead, Batch, Recovery, Rows, Store, Table, rows_of};
use crate::time::UnixTime;

/// Streams whose file is not open are remembered up to this number; those found longest ago are forgotten first.
pub(super) const STREAMS_CLOSED_MAX: usize = 20_000;
/// A file that was not found for so long is forgotten at a start: 30 days.
pub(super) const ABSENT_SECONDS_MAX: i64 = 30 * 86_400;
/// Commits take at most the fiftieth part of the time, unless that would make them rarer than [`COMMIT_LATEST`].
const COMMIT_SHARE: u32 = 50;
/// The same while much is read of files: then nobody waits for one line.
const COMMIT_SHARE_BUSY: u32 = 200;
/// Much is so many bytes from one commit to the next.
const BUSY_BYTES: u64 = 64 << 10;
/// What was counted is committed after this time at the latest.
const COMMIT_LATEST: Duration = Duration::from_millis(100);
/// Time without commits counts up to here, so that a commit after a pause does not keep the next one waiting: a line is
/// read, and a moment later what it tells is known.
const COMMIT_CREDIT: Duration = Duration::from_millis(50);
/// And after this time, if a file was found meanwhile: what it tells is waited for.
const COMMIT_FOUND: Duration = Duration::from_millis(40);
/// Even if nothing has happened a commit is made at a look after this time, which shows that the state can be written.
const COMMIT_IDLE: Duration = Duration::from_secs(5);
/// A commit that failed is tried again after this time, doubled each time.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// And after this time at the latest.
const RETRY_LATEST: Duration = Duration::from_secs(5);
/// What alerts and incidents rest on is written so often, and whenever an alert changes.
const REMEMBER_EVERY: Duration = Duration::from_secs(10);
/// The journal is brought into the database when it has so many bytes, however short ago that was done.
const JOURNAL_BYTES_MAX: u64 = 16 << 20;

/// A stream as it is kept: the value of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Checkpoint>,
    /// When the file was found last, in seconds since 1970.
    found: i64,
    /// The stream that is open now.
    #[serde(skip)]
    stream: Option<StreamId>,
    /// Found in this run.
    #[serde(skip)]
    is_found: bool,
}

/// The front of the store, and what the next commit will hold.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Store,
    /// Boxed, because a map that grows at its end is half empty.
    files: BTreeMap<Identity, Box<Kept>>,
    by_stream: BTreeMap<StreamId, Identity>,
    /// Files whose rows have changed.
    changed: BTreeSet<Identity>,
    /// The events that were counted, as far as they have rows.
    events: Events,
    /// Up to where journals were read.
    pub(super) journals: Journals,
    /// What a failed commit held.
    pending: Batch,
    /// The view that was committed last.
    last: Option<Arc<View>>,
    /// The row of alerts and incidents that was written last, and when the next is due.
    remembered: Vec<u8>,
    remember_due: Duration,
    due: Duration,
    /// When the last commit was made.
    committed: Duration,
    /// Bytes read of files since the last commit.
    read: u64,
    failed: Option<Failed>,
}

/// A commit that did not work.
#[derive(Clone, Copy, Debug)]
struct Failed {
    wait: Duration,
}

/// How a commit ended.
pub(super) enum Outcome {
    /// The view may be shown.
    Committed {
        /// The one before had failed.
        works_again: bool,
    },
    /// The view may not be shown.
    Failed {
        /// Why.
        error: io::Error,
        /// The one before had not.
        is_first: bool,
    },
}

/// What was kept, as far as it does not belong to the keeper.
pub(super) struct Recalled {
    pub(super) fingerprint_key: Option<[u8; 32]>,
    pub(super) refused: Vec<(Fingerprint, Remembered)>,
    pub(super) notes: Vec<Note>,
    pub(super) seen: Seen,
}

impl Keeper {
    /// Takes over a store with its rows.
    pub(super) fn new(store: Store, rows: &Rows) -> (Self, Recalled) {
        let files = rows_of(rows, Table::Stream).filter_map(|(_, value)| {
            let kept: Box<Kept> = serde_json::from_slice(value).ok()?;
            Some((kept.mark.position.identity, kept))
        });
        let mut pending = Batch::new();
        let (events, seen) = Events::restore(rows, &mut pending);
        let keeper = Self {
            store,
            files: files.collect(),
            by_stream: BTreeMap::new(),
            changed: BTreeSet::new(),
            events,
            journals: Journals::restore(rows),
            pending,
            last: None,
            remembered: Vec::new(),
            remember_due: Duration::ZERO,
            due: Duration::ZERO,
            committed: Duration::ZERO,
            read: 0,
            failed: None,
        };
        let key = rows_of(rows, Table::Secret).next().and_then(|(_, value)| value.try_into().ok());
        let refused = rows_of(rows, Table::Refused).filter_map(|(name, value)| read_refused(name, value)).collect();
        let verified = rows_of(rows, Table::Verified).filter_map(|(name, value)| read_verified(name, value));
        let fared = rows_of(rows, Table::Fared).filter_map(|(name, value)| {
            Some(Note::Key(String::from_utf8(name.to_vec()).ok()?, serde_json::from_slice(value).ok()?))
        });
        let notes = verified.map(|(mark, known)| Note::Verified(mark, Some(known))).chain(fared).collect();
        (keeper, Recalled { fingerprint_key: key, refused, notes, seen })
    }

    /// Notes a key for the next commit.
    pub(super) fn put_key(&mut self, key: &[u8; 32]) {
        self.pending.set(Table::Secret, b"fingerprint", Some(key));
    }

    /// Notes that rows of the ledger could not be understood, and are to be removed.
    pub(super) fn remove_ledger_rows(&mut self, names: &[String]) {
        for name in names {
            self.pending.set(Table::Ledger, name.as_bytes(), None);
        }
    }

    /// Writes alerts and incidents under their name of now, if the state has them under an earlier one.
    pub(super) fn rename_remembered(&mut self, rows: &Rows, ledger: &Ledger) {
        if rows_of(rows, Table::Ledger).any(|(name, _)| name == REMEMBERED_BEFORE.as_bytes()) {
            self.pending.set(Table::Ledger, REMEMBERED_BEFORE.as_bytes(), None);
            self.remember(ledger, true);
        }
    }

    /// Notes alerts and incidents for the next commit: at once if `is_urgent`, else once in a while.
    pub(super) fn remember(&mut self, ledger: &Ledger, is_urgent: bool) {
        let now = monotonic();
        if !is_urgent && now < self.remember_due {
            return;
        }
        self.remember_due = now + REMEMBER_EVERY;
        let (name, value) = ledger.remembered_row();
        if let Some(value) = value.filter(|value| *value != self.remembered) {
            self.pending.set(Table::Ledger, name.as_bytes(), Some(&value));
            self.remembered = value;
        }
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        let mut kept: Vec<&Kept> = self.files.values().map(|kept| &**kept).collect();
        kept.sort_by_key(|kept| kept.found);
        kept.into_iter().map(|kept| kept.mark).collect()
    }

    /// The checkpoint to open a stream with, if its file is read on from where it was left.
    pub(super) fn checkpoint(&self, mark: &Mark) -> Option<Checkpoint> {
        let kept = self.files.get(&mark.position.identity)?;
        let same = kept.mark.offset() == mark.offset()
            && kept.mark.unpacked.is_some() == mark.unpacked.is_some()
            && (mark.unpacked.is_some() || kept.mark.position.fingerprint == mark.position.fingerprint);
        kept.checkpoint.clone().filter(|_| same && kept.stream.is_none())
    }

    pub(super) fn open(&mut self, id: StreamId, stream: &Stream, mark: Mark, now: UnixTime) {
        let identity = mark.position.identity;
        let kept = Kept {
            source: stream.source.to_string(),
            path: stream.path.as_deref().map(str::to_owned),
            mark: Mark { done: false, ..mark },
            checkpoint: None,
            found: now.as_seconds(),
            stream: Some(id),
            is_found: true,
        };
        self.files.insert(identity, Box::new(kept));
        self.by_stream.insert(id, identity);
        self.changed.insert(identity);
    }

    /// Notes that a file has come, and that what it tells is waited for.
    pub(super) fn hurry(&mut self) {
        self.due = self.due.min(monotonic() + COMMIT_FOUND);
    }

    pub(super) fn found(&mut self, identity: Identity, now: UnixTime) {
        if let Some(kept) = self.files.get_mut(&identity) {
            (kept.is_found, kept.found) = (true, now.as_seconds());
            self.changed.insert(identity);
        }
    }

    /// Notes a file that need not be read up to a mark.
    pub(super) fn read_elsewhere(&mut self, source: &str, path: &Path, mark: Mark, now: UnixTime) {
        let kept = Kept {
            source: source.to_owned(),
            path: Some(path.to_string_lossy().into_owned()),
            mark,
            checkpoint: None,
            found: now.as_seconds(),
            stream: None,
            is_found: true,
        };
        self.files.insert(mark.position.identity, Box::new(kept));
        self.changed.insert(mark.position.identity);
    }

    /// Notes that a stream goes on in another file. The first one was cut: it has nothing any more that was read.
    pub(super) fn moved(&mut self, id: StreamId, mark: Mark) {
        let to = mark.position.identity;
        let Some(from) = self.by_stream.insert(id, to) else { return };
        if let Some(mut kept) = self.files.remove(&from) {
            self.pending.set(Table::Stream, &name_of(&from), None);
            self.changed.remove(&from);
            kept.mark = mark;
            self.files.insert(to, kept);
            self.changed.insert(to);
        }
    }

    /// Notes that something of a stream has changed, and where its file stands with it.
    pub(super) fn touch(&mut self, id: StreamId, mark: Option<Mark>) {
        self.journals.touch(id, None);
        let Some(identity) = self.by_stream.get(&id) else { return };
        if let (Some(kept), Some(mark)) = (self.files.get_mut(identity), mark) {
            self.read = self.read.saturating_add(mark.offset().saturating_sub(kept.mark.offset()));
            kept.mark = mark;
        }
        self.changed.insert(*identity);
    }

    /// Notes that a stream has ended, or with a checkpoint that it may go on later.
    pub(super) fn close(&mut self, id: StreamId, checkpoint: Option<Checkpoint>, now: UnixTime) {
        let Some(identity) = self.by_stream.remove(&id) else {
            self.journals.close(id, checkpoint);
            return;
        };
        if let Some(kept) = self.files.get_mut(&identity).filter(|kept| kept.stream == Some(id)) {
            kept.stream = None;
            kept.mark.done = checkpoint.is_none();
            kept.checkpoint = checkpoint;
            kept.found = now.as_seconds();
            self.changed.insert(identity);
        }
    }

    /// Forgets the files that have not been found for long; for when all files that there are have been looked for.
    pub(super) fn forget_absent(&mut self, now: UnixTime) {
        let is_absent =
            |kept: &Kept| !kept.is_found && now.as_seconds().saturating_sub(kept.found) > ABSENT_SECONDS_MAX;
        let absent: Vec<Identity> =
            self.files.iter().filter(|(_, kept)| is_absent(kept.as_ref())).map(|(identity, _)| *identity).collect();
        self.forget(absent);
    }

    fn forget_overflow(&mut self) {
        let closed = self.files.len().saturating_sub(self.by_stream.len());
        // Some at a time, because they are sorted for it.
        if closed > STREAMS_CLOSED_MAX + STREAMS_CLOSED_MAX / 10 {
            let all = self.files.iter().filter(|(_, kept)| kept.stream.is_none());
            let mut closed: Vec<(i64, Identity)> = all.map(|(identity, kept)| (kept.found, *identity)).collect();
            closed.sort_unstable();
            closed.truncate(closed.len().saturating_sub(STREAMS_CLOSED_MAX));
            self.forget(closed.into_iter().map(|(_, identity)| identity).collect());
        }
    }

    fn forget(&mut self, files: Vec<Identity>) {
        for identity in files {
            self.files.remove(&identity);
            self.changed.remove(&identity);
            self.pending.set(Table::Stream, &name_of(&identity), None);
        }
    }

    /// Whether a stream or a failed commit waits to be committed.
    pub(super) fn is_dirty(&self) -> bool {
        !self.changed.is_empty() || !self.pending.is_empty() || self.journals.is_dirty()
    }

    /// Whether the last commit was so long ago that one is made though nothing has happened.
    pub(super) fn is_stale(&self) -> bool {
        monotonic().saturating_sub(self.committed) >= COMMIT_IDLE
    }

    /// How long until a commit may be made.
    pub(super) fn until_due(&self) -> Duration {
        self.due.saturating_sub(monotonic())
    }

    /// Whether the last commit failed: nothing more should be taken in.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Commits a view with all that belongs to it.
    pub(super) fn commit(&mut self, view: &Arc<View>, pipeline: &mut Pipeline) -> Outcome {
        let began = monotonic();
        self.collect(view, pipeline);
        let batch = std::mem::take(&mut self.pending);
        let result = self.store.commit(batch);
        let ended = monotonic();
        match result {
            Ok(()) => {
                (self.last, self.committed) = (Some(Arc::clone(view)), ended);
                let is_busy = std::mem::take(&mut self.read) >= BUSY_BYTES;
                let share = if is_busy { COMMIT_SHARE_BUSY } else { COMMIT_SHARE };
                let wait = ended.saturating_sub(began) * share;
                self.due = (self.due.max(began.saturating_sub(COMMIT_CREDIT)) + wait).min(ended + COMMIT_LATEST);
                Outcome::Committed { works_again: self.failed.take().is_some() }
            }
            Err((mut batch, error)) => {
                // What has changed is added once more at every attempt.
                batch.compact();
                self.pending = batch;
                let wait = self.failed.map_or(RETRY_FIRST, |failed| (failed.wait * 2).min(RETRY_LATEST));
                self.due = ended + wait;
                let is_first = self.failed.replace(Failed { wait }).is_none();
                Outcome::Failed { error, is_first }
            }
        }
    }

    /// Adds what has changed since the last commit to what a failed one held.
    fn collect(&mut self, view: &View, pipeline: &mut Pipeline) {
        self.forget_overflow();
        let pending = &mut self.pending;
        view.changes(self.last.as_deref(), &mut |name, value| {
            pending.set(Table::Ledger, name.as_bytes(), value.as_deref());
        });
        pipeline.take_memory_changes().into_iter().for_each(|change| put_refused(change, pending));
        pipeline.take_memory_notes().into_iter().for_each(|note| put_note(note, pending));
        self.events.collect(pipeline.seen(), pending);
        self.journals.collect(pipeline, pending);
        for identity in std::mem::take(&mut self.changed) {
            let Some(kept) = self.files.get_mut(&identity) else { continue };
            if let Some(id) = kept.stream {
                kept.checkpoint = pipeline.checkpoint(id);
            }
            pending.set(Table::Stream, &name_of(&identity), serde_json::to_vec(kept).ok().as_deref());
            if kept.stream.is_some() {
                kept.checkpoint = None;
            }
        }
    }

    /// Whether the journal has grown so much that it should be brought into the database now.
    pub(super) fn is_journal_long(&self) -> bool {
        self.store.journal_bytes() > JOURNAL_BYTES_MAX
    }

    pub(super) fn take_ahead(&mut self) -> Option<Ahead> {
        self.store.take_ahead()
    }

    pub(super) fn put_back(&mut self, ahead: Ahead) {
        self.store.put_back(ahead);
    }
}

fn name_of(identity: &Identity) -> Vec<u8> {
    let born = identity.born.unwrap_or(i64::MIN);
    [identity.device.to_be_bytes(), identity.inode.to_be_bytes(), born.to_be_bytes()].concat()
}

fn put_refused((fingerprint, remembered): MemoryChange, pending: &mut Batch) {
    let value = remembered.map(|known| {
        let first = known.first.as_millis().to_le_bytes();
        [&first[..], &known.times.to_le_bytes(), &known.number.to_le_bytes()].concat()
    });
    pending.set(Table::Refused, &fingerprint.0, value.as_deref());
}

fn put_note(note: Note, pending: &mut Batch) {
    match note {
        Note::Verified(mark, known) => {
            let value = known.map(|known| [known.contents.0, known.number.to_le_bytes()].concat());
            pending.set(Table::Verified, &mark.0, value.as_deref());
        }
        Note::Key(sid, record) => {
            pending.set(Table::Fared, sid.as_bytes(), serde_json::to_vec(&record).ok().as_deref());
        }
    }
}

/// Reads a row of [`Table::Verified`].
pub fn read_verified(name: &[u8], value: &[u8]) -> Option<(Fingerprint, Verified)> {
    let (contents, rest) = value.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*rest.first_chunk::<8>()?);
    Some((Fingerprint(name.try_into().ok()?), Verified { contents: Fingerprint(*contents), number }))
}

/// Reads a row of [`Table::Refused`].
pub fn read_refused(name: &[u8], value: &[u8]) -> Option<(Fingerprint, Remembered)> {
    let (first, rest) = value.split_first_chunk::<8>()?;
    let (times, rest) = rest.split_first_chunk::<4>()?;
    let number = rest.first_chunk::<8>()?;
    let remembered = Remembered {
        first: UnixTime::from_millis(i64::from_le_bytes(*first)),
        times: u32::from_le_bytes(*times),
        number: u64::from_le_bytes(*number),
    };
    Some((Fingerprint(name.try_into().ok()?), remembered))
}

/// Says what became of a state that could not be used.
pub(super) fn log_recovery(recovery: &Recovery) {
    let (why, aside) = (&recovery.why, recovery.aside.display());
    if recovery.is_all {
        tracing::error!(
            "The state could not be used: {why}. It was moved to {aside}, and the daemon begins anew: counters begin at 0, \
             and files are read from where their source's `start` says."
        );
    } else {
        tracing::error!("A part of the state was lost: {why}. It was moved to {aside}.");
    }
}
