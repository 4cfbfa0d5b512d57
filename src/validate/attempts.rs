//! How guessing the mistake behind bad signatures went, by key, so that a flood of bad tokens costs little.
//!
//! The mistake that a key made last is tried first. When many tokens of a key in a row gave no proof, only a part of the
//! next ones is tried against all guesses; the rest say so. Deliberately without a clock: the order of the tokens is
//! all that counts, so the same tokens give the same verdicts.

use std::collections::BTreeMap;

use super::signature::Signed;
use crate::keyring::KeyRing;

/// So many tokens of a key in a row may go without proof before guessing becomes rarer.
pub const IN_VAIN_MAX: u32 = 128;

/// Of the tokens after that, one in so many is tried against all guesses.
pub const TRIED_EVERY: u32 = 64;

/// What to try on a signature that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The number of the guess to try first.
    pub(super) first: Option<usize>,
    /// Try every guess.
    pub(super) try_all: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { first: None, try_all: true }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attempt {
    in_vain: u32,
    last: Option<usize>,
}

/// The memory, for one key ring: a new ring needs a new one, since guesses are remembered by their number.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Keys of the ring only, so it can't grow beyond that.
    by_key: BTreeMap<String, Attempt>,
    /// All keys that the ring does not know.
    unknown: Attempt,
}

impl Attempts {
    pub(super) fn plan(&self, key_sid: &str, ring: &KeyRing) -> Plan {
        let attempt = match ring.key(key_sid) {
            Some(_) => self.by_key.get(key_sid).copied().unwrap_or_default(),
            None => self.unknown,
        };
        let try_all = attempt.in_vain < IN_VAIN_MAX || attempt.in_vain % TRIED_EVERY == 0;
        Plan { first: attempt.last, try_all }
    }

    /// Notes how it went with a token that was not judged before.
    pub fn note(&mut self, key_sid: &str, signed: &Signed, ring: &KeyRing) {
        let attempt = match ring.key(key_sid) {
            Some(_) => match self.by_key.get_mut(key_sid) {
                Some(known) => known,
                None => self.by_key.entry(key_sid.to_owned()).or_default(),
            },
            None => &mut self.unknown,
        };
        match signed {
            // Good tokens between the bad ones say nothing about those.
            Signed::Good => {}
            Signed::Mistaken(proof) => *attempt = Attempt { in_vain: 0, last: proof.guess.or(attempt.last) },
            Signed::CaseChanged => attempt.in_vain = 0,
            Signed::Unproved { .. } | Signed::Unchecked { .. } => {
                // Stays beyond the limit when it wraps.
                attempt.in_vain = attempt.in_vain.checked_add(1).unwrap_or(IN_VAIN_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Mistake;

    const UNPROVED: Signed = Signed::Unproved { tried_all: true };

    #[test]
    fn after_many_tokens_in_vain_few_are_tried_until_one_is_proved() {
        let (mut attempts, ring) = (Attempts::default(), KeyRing::default());
        let mut tried = 0;
        for _ in 0..IN_VAIN_MAX + 10 * TRIED_EVERY {
            tried += u32::from(attempts.plan("SK1", &ring).try_all);
            attempts.note("SK1", &UNPROVED, &ring);
        }
        assert_eq!(tried, IN_VAIN_MAX + 10);
        attempts.note("SK1", &Signed::mistaken(Mistake::Constant("x"), Some(7)), &ring);
        assert_eq!(attempts.plan("SK1", &ring), Plan { first: Some(7), try_all: true });
    }

    #[test]
    fn keys_that_the_ring_does_not_know_share_one_place() {
        let (mut attempts, ring) = (Attempts::default(), KeyRing::default());
        for n in 0..5000 {
            attempts.note(&format!("SK{n}"), &UNPROVED, &ring);
        }
        assert!(attempts.by_key.is_empty());
    }
}
