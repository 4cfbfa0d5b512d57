//! What a logger writes behind a token that it has cut, or over a part of it.

use memchr::memmem;

use crate::token::{self, Ending};

/// What begins behind a token that was cut.
const MARKERS: [&[u8]; 13] = [
    b"[trunc",
    b"(trunc",
    b"<trunc",
    b" [trunc",
    b" (trunc",
    b" <trunc",
    b"<snip",
    b"(snip",
    b"[snip",
    b" ...",
    b" [...",
    b" (...",
    " …".as_bytes(),
];

/// An ellipsis, as texts, JSON in ASCII and HTML have it.
const ELLIPSES: [&[u8]; 6] = [b"...", "…".as_bytes(), br"\u2026", b"&hellip;", b"&#8230;", b"&#x2026;"];

/// Longest mask in brackets, in bytes.
const BYTES_MAX: usize = 64;

/// Takes an ellipsis off the end, or notices a marker that follows: the logger cut the token.
pub(super) fn with_marker(mut raw: Vec<u8>, ending: Ending, after: &[u8]) -> (Vec<u8>, Ending) {
    if ELLIPSES.iter().chain(&MARKERS).any(|marker| after.starts_with(marker)) {
        return cut(raw);
    }
    // What is in brackets behind a part of it, the beginning of which may have been taken for more of it.
    if let Some((open, rest)) = in_brackets(&raw, after) {
        let says_length = [b"more".as_slice(), b"...", "…".as_bytes()];
        let begun = raw.get(open..).unwrap_or_default();
        if says_length.iter().any(|word| [begun, rest].iter().any(|part| memmem::find(part, word).is_some())) {
            raw.truncate(open);
            return cut(raw);
        }
        raw.extend_from_slice(rest);
    }
    if without_ellipsis(&raw).is_some() {
        return cut(raw);
    }
    // the full stop of a sentence
    if raw.ends_with(b".") && memchr::memchr_iter(b'.', &raw).count() == 3 {
        raw.pop();
    }
    (raw, ending)
}

/// What is left in front of a mark.
fn cut(mut raw: Vec<u8>) -> (Vec<u8>, Ending) {
    while let Some(kept) = without_ellipsis(&raw).or_else(|| raw.strip_suffix(b".")).map(<[u8]>::len) {
        raw.truncate(kept);
    }
    (raw, Ending::Cut)
}

fn without_ellipsis(text: &[u8]) -> Option<&[u8]> {
    ELLIPSES.iter().find_map(|ellipsis| text.strip_suffix(*ellipsis))
}

/// A mask in brackets: where it begins in what was taken for the token, and the rest of it.
fn in_brackets<'a>(raw: &[u8], after: &'a [u8]) -> Option<(usize, &'a [u8])> {
    let near = |byte: &u8| b"[(<{".contains(byte);
    let from = raw.len().saturating_sub(BYTES_MAX);
    let tail = raw.get(from..)?;
    // Of most tokens none of these bytes is an opening bracket; without a branch a byte this is seen at once.
    let is_opened = tail.iter().fold(false, |any, byte| any | matches!(byte, b'[' | b'(' | b'<' | b'{'));
    let open = match is_opened.then(|| tail.iter().rposition(near)).flatten() {
        Some(open) => from + open,
        None if after.first().is_some_and(near) => raw.len(),
        None => return None,
    };
    let close = after.iter().take(BYTES_MAX).position(|byte| b"])>}".contains(byte))?;
    let rest = after.get(..=close)?;
    token::is_mask(&[raw.get(open..)?, rest].concat()).then_some((open, rest))
}
