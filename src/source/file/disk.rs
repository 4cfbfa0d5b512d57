//! What a follower is told of the disk: identity, length, the bytes before its offset and after it.
//!
//! Decides nothing: see [`super::follow`].

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::blocks::{BLOCK_BYTES, Buffer};
use super::follow::{FINGERPRINT_BYTES, Fingerprint, Identity, Seen};
use crate::time::UnixTime;

/// How far apart two modification times may be and still be noted as one, with much to spare.
const MODIFIED_STEP_NANOS: i64 = 50_000_000;

/// The one buffer: the file's head, then the bytes just before the offset, then the new bytes.
pub(super) struct Block {
    head: [u8; FINGERPRINT_BYTES],
    bytes: Buffer,
    /// Where the new bytes begin and end in `bytes`.
    new: (usize, usize),
}

/// An open file as it is now, with its next bytes in the [`Block`].
pub(super) struct Look {
    pub(super) seen: Seen,
    /// Modification time in nanoseconds, to notice a change that leaves the length as it is.
    pub(super) modified: i64,
    /// It has no name anywhere.
    pub(super) is_deleted: bool,
}

impl Block {
    pub(super) fn new() -> Self {
        Self { head: [0; FINGERPRINT_BYTES], bytes: Buffer::with_head(FINGERPRINT_BYTES, BLOCK_BYTES), new: (0, 0) }
    }

    /// Looks at an open file and reads the next block at `offset`, together with what proves that the file before it is
    /// still what it was: both come from one read, so that no truncation can fall between proof and bytes.
    pub(super) fn look(&mut self, file: &File, offset: u64, modified_before: i64) -> io::Result<Look> {
        let metadata = file.metadata()?;
        let (modified, is_deleted) = (trusted(modified_nanos(&metadata)), metadata.nlink() == 0);
        let mut seen = seen(&metadata);
        self.new = (0, 0);
        let unchanged = modified == modified_before && modified != i64::MIN;
        if seen.length < offset || (seen.length == offset && unchanged) {
            return Ok(Look { seen, modified, is_deleted });
        }
        let span = Fingerprint::span(offset);
        let head = self.head.get_mut(..span).unwrap_or_default();
        let head_length = read_at(file, head, 0)?;
        let start = offset.saturating_sub(span as u64);
        let room = self.bytes.bytes().get_mut(..span + BLOCK_BYTES).unwrap_or_default();
        // With one call: between two the file could be cut and filled again, and bytes of the new content would follow the
        // proof of the old one. What a call leaves out is read at the next look.
        let length = read_once(file, room, start)?;
        // What was read is the truth, not what `stat` said a moment ago; only the length beyond the block is taken
        // from there.
        let read_to = start.saturating_add(length as u64);
        if head_length < span || read_to < offset {
            seen.length = read_to.min(offset.saturating_sub(1));
            return Ok(Look { seen, modified, is_deleted });
        }
        let full = length == span + BLOCK_BYTES;
        seen.length = if full { seen.length.max(read_to) } else { read_to };
        seen.before = Some(self.fingerprint(offset, span, span));
        self.new = (span, length);
        Ok(Look { seen, modified, is_deleted })
    }

    /// The new bytes.
    pub(super) fn new_bytes(&self) -> &[u8] {
        self.bytes.range(self.new.0..self.new.1)
    }

    /// The fingerprint after all new bytes, `offset` being where they end.
    pub(super) fn fingerprint_after(&mut self, offset: u64) -> Fingerprint {
        let (from, to) = self.new;
        let before = offset.saturating_sub((to - from) as u64);
        let (old, span) = (Fingerprint::span(before), Fingerprint::span(offset));
        // A head that was still growing: `bytes` then begins at the file's start.
        if old < span
            && let Some(head) = self.head.get_mut(..span)
        {
            head.copy_from_slice(self.bytes.range(0..span));
        }
        self.fingerprint(offset, span, to)
    }

    /// The fingerprint at `offset`, which is at `end` in `bytes`.
    fn fingerprint(&self, offset: u64, span: usize, end: usize) -> Fingerprint {
        let head = self.head.get(..span).unwrap_or_default();
        let tail = self.bytes.range(end.saturating_sub(span)..end);
        Fingerprint::of(offset, head, tail)
    }
}

/// The fingerprint of a file at an offset; `None` if the file is shorter.
pub(super) fn fingerprint_at(file: &File, offset: u64) -> io::Result<Option<Fingerprint>> {
    let span = Fingerprint::span(offset);
    let (mut head, mut tail) = ([0; FINGERPRINT_BYTES], [0; FINGERPRINT_BYTES]);
    let (head, tail) = (head.get_mut(..span).unwrap_or_default(), tail.get_mut(..span).unwrap_or_default());
    let whole = read_at(file, head, 0)? == span && read_at(file, tail, offset.saturating_sub(span as u64))? == span;
    Ok(whole.then(|| Fingerprint::of(offset, head, tail)))
}

/// Opens a file for reading. Never waits, even if a pipe has taken the file's place meanwhile.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::CLOEXEC).bits();
    OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)
}

/// What `stat` says of a file.
pub(super) fn seen(metadata: &Metadata) -> Seen {
    let born = metadata
        .created()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok());
    let identity = Identity { device: metadata.dev(), inode: metadata.ino(), born };
    Seen { identity, length: metadata.len(), before: None }
}

/// The modification time, as a value.
pub(super) fn modified(metadata: &Metadata) -> UnixTime {
    UnixTime::from_millis(metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000))
}

/// The modification time, in nanoseconds since 1970.
pub(super) fn modified_nanos(metadata: &Metadata) -> i64 {
    metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec())
}

/// The modification time, unless it is so new that a further change could leave it as it is: then none, so that the
/// next look reads.
#[expect(clippy::disallowed_methods, reason = "an edge: compared with the file system's times")]
fn trusted(modified: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    if modified.saturating_add(MODIFIED_STEP_NANOS) > now { i64::MIN } else { modified }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read_once(file, rest, offset.saturating_add(filled as u64))? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Reads what one call of the system gives.
fn read_once(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_fingerprint_after_a_read_is_the_one_found_at_that_offset_later() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (mut block, mut offset, mut expected) = (Block::new(), 0_u64, Fingerprint::NOTHING);
        for length in [1, 7, 100, 147, 1, 255, 256, 257, 5000, BLOCK_BYTES] {
            let bytes: Vec<u8> = (0..length).map(|i| u8::try_from((i + length) % 251).unwrap()).collect();
            file.write_all(&bytes).unwrap();
            let look = block.look(file.as_file(), offset, -1).unwrap();
            assert_eq!(look.seen.before, Some(expected), "at {offset}");
            assert_eq!(block.new_bytes(), bytes);
            offset += length as u64;
            expected = block.fingerprint_after(offset);
            assert_eq!(fingerprint_at(file.as_file(), offset).unwrap(), Some(expected), "at {offset}");
        }
        assert_eq!(fingerprint_at(file.as_file(), offset + 1).unwrap(), None);
    }

    #[test]
    fn a_file_refilled_to_the_same_length_at_once_has_another_fingerprint() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"first\n").unwrap();
        let mut block = Block::new();
        let look = block.look(file.as_file(), 0, i64::MIN).unwrap();
        let read = block.fingerprint_after(6);
        file.as_file().write_all_at(b"other\n", 0).unwrap();
        let look = block.look(file.as_file(), 6, look.modified).unwrap();
        assert!(look.seen.before.is_some_and(|before| before != read));
    }

    #[test]
    fn a_file_refilled_past_the_offset_has_another_fingerprint() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"equal head\nfirst\n").unwrap();
        let first = fingerprint_at(file.as_file(), 17).unwrap();
        file.as_file().set_len(11).unwrap();
        let look = Block::new().look(file.as_file(), 17, -1).unwrap();
        assert!(look.seen.length < 17);
        file.as_file().write_all_at(b"other\nand more\n", 11).unwrap();
        let look = Block::new().look(file.as_file(), 17, -1).unwrap();
        assert_ne!(look.seen.before, first);
        assert_eq!(look.seen.length, 26);
    }
}
