//! What is wrong, said in full sentences: once when it begins, and again only after a long while.
//!
//! Messages name the path, what was expected and the command that helps; never a log's content.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::archive::reason;
use crate::source::{Failure, Health, Sink};

/// How long something that stays wrong is not said again.
const REPEAT: Duration = Duration::from_secs(3600);

/// Paths remembered as wrong. Beyond this a path may be said more often than once in [`REPEAT`].
const REMEMBERED_MAX: usize = 4096;

/// What is wrong at present.
pub(super) struct Complaints {
    sink: Arc<dyn Sink>,
    said: BTreeMap<(PathBuf, &'static str), Duration>,
}

impl Complaints {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, said: BTreeMap::new() }
    }

    /// Says what is wrong with a path, unless that was said lately.
    pub(super) fn say(
        &mut self,
        now: Duration,
        source: &str,
        path: &Path,
        kind: Failure,
        message: impl FnOnce() -> String,
    ) {
        let key = (path.to_owned(), kind.id());
        if self.said.get(&key).is_some_and(|said| now < said.saturating_add(REPEAT)) {
            return;
        }
        if self.said.len() >= REMEMBERED_MAX {
            self.said.clear();
        }
        self.said.insert(key, now);
        self.sink.report(source, Health::Failed { kind, message: message() });
    }

    /// Says what concerns no path of its own.
    pub(super) fn say_always(&self, source: &str, kind: Failure, message: String) {
        self.sink.report(source, Health::Failed { kind, message });
    }

    /// Takes note that a path is good again.
    pub(super) fn settle(&mut self, path: &Path) {
        if !self.said.is_empty() {
            for kind in Failure::ALL {
                self.said.remove(&(path.to_owned(), kind.id()));
            }
        }
    }

    /// Says that a file or folder cannot be opened.
    pub(super) fn say_open(&mut self, now: Duration, source: &str, path: &Path, error: &io::Error) {
        let kind = if error.kind() == io::ErrorKind::PermissionDenied { Failure::Permission } else { Failure::Read };
        self.say(now, source, path, kind, || open_message(path, error));
    }
}

pub(super) fn open_message(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if error.kind() == io::ErrorKind::PermissionDenied {
        let (right, at) = match path.ancestors().skip(1).find(|folder| folder.is_dir()) {
            // What lies in a folder without `x` cannot even be looked at.
            Some(folder) if std::fs::metadata(path).is_err() => ("x", folder),
            Some(_) | None if path.is_dir() => ("rx", path),
            Some(_) | None => ("r", path),
        };
        let user = rustix::process::getuid().as_raw();
        return format!(
            "Expected to read {shown}, but permission was denied. Allow it with `setfacl -m u:{user}:{right} {}`; it is \
             tried again.",
            at.display()
        );
    }
    let limit = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    if error.raw_os_error().is_some_and(|code| limit.contains(&code)) {
        return format!(
            "Expected to open {shown}, but the limit of open files is reached. Raise it with `LimitNOFILE=65536` in the \
             unit or `ulimit -n 65536` in the shell; it is tried again."
        );
    }
    format!("Expected to read {shown}, but {}; it is tried again.", reason(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::pipeline::{Stream, StreamId};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Sink for Heard {
        fn open(&self, _: Stream) -> StreamId {
            StreamId(0)
        }
        fn push(&self, _: StreamId, _: &[u8]) {}
        fn end_line(&self, _: StreamId) {}
        fn pause(&self) {}
        fn finish(&self, _: StreamId) {}
        fn report(&self, source: &str, health: Health) {
            self.0.lock().unwrap().push(format!("{source}: {health:?}"));
        }
    }

    #[test]
    fn what_stays_wrong_is_said_once_until_it_was_good_again() {
        let heard = Arc::new(Heard::default());
        let mut complaints = Complaints::new(heard.clone());
        let (path, error) = (Path::new("/l/a.log"), io::Error::other("broken"));
        for (seconds, expected) in [(0, 1), (1, 1), (3599, 1), (3600, 2), (3601, 2)] {
            complaints.say_open(Duration::from_secs(seconds), "app", path, &error);
            assert_eq!(heard.0.lock().unwrap().len(), expected, "after {seconds} s");
        }
        complaints.settle(path);
        complaints.say_open(Duration::from_secs(3602), "app", path, &error);
        assert_eq!(heard.0.lock().unwrap().len(), 3);
    }

    #[test]
    fn a_denied_file_comes_with_the_command_that_allows_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (path, user) = (file.path().display(), rustix::process::getuid().as_raw());
        assert_eq!(
            open_message(file.path(), &io::ErrorKind::PermissionDenied.into()),
            format!(
                "Expected to read {path}, but permission was denied. Allow it with `setfacl -m u:{user}:r {path}`; it is \
                 tried again."
            )
        );
    }
}
