//! The edges at which bytes and events come in.

pub mod alerts_api;
pub mod file;
pub mod http;
pub mod inlet;
pub mod intake;
pub mod journald;
pub mod shipped;
pub mod stdin;
pub mod twilio;
pub mod webhook;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::pipeline::{Hits, Search, Stream, StreamId};
use crate::source::file::follow::{Identity, Position};
use crate::time::UnixTime;
use twilio::Delivery;

/// Where sources deliver. Called from blocking threads; each call returns when the bytes have been taken in.
pub trait Sink: Send + Sync {
    /// Up to where files were read in an earlier run.
    fn known(&self) -> Vec<Mark> {
        Vec::new()
    }
    /// Says that a known file was found again that has nothing new.
    fn found(&self, _file: Identity) {}
    /// Says that a file need not be read up to a mark, because its content was read in another one.
    fn read_elsewhere(&self, _source: &str, _path: &Path, _mark: Mark) {}
    /// Says that a stream goes on in another file, which holds what the first one held up to the mark.
    fn moved(&self, _stream: StreamId, _mark: Mark) {}
    /// Announces a stream that can't be read again, and names it.
    fn open(&self, stream: Stream) -> StreamId;
    /// Announces the stream of a file. `mark` is where the file stands: a known mark if reading goes on from there, else
    /// a new one. Deliver from [`Opened::offset`] on.
    fn open_file(&self, stream: Stream, _mark: Mark) -> Opened {
        let offset = stream.offset;
        Opened { id: self.open(stream), offset }
    }
    /// Says that a stream takes the place of another one, which still is there: its file has that one's name now.
    fn succeeds(&self, _stream: StreamId, _before: StreamId) {}
    /// Delivers the next bytes of a stream.
    fn push(&self, stream: StreamId, chunk: &[u8]);
    /// Delivers the next bytes of a file; `mark` is where it stands with them.
    fn push_file(&self, stream: StreamId, chunk: &[u8], _mark: Mark) {
        self.push(stream, chunk);
    }
    /// The search that [`push_searched`](Self::push_searched) wants; none if the sink searches by itself.
    fn search(&self) -> Option<Arc<Search>> {
        None
    }
    /// As [`push_file`](Self::push_file), of bytes that were searched already.
    fn push_searched(&self, stream: StreamId, chunk: &[u8], _found: Found<'_>, mark: Mark) {
        self.push_file(stream, chunk, mark);
    }
    /// Says that a file that was there at start has been read to its end, and when it was written to last.
    fn reached(&self, _stream: StreamId, _modified: UnixTime) {}
    /// Says that a partial last line has waited long enough and counts as a line.
    fn end_line(&self, stream: StreamId);
    /// Says that all that was there has been delivered, and that the source now waits.
    fn pause(&self);
    /// Ends a stream: no more bytes will ever come.
    fn finish(&self, stream: StreamId);
    /// Takes leave of a stream that may go on in a later run, from where it is.
    fn leave(&self, stream: StreamId) {
        self.finish(stream);
    }
    /// Says what happened to a source.
    fn report(&self, source: &str, health: Health);
    /// Up to where a journal was read in an earlier run.
    fn journal(&self, _source: &str) -> Option<KeptJournal> {
        None
    }
    /// Announces the stream of a journal: as it was kept, or anew behind a place.
    fn open_journal(&self, stream: Stream, _start: Option<&Place>) -> StreamId {
        self.open(stream)
    }
    /// Delivers the next lines of a journal; `end` is where it stands with them.
    fn push_journal(&self, stream: StreamId, lines: &[u8], _end: &Place) {
        self.push(stream, lines);
    }
    /// Waits while commits fail, and so nothing may be delivered.
    fn until_it_commits(&self) {}
    /// Takes deliveries of events in, and returns when they are committed: only then may they be acknowledged.
    fn deliver(&self, _deliveries: &[Delivered]) -> Result<(), NotCommitted> {
        Err(NotCommitted)
    }
}

/// What a search found in bytes that are delivered.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The search, which may have been replaced since.
    pub search: &'a Arc<Search>,
    /// What it found.
    pub hits: &'a Hits,
}

/// What was delivered could not be made durable. It is to be delivered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCommitted;

/// Events that came in together.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// Name of the source.
    pub source: Arc<str>,
    /// The events.
    pub delivery: Delivery,
    /// Lines of a stream.
    pub lines: Option<(StreamId, Zeroizing<Vec<u8>>)>,
    /// Their size as they came, in bytes.
    pub bytes: usize,
}

/// A stream that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Names it.
    pub id: StreamId,
    /// Offset of the first byte to deliver: that of the stream, or an earlier one, to see once more what was not yet
    /// diagnosed when the last run ended.
    pub offset: u64,
}

/// Up to where a file was delivered. A plain value, kept beside what the delivery caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Up to where the file itself was read; for an archive its end.
    pub position: Position,
    /// For an archive: bytes of its content that were delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<u64>,
    /// Everything up to the position was delivered, and the stream was ended.
    #[serde(default)]
    pub done: bool,
}

impl Mark {
    /// The mark of a file that is read as it is.
    pub const fn plain(position: Position) -> Self {
        Self { position, unpacked: None, done: false }
    }

    /// Offset in the stream.
    pub const fn offset(&self) -> u64 {
        match self.unpacked {
            Some(unpacked) => unpacked,
            None => self.position.offset,
        }
    }
}

/// A place in a journal, behind an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The entry's cursor; empty before the first one.
    pub cursor: String,
    /// Its time, in microseconds since 1970.
    pub micros: u64,
    /// Offset in the stream that the entries are made into.
    pub offset: u64,
    /// Cursors of the entries before it that have the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

/// Up to where a journal was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptJournal {
    /// Behind which entry to read again.
    pub from: Place,
    /// Offset of the first byte to deliver again; not before `from`.
    pub resume: u64,
    /// Everything up to here was delivered.
    pub end: Place,
    /// How many bytes before the end hold what was not yet decided.
    pub undecided: u64,
}

/// What happened to a source; each is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// Files followed, bytes known but not yet read, and seconds since the oldest unread byte was noticed.
    Progress {
        /// Open files.
        files: u64,
        /// Known but not yet read.
        unread_bytes: u64,
        /// Age of what is not yet read.
        lag_seconds: f64,
    },
    /// What was there at start has been read.
    CaughtUp,
    /// A file was rotated.
    Rotated(Rotation),
    /// Bytes that were written but could not be read.
    Lost(u64),
    /// Something went wrong; it will be tried again.
    Failed {
        /// What.
        kind: Failure,
        /// A sentence for a person, without any content of a log.
        message: String,
    },
    /// The same once more; counted, and not worth another line in the log.
    FailedAgain {
        /// What.
        kind: Failure,
        /// As in `Failed`.
        message: String,
    },
    /// Events came in.
    Arrived {
        /// How many were counted as rejections.
        counted: u64,
        /// How many had been counted before.
        repeated: u64,
        /// How many were no refusals.
        ignored: u64,
        /// The time of the latest.
        last: Option<UnixTime>,
    },
    /// The source as a whole works again, or does not.
    Up(bool),
}

/// How a file was rotated. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rotation {
    /// Renamed or deleted, with a new file in its place.
    Rename,
    /// Cut to a shorter length in place.
    Truncate,
    /// A symbolic link that points elsewhere now.
    Symlink,
}

impl Rotation {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Rename, Self::Truncate, Self::Symlink];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Truncate => "truncate",
            Self::Symlink => "symlink",
        }
    }
}

/// What can go wrong with a source. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A file or folder can't be opened: permission.
    Permission,
    /// A folder of a glob does not exist (yet).
    Missing,
    /// Reading failed.
    Read,
    /// The system gives no more watches or notifications: polling takes over.
    Watch,
    /// An archive is damaged.
    Archive,
    /// A delivery without Twilio's signature, or with a wrong one.
    Signature,
    /// What came in can't be read, or is too large.
    Payload,
    /// A delivery without the bearer, or user and password, of its source, or with wrong ones.
    Unauthorized,
    /// Twilio refuses our credentials.
    Auth,
    /// Twilio asks to wait.
    RateLimited,
    /// More came in than could be committed; the sender was asked to send again.
    Busy,
    /// Nobody answers at the other end, or answers that it does not work.
    Remote,
}

impl Failure {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Permission,
        Self::Missing,
        Self::Read,
        Self::Watch,
        Self::Archive,
        Self::Signature,
        Self::Payload,
        Self::Unauthorized,
        Self::Auth,
        Self::RateLimited,
        Self::Busy,
        Self::Remote,
    ];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Missing => "missing",
            Self::Read => "read",
            Self::Watch => "watch",
            Self::Archive => "archive",
            Self::Signature => "signature",
            Self::Payload => "payload",
            Self::Unauthorized => "unauthorized",
            Self::Auth => "auth",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Remote => "remote",
        }
    }

    /// Whether it says only that somebody who may be a stranger knows the address of a source, and was refused. It is
    /// counted and told, and no reason to wake anybody.
    pub const fn is_of_a_stranger(self) -> bool {
        match self {
            Self::Signature | Self::Unauthorized => true,
            Self::Permission
            | Self::Missing
            | Self::Read
            | Self::Watch
            | Self::Archive
            | Self::Payload
            | Self::Auth
            | Self::RateLimited
            | Self::Busy
            | Self::Remote => false,
        }
    }
}
