//! What most often tells at once that a sighting is of another rejection.

use crate::envelope::Format;
use crate::pair::may_share_writer;

/// What two sightings of one rejection have in common, and what they have not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub format: Format,
    pub shape: u64,
}

impl Head {
    /// Nothing here speaks against one rejection.
    pub(super) fn may_be_of(&self, sighting: &Self) -> bool {
        self.shape != sighting.shape && may_share_writer(self.format, sighting.format)
    }
}
