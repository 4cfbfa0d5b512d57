//! Whole files in large blocks, searched ahead by several threads and given in order.
//!
//! Which block is read next is decided by a counter, so that the threads share one large file evenly; the number of
//! buffers bounds both the memory and how far ahead they are. What is given is the same as with one thread: the first
//! block that is not full is the last.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::disk;
use crate::pipeline::{Hits, Search};

/// Bytes of a block: large enough for a system call, small enough for the processor's cache.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;

/// Blocks that a thread may be ahead.
const AHEAD: usize = 4;

/// The kernel copies slowly to a place a few bytes behind the page of the source, as an allocation's usually is.
const PAGE_BYTES: usize = 4096;

/// A buffer that begins with a page.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    skew: usize,
    length: usize,
}

impl Buffer {
    /// A buffer of so many bytes.
    pub(super) fn new(length: usize) -> Self {
        let bytes = vec![0; length + PAGE_BYTES];
        let skew = bytes.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        Self { bytes, skew, length }
    }

    /// All of it.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.skew..self.skew + self.length).unwrap_or_default()
    }

    pub(super) fn filled(&self, length: usize) -> &[u8] {
        self.bytes.get(self.skew..self.skew + length).unwrap_or_default()
    }
}

/// A block and what was found in it.
#[derive(Debug)]
struct Block {
    buffer: Buffer,
    hits: Hits,
    length: usize,
}

/// Reads a file from its beginning with so many threads and gives each block with what was found in it, in order, until
/// the file ends or `take` breaks.
pub(super) fn read(
    file: &File,
    search: &Search,
    threads: usize,
    mut take: impl FnMut(&[u8], &Hits) -> ControlFlow<()>,
) -> io::Result<()> {
    if threads < 2 {
        return read_alone(file, search, take);
    }
    let next = AtomicU64::new(0);
    let (free, taken) = channel();
    for _ in 0..threads * AHEAD {
        // The receiver lives as long as this function.
        _ = free.send(Block { buffer: Buffer::new(BLOCK_BYTES), hits: Hits::default(), length: 0 });
    }
    let taken = Mutex::new(taken);
    thread::scope(|scope| {
        let (done, ready) = channel();
        for _ in 0..threads {
            let (done, next, taken) = (done.clone(), &next, &taken);
            scope.spawn(move || work(file, search, next, taken, &done));
        }
        drop(done);
        // Dropped at the end of this closure, which ends the threads.
        let free = free;
        give(&ready, &free, &mut take)
    })
}

/// With one thread one buffer will do, which stays in the processor's cache.
fn read_alone(file: &File, search: &Search, mut take: impl FnMut(&[u8], &Hits) -> ControlFlow<()>) -> io::Result<()> {
    let (mut buffer, mut hits, mut offset) = (Buffer::new(BLOCK_BYTES), Hits::default(), 0_u64);
    loop {
        let length = disk::read_at(file, buffer.bytes(), offset)?;
        let bytes = buffer.filled(length);
        search.search(bytes, &mut hits);
        if (!bytes.is_empty() && take(bytes, &hits).is_break()) || length < BLOCK_BYTES {
            return Ok(());
        }
        offset = offset.saturating_add(length as u64);
    }
}

/// What a thread does: takes a free buffer, reads the next block, searches it.
fn work(
    file: &File,
    search: &Search,
    next: &AtomicU64,
    free: &Mutex<Receiver<Block>>,
    done: &Sender<(u64, io::Result<Block>)>,
) {
    loop {
        let (number, taken) = {
            let free = free.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = free.recv();
            // With the lock held: whoever has a buffer has the lowest number that is free, so that all numbers come.
            (next.fetch_add(1, Ordering::Relaxed), taken)
        };
        let Ok(mut block) = taken else { return };
        let read = disk::read_at(file, block.buffer.bytes(), number.saturating_mul(BLOCK_BYTES as u64));
        let result = read.map(|length| {
            block.length = length;
            search.search(block.buffer.filled(length), &mut block.hits);
            block
        });
        let failed = result.is_err();
        if done.send((number, result)).is_err() || failed {
            return;
        }
    }
}

/// Gives the blocks in order.
fn give(
    ready: &Receiver<(u64, io::Result<Block>)>,
    free: &Sender<Block>,
    take: &mut impl FnMut(&[u8], &Hits) -> ControlFlow<()>,
) -> io::Result<()> {
    let (mut early, mut expected) = (BTreeMap::new(), 0_u64);
    for (number, result) in ready {
        early.insert(number, result);
        while let Some(result) = early.remove(&expected) {
            let block = result?;
            expected += 1;
            let bytes = block.buffer.filled(block.length);
            if (!bytes.is_empty() && take(bytes, &block.hits).is_break()) || block.length < BLOCK_BYTES {
                return Ok(());
            }
            // The threads are gone only if one failed, which comes in its turn.
            _ = free.send(block);
        }
    }
    Ok(())
}

/// How many threads may search ahead.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(4)
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
        let search = Search::new(&[b"51007"]);
        let (mut given, mut hits) = (Vec::new(), Vec::new());
        read(file.as_file(), &search, threads, |bytes, found| {
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
    fn blocks_come_whole_and_in_order_whatever_the_number_of_threads() {
        for length in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 20 * BLOCK_BYTES + 77] {
            for threads in [1, 2, 3] {
                check(length, threads);
            }
        }
    }

    #[test]
    fn breaking_ends_the_threads() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; 30 * BLOCK_BYTES]).unwrap();
        let mut blocks = 0;
        let search = Search::new(&[b"51007"]);
        read(file.as_file(), &search, 2, |_, _| {
            blocks += 1;
            if blocks == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(blocks, 3);
    }

    #[test]
    fn a_failure_to_read_is_told() {
        let folder = File::open("/").unwrap();
        let search = Search::new(&[b"51007"]);
        assert!(read(&folder, &search, 2, |_, _| ControlFlow::Continue(())).is_err());
    }
}
