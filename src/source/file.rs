//! The file source: follows growing files through every kind of rotation, and reads archives once.
//!
//! ```text
//! watch ─wakes─▶ tail ─asks─▶ follow (pure: what to do) ─▶ turn (does it) ─▶ Sink
//!                 └─▶ discover (which files there are) ◀─ glob
//! ```
//! One thread serves all file sources; the system's notifications come on a second one. I/O happens here only: what to
//! do with a file is decided in [`follow`], which has neither disk nor clock. What a rotation may have taken away is
//! found by `rotate`. Named pipes have a thread each. Nothing here knows what a line means.

mod ahead;
pub mod archive;
mod blocks;
mod complain;
mod discover;
mod disk;
pub mod follow;
mod glob;
mod kin;
mod known;
mod looks;
mod pace;
mod pipe;
mod probe;
mod room;
mod rotate;
mod switch;
mod tail;
mod turn;
mod unpack;
mod watch;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

pub use self::archive::{Whole, WholeError, read_whole};
use self::glob::Patterns;
pub use self::probe::Probed;
use self::tail::{Source, Tailer};
use self::watch::Wake;
use super::Sink;

/// One configured source of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// The metric label.
    pub name: Arc<str>,
    /// Globs, files and folders. A file that several sources name belongs to the first.
    pub include: Vec<String>,
    /// Globs of what is left out; without a slash they are compared with the file's name.
    pub exclude: Vec<String>,
    /// Where files begin that are there at the start and were never read. Later ones are read from their beginning.
    pub start: Start,
    /// Zone of times without one: an IANA name or `UTC`.
    pub timezone: Arc<str>,
}

/// Where a file begins that is there at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With its first byte.
    #[default]
    Beginning,
    /// With what is written from now on; archives are left out.
    End,
}

/// Why a file source cannot be followed as it is configured.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileSourceError {
    /// An empty pattern.
    Empty,
    /// No `include` at all.
    NoInclude,
    /// A glob is not well-formed.
    Glob {
        /// The glob, as it was understood.
        glob: String,
        /// The character where the fault is, counted from 1.
        column: usize,
        /// What is wrong.
        why: String,
    },
    /// A relative pattern, and no working directory.
    WorkingDirectory(io::Error),
    /// The system gives no thread.
    Thread(io::Error),
}

impl fmt::Display for FileSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected a path or a glob, but found an empty one; remove it or name a file"),
            Self::NoInclude => f.write_str("expected at least one path or glob in `include`, but found none"),
            Self::Glob { glob, column, why } => write!(f, "the glob `{glob}`, character {column}: {why}"),
            Self::WorkingDirectory(error) => {
                write!(
                    f,
                    "a relative path needs a working directory, but {}; write it from `/` on",
                    archive::reason(error)
                )
            }
            Self::Thread(error) => write!(f, "the system gave no thread to follow files: {}", archive::reason(error)),
        }
    }
}

impl std::error::Error for FileSourceError {}

impl FileSource {
    /// Checks the patterns without looking at any file.
    pub fn validate(&self) -> Result<(), FileSourceError> {
        self.patterns().map(drop)
    }

    fn patterns(&self) -> Result<Patterns, FileSourceError> {
        if self.include.is_empty() {
            return Err(FileSourceError::NoInclude);
        }
        Patterns::new(&self.include, &self.exclude)
    }
}

/// Follows files until it is stopped or dropped.
#[derive(Debug)]
pub struct Following {
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Following {
    /// Stops, and returns when all streams are finished: after the block that is being read, however large its file.
    pub fn stop(mut self) {
        self.stop_and_join();
    }

    /// Follows other sources from now on: files that belong to the same source as before go on as they were, files of
    /// another source end their stream and go on where they were, and files of no source any more are finished. Nothing
    /// changes if one of them is not well-formed.
    pub fn replace(&self, sources: &[FileSource]) -> Result<(), FileSourceError> {
        self.wake.replace_sources(compile(sources)?);
        Ok(())
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    fn stop_and_join(&mut self) {
        self.wake.stop();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed by the hook; there is nothing left to do about it here.
            _ = thread.join();
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop_and_join();
    }
}

/// Follows the files of all `sources` on a thread of its own. Everything goes to `sink`; each source reports
/// [`CaughtUp`](super::Health::CaughtUp) once.
pub fn follow_files(sources: &[FileSource], sink: Arc<dyn Sink>) -> Result<Following, FileSourceError> {
    let compiled = compile(sources)?;
    room::raise_limit();
    let wake = Arc::new(Wake::default());
    let for_thread = Arc::clone(&wake);
    let thread = Builder::new().name("files".to_owned());
    let thread = thread.spawn(move || Tailer::new(compiled, sink, for_thread).run());
    Ok(Following { wake, thread: Some(thread.map_err(FileSourceError::Thread)?) })
}

fn compile(sources: &[FileSource]) -> Result<Vec<Source>, FileSourceError> {
    let compiled = sources.iter().map(|source| {
        Ok(Source {
            name: Arc::clone(&source.name),
            timezone: Arc::clone(&source.timezone),
            start: source.start,
            patterns: Arc::new(source.patterns()?),
            backlog: 0,
            caught_up: false,
            up: None,
            fresh: true,
        })
    });
    compiled.collect()
}
