//! How many different things there were, estimated in bounded space.
//!
//! The least of the hashes are kept: up to [`KEPT`] different things the number is exact, beyond it follows from how
//! densely the least lie (an error of some 9 %). What is counted comes as a keyed hash, so that nothing can be read
//! back from here.

use serde::{Deserialize, Serialize};

/// Hashes that are kept.
pub const KEPT: usize = 128;

/// The sketch of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch(Vec<u64>);

impl Sketch {
    /// Adds a thing by its hash.
    pub fn add(&mut self, hash: u64) {
        if self.0.len() >= KEPT && self.0.last().is_some_and(|greatest| *greatest <= hash) {
            return;
        }
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
            self.0.truncate(KEPT);
        }
    }

    /// Adds all of another sketch.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|hash| self.add(*hash));
    }

    /// Different things.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, of positive numbers far below 2^52"
    )]
    pub fn count(&self) -> u64 {
        match self.0.last() {
            Some(greatest) if self.0.len() >= KEPT => {
                let share = (*greatest as f64 / u64::MAX as f64).max(f64::MIN_POSITIVE);
                ((KEPT - 1) as f64 / share) as u64
            }
            _ => self.0.len() as u64,
        }
    }

    /// Whether the number is exact.
    pub fn is_exact(&self) -> bool {
        self.0.len() < KEPT
    }

    /// Makes the set empty.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Different things of the last ten to fifteen minutes: three sketches in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lately {
    turn: i64,
    sketches: [Sketch; 3],
}

/// Minutes of one turn.
const TURN_MINUTES: i64 = 5;

impl Lately {
    /// Adds a thing, at a minute since the epoch.
    pub fn add(&mut self, hash: u64, minute: i64) {
        self.advance(minute);
        let at = usize::try_from(self.turn.rem_euclid(3)).unwrap_or(0);
        if let Some(sketch) = self.sketches.get_mut(at) {
            sketch.add(hash);
        }
    }

    /// Forgets what is too long ago.
    pub fn advance(&mut self, minute: i64) {
        let turn = minute.div_euclid(TURN_MINUTES);
        if turn <= self.turn {
            return;
        }
        for past in (self.turn + 1).max(turn - 2)..=turn {
            let at = usize::try_from(past.rem_euclid(3)).unwrap_or(0);
            if let Some(sketch) = self.sketches.get_mut(at) {
                sketch.clear();
            }
        }
        self.turn = turn;
    }

    /// Different things.
    pub fn count(&self) -> u64 {
        let mut all = Sketch::default();
        self.sketches.iter().for_each(|sketch| all.merge(sketch));
        all.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads numbers as a keyed hash does (splitmix64).
    fn hash(n: u64) -> u64 {
        let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[test]
    fn a_few_are_counted_exactly_however_often_they_come() {
        let mut sketch = Sketch::default();
        (0..1000).for_each(|n| sketch.add(hash(n % 100)));
        assert_eq!((sketch.count(), sketch.is_exact()), (100, true));
    }

    #[test]
    fn many_are_estimated_in_the_same_space() {
        let mut sketch = Sketch::default();
        (0..50_000).for_each(|n| sketch.add(hash(n)));
        let count = sketch.count();
        assert!((37_500..62_500).contains(&count) && sketch.0.len() == KEPT, "{count}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut lately = Lately::default();
        lately.add(1, 100);
        lately.add(2, 109);
        lately.add(1, 109);
        assert_eq!(lately.count(), 2);
        lately.advance(115);
        assert_eq!(lately.count(), 2);
        lately.advance(120);
        assert_eq!(lately.count(), 0);
        lately.add(3, 100_000);
        assert_eq!(lately.count(), 1);
    }
}
