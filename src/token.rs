//! What was sent as an Access Token, read leniently: it may be far from a JWT.

use std::fmt;

use zeroize::Zeroizing;

/// How the text of a token ended in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Something that is no part of a token followed, or a quote closed it: this is all that was sent.
    #[default]
    Closed,
    /// The line ended right after it, so a logger with a limit may have cut it.
    LineEnd,
    /// An ellipsis, `[truncated]` or the like follows: the logger cut it.
    Cut,
}

/// What stands in the log where a token should be, unescaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// The bytes.
    pub raw: Zeroizing<Vec<u8>>,
    /// How they ended.
    pub ending: Ending,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({} bytes, {:?})", self.raw.len(), self.ending)
    }
}
