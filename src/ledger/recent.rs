//! What is known of the tokens refused lately, in bounded memory: one value a token.
//!
//! Every window ends now, so the tokens of a window are those last refused in it. When the memory is full, the quarter
//! that was refused longest ago is forgotten, and a window that reaches back to there holds *at least* what it shows.

use crate::diagnosis::Fingerprint;
use crate::time::UnixTime;

use super::layers::Layers;
use super::window::KeyLabel;

/// A token that stood in a log while it was valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Its key.
    pub key: KeyLabel,
    /// Until when it is valid.
    pub expires_at: Option<UnixTime>,
}

/// A token that was refused before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// Its key.
    pub key: KeyLabel,
    /// By how much, at its first refusal: later ones are nearer to its time, and say less of the clock that set it.
    pub seconds: i64,
}

/// The tokens, each with the last time of its refusal and a value.
#[derive(Clone, Debug)]
pub struct Recent<V> {
    pub(super) tokens: Layers<(UnixTime, V)>,
    max: usize,
    /// Nothing that was refused after this was forgotten.
    pub(super) forgotten_until: Option<UnixTime>,
}

impl<V: Copy + PartialEq> Recent<V> {
    /// Remembers up to `max` tokens.
    pub fn new(max: usize) -> Self {
        Self { tokens: Layers::default(), max: max.max(1), forgotten_until: None }
    }

    /// Notes that a token was refused; `merge` decides what becomes of an older value.
    pub fn see(&mut self, token: Fingerprint, at: UnixTime, value: V, merge: impl FnOnce(V, V) -> V) {
        if let Some((last, old)) = self.tokens.get(token) {
            self.tokens.set(token, (at.max(last), merge(old, value)));
            return;
        }
        if self.tokens.len() >= self.max {
            self.forget();
        }
        self.tokens.set(token, (at, value));
    }

    /// The last times and values of the tokens last refused at `start` or later, ascending by time; equal times in the
    /// order of the fingerprints.
    pub fn since(&self, start: UnixTime) -> Vec<(UnixTime, V)> {
        let within = self.tokens.iter().filter(|(_, (last, _))| *last >= start);
        let mut found: Vec<_> = within.map(|(token, (last, value))| (*last, *token, *value)).collect();
        found.sort_unstable_by_key(|(last, token, _)| (*last, *token));
        found.into_iter().map(|(last, _, value)| (last, value)).collect()
    }

    /// There may have been more since then: some were forgotten.
    pub fn is_partial(&self, start: UnixTime) -> bool {
        self.forgotten_until.is_some_and(|until| until >= start)
    }

    fn forget(&mut self) {
        let mut times: Vec<UnixTime> = self.tokens.iter().map(|(_, (last, _))| *last).collect();
        if times.is_empty() {
            return;
        }
        let quarter = times.len() / 4;
        let (_, limit, _) = times.select_nth_unstable(quarter);
        let limit = *limit;
        self.tokens.retain(|(last, _)| *last > limit);
        self.forgotten_until = Some(self.forgotten_until.map_or(limit, |until| until.max(limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn at(seconds: u32) -> UnixTime {
        START.plus_millis(i64::from(seconds) * 1000)
    }

    #[test]
    fn a_token_keeps_one_value_and_its_last_time() {
        let mut recent = Recent::new(10);
        for (seconds, value) in [(5, 40), (9, 30), (7, 50)] {
            recent.see(Fingerprint([1; 8]), at(seconds), value, Ord::max);
        }
        recent.see(Fingerprint([2; 8]), at(1), 1, |old, _| old);
        assert_eq!(recent.since(START), [(at(1), 1), (at(9), 50)]);
        assert_eq!(recent.since(at(2)), [(at(9), 50)]);
        assert!(!recent.is_partial(START));
    }

    #[test]
    fn a_full_memory_forgets_the_oldest_and_says_so() {
        let mut recent = Recent::new(100);
        for n in 0_u32..1000 {
            recent.see(Fingerprint(u64::from(n).to_be_bytes()), at(n), n, |old, _| old);
            assert!(recent.tokens.len() <= 100);
        }
        assert_eq!(recent.since(at(990)).len(), 10);
        assert!(recent.is_partial(START) && !recent.is_partial(at(990)));
    }
}
