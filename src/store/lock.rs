//! The lock against two processes on one state. The system takes it away when its holder ends, in any way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::OpenError;

/// Name of the lock's file.
pub const LOCK_FILE: &str = "lock";

/// How often, and how long apart, a lock that another process has is tried. A daemon that was killed while it started a
/// program holds its lock until that program runs.
const TRIES: u32 = 20;
const TRY_EVERY: Duration = Duration::from_millis(25);

/// Held as long as it is not dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder, or says who has it.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(LOCK_FILE);
        // Where it is there already, it and not the folder is what is in the way.
        let is_there = path.exists();
        let failed = |error| {
            if is_there { OpenError::Io(path.clone(), error) } else { OpenError::Folder(folder.to_owned(), error) }
        };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = options.map_err(failed)?;
        match try_for_a_while(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Only for the message, so nothing is lost without it.
                _ = file.take(32).read_to_string(&mut text);
                return Err(OpenError::Locked { folder: folder.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
            let pid = std::process::id();
            writeln!(file, "{pid}")
        });
        written.map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn try_for_a_while(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(TRY_EVERY),
            ended => return ended,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_in_a_moment_is_waited_for_and_one_that_is_not_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        assert!(matches!(Lock::take(folder.path()), Err(OpenError::Locked { pid: Some(_), .. })));
        thread::scope(|scope| {
            let second = scope.spawn(|| Lock::take(folder.path()));
            drop(first);
            assert!(second.join().unwrap().is_ok());
        });
    }
}
