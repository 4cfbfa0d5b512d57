//! Whole files, read once and in order: plain, gzip and zstd, told apart by their first bytes.
//!
//! Archives are unpacked as they are read: memory is bounded by the window of the format, whatever the size of the
//! content. Several gzip members or zstd frames in a row are one content. Does not read file lists (tar, zip).

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{ahead, blocks, disk};
use crate::pipeline::{Hits, Search};
use crate::time::UnixTime;

/// Bytes handed out at a time.
pub const WHOLE_BLOCK_BYTES: usize = 512 * 1024;

/// Packed bytes read at a time.
const PACKED_BLOCK_BYTES: usize = 128 * 1024;

/// The largest zstd window accepted, as a power of two in bytes (128 MiB, the format's own default limit).
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Why a whole file could not be read, or not to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum WholeError {
    /// It can't be opened.
    Open(PathBuf, io::Error),
    /// It is a folder or a socket.
    Kind(PathBuf, &'static str),
    /// Reading failed.
    Read(PathBuf, io::Error),
    /// An archive is damaged or cut; what was readable has been given.
    Damaged(PathBuf, io::Error),
}

impl fmt::Display for WholeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, error) => write!(f, "{}: expected a file to read, but {}", path.display(), reason(error)),
            Self::Kind(path, kind) => write!(f, "{}: expected a file, but found {kind}", path.display()),
            Self::Read(path, error) => write!(f, "{}: reading failed: {}", path.display(), reason(error)),
            Self::Damaged(path, error) => write!(
                f,
                "{}: expected a complete archive, but {} (what could be unpacked was read)",
                path.display(),
                reason(error)
            ),
        }
    }
}

impl std::error::Error for WholeError {}

/// An operating system's error in plain words, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let plain = [
        (io::ErrorKind::NotFound, "there is none"),
        (io::ErrorKind::PermissionDenied, "permission was denied"),
        (io::ErrorKind::UnexpectedEof, "it ends early"),
    ];
    if let Some((_, text)) = plain.iter().find(|(kind, _)| *kind == error.kind()) {
        return (*text).to_owned();
    }
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// Whether a path's name says that it is an archive that is read whole.
pub(super) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz" || extension == "zst")
}

/// A whole file, open and not yet read.
pub struct Whole {
    path: PathBuf,
    size: Option<u64>,
    modified: Option<UnixTime>,
    read: Arc<AtomicU64>,
    content: Content,
}

enum Content {
    /// A regular file.
    File(Arc<File>),
    /// What only a stream can give.
    Plain(Head),
    Packed(Box<dyn Read + Send>),
}

/// The bytes already looked at, then the rest.
type Head = Chain<Cursor<Vec<u8>>, Counted>;

struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Whole {
    /// Opens a file; a named pipe will do.
    pub fn open(path: &Path) -> Result<Self, WholeError> {
        let file = File::open(path).map_err(|error| WholeError::Open(path.to_owned(), error))?;
        Self::of_file(path, file)
    }

    pub(super) fn of_file(path: &Path, file: File) -> Result<Self, WholeError> {
        let metadata = file.metadata().map_err(|error| WholeError::Open(path.to_owned(), error))?;
        if metadata.is_dir() {
            return Err(WholeError::Kind(path.to_owned(), "a folder"));
        }
        let size = metadata.is_file().then_some(metadata.len());
        let modified = metadata.is_file().then(|| disk::modified(&metadata));
        let mut magic = [0; 4];
        if size.is_some() {
            let failed = |error| WholeError::Read(path.to_owned(), error);
            let length = disk::read_at(&file, &mut magic, 0).map_err(failed)?;
            let head = magic.get(..length).unwrap_or_default();
            if !head.starts_with(GZIP_MAGIC) && !head.starts_with(ZSTD_MAGIC) {
                let (read, content) = (Arc::new(AtomicU64::new(0)), Content::File(Arc::new(file)));
                return Ok(Self { path: path.to_owned(), size, modified, read, content });
            }
        }
        Self::of_reader(path, Box::new(file), size, modified)
    }

    /// Takes what any reader gives, standard input for example; `name` stands for its path in messages.
    pub fn from_reader(name: &Path, reader: Box<dyn Read + Send>) -> Result<Self, WholeError> {
        Self::of_reader(name, reader, None, None)
    }

    fn of_reader(
        path: &Path,
        reader: Box<dyn Read + Send>,
        size: Option<u64>,
        modified: Option<UnixTime>,
    ) -> Result<Self, WholeError> {
        let read = Arc::new(AtomicU64::new(0));
        let mut counted = Counted { inner: reader, read: Arc::clone(&read) };
        let mut head = Vec::new();
        let failed = |error| WholeError::Read(path.to_owned(), error);
        counted.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
        let (gzip, zstd) = (head.starts_with(GZIP_MAGIC), head.starts_with(ZSTD_MAGIC));
        let whole = Cursor::new(head).chain(counted);
        let content = if gzip {
            let buffered = BufReader::with_capacity(PACKED_BLOCK_BYTES, whole);
            Content::Packed(Box::new(flate2::bufread::MultiGzDecoder::new(buffered)))
        } else if zstd {
            let buffered = BufReader::with_capacity(PACKED_BLOCK_BYTES, whole);
            let mut decoder = zstd::Decoder::with_buffer(buffered).map_err(failed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(failed)?;
            Content::Packed(Box::new(decoder))
        } else {
            Content::Plain(whole)
        };
        Ok(Self { path: path.to_owned(), size, modified, read, content })
    }

    /// The size on disk in bytes (packed, if it is an archive), if it is known.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// When the file was modified last.
    pub const fn modified(&self) -> Option<UnixTime> {
        self.modified
    }

    /// Whether the content is unpacked while it is read.
    pub const fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed(_))
    }

    /// Bytes taken from the disk so far, for a progress bar beside [`Self::size`].
    pub fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Hands the content to `block` until it ends or `block` breaks. Gives the number of bytes handed out.
    pub fn read(mut self, mut block: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<u64, WholeError> {
        let mut buffer = vec![0; WHOLE_BLOCK_BYTES];
        let mut total = 0_u64;
        loop {
            let filled = self.next(&mut buffer)?;
            let bytes = buffer.get(..filled).unwrap_or_default();
            total = total.saturating_add(filled as u64);
            if bytes.is_empty() || block(bytes).is_break() {
                return Ok(total);
            }
        }
    }

    /// Hands the content to `block` with what a search found in it, until it ends or `block` breaks. A file that is no
    /// archive is searched ahead by as many threads as the machine has processors; what is handed out is the same.
    pub fn read_searched(
        mut self,
        search: &Arc<Search>,
        mut block: impl FnMut(&[u8], &Hits) -> ControlFlow<()>,
    ) -> Result<(), WholeError> {
        if let Content::File(file) = &self.content {
            let read = blocks::read(file, search, ahead::threads(), |bytes, hits| {
                self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                block(bytes, hits)
            });
            return read.map_err(|error| WholeError::Read(self.path.clone(), error));
        }
        let (mut buffer, mut hits) = (blocks::Buffer::new(blocks::BLOCK_BYTES), Hits::default());
        loop {
            let length = self.next(buffer.bytes())?;
            let bytes = buffer.filled(length);
            search.search(bytes, &mut hits);
            if bytes.is_empty() || block(bytes, &hits).is_break() {
                return Ok(());
            }
        }
    }

    /// Reads the next bytes into `buffer`; 0 at the end.
    pub(super) fn next(&mut self, buffer: &mut [u8]) -> Result<usize, WholeError> {
        loop {
            let result = match &mut self.content {
                Content::File(file) => {
                    let read = (&**file).read(buffer);
                    self.read.fetch_add(read.as_ref().map_or(0, |read| *read as u64), Ordering::Relaxed);
                    read
                }
                Content::Plain(reader) => reader.read(buffer),
                Content::Packed(reader) => reader.read(buffer),
            };
            return match result {
                Ok(filled) => Ok(filled),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.is_packed() => Err(WholeError::Damaged(self.path.clone(), error)),
                Err(error) => Err(WholeError::Read(self.path.clone(), error)),
            };
        }
    }
}

/// Streams a whole file to `block` and gives the number of bytes. See [`Whole`] for progress and modification time.
pub fn read_whole(path: &Path, block: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<u64, WholeError> {
    Whole::open(path)?.read(block)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn collect(bytes: Vec<u8>) -> (Vec<u8>, Result<u64, WholeError>) {
        let mut content = Vec::new();
        let whole = Whole::from_reader(Path::new("app.log"), Box::new(Cursor::new(bytes))).unwrap();
        let result = whole.read(|block| {
            content.extend_from_slice(block);
            ControlFlow::Continue(())
        });
        (content, result)
    }

    #[track_caller]
    fn check(bytes: Vec<u8>, expected: &[u8]) {
        let (content, result) = collect(bytes);
        assert_eq!(content, expected);
        assert_eq!(result.unwrap(), expected.len() as u64);
    }

    #[test]
    fn the_content_comes_out_whole_whatever_the_packing() {
        let long: Vec<u8> = (0..2_000_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for content in [&b""[..], b"a", b"abc", b"\x1f", b"one line\n\x00\xff", &long] {
            check(content.to_vec(), content);
            check(gzip(content), content);
            check(zstd::encode_all(content, 1).unwrap(), content);
        }
    }

    #[test]
    fn members_and_frames_in_a_row_are_one_content() {
        check([gzip(b"one\n"), gzip(b"two\n")].concat(), b"one\ntwo\n");
        let frames = [zstd::encode_all(&b"one\n"[..], 1).unwrap(), zstd::encode_all(&b"two\n"[..], 1).unwrap()];
        check(frames.concat(), b"one\ntwo\n");
    }

    #[test]
    fn a_cut_archive_gives_what_is_readable_and_says_so() {
        let lines: Vec<u8> =
            (0..100_000_u32).flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        for mut packed in [gzip(&lines), zstd::encode_all(&lines[..], 1).unwrap()] {
            packed.truncate(packed.len() / 2);
            let (content, result) = collect(packed);
            assert!(content.len() > 100_000 && lines.starts_with(&content));
            let message = result.unwrap_err().to_string();
            assert!(message.starts_with("app.log: expected a complete archive, but "), "{message}");
        }
    }

    #[test]
    fn errors_say_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let error = Whole::open(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{}: expected a file, but found a folder", folder.path().display()));
        let path = folder.path().join("none.log");
        let error = Whole::open(&path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: expected a file to read, but there is none", path.display()));
    }
}
