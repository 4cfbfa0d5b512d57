//! The lock against two processes on one state. The system takes it away when its holder ends, in any way.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::OpenError;

/// Name of the lock's file.
pub const LOCK_FILE: &str = "lock";

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
        match file.try_lock() {
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
