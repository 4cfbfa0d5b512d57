//! The wake: folders are watched so that a change is looked at at once. What has changed is found out by looking.
//!
//! Nothing is concluded from a notification but where to look. An overflow means "look at everything"; if the system
//! gives no watches, the follower polls.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::tail::Source;

/// Paths that may wait to be looked at; beyond this everything is looked at.
const PENDING_MAX: usize = 4096;

/// How long the notifying thread rests when it is ahead of the follower, so that the kernel merges what repeats.
const REST: Duration = Duration::from_millis(2);

/// The same while much is written: then the follower looks at those files without being told, and the first that comes or
/// changes its name makes it look sooner again.
const REST_BUSY: Duration = Duration::from_millis(20);

/// Least time between two rests, so that a queue of old notifications is worked off quickly.
const REST_EVERY: Duration = Duration::from_micros(200);

/// What waits to be looked at.
#[derive(Default)]
pub(super) struct Pending {
    /// Paths, and whether they came, went, or were renamed (not just written to).
    pub(super) paths: BTreeMap<PathBuf, bool>,
    /// Renames of which the system told both ends (paired by its cookie), in their order.
    pub(super) moves: Vec<(PathBuf, PathBuf)>,
    /// Other sources to follow from now on.
    pub(super) sources: Option<Vec<Source>>,
    /// Look at everything.
    pub(super) all: bool,
    /// Stop.
    pub(super) stopped: bool,
}

impl Pending {
    /// Files came, went or changed their names: what they held may soon be gone.
    pub(super) fn is_structural(&self) -> bool {
        self.all || !self.moves.is_empty() || self.paths.values().any(|structural| *structural)
    }

    fn is_quiet(&self) -> bool {
        !self.stopped && !self.all && self.paths.is_empty() && self.moves.is_empty() && self.sources.is_none()
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").finish_non_exhaustive()
    }
}

/// The place where notifications and the stop signal wait for the follower.
#[derive(Default)]
pub(super) struct Wake {
    pending: Mutex<Pending>,
    changed: Condvar,
    /// Told only what does not wait for the end of a rest, so that what else is noted meanwhile does not wake the follower
    /// only to rest on.
    hurries: Condvar,
    /// Much is written.
    busy: AtomicBool,
}

impl Wake {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // The data are valid after every statement, so a panic elsewhere does not spoil them.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
        self.hurries.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    pub(super) fn is_pending(&self) -> bool {
        let pending = self.lock();
        !pending.is_quiet()
    }

    /// Takes what waits; waits for it until `timeout` if there is nothing yet.
    pub(super) fn take(&self, timeout: Duration) -> Pending {
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, |pending| pending.is_quiet());
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let stopped = pending.stopped;
        std::mem::replace(&mut *pending, Pending { stopped, ..Pending::default() })
    }

    /// Lets time pass, unless the stop comes, or something that does not wait.
    pub(super) fn rest(&self, time: Duration) {
        // While little is written a rest is too short for that to matter.
        let may_hurry = self.busy.load(Ordering::Relaxed);
        let waits = |pending: &mut Pending| !(pending.stopped || may_hurry && pending.is_structural());
        drop(self.hurries.wait_timeout_while(self.lock(), time, waits));
    }

    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    fn look_at_all(&self) {
        self.lock().all = true;
        self.changed.notify_all();
        self.hurries.notify_all();
    }

    /// Hands over other sources to follow from now on; a later list replaces one that was not taken yet.
    pub(super) fn replace_sources(&self, sources: Vec<Source>) {
        self.lock().sources = Some(sources);
        self.changed.notify_all();
    }

    fn moved(&self, from: PathBuf, to: PathBuf) {
        let mut pending = self.lock();
        if pending.moves.len() >= PENDING_MAX {
            pending.moves.clear();
            pending.all = true;
        }
        pending.moves.push((from, to));
        drop(pending);
        self.changed.notify_all();
        self.hurries.notify_all();
    }

    /// Notes a path; says whether it was waiting already, which means that the follower is busy.
    fn look_at(&self, path: PathBuf, structural: bool) -> bool {
        let mut pending = self.lock();
        let was_quiet = pending.is_quiet();
        if pending.paths.len() >= PENDING_MAX {
            pending.paths.clear();
            pending.all = true;
        }
        let waiting = pending.all
            || match pending.paths.entry(path) {
                Entry::Vacant(entry) => {
                    entry.insert(structural);
                    false
                }
                Entry::Occupied(mut entry) => {
                    *entry.get_mut() |= structural;
                    true
                }
            };
        drop(pending);
        // Of what was there before, the follower knows.
        if was_quiet {
            self.changed.notify_all();
        }
        if structural {
            self.hurries.notify_all();
        }
        waiting
    }
}

/// The folders under watch. The system knows them by their real paths; files are known by the paths of the config.
pub(super) struct Folders {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Watched>,
    polling: bool,
    /// Folders of which the system does not tell everything, by all their spellings.
    remote: BTreeSet<PathBuf>,
}

struct Watched {
    /// Device and inode: another folder at the same path needs a new watch.
    identity: (u64, u64),
    /// The paths by which the config names the folder.
    spellings: Vec<PathBuf>,
}

impl Folders {
    /// Starts the notifications, or says why there are none.
    pub(super) fn new(wake: &Arc<Wake>) -> (Self, Option<String>) {
        let mut listener = Listener { wake: Arc::clone(wake), rested: None, last: None };
        let watcher = notify::recommended_watcher(move |event| listener.hear(event));
        match watcher {
            Ok(watcher) => (Self { watcher: Some(watcher), polling: false, ..Self::polled() }, None),
            Err(error) => (Self::polled(), Some(failure(Path::new("/"), &error))),
        }
    }

    /// Folders without any notification.
    pub(super) const fn polled() -> Self {
        Self { watcher: None, watched: BTreeMap::new(), polling: true, remote: BTreeSet::new() }
    }

    /// Whether some folder could not be watched, so that files must be polled.
    pub(super) const fn is_polling(&self) -> bool {
        self.polling
    }

    /// Whether there are folders of which the system does not tell everything.
    pub(super) fn has_remote(&self) -> bool {
        !self.remote.is_empty()
    }

    /// Whether the system may not tell when a file in the folder of this path changes.
    pub(super) fn is_remote(&self, path: &Path) -> bool {
        self.has_remote() && path.parent().is_some_and(|folder| self.remote.contains(folder))
    }

    /// Watches a folder, if it is not watched yet. Gives the message for a person if the system refuses.
    pub(super) fn watch(&mut self, folder: &Path) -> Result<(), String> {
        // A folder that has gone meanwhile is found missing by the next scan.
        let (Ok(real), Ok(metadata)) = (folder.canonicalize(), folder.metadata()) else { return Ok(()) };
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        let identity = (metadata.dev(), metadata.ino());
        if let Some(watched) = self.watched.get_mut(&real).filter(|watched| watched.identity == identity) {
            if !watched.spellings.iter().any(|spelling| spelling == folder) {
                watched.spellings.push(folder.to_owned());
                if self.remote.contains(&real) {
                    self.remote.insert(folder.to_owned());
                }
            }
            return Ok(());
        }
        if self.watched.remove(&real).is_some() {
            // Fails if the system has dropped the watch together with the old folder.
            _ = watcher.unwatch(&real);
        }
        if let Err(error) = watcher.watch(&real, RecursiveMode::NonRecursive) {
            if matches!(error.kind, notify::ErrorKind::PathNotFound) {
                return Ok(());
            }
            self.polling = true;
            return Err(failure(folder, &error));
        }
        if is_remote(&real) {
            self.remote.extend([folder.to_owned(), real.clone()]);
        }
        self.watched.insert(real, Watched { identity, spellings: vec![folder.to_owned()] });
        Ok(())
    }

    /// Forgets a folder that went away or was replaced, so that the next scan watches it anew. Says whether it did.
    pub(super) fn forget_if_replaced(&mut self, real: &Path) -> bool {
        let Some(watched) = self.watched.get(real) else { return false };
        if real.metadata().is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == watched.identity) {
            return false;
        }
        self.watched.remove(real);
        if let Some(watcher) = &mut self.watcher {
            // Fails if the system has dropped the watch together with the folder.
            _ = watcher.unwatch(real);
        }
        true
    }

    /// The paths by which the config may name a path that the system reported.
    pub(super) fn spellings(&self, real: &Path) -> Vec<PathBuf> {
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else { return Vec::new() };
        let watched = self.watched.get(parent);
        watched.map_or_else(Vec::new, |watched| watched.spellings.iter().map(|folder| folder.join(name)).collect())
    }
}

/// Runs on the notifying thread.
struct Listener {
    wake: Arc<Wake>,
    rested: Option<Instant>,
    /// What was told last.
    last: Option<PathBuf>,
}

impl Listener {
    fn hear(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else { return self.wake.look_at_all() };
        if event.need_rescan() {
            return self.wake.look_at_all();
        }
        if matches!(event.kind, EventKind::Modify(ModifyKind::Name(RenameMode::Both))) {
            // Both ends were told on their own before.
            if let [from, to] = event.paths.as_slice() {
                self.wake.moved(from.clone(), to.clone());
            }
            return;
        }
        let structural = match event.kind {
            // One's own opening and reading.
            EventKind::Access(AccessKind::Open(_) | AccessKind::Read) => return,
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Access(_) => false,
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
                true
            }
        };
        // While much is written the follower looks without being told.
        let is_busy = self.wake.busy.load(Ordering::Relaxed);
        let mut ahead = is_busy && !structural;
        // What is told of one file again and again is no queue: the kernel would have merged it.
        let is_queue = event.paths.first() != self.last.as_ref();
        if is_queue {
            self.last = event.paths.first().cloned();
        }
        for path in event.paths {
            ahead |= self.wake.look_at(path, structural);
        }
        if ahead && (!is_queue || self.rested.is_none_or(|rested| rested.elapsed() >= REST_EVERY)) {
            self.rest(if is_busy && !structural { REST_BUSY } else { REST });
        }
    }

    #[expect(clippy::disallowed_methods, reason = "an edge: paces its own thread")]
    fn rest(&mut self, time: Duration) {
        thread::sleep(time);
        self.rested = Some(Instant::now());
    }
}

/// Whether a folder is on a file system that others change without a notification here. An overlay is not among them:
/// what is written through the same mount is notified, and the patrol finds the rest.
fn is_remote(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|fs| REMOTE.iter().any(|(_, kind)| u32::try_from(fs.f_type) == Ok(*kind)))
}

/// File systems that change from elsewhere, by the numbers of `statfs(2)`.
const REMOTE: &[(&str, u32)] = &[
    ("nfs", 0x6969),
    ("smb", 0x517b),
    ("smb2", 0xfe53_4d42),
    ("cifs", 0xff53_4d42),
    ("9p", 0x0102_1997),
    ("ceph", 0x00c3_6400),
    ("afs", 0x5346_414f),
    ("coda", 0x7375_7245),
    ("fuse", 0x6573_5546),
    ("gfs2", 0x0116_1970),
    ("ocfs2", 0x7461_636f),
    ("lustre", 0x0bd0_0bd0),
    ("vboxsf", 0x786f_4256),
];

fn failure(folder: &Path, error: &notify::Error) -> String {
    let folder = folder.display();
    let limit = match &error.kind {
        notify::ErrorKind::MaxFilesWatch => Some("fs.inotify.max_user_watches=1048576"),
        notify::ErrorKind::Io(error) if error.raw_os_error() == Some(EMFILE) => {
            Some("fs.inotify.max_user_instances=1024")
        }
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::Io(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_) => None,
    };
    match limit {
        Some(limit) => format!(
            "Expected to be notified of changes in {folder}, but the system's limit is reached; files are polled every \
             {} ms instead. Raise it with `sysctl {limit}` and restart.",
            super::tail::POLL.as_millis()
        ),
        None => format!(
            "Expected to be notified of changes in {folder}, but the system refused ({}); files are polled every {} ms \
             instead. The limits are shown by `sysctl fs.inotify`.",
            plain(error),
            super::tail::POLL.as_millis()
        ),
    }
}

/// "Too many open files", for which the standard library has no kind.
const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();

fn plain(error: &notify::Error) -> String {
    match &error.kind {
        notify::ErrorKind::Io(error) => super::archive::reason(error),
        notify::ErrorKind::Generic(text) => text.clone(),
        notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => "no watch could be set".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_limit_is_explained_with_the_command_that_raises_it() {
        let message = failure(Path::new("/l"), &notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        assert_eq!(
            message,
            "Expected to be notified of changes in /l, but the system's limit is reached; files are polled every 250 ms \
             instead. Raise it with `sysctl fs.inotify.max_user_watches=1048576` and restart."
        );
    }

    #[test]
    fn a_rest_while_much_is_written_ends_when_a_file_comes_or_changes_its_name() {
        let wake = Arc::new(Wake::default());
        wake.set_busy(true);
        let told = Arc::clone(&wake);
        let telling = thread::spawn(move || {
            told.look_at(PathBuf::from("/l/app.log"), false);
            told.look_at(PathBuf::from("/l/app.log.1"), true);
        });
        wake.rest(Duration::from_secs(3600));
        telling.join().unwrap();
        assert_eq!(wake.take(Duration::ZERO).paths.len(), 2);
    }

    #[test]
    fn too_many_waiting_paths_become_a_look_at_everything() {
        let wake = Wake::default();
        for n in 0..=PENDING_MAX {
            wake.look_at(PathBuf::from(format!("/l/{n}")), false);
        }
        let pending = wake.take(Duration::ZERO);
        assert!(pending.all);
        assert_eq!(pending.paths.len(), 0);
        assert!(!wake.is_pending());
    }
}
