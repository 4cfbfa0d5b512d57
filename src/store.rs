//! The ledger on disk, as rows under keys. A commit is one transaction: after a crash all of it is there, or nothing.
//!
//! Two layers: a commit is appended to a journal, and from time to time what is in the journal is brought into a
//! `redb` database, in one transaction that is forced to the disk. The first makes a commit cost some tens of
//! microseconds and survives the end of the process in any way; the second bounds the journal and what a loss of power
//! can take back (`store.sync_seconds`), and no loss of power can damage either, because `redb` never writes over what
//! it may still need and a journal is read only as far as its records are whole and follow each other.
//!
//! | file in `state_dir` | |
//! | --- | --- |
//! | `state.redb` | all rows as of some commit |
//! | `state.journal.<number>` | the commits after it |
//! | `lock` | held by the process that uses the state; its id |
//!
//! What rows mean is not known here, but for their [`Table`]s. A change of their meaning that an older version
//! would misread raises [`SCHEMA`]; opening a database brings older rows up to it, and moves those of a later version
//! aside.

pub mod base;
mod batch;
pub mod journal;
mod lock;
mod rows;
mod snapshot;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub use self::base::Base;
pub use self::batch::{Batch, Row};
use self::journal::{End, Journal, Log, replay};
pub use self::lock::{LOCK_FILE, Lock};
pub use self::rows::Rows;
pub use self::snapshot::{Snapshot, SnapshotError, reset};

/// Version of what rows mean.
pub const SCHEMA: u32 = 1;

/// So many bytes wait to be brought into the database before it is looked whether all of them count.
const COMPACT_BYTES_LEAST: usize = 4 << 20;

/// A journal that holds nothing but commits of nothing is begun anew when it has so many bytes.
const NOTHING_BYTES_MAX: u64 = 64 << 10;

/// Name of the database.
pub const BASE_FILE: &str = "state.redb";
/// Names of journals begin so.
pub const JOURNAL_PREFIX: &str = "state.journal.";

/// The tables: the first byte of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The key of the fingerprints.
    Secret,
    /// Rows of the ledger, by name.
    Ledger,
    /// Streams, by the identity of their file.
    Stream,
    /// Refused tokens, by fingerprint.
    Refused,
    /// Signatures and token ids that verified, by fingerprint.
    Verified,
    /// How the tokens of each key fared, by key SID.
    Fared,
    /// Events of Twilio's that were counted, by their number in the order of arrival.
    Event,
    /// Journals, by the name of their source.
    Journal,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Secret,
        Self::Ledger,
        Self::Stream,
        Self::Refused,
        Self::Verified,
        Self::Fared,
        Self::Event,
        Self::Journal,
    ];

    const fn tag(self) -> u8 {
        match self {
            Self::Secret => b'k',
            Self::Ledger => b'l',
            Self::Stream => b's',
            Self::Refused => b'r',
            Self::Verified => b'v',
            Self::Fared => b'f',
            Self::Event => b'e',
            Self::Journal => b'j',
        }
    }

    /// What an export calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Ledger => "ledger",
            Self::Stream => "stream",
            Self::Refused => "refused",
            Self::Verified => "verified",
            Self::Fared => "fared",
            Self::Event => "event",
            Self::Journal => "journal",
        }
    }
}

/// The rows of a table, by name, in order.
pub fn rows_of(rows: &Rows, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
    rows.iter().filter_map(move |(key, value)| Some((key.strip_prefix(&[table.tag()])?, value)))
}

/// A state that could not be used and was moved aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What was wrong.
    pub why: String,
    /// Where it is now.
    pub aside: PathBuf,
    /// Nothing of it is left; else the end of a journal was lost.
    pub is_all: bool,
}

/// Why there is no store.
#[derive(Debug)]
pub enum OpenError {
    /// The folder can't be made or written to.
    Folder(PathBuf, io::Error),
    /// Another process uses the state.
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Its process id, if it has said so.
        pid: Option<u32>,
    },
    /// Reading or writing failed.
    Io(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder, error) => {
                let folder = folder.display();
                write!(f, "expected to write the state in {folder}, but {}; ", reason(error))?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    write!(f, "give the folder to the user of the daemon: `install -d -m 700 -o USER {folder}`")
                } else {
                    write!(f, "see `df {folder}` and `ls -ld {folder}`, or name another folder as `state_dir`")
                }
            }
            Self::Locked { folder, pid } => {
                let (folder, who) =
                    (folder.display(), pid.map_or("another process".to_owned(), |pid| format!("process {pid}")));
                write!(
                    f,
                    "expected the state in {folder} to be free, but {who} uses it; end that one first{}, or give this one a \
                     `state_dir` of its own",
                    pid.map_or(String::new(), |pid| format!(" (`kill {pid}`)"))
                )
            }
            Self::Io(path, error) => {
                write!(f, "expected to read and write {0}, but {1}; see `ls -l {0}`", path.display(), reason(error))
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// An operating system's error in plain words, without its number.
fn reason(error: &io::Error) -> String {
    let plain = [
        (io::ErrorKind::NotFound, "there is none"),
        (io::ErrorKind::PermissionDenied, "permission was denied"),
        (io::ErrorKind::StorageFull, "the disk is full"),
    ];
    if let Some((_, text)) = plain.iter().find(|(kind, _)| *kind == error.kind()) {
        return (*text).to_owned();
    }
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// Begins a journal for records from a number on.
pub type NewLog = Box<dyn FnMut(u64) -> io::Result<Box<dyn Log>> + Send>;

/// The front of the store: takes commits.
pub struct Store {
    journal: Option<Journal>,
    new_log: NewLog,
    /// Number of the last commit.
    number: u64,
    /// What the database does not have yet.
    ahead: Batch,
    /// It is made compact when it has so many bytes.
    compact_at: usize,
    _lock: Option<Lock>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("number", &self.number)
            .field("ahead", &self.ahead.length())
            .finish_non_exhaustive()
    }
}

/// Rows to be brought into the database, up to a commit.
#[derive(Debug)]
pub struct Ahead {
    /// The rows.
    pub batch: Batch,
    /// The last commit that they are of.
    pub number: u64,
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Takes commits.
    pub store: Store,
    /// The database behind it.
    pub base: Base,
    /// All rows.
    pub rows: Rows,
    /// What had to be moved aside.
    pub recovered: Option<Recovery>,
}

impl Store {
    /// Opens the state in a folder, for this process alone. `now` is the time in seconds, for the names of what is
    /// moved aside.
    pub fn open(folder: &Path, now: i64) -> Result<Opened, OpenError> {
        let failed = |error| OpenError::Folder(folder.to_owned(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = Lock::take(folder)?;
        let (mut base, mut rows, mut number, mut recovered) = open_base(folder, now)?;
        let journals = journals(folder).map_err(failed)?;
        for path in journals.iter().map(|(_, path)| path) {
            let bytes = fs::read(path).map_err(|error| OpenError::Io(path.clone(), error))?;
            if replay(&bytes, &mut number, &mut rows) == End::Damaged {
                let aside = move_aside(path, now)?;
                recovered.get_or_insert_with(|| Recovery {
                    why: format!("{} is damaged, so commit {} and those after it are lost", path.display(), number + 1),
                    aside,
                    is_all: false,
                });
            }
        }
        // From here on the database is up to date and no journal of an earlier run is needed.
        let io = |error| OpenError::Io(folder.join(BASE_FILE), error);
        if !journals.is_empty() {
            base.bring_changes(&rows, number).map_err(io)?;
            remove_journals(folder, u64::MAX).map_err(failed)?;
        }
        let store = Self::new(new_log_in(folder), number, Some(lock));
        Ok(Opened { store, base, rows, recovered })
    }

    /// A store whose journals come from anywhere, for tests of their faults.
    pub fn new(new_log: NewLog, number: u64, lock: Option<Lock>) -> Self {
        let (ahead, compact_at) = (Batch::new(), COMPACT_BYTES_LEAST);
        Self { journal: None, new_log, number, ahead, compact_at, _lock: lock }
    }

    /// Commits: one of nothing is written as well, which shows that it can be. After an error nothing has changed, and the
    /// same batch may be tried again.
    pub fn commit(&mut self, batch: Batch) -> Result<(), (Batch, io::Error)> {
        match self.append(&batch) {
            Ok(()) => {
                self.number += 1;
                self.ahead.append(batch);
                if self.ahead.length() >= self.compact_at {
                    self.ahead.compact();
                    self.compact_at = COMPACT_BYTES_LEAST.max(2 * self.ahead.length());
                }
                Ok(())
            }
            Err(error) => Err((batch, error)),
        }
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let next = self.number + 1;
        let journal = match self.journal.take().filter(|journal| !journal.is_torn()) {
            Some(journal) => self.journal.insert(journal),
            None => self.journal.insert(Journal::new((self.new_log)(next)?)),
        };
        journal.append(next, batch)
    }

    /// Bytes in the journal that is being written.
    pub fn journal_bytes(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::length)
    }

    /// Gives what the database does not have yet, and begins another journal. Bring it there with [`Base::bring`], or
    /// hand it back with [`Store::put_back`].
    pub fn take_ahead(&mut self) -> Option<Ahead> {
        if self.ahead.is_empty() && self.journal_bytes() < NOTHING_BYTES_MAX {
            return None;
        }
        (self.journal, self.compact_at) = (None, COMPACT_BYTES_LEAST);
        Some(Ahead { batch: std::mem::take(&mut self.ahead), number: self.number })
    }

    /// Takes back what could not be brought into the database.
    pub fn put_back(&mut self, ahead: Ahead) {
        let newer = std::mem::replace(&mut self.ahead, ahead.batch);
        self.ahead.append(newer);
    }
}

type OpenedBase = (Base, Rows, u64, Option<Recovery>);

/// Opens the database, or moves it and its journals aside and makes a new one.
fn open_base(folder: &Path, now: i64) -> Result<OpenedBase, OpenError> {
    let path = folder.join(BASE_FILE);
    match Base::open(&path) {
        Ok((base, rows, number)) => Ok((base, rows, number, None)),
        Err(base::Error::Io(error)) => Err(OpenError::Io(path, error)),
        Err(base::Error::Unusable(why)) => {
            for (_, journal) in journals(folder).map_err(|error| OpenError::Io(folder.to_owned(), error))? {
                move_aside(&journal, now)?;
            }
            let aside = move_aside(&path, now)?;
            match Base::open(&path) {
                Ok((base, rows, number)) => Ok((base, rows, number, Some(Recovery { why, aside, is_all: true }))),
                Err(base::Error::Io(error)) => Err(OpenError::Io(path, error)),
                Err(base::Error::Unusable(why)) => Err(OpenError::Io(path, io::Error::other(why))),
            }
        }
    }
}

fn move_aside(from: &Path, now: i64) -> Result<PathBuf, OpenError> {
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let to = from.with_file_name(format!("{name}.damaged-{now}"));
    fs::rename(from, &to).map_err(|error| OpenError::Io(from.to_owned(), error))?;
    Ok(to)
}

/// The journals in a folder, by the number of their first commit.
fn journals(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(JOURNAL_PREFIX)).and_then(|n| n.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes the journals whose commits the database has, all but the one that is being written: call it after
/// [`Base::bring`].
pub fn remove_journals(folder: &Path, brought: u64) -> io::Result<()> {
    for (first, path) in journals(folder)? {
        // A journal begins after everything before it was taken to be brought, so none is half needed.
        if first <= brought {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn new_log_in(folder: &Path) -> NewLog {
    let folder = folder.to_owned();
    Box::new(move |number| {
        let path = folder.join(format!("{JOURNAL_PREFIX}{number}"));
        let file: File = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    })
}

#[cfg(test)]
mod tests;
