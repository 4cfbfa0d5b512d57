//! A token that whatever printed it has broken over lines: mail, terminals, base64 tools and YAML wrap what is too long.
//!
//! The pieces are joined only if that gives a whole JWT: header and payload that can be read, and a signature of the
//! right length.

use memchr::{memchr, memchr_iter, memmem};
use zeroize::Zeroizing;

use crate::token::{self, Buffer, Ending, Form, SIGNATURE_CHARS, Sent};

/// Pieces of one token; at 40 columns no token has more.
pub const PIECES_MAX: usize = 64;
/// A last piece that is no shorter, in bytes, is no word that happens to follow.
const LAST_LEAST: usize = 16;

/// The token may go on behind its end: it is a JWT with too little in it.
pub fn may_go_on(raw: &[u8]) -> bool {
    raw.starts_with(b"eyJ")
        && match memchr_iter(b'.', raw).nth(1) {
            Some(dot) => raw.len() - dot <= SIGNATURE_CHARS,
            None => true,
        }
}

/// The part of a line behind which the rest of a token may stand on the next one, if the line ends so: without the break.
fn before_break(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_end();
    // `'…' +` and `'…'` of pretty printers, `\` of shells, `=` of mail
    let line = line.strip_suffix(b"+").map_or(line, <[u8]>::trim_ascii_end);
    let marks = [b"'".as_slice(), b"\"", b"\\", b"="];
    marks.iter().find_map(|mark| line.strip_suffix(*mark)).unwrap_or(line)
}

/// What a line holds of a token that began on an earlier one, and whether the line holds nothing else.
pub fn piece(line: &[u8]) -> Option<(&[u8], bool)> {
    let line = line.trim_ascii_start();
    let line = [b"'".as_slice(), b"\""].iter().find_map(|quote| line.strip_prefix(*quote)).unwrap_or(line);
    let (piece, rest) = line.split_at_checked(token::run(line))?;
    let is_all = before_break(line).len() <= piece.len();
    let ends = rest.first().is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"[(".contains(byte)));
    (!piece.is_empty() && ends).then_some((piece, is_all))
}

/// A line that may be continued ends with the token.
pub fn ends_line(raw: &[u8], line: &[u8]) -> bool {
    let tail = raw.get(raw.len().saturating_sub(LAST_LEAST)..).unwrap_or_default();
    may_go_on(raw) && before_break(line).ends_with(before_break(tail))
}

/// The whole token, if the pieces on the lines behind its beginning in a text make one.
pub(super) fn mended(sent: Sent, text: &[u8]) -> Sent {
    if memchr(b'\n', text).is_none() || !sent.raw.starts_with(b"eyJ") {
        return sent;
    }
    // In quotes, what was read goes on to the closing one.
    let first = sent.raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = before_break(first);
    if !may_go_on(first) {
        return sent;
    }
    match join(first, text) {
        Some(raw) => Sent { raw: Zeroizing::new(raw), ending: Ending::Closed },
        None => sent,
    }
}

fn join(first: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let start = memmem::find(text, first)?;
    let mut lines = text.get(start..)?.split(|byte| *byte == b'\n');
    if before_break(lines.next()?) != first {
        return None;
    }
    let mut raw = first.to_vec();
    for (line, before) in lines.zip(1..PIECES_MAX) {
        let (piece, is_all) = piece(line)?;
        // another token begins
        if piece.starts_with(b"eyJ") && !raw.ends_with(b".") {
            return None;
        }
        raw.extend_from_slice(piece);
        if !may_go_on(&raw) {
            return (is_whole(&raw) && (piece.len() >= LAST_LEAST || before > 1)).then_some(raw);
        }
        if !is_all {
            return None;
        }
    }
    None
}

fn is_whole(raw: &[u8]) -> bool {
    token::read_bytes(raw, Ending::Closed, &mut Buffer::default()).form == Form::Whole
}
