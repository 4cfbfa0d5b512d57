//! What `scan` reads: files, archives (`.gz`, `.zst`, recognised by their content) and standard input.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::command::scan::progress::Progress;
use crate::report::page::shown;
use crate::time::UnixTime;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A zstd stream that asks for a larger window (log2 of bytes) is refused; `zstd` without `--long` stays below.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Compressed bytes are read in pieces of this size.
const ARCHIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Something to scan.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// A stream under a name, such as standard input as `-`.
    Stream {
        /// The name in diagnoses.
        name: String,
        /// The bytes.
        reader: Box<dyn Read>,
    },
}

/// An input, ready to be read.
pub struct Opened {
    /// The bytes, unpacked.
    pub reader: Box<dyn Read>,
    /// When a file was last written.
    pub modified: Option<UnixTime>,
}

impl Input {
    /// The arguments of the command line; `-` is standard input.
    pub fn of_arguments(files: Vec<PathBuf>) -> Vec<Self> {
        files.into_iter().map(Self::of_argument).collect()
    }

    fn of_argument(path: PathBuf) -> Self {
        if path == Path::new("-") {
            return Self::Stream { name: "-".to_owned(), reader: Box::new(io::stdin().lock()) };
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

    /// Opens it, and unpacks it if it is an archive.
    pub fn open(self, progress: &Progress) -> io::Result<Opened> {
        match self {
            Self::Stream { reader, .. } => Ok(Opened { reader: unpacked(progress.reader(reader))?, modified: None }),
            Self::File(path) => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                if metadata.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                Ok(Opened { modified: modified(&metadata), reader: unpacked(progress.reader(file))? })
            }
        }
    }
}

/// Sum of the sizes, if all are known.
pub fn total_size(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(Input::size).sum()
}

fn modified(metadata: &fs::Metadata) -> Option<UnixTime> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(UnixTime::from_millis)
}

fn unpacked(mut reader: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut start = Vec::with_capacity(ZSTD.len());
    reader.by_ref().take(ZSTD.len() as u64).read_to_end(&mut start)?;
    let (gzip, zstd) = (start.starts_with(&GZIP), start.starts_with(&ZSTD));
    let whole = io::Cursor::new(start).chain(reader);
    if gzip {
        let buffered = BufReader::with_capacity(ARCHIVE_BUFFER_BYTES, whole);
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(buffered)));
    }
    if zstd {
        let buffered = BufReader::with_capacity(ARCHIVE_BUFFER_BYTES, whole);
        let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(Box::new(decoder));
    }
    Ok(Box::new(whole))
}
