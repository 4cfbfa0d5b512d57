//! The laws that fuzzing holds every input against, for as many inputs as a test has time for: all that fuzzing found
//! before (`tests/data/fuzz`), and lines of real logs, mixed and damaged as a fuzzer does it.
//!
//! The same inputs in every run. `cargo fuzz run` with the same names looks for new ones, led by what they reach.
#![cfg(test)]

#[path = "support/laws.rs"]
mod laws;
#[path = "support/whole.rs"]
mod whole;

use std::path::Path;

/// Logs that are cut; each is also read byte by byte.
const LOGS: u64 = 1_000;
/// Single lines, and texts to mint tokens from.
const LINES: u64 = 20_000;

/// Chance, the same in every run.
struct Chance(u64);

impl Chance {
    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 33).unwrap_or(0) % end.max(1)
    }

    fn of<'a>(&mut self, pool: &'a [Vec<u8>]) -> &'a [u8] {
        pool.get(self.below(pool.len())).map_or(&[], Vec::as_slice)
    }

    /// Some lines, some of them damaged.
    fn log(&mut self, lines: &[Vec<u8>], most: usize) -> Vec<u8> {
        let mut log = Vec::new();
        for _ in 0..=self.below(most) {
            log.extend_from_slice(self.of(lines));
        }
        for _ in 0..self.below(6) {
            self.damage(&mut log, lines);
        }
        log
    }

    fn damage(&mut self, log: &mut Vec<u8>, lines: &[Vec<u8>]) {
        let from = self.below(log.len());
        let length = 1 << self.below(8);
        let to = (from + self.below(length) + 1).min(log.len());
        match self.below(5) {
            0 => drop(log.drain(from..to)),
            1 => {
                let piece = log.get(from..to).unwrap_or_default().to_vec();
                let at = self.below(log.len());
                log.splice(at..at, piece);
            }
            2 => {
                let line = self.of(lines);
                let piece = line.get(..self.below(line.len())).unwrap_or_default().to_vec();
                log.splice(from..from, piece);
            }
            3 => drop(log.splice(from..from, *b"\r\n")),
            _ => {
                let byte = u8::try_from(self.below(256)).unwrap_or_default();
                log.get_mut(from..to).unwrap_or_default().fill(byte);
            }
        }
    }
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    files.filter_map(|entry| std::fs::read(entry.path()).ok()).collect()
}

/// Lines of the captured logs, and those that tell something once more, so that they are met often.
fn lines() -> Vec<Vec<u8>> {
    let files = files("tests/samples");
    let lines =
        files.iter().flat_map(|file| file.split_inclusive(|byte| *byte == b'\n')).filter(|line| line.len() < 2000);
    let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
    lines.sort();
    lines.dedup();
    let has = |line: &[u8], word: &[u8]| memchr::memmem::find(line, word).is_some();
    let telling: Vec<_> = lines.iter().filter(|line| has(line, b"51007") || has(line, b"eyJ")).cloned().collect();
    assert!(telling.len() > 50, "lines with refusals and tokens: {}", telling.len());
    let often = lines.len() / telling.len();
    lines.extend(telling.iter().cycle().take(often * telling.len()).cloned());
    lines
}

#[test]
fn logs_give_the_same_however_they_are_cut() {
    for input in files("tests/data/fuzz/cuts") {
        laws::cuts(&input);
    }
    let (mut chance, lines) = (Chance(1), lines());
    for _ in 0..LOGS {
        let place = [0; 2].map(|_: u8| u8::try_from(chance.below(256)).unwrap_or_default());
        let log = chance.log(&lines, 24);
        laws::cuts(&[&place, log.as_slice()].concat());
    }
}

#[test]
fn no_line_is_too_much() {
    for input in files("tests/data/fuzz/line") {
        laws::line(&input);
    }
    let (mut chance, lines) = (Chance(2), lines());
    (0..LINES).for_each(|_| laws::line(&chance.log(&lines, 1)));
}

#[test]
fn what_was_minted_is_read_back() {
    for input in files("tests/data/fuzz/token") {
        laws::token(&input);
    }
    let (mut chance, lines) = (Chance(3), lines());
    (0..LINES).for_each(|_| laws::token(&chance.log(&lines, 1)));
}
