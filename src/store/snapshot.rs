//! The state as it is on disk, for looking: takes no lock, changes nothing, also beside a running daemon.
//!
//! The files are read into memory. A daemon may change them meanwhile; what does not fit together is read again.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::base::{self, read_backend};
use super::journal::{End, replay};
use super::{BASE_FILE, JOURNAL_PREFIX, Lock, OpenError, Rows, journals};

/// How often files that do not fit together are read again.
const ATTEMPTS: usize = 5;

/// All rows, as of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The rows.
    pub rows: Rows,
    /// How many commits there were.
    pub commits: u64,
    /// Bytes of the database and of the journals.
    pub bytes: u64,
}

/// Why there is nothing to look at.
#[derive(Debug)]
pub enum SnapshotError {
    /// There is no state in the folder.
    None(PathBuf),
    /// It can't be read.
    Io(PathBuf, io::Error),
    /// It is damaged.
    Unusable(PathBuf, String),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(folder) => write!(
                f,
                "expected a state in {}, but found none; name the daemon's folder with --state-dir or its config with \
                 --config",
                folder.display()
            ),
            Self::Io(path, error) => write!(f, "expected to read {}, but {}", path.display(), super::reason(error)),
            Self::Unusable(path, why) => write!(
                f,
                "expected a state in {}, but {why}; the daemon moves it aside at its next start, `state reset` at once",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// Reads the state in a folder.
    pub fn read(folder: &Path) -> Result<Self, SnapshotError> {
        let mut attempt = 1;
        loop {
            match Self::read_once(folder) {
                Err(SnapshotError::Unusable(..)) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn read_once(folder: &Path) -> Result<Self, SnapshotError> {
        let path = folder.join(BASE_FILE);
        // Journals first: one that is removed meanwhile is in the database that is read after it.
        let listed = journals(folder).map_err(|error| none_or_io(folder, folder, error))?;
        let mut logs = Vec::new();
        for (_, log) in listed {
            match fs::read(&log) {
                Ok(bytes) => logs.push(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(SnapshotError::Io(log, error)),
            }
        }
        let bytes = fs::read(&path).map_err(|error| none_or_io(folder, &path, error))?;
        let unusable = |why: String| SnapshotError::Unusable(path.clone(), why);
        let backend = InMemoryBackend::new();
        let filled = backend.set_len(bytes.len() as u64).and_then(|()| backend.write(0, &bytes));
        filled.map_err(|error| unusable(error.to_string()))?;
        let (mut rows, mut commits) = read_backend(backend).map_err(|error| match error {
            base::Error::Io(error) => SnapshotError::Io(path.clone(), error),
            base::Error::Unusable(why) => unusable(why),
        })?;
        for log in &logs {
            if replay(log, &mut commits, &mut rows) == End::Damaged {
                return Err(unusable("a journal does not fit to it".to_owned()));
            }
        }
        let size = bytes.len() + logs.iter().map(Vec::len).sum::<usize>();
        Ok(Self { rows, commits, bytes: size as u64 })
    }
}

fn none_or_io(folder: &Path, path: &Path, error: io::Error) -> SnapshotError {
    if error.kind() == io::ErrorKind::NotFound {
        SnapshotError::None(folder.to_owned())
    } else {
        SnapshotError::Io(path.to_owned(), error)
    }
}

/// Removes the state in a folder, but for what was moved aside; refuses while a process uses it. Gives the removed
/// files.
pub fn reset(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let _lock = Lock::take(folder)?;
    let failed = |error| OpenError::Folder(folder.to_owned(), error);
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_journal = name.strip_prefix(JOURNAL_PREFIX).is_some_and(|number| number.parse::<u64>().is_ok());
        if name == BASE_FILE || is_journal {
            fs::remove_file(entry.path()).map_err(|error| OpenError::Io(entry.path(), error))?;
            removed.push(entry.path());
        }
    }
    removed.sort_unstable();
    Ok(removed)
}
