//! Which of some fixed words a text holds: one pass for all of them.

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, MatchKind, Searcher};

/// A list of words, in order of preference. Made once and kept in a static.
#[derive(Debug)]
pub struct Words {
    packed: Option<Searcher>,
    /// For machines without the instructions that `packed` needs.
    automaton: Option<AhoCorasick>,
}

impl Words {
    /// Prepares the search for these words.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let words: Vec<&[u8]> = words.into_iter().collect();
        let packed = Config::new().match_kind(MatchKind::LeftmostFirst).builder().extend(&words).build();
        let automaton = if packed.is_some() { None } else { AhoCorasick::new(&words).ok() };
        Self { packed, automaton }
    }

    /// Position, end and index of the next word at or after `from`; of words that overlap, the first of the list that
    /// starts there.
    pub fn next(&self, text: &[u8], from: usize) -> Option<(usize, usize, usize)> {
        let rest = text.get(from..)?;
        let found = match &self.packed {
            Some(searcher) => searcher.find(rest)?,
            None => self.automaton.as_ref()?.find(rest)?,
        };
        Some((from + found.start(), from + found.end(), found.pattern().as_usize()))
    }

    /// The first of the list that stands anywhere in the text.
    pub fn first(&self, text: &[u8]) -> Option<usize> {
        let (mut from, mut best) = (0, None::<usize>);
        while let Some((start, _, index)) = self.next(text, from) {
            best = Some(best.map_or(index, |best| best.min(index)));
            from = start + 1;
        }
        best
    }

    /// Whether the text holds any of them.
    pub fn any(&self, text: &[u8]) -> bool {
        self.next(text, 0).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_list_is_found_wherever_it_stands() {
        let words = Words::new([b"special".as_slice(), b"plain", b"cial"]);
        assert_eq!(words.first(b"a plain and a special text"), Some(0));
        assert_eq!(words.first(b"a plain social text"), Some(1));
        assert_eq!(words.first(b"a social text"), Some(2));
        assert_eq!(words.first(b"nothing"), None);
        assert_eq!(words.next(b"xx cial plain", 4), Some((8, 13, 1)));
        assert!(words.any(b"cial") && !words.any(b"cia"));
    }
}
