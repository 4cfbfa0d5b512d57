//! A daemon of `top`'s own, for logs that no running daemon follows: in this process, which alone can ask it, with a
//! state that is thrown away.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

use super::TopArgs;
use crate::command::{Exit, Failure, load_config};
use crate::daemon::{self, Plan};
use crate::expose::http::{self, Knocker};

/// The daemon; ends when told to.
pub(super) struct Own {
    /// The way to ask it.
    pub(super) knocker: Knocker,
    thread: JoinHandle<Result<(), daemon::Error>>,
    /// Holds the state; removed when this is dropped.
    _folder: TempDir,
}

impl Own {
    /// Starts it on the files of the command line.
    pub(super) fn start(arguments: &TopArgs) -> Result<Self, Failure> {
        if arguments.files.iter().any(|file| file == Path::new("-")) {
            let message = "`top` takes keys from standard input, so it can't read a log there: name a file";
            return Err(Failure::Other(Exit::Usage, message.to_owned()));
        }
        if let Some(missing) = arguments.files.iter().find(|file| !file.exists() && !is_glob(file)) {
            let message = format!("{}: expected a file to read, but there is none", missing.display());
            return Err(Failure::Other(Exit::NoInput, message));
        }
        let folder = tempfile::Builder::new()
            .prefix("diag51007-top-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| {
                let message =
                    format!("no folder for the state could be made: {error}; set TMPDIR to a folder with room");
                Failure::Other(Exit::Io, message)
            })?;
        let mut config = load_config(arguments.config.as_ref())?;
        config.sources.clear();
        config.add_paths(arguments.files.clone())?;
        config.alertmanager.urls.clear();
        config.state_dir = Some(folder.path().join("state"));
        let (knocker, door) = http::inside();
        let (say, hear) = mpsc::channel();
        let plan = Plan {
            config,
            load: Box::new(|| Err("`top` has no config to load again".to_owned())),
            duration: None,
            door: Some(door),
            // If nobody hears it, `top` has ended.
            bound: Box::new(move |_| _ = say.send(())),
        };
        let spawned = thread::Builder::new().name("daemon".to_owned()).spawn(|| daemon::run(plan));
        let thread = spawned
            .map_err(|error| Failure::Other(Exit::Unavailable, format!("the system gives no thread: {error}")))?;
        match hear.recv() {
            Ok(()) => Ok(Self { knocker, thread, _folder: folder }),
            // It ended before it answered.
            Err(mpsc::RecvError) => Err(Self::failure(thread)),
        }
    }

    fn failure(thread: JoinHandle<Result<(), daemon::Error>>) -> Failure {
        let message = match thread.join() {
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(())) | Err(_) => "the logs can't be followed".to_owned(),
        };
        Failure::Other(Exit::Unavailable, message)
    }

    /// Ends it in good order, as a signal to this process does.
    pub(super) fn stop(self) {
        let own = rustix::process::getpid();
        if rustix::process::kill_process(own, rustix::process::Signal::TERM).is_ok() {
            // Whatever it has to say, nobody looks any more.
            _ = self.thread.join();
        }
    }
}

fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}
