//! One turn of one archive (`.gz`, `.zst`): read whole, once, when it is complete.
//!
//! An archive that is still being written is waited for. One that was cut and grows later goes on where it stopped.
//! Deliberately does not know whether an archive was made from a file that was followed.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::Start;
use super::archive::{Whole, WholeError};
use super::disk::{self, BLOCK_BYTES};
use super::follow::{Identity, Position};
use super::tail::{Body, Label, TURN_BYTES, Tailer, Turn};
use super::turn::find_names;
use crate::pipeline::StreamId;
use crate::source::{Failure, Mark};

/// How long an archive must not have been written to before it is read.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

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
    Reading(Box<Reading>),
    /// Read, as a file of the length and position kept.
    Done(Option<Position>),
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
}

impl Archive {
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    pub(super) fn due(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(due) => Some(*due),
            State::Reading(_) | State::Done(_) => None,
        }
    }

    pub(super) fn unread(&self) -> u64 {
        match &self.state {
            State::Waiting(_) => self.length,
            State::Reading(reading) => self.length.saturating_sub(reading.progress.load(Ordering::Relaxed)),
            State::Done(_) => 0,
        }
    }

    /// The stream that is open.
    pub(super) fn stream(&self) -> Option<StreamId> {
        match &self.state {
            State::Reading(reading) => Some(reading.stream),
            State::Waiting(_) | State::Done(_) => None,
        }
    }

    /// The mark at the end of the packed file, once it is read.
    pub(super) fn mark(&self) -> Option<Mark> {
        match &self.state {
            State::Done(position) => {
                position.map(|position| Mark { position, unpacked: Some(self.delivered), done: true })
            }
            State::Waiting(_) | State::Reading(_) => None,
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
        let (own, other) = find_names(label);
        match &mut archive.state {
            State::Waiting(_) | State::Done(_) if own.is_none() => {
                if other.is_none() {
                    return Turn::Closed;
                }
                Turn::Left(self.leave(label))
            }
            State::Waiting(_) => self.begin_archive(label, archive),
            State::Reading(_) => self.read_archive(label, archive),
            State::Done(_) if own.is_some_and(|seen| seen.length > archive.length) => {
                archive.state = State::Waiting(self.now());
                self.begin_archive(label, archive)
            }
            State::Done(_) if label.names.len() > 1 => Turn::Left(self.leave(label)),
            State::Done(_) => Turn::Idle,
        }
    }

    fn begin_archive(&mut self, label: &Label, archive: &mut Archive) -> Turn {
        let Some(path) = label.names.first() else { return Turn::Closed };
        let opened = disk::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        let (file, metadata) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.fail_archive(label, archive, Failure::Read, &error.to_string()),
        };
        if disk::seen(&metadata).identity != archive.identity {
            return Turn::Idle;
        }
        if let Some(wait) = still_written(&metadata) {
            archive.state = State::Waiting(self.now().saturating_add(wait));
            return Turn::Idle;
        }
        archive.length = metadata.len();
        let Some(end) = end_position(&file, archive.identity, archive.length) else {
            return self.fail_archive(label, archive, Failure::Read, "it was cut while it was opened");
        };
        match Whole::of_file(path, file) {
            Ok(whole) => {
                let opened = self.open_stream(label.source, path, &metadata, mark(end, archive.delivered), true);
                archive.delivered = opened.offset;
                let (progress, skip, stream) = (whole.progress(), archive.delivered, opened.id);
                let buffer = vec![0; BLOCK_BYTES];
                archive.state = State::Reading(Box::new(Reading { whole, stream, end, progress, buffer, skip }));
                self.read_archive(label, archive)
            }
            Err(error) => self.fail_archive(label, archive, Failure::Read, &error.to_string()),
        }
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
                    return self.fail_archive(label, archive, kind, &error.to_string());
                }
            };
            if length == 0 {
                self.sink.finish(reading.stream);
                archive.state = State::Done(archive_end(label, archive));
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

    /// Says what is wrong; the archive is looked at again when it grows.
    fn fail_archive(&mut self, label: &Label, archive: &mut Archive, kind: Failure, message: &str) -> Turn {
        archive.state = State::Done(archive_end(label, archive));
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

fn archive_end(label: &Label, archive: &Archive) -> Option<Position> {
    let file = disk::open(label.names.first()?).ok()?;
    let seen = disk::seen(&file.metadata().ok()?);
    (seen.identity == archive.identity).then(|| end_position(&file, archive.identity, archive.length)).flatten()
}

fn end_position(file: &File, identity: Identity, length: u64) -> Option<Position> {
    let fingerprint = disk::fingerprint_at(file, length).ok()??;
    Some(Position { identity, offset: length, fingerprint })
}

/// How long to wait until the file has not been written to for [`SETTLE`]. A time in the future does not count.
#[expect(clippy::disallowed_methods, reason = "an edge: compared with the file system's times")]
fn still_written(metadata: &std::fs::Metadata) -> Option<Duration> {
    let age = SystemTime::now().duration_since(metadata.modified().ok()?).ok()?;
    SETTLE.checked_sub(age).filter(|wait| !wait.is_zero())
}
