//! Finds needles in whole blocks at the speed of memory, and counts lines on the way.
//!
//! A needle is recognised by a window of five of its bytes, chosen because it is rare in logs. One pass looks each byte
//! up by its low four bits, which a vector instruction does for 32 bytes at once: each of the eight bits of an entry
//! stands for a group of windows, and where one bit survives the lookups of five bytes in a row, a window of its group
//! may begin. Only there bytes are compared. Line breaks are counted in the same pass.
//!
//! Which needles are refusals is not decided here.

use memchr::memchr_iter;
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

use crate::words::Words;

/// Bytes that are looked at in one step.
const STEP: usize = 64;
/// Bytes of a needle that are looked up.
const WINDOW: usize = 5;
/// Steps between two places up to which line breaks are counted.
#[cfg(target_arch = "x86_64")]
const STEPS: usize = MARK_BYTES / STEP;
/// Steps whose candidates are noted before they are compared.
#[cfg(target_arch = "x86_64")]
const NOTED: usize = 8;
/// Groups of windows: bits of a byte.
const GROUPS: usize = 8;

/// Windows of needles that are no numbers, rare in logs whatever the case, each with its group. The first that a needle
/// holds is its own.
const WINDOWS: [(&[u8; WINDOW], usize); 9] = [
    (b"s Tok", 6),
    (b"s tok", 6),
    (b"h Tok", 6),
    (b"A tok", 6),
    (b"RIZED", 6),
    (b"match", 6),
    (b"n fai", 7),
    (b"N_FAI", 7),
    (b"rejec", 7),
];

/// What tokens begin with: `{"` and the first letter of `alg`, `typ`, `cty` or `kid`, in base64url.
pub const TOKEN_STARTS: [&[u8]; 4] = [b"eyJh", b"eyJ0", b"eyJj", b"eyJr"];

/// How far apart the places are up to which line breaks are counted, in bytes.
pub const MARK_BYTES: usize = 4096;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Where needles begin, ascending.
    pub starts: Vec<usize>,
    /// Line breaks in the block.
    pub lines: u64,
    /// Line breaks up to the end of each whole [`MARK_BYTES`].
    pub marks: Vec<u64>,
    /// The block began so many bytes before the part that this is of, with so many line breaks.
    skipped: (usize, u64),
}

impl Hits {
    /// Those in a part of the block that ends where a line does, with so many line breaks before it; its lines are all
    /// that follow.
    #[must_use]
    pub fn within(&self, from: usize, length: usize, lines_before: u64) -> Self {
        let starts = self.starts.iter().filter_map(|start| start.checked_sub(from));
        let starts = starts.filter(|start| *start < length).collect();
        let (marks, lines) = (self.marks.clone(), self.lines.saturating_sub(lines_before));
        Self { starts, lines, marks, skipped: (from, lines_before) }
    }

    /// Those in the first bytes of the part that this is of, which end where a line does and hold so many lines.
    #[must_use]
    pub fn of_first(&self, length: usize, lines: u64) -> Self {
        let starts = self.starts.iter().copied().take_while(|start| *start < length).collect();
        Self { starts, lines, marks: self.marks.clone(), skipped: self.skipped }
    }

    /// Positions, in the part that this is of, of stretches without a line break: at least one in every line of twice
    /// [`MARK_BYTES`], but for one that reaches beyond the block.
    pub fn long_stretches(&self) -> impl Iterator<Item = usize> {
        let (skipped, _) = self.skipped;
        let stretches = (1..).zip(self.marks.windows(2)).filter(|(_, pair)| pair.first() == pair.last());
        stretches.filter_map(move |(mark, _)| (mark * MARK_BYTES).checked_sub(skipped))
    }

    /// The position in `text`, the part that this is of, behind so many line breaks; nothing if there are not so many.
    pub fn behind_breaks(&self, text: &[u8], breaks: u64) -> Option<usize> {
        let (skipped, lines_skipped) = self.skipped;
        let last = self.marks.partition_point(|lines| lines.saturating_sub(lines_skipped) < breaks);
        let known = last.checked_sub(1).and_then(|mark| {
            let from = (last * MARK_BYTES).checked_sub(skipped)?;
            Some((from, self.marks.get(mark)?.checked_sub(lines_skipped)?))
        });
        let (from, before) = known.unwrap_or((0, 0));
        let Some(rest) = usize::try_from(breaks - before).ok()?.checked_sub(1) else { return Some(0) };
        memchr_iter(b'\n', text.get(from..)?).nth(rest).map(|at| from + at + 1)
    }

    /// Line breaks in `text`, the part that this is of, before a position; those before an earlier one are known.
    pub fn lines_before(&self, text: &[u8], at: usize, (earlier, lines_earlier): (usize, u64)) -> u64 {
        let (skipped, lines_skipped) = self.skipped;
        let mark = (at + skipped) / MARK_BYTES;
        let known = mark.checked_sub(1).and_then(|last| self.marks.get(last)?.checked_sub(lines_skipped));
        let (from, known) =
            known.zip((mark * MARK_BYTES).checked_sub(skipped)).map_or((0, 0), |(known, from)| (from, known));
        let (from, known) = if from < earlier && earlier <= at { (earlier, lines_earlier) } else { (from, known) };
        known + memchr_iter(b'\n', text.get(from..at).unwrap_or_default()).count() as u64
    }
}

/// A prepared search for some needles.
#[derive(Debug)]
pub struct Search {
    /// By place in the window and low four bits: the groups that have such a byte there.
    tables: [[u8; 16]; WINDOW],
    groups: [Vec<Needle>; GROUPS],
    /// Groups with a needle shorter than the window: whatever byte is last there will do, also one of no table.
    short: u8,
    /// For machines without the instructions, and for needles without a window.
    words: Words,
    is_vectorised: bool,
}

#[derive(Debug)]
struct Needle {
    bytes: Vec<u8>,
    /// Where its window begins.
    window: usize,
    /// The first bytes of the window, which are compared first.
    key: [u8; 4],
}

impl Search {
    /// Prepares the search for these needles.
    pub fn new(needles: &[&[u8]]) -> Self {
        let mut search = Self {
            tables: [[0; 16]; WINDOW],
            groups: std::array::from_fn(|_| Vec::new()),
            short: 0,
            words: Words::new(needles.iter().copied()),
            is_vectorised: true,
        };
        for needle in needles {
            search.is_vectorised &= search.add(needle).is_some();
        }
        search
    }

    fn add(&mut self, bytes: &[u8]) -> Option<()> {
        let (window, group) = window(bytes)?;
        let bit = 1 << group;
        for (place, table) in self.tables.iter_mut().enumerate() {
            match bytes.get(window + place) {
                Some(byte) => *table.get_mut(usize::from(byte & 15))? |= bit,
                None => self.short |= bit,
            }
        }
        let key = *bytes.get(window..)?.first_chunk()?;
        self.groups.get_mut(group)?.push(Needle { bytes: bytes.to_vec(), window, key });
        Some(())
    }

    /// Where needles begin in a text, ascending: for short texts, of which the lines do not matter.
    pub fn starts(&self, text: &[u8]) -> Vec<usize> {
        let mut hits = Hits::default();
        #[cfg(target_arch = "x86_64")]
        if self.is_vectorised
            && let Some(simd) = V3::try_new()
        {
            simd.vectorize(
                #[inline(always)]
                || self.pass_padded(simd, text, &mut hits),
            );
            hits.starts.sort_unstable();
            hits.starts.dedup();
            return hits.starts;
        }
        self.search(text, &mut hits);
        hits.starts
    }

    /// The whole text: what fills no vector is looked at with zeros behind it, which no needle holds.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn pass_padded(&self, simd: V3, text: &[u8], hits: &mut Hits) {
        /// A needle whose window fills a vector no more may begin so far before.
        const BEFORE: usize = 64;
        let done = self.pass(simd, text, hits);
        let from = done.saturating_sub(BEFORE);
        let rest = text.get(from..).unwrap_or_default();
        let mut padded = [0; BEFORE + 2 * (STEP + 8)];
        let Some(start) = padded.get_mut(..rest.len()) else { return };
        start.copy_from_slice(rest);
        let known = hits.starts.len();
        self.pass(simd, &padded, hits);
        hits.starts.iter_mut().skip(known).for_each(|start| *start += from);
    }

    /// Searches a whole block; what `hits` held before is forgotten.
    pub fn search(&self, text: &[u8], hits: &mut Hits) {
        hits.starts.clear();
        hits.marks.clear();
        hits.marks.reserve(text.len() / MARK_BYTES);
        hits.skipped = (0, 0);
        #[cfg(target_arch = "x86_64")]
        if self.is_vectorised
            && let Some(simd) = V3::try_new()
        {
            let done = simd.vectorize(
                #[inline(always)]
                || self.pass(simd, text, hits),
            );
            self.rest(text, done, hits);
            hits.starts.sort_unstable();
            hits.starts.dedup();
            return;
        }
        hits.lines = 0;
        for part in text.chunks(MARK_BYTES) {
            hits.lines += memchr_iter(b'\n', part).count() as u64;
            if part.len() == MARK_BYTES {
                hits.marks.push(hits.lines);
            }
        }
        let mut from = 0;
        while let Some((start, _, _)) = self.words.next(text, from) {
            hits.starts.push(start);
            from = start + 1;
        }
    }

    /// The part that fills whole vectors; gives where it ends.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn pass(&self, simd: V3, text: &[u8], hits: &mut Hits) -> usize {
        use std::arch::x86_64::__m256i;
        let avx = simd.avx2;
        let tables: [__m256i; WINDOW] = self.tables.map(|table| pulp::cast([table; 2]));
        let (newline, zero): (__m256i, __m256i) = (pulp::cast([b'\n'; 32]), pulp::cast([0_u8; 32]));
        let short: __m256i = pulp::cast([self.short; 32]);
        let [t0, t1, t2, t3, t4] = tables;
        let (mut lines, mut at, mut steps) = (0_u64, 0, 0);
        // Compared outside of the loop: a call within it would move all tables out of their registers.
        let mut places = [(0, [zero; 2]); NOTED];
        let load = |bytes: &[u8; STEP + 8], from: usize| -> __m256i {
            let chunk = bytes.get(from..).and_then(|rest| rest.first_chunk::<32>());
            pulp::cast(*chunk.unwrap_or(&[0; 32]))
        };
        loop {
            let (mut breaks, mut noted) = (zero, 0);
            while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<{ STEP + 8 }>()) {
                let mut found = [zero; 2];
                for (half, found) in found.iter_mut().enumerate() {
                    let from = half * 32;
                    let first = load(bytes, from);
                    breaks = avx._mm256_sub_epi8(breaks, avx._mm256_cmpeq_epi8(first, newline));
                    let mut groups = avx._mm256_shuffle_epi8(t0, first);
                    groups = avx._mm256_and_si256(groups, avx._mm256_shuffle_epi8(t1, load(bytes, from + 1)));
                    groups = avx._mm256_and_si256(groups, avx._mm256_shuffle_epi8(t2, load(bytes, from + 2)));
                    groups = avx._mm256_and_si256(groups, avx._mm256_shuffle_epi8(t3, load(bytes, from + 3)));
                    let last = avx._mm256_or_si256(short, avx._mm256_shuffle_epi8(t4, load(bytes, from + 4)));
                    *found = avx._mm256_and_si256(groups, last);
                }
                let [low, high] = found;
                let any = avx._mm256_or_si256(low, high);
                if avx._mm256_movemask_epi8(avx._mm256_cmpeq_epi8(any, zero)) != -1
                    && let Some(place) = places.get_mut(noted)
                {
                    *place = (at, found);
                    noted += 1;
                }
                at += STEP;
                steps += 1;
                if steps == STEPS || noted == NOTED {
                    break;
                }
            }
            for (at, found) in places.iter().take(noted) {
                self.compare(text, *at, pulp::cast(*found), hits);
            }
            let sums: [u64; 4] = pulp::cast(avx._mm256_sad_epu8(breaks, zero));
            lines += sums.iter().sum::<u64>();
            if steps == STEPS {
                hits.marks.push(lines);
                steps = 0;
            } else if noted < NOTED {
                hits.lines = lines;
                return at;
            }
        }
    }

    /// Compares where windows may begin.
    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, found: [u64; 8], hits: &mut Hits) {
        for (word, mut bits) in found.into_iter().enumerate() {
            while bits != 0 {
                let byte = bits.trailing_zeros() / 8;
                let groups = (bits >> (byte * 8)) & 0xff;
                bits &= !(0xff << (byte * 8));
                self.compare_at(text, at + word * 8 + byte as usize, groups, hits);
            }
        }
    }

    fn compare_at(&self, text: &[u8], at: usize, mut groups: u64, hits: &mut Hits) {
        let Some(key) = text.get(at..).and_then(|rest| rest.first_chunk::<4>()) else { return };
        while groups != 0 {
            let group = groups.trailing_zeros() as usize;
            groups &= groups - 1;
            for needle in self.groups.get(group).into_iter().flatten() {
                if needle.key == *key
                    && let Some(start) = at.checked_sub(needle.window)
                    && text.get(start..).is_some_and(|rest| rest.starts_with(&needle.bytes))
                {
                    hits.starts.push(start);
                }
            }
        }
    }

    /// The last bytes, which fill no vector.
    #[cfg(target_arch = "x86_64")]
    fn rest(&self, text: &[u8], from: usize, hits: &mut Hits) {
        let rest = text.get(from..).unwrap_or_default();
        // The vectors end a few bytes early, so that these may reach the next mark.
        let (head, tail) = rest.split_at((MARK_BYTES - from % MARK_BYTES).min(rest.len()));
        hits.lines += memchr_iter(b'\n', head).count() as u64;
        if from % MARK_BYTES + head.len() == MARK_BYTES {
            hits.marks.push(hits.lines);
        }
        hits.lines += memchr_iter(b'\n', tail).count() as u64;
        for place in 0..rest.len() {
            let window = rest.get(place..).unwrap_or_default();
            let mut groups = 0xff;
            for (at, (table, byte)) in self.tables.iter().zip(window).enumerate() {
                let found = table.get(usize::from(byte & 15)).copied().unwrap_or_default();
                groups &= if at + 1 == WINDOW { found | self.short } else { found };
            }
            self.compare_at(text, from + place, u64::from(groups), hits);
        }
    }
}

/// Where the window of a needle begins, and its group.
fn window(needle: &[u8]) -> Option<(usize, usize)> {
    if needle.iter().all(u8::is_ascii_digit) && (4..=WINDOW).contains(&needle.len()) {
        // Numbers that begin alike, so that few others pass the lookups.
        let group = match needle {
            [b'2', ..] => 0,
            [b'3', ..] => 1,
            [b'5', b'1', b'1', ..] => 2,
            [b'5', b'1', ..] => 3,
            [b'5', ..] => 4,
            _ => 5,
        };
        return Some((0, group));
    }
    if TOKEN_STARTS.contains(&needle) {
        return Some((0, 7));
    }
    WINDOWS.iter().find_map(|(window, group)| Some((memchr::memmem::find(needle, *window)?, *group)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::code::{CODES, TEXT_NEEDLES};

    fn needles() -> Vec<String> {
        let codes = CODES.iter().filter(|code| code.counts).map(|code| code.number.to_string());
        let starts = TOKEN_STARTS.iter().map(|start| String::from_utf8_lossy(start).into_owned());
        codes.chain(TEXT_NEEDLES.iter().map(|text| (*text).to_owned())).chain(starts).collect()
    }

    fn search(needles: &[String]) -> Search {
        Search::new(&needles.iter().map(String::as_bytes).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(text: &[u8]) {
        let needles = needles();
        // At every place: a needle may overlap itself, as in 510051005.
        let begins = |at: &usize| needles.iter().any(|needle| text[*at..].starts_with(needle.as_bytes()));
        let starts: Vec<usize> = (0..text.len()).filter(begins).collect();
        let lines = text.split(|byte| *byte == b'\n').count() as u64 - 1;
        let marks: Vec<u64> = (1..=text.len() / MARK_BYTES)
            .map(|mark| memchr_iter(b'\n', &text[..mark * MARK_BYTES]).count() as u64)
            .collect();
        let mut hits = Hits { starts: vec![7], lines: 7, marks: vec![7], skipped: (7, 7) };
        let mut search = search(&needles);
        search.search(text, &mut hits);
        let expected = Hits { starts, lines, marks, skipped: (0, 0) };
        assert_eq!(hits, expected);
        assert_eq!(search.starts(text), expected.starts);
        search.is_vectorised = false;
        search.search(text, &mut hits);
        assert_eq!(hits, expected);
        for skipped in [0, 1, MARK_BYTES - 1, MARK_BYTES, MARK_BYTES + 77].into_iter().filter(|at| *at <= text.len()) {
            let (before, part) = text.split_at(skipped);
            let lines_before = memchr_iter(b'\n', before).count() as u64;
            let hits = hits.within(skipped, part.len(), lines_before);
            let count = |to: usize| memchr_iter(b'\n', &part[..to]).count() as u64;
            let places = [0, 1, MARK_BYTES - 1, MARK_BYTES, MARK_BYTES + 1, 3 * MARK_BYTES, part.len()];
            let places = places.map(|at| at.min(part.len()));
            for (at, earlier) in places.into_iter().flat_map(|at| places.map(|earlier| (at, earlier))) {
                let found = hits.lines_before(part, at, (earlier, count(earlier)));
                assert_eq!(found, count(at), "{skipped} {at} {earlier}");
            }
            let behind: Vec<usize> = std::iter::once(0).chain(memchr_iter(b'\n', part).map(|at| at + 1)).collect();
            let every = behind.len() / 50 + 1;
            for (breaks, expected) in (0..).zip(&behind).step_by(every) {
                assert_eq!(hits.behind_breaks(part, breaks), Some(*expected), "{skipped} {breaks}");
            }
            assert_eq!(hits.behind_breaks(part, behind.len() as u64), None);
        }
    }

    #[test]
    fn every_needle_of_the_detection_has_a_window() {
        let all = needles();
        assert!(search(&all).is_vectorised);
        assert!(!search(&["seldom seen".to_owned()]).is_vectorised);
    }

    #[test]
    fn a_needle_is_found_at_every_place_of_a_block() {
        for needle in needles() {
            for before in 0..150 {
                check([&vec![b'2'; before], needle.as_bytes()].concat().as_slice());
                check([&vec![b'\n'; before], needle.as_bytes(), &vec![b'5'; 150 - before]].concat().as_slice());
            }
        }
    }

    #[test]
    fn a_short_needle_is_found_before_any_byte() {
        for after in 0..=255 {
            check(&[b"code: 9221".as_slice(), &[after; 100]].concat());
        }
    }

    #[test]
    fn needles_that_overlap_are_found() {
        for code in needles().iter().filter(|needle| needle.len() == WINDOW) {
            for again in 1..WINDOW {
                // 51005 and 1005 share a digit.
                check([&[b'.'; 40], code.as_bytes(), &code.as_bytes()[again..], &[b'.'; 60]].concat().as_slice());
            }
        }
        check(b"510051005");
    }

    #[test]
    fn many_line_breaks_are_counted() {
        for length in [0, 1, 71, 72, 8127, 8128, 8200, 16_256, 70_000] {
            check(&vec![b'\n'; length]);
        }
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let needles = needles();
        prop_oneof![
            (0..needles.len(), 0..12_usize, 0..12_usize).prop_map(move |(which, from, cut)| {
                let needle = needles[which].as_bytes();
                // A whole one, or a part of one.
                let to = needle.len().saturating_sub(cut.saturating_sub(6));
                needle[from.saturating_sub(6).min(to)..to].to_vec()
            }),
            prop::collection::vec(any::<u8>(), 0..90),
            "[0-9 ]{0,40}".prop_map(String::into_bytes),
            "\n{0,3}".prop_map(String::into_bytes),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_missed_and_nothing_made_up(pieces in prop::collection::vec(piece(), 0..30)) {
            check(&pieces.concat());
        }
    }
}
