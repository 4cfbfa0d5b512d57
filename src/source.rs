//! The edges at which bytes come in.

pub mod file;
pub mod stdin;

use crate::pipeline::{Stream, StreamId};

/// Where sources deliver. Called from blocking threads; each call returns when the bytes have been taken in.
pub trait Sink: Send + Sync {
    /// Announces a stream and names it.
    fn open(&self, stream: Stream) -> StreamId;
    /// Delivers the next bytes of a stream.
    fn push(&self, stream: StreamId, chunk: &[u8]);
    /// Says that a partial last line has waited long enough and counts as a line.
    fn end_line(&self, stream: StreamId);
    /// Says that all that was there has been delivered, and that the source now waits.
    fn pause(&self);
    /// Ends a stream.
    fn finish(&self, stream: StreamId);
    /// Says what happened to a source.
    fn report(&self, source: &str, health: Health);
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
}

impl Failure {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Permission, Self::Missing, Self::Read, Self::Watch, Self::Archive];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Missing => "missing",
            Self::Read => "read",
            Self::Watch => "watch",
            Self::Archive => "archive",
        }
    }
}
