//! Undoes what happens to tokens on their way, so that the signature can prove it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::finding::Change;
use crate::percent;
use crate::token::{SIGNATURE_CHARS, TOKEN_BYTES_MAX};

/// How often a text may have been percent-encoded.
const PERCENT_ROUNDS_MAX: usize = 3;

/// Either alphabet is turned into the standard one before; padding does not matter.
const ANY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What was sent, with changes undone.
pub(super) struct Undone {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) changes: Vec<Change>,
}

/// Every reading of a text in which at least one change is undone; at most two.
pub(super) fn undo(raw: &[u8]) -> Vec<Undone> {
    if raw.len() > TOKEN_BYTES_MAX {
        return Vec::new();
    }
    let mut readings = vec![undo_all(raw, remove_white_space)];
    // A form decoder makes spaces of the `+` of standard base64.
    if raw.trim_ascii().contains(&b' ') {
        readings.push(undo_all(raw, spaces_to_plus));
    }
    readings.retain(|undone| !undone.changes.is_empty());
    readings
}

type Step = fn(&[u8]) -> Option<Vec<u8>>;

fn undo_all(raw: &[u8], white_space: Step) -> Undone {
    let steps: [(Change, Step); 8] = [
        (Change::PercentEncoded, decode_percent),
        (Change::Base64Encoded, decode_base64),
        (Change::AddedText, cut_off),
        (Change::WhiteSpace, white_space),
        (Change::StandardAlphabet, restore_alphabet),
        (Change::Padding, remove_padding),
        (Change::DoubledDots, single_dots),
        (Change::AddedText, cut_out),
    ];
    let mut undone = Undone { bytes: Zeroizing::new(raw.to_vec()), changes: Vec::new() };
    for (change, step) in steps {
        if let Some(bytes) = step(&undone.bytes) {
            undone.bytes = Zeroizing::new(bytes);
            if !undone.changes.contains(&change) {
                undone.changes.push(change);
            }
        }
    }
    undone
}

fn decode_percent(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = percent::decode(text)?;
    for _ in 1..PERCENT_ROUNDS_MAX {
        let Some(again) = percent::decode(&decoded) else { break };
        decoded = again;
    }
    Some(decoded)
}

/// `ZXlK` is `eyJ` in base64.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    if !text.starts_with(b"ZXlK") || text.contains(&b'.') {
        return None;
    }
    let standard: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    ANY_BASE64.decode(standard).ok()
}

/// White space, escapes of line breaks and slashes, and characters of no width.
fn remove_white_space(text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let kept = text.replace("\\r", "").replace("\\n", "");
    let is_invisible = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\\' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
    };
    let kept: String = kept.chars().filter(|c| !is_invisible(*c)).collect();
    (kept != text).then(|| kept.into_bytes())
}

fn spaces_to_plus(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    text.contains(&b' ').then(|| text.iter().map(|byte| if *byte == b' ' { b'+' } else { *byte }).collect())
}

fn restore_alphabet(text: &[u8]) -> Option<Vec<u8>> {
    let restored: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    (restored != text).then_some(restored)
}

fn remove_padding(text: &[u8]) -> Option<Vec<u8>> {
    // Padding stands at the end of a part, any other `=` is part of added text, such as `token=`.
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (before, run) = rest.split_at_checked(at)?;
        let length = run.iter().take_while(|byte| **byte == b'=').count();
        let (run, behind) = run.split_at_checked(length)?;
        kept.extend_from_slice(before);
        if behind.first().is_some_and(|byte| *byte != b'.') {
            kept.extend_from_slice(run);
        }
        rest = behind;
    }
    kept.extend_from_slice(rest);
    (kept.len() != text.len()).then_some(kept)
}

fn single_dots(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(text, b"..")?;
    let mut kept = text.to_vec();
    kept.dedup_by(|next, before| *next == b'.' && *before == b'.');
    Some(kept)
}

/// What begins with `eyJ`, behind some text.
fn cut_off(text: &[u8]) -> Option<Vec<u8>> {
    let (added, token) = text.split_at_checked(memchr::memmem::find(text, b"eyJ")?)?;
    (!added.trim_ascii().is_empty() && !added.starts_with(b"ey")).then(|| token.to_vec())
}

/// The three parts, from the first `eyJ` to the 43rd character of the signature.
fn cut_out(text: &[u8]) -> Option<Vec<u8>> {
    let from = if text.starts_with(b"ey") { 0 } else { memchr::memmem::find(text, b"eyJ")? };
    let token = text.get(from..)?;
    let second_dot = memchr::memchr_iter(b'.', token).nth(1)?;
    let end = (second_dot + 1 + SIGNATURE_CHARS).min(token.len());
    let token = token.get(..end)?;
    (token.len() != text.len()).then(|| token.to_vec())
}
