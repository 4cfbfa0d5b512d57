//! Tries a source of files without reading any: which files there are, and what keeps them from being read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::complain::open_message;
use super::discover::missing_message;
use super::glob::{FOLDERS_MAX, Met};
use super::{FileSource, FileSourceError};
use crate::pipeline::checkpoint::Columns;

/// Read of each file, in bytes: as long as a header may be.
const BEGINNING_BYTES: u64 = 2048;
/// Troubles that are told one by one.
const TOLD_MAX: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// Files that match.
    pub files: usize,
    /// Of these, files that can be read.
    pub readable: usize,
    /// Of these, exports of Twilio's Debugger, which have a header.
    pub with_header: usize,
    /// What is wrong, with what helps; the first few.
    pub troubles: Vec<String>,
    /// How many more there are.
    pub untold: usize,
}

impl FileSource {
    /// Tries it.
    pub fn probe(&self) -> Result<Probed, FileSourceError> {
        let mut probed = Probed::default();
        self.patterns()?.walk(&mut |met| match met {
            Met::Folder(_) => {}
            Met::File(path) => {
                if std::fs::metadata(path).is_ok_and(|found| found.is_dir()) {
                    return;
                }
                probed.files += 1;
                match open(path) {
                    Ok(has_header) => {
                        probed.readable += 1;
                        probed.with_header += usize::from(has_header);
                    }
                    Err(error) => probed.tell(&open_message(path, &error)),
                }
            }
            Met::Missing(path) => probed.tell(&missing_message(path)),
            Met::Failed(path, error) => probed.tell(&open_message(path, &error)),
            Met::TooMany(path) => {
                probed.tell(&format!("there are more than {FOLDERS_MAX} folders below {}", path.display()));
            }
        });
        Ok(probed)
    }
}

impl Probed {
    fn tell(&mut self, message: &str) {
        if self.troubles.len() < TOLD_MAX {
            self.troubles.push(message.trim_end_matches("; it is tried again.").trim_end_matches('.').to_owned());
        } else {
            self.untold += 1;
        }
    }
}

/// Opens a file as it would be opened to be read, without waiting for the other end of a named pipe; says whether it
/// begins as an export does.
fn open(path: &Path) -> std::io::Result<bool> {
    if !std::fs::metadata(path)?.is_file() {
        // Whoever waits to write to a named pipe would take this for its reader.
        rustix::fs::access(path, rustix::fs::Access::READ_OK)?;
        return Ok(false);
    }
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut beginning = Vec::new();
    file.by_ref().take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Columns::of_header(line).is_some())
}
