//! Tokens that go on on the next lines.

use super::Line;
use crate::pair::sent::wrapped::{self, Next};
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
pub(super) fn rest(sent: &Sent, text: &[u8], bytes: &[u8], line: Line, line_bytes_max: usize) -> Rest {
    let Some(beginning) = wrapped::beginning(sent, text) else { return Rest::Nothing };
    let (mut made, mut last, mut lines) = (Next::More(beginning), line, 0);
    loop {
        let Some(next) = last.after(bytes, bytes.len()) else { return Rest::Open };
        (last, lines) = (next, lines + 1);
        made = match made.and(&blocks::read(bytes, next, line_bytes_max).text) {
            Next::Whole(sent) => return Rest::Pieces(sent, lines),
            Next::Nothing => return Rest::Nothing,
            more @ Next::More(_) => more,
        };
    }
}
