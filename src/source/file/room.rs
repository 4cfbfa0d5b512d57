//! Room for open files: the limit is raised and respected. Files that have long been quiet are closed first, and opened
//! again when they change; where they were read up to is kept.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::disk;
use super::follow::Seen;
use super::kin;
use super::tail::{Body, Label, SlotId, Tailer};
use super::turn::Live;

/// Open files left to the rest of the process: connections, the store, archives.
const RESERVED: u64 = 256;

/// Most files kept open, whatever the system allows.
const OPEN_MAX: u64 = 65_536;

/// Fewest files kept open, even if the limit is lower.
const OPEN_MIN: u64 = 16;

/// Raises the soft limit of open files to the hard one: each followed file is kept open.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // If it is refused, there is room for fewer files.
        _ = setrlimit(Resource::Nofile, limit);
    }
}

/// How many followed files may be open at a time.
pub(super) fn open_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(RESERVED.min(limit / 2)).clamp(OPEN_MIN, OPEN_MAX);
    usize::try_from(room).unwrap_or(usize::MAX)
}

impl Tailer {
    /// Closes those files that have been quiet longest, if no more may be opened. Fails if none of them can be closed, because
    /// what is left to the rest of the process must stay free; it is tried again when one is.
    pub(super) fn make_room(&mut self) -> io::Result<()> {
        // Never more files than slots, and to count the open ones takes longer.
        if self.slots.len() < self.open_max {
            return Ok(());
        }
        let quiet = self.slots.iter().filter_map(|(id, slot)| match &slot.body {
            Body::Live(live) if live.file().is_some() => {
                // One that was renamed can't be opened again.
                let closable = !slot.label.names.is_empty() && live.unread(None) == 0;
                Some((live.used(), closable, *id))
            }
            Body::Live(_) | Body::Archive(_) => None,
        });
        let mut open: Vec<_> = quiet.collect();
        if open.len() < self.open_max {
            return Ok(());
        }
        if !open.iter().any(|(_, closable, _)| *closable) {
            self.hurry(open.into_iter().map(|(_, _, id)| id));
            return Err(rustix::io::Errno::MFILE.into());
        }
        open.retain(|(_, closable, _)| *closable);
        open.sort_unstable();
        let closed: Vec<SlotId> = open.into_iter().take(self.open_max / 8 + 1).map(|(_, _, id)| id).collect();
        for id in closed {
            if let Some(Body::Live(live)) = self.slots.get_mut(&id).map(|slot| &mut slot.body) {
                live.release();
            }
        }
        Ok(())
    }

    /// Lets go soon of files that were renamed and are only kept for late writers.
    fn hurry(&mut self, files: impl Iterator<Item = SlotId>) {
        self.starved = true;
        for id in files {
            let Some(Body::Live(live)) = self.slots.get_mut(&id).map(|slot| &mut slot.body) else { continue };
            live.hurry();
            if let Some(due) = live.due() {
                self.timed.insert(id, due);
            }
        }
    }

    /// Opens a file again that was closed to make room. Says whether there was a reason to, and it could be found.
    pub(super) fn reopen(&mut self, label: &Label, live: &mut Live, own: Option<Seen>) -> io::Result<bool> {
        let found = match own {
            Some(_) => label.names.iter().find(|name| is(name, label)).cloned(),
            // Renamed meanwhile.
            None => label.names.iter().flat_map(|name| kin::relatives(name)).find(|path| is(path, label)),
        };
        let Some(path) = found else { return Ok(false) };
        let metadata = std::fs::metadata(&path)?;
        if own.is_some() && live.is_unchanged(&metadata) {
            return Ok(false);
        }
        self.make_room()?;
        let file = disk::open(&path)?;
        if disk::seen(&file.metadata()?).identity != label.identity {
            return Ok(false);
        }
        live.reopened(file);
        Ok(true)
    }
}

fn is(path: &std::path::Path, label: &Label) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| disk::seen(&metadata).identity == label.identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_room_is_left_whatever_the_limit() {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let room = open_max() as u64;
        assert!(room >= OPEN_MIN && (room < limit || room == OPEN_MIN), "{room} of {limit}");
    }
}
