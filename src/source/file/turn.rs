//! One turn of one growing file: look, ask the follower, do it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Start;
use super::archive;
use super::disk;
use super::follow::{Follower, Identity, Position, Seen, Step};
use super::tail::{Body, Label, Slot, SlotId, TURN_BYTES, Tailer, Turn};
use crate::pipeline::{Stream, StreamId};
use crate::source::{Failure, Health, Mark, Opened, Rotation};

/// Positions of closed files that are remembered, so that a file that comes back goes on where it was.
const POSITIONS_MAX: usize = 10_000;

/// A file that is followed as it grows.
pub(super) struct Live {
    file: File,
    follower: Follower,
    stream: StreamId,
    /// Modification time at the last look.
    modified: i64,
}

/// Where closed files were read up to; the oldest are forgotten first.
#[derive(Default)]
pub(super) struct Positions {
    by_identity: BTreeMap<Identity, Mark>,
    order: VecDeque<Identity>,
    /// How many an earlier run knew.
    known: usize,
}

impl Positions {
    /// Positions of an earlier run. All of them: the store has bounds of its own.
    pub(super) fn known(marks: Vec<Mark>) -> Self {
        let order: VecDeque<_> = marks.iter().map(|mark| mark.position.identity).collect();
        let known = order.len();
        Self { by_identity: marks.into_iter().map(|mark| (mark.position.identity, mark)).collect(), order, known }
    }

    pub(super) fn keep(&mut self, mark: Mark) {
        let identity = mark.position.identity;
        if self.by_identity.insert(identity, mark).is_none() {
            self.order.push_back(identity);
        }
        while self.order.len() > POSITIONS_MAX.max(self.known) {
            if let Some(oldest) = self.order.pop_front() {
                self.by_identity.remove(&oldest);
            }
        }
    }

    /// The position of a file, if the open file is still the one that was read.
    pub(super) fn of(&self, identity: Identity, file: &File, length: u64) -> io::Result<Option<Mark>> {
        let Some(mark) = self.by_identity.get(&identity) else { return Ok(None) };
        let before = disk::fingerprint_at(file, mark.position.offset)?;
        Ok(mark.position.fits(&Seen { identity, length, before }).then_some(*mark))
    }

    /// Whether something was read of a file of this identity, be it this one or one that was cut since.
    fn knows(&self, identity: Identity) -> bool {
        self.by_identity.contains_key(&identity)
    }
}

impl Live {
    pub(super) const fn stream(&self) -> StreamId {
        self.stream
    }

    pub(super) fn offset(&self) -> u64 {
        self.follower.position().map_or(0, |position| position.offset)
    }

    /// Bytes known but not yet read; at start up to `backlog`, before the first look.
    pub(super) fn unread(&self, backlog: Option<u64>) -> u64 {
        self.follower.unread().max(backlog.unwrap_or(0).saturating_sub(self.offset()))
    }

    pub(super) fn due(&self) -> Option<std::time::Duration> {
        self.follower.due()
    }
}

impl Tailer {
    /// Opens a file and begins to follow it.
    pub(super) fn open_live(&mut self, source: usize, path: &Path, at_start: bool) -> io::Result<()> {
        let file = disk::open(path)?;
        let metadata = file.metadata()?;
        let seen = disk::seen(&metadata);
        if !metadata.is_file() || self.by_identity.contains_key(&seen.identity) {
            // Replaced since it was looked at: the notification of that brings it here again.
            return Ok(());
        }
        let from_end = at_start && self.sources.get(source).is_some_and(|source| source.start == Start::End);
        let from_end = from_end && !self.positions.knows(seen.identity);
        let position = match self.positions.of(seen.identity, &file, seen.length)? {
            Some(mark) => mark.position,
            None => match disk::fingerprint_at(&file, seen.length)?.filter(|_| from_end) {
                Some(fingerprint) => Position { identity: seen.identity, offset: seen.length, fingerprint },
                None => Position::start(seen.identity),
            },
        };
        let (mut follower, now) = (Follower::new(), self.now());
        if follower.step(now, None, Some(seen)) != Step::Open {
            return Ok(());
        }
        let Opened { id: stream, offset } = self.open_stream(source, path, &metadata, Mark::plain(position), false);
        // What the last run had not settled is read again.
        let position = match disk::fingerprint_at(&file, offset)?.filter(|_| offset != position.offset) {
            Some(fingerprint) => Position { offset, fingerprint, ..position },
            None => position,
        };
        follower.opened(now, position);
        let backlog = at_start.then_some(seen.length);
        let body = Body::Live(Live { file, follower, stream, modified: i64::MIN });
        self.add(source, path, seen.identity, backlog, body);
        Ok(())
    }

    pub(super) fn open_stream(
        &self,
        source: usize,
        path: &Path,
        metadata: &Metadata,
        mark: Mark,
        whole: bool,
    ) -> Opened {
        let (name, timezone) = self
            .sources
            .get(source)
            .map_or_else(|| (Arc::from(""), Arc::from("UTC")), |s| (Arc::clone(&s.name), Arc::clone(&s.timezone)));
        let path = Some(Arc::from(path.to_string_lossy()));
        let (offset, modified) = (mark.offset(), Some(disk::modified(metadata)));
        self.sink.open_file(Stream { source: name, path, modified, timezone, offset, whole }, mark)
    }

    /// Enters a file and queues it.
    pub(super) fn add(&mut self, source: usize, path: &Path, identity: Identity, backlog: Option<u64>, body: Body) {
        let id = self.next_slot;
        self.next_slot = self.next_slot.wrapping_add(1);
        if backlog.is_some()
            && let Some(source) = self.sources.get_mut(source)
        {
            source.backlog += 1;
        }
        let label = Label { source, identity, names: Vec::new(), alias: None, backlog, behind_since: None };
        self.slots.insert(id, Slot { label, body, queued: false });
        self.by_identity.insert(identity, id);
        self.name(id, path);
        // A new file goes before a backlog.
        if backlog.is_none() {
            self.queue_first(id);
        }
    }

    /// Looks, and does what the follower says, until the file is read or its turn is over.
    pub(super) fn turn_live(&mut self, label: &mut Label, live: &mut Live) -> Turn {
        let mut read = 0;
        while read < TURN_BYTES {
            let offset = live.offset();
            let look = match self.block.look(&live.file, offset, live.modified) {
                Ok(look) => look,
                Err(error) => return self.fail_read(label, &error),
            };
            live.modified = look.modified;
            let (own, other) = find_names(label);
            let now = self.now();
            match live.follower.step(now, Some(look.seen), own.or(other)) {
                Step::Read(_) => {
                    let bytes = self.block.new_bytes();
                    let Some(last) = bytes.last() else { return Turn::Idle };
                    let (open_line, length) = (*last != b'\n', bytes.len());
                    let fingerprint = self.block.fingerprint_after(offset.saturating_add(length as u64));
                    live.follower.read(now, length as u64, fingerprint, open_line);
                    let position = live.follower.position().unwrap_or(Position::start(label.identity));
                    self.sink.push_file(live.stream, self.block.new_bytes(), Mark::plain(position));
                    read += length;
                    if self.wake.is_stopped() {
                        return Turn::More;
                    }
                }
                Step::Rewind { lost } => self.rewind(label, live, lost),
                Step::EndLine => self.sink.end_line(live.stream),
                Step::Leave => return Turn::Left(self.leave(label)),
                Step::Wait if own.is_some() && label.names.len() > 1 => return Turn::Left(self.leave(label)),
                Step::Open | Step::Wait => return Turn::Idle,
                Step::Close => return Turn::Closed,
            }
        }
        Turn::More
    }

    fn rewind(&mut self, label: &Label, live: &mut Live, lost: u64) {
        self.report(label.source, Health::Rotated(Rotation::Truncate));
        if lost > 0 {
            self.report(label.source, Health::Lost(lost));
        }
        self.sink.finish(live.stream);
        live.modified = i64::MIN;
        let name = label.names.first().or(label.alias.as_ref()).cloned().unwrap_or_default();
        if let Ok(metadata) = live.file.metadata() {
            let mark = Mark::plain(Position::start(label.identity));
            live.stream = self.open_stream(label.source, &name, &metadata, mark, false).id;
        }
    }

    /// Takes the names away at which another file is now. One that nobody has followed yet makes it a rotation; in a
    /// chain of renames (`.1` becomes `.2`) only the first link does.
    pub(super) fn leave(&self, label: &mut Label) -> Vec<PathBuf> {
        let mut rotation = None;
        let left = label.names.extract_if(.., |name| {
            let Ok(metadata) = std::fs::metadata(&*name) else { return false };
            let identity = disk::seen(&metadata).identity;
            if identity != label.identity && !self.by_identity.contains_key(&identity) {
                rotation = Some(if name.is_symlink() { Rotation::Symlink } else { Rotation::Rename });
            }
            identity != label.identity
        });
        let left = left.collect();
        if let Some(rotation) = rotation {
            self.report(label.source, Health::Rotated(rotation));
        }
        left
    }

    fn fail_read(&mut self, label: &Label, error: &io::Error) -> Turn {
        let (now, path) = (self.now(), label.names.first().cloned().unwrap_or_default());
        if let Some(source) = self.sources.get(label.source) {
            self.complaints.say(now, &source.name, &path, Failure::Read, || {
                format!("Expected to read {}, but {}; it is tried again.", path.display(), archive::reason(error))
            });
        }
        // A network file that its server has forgotten can only be opened anew.
        let stale = error.raw_os_error() == Some(rustix::io::Errno::STALE.raw_os_error());
        if stale { Turn::Closed } else { Turn::Idle }
    }

    /// Ends a file's stream and forgets the file, but for its position.
    pub(super) fn close(&mut self, id: SlotId, slot: &Slot) {
        match &slot.body {
            Body::Live(live) => {
                self.sink.finish(live.stream);
                if let Some(position) = live.follower.position() {
                    self.positions.keep(Mark::plain(position));
                }
            }
            Body::Archive(archive) => {
                if let Some(stream) = archive.stream() {
                    self.sink.finish(stream);
                }
                if let Some(mark) = archive.mark() {
                    self.positions.keep(mark);
                }
            }
        }
        self.timed.remove(&id);
        self.by_identity.remove(&slot.label.identity);
        for path in slot.label.names.iter().chain(&slot.label.alias) {
            if self.by_path.get(path) == Some(&id) {
                self.by_path.remove(path);
            }
        }
        if slot.label.backlog.is_some() && !self.wake.is_stopped() {
            self.note_read(slot.label.source);
        }
    }
}

/// What is seen at the file's names now: the file itself, or another one.
pub(super) fn find_names(label: &Label) -> (Option<Seen>, Option<Seen>) {
    let mut other = None;
    for name in &label.names {
        let Ok(metadata) = std::fs::metadata(name) else { continue };
        let seen = disk::seen(&metadata);
        if seen.identity == label.identity {
            return (Some(seen), None);
        }
        other = other.or(Some(seen));
    }
    (None, other)
}
