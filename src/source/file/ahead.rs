//! A file of which several threads look at blocks and search them, given in order.
//!
//! Who wants the blocks looks at some of them, too: at the next that nobody has, whenever the one that is due is not ready.
//! So no thread waits for another as long as there is a buffer, and what is given is mostly still in the processor's
//! cache. Which block is next is decided by a counter, so that the threads share one large file evenly; the number of
//! buffers bounds both the memory and how far ahead they are. The first block that is not full is the last that counts:
//! what the threads read behind it is not given.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Builder};

use crate::pipeline::Search;

/// Buffers of each thread: one that it fills, and those that wait to be wanted.
const AHEAD: usize = 4;

/// Buffers of all threads together that are more, for while a block with many events is worked on.
const SPARE: usize = 2;

/// Buffers of whoever wants the blocks: the one that is looked at, and those that are looked at before their turn.
const OWN: usize = 2;

/// What a thread fills.
pub(super) trait Fill: Send + 'static {
    /// Bytes of a block.
    const BYTES: usize;

    /// Takes the block at an offset from the file and searches it; gives the bytes that were there.
    fn fill(&mut self, file: &File, offset: u64, search: &Search) -> io::Result<usize>;
}

/// A block, and the bytes in it.
pub(super) struct Filled<B> {
    pub(super) block: B,
    pub(super) length: usize,
    /// Whose buffer it is, and so in whose cache.
    of: Whose,
}

/// Who looks at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Who wants it.
    Own,
    /// One of the threads.
    Threads,
}

/// The looks at one file. The threads end when this is dropped.
pub(super) struct Ahead<B> {
    work: Arc<Work<B>>,
    /// None once the last block was given.
    ready: Option<Receiver<(u64, io::Result<Filled<B>>)>>,
    free: Sender<B>,
    own: Vec<B>,
    early: BTreeMap<u64, io::Result<Filled<B>>>,
    expected: u64,
}

/// What the threads share.
struct Work<B> {
    file: Arc<File>,
    search: Arc<Search>,
    from: u64,
    /// The next block that nobody looks at. Taken only by who has a buffer for it, so that all of them come.
    next: AtomicU64,
    free: Mutex<Receiver<B>>,
}

impl<B: Fill> Ahead<B> {
    /// Begins to look at a file from an offset on, with so many threads besides the caller's.
    pub(super) fn start(
        file: &Arc<File>,
        search: &Arc<Search>,
        from: u64,
        threads: usize,
        new: impl Fn() -> B,
    ) -> io::Result<Self> {
        let (free, taken) = channel();
        for _ in 0..threads * AHEAD + SPARE {
            // The receiver is here.
            _ = free.send(new());
        }
        let (done, ready) = channel();
        let (file, search) = (Arc::clone(file), Arc::clone(search));
        let work = Arc::new(Work { file, search, from, next: AtomicU64::new(0), free: Mutex::new(taken) });
        for _ in 0..threads {
            let (work, done) = (Arc::clone(&work), done.clone());
            Builder::new().name("ahead".to_owned()).spawn(move || while work.look_at_next(&done) {})?;
        }
        let own = (0..OWN).map(|_| new()).collect();
        Ok(Self { work, ready: Some(ready), free, own, early: BTreeMap::new(), expected: 0 })
    }

    /// The next block; none after the last. Looks at it, or at a later one, if no thread has it ready.
    pub(super) fn next(&mut self) -> Option<io::Result<Filled<B>>> {
        let ready = self.ready.as_ref()?;
        let result = loop {
            self.early.extend(ready.try_iter());
            if let Some(result) = self.early.remove(&self.expected) {
                break result;
            }
            let (number, result) = match self.own.pop() {
                Some(block) => self.work.look(block, Whose::Own),
                // The threads are gone only if one of them failed, which comes in its turn.
                None => ready.recv().ok()?,
            };
            self.early.insert(number, result);
        };
        self.expected += 1;
        if result.as_ref().map_or(true, |filled| filled.length < B::BYTES) {
            self.ready = None;
        }
        Some(result)
    }

    /// Takes a buffer back that is no longer needed: best before the next block is wanted.
    pub(super) fn give_back(&mut self, filled: Filled<B>) {
        match filled.of {
            Whose::Own => self.own.push(filled.block),
            // The threads are gone only if one of them failed, which comes in its turn.
            Whose::Threads => _ = self.free.send(filled.block),
        }
    }
}

impl<B: Fill> Work<B> {
    /// Takes a free buffer, and looks at the next block; says whether to go on.
    fn look_at_next(&self, done: &Sender<(u64, io::Result<Filled<B>>)>) -> bool {
        let taken = self.free.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = taken else { return false };
        let (number, result) = self.look(block, Whose::Threads);
        let failed = result.is_err();
        done.send((number, result)).is_ok() && !failed
    }

    /// Looks at the next block that nobody looks at.
    fn look(&self, mut block: B, of: Whose) -> (u64, io::Result<Filled<B>>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let offset = number.saturating_mul(B::BYTES as u64).saturating_add(self.from);
        let result = block.fill(&self.file, offset, &self.search);
        (number, result.map(|length| Filled { block, length, of }))
    }
}

/// How many threads may look at a file besides the one that wants it.
pub(super) fn threads() -> usize {
    thread::available_parallelism().map_or(0, |all| usize::from(all).min(4) - 1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;
    use std::time::Duration;

    use super::*;
    use crate::source::file::disk;

    struct Small(Vec<u8>);

    impl Fill for Small {
        const BYTES: usize = 1000;

        fn fill(&mut self, file: &File, offset: u64, _: &Search) -> io::Result<usize> {
            self.0.resize(Self::BYTES, 0);
            let length = disk::read_at(file, &mut self.0, offset)?;
            self.0.truncate(length);
            Ok(length)
        }
    }

    fn file_of(length: usize) -> (tempfile::NamedTempFile, Vec<u8>) {
        let content: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        (file, content)
    }

    fn start(file: &File, from: u64, threads: usize) -> Ahead<Small> {
        let search = Arc::new(Search::new(&[b"51007"]));
        Ahead::start(&Arc::new(file.try_clone().unwrap()), &search, from, threads, || Small(Vec::new())).unwrap()
    }

    #[track_caller]
    fn rest(ahead: &mut Ahead<Small>) -> Vec<u8> {
        let mut given = Vec::new();
        while let Some(filled) = ahead.next() {
            let filled = filled.unwrap();
            assert_eq!(filled.block.0.len(), filled.length);
            given.extend_from_slice(&filled.block.0);
            ahead.give_back(filled);
        }
        given
    }

    #[test]
    fn blocks_come_whole_and_in_order_whatever_the_length_and_the_number_of_threads() {
        for length in [0, 1, 999, 1000, 1001, 20_077] {
            for (threads, from) in [(1, 0), (2, 0), (3, length / 2)] {
                let (file, content) = file_of(length);
                assert_eq!(rest(&mut start(file.as_file(), from as u64, threads)), content[from..]);
            }
        }
    }

    #[test]
    fn the_first_block_that_is_not_full_is_the_last() {
        let (file, content) = file_of(20_500);
        let mut ahead = start(file.as_file(), 0, 2);
        let first = ahead.next().unwrap().unwrap();
        ahead.give_back(first);
        // What comes after is cut and filled again while it is being read: whatever is given was there.
        file.as_file().set_len(5500).unwrap();
        file.as_file().write_all_at(&content[5500..], 5500).unwrap();
        let given = rest(&mut ahead);
        assert_eq!(given, content[1000..1000 + given.len()]);
        assert!(ahead.next().is_none());
    }

    #[test]
    fn threads_end_when_nobody_wants_more() {
        let (file, _) = file_of(30_000);
        let shared = Arc::new(file.as_file().try_clone().unwrap());
        let search = Arc::new(Search::new(&[b"51007"]));
        let mut ahead = Ahead::start(&shared, &search, 0, 2, || Small(Vec::new())).unwrap();
        assert!(ahead.next().is_some());
        drop(ahead);
        let have_ended = || Arc::strong_count(&shared) == 1;
        let waited = (0..10_000).find(|_| {
            thread::sleep(Duration::from_millis(1));
            have_ended()
        });
        assert!(waited.is_some(), "threads are left");
    }

    #[test]
    fn a_failure_to_read_is_told_once() {
        let folder = File::open("/").unwrap();
        let mut ahead = start(&folder, 0, 2);
        assert!(ahead.next().unwrap().is_err());
        assert!(ahead.next().is_none());
    }
}
