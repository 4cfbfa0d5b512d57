//! The thread that brings commits into the database behind the journal, and so onto the disk. Nobody waits for it, so it
//! gives memory back, too.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::clock::monotonic;
use super::hub::Hub;
use crate::memory;
use crate::store::{Ahead, Base, remove_journals};

/// How often it is looked whether the journal has become long.
const LOOK: Duration = Duration::from_secs(1);

/// To bring rows in takes so many times their bytes: they are sorted, and written into pages that are copied.
const BROUGHT_FACTOR: usize = 4;

/// The thread.
#[derive(Debug)]
pub(super) struct Bringing {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl Bringing {
    /// Brings commits into the database every `sync`, and when the journal is long.
    pub(super) fn start(hub: &Arc<Hub>, folder: &Path, base: Base, sync: Duration) -> io::Result<Self> {
        let (hub, stop) = (Arc::clone(hub), Arc::new((Mutex::new(false), Condvar::new())));
        let (stopped, mut bringer) =
            (Arc::clone(&stop), Bringer { folder: folder.to_owned(), base, has_failed: false });
        let thread = Builder::new().name("store".to_owned()).spawn(move || {
            let mut last = monotonic();
            loop {
                let (flag, changed) = &*stopped;
                let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout_while(guard, LOOK.min(sync), |stop| !*stop);
                let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
                let is_last = *guard;
                drop(guard);
                if is_last || monotonic().saturating_sub(last) >= sync || hub.is_journal_long() {
                    last = monotonic();
                    bringer.bring(&hub);
                }
                if is_last {
                    return;
                }
                if hub.owes_memory() {
                    memory::give_back();
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Brings the last commits in and ends.
    pub(super) fn stop(self) {
        let (flag, changed) = &*self.stop;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        // A panic there has been printed by the hook; the journal has what was not brought.
        _ = self.thread.join();
    }
}

/// The back of the store.
#[derive(Debug)]
struct Bringer {
    folder: PathBuf,
    base: Base,
    has_failed: bool,
}

impl Bringer {
    fn bring(&mut self, hub: &Hub) {
        let Some(ahead) = hub.take_ahead() else { return };
        match self.write(&ahead) {
            Ok(()) => {
                hub.let_go(ahead.batch.length() * BROUGHT_FACTOR);
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!("The database of the state can be written again.");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::error!(
                        folder = %self.folder.display(),
                        "The database of the state can't be written: {error}. Commits go on in the journal beside it, and \
                         it is tried again."
                    );
                }
                hub.put_back(ahead);
            }
        }
    }

    fn write(&mut self, ahead: &Ahead) -> io::Result<()> {
        self.base.bring(ahead)?;
        remove_journals(&self.folder, ahead.number)
    }
}
