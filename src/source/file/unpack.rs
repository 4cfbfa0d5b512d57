//! One turn of one archive (`.gz`, `.zst`): read whole, once, when it is complete.
//!
//! An archive that is still being written is waited for. One that was cut and grows later goes on where it stopped.
//! One that was made from a file that was followed is recognised by its content, before anything is delivered: what was
//! read of the file is passed over. Content that no known file had is read from its beginning.

use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::Start;
use super::archive::{Whole, WholeError};
use super::blocks::BLOCK_BYTES;
use super::disk;
use super::follow::{Identity, Position};
use super::kin;
use super::known::{Extent, Search};
use super::tail::{Body, Label, TURN_BYTES, Tailer, Turn};
use super::turn::{Live, current_name, find_names};
use crate::pipeline::StreamId;
use crate::source::{Failure, Mark, Opened};

/// How long an archive must not have been written to before it is read.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// When an archive that could not be opened is tried again: mostly it was just renamed.
const AGAIN: Duration = Duration::from_secs(1);

/// An archive and how far it is read.
pub(super) struct Archive {
    state: State,
    identity: Identity,
    /// Its length when it was opened last.
    length: u64,
    /// Bytes of its content that have been delivered.
    delivered: u64,
}

enum State {
    /// Looked at again at the time given: it may still be written to.
    Waiting(Duration),
    /// Unpacked without delivering anything, to find what was read before.
    Comparing(Box<Comparing>),
    Reading(Box<Reading>),
    /// Read, as a file of the length and position kept.
    Done(Option<Position>),
}

struct Comparing {
    /// The file, whatever its name is by now.
    file: File,
    whole: Whole,
    buffer: Vec<u8>,
    search: Search,
}

struct Reading {
    whole: Whole,
    stream: StreamId,
    /// The end of the packed file that is read.
    end: Position,
    progress: Arc<AtomicU64>,
    buffer: Vec<u8>,
    /// Content still to be passed over, because it was delivered before.
    skip: u64,
    /// Remembers the content, in case that it comes again.
    content: Search,
}

impl Archive {
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(due) => Some(*due),
            State::Comparing(_) | State::Reading(_) | State::Done(_) => None,
        }
    }

    pub(super) fn unread(&self) -> u64 {
        match &self.state {
            State::Waiting(_) | State::Comparing(_) => self.length,
            State::Reading(reading) => self.length.saturating_sub(reading.progress.load(Ordering::Relaxed)),
            State::Done(_) => 0,
        }
    }

    /// The stream that is open.
    pub(super) fn stream(&self) -> Option<StreamId> {
        match &self.state {
            State::Reading(reading) => Some(reading.stream),
            State::Waiting(_) | State::Comparing(_) | State::Done(_) => None,
        }
    }

    /// The mark at the end of the packed file, once it is read.
    pub(super) fn mark(&self) -> Option<Mark> {
        match &self.state {
            State::Done(position) => {
                position.map(|position| Mark { position, unpacked: Some(self.delivered), done: true })
            }
            State::Waiting(_) | State::Comparing(_) | State::Reading(_) => None,
        }
    }
}

impl Tailer {
    /// Enters an archive, to be read or, if it was read before or is to be left out, only remembered.
    pub(super) fn open_archive(&mut self, source: usize, path: &Path, at_start: bool) -> io::Result<()> {
        let file = disk::open(path)?;
        let metadata = file.metadata()?;
        let seen = disk::seen(&metadata);
        if !metadata.is_file() || self.by_identity.contains_key(&seen.identity) {
            return Ok(());
        }
        let left_out = at_start && self.sources.get(source).is_some_and(|source| source.start == Start::End);
        let known = self.positions.of(seen.identity, &file, seen.length)?;
        let delivered = known.map_or(0, |known| known.offset());
        let state = match known {
            Some(known) if known.done && known.position.offset == seen.length => {
                self.sink.found(seen.identity);
                State::Done(Some(known.position))
            }
            None if left_out => State::Done(end_position(&file, seen.identity, seen.length)),
            // A known one was being read by the last run, or has grown since.
            Some(_) | None => State::Waiting(self.now()),
        };
        let backlog = (at_start && matches!(state, State::Waiting(_))).then_some(seen.length);
        let archive = Archive { state, identity: seen.identity, length: seen.length, delivered };
        self.add(source, path, seen.identity, backlog, Body::Archive(archive));
        Ok(())
    }

    pub(super) fn turn_archive(&mut self, label: &mut Label, archive: &mut Archive) -> Turn {
        let turn = match &archive.state {
            State::Comparing(_) => Some(self.compare_archive(label, archive)),
            State::Reading(_) => Some(self.read_archive(label, archive)),
            State::Waiting(_) | State::Done(_) => None,
        };
        match turn {
            // Names that other files took meanwhile are let go in the next turn.
            Some(Turn::Idle) if label.names.len() > 1 => return Turn::More,
            Some(turn) => return turn,
            None => {}
        }
        let (own, other) = find_names(label);
        let Some(own) = own else {
            return if other.is_none() { Turn::Closed } else { Turn::Left(self.leave(label)) };
        };
        // The next rotation renames it, also while it is waited for, and makes another one of the old name.
        let left = if label.names.len() > 1 { self.leave(label) } else { Vec::new() };
        let is_due = match &archive.state {
            State::Waiting(_) => true,
            State::Done(_) => own.length > archive.length,
            State::Comparing(_) | State::Reading(_) => false,
        };
        if !left.is_empty() {
            if is_due {
                archive.state = State::Waiting(self.now());
            }
            return Turn::Left(left);
        }
        if is_due { self.begin_archive(label, archive) } else { Turn::Idle }
    }

    fn begin_archive(&mut self, label: &Label, archive: &mut Archive) -> Turn {
        let Some(path) = current_name(label) else { return Turn::Closed };
        archive.state = State::Waiting(self.now().saturating_add(AGAIN));
        let opened = disk::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        let (file, metadata) = match opened {
            Ok(opened) => opened,
            // It has another name since it was looked at; under that one it will be found.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Turn::Idle,
            Err(error) => return self.fail_open(label, &error),
        };
        if disk::seen(&metadata).identity != archive.identity {
            return Turn::Idle;
        }
        if let Some(wait) = still_written(&metadata) {
            archive.state = State::Waiting(self.now().saturating_add(wait));
            return Turn::Idle;
        }
        archive.length = metadata.len();
        let extents = if archive.delivered == 0 { self.extents(path, archive.identity) } else { Vec::new() };
        match unpack(path, &file) {
            Ok(whole) if extents.is_empty() => self.deliver_archive(label, archive, &file, whole),
            Ok(whole) => {
                let (buffer, search) = (vec![0; BLOCK_BYTES], Search::new(extents));
                archive.state = State::Comparing(Box::new(Comparing { file, whole, buffer, search }));
                Turn::More
            }
            Err(error) => self.fail_archive(label, archive, &file, Failure::Read, &error.to_string()),
        }
    }

    /// What is known to have been read of files from which the archive may have been made.
    fn extents(&self, archive: &Path, identity: Identity) -> Vec<Extent> {
        let before = |read: &Position| identity.born.zip(read.identity.born).is_none_or(|(own, read)| own >= read);
        let marks = self.positions.iter().filter(|mark| before(&mark.position));
        let extent = |mark: &Mark| Extent { open: mark.unpacked.is_none(), ..Extent::of(&mark.position) };
        let mut extents: Vec<Extent> = marks.map(extent).collect();
        for (named, identity, live) in self.originals(archive) {
            let file = live.file();
            // Where it was read up to, if it was cut since.
            let is_cut = |read: &Position| {
                file.is_some_and(|file| {
                    disk::fingerprint_at(file, read.offset).is_ok_and(|now| now != Some(read.fingerprint))
                })
            };
            extents.extend(live.position().map(|read| Extent { open: !named || is_cut(&read), ..Extent::of(&read) }));
            // What is open is read to its end, wherever reading is now.
            let end = file.and_then(|file| end_position(file, identity, file.metadata().ok()?.len()));
            extents.extend(end.map(|read| Extent { open: !named, ..Extent::of(&read) }));
        }
        extents
    }

    /// Open files from which an archive may have been made: those without a name, and those whose name it has; and
    /// whether they still have one.
    fn originals(&self, archive: &Path) -> impl Iterator<Item = (bool, Identity, &Live)> {
        self.slots.values().filter_map(move |slot| {
            let Body::Live(live) = &slot.body else { return None };
            let names = &slot.label.names;
            let related = names.is_empty() || names.iter().any(|name| kin::is_packed(archive, name));
            related.then(|| (find_names(&slot.label).0.is_some(), slot.label.identity, live))
        })
    }

    /// Whether all content of an archive is the beginning of an open file.
    fn is_beginning(&self, archive: &Path, content: &Extent) -> bool {
        self.originals(archive).any(|(_, _, live)| {
            let found = live.file().map(|file| disk::fingerprint_at(file, content.offset));
            found.is_some_and(|found| found.is_ok_and(|found| found == Some(content.fingerprint)))
        })
    }

    fn compare_archive(&mut self, label: &Label, archive: &mut Archive) -> Turn {
        let State::Comparing(comparing) = &mut archive.state else { return Turn::Idle };
        let (mut read, mut ended) = (0, false);
        while read < TURN_BYTES && !comparing.search.is_over() && !ended && !self.wake.is_stopped() {
            // What is damaged is told when it is delivered.
            let length = comparing.whole.next(&mut comparing.buffer).unwrap_or_default();
            comparing.search.push(comparing.buffer.get(..length).unwrap_or_default());
            ended = length == 0;
            read += length;
        }
        if !ended && !comparing.search.is_over() {
            return Turn::More;
        }
        if !ended {
            // Whether the content ends here, too.
            ended = matches!(comparing.whole.next(&mut comparing.buffer), Ok(0));
        }
        let Some(path) = current_name(label) else { return Turn::Closed };
        archive.delivered = comparing.search.answer(ended);
        let content = comparing.search.extent();
        if ended && (archive.delivered == content.offset || self.is_beginning(path, &content)) {
            archive.state = State::Done(end_position(&comparing.file, archive.identity, archive.length));
            if let Some(mark) = archive.mark() {
                self.read_elsewhere(label.source, path, mark);
            }
            return Turn::Idle;
        }
        let State::Comparing(comparing) = std::mem::replace(&mut archive.state, State::Done(None)) else {
            return Turn::Idle;
        };
        match unpack(path, &comparing.file) {
            Ok(whole) => self.deliver_archive(label, archive, &comparing.file, whole),
            Err(error) => self.fail_archive(label, archive, &comparing.file, Failure::Read, &error.to_string()),
        }
    }

    fn deliver_archive(&mut self, label: &Label, archive: &mut Archive, file: &File, whole: Whole) -> Turn {
        let Some(path) = current_name(label) else { return Turn::Closed };
        let end = end_position(file, archive.identity, archive.length);
        let (Some(end), Ok(metadata)) = (end, file.metadata()) else {
            return self.fail_archive(label, archive, file, Failure::Read, "It was cut while it was opened");
        };
        let Opened { id: stream, offset } =
            self.open_stream(label.source, path, &metadata, mark(end, archive.delivered), true);
        archive.delivered = offset;
        let (progress, skip, buffer) = (whole.progress(), archive.delivered, vec![0; BLOCK_BYTES]);
        let content = Search::new(Vec::new());
        archive.state = State::Reading(Box::new(Reading { whole, stream, end, progress, buffer, skip, content }));
        self.read_archive(label, archive)
    }

    fn read_archive(&mut self, label: &Label, archive: &mut Archive) -> Turn {
        let State::Reading(reading) = &mut archive.state else { return Turn::Idle };
        let mut read = 0;
        while read < TURN_BYTES {
            let length = match reading.whole.next(&mut reading.buffer) {
                Ok(length) => length,
                Err(error) => {
                    self.sink.finish(reading.stream);
                    let kind = match &error {
                        WholeError::Damaged(..) => Failure::Archive,
                        WholeError::Open(..) | WholeError::Kind(..) | WholeError::Read(..) => Failure::Read,
                    };
                    let end = reading.end;
                    return self.end_archive(label, archive, Some(end), kind, &error.to_string());
                }
            };
            reading.content.push(reading.buffer.get(..length).unwrap_or_default());
            if length == 0 {
                self.sink.finish(reading.stream);
                let (content, end) = (reading.content.extent(), reading.end);
                archive.state = State::Done(Some(end));
                if let Some(path) = current_name(label) {
                    self.keep_content(label.source, path, content);
                }
                return Turn::Idle;
            }
            let passed = usize::try_from(reading.skip).unwrap_or(usize::MAX).min(length);
            reading.skip = reading.skip.saturating_sub(passed as u64);
            if let Some(bytes) = reading.buffer.get(passed..length).filter(|bytes| !bytes.is_empty()) {
                archive.delivered = archive.delivered.saturating_add(bytes.len() as u64);
                self.sink.push_file(reading.stream, bytes, mark(reading.end, archive.delivered));
            }
            read += length;
            if self.wake.is_stopped() {
                break;
            }
        }
        Turn::More
    }

    fn fail_archive(&mut self, label: &Label, archive: &mut Archive, file: &File, kind: Failure, why: &str) -> Turn {
        let end = end_position(file, archive.identity, archive.length);
        self.end_archive(label, archive, end, kind, why)
    }

    /// Says what is wrong; the archive is looked at again when it grows.
    fn end_archive(
        &mut self,
        label: &Label,
        archive: &mut Archive,
        end: Option<Position>,
        kind: Failure,
        message: &str,
    ) -> Turn {
        archive.state = State::Done(end);
        let (now, path) = (self.now(), label.names.first().cloned().unwrap_or_default());
        if let Some(source) = self.sources.get(label.source) {
            self.complaints
                .say(now, &source.name, &path, kind, || format!("{message}. Test it with `zstd -t` or `gzip -t`."));
        }
        Turn::Idle
    }
}

const fn mark(end: Position, delivered: u64) -> Mark {
    Mark { position: end, unpacked: Some(delivered), done: false }
}

/// Begins to unpack an open file.
fn unpack(path: &Path, mut file: &File) -> Result<Whole, WholeError> {
    let again = file.rewind().and_then(|()| file.try_clone());
    Whole::of_file(path, again.map_err(|error| WholeError::Open(path.to_owned(), error))?)
}

fn end_position(file: &File, identity: Identity, length: u64) -> Option<Position> {
    let fingerprint = disk::fingerprint_at(file, length).ok()??;
    Some(Position { identity, offset: length, fingerprint })
}

/// How long to wait until the file has not been written to for [`SETTLE`]. A time in the future does not count.
#[expect(clippy::disallowed_methods, reason = "an edge: compared with the file system's times")]
fn still_written(metadata: &Metadata) -> Option<Duration> {
    let age = SystemTime::now().duration_since(metadata.modified().ok()?).ok()?;
    SETTLE.checked_sub(age).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests;
