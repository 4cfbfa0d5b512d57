//! What is kept of a stream so that it can be read on after the process has ended, at any moment and in any way.
//!
//! Bytes are not kept: they may hold tokens. A checkpoint says where to begin to read again, far enough back that every
//! token, object and time that matters is seen once more, and what of that was counted already, so that it is not
//! counted again. What was seen and not yet diagnosed is simply seen again.
//!
//! ```text
//! ──────┬──────────────────────┬─────────────┬───────▶ offset
//!     resume      sightings   lines_to     bytes_to
//!       └── read again, silent where it was counted ──┘ and new from here on
//! ```

use serde::{Deserialize, Serialize};

pub use super::array::ArrayPlace;
pub use super::memory::KeyRecord;
pub use super::table::Columns;
use crate::diagnosis::Fingerprint;
use crate::time::UnixTime;

/// Where and how to go on with a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Offset of the first byte to read again.
    pub resume: u64,
    /// Number of the line there.
    pub line: u64,
    /// It lies inside an overlong line, whose rest is passed over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skipping: bool,
    /// Bytes before this offset are counted.
    pub bytes_to: u64,
    /// Lines that start before this offset are counted.
    pub lines_to: u64,
    /// Offsets at which a partial line was taken as a whole one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<u64>,
    /// The sightings from `resume` to `lines_to`, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sightings: Vec<Sighted>,
    /// The last time seen before `resume`: the line, and milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_time: Option<(u64, i64)>,
    /// Of that time, the day is a guess.
    #[serde(default, skip_serializing_if = "is_false")]
    pub last_time_is_dateless: bool,
    /// The region of the last rejection before `resume` that had an endpoint near to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// It is an export of the journal.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_journal: bool,
    /// It is in UTF-16, with the higher byte first or last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wide: Option<bool>,
    /// It holds arrays of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayPlace>,
    /// It is an export with these columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
}

impl Checkpoint {
    /// Offset before which nothing waits: every refusal there is counted.
    pub fn decided_to(&self) -> u64 {
        let waiting = self.sightings.iter().filter(|sighted| sighted.state == State::Waiting);
        waiting.map(|sighted| sighted.of).min().map_or(self.lines_to, |first| first.min(self.lines_to))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A sighting before [`Checkpoint::lines_to`]. What is not named there was no sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u8)", into = "(u64, u64, u8)")]
pub struct Sighted {
    /// Offset of its first line.
    pub offset: u64,
    /// Offset of the first sighting of its rejection.
    pub of: u64,
    /// What became of the rejection.
    pub state: State,
}

/// What became of a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is counted, and takes no further sightings.
    Closed,
    /// It is counted, and further sightings may belong to it.
    Open,
    /// It waits to be diagnosed, and is not counted.
    Waiting,
}

impl From<(u64, u64, u8)> for Sighted {
    fn from((offset, of, state): (u64, u64, u8)) -> Self {
        let state = match state {
            0 => State::Closed,
            1 => State::Open,
            2.. => State::Waiting,
        };
        Self { offset, of, state }
    }
}

impl From<Sighted> for (u64, u64, u8) {
    fn from(Sighted { offset, of, state }: Sighted) -> Self {
        let state = match state {
            State::Closed => 0,
            State::Open => 1,
            State::Waiting => 2,
        };
        (offset, of, state)
    }
}

/// A token that was refused, as it is remembered to recognise it when it is refused again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The first refusal.
    pub first: UnixTime,
    /// How many there were.
    pub times: u32,
    /// Its place among all remembered tokens, by age.
    pub number: u64,
}

/// What changed in the memory of refused tokens: `None` when one was forgotten.
pub type MemoryChange = (Fingerprint, Option<Remembered>);

/// What stood under a signature or token id that verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// A fingerprint of it.
    pub contents: Fingerprint,
    /// Its place among all that are remembered, by age.
    pub number: u64,
}

/// What else changed in the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A signature or token id that verified, or, under its own mark, an exposed token that was told; `None` when it was
    /// forgotten.
    Verified(Fingerprint, Option<Verified>),
    /// How the tokens of a key fared.
    Key(String, KeyRecord),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_not_decided() {
        let sighted = |offset, of, state| Sighted { offset, of, state };
        let checkpoint = |sightings| Checkpoint { lines_to: 90, sightings, ..Checkpoint::default() };
        assert_eq!(checkpoint(Vec::new()).decided_to(), 90);
        let decided = vec![sighted(10, 10, State::Closed), sighted(20, 20, State::Open)];
        assert_eq!(checkpoint(decided).decided_to(), 90);
        let waiting = vec![sighted(10, 10, State::Closed), sighted(40, 30, State::Waiting)];
        assert_eq!(checkpoint(waiting).decided_to(), 30);
    }
}
