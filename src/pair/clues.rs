//! Clues to whose a line is: names and numbers in it that a refusal may share with the token's line, whatever the writer
//! calls them.
//!
//! Known ids are compared as what they are ([`crate::envelope::Ids`]). But writers name requests, connections, threads
//! and users in endless ways (`[worker-7]`, `client 2:`, `tabId=x`). Among several tokens near a refusal, one whose line
//! has such a word in common with it, and the lines of the others have not, is a better guess than the nearest.

use std::hash::{DefaultHasher, Hash, Hasher};

/// So much of a line is looked at, in bytes.
const LINE_BYTES: usize = 2 << 10;
/// Of longer words none is a clue: they are tokens.
const WORD_BYTES: usize = 64;
/// Clues of one line at the most.
const CLUES_MAX: usize = 32;
/// Shorter words are clues only together with what stands before them.
const STRONG_BYTES: usize = 4;
/// Shorter numbers are clues only together with what stands before them.
const STRONG_DIGITS: usize = 5;
/// A number of so many digits is a time.
const TIME_DIGITS: usize = 10;

/// Units of what is measured, behind a number.
const UNITS: [&[u8]; 12] = [b"ns", b"us", b"ms", b"s", b"sec", b"m", b"min", b"h", b"b", b"kb", b"mb", b"bytes"];

/// Keys whose values say what kind of line it is, not whose.
const KINDS: [&[u8]; 24] = [
    b"level",
    b"lvl",
    b"severity",
    b"logger",
    b"name",
    b"caller",
    b"file",
    b"msg",
    b"message",
    b"event",
    b"code",
    b"status",
    b"method",
    b"path",
    b"url",
    b"uri",
    b"error",
    b"err",
    b"type",
    b"stream",
    b"ts",
    b"time",
    b"log",
    b"token",
];

/// The clues of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clues(Box<[u64]>);

impl Clues {
    /// Those of some lines, as they are written.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut clues: Vec<u64> = lines
            .into_iter()
            .flat_map(|line| Words { line: line.get(..LINE_BYTES).unwrap_or(line), at: 0, before: (0, 0) })
            .filter_map(|word| word.clue())
            .take(CLUES_MAX)
            .collect();
        clues.sort_unstable();
        clues.dedup();
        Self(clues.into())
    }

    fn has(&self, clue: u64) -> bool {
        self.0.binary_search(&clue).is_ok()
    }

    /// How many clues are shared with one of several, by its place, that another with a different value of `what` has not.
    pub fn score<T: PartialEq>(&self, all: &[(&Self, T)], at: usize) -> usize {
        let Some((own, what)) = all.get(at) else { return 0 };
        let is_special = |clue: &&u64| all.iter().any(|(clues, other)| other != what && !clues.has(**clue));
        self.0.iter().filter(|clue| own.has(**clue)).filter(is_special).count()
    }
}

/// A word of a line.
struct Word<'a> {
    text: &'a [u8],
    /// The word before.
    before: &'a [u8],
    /// What stands between both.
    gap: &'a [u8],
}

impl Word<'_> {
    fn clue(&self) -> Option<u64> {
        if self.text.len() > WORD_BYTES || is_time(self.text) || is_measure(self.text) {
            return None;
        }
        let is_value = matches!(self.gap, b"=" | b"=\"" | b"='" | b":" | b"\":" | b"\":\"" | b"\": \"" | b"\": ");
        if KINDS.iter().any(|kind| is_value && self.before.eq_ignore_ascii_case(kind)) {
            return None;
        }
        let digits = self.text.iter().filter(|byte| byte.is_ascii_digit()).count();
        let is_strong = match self.text.len() {
            length if digits == length => length >= STRONG_DIGITS,
            length => length >= STRONG_BYTES,
        };
        let mut hasher = DefaultHasher::new();
        match digits {
            0 if is_value => (self.before, self.text).hash(&mut hasher),
            0 => return None,
            _ if is_strong => self.text.hash(&mut hasher),
            _ if is_value || self.gap == b" " => (self.before, self.text).hash(&mut hasher),
            _ => (self.gap.last(), self.text).hash(&mut hasher),
        }
        Some(hasher.finish())
    }
}

/// The words of a line.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
    /// Where the word before is.
    before: (usize, usize),
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let is_digit = |at: usize| self.line.get(at).is_some_and(u8::is_ascii_digit);
        let is_within = |at: usize| match self.line.get(at) {
            // Of a time of day, and of a port.
            Some(b':') => at > 0 && is_digit(at - 1) && is_digit(at + 1),
            Some(byte) => byte.is_ascii_alphanumeric() || b"_.-/@+".contains(byte) || *byte >= 0x80,
            None => false,
        };
        let start = (self.at..self.line.len()).find(|at| is_within(*at))?;
        let end = (start..self.line.len()).find(|at| !is_within(*at)).unwrap_or(self.line.len());
        let (from, to) = std::mem::replace(&mut self.before, (start, end));
        self.at = end;
        Some(Word {
            text: self.line.get(start..end)?,
            before: self.line.get(from..to)?,
            gap: self.line.get(to..start)?,
        })
    }
}

/// A date, a time of day, or seconds since 1970.
fn is_time(word: &[u8]) -> bool {
    let digits = |part: &[u8]| part.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_date = digits(word) == 4 && word.get(4).is_some_and(|byte| b"-/".contains(byte));
    // An address with a port has more dots.
    let dots = memchr::memchr_iter(b'.', word).count();
    let is_of_day = word.contains(&b':') && dots < 3;
    is_date || is_of_day || (dots < 2 && digits(word) >= TIME_DIGITS)
}

/// A number with its unit.
fn is_measure(word: &[u8]) -> bool {
    let number = word.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let unit = word.get(number..).unwrap_or_default();
    number > 0 && UNITS.iter().any(|known| unit.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a refusal's line is of the second of two lines with tokens, rather than of the first.
    #[track_caller]
    fn check(lines: [&str; 2], refusal: &str, expected: [bool; 2]) {
        let [first, second] = lines.map(|line| Clues::of([line.as_bytes()]));
        let all = [(&first, 1), (&second, 2)];
        let clues = Clues::of([refusal.as_bytes()]);
        let found = [clues.score(&all, 0) > 0, clues.score(&all, 1) > 0];
        assert_eq!(found, expected, "{refusal}");
    }

    #[test]
    fn what_one_line_alone_shares_is_a_clue() {
        for name in [
            "[http-nio-8080-exec-N]",
            "(default task-N)",
            "(Thread-N)",
            "[N]",
            "client N:",
            "User 10N:",
            "#N",
            "[abcN]",
            "[0xcN]",
            "10.0.0.N",
            "10.0.0.1:5100N",
            "[app,64fN2ab1,77a]",
            "alice N",
            "tabId=xN",
            "\"tabId\":\"N\"",
            "\"tabId\": N",
        ] {
            let line = |number: &str, rest: &str| {
                let name = name.replace('N', number);
                format!("2026-03-01T10:00:0{number}Z {name} {rest}")
            };
            let lines = ["1", "2"].map(|number| line(number, "INFO twilio token eyJhbGciOiJIUzI1NiJ9"));
            let lines = [lines[0].as_str(), lines[1].as_str()];
            check(lines, &line("1", "ERROR error 51007"), [true, false]);
            check(lines, &line("2", "ERROR error 51007"), [false, true]);
            check(lines, &line("3", "ERROR error 51007"), [false, false]);
        }
        check(["user=ann token", "user=bob token"], "refused user=bob code=51007", [false, true]);
    }

    #[test]
    fn what_says_when_or_what_kind_is_no_clue() {
        for (lines, refusal) in [
            (["level=info token", "level=error token"], "level=error code=51007"),
            (["took 12ms", "took 35ms"], "51007 after 35ms"),
            (["at 10:00:01", "at 10:00:02"], "51007 at 10:00:02"),
            (["2026-03-01 a", "2026-03-02 b"], "2026-03-02 51007"),
            (["ts=1772359200.123 a", "ts=1772359201 b"], "ts=1772359201 code=51007"),
            (["{\"time\":1772359200123}", "{\"time\":1772359201123}"], "{\"time\":1772359201123,\"code\":51007}"),
            (["retry 1", "attempt 2"], "51007 on try 2"),
            (["token a", "token b"], "b is refused with 51007"),
        ] {
            check(lines, refusal, [false, false]);
        }
    }

    #[test]
    fn what_all_share_is_no_clue_and_lines_with_one_token_are_not_told_apart() {
        check(["[app-1] a", "[app-1] b"], "[app-1] 51007", [false, false]);
        let (with, without) = (Clues::of([b"[app-1]".as_slice()]), Clues::default());
        assert_eq!(with.score(&[(&with, 1), (&without, 1)], 0), 0);
        assert_eq!(with.score(&[(&with, 1)], 0), 0);
    }

    #[test]
    fn clues_are_bounded() {
        let many = (0..100).map(|number| format!("[id-{number}]")).collect::<Vec<_>>().join(" ");
        assert_eq!(Clues::of([many.as_bytes()]).0.len(), CLUES_MAX);
        let long = "x1".repeat(100);
        assert_eq!(Clues::of([long.as_bytes()]).0.len(), 0);
    }
}
