//! What `scan` reads: files, archives and standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::report::page::shown;
use crate::source::file::{Whole, WholeError};

/// Something to scan.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// A stream under a name, such as standard input as `-`.
    Stream {
        /// The name in diagnoses.
        name: String,
        /// The bytes.
        reader: Box<dyn Read + Send>,
    },
}

impl Input {
    /// The arguments of the command line; `-` is standard input.
    pub fn of_arguments(files: Vec<PathBuf>) -> Vec<Self> {
        files.into_iter().map(Self::of_argument).collect()
    }

    fn of_argument(path: PathBuf) -> Self {
        if path == Path::new("-") {
            return Self::Stream { name: "-".to_owned(), reader: Box::new(io::stdin()) };
        }
        Self::File(path)
    }

    /// The name, fit to be shown.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => shown(&path.to_string_lossy()),
            Self::Stream { name, .. } => shown(name),
        }
    }

    /// Size on disk, for the progress bar; `None` if not known beforehand.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len()),
            Self::Stream { .. } => None,
        }
    }

    /// When it was written last; `None` if not known beforehand.
    fn modified(&self) -> Option<SystemTime> {
        match self {
            Self::File(path) => fs::metadata(path).ok().filter(fs::Metadata::is_file)?.modified().ok(),
            Self::Stream { .. } => None,
        }
    }

    /// Opens it.
    pub fn open(self) -> Result<Whole, WholeError> {
        match self {
            Self::Stream { name, reader } => Whole::from_reader(Path::new(&name), reader),
            Self::File(path) => Whole::open(&path),
        }
    }
}

/// Puts files into the order in which they were written last, if that is known of all: a shell names `app.log` before
/// `app.log.1`, and of a token that was refused in both, the later refusal is the repeated one.
pub fn sort_by_age(inputs: &mut [Input]) {
    if inputs.iter().all(|input| input.modified().is_some()) {
        inputs.sort_by_cached_key(Input::modified);
    }
}

/// Sum of the sizes, if all are known.
pub fn total_size(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(Input::size).sum()
}
