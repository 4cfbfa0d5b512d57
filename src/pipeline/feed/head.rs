//! What most often tells at once that a sighting is of another rejection.

use crate::envelope::Format;
use crate::pair::may_share_writer;
use crate::pair::rejection::{Rejection, Sighting};
use crate::pair::ties::Ties;

/// What two sightings of one rejection have in common, and what they have not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    format: Format,
    shape: u64,
    ties: Ties,
    /// The line of the first sighting.
    pub line: u64,
    /// Its token may still come; said once too often rather than never.
    pub wants_token: bool,
}

impl Head {
    pub(super) fn of_sighting(sighting: &Sighting) -> Self {
        Self {
            format: sighting.format,
            // Of calls that failed with a refusal, all prints of which have one shape, several may belong to it.
            shape: if sighting.refusal.is_failed_call { 0 } else { sighting.refusal.shape },
            ties: sighting.ties(),
            line: sighting.line,
            wants_token: false,
        }
    }

    pub(super) fn of(rejection: &Rejection) -> Self {
        let first = &rejection.first;
        Self {
            format: first.format,
            shape: first.refusal.shape,
            ties: rejection.ties(),
            line: first.line,
            wants_token: rejection.wants_token(),
        }
    }

    /// There may be evidence for one rejection, and nothing here speaks against it.
    pub(super) fn may_be_of(&self, sighting: &Self) -> bool {
        self.ties.may_tie(sighting.ties) && self.fits(sighting)
    }

    /// Nothing here speaks against one rejection.
    pub(super) fn fits(&self, sighting: &Self) -> bool {
        self.shape != sighting.shape && may_share_writer(self.format, sighting.format)
    }
}
