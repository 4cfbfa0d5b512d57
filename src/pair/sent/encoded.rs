//! A token in a text that was percent-encoded as a whole, as the body of a form or a redirect in a log is:
//! `body=%7B%22token%22%3A%22eyJ…%22%7D`. The encoding is that of the log, not of what was sent.

use crate::percent::hex_byte;

/// How often a text is encoded at the most.
const LEVEL_MAX: usize = 3;

/// How often a text was encoded that ends right before a token: its last byte is the escape of one that is no part of a
/// token. 0 if it is none.
pub(super) fn level(before: &[u8]) -> usize {
    let Some((mut head, [high, low])) = before.split_last_chunk::<2>() else { return 0 };
    if hex_byte([*high, *low]).is_none_or(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return 0;
    }
    for level in 1..=LEVEL_MAX {
        if head.ends_with(b"%") {
            return level;
        }
        let Some(shorter) = head.strip_suffix(b"25") else { return 0 };
        head = shorter;
    }
    0
}

/// The token with which a text begins that was encoded so often, and how many bytes of the text it takes.
pub(super) fn value(text: &[u8], level: usize, is_part: impl Fn(u8) -> bool) -> (Vec<u8>, usize) {
    let (mut raw, mut rest) = (Vec::new(), text);
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, behind) = escaped(rest, level).unwrap_or((first, tail));
        // A plus sign stands for a space.
        if !is_part(byte) || first == b'+' {
            break;
        }
        raw.push(byte);
        rest = behind;
    }
    (raw, text.len() - rest.len())
}

/// The byte whose escape begins a text, and what follows: `%22` at the first level, `%2522` at the second.
fn escaped(text: &[u8], level: usize) -> Option<(u8, &[u8])> {
    let mut rest = text.strip_prefix(b"%")?;
    for _ in 1..level {
        rest = rest.strip_prefix(b"25")?;
    }
    let ([high, low], rest) = rest.split_first_chunk::<2>()?;
    Some((hex_byte([*high, *low])?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_an_encoding_is_told_by_what_stands_before() {
        for (before, expected) in [
            ("%22", 1),
            ("a%3D", 1),
            ("%2522", 2),
            ("%252522", 3),
            ("%25252522", 0),
            ("%41", 0),
            ("22", 0),
            ("x", 0),
            ("", 0),
        ] {
            assert_eq!(level(before.as_bytes()), expected, "{before}");
        }
    }

    #[test]
    fn what_is_encoded_ends_where_no_token_goes_on() {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+/%".contains(&byte);
        for (text, level, expected) in [
            ("eyJ.a%2Eb%22%7D", 1, "eyJ.a.b"),
            ("eyJ.a.b+c", 1, "eyJ.a.b"),
            ("eyJ.a%2Bb", 1, "eyJ.a+b"),
            ("eyJ.a%252Eb%2522", 2, "eyJ.a.b"),
            ("eyJ.a%252Eb%22", 1, "eyJ.a%2Eb"),
            ("eyJ.a", 1, "eyJ.a"),
        ] {
            let (raw, length) = value(text.as_bytes(), level, is_part);
            assert_eq!(String::from_utf8_lossy(&raw), expected, "{text}");
            assert!(length <= text.len());
        }
    }
}
