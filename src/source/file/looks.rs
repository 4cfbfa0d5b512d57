//! The looks at followed files: one by one into one buffer for all files, or, while one of them has much that is unread,
//! ahead of its follower and searched, on other threads as well.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::ahead::{self, Ahead, Fill, Filled};
use super::blocks::BLOCK_BYTES;
use super::disk::{Block, Look};
use super::follow::{Fingerprint, Identity};
use crate::pipeline::{Hits, Search};
use crate::source::{Found, Sink};

/// A file with so much that is unread is looked at ahead, in bytes.
const AHEAD_LEAST: u64 = 8 << 20;

/// The last look, and those to come.
pub(super) struct Looks {
    /// The last that was none of those ahead.
    alone: Looked,
    /// The last look was one of those ahead.
    was_ahead: bool,
    ahead: Option<OfOne>,
    /// How many threads may look ahead.
    threads: usize,
}

/// The looks ahead at one file.
struct OfOne {
    identity: Identity,
    /// Where the next one begins.
    offset: u64,
    looks: Ahead<Looked>,
    /// The last one.
    last: Option<Filled<Looked>>,
    search: Arc<Search>,
}

/// A block, how the file was then, and what was found in its new bytes.
struct Looked {
    block: Block,
    look: Option<Look>,
    hits: Hits,
}

impl Looked {
    fn new() -> Self {
        Self { block: Block::new(), look: None, hits: Hits::default() }
    }
}

impl Fill for Looked {
    const BYTES: usize = BLOCK_BYTES;

    fn fill(&mut self, file: &File, offset: u64, search: &Search) -> io::Result<usize> {
        self.look = Some(self.block.look(file, offset, i64::MIN)?);
        let bytes = self.block.new_bytes();
        search.search(bytes, &mut self.hits);
        Ok(bytes.len())
    }
}

/// A file to look at.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) identity: Identity,
    pub(super) file: &'a File,
    /// Where its follower is.
    pub(super) offset: u64,
    /// Modification time at the last look.
    pub(super) modified: i64,
    /// Bytes that are known and not yet read.
    pub(super) unread: u64,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self { alone: Looked::new(), was_ahead: false, ahead: None, threads: ahead::threads() }
    }

    /// Looks at a file, and takes its next bytes.
    pub(super) fn look(&mut self, target: &Target<'_>, sink: &dyn Sink) -> io::Result<Look> {
        if self.ahead.is_none() && self.threads > 0 && target.unread >= AHEAD_LEAST {
            self.start(target, sink);
        }
        if let Some(result) = self.next_ahead(target) {
            return result;
        }
        self.was_ahead = false;
        self.alone.block.look(target.file, target.offset, target.modified)
    }

    fn start(&mut self, target: &Target<'_>, sink: &dyn Sink) {
        let Some(search) = sink.search() else { return };
        let Ok(file) = target.file.try_clone() else { return };
        let (identity, offset) = (target.identity, target.offset);
        // Where the system has no more threads or files, it is done without.
        self.ahead = Ahead::start(&Arc::new(file), &search, offset, self.threads, Looked::new)
            .ok()
            .map(|looks| OfOne { identity, offset, looks, last: None, search });
    }

    /// The next look ahead, if it is at the right file and place.
    fn next_ahead(&mut self, target: &Target<'_>) -> Option<io::Result<Look>> {
        let of_one = self.ahead.as_mut().filter(|of_one| of_one.identity == target.identity)?;
        if of_one.offset != target.offset {
            self.ahead = None;
            return None;
        }
        if let Some(last) = of_one.last.take() {
            of_one.looks.give_back(last);
        }
        let Some(Ok(mut filled)) = of_one.looks.next() else {
            // At the end, or the failure shows at the look that is made now.
            self.ahead = None;
            return None;
        };
        of_one.offset = of_one.offset.saturating_add(filled.length as u64);
        let look = filled.block.look.take();
        of_one.last = Some(filled);
        self.was_ahead = true;
        look.map(Ok)
    }

    /// The last look ahead, if that was the last of all, and what was searched for.
    fn last_ahead(&self) -> Option<(&Looked, &Arc<Search>)> {
        let of_one = self.ahead.as_ref().filter(|_| self.was_ahead)?;
        Some((&of_one.last.as_ref()?.block, &of_one.search))
    }

    /// The file is no longer followed, or is closed.
    pub(super) fn forget(&mut self, identity: &Identity) {
        self.ahead.take_if(|of_one| of_one.identity == *identity);
    }

    /// The new bytes of the last look.
    pub(super) fn new_bytes(&self) -> &[u8] {
        self.last_ahead().map_or(&self.alone, |(last, _)| last).block.new_bytes()
    }

    /// What was found in them, if they were searched.
    pub(super) fn found(&self) -> Option<Found<'_>> {
        let (last, search) = self.last_ahead()?;
        Some(Found { search, hits: &last.hits })
    }

    /// The fingerprint after all new bytes, `offset` being where they end.
    pub(super) fn fingerprint_after(&mut self, offset: u64) -> Fingerprint {
        let of_one = self.ahead.as_mut().filter(|_| self.was_ahead);
        let last = of_one.and_then(|of_one| of_one.last.as_mut()).map_or(&mut self.alone, |last| &mut last.block);
        last.block.fingerprint_after(offset)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::pipeline::{Stream, StreamId};
    use crate::source::Health;
    use crate::source::file::disk;

    struct Searching;

    impl Sink for Searching {
        fn search(&self) -> Option<Arc<Search>> {
            Some(Arc::new(Search::new(&[b"51007"])))
        }
        fn open(&self, _: Stream) -> StreamId {
            StreamId(1)
        }
        fn push(&self, _: StreamId, _: &[u8]) {}
        fn end_line(&self, _: StreamId) {}
        fn pause(&self) {}
        fn finish(&self, _: StreamId) {}
        fn report(&self, _: &str, _: Health) {}
    }

    fn large(blocks: usize) -> (File, Vec<u8>) {
        let content: Vec<u8> = (0..blocks * BLOCK_BYTES + 777).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        (file, content)
    }

    fn target(file: &File, offset: u64) -> Target<'_> {
        let metadata = file.metadata().unwrap();
        let unread = metadata.len().saturating_sub(offset);
        Target { identity: disk::seen(&metadata).identity, file, offset, modified: i64::MIN, unread }
    }

    fn looks(threads: usize) -> Looks {
        Looks { threads, ..Looks::new() }
    }

    #[test]
    fn looks_ahead_are_the_same_as_looks_one_by_one() {
        let (file, content) = large(40);
        let (mut ahead, mut alone) = (looks(2), looks(0));
        let (mut offset, mut searched) = (0_u64, 0);
        while offset < content.len() as u64 {
            let target = target(&file, offset);
            let (one, other) = (ahead.look(&target, &Searching).unwrap(), alone.look(&target, &Searching).unwrap());
            assert_eq!(one.seen, other.seen, "at {offset}");
            assert_eq!(ahead.new_bytes(), alone.new_bytes());
            assert!(alone.found().is_none());
            searched += usize::from(ahead.found().is_some());
            offset += ahead.new_bytes().len() as u64;
            assert_eq!(ahead.fingerprint_after(offset), alone.fingerprint_after(offset));
        }
        assert_eq!(searched, 41);
        assert!(ahead.look(&target(&file, offset), &Searching).is_ok());
        assert!(ahead.new_bytes().is_empty() && ahead.found().is_none());
    }

    #[test]
    fn another_place_or_another_file_is_looked_at_as_it_is() {
        let ((file, content), (other, _)) = (large(40), large(40));
        let mut looks = looks(2);
        looks.look(&target(&file, 0), &Searching).unwrap();
        looks.look(&target(&other, 0), &Searching).unwrap();
        assert!(looks.found().is_none(), "only one file is looked at ahead");
        looks.look(&target(&file, BLOCK_BYTES as u64), &Searching).unwrap();
        assert!(looks.found().is_some(), "and goes on after a turn of another");
        looks.look(&target(&file, 5), &Searching).unwrap();
        assert_eq!(looks.new_bytes()[..100], content[5..105]);
    }

    #[test]
    fn a_file_that_is_cut_and_filled_again_while_it_is_looked_at_ahead_is_found_out() {
        let (file, content) = large(60);
        let mut looks = looks(2);
        looks.look(&target(&file, 0), &Searching).unwrap();
        let mut offset = looks.new_bytes().len() as u64;
        let mut expected = looks.fingerprint_after(offset);
        file.set_len(0).unwrap();
        file.write_all_at(&vec![b'x'; content.len()], 0).unwrap();
        let unread = content.len() as u64;
        loop {
            let look = looks.look(&Target { unread, ..target(&file, offset) }, &Searching).unwrap();
            if look.seen.before != Some(expected) {
                break;
            }
            let new = looks.new_bytes();
            assert_eq!(new, &content[usize::try_from(offset).unwrap()..][..new.len()], "old bytes after old bytes");
            offset += new.len() as u64;
            assert!(offset < unread, "not found out");
            expected = looks.fingerprint_after(offset);
        }
    }
}
