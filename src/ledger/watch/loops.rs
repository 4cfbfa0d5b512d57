//! Tokens that are refused again and again: the most frequent of the last ten minutes, in bounded space.
//!
//! Two turns of five minutes. When a turn is full, every count in it goes down by one and those at zero go (Misra and
//! Gries), so that what is frequent stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::diagnosis::Fingerprint;
use crate::time::UnixTime;

/// Tokens of one turn.
const TOKENS_MAX: usize = 512;
/// Length of a turn, in milliseconds.
const TURN_MILLIS: i64 = 300_000;

type Turn = BTreeMap<[u8; 8], (u64, Cause)>;

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loops {
    turn: i64,
    #[serde(with = "pairs")]
    present: Turn,
    #[serde(with = "pairs")]
    past: Turn,
}

/// A token and how often it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Top {
    pub(super) token: Fingerprint,
    pub(super) count: u64,
    pub(super) cause: Cause,
}

impl Loops {
    pub(super) fn add(&mut self, token: Fingerprint, cause: Cause, now: UnixTime) {
        self.advance(now);
        if let Some((count, of)) = self.present.get_mut(&token.0) {
            (*count, *of) = (*count + 1, cause);
            return;
        }
        if self.present.len() >= TOKENS_MAX {
            self.present.retain(|_, (count, _)| {
                *count -= 1;
                *count > 0
            });
        }
        if self.present.len() < TOKENS_MAX {
            self.present.insert(token.0, (1, cause));
        }
    }

    /// Forgets what is too long ago.
    pub(super) fn advance(&mut self, now: UnixTime) {
        let turn = now.as_millis().div_euclid(TURN_MILLIS);
        if turn <= self.turn {
            return;
        }
        let past = std::mem::take(&mut self.present);
        self.past = if turn == self.turn + 1 { past } else { Turn::new() };
        self.turn = turn;
    }

    /// The token that was refused most often.
    pub(super) fn top(&self) -> Option<Top> {
        let sum = |(token, (count, cause)): (&[u8; 8], &(u64, Cause))| Top {
            token: Fingerprint(*token),
            count: count + self.past.get(token).map_or(0, |(count, _)| *count),
            cause: *cause,
        };
        let before = |token: &[u8; 8]| !self.present.contains_key(token);
        let past = self.past.iter().filter(|(token, _)| before(token));
        let past = past.map(|(token, (count, cause))| Top { token: Fingerprint(*token), count: *count, cause: *cause });
        self.present.iter().map(sum).chain(past).max_by_key(|top| top.count)
    }
}

/// Maps as lists of pairs: not every format has keys that are no texts.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Cause, Turn};

    pub(super) fn serialize<S: Serializer>(turn: &Turn, serializer: S) -> Result<S::Ok, S::Error> {
        turn.iter().map(|(token, (count, cause))| (*token, *count, *cause)).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Turn, D::Error> {
        let list = Vec::<([u8; 8], u64, Cause)>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|(token, count, cause)| (token, (count, cause))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn token(n: u64) -> Fingerprint {
        Fingerprint(n.to_be_bytes())
    }

    #[test]
    fn the_most_frequent_survives_any_number_of_others() {
        let mut loops = Loops::default();
        for n in 0..20_000 {
            loops.add(token(1), Cause::StaleReuse, NOW);
            loops.add(token(n + 2), Cause::Expired, NOW);
        }
        let top = loops.top().expect("a token");
        assert_eq!((top.token, top.cause), (token(1), Cause::StaleReuse));
        assert!(loops.present.len() <= TOKENS_MAX);
    }

    #[test]
    fn ten_minutes_are_two_turns() {
        let mut loops = Loops::default();
        loops.add(token(1), Cause::Expired, NOW);
        loops.add(token(1), Cause::Expired, NOW.plus_millis(TURN_MILLIS));
        assert_eq!(loops.top().map(|top| top.count), Some(2));
        loops.advance(NOW.plus_millis(2 * TURN_MILLIS));
        assert_eq!(loops.top().map(|top| top.count), Some(1));
        loops.advance(NOW.plus_millis(9 * TURN_MILLIS));
        assert_eq!(loops.top(), None);
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut loops = Loops::default();
        loops.add(token(7), Cause::Expired, NOW);
        let text = serde_json::to_string(&loops).expect("JSON");
        assert_eq!(serde_json::from_str::<Loops>(&text).expect("its own JSON"), loops);
    }
}
