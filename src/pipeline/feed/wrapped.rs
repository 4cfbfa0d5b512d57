//! Tokens that go on on the next lines.

use super::Line;
use crate::pair::sent::{self, Place, wrapped};
use crate::pipeline::blocks;
use crate::token::Sent;

/// What the lines behind a token come to.
pub(super) enum Rest {
    /// The token ends on its line.
    Nothing,
    /// The next piece may still come.
    Open,
    /// They are pieces of it, so many lines.
    Pieces(Sent, u64),
}

/// Looks for the pieces of a token on the lines behind one, which ends with the beginning of a token.
pub(super) fn rest(sent: &Sent, place: Place, text: &[u8], bytes: &[u8], line: Line, line_bytes_max: usize) -> Rest {
    if !wrapped::ends_line(&sent.raw, text) {
        return Rest::Nothing;
    }
    let mut joined = text.to_vec();
    let mut last = line;
    for lines in 1..wrapped::PIECES_MAX as u64 {
        let Some(next) = last.after(bytes, bytes.len()) else { return Rest::Open };
        let record = blocks::read(bytes, next, line_bytes_max);
        let Some((_, is_all)) = wrapped::piece(&record.text) else { return Rest::Nothing };
        joined.push(b'\n');
        joined.extend_from_slice(&record.text);
        match sent::find(&joined, place, false).filter(|sent| !wrapped::may_go_on(&sent.raw)) {
            Some(sent) => return Rest::Pieces(sent, lines),
            None if is_all => last = next,
            None => return Rest::Nothing,
        }
    }
    Rest::Nothing
}
