//! Where the strings of JSON end: for 64 bytes of a text at once, so that a text with many strings is gone through once.

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// Bytes whose kinds are the bits of one word.
const BLOCK: usize = 64;

/// Bytes of these kinds in a block, each as the bit of its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kinds {
    quotes: u64,
    escapes: u64,
    controls: u64,
}

/// The quotes and backslashes of a text, in order.
#[derive(Clone, Copy, Debug)]
pub struct Quotes<'a> {
    text: &'a [u8],
    /// The block that was looked at last, and what it holds.
    block: usize,
    found: Kinds,
}

impl<'a> Quotes<'a> {
    /// Those of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, block: 0, found: kinds_at(text, 0) }
    }

    /// The position of the quote that ends a string whose content starts at `from`.
    pub fn end(&mut self, mut from: usize) -> Option<usize> {
        loop {
            let found = self.next(from, |kinds| kinds.quotes | kinds.escapes)?;
            if self.found.quotes >> (found % BLOCK) & 1 == 1 {
                return Some(found);
            }
            from = found + 2;
        }
    }

    /// The same, if the string has neither escapes nor control characters.
    pub fn plain_end(&mut self, from: usize) -> Option<usize> {
        let found = self.next(from, |kinds| kinds.quotes | kinds.escapes | kinds.controls)?;
        (self.found.quotes >> (found % BLOCK) & 1 == 1).then_some(found)
    }

    fn next(&mut self, from: usize, wanted: impl Fn(&Kinds) -> u64) -> Option<usize> {
        let (mut block, mut behind) = (from / BLOCK, from % BLOCK);
        loop {
            if block != self.block {
                if block * BLOCK >= self.text.len() {
                    return None;
                }
                (self.block, self.found) = (block, kinds_at(self.text, block));
            }
            let left = wanted(&self.found) >> behind;
            if left != 0 {
                return Some(block * BLOCK + behind + left.trailing_zeros() as usize);
            }
            (block, behind) = (block + 1, 0);
        }
    }
}

fn kinds_at(text: &[u8], block: usize) -> Kinds {
    let rest = text.get(block * BLOCK..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return kinds(block);
    }
    let mut last = [b' '; BLOCK];
    if let Some(start) = last.get_mut(..rest.len()) {
        start.copy_from_slice(rest);
    }
    kinds(&last)
}

#[cfg(target_arch = "x86_64")]
fn kinds(block: &[u8; BLOCK]) -> Kinds {
    use std::sync::LazyLock;
    static SIMD: LazyLock<Option<V3>> = LazyLock::new(V3::try_new);
    match *SIMD {
        Some(simd) => simd.vectorize(
            #[inline(always)]
            || kinds_by_vectors(simd, block),
        ),
        None => kinds_by_bytes(block),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn kinds(block: &[u8; BLOCK]) -> Kinds {
    kinds_by_bytes(block)
}

fn kinds_by_bytes(block: &[u8; BLOCK]) -> Kinds {
    let bits = |is: fn(u8) -> bool| (0..).zip(block).fold(0, |bits, (at, byte)| bits | u64::from(is(*byte)) << at);
    Kinds { quotes: bits(|byte| byte == b'"'), escapes: bits(|byte| byte == b'\\'), controls: bits(|byte| byte < b' ') }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn kinds_by_vectors(simd: V3, block: &[u8; BLOCK]) -> Kinds {
    use std::arch::x86_64::__m256i;
    let avx = simd.avx2;
    let [low, high]: [__m256i; 2] = pulp::cast(*block);
    let [quote, escape, control]: [__m256i; 3] =
        pulp::cast([[b'"'; BLOCK / 2], [b'\\'; BLOCK / 2], [b' ' - 1; BLOCK / 2]]);
    let (low_control, high_control) = (avx._mm256_min_epu8(low, control), avx._mm256_min_epu8(high, control));
    Kinds {
        quotes: bits(simd, avx._mm256_cmpeq_epi8(low, quote), avx._mm256_cmpeq_epi8(high, quote)),
        escapes: bits(simd, avx._mm256_cmpeq_epi8(low, escape), avx._mm256_cmpeq_epi8(high, escape)),
        controls: bits(simd, avx._mm256_cmpeq_epi8(low, low_control), avx._mm256_cmpeq_epi8(high, high_control)),
    }
}

/// The tops of all bytes of two vectors.
#[cfg(target_arch = "x86_64")]
#[expect(clippy::inline_always, reason = "elsewhere these are no vector instructions")]
#[inline(always)]
fn bits(simd: V3, low: std::arch::x86_64::__m256i, high: std::arch::x86_64::__m256i) -> u64 {
    let (low, high) = (simd.avx2._mm256_movemask_epi8(low), simd.avx2._mm256_movemask_epi8(high));
    u64::from(low.cast_unsigned()) | u64::from(high.cast_unsigned()) << (BLOCK / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::sample::select(vec!["\"", "\\", "\\\"", "\n", "\u{1f}", " ", "é"])
                .prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..90),
            "[a-z]{0,90}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_by_blocks_is_what_is_found_byte_by_byte(text in text(), froms in prop::collection::vec(0_usize..700, 1..20)) {
            let mut quotes = Quotes::new(&text);
            for from in froms {
                let unusual = |at: &usize| text[*at] == b'"' || text[*at] == b'\\' || text[*at] < b' ';
                let plain_end = (from..text.len()).find(unusual).filter(|at| text[*at] == b'"');
                prop_assert_eq!(quotes.plain_end(from), plain_end);
                let mut at = from;
                let end = loop {
                    match text.get(at) {
                        None => break None,
                        Some(b'"') => break Some(at),
                        Some(b'\\') => at += 2,
                        Some(_) => at += 1,
                    }
                };
                prop_assert_eq!(quotes.end(from), end);
            }
        }

        #[test]
        fn vectors_find_what_bytes_tell(bytes in prop::collection::vec(any::<u8>(), 64)) {
            let block = bytes.first_chunk().unwrap();
            prop_assert_eq!(kinds(block), kinds_by_bytes(block));
        }
    }
}
