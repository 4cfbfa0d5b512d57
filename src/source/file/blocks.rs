//! Whole files in large blocks, searched by several threads and given in order.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::ahead::{Ahead, Fill};
use super::disk;
use crate::pipeline::{Hits, Search};

/// Bytes of a block: large enough for a system call, small enough for the processor's cache.
pub(super) const BLOCK_BYTES: usize = 512 * 1024;

/// For a smaller file no threads are started, in bytes.
const AHEAD_LEAST: u64 = 4 * BLOCK_BYTES as u64;

/// The kernel copies slowly to a place a few bytes behind the page of the source, as an allocation's usually is.
const PAGE_BYTES: usize = 4096;

/// A buffer of which a given place begins a page.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    skew: usize,
    length: usize,
}

impl Buffer {
    /// A buffer of so many bytes, which begins with a page.
    pub(super) fn new(length: usize) -> Self {
        Self::with_head(0, length)
    }

    /// A buffer of `head` and so many bytes; a page begins between both.
    pub(super) fn with_head(head: usize, length: usize) -> Self {
        let bytes = vec![0; head + length + PAGE_BYTES];
        let skew = bytes.as_ptr().wrapping_add(head).align_offset(PAGE_BYTES).min(PAGE_BYTES);
        Self { bytes, skew, length: head + length }
    }

    /// All of it.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.skew..self.skew + self.length).unwrap_or_default()
    }

    pub(super) fn filled(&self, length: usize) -> &[u8] {
        self.range(0..length)
    }

    /// A part of it; nothing if it is not within.
    pub(super) fn range(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(self.skew + range.start..self.skew + range.end).unwrap_or_default()
    }
}

/// A block and what was found in it.
struct Block {
    buffer: Buffer,
    hits: Hits,
}

impl Block {
    fn new() -> Self {
        Self { buffer: Buffer::new(BLOCK_BYTES), hits: Hits::default() }
    }
}

impl Fill for Block {
    const BYTES: usize = BLOCK_BYTES;

    fn fill(&mut self, file: &File, offset: u64, search: &Search) -> io::Result<usize> {
        let length = disk::read_at(file, self.buffer.bytes(), offset)?;
        search.search(self.buffer.filled(length), &mut self.hits);
        Ok(length)
    }
}

/// Reads a file from its beginning, with so many threads besides this one, and gives each block with what was found in it,
/// in order, until the file ends or `take` breaks.
pub(super) fn read(
    file: &Arc<File>,
    search: &Arc<Search>,
    threads: usize,
    mut take: impl FnMut(&[u8], &Hits) -> ControlFlow<()>,
) -> io::Result<()> {
    if threads == 0 || file.metadata()?.len() < AHEAD_LEAST {
        return read_alone(file, search, take);
    }
    let mut ahead = Ahead::start(file, search, 0, threads, Block::new)?;
    while let Some(result) = ahead.next() {
        let filled = result?;
        let bytes = filled.block.buffer.filled(filled.length);
        if !bytes.is_empty() && take(bytes, &filled.block.hits).is_break() {
            break;
        }
        ahead.give_back(filled);
    }
    Ok(())
}

/// With one thread one buffer will do, which stays in the processor's cache.
fn read_alone(file: &File, search: &Search, mut take: impl FnMut(&[u8], &Hits) -> ControlFlow<()>) -> io::Result<()> {
    let (mut block, mut offset) = (Block::new(), 0_u64);
    loop {
        let length = block.fill(file, offset, search)?;
        let bytes = block.buffer.filled(length);
        if (!bytes.is_empty() && take(bytes, &block.hits).is_break()) || length < BLOCK_BYTES {
            return Ok(());
        }
        offset = offset.saturating_add(length as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[track_caller]
    fn check(length: usize, threads: usize) {
        let line = b"ts=2026-03-01T00:00:00Z level=info error_code=51007 order=";
        let content: Vec<u8> = (0..length).map(|at| line[at % line.len()]).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let search = Arc::new(Search::new(&[b"51007"]));
        let (mut given, mut hits) = (Vec::new(), Vec::new());
        read(&Arc::new(file.into_file()), &search, threads, |bytes, found| {
            let from = given.len();
            hits.extend(found.starts.iter().map(|start| from + start));
            given.extend_from_slice(bytes);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(given, content);
        let expected: Vec<usize> = memchr::memmem::find_iter(&content, b"51007").collect();
        let cut = |at: &usize| at / BLOCK_BYTES != (at + 4) / BLOCK_BYTES;
        assert_eq!(hits, expected.into_iter().filter(|at| !cut(at)).collect::<Vec<_>>());
    }

    #[test]
    fn blocks_are_the_same_whatever_the_number_of_threads() {
        for length in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 20 * BLOCK_BYTES + 77] {
            for threads in [0, 1, 2] {
                check(length, threads);
            }
        }
    }

    #[test]
    fn breaking_ends_it() {
        for threads in [0, 1] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&vec![b'x'; 30 * BLOCK_BYTES]).unwrap();
            let mut blocks = 0;
            let search = Arc::new(Search::new(&[b"51007"]));
            read(&Arc::new(file.into_file()), &search, threads, |_, _| {
                blocks += 1;
                if blocks == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            assert_eq!(blocks, 3);
        }
    }

    #[test]
    fn a_buffer_has_a_page_behind_its_head() {
        let mut buffer = Buffer::with_head(256, 1000);
        assert_eq!(buffer.bytes().len(), 1256);
        assert_eq!(buffer.bytes()[256..].as_ptr().align_offset(PAGE_BYTES), 0);
    }

    #[test]
    fn a_failure_to_read_is_told() {
        let search = Arc::new(Search::new(&[b"51007"]));
        for threads in [0, 1] {
            let folder = Arc::new(File::open("/").unwrap());
            assert!(read(&folder, &search, threads, |_, _| ControlFlow::Continue(())).is_err());
        }
    }
}
