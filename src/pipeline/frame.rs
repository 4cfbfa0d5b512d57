//! Objects over several lines behind a prefix that no envelope is known by: whoever prints lines of several writers puts
//! the same before each, alike but for its digits.
//!
//! That what stands behind is a member of an object shows only beside the line that opens it: two columns of a log look the
//! same.

use memchr::memchr2_iter;

use crate::envelope::continues_object;

/// Prefixes are looked at up to here, in bytes.
const PREFIX_BYTES_MAX: usize = 240;
/// Shorter ones are none, in bytes.
const PREFIX_BYTES_LEAST: usize = 3;
/// So many places in a line are tried where a prefix may end.
const PLACES_MAX: usize = 4;

/// Where white space begins behind which may stand a member of an object.
pub(super) fn places(text: &[u8]) -> impl Iterator<Item = usize> {
    let begins = |at: &usize| {
        let is_wide = text.get(*at) == Some(&b'\t') || is_blank(text, at + 1);
        is_wide && *at >= PREFIX_BYTES_LEAST && !is_blank(text, at - 1) && text.get(*at..).is_some_and(continues_object)
    };
    memchr2_iter(b' ', b'\t', text.get(..PREFIX_BYTES_MAX).unwrap_or(text)).filter(begins).take(PLACES_MAX)
}

fn is_blank(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b' ' | b'\t'))
}

/// Both begin alike up to a place, but for digits.
pub(super) fn is_alike(a: &[u8], b: &[u8], to: usize) -> bool {
    a.get(..to).zip(b.get(..to)).is_some_and(|(a, b)| a.iter().zip(b).all(|(a, b)| is_same(*a, *b)))
}

fn is_same(a: u8, b: u8) -> bool {
    a == b || (a.is_ascii_digit() && b.is_ascii_digit())
}

/// Where what was put before them ends in a line, if the white space before a member in a line that is alike begins at
/// `place`; nothing if it continues another as well.
pub(super) fn end(text: &[u8], place: usize) -> Option<usize> {
    let end = place + usize::from(is_blank(text, place));
    (end < text.len() && !is_blank(text, end)).then_some(end)
}

/// Where what was put before both ends, if the second line continues the first.
pub(super) fn between(first: &[u8], next: &[u8]) -> Option<usize> {
    let same = first.iter().zip(next).take(PREFIX_BYTES_MAX).take_while(|(a, b)| is_same(**a, **b)).count();
    let begins = same < first.len() && !is_blank(first, same);
    let is_end = same.checked_sub(1).and_then(|at| next.get(at)).is_some_and(|byte| !byte.is_ascii_alphanumeric());
    let goes_on = next.get(same..).is_some_and(continues_object);
    (same >= PREFIX_BYTES_LEAST && begins && is_end && goes_on).then_some(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefix: [&str; 2], first: &str, next: &str, expected: bool) {
        let [first, next] = [format!("{}{first}", prefix[0]), format!("{}{next}", prefix[1])];
        let found = between(first.as_bytes(), next.as_bytes());
        assert_eq!(found, expected.then_some(prefix[0].len()), "{first} / {next}");
        let place = places(next.as_bytes()).find_map(|place| end(first.as_bytes(), place));
        if next.ends_with(':') {
            assert_eq!(place, found, "{first} / {next}");
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_found() {
        for prefix in [
            ["[web-7d9f8b6c5-x2x9z chat] "; 2],
            ["2026-11-28T20:08:20+00:00 {app=\"chat\"} ", "2026-11-28T20:08:21+00:00 {app=\"chat\"} "],
            ["11-28 20:08:20.299  4321  4388 I ReactNativeJS: "; 2],
            ["2026-11-28T20:08:20.300Z app[148ed127] fra [info]"; 2],
            ["prod chat \u{203a} "; 2],
        ] {
            check(prefix, "APP failed {", "  code:", true);
            check(prefix, "APP failed {", "}", true);
            check(prefix, "Error: x", "    at f (a.js:1:2)", true);
            check(prefix, "APP failed {", "failed", false);
        }
    }

    #[test]
    fn columns_are_no_prefix() {
        check(["2026-03-01 10:00:00 ", "2026-03-01 10:00:01 "], "WARN  a: b {", "INFO  c: d", false);
        check(["", ""], "INFO  a: b {", "INFO  c: d", false);
        check(["", ""], "failed {", "  code: 1", false);
    }
}
