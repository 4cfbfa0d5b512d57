//! What could tie a sighting to a rejection, small enough that hundreds of rejections can be looked at for each sighting.
//!
//! Says only that there is no evidence: whatever [`Rejection::evidence`](super::rejection::Rejection::evidence) rests on
//! leaves a mark here, on both sides.

use crate::envelope::{Emitter, Ids, hash};
use crate::token::Sent;

/// Bytes of a token that tell it from others well enough: of its signature.
const TOKEN_BYTES: usize = 16;

/// Marks of names: of a writer, of a request, of a token.
const NAMES: u64 = 124;
/// The mark of every rejection.
const REJECTION: u128 = 1 << 124;
/// The mark of an SDK's print.
const PRINT: u128 = 1 << 125;
/// The mark of one that names no writer.
const UNNAMED: u128 = 1 << 126;
/// The mark of an SDK's print that names no writer.
const UNNAMED_PRINT: u128 = 1 << 127;

/// The marks of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ties(u128);

impl Ties {
    /// How many marks there are.
    pub const MARKS: usize = 128;

    /// The marks of a rejection, or a sighting, with these names.
    pub fn new(writer: &Emitter, ids: &Ids, token: Option<&Sent>) -> Self {
        let mut ties = Self::default();
        if !writer.is_unknown() {
            ties.name(writer.digest());
        }
        ids.events().filter(|id| **id != 0).for_each(|id| ties.name(*id));
        if let Some(sent) = token {
            let tail = sent.raw.len().saturating_sub(TOKEN_BYTES);
            ties.name(hash(sent.raw.get(tail..).unwrap_or_default()));
        }
        ties
    }

    /// Adds the marks of a rejection that was seen as an SDK's print, or without the name of its writer.
    #[must_use]
    pub const fn of_rejection(self, is_print: bool, is_unnamed: bool) -> Self {
        let print = if is_print { PRINT } else { 0 };
        let unnamed = if is_unnamed { UNNAMED } else { 0 };
        Self(self.0 | REJECTION | print | unnamed | if is_print && is_unnamed { UNNAMED_PRINT } else { 0 })
    }

    /// Adds the marks that a sighting of this kind can be tied to: prints follow prints, and beside a print it is enough
    /// that nothing names the writers.
    #[must_use]
    pub const fn of_sighting(self, is_print: bool, is_unnamed: bool) -> Self {
        Self(
            self.0
                | match (is_print, is_unnamed) {
                    (true, true) => PRINT | UNNAMED,
                    (true, false) => PRINT,
                    (false, true) => UNNAMED_PRINT,
                    (false, false) => 0,
                },
        )
    }

    /// The marks of a sighting that may be of any rejection.
    pub const fn any() -> Self {
        Self(REJECTION)
    }

    /// The numbers of the marks, each below [`Self::MARKS`].
    pub fn marks(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let mark = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            Some(mark as usize)
        })
    }

    /// There may be evidence that the sighting is of the rejection.
    pub const fn may_tie(self, sighting: Self) -> bool {
        self.0 & sighting.0 != 0
    }

    const fn name(&mut self, digest: u64) {
        self.0 |= 1 << (digest % NAMES);
    }
}
