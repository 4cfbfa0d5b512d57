//! A token that whatever printed it has broken over lines: mail, terminals, base64 tools and YAML wrap what is too long.
//!
//! The pieces are joined only if that gives a whole JWT: header and payload that can be read, and a signature of the
//! right length.

use memchr::{memchr, memchr_iter, memmem};
use zeroize::Zeroizing;

use crate::token::{self, Buffer, Ending, Form, SIGNATURE_CHARS, Sent, TOKEN_BYTES_MAX};

/// Pieces of one token; at 40 columns no token has more.
const PIECES_MAX: usize = 64;
/// A last piece that is no shorter, in bytes, is no word that happens to follow.
const LAST_LEAST: usize = 16;

/// The token may go on behind its end: it is a JWT with too little in it.
fn may_go_on(raw: &[u8]) -> bool {
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
fn piece(line: &[u8]) -> Option<(&[u8], bool)> {
    let line = line.trim_ascii_start();
    let line = [b"'".as_slice(), b"\""].iter().find_map(|quote| line.strip_prefix(*quote)).unwrap_or(line);
    let (piece, rest) = line.split_at_checked(token::run(line))?;
    let is_all = before_break(line).len() <= piece.len();
    let ends = rest.first().is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"[(".contains(byte)));
    (!piece.is_empty() && ends).then_some((piece, is_all))
}

/// What lines make of a token.
#[derive(Debug)]
pub enum Next {
    /// A beginning.
    More(Beginning),
    /// All of it.
    Whole(Sent),
    /// Nothing: one is no piece, or the pieces are no token.
    Nothing,
}

impl Next {
    /// What lines that make this come to with one more.
    #[must_use]
    pub fn and(self, line: &[u8]) -> Self {
        match self {
            Self::More(beginning) => beginning.take(line),
            Self::Whole(_) | Self::Nothing => self,
        }
    }
}

/// A token of which only the beginning has been seen. Each line is looked at once, however many there are, and no more is
/// kept than a token may have.
#[derive(Debug)]
pub struct Beginning {
    raw: Zeroizing<Vec<u8>>,
    pieces: usize,
}

impl Beginning {
    /// The token of a text, if the text ends within it, or the whole, if the text has all of it.
    fn of(sent: &Sent, text: &[u8]) -> Option<Next> {
        // In quotes, what was read goes on to the closing one.
        let first = before_break(sent.raw.get(..memchr(b'\n', &sent.raw).unwrap_or(sent.raw.len()))?);
        if !may_go_on(first) {
            return None;
        }
        let mut lines = text.get(memmem::find(text, first)?..)?.split(|byte| *byte == b'\n');
        if before_break(lines.next()?) != first {
            return None;
        }
        let beginning = Self { raw: Zeroizing::new(first.to_vec()), pieces: 1 };
        Some(lines.fold(Next::More(beginning), Next::and))
    }

    fn take(mut self, line: &[u8]) -> Next {
        let Some((piece, is_all)) = piece(line) else { return Next::Nothing };
        let is_another = piece.starts_with(b"eyJ") && !self.raw.ends_with(b".");
        self.pieces += 1;
        if is_another || self.pieces > PIECES_MAX || self.raw.len() + piece.len() > TOKEN_BYTES_MAX {
            return Next::Nothing;
        }
        self.raw.extend_from_slice(piece);
        if may_go_on(&self.raw) {
            return if is_all { Next::More(self) } else { Next::Nothing };
        }
        if is_whole(&self.raw) && (piece.len() >= LAST_LEAST || self.pieces > 2) {
            return Next::Whole(Sent { raw: self.raw, ending: Ending::Closed });
        }
        Next::Nothing
    }
}

/// The beginning of a token with which a text ends, if it may go on on the next line.
pub fn beginning(sent: &Sent, text: &[u8]) -> Option<Beginning> {
    match Beginning::of(sent, text)? {
        Next::More(beginning) => Some(beginning),
        Next::Whole(_) | Next::Nothing => None,
    }
}

/// The whole token, if the pieces on the lines behind its beginning in a text make one.
pub(super) fn mended(sent: Sent, text: &[u8]) -> Sent {
    if memchr(b'\n', text).is_none() {
        return sent;
    }
    match Beginning::of(&sent, text) {
        Some(Next::Whole(whole)) => whole,
        Some(Next::More(_) | Next::Nothing) | None => sent,
    }
}

fn is_whole(raw: &[u8]) -> bool {
    token::read_bytes(raw, Ending::Closed, &mut Buffer::default()).form == Form::Whole
}
