//! Which files there are: the scan of the patterns, and what a notification means for it.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::archive;
use super::disk;
use super::glob::{FOLDERS_MAX, Met};
use super::kin;
use super::rotate::source_of;
use super::tail::{SlotId, Tailer};
use crate::source::{Failure, Health};

/// How often folders are read although nothing was notified, and all files in them are looked at.
const SCAN: Duration = Duration::from_secs(15);

/// The same where more may be wrong than the system tells: something failed, or was found that nothing had told.
const SCAN_UNSURE: Duration = Duration::from_secs(5);

/// The same where the system gives no notifications.
const SCAN_POLLING: Duration = Duration::from_secs(1);

/// A scan is followed by a pause of so many times its own duration, however long its list of files.
const SCAN_PAUSE: u32 = 500;

/// The same for a scan that a notification asks for.
const SCAN_WANTED_PAUSE: u32 = 10;

/// Names of one file that are kept; beyond, those that lead nowhere are forgotten.
const NAMES_MAX: usize = 8;

/// When the patterns were scanned and will be.
#[derive(Default)]
pub(super) struct Scans {
    /// Something has changed that only a scan can find.
    pub(super) wanted: bool,
    ended: Option<Duration>,
    took: Duration,
    /// The last one found that not everything is told.
    unsure: bool,
    /// Files that it found longer than anything had told; those of which it is told a moment later are taken out.
    untold: BTreeSet<SlotId>,
}

impl Scans {
    pub(super) const fn has_scanned(&self) -> bool {
        self.ended.is_some()
    }
}

/// When a scan is made: what is found at the start counts as backlog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Start,
    Later,
}

impl Tailer {
    pub(super) fn scan_due(&self) -> Duration {
        let Some(ended) = self.scans.ended else { return Duration::ZERO };
        let is_unsure = self.scans.unsure || !self.scans.untold.is_empty();
        let usual = match (self.folders.is_polling(), is_unsure) {
            (true, _) => SCAN_POLLING,
            (false, true) => SCAN_UNSURE,
            (false, false) => SCAN,
        };
        let pause = if self.scans.wanted {
            self.scans.took.saturating_mul(SCAN_WANTED_PAUSE)
        } else {
            usual.max(self.scans.took.saturating_mul(SCAN_PAUSE))
        };
        ended.saturating_add(pause)
    }

    pub(super) fn scan(&mut self) {
        let (began, next_slot) = (self.now(), self.next_slot);
        self.scans.wanted = false;
        self.scans.untold.clear();
        self.scans.unsure = self.folders.has_remote() || !self.pipes.is_empty();
        self.end_lost_pipes();
        for index in 0..self.sources.len() {
            if self.wake.is_stopped() {
                return;
            }
            let fresh = self.sources.get_mut(index).is_some_and(|source| std::mem::take(&mut source.fresh));
            self.scan_source(index, if fresh { When::Start } else { When::Later });
        }
        self.scans.unsure |= self.next_slot != next_slot;
        let ended = self.now();
        self.scans.took = ended.saturating_sub(began);
        self.scans.ended = Some(ended);
        self.report_caught_up();
    }

    fn scan_source(&mut self, index: usize, when: When) {
        let Some((name, patterns)) = self.sources.get(index).map(|s| (Arc::clone(&s.name), Arc::clone(&s.patterns)))
        else {
            return;
        };
        let (mut files, mut failures, now) = (0_usize, 0_usize, self.now());
        let mut rotated = Vec::new();
        patterns.walk(&mut |met| match met {
            Met::Folder(folder) => {
                self.complaints.settle(folder);
                if let Err(message) = self.folders.watch(folder) {
                    // One sentence for all folders: the limit is one for all.
                    self.complaints.say(now, &name, Path::new("inotify"), Failure::Watch, || message);
                }
            }
            // After the file from which it may have been copied.
            Met::File(path) if when == When::Start && kin::bases(path).iter().any(|base| base.exists()) => {
                rotated.push(path.to_owned());
            }
            Met::File(path) => {
                let there = (when == When::Start).then(|| self.open_since(index, path));
                files += usize::from(self.consider_when(index, path, when));
                // What was there may have been rotated meanwhile.
                if let Some(there) = there
                    && self.followed_at(path).is_some_and(|now| Some(now) != there)
                {
                    self.open_since(index, path);
                }
            }
            Met::Missing(path) => {
                failures += 1;
                self.complaints.say(now, &name, path, Failure::Missing, || missing_message(path));
            }
            Met::Failed(path, error) => {
                failures += 1;
                self.complaints.say_open(now, &name, path, &error);
            }
            Met::TooMany(path) => {
                failures += 1;
                self.complaints.say(now, &name, path, Failure::Watch, || {
                    format!(
                        "Expected at most {FOLDERS_MAX} folders below {}, but found more; files in the others are not \
                         followed. Name the folders more narrowly in `include`.",
                        path.display()
                    )
                });
            }
        });
        // Those that are known before those that may be copies of them.
        rotated.sort_by_cached_key(|path| !self.is_known(path));
        for path in rotated {
            files += usize::from(self.consider_when(index, &path, when));
        }
        self.scans.unsure |= failures > 0;
        let up = files > 0 || failures == 0;
        if let Some(source) = self.sources.get_mut(index).filter(|source| source.up != Some(up)) {
            source.up = Some(up);
            self.report(index, Health::Up(up));
        }
    }

    /// Looks at what a notification names.
    pub(super) fn notice(&mut self, real: &Path, structural: bool) {
        if structural && self.folders.forget_if_replaced(real) {
            self.scans.wanted = true;
        }
        for path in self.spelled(real) {
            if let Some(id) = self.by_path.get(&path).copied() {
                self.scans.untold.remove(&id);
                self.queue_first(id);
            } else if structural || self.rotations.is_held(&path) {
                match source_of(&self.sources, &path) {
                    Some(source) => self.consider(source, &path),
                    None => self.notice_copy(&path),
                }
                if path.is_dir() {
                    self.scans.wanted = true;
                }
            }
        }
    }

    /// Follows what is at a path, if it can be.
    pub(super) fn consider(&mut self, source: usize, path: &Path) {
        if self.sources.get(source).is_some_and(|source| source.patterns.matches(path)) {
            self.consider_when(source, path, When::Later);
        }
    }

    /// Says whether the file is followed now.
    fn consider_when(&mut self, source: usize, path: &Path, when: When) -> bool {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => {
                // A link to nowhere, or gone already.
                if error.kind() != io::ErrorKind::NotFound {
                    self.complain_open(source, path, &error);
                }
                return false;
            }
        };
        if metadata.file_type().is_fifo() {
            return self.open_pipe(source, path, disk::seen(&metadata).identity);
        }
        if !metadata.is_file() {
            if !metadata.is_dir() {
                self.complain_kind(source, path);
            }
            return false;
        }
        if let Some(id) = self.by_identity.get(&disk::seen(&metadata).identity).copied() {
            self.name(id, path);
            if let Some(slot) = self.slots.get(&id).filter(|slot| slot.body.has_changed(&metadata)) {
                // One that waits to be read was told, and so will be one that has just grown.
                if !slot.queued && metadata.len() > slot.offset() {
                    self.scans.untold.insert(id);
                }
                self.queue(id);
            }
            return true;
        }
        if let Some(id) = self.by_path.get(path).copied() {
            // Its file was replaced: when that one is read to its end, it leaves the path and comes back here.
            self.queue(id);
            return true;
        }
        let at_start = when == When::Start;
        let opened = if archive::is_archive(path) {
            self.open_archive(source, path, at_start)
        } else {
            self.open_live(source, path, at_start)
        };
        match opened {
            Ok(()) => {
                self.complaints.settle(path);
                true
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.complain_open(source, path, &error);
                }
                false
            }
        }
    }

    /// Notes that a file has this name, too.
    pub(super) fn name(&mut self, id: SlotId, path: &Path) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        if slot.label.names.iter().any(|name| name == path) {
            return;
        }
        if slot.label.names.len() >= NAMES_MAX {
            slot.label.names.retain(|name| name.exists());
        }
        slot.label.names.push(path.to_owned());
        let real = path.canonicalize().ok().filter(|real| real != path);
        if let Some(before) = self.by_path.insert(path.to_owned(), id).filter(|before| *before != id) {
            // The file that had the name until now must notice that.
            if let Some(slot) = self.slots.get_mut(&before) {
                slot.label.names.retain(|name| name != path);
            }
            self.queue(before);
            self.succeed(id, before);
        }
        if let Some(real) = real {
            self.set_alias(id, real);
        }
        // A file renamed from one name to another leaves the old one.
        self.queue(id);
    }

    /// Notes where a link points, because notifications name that path.
    fn set_alias(&mut self, id: SlotId, real: PathBuf) {
        self.watch_alias(id, &real);
        let named = self.by_path.get(&real).and_then(|id| self.slots.get(id));
        if !named.is_some_and(|slot| slot.label.names.contains(&real)) {
            self.by_path.insert(real.clone(), id);
        }
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.label.alias = Some(real);
        }
    }

    fn watch_alias(&mut self, id: SlotId, real: &Path) {
        if let Some(Err(message)) = real.parent().map(|folder| self.folders.watch(folder)) {
            let (now, source) = (self.now(), self.slots.get(&id).map_or(0, |slot| slot.label.source));
            if let Some(source) = self.sources.get(source) {
                self.complaints.say(now, &source.name, Path::new("inotify"), Failure::Watch, || message);
            }
        }
    }

    fn complain_open(&mut self, source: usize, path: &Path, error: &io::Error) {
        let now = self.now();
        if let Some(source) = self.sources.get(source) {
            self.complaints.say_open(now, &source.name, path, error);
        }
    }

    fn complain_kind(&mut self, source: usize, path: &Path) {
        let now = self.now();
        if let Some(source) = self.sources.get(source) {
            self.complaints.say(now, &source.name, path, Failure::Read, || {
                format!(
                    "Expected a regular file at {0}, but found a socket or device, which is not read. Leave it out \
                     with `exclude = [\"{0}\"]`.",
                    path.display()
                )
            });
        }
    }
}

pub(super) fn missing_message(path: &Path) -> String {
    let parent = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    format!(
        "Expected a file or folder at {}, but there is none; it is looked for again. See what is there with `ls -l {}`.",
        path.display(),
        parent.display()
    )
}
