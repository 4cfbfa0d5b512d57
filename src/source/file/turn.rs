//! One turn of one growing file: look, ask the follower, do it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Start;
use super::archive;
use super::disk;
use super::follow::{Follower, Identity, Position, Seen, Step};
use super::kin;
use super::known::Extent;
use super::looks::Target;
use super::tail::{Body, Label, Slot, SlotId, TURN_BYTES, Tailer, Turn};
use crate::pipeline::{Stream, StreamId};
use crate::source::{Failure, Health, Mark, Opened, Rotation};
use crate::time::UnixTime;

/// Positions of closed files that are remembered, so that a file that comes back goes on where it was.
const POSITIONS_MAX: usize = 10_000;

/// A file that is followed as it grows.
pub(super) struct Live {
    /// None while it is closed because the system allows no more open files.
    file: Option<File>,
    follower: Follower,
    stream: StreamId,
    /// Modification time at the last look.
    modified: i64,
    /// When it was read last.
    used: Duration,
    /// When it is looked at again although all that was seen is read, because much is written.
    again: Option<Duration>,
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

    pub(super) fn is_empty(&self) -> bool {
        self.by_identity.is_empty()
    }

    /// Whether something was read of a file of this identity, be it this one or one that was cut since.
    pub(super) fn knows(&self, identity: &Identity) -> bool {
        self.by_identity.contains_key(identity)
    }

    pub(super) fn get(&self, identity: &Identity) -> Option<Position> {
        self.by_identity.get(identity).map(|mark| mark.position)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.by_identity.values()
    }

    /// The position of a file, if the open file is still the one that was read.
    pub(super) fn of(&self, identity: Identity, file: &File, length: u64) -> io::Result<Option<Mark>> {
        let Some(mark) = self.by_identity.get(&identity) else { return Ok(None) };
        let before = disk::fingerprint_at(file, mark.position.offset)?;
        Ok(mark.position.fits(&Seen { identity, length, before }).then_some(*mark))
    }
}

/// The position of a file at another offset: what the last run had not settled is read again.
pub(super) fn moved_to(file: &File, position: Position, offset: u64) -> Position {
    let fingerprint = disk::fingerprint_at(file, offset).ok().flatten().filter(|_| offset != position.offset);
    fingerprint.map_or(position, |fingerprint| Position { offset, fingerprint, ..position })
}

impl Live {
    pub(super) const fn stream(&self) -> StreamId {
        self.stream
    }

    pub(super) fn offset(&self) -> u64 {
        self.follower.position().map_or(0, |position| position.offset)
    }

    pub(super) const fn position(&self) -> Option<Position> {
        self.follower.position()
    }

    pub(super) const fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Modification time at the last look, unless it is so new that it may be that of a further change, too.
    pub(super) fn modified(&self) -> Option<UnixTime> {
        (self.modified != i64::MIN).then(|| UnixTime::from_millis(self.modified.div_euclid(1_000_000)))
    }

    pub(super) const fn used(&self) -> Duration {
        self.used
    }

    /// Whether what `stat` says is what was seen when all was read.
    pub(super) fn is_unchanged(&self, metadata: &Metadata) -> bool {
        metadata.len() == self.offset() && disk::modified_nanos(metadata) == self.modified
    }

    pub(super) fn reopened(&mut self, file: File) {
        self.file = Some(file);
    }

    /// Closes the file but goes on following it.
    pub(super) fn release(&mut self) {
        self.file = None;
    }

    /// Closes it soon if it has no name any more.
    pub(super) const fn hurry(&mut self) {
        self.follower.hurry();
    }

    /// Bytes known but not yet read; at start up to `backlog`, before the first look.
    pub(super) fn unread(&self, backlog: Option<u64>) -> u64 {
        self.follower.unread().max(backlog.unwrap_or(0).saturating_sub(self.offset()))
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.follower.due().into_iter().chain(self.again).min()
    }
}

impl Tailer {
    /// Remembers a file whose content, up to where the mark says, was read in another one.
    pub(super) fn read_elsewhere(&mut self, source: usize, path: &Path, mark: Mark) {
        let mark = Mark { done: true, ..mark };
        self.positions.keep(mark);
        if let Some(source) = self.sources.get(source) {
            self.sink.read_elsewhere(&source.name, path, mark);
        }
    }

    /// Remembers content that stands in no file any more, or in an archive, in case that an archive brings it again.
    pub(super) fn keep_content(&mut self, source: usize, path: &Path, content: Extent) {
        let Extent { offset, open, fingerprint } = content;
        let position = Position { identity: Identity::of_content(fingerprint), offset, fingerprint };
        self.read_elsewhere(source, path, Mark { unpacked: (!open).then_some(offset), ..Mark::plain(position) });
    }

    /// Opens a file and begins to follow it.
    pub(super) fn open_live(&mut self, source: usize, path: &Path, at_start: bool) -> io::Result<()> {
        self.make_room()?;
        let file = disk::open(path)?;
        let metadata = file.metadata()?;
        let seen = disk::seen(&metadata);
        if !metadata.is_file() || self.by_identity.contains_key(&seen.identity) || self.holds(path, &file, &seen) {
            // Replaced since it was looked at: the notification of that brings it here again.
            return Ok(());
        }
        let from_end = at_start && self.sources.get(source).is_some_and(|source| source.start == Start::End);
        let from_end = from_end && !self.positions.knows(&seen.identity);
        let known = self.positions.of(seen.identity, &file, seen.length)?.map(|mark| mark.position);
        if known.is_none_or(|known| known.offset == 0) {
            let base = kin::bases(path).into_iter().find(|base| base.exists());
            self.finish_since(source, path, base.as_deref().unwrap_or(path), seen.identity);
        }
        let position = match known {
            Some(position) => position,
            None => match disk::fingerprint_at(&file, seen.length)?.filter(|_| from_end) {
                Some(fingerprint) => Position { identity: seen.identity, offset: seen.length, fingerprint },
                None => Position::start(seen.identity),
            },
        };
        let Opened { id: stream, offset } = self.open_stream(source, path, &metadata, Mark::plain(position), false);
        let position = moved_to(&file, position, offset);
        let backlog = at_start.then_some(seen.length);
        let body = Body::Live(self.live(file, position, stream));
        self.add(source, path, seen.identity, backlog, body);
        Ok(())
    }

    pub(super) fn live(&self, file: File, position: Position, stream: StreamId) -> Live {
        let (mut follower, used) = (Follower::new(), self.now());
        follower.opened(used, position);
        Live { file: Some(file), follower, stream, modified: i64::MIN, used, again: None }
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

    /// Enters a file under its name and queues it.
    pub(super) fn add(&mut self, source: usize, path: &Path, identity: Identity, backlog: Option<u64>, body: Body) {
        let id = self.enter(source, identity, backlog, body);
        let before = self.by_path.get(path).copied();
        self.name(id, path);
        // A new file goes before a backlog, and behind the one whose place it takes.
        if backlog.is_none() {
            self.queue_first(id);
            if let Some(before) = before {
                self.queue_first(before);
            }
        }
    }

    /// Says that one file took the place of another one.
    pub(super) fn succeed(&self, id: SlotId, before: SlotId) {
        let stream = |id: SlotId| match &self.slots.get(&id)?.body {
            Body::Live(live) => Some(live.stream),
            Body::Archive(_) => None,
        };
        if let Some((stream, before)) = stream(id).zip(stream(before)) {
            self.sink.succeeds(stream, before);
        }
    }

    /// Enters a file that has no name yet.
    pub(super) fn enter(&mut self, source: usize, identity: Identity, backlog: Option<u64>, body: Body) -> SlotId {
        let id = self.next_slot;
        self.next_slot = self.next_slot.wrapping_add(1);
        if backlog.is_some()
            && let Some(source) = self.sources.get_mut(source)
        {
            source.backlog += 1;
        }
        let label = Label::new(source, identity, backlog);
        self.slots.insert(id, Box::new(Slot { label, body, queued: false }));
        self.progressed = true;
        self.by_identity.insert(identity, id);
        id
    }

    /// Looks, and does what the follower says, until the file is read or its turn is over.
    pub(super) fn turn_live(&mut self, label: &mut Label, live: &mut Live) -> Turn {
        let (mut read, mut names) = (0, None);
        live.again = None;
        while read < TURN_BYTES {
            let offset = live.offset();
            let (own, other) = names.take().unwrap_or_else(|| find_names(label));
            if live.file.is_none() {
                match self.reopen(label, live, own) {
                    Ok(true) => {}
                    Ok(false) if own.is_none() && other.is_none() => return Turn::Closed,
                    Ok(false) if own.is_none() => return Turn::Left(self.leave(label)),
                    Ok(false) => return Turn::Idle,
                    Err(error) => return self.fail_open(label, &error),
                }
            }
            let Some(file) = &live.file else { return Turn::Idle };
            let (identity, modified, unread) = (label.identity, live.modified, live.unread(label.backlog));
            let target = Target { identity, file, offset, modified, unread };
            let look = match self.looks.look(&target, &*self.sink) {
                Ok(look) => look,
                Err(error) => return self.fail_read(label, &error),
            };
            (live.modified, live.used) = (look.modified, self.now());
            if look.is_deleted {
                live.follower.hurry();
            }
            let (before, length) = (live.follower.position(), live.follower.length());
            match live.follower.step(live.used, Some(look.seen), own.or(other)) {
                Step::Read(_) => {
                    let bytes = self.looks.new_bytes();
                    let Some(last) = bytes.last() else { return Turn::Idle };
                    let (open_line, length) = (*last != b'\n', bytes.len());
                    let fingerprint = self.looks.fingerprint_after(offset.saturating_add(length as u64));
                    live.follower.read(live.used, length as u64, fingerprint, open_line);
                    let position = live.follower.position().unwrap_or(Position::start(label.identity));
                    let (bytes, mark) = (self.looks.new_bytes(), Mark::plain(position));
                    match self.looks.found() {
                        Some(found) => self.sink.push_searched(live.stream, bytes, found, mark),
                        None => self.sink.push_file(live.stream, bytes, mark),
                    }
                    read += length;
                    self.pace.read(length as u64);
                    if self.wake.is_stopped() {
                        return Turn::More;
                    }
                    let is_read = live.follower.unread() == 0;
                    // What is at its names does not matter as long as there is more to read.
                    names = (!is_read).then_some((own, other));
                    // One that has left its name is read to its end, so that the next one begins; and of one that was there
                    // at start it must be known when it was written last.
                    if self.pace.is_busy() && is_read && own.is_some() && label.backlog.is_none() {
                        live.again = Some(self.pace.next_round());
                        return Turn::Idle;
                    }
                }
                Step::Rewind { .. } => self.rewind(label, live, before, length),
                Step::EndLine => self.sink.end_line(live.stream),
                Step::Leave => return Turn::Left(self.leave(label)),
                Step::Wait if own.is_some() && label.names.len() > 1 => return Turn::Left(self.leave(label)),
                Step::Open | Step::Wait => return Turn::Idle,
                Step::Close => return Turn::Closed,
            }
        }
        Turn::More
    }

    fn rewind(&mut self, label: &Label, live: &mut Live, before: Option<Position>, length: u64) {
        self.report(label.source, Health::Rotated(Rotation::Truncate));
        let goes_on = before.is_some_and(|before| {
            let stream = Opened { id: live.stream, offset: before.offset };
            self.finish_in_copy(label, before, length, stream)
        });
        let before = live.stream;
        live.modified = i64::MIN;
        let name = label.names.first().or(label.alias.as_ref()).or(label.left_at.as_ref()).cloned().unwrap_or_default();
        let metadata = live.file.as_ref().map(File::metadata);
        if let Some(Ok(metadata)) = metadata {
            let mark = Mark::plain(Position::start(label.identity));
            live.stream = self.open_stream(label.source, &name, &metadata, mark, false).id;
            self.sink.succeeds(live.stream, before);
        }
        if !goes_on {
            self.sink.finish(before);
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

    pub(super) fn fail_open(&mut self, label: &Label, error: &io::Error) -> Turn {
        let (now, path) = (self.now(), label.names.first().cloned().unwrap_or_default());
        if let Some(source) = self.sources.get(label.source) {
            self.complaints.say_open(now, &source.name, &path, error);
        }
        Turn::Idle
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
        self.progressed = true;
        match &slot.body {
            Body::Live(live) => {
                self.sink.finish(live.stream);
                if let Some(position) = live.follower.position() {
                    self.positions.keep(Mark { done: true, ..Mark::plain(position) });
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
        self.looks.forget(&slot.label.identity);
        self.timed.remove(&id);
        // There is room for one that could not be opened.
        self.scans.wanted |= std::mem::take(&mut self.starved);
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

/// The name at which the file is now; if it is at none, the oldest.
pub(super) fn current_name(label: &Label) -> Option<&PathBuf> {
    let is_there = |name: &&PathBuf| {
        std::fs::metadata(name).is_ok_and(|metadata| disk::seen(&metadata).identity == label.identity)
    };
    label.names.iter().find(is_there).or(label.names.first())
}
