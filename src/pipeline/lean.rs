//! A text with most of its tokens left out: a line is mostly token, and nothing but the token itself is told by it.
//!
//! What is left of a token keeps its place: it begins as one, and it is longer than any word that is looked at. Words of
//! SDKs that stand in its base64url by chance are no words of the line, so leaving it out is also more right.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

use crate::token::run;

/// Shorter tokens stay as they are, in bytes.
const TOKEN_BYTES_LEAST: usize = 192;
/// So much is kept of a token's beginning.
const KEPT_HEAD: usize = 32;
/// So much is kept of a token's end.
const KEPT_TAIL: usize = 64;

/// The text without the middle of its tokens.
pub(super) fn without_tokens(text: &[u8]) -> Cow<'_, [u8]> {
    static JWT_START: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"eyJ"));
    let (mut kept, mut done, mut from) = (Vec::new(), 0, 0);
    while let Some(at) = text.get(from..).and_then(|rest| JWT_START.find(rest)) {
        let start = from + at;
        let length = run(text.get(start..).unwrap_or_default());
        from = start + length.max(1);
        if length >= TOKEN_BYTES_LEAST {
            if done == 0 {
                kept.reserve(text.len() - length + KEPT_HEAD + KEPT_TAIL);
            }
            kept.extend_from_slice(text.get(done..start + KEPT_HEAD).unwrap_or_default());
            done = start + length - KEPT_TAIL;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    kept.extend_from_slice(text.get(done..).unwrap_or_default());
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let text = text.replace("MIDDLE", &"TVOerror51007".repeat(40));
        assert_eq!(String::from_utf8_lossy(&without_tokens(text.as_bytes())), expected);
    }

    #[test]
    fn the_middle_of_tokens_is_left_out() {
        let (head, tail) = (format!("eyJ{}", "a".repeat(29)), "z".repeat(64));
        check(&format!("x {head}MIDDLE{tail} y"), &format!("x {head}{tail} y"));
        check(&format!("{head}MIDDLE{tail}"), &format!("{head}{tail}"));
        check(&format!("a={head}MIDDLE{tail}&b={head}MIDDLE{tail}\""), &format!("a={head}{tail}&b={head}{tail}\""));
        check(&format!("x {head}.{tail} y"), &format!("x {head}.{tail} y"));
    }

    #[test]
    fn a_text_without_a_token_is_not_copied() {
        for text in ["", "eyJ", "no token", "eyJhbGciOiJIUzI1NiJ9.x.y eyJ"] {
            assert!(matches!(without_tokens(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
    }
}
