//! Whether content was read before, under another name: a copy, or an archive made of a followed file.
//!
//! Content is recognised by its [`Fingerprint`] at the offsets up to which known files were read. Decides nothing about
//! names, and reads no file: bytes are handed in.

use super::follow::{FINGERPRINT_BYTES, Fingerprint, Position};

/// A stretch of content that was read: from its beginning up to an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) offset: u64,
    /// Whether even so few bytes that a fingerprint covers them all may be only the beginning of the content.
    pub(super) open: bool,
    pub(super) fingerprint: Fingerprint,
}

impl Extent {
    /// What was read of a file that cannot be read any more where it was.
    pub(super) const fn of(position: &Position) -> Self {
        Self { offset: position.offset, open: true, fingerprint: position.fingerprint }
    }
}

/// Looks for known extents in content that passes by.
pub(super) struct Search {
    /// In rising order of offsets; the next one to look at last.
    extents: Vec<Extent>,
    head: Vec<u8>,
    /// The last bytes before `at`.
    tail: Vec<u8>,
    at: u64,
    /// The longest one found.
    found: Option<Extent>,
}

impl Search {
    pub(super) fn new(mut extents: Vec<Extent>) -> Self {
        extents.retain(|extent| extent.offset > 0);
        extents.sort_unstable();
        extents.dedup();
        extents.reverse();
        Self { extents, head: Vec::new(), tail: Vec::new(), at: 0, found: None }
    }

    /// Whether more content could still change the answer.
    pub(super) fn is_over(&self) -> bool {
        self.extents.is_empty()
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let missing = FINGERPRINT_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(bytes.get(..missing.min(bytes.len())).unwrap_or_default());
        let end = self.at.saturating_add(bytes.len() as u64);
        while let Some(extent) = self.extents.pop_if(|extent| extent.offset <= end) {
            let within = usize::try_from(extent.offset.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let span = Fingerprint::span(extent.offset);
            let tail = join_tail(&self.tail, bytes.get(..within).unwrap_or_default(), span);
            let head = self.head.get(..span).unwrap_or_default();
            if Fingerprint::of(extent.offset, head, &tail) == extent.fingerprint {
                self.found = Some(extent);
            }
        }
        self.tail = join_tail(&self.tail, bytes, FINGERPRINT_BYTES);
        self.at = end;
    }

    /// All that was pushed, as an extent.
    pub(super) fn extent(&self) -> Extent {
        let span = Fingerprint::span(self.at);
        let tail = self.tail.get(self.tail.len().saturating_sub(span)..).unwrap_or_default();
        let fingerprint = Fingerprint::of(self.at, self.head.get(..span).unwrap_or_default(), tail);
        Extent { offset: self.at, open: false, fingerprint }
    }

    /// How many bytes of the content were read before; `ended` says whether all content was pushed. Few bytes are taken
    /// for a beginning only where nothing else can have become of the file that had them.
    pub(super) fn answer(&self, ended: bool) -> u64 {
        let found = self.found.filter(|found| {
            found.open || found.offset >= FINGERPRINT_BYTES as u64 || (ended && found.offset == self.at)
        });
        found.map_or(0, |found| found.offset)
    }
}

/// The last `span` bytes of both.
fn join_tail(before: &[u8], bytes: &[u8], span: usize) -> Vec<u8> {
    let from_bytes = bytes.get(bytes.len().saturating_sub(span)..).unwrap_or_default();
    let missing = span.saturating_sub(from_bytes.len());
    let from_before = before.get(before.len().saturating_sub(missing)..).unwrap_or_default();
    [from_before, from_bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 9).to_le_bytes()[0]).collect()
    }

    fn extent(content: &[u8], offset: usize, open: bool) -> Extent {
        let span = Fingerprint::span(offset as u64);
        let fingerprint = Fingerprint::of(offset as u64, &content[..span], &content[offset - span..offset]);
        Extent { offset: offset as u64, open, fingerprint }
    }

    #[track_caller]
    fn check(content: &[u8], extents: &[Extent], expected: u64) {
        for block in [1, 7, 255, 256, 257, 5000] {
            let mut search = Search::new(extents.to_vec());
            content.chunks(block).for_each(|bytes| search.push(bytes));
            assert_eq!(search.answer(true), expected, "in blocks of {block}");
        }
    }

    #[test]
    fn the_longest_known_beginning_is_found_however_the_content_is_cut() {
        let content = content(3000);
        let known = |offset| extent(&content, offset, true);
        check(&content, &[known(1000)], 1000);
        check(&content, &[known(1000), known(2999), known(10)], 2999);
        check(&content, &[known(3000)], 3000);
        check(&content[..2000], &[known(3000)], 0);
        check(&content, &[], 0);
    }

    #[test]
    fn other_content_is_not_known() {
        let (content, mut other) = (content(3000), content(3000));
        other[990] ^= 1;
        check(&other, &[extent(&content, 1000, true)], 0);
        other.rotate_left(1);
        check(&other, &[extent(&content, 3000, true)], 0);
    }

    #[test]
    fn few_bytes_of_a_file_that_is_still_there_count_only_as_the_whole_content() {
        let content = content(300);
        check(&content, &[extent(&content, 20, false)], 0);
        check(&content, &[extent(&content, 20, true)], 20);
        check(&content[..20], &[extent(&content, 20, false)], 20);
    }
}
