//! How many different tokens a window saw, in bounded memory.
//!
//! A token is remembered by its fingerprint and the last time it was refused; because every window ends now, the
//! tokens of a window are those last refused in it. When the memory is full the quarter that was refused longest ago is
//! forgotten, and a window that reaches back to there has *at least* the number given.

use crate::diagnosis::Fingerprint;
use crate::time::UnixTime;

use super::layers::Layers;

/// A number of different tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// The number.
    pub count: u64,
    /// There may have been more: some were forgotten.
    pub at_least: bool,
}

/// The tokens that were refused lately.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub(super) last: Layers<UnixTime>,
    max: usize,
    /// Nothing that was refused after this was forgotten.
    pub(super) forgotten_until: Option<UnixTime>,
}

impl Tokens {
    /// Remembers up to `max` tokens.
    pub fn new(max: usize) -> Self {
        Self { last: Layers::default(), max: max.max(1), forgotten_until: None }
    }

    /// Notes that a token was refused, and says when it was before.
    pub fn see(&mut self, token: Fingerprint, at: UnixTime) -> Option<UnixTime> {
        let before = self.last.get(token);
        if before.is_none() && self.last.len() >= self.max {
            self.forget();
        }
        if before.is_none_or(|before| before < at) {
            self.last.set(token, at);
        }
        before
    }

    /// Those last refused at `start` or later.
    pub fn since(&self, start: UnixTime) -> Distinct {
        let count = self.last.iter().filter(|(_, last)| **last >= start).count();
        Distinct {
            count: u64::try_from(count).unwrap_or(u64::MAX),
            at_least: self.forgotten_until.is_some_and(|until| until >= start),
        }
    }

    fn forget(&mut self) {
        let mut times: Vec<UnixTime> = self.last.iter().map(|(_, last)| *last).collect();
        if times.is_empty() {
            return;
        }
        let quarter = times.len() / 4;
        let (_, limit, _) = times.select_nth_unstable(quarter);
        let limit = *limit;
        self.last.retain(|last| *last > limit);
        self.forgotten_until = Some(self.forgotten_until.map_or(limit, |until| until.max(limit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(n: u64) -> Fingerprint {
        Fingerprint(n.to_be_bytes())
    }

    #[test]
    fn a_token_counts_once_however_often_it_is_refused() {
        let mut tokens = Tokens::new(10);
        for n in [1, 2, 1, 1, 3] {
            tokens.see(token(n), UnixTime::from_seconds(100));
        }
        assert_eq!(tokens.since(UnixTime::from_seconds(100)), Distinct { count: 3, at_least: false });
        assert_eq!(tokens.since(UnixTime::from_seconds(101)), Distinct { count: 0, at_least: false });
    }

    #[test]
    fn a_late_line_does_not_make_a_token_older() {
        let mut tokens = Tokens::new(10);
        tokens.see(token(1), UnixTime::from_seconds(100));
        tokens.see(token(1), UnixTime::from_seconds(50));
        assert_eq!(tokens.since(UnixTime::from_seconds(100)).count, 1);
    }

    #[test]
    fn a_full_memory_forgets_the_oldest_and_says_so() {
        let mut tokens = Tokens::new(100);
        for n in 0_u32..1000 {
            tokens.see(token(n.into()), UnixTime::from_seconds(n.into()));
            assert!(tokens.last.len() <= 100);
        }
        assert_eq!(tokens.since(UnixTime::from_seconds(990)), Distinct { count: 10, at_least: false });
        assert!(tokens.since(UnixTime::from_seconds(0)).at_least);
    }
}
