//! The whole core: bytes and times in, diagnoses out. No I/O, no clock, cannot fail.

mod array;
pub mod arrival;
mod blocks;
pub mod checkpoint;
mod document;
mod element;
mod feed;
mod frame;
mod judge;
mod keyed;
mod lean;
mod memory;
pub mod seen;
mod split;
mod table;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use crate::detect::search::{Hits, Search};
use crate::diagnosis::{Diagnosis, Fingerprint};
use crate::keyring::KeyRing;
use crate::time::UnixTime;

use arrival::{Arrival, Outcome};
use checkpoint::{Checkpoint, MemoryChange, Note, Remembered};
use feed::Feed;
use judge::Core;
pub use judge::Given;
pub use memory::Saved;
use seen::Seen;
pub use table::{Fault, Misfit};
use table::{Table, Work};

/// The latest lines of all streams together are kept up to here, in bytes. Of more, those of the streams that were
/// silent longest are forgotten: a token there is not found for a refusal that comes later.
const KEPT_IN_ALL_BYTES_MAX: usize = 16 << 20;

/// What the core is told by the config.
#[derive(Clone)]
pub struct Settings {
    /// Count companion codes as refusals in their own right.
    pub companion_codes: bool,
    /// Look for tokens on every line.
    pub exposed_tokens: bool,
    /// Clock tolerance of the time checks, in seconds.
    pub leeway_seconds: i64,
    /// How far a token may be from its refusal, in seconds.
    pub window_seconds: u32,
    /// How far a token may be from its refusal, in lines.
    pub window_lines: u32,
    /// How long further prints of a refusal that an SDK printed, or its token, are waited for in a live stream, in milliseconds.
    pub settle_millis: u32,
    /// Longer lines are looked at up to here, in bytes.
    pub line_bytes_max: usize,
    /// Tokens remembered to recognise one that is sent again.
    pub tokens_remembered: usize,
    /// Keys the fingerprints of tokens.
    pub fingerprint_key: [u8; 32],
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever has the key can guess what a fingerprint is of.
        f.debug_struct("Settings").field("companion_codes", &self.companion_codes).finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            companion_codes: true,
            exposed_tokens: false,
            leeway_seconds: 0,
            window_seconds: 5,
            window_lines: 200,
            settle_millis: 100,
            line_bytes_max: 1 << 20,
            tokens_remembered: 100_000,
            fingerprint_key: [0; 32],
        }
    }
}

/// Names one stream of bytes (a file, a pipe, a connection) inside a [`Pipeline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What is known of a stream before its first byte.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Name of its source: the metric label.
    pub source: Arc<str>,
    /// File, for streams that have one.
    pub path: Option<Arc<str>>,
    /// The file's modification time: judges lines of a whole file without any time, and picks missing years.
    pub modified: Option<UnixTime>,
    /// Zone of times without one: an IANA name or `UTC`.
    pub timezone: Arc<str>,
    /// Offset of the first byte that will be pushed.
    pub offset: u64,
    /// The whole file will be pushed at once and then finished (`scan`, archives), so nothing settles early.
    pub whole: bool,
}

/// What the core says. Everything but a diagnosis concerns one already given, or is a count.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A rejection was diagnosed. Counted once.
    Diagnosed(Box<Diagnosis>),
    /// A rejection that was diagnosed before was printed once more.
    Resighted {
        /// Its id.
        id: String,
        /// Name of the source.
        source: Arc<str>,
    },
    /// A token stands on a line while it is valid. Each is told once, in this way or with a diagnosis.
    Exposed(Box<Leak>),
    /// A record of an export does not fit its header. Each is told once.
    Misfit(Misfit),
    /// Lines were read.
    Lines {
        /// Name of the source.
        source: Arc<str>,
        /// How many.
        lines: u64,
        /// Of these, longer than `line_bytes_max`.
        truncated: u64,
        /// Bytes.
        bytes: u64,
    },
}

/// A token that whoever reads the log can connect with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// Name of the source.
    pub source: Arc<str>,
    /// The time of its line.
    pub at: UnixTime,
    /// Tells equal tokens from different ones.
    pub fingerprint: Fingerprint,
    /// The key that it names as its issuer.
    pub key_sid: String,
    /// Until when it is valid.
    pub expires_at: Option<UnixTime>,
}

/// The core.
#[derive(Debug)]
pub struct Pipeline {
    core: Core,
    /// Boxed, because a map that grows at its end is half empty.
    feeds: BTreeMap<StreamId, Box<Feed>>,
    /// Streams that are exports, or may be.
    tables: BTreeMap<StreamId, Table>,
    /// The feeds of streams that may be exports, in case they are logs. Made when a stream is opened, so that in memory
    /// what stays does not lie between what is held for a moment.
    spare: BTreeMap<StreamId, Box<Feed>>,
    /// Streams that have not begun, and those whose places they take.
    heirs: BTreeMap<StreamId, StreamId>,
    /// Streams with something underway, which `tick` looks at.
    awake: BTreeSet<StreamId>,
    /// Events that were counted.
    seen: Seen,
    /// Bytes pushed since it was looked how many are kept.
    pushed: usize,
}

impl Pipeline {
    /// A core that has seen nothing.
    pub fn new(settings: Settings, keyring: KeyRing) -> Self {
        Self {
            core: Core::new(settings, keyring),
            feeds: BTreeMap::new(),
            tables: BTreeMap::new(),
            spare: BTreeMap::new(),
            heirs: BTreeMap::new(),
            awake: BTreeSet::new(),
            seen: Seen::default(),
            pushed: 0,
        }
    }

    /// Takes over new settings and keys; what is underway goes on.
    pub fn reload(&mut self, settings: Settings, keyring: KeyRing) {
        self.core.reload(settings, keyring);
    }

    /// What is remembered of tokens and keys, for a store.
    pub fn memory(&self) -> Saved {
        self.core.memory()
    }

    /// Takes over what was remembered before.
    pub fn remember(&mut self, saved: Saved) {
        self.core.remember(saved);
    }

    /// Announces a stream.
    pub fn open(&mut self, id: StreamId, stream: Stream) {
        if stream.offset == 0 {
            self.spare.insert(id, Box::new(Feed::new(stream.clone())));
            self.tables.insert(id, Table::new(stream));
        } else {
            self.feeds.insert(id, Box::new(Feed::new(stream)));
        }
    }

    /// Takes the next bytes of a stream that is or may be an export; gives back those of a stream that is none.
    fn push_table(
        &mut self,
        id: StreamId,
        chunk: &[u8],
        now: UnixTime,
        emit: &mut dyn FnMut(Event),
    ) -> Option<Zeroizing<Vec<u8>>> {
        let table = self.tables.get_mut(&id)?;
        let is_export = table.is_export();
        if let Some((held, log)) = table.decide(chunk) {
            self.tables.remove(&id);
            let mut feed = self.spare.remove(&id)?;
            feed.begin(log);
            self.feeds.insert(id, feed);
            return Some(held);
        }
        if table.is_export() {
            self.spare.remove(&id);
        }
        let new: &[u8] = if is_export { chunk } else { b"" };
        table.push(new, false, &mut Work { seen: &mut self.seen, core: &mut self.core, now }, emit);
        None
    }

    /// Ends a stream of which it is not known what it is, or an export; a log goes on.
    fn end_table(&mut self, id: StreamId, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        let Some(mut table) = self.tables.remove(&id) else { return };
        if table.is_export() {
            table.push(b"", true, &mut Work { seen: &mut self.seen, core: &mut self.core, now }, emit);
            return;
        }
        if let Some(feed) = self.spare.remove(&id) {
            self.feeds.insert(id, feed);
            self.push(id, &table.take_held(), now, emit);
        }
    }

    /// Takes an event that Twilio reports, and says what became of it. `now` is the time of its arrival.
    pub fn event(&mut self, arrival: &Arrival, now: UnixTime, emit: &mut dyn FnMut(Event)) -> Outcome {
        arrival::take(arrival, &mut self.seen, &mut self.core, now, emit)
    }

    /// The events that were counted, for a store.
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Takes over the events that a store kept.
    pub fn restore_seen(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// Announces a stream that was read before: its bytes come from [`Checkpoint::resume`] on. What was counted is not
    /// given again.
    pub fn resume(&mut self, id: StreamId, stream: Stream, checkpoint: Checkpoint) {
        match checkpoint.columns.clone() {
            Some(columns) => _ = self.tables.insert(id, Table::resumed(stream, &checkpoint, columns)),
            None if checkpoint.resume.max(checkpoint.bytes_to) == 0 => self.open(id, stream),
            None => _ = self.feeds.insert(id, Box::new(Feed::resumed(stream, checkpoint))),
        }
    }

    /// Where and how to go on with a stream if this is the last that is known of it.
    pub fn checkpoint(&self, id: StreamId) -> Option<Checkpoint> {
        self.feeds.get(&id).map(|feed| feed.checkpoint()).or_else(|| self.tables.get(&id).map(Table::checkpoint))
    }

    /// Takes leave of a stream that may go on later from the checkpoint that this gives: what waits to be diagnosed is
    /// given, but a partial last line stays partial.
    pub fn suspend(&mut self, id: StreamId, now: UnixTime, emit: &mut dyn FnMut(Event)) -> Option<Checkpoint> {
        self.settle_heritage(id, now);
        self.awake.remove(&id);
        self.spare.remove(&id);
        if let Some(table) = self.tables.remove(&id) {
            return Some(table.checkpoint());
        }
        let mut feed = self.feeds.remove(&id)?;
        feed.suspend(now, &mut self.core, emit);
        Some(feed.checkpoint())
    }

    /// Says that a stream takes the place of another one, before its first byte: what that one held last may be of refusals
    /// in this one.
    pub fn succeed(&mut self, id: StreamId, before: StreamId) {
        self.heirs.insert(id, before);
    }

    /// Takes over what the stream that had the place of another one holds, once that begins or this ends.
    fn settle_heritage(&mut self, id: StreamId, now: UnixTime) {
        let heirs = self.heirs.iter().filter(|(heir, before)| **heir == id || **before == id);
        for (heir, before) in heirs.map(|(heir, before)| (*heir, *before)).collect::<Vec<_>>() {
            self.heirs.remove(&heir);
            let heritage = self.feeds.get_mut(&before).and_then(|feed| feed.heritage(now, &self.core));
            let feed = self.spare.get_mut(&heir).or_else(|| self.feeds.get_mut(&heir));
            if let Some((feed, heritage)) = feed.zip(heritage) {
                feed.inherit(heritage);
            }
        }
    }

    /// Takes over the memory of refused tokens, and keeps account of its changes from now on.
    pub fn recall(&mut self, known: Vec<(Fingerprint, Remembered)>, notes: Vec<Note>) {
        self.core.recall(known, notes);
    }

    /// What else has changed in the memory of tokens and keys since the last call.
    pub fn take_memory_notes(&mut self) -> Vec<Note> {
        self.core.take_notes()
    }

    /// What has changed in the memory of refused tokens since the last call.
    pub fn take_memory_changes(&mut self) -> Vec<MemoryChange> {
        self.core.take_changes()
    }

    /// The streams that wait for `tick`.
    pub fn awake(&self) -> impl Iterator<Item = StreamId> {
        self.awake.iter().copied()
    }

    /// Takes the next bytes of a stream, however they were cut. `now` is the time of reading.
    pub fn push(&mut self, id: StreamId, chunk: &[u8], now: UnixTime, emit: &mut dyn FnMut(Event)) {
        if self.heirs.contains_key(&id) {
            self.settle_heritage(id, now);
        }
        let given = self.push_table(id, chunk, now, emit);
        let chunk = given.as_ref().map_or(chunk, |given| given);
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.push(chunk, now, &mut self.core, emit);
        if feed.is_awake() {
            self.awake.insert(id);
        }
        self.bound(chunk.len());
    }

    /// Keeps the memory of all streams together bounded.
    fn bound(&mut self, pushed: usize) {
        self.pushed += pushed;
        if self.pushed < KEPT_IN_ALL_BYTES_MAX / 4 {
            return;
        }
        self.pushed = 0;
        let mut kept: usize = self.feeds.values().map(|feed| feed.kept()).sum();
        if kept <= KEPT_IN_ALL_BYTES_MAX {
            return;
        }
        let forgettable = self.feeds.iter().filter_map(|(id, feed)| Some((feed.forgettable_since()?, *id)));
        let mut oldest: Vec<_> = forgettable.collect();
        oldest.sort_unstable();
        for (_, id) in oldest {
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            kept -= feed.kept();
            feed.forget(self.core.settings.window_lines);
            kept += feed.kept();
            if kept <= KEPT_IN_ALL_BYTES_MAX / 2 {
                return;
            }
        }
    }

    /// The search that [`push_searched`](Self::push_searched) asks for; it may be made on another thread.
    pub fn search(&self) -> Arc<Search> {
        self.core.detector.search()
    }

    /// As [`push`](Self::push), of bytes that have been searched already.
    pub fn push_searched(
        &mut self,
        id: StreamId,
        chunk: &[u8],
        hits: &Hits,
        now: UnixTime,
        emit: &mut dyn FnMut(Event),
    ) {
        if self.tables.contains_key(&id) {
            self.push(id, chunk, now, emit);
            return;
        }
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.push_searched(chunk, hits, now, &mut self.core, emit);
        if feed.is_awake() {
            self.awake.insert(id);
        }
        self.bound(chunk.len());
    }

    /// Gives what has waited long enough: call it when a live stream has been read to its end, and often while it is
    /// quiet.
    pub fn tick(&mut self, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        let (core, feeds) = (&mut self.core, &mut self.feeds);
        self.awake.retain(|id| {
            feeds.get_mut(id).is_some_and(|feed| {
                feed.tick(now, core, emit);
                feed.is_awake()
            })
        });
    }

    /// Gives what waits in one stream as if it had waited long enough; what comes later may still belong to it.
    pub fn settle(&mut self, id: StreamId, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        let later = now.plus_millis(i64::from(self.core.settings.settle_millis));
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.tick(later, &mut self.core, emit);
            if !feed.is_awake() {
                self.awake.remove(&id);
            }
        }
    }

    /// Says that all that there is of a stream has been pushed, and when it was written. If that is so long ago that
    /// nothing that is still to come can belong to it, what waits is given and nothing more is kept of it.
    pub fn reached(&mut self, id: StreamId, written: UnixTime, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        let window = self.core.settings.window_seconds;
        let Some(feed) = self.feeds.get_mut(&id) else { return };
        feed.written(written);
        if feed.is_silent(now, window) {
            self.settle(id, now, emit);
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.rest(now, window);
            }
        }
    }

    /// In how many milliseconds `tick` has something to give.
    pub fn due_in(&self, now: UnixTime) -> Option<i64> {
        self.awake.iter().filter_map(|id| self.feeds.get(id)?.due_in(now, &self.core)).min()
    }

    /// Something waits for `tick`.
    pub fn is_awake(&self) -> bool {
        !self.awake.is_empty()
    }

    /// Lets go of what silent streams could still look back at, and gives its bytes: call it every few seconds.
    pub fn rest(&mut self, now: UnixTime) -> usize {
        let window = self.core.settings.window_seconds;
        self.feeds.values_mut().map(|feed| feed.rest(now, window)).sum()
    }

    /// Takes a partial last line as a line: it will not grow (the stream goes on, with a next line).
    pub fn end_line(&mut self, id: StreamId, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        match self.tables.get_mut(&id) {
            Some(table) if table.is_export() => {
                table.end_line(&mut Work { seen: &mut self.seen, core: &mut self.core, now }, emit);
            }
            Some(_) => self.end_table(id, now, emit),
            None => {}
        }
        if let Some(feed) = self.feeds.get_mut(&id) {
            feed.end_line(now, &mut self.core, emit);
            if feed.is_awake() {
                self.awake.insert(id);
            }
        }
    }

    /// Ends a stream: its partial last line counts, and everything that waits for more is given.
    pub fn finish(&mut self, id: StreamId, now: UnixTime, emit: &mut dyn FnMut(Event)) {
        self.settle_heritage(id, now);
        self.end_table(id, now, emit);
        if let Some(mut feed) = self.feeds.remove(&id) {
            feed.finish(now, &mut self.core, emit);
        }
        self.awake.remove(&id);
    }

    /// The diagnosis of a token given by hand.
    pub fn check(&self, given: &Given) -> Diagnosis {
        self.core.check(given)
    }
}

#[cfg(test)]
mod tests;
