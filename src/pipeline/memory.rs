//! What the core remembers of tokens and keys from one rejection to the next: refusals of the same token, tokens that
//! verified, and how the tokens of each key fared.
//!
//! Bounded, and made of plain values, so that a store can write it down ([`Memory::save`]) and give it back. Tokens are
//! known by keyed fingerprints only. Deliberately without a clock: all times are those of the refusals.

mod marks;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::checkpoint::{MemoryChange, Note, Remembered, Verified};
use crate::diagnosis::Fingerprint;
use crate::finding::KeyHistory;
use crate::time::UnixTime;
use crate::validate::RefusedBefore;
use crate::validate::signature::Signed;

use marks::Marks;

/// So many keys are remembered; only keys whose secret is known get here.
const KEYS_MAX: usize = 4096;
/// "Lately" is so many minutes long.
const MINUTES: i64 = 60;

/// A token that was refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// Earlier refusals.
    pub before: RefusedBefore,
    /// Its place among all remembered tokens, by age.
    number: u64,
    /// What was found of its signature with the current key ring; not saved.
    pub signed: Option<Signed>,
}

/// The memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    refused: HashMap<Fingerprint, Refused>,
    /// The refused tokens, oldest first.
    order: VecDeque<Fingerprint>,
    /// A signature or token id that verified, and what stood under it.
    verified: Marks,
    /// Tokens that were told because they stood on a line while they were valid: each mark stands for itself. Apart, so that
    /// whoever writes many into a log takes nothing else away.
    told: Marks,
    keys: BTreeMap<String, KeyRecord>,
    /// Tokens remembered so far, the forgotten ones included.
    numbered: u64,
    /// Tokens whose refusals have changed; only where somebody asks for them.
    changed: Option<Vec<Fingerprint>>,
    /// What else has changed, where somebody asks for it.
    changed_marks: Vec<Fingerprint>,
    changed_keys: BTreeSet<String>,
}

impl Memory {
    /// Earlier refusals of a token.
    pub(super) fn refused(&self, token: Fingerprint) -> Option<RefusedBefore> {
        self.refused.get(&token).map(|refused| refused.before)
    }

    /// All that is known of a token.
    pub(super) fn known(&self, token: Fingerprint) -> Option<&Refused> {
        self.refused.get(&token)
    }

    /// Notes a refusal; remembers up to `max` tokens and forgets the one that came first.
    pub(super) fn refuse(&mut self, token: Fingerprint, at: UnixTime, signed: Option<Signed>, max: usize) {
        self.changes(token);
        if let Some(known) = self.refused.get_mut(&token) {
            let before = &mut known.before;
            *before = RefusedBefore { first: before.first.min(at), times: before.times.saturating_add(1) };
            known.signed = signed;
            return;
        }
        self.make_room(max);
        self.enter(token, Refused { before: RefusedBefore { first: at, times: 1 }, number: self.numbered, signed });
    }

    fn make_room(&mut self, max: usize) {
        while self.order.len() >= max.max(1) {
            let Some(oldest) = self.order.pop_front() else { break };
            self.refused.remove(&oldest);
            self.changes(oldest);
        }
    }

    fn enter(&mut self, token: Fingerprint, refused: Refused) {
        self.numbered = refused.number.saturating_add(1);
        if self.refused.insert(token, refused).is_none() {
            self.order.push_back(token);
        }
    }

    fn changes(&mut self, token: Fingerprint) {
        if let Some(changed) = &mut self.changed {
            changed.push(token);
        }
    }

    /// Takes over refusals that were remembered before, and keeps account of changes from now on.
    pub(super) fn recall(&mut self, mut known: Vec<(Fingerprint, Remembered)>, max: usize) {
        self.changed = Some(Vec::new());
        known.sort_by_key(|(_, remembered)| remembered.number);
        for (token, Remembered { first, times, number }) in known {
            self.make_room(max);
            self.enter(token, Refused { before: RefusedBefore { first, times }, number, signed: None });
        }
    }

    /// What has changed in the refusals since the last call, each token once.
    pub(super) fn take_changes(&mut self) -> Vec<MemoryChange> {
        let mut changed = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        changed.sort_unstable();
        changed.dedup();
        let remembered = |token: &Fingerprint| {
            let Refused { before: RefusedBefore { first, times }, number, .. } = *self.refused.get(token)?;
            Some(Remembered { first, times, number })
        };
        changed.into_iter().map(|token| (token, remembered(&token))).collect()
    }

    /// Forgets what depends on the key ring: there is a new one.
    pub(super) fn forget_signatures(&mut self) {
        self.refused.values_mut().for_each(|refused| refused.signed = None);
    }

    /// What stood under a signature or token id that verified.
    pub(super) fn verified(&self, mark: Fingerprint) -> Option<Fingerprint> {
        self.verified.get(mark).map(|verified| verified.contents)
    }

    /// Notes what stood under a signature or token id that verified; remembers up to `max`.
    pub(super) fn verify(&mut self, mark: Fingerprint, contents: Fingerprint, max: usize) {
        let Self { verified, changed, changed_marks, .. } = self;
        verified.note(mark, contents, max, |mark| changed_marks.extend(changed.is_some().then_some(mark)));
    }

    /// An exposed token was told before.
    pub(super) fn is_told(&self, mark: Fingerprint) -> bool {
        self.told.get(mark).is_some()
    }

    /// Notes that an exposed token is told; remembers up to `max`.
    pub(super) fn tell(&mut self, mark: Fingerprint, max: usize) {
        let Self { told, changed, changed_marks, .. } = self;
        told.note(mark, mark, max, |mark| changed_marks.extend(changed.is_some().then_some(mark)));
    }

    /// What is remembered under a mark of either kind.
    fn marked(&self, mark: Fingerprint) -> Option<Verified> {
        self.verified.get(mark).or_else(|| self.told.get(mark))
    }

    /// Takes over what else was remembered before.
    pub(super) fn recall_notes(&mut self, notes: Vec<Note>, max: usize) {
        let mut marks = Vec::new();
        for note in notes {
            match note {
                Note::Verified(mark, known) => marks.extend(known.map(|known| (known.number, mark, known.contents))),
                Note::Key(key_sid, record) if self.keys.len() < KEYS_MAX => {
                    self.keys.insert(key_sid, record);
                }
                Note::Key(..) => {}
            }
        }
        marks.sort_unstable();
        for (number, mark, contents) in marks {
            let place = if mark == contents { &mut self.told } else { &mut self.verified };
            place.number_from(number);
            let changed_marks = &mut self.changed_marks;
            place.note(mark, contents, max, |mark| changed_marks.push(mark));
        }
        // Only what had no room is news.
        let mut changed = std::mem::take(&mut self.changed_marks);
        changed.retain(|mark| self.marked(*mark).is_none());
        self.changed_marks = changed;
    }

    /// What else has changed since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        let mut marks = std::mem::take(&mut self.changed_marks);
        marks.sort_unstable();
        marks.dedup();
        let keys = std::mem::take(&mut self.changed_keys).into_iter();
        let marks = marks.into_iter().map(|mark| Note::Verified(mark, self.marked(mark)));
        let keys = keys.filter_map(|key_sid| Some(Note::Key(key_sid.clone(), self.keys.get(&key_sid)?.clone())));
        marks.chain(keys).collect()
    }

    /// Notes how a token of a key fared, once a token.
    pub(super) fn note(&mut self, key_sid: &str, fits: bool, at: UnixTime) {
        if self.changed.is_some() {
            self.changed_keys.insert(key_sid.to_owned());
        }
        if let Some(record) = self.keys.get_mut(key_sid) {
            record.note(fits, at);
        } else if self.keys.len() < KEYS_MAX {
            self.keys.entry(key_sid.to_owned()).or_default().note(fits, at);
        }
    }

    /// How the key's tokens fared up to one that does not fit, and was noted at a time or not yet.
    pub(super) fn history(&self, key_sid: &str, at: UnixTime, noted: Option<UnixTime>) -> KeyHistory {
        let known = self.keys.get(key_sid);
        match (known, noted) {
            (Some(record), Some(noted)) => record.history(at, noted),
            (known, _) => {
                let mut record = known.cloned().unwrap_or_default();
                record.note(false, at);
                record.history(at, at)
            }
        }
    }

    /// All of it, as plain values.
    pub(super) fn save(&self) -> Saved {
        let refused = self.order.iter().filter_map(|token| {
            let before = self.refused.get(token)?.before;
            Some(SavedToken { token: token.0, first_millis: before.first.as_millis(), times: before.times })
        });
        let marks = self.verified.iter().chain(self.told.iter());
        let verified = marks.map(|(mark, contents)| (mark.0, contents.0));
        Saved { refused: refused.collect(), verified: verified.collect(), keys: self.keys.clone() }
    }

    /// What was saved. Limits apply from the next token on.
    pub(super) fn restore(saved: Saved) -> Self {
        let mut memory = Self { keys: saved.keys, ..Self::default() };
        for SavedToken { token, first_millis, times } in saved.refused {
            let before = RefusedBefore { first: UnixTime::from_millis(first_millis), times };
            memory.enter(Fingerprint(token), Refused { before, number: memory.numbered, signed: None });
        }
        for (mark, contents) in saved.verified {
            let marks = if mark == contents { &mut memory.told } else { &mut memory.verified };
            marks.note(Fingerprint(mark), Fingerprint(contents), usize::MAX, |_| {});
        }
        memory
    }
}

/// The memory, to be written down. Holds fingerprints, key SIDs, times and counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    refused: Vec<SavedToken>,
    verified: Vec<([u8; 8], [u8; 8])>,
    keys: BTreeMap<String, KeyRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedToken {
    token: [u8; 8],
    first_millis: i64,
    times: u32,
}

/// How the tokens of one key fared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    fitted: Minutes,
    failed: Minutes,
    last_fitted_millis: Option<i64>,
    /// Since when, in milliseconds, none has fitted, and how many have not.
    failing: Option<(i64, u32)>,
}

impl KeyRecord {
    fn note(&mut self, fits: bool, at: UnixTime) {
        let at = at.as_millis();
        if fits {
            self.fitted.add(at);
            self.last_fitted_millis = self.last_fitted_millis.max(Some(at));
            // A late line of before does not end it.
            self.failing = self.failing.filter(|(since, _)| at < *since);
            return;
        }
        self.failed.add(at);
        if self.last_fitted_millis.is_none_or(|last| at >= last) {
            let (since, tokens) = self.failing.unwrap_or((at, 0));
            self.failing = Some((since.min(at), tokens.saturating_add(1)));
        }
    }

    fn history(&self, at: UnixTime, noted: UnixTime) -> KeyHistory {
        let (since, failing) = self.failing.unwrap_or((at.as_millis(), 1));
        let fitted = self.fitted.until(at.as_millis());
        let itself = u32::from(Minutes::reaches(at.as_millis(), noted.as_millis().div_euclid(60_000)));
        let failed = self.failed.until(at.as_millis()).saturating_sub(itself);
        KeyHistory { fitted, failed, failing_since: UnixTime::from_millis(since), failing }
    }
}

/// Counts by minute, of the latest hour of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Minutes(VecDeque<(i64, u32)>);

impl Minutes {
    fn add(&mut self, at_millis: i64) {
        let minute = at_millis.div_euclid(60_000);
        match self.0.binary_search_by_key(&minute, |(minute, _)| *minute) {
            Ok(at) => {
                if let Some((_, count)) = self.0.get_mut(at) {
                    *count = count.saturating_add(1);
                }
            }
            Err(at) => self.0.insert(at, (minute, 1)),
        }
        let newest = self.0.back().map_or(minute, |(minute, _)| *minute);
        while self.0.front().is_some_and(|(minute, _)| newest.saturating_sub(*minute) >= MINUTES) {
            self.0.pop_front();
        }
    }

    /// The sum of the hour that ends then.
    fn until(&self, at_millis: i64) -> u32 {
        let within = self.0.iter().filter(|(minute, _)| Self::reaches(at_millis, *minute));
        within.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Says whether the hour that ends then reaches back to a minute.
    fn reaches(at_millis: i64, minute: i64) -> bool {
        let last = at_millis.div_euclid(60_000);
        minute <= last && last.saturating_sub(minute) < MINUTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime::from_seconds(1_772_359_200);

    fn token(n: u64) -> Fingerprint {
        Fingerprint(n.to_be_bytes())
    }

    /// Events `(seconds, fits)`, the last of them one that does not; then `(fitted, failed, since, failing)`.
    #[track_caller]
    fn check(events: &[(i64, bool)], expected: (u32, u32, i64, u32)) {
        let mut memory = Memory::default();
        let mut last = START;
        for (seconds, fits) in events {
            last = START.plus_millis(seconds * 1000);
            memory.note("SK1", *fits, last);
        }
        let history = memory.history("SK1", last, Some(last));
        let since = history.failing_since.seconds_since(START);
        assert_eq!((history.fitted, history.failed, since, history.failing), expected);
    }

    #[test]
    fn a_single_bad_token_among_good_ones_is_alone() {
        check(&[(0, true), (10, true), (20, false)], (2, 0, 20, 1));
    }

    #[test]
    fn a_key_that_stops_fitting_says_since_when() {
        check(&[(0, true), (120, false), (130, false), (140, false)], (1, 2, 120, 3));
        check(&[(120, false), (130, false)], (0, 1, 120, 2));
    }

    #[test]
    fn a_good_token_ends_the_row_unless_it_is_an_old_one() {
        check(&[(0, false), (10, true), (20, false)], (1, 1, 20, 1));
        check(&[(100, false), (10, true), (120, false)], (1, 1, 100, 2));
    }

    #[test]
    fn a_token_that_was_not_noted_counts_as_if_it_was() {
        let mut memory = Memory::default();
        memory.note("SK1", false, START);
        let history = memory.history("SK1", START, None);
        assert_eq!((history.fitted, history.failed, history.failing), (0, 1, 2));
        assert_eq!(memory.history("SK2", START, None).failing, 1);
    }

    #[test]
    fn what_is_an_hour_old_does_not_count() {
        check(&[(0, true), (3599, false)], (1, 0, 3599, 1));
        check(&[(0, true), (3600, false)], (0, 0, 3600, 1));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut memory = Memory::default();
        for n in 0..1000 {
            memory.refuse(token(n), START, None, 10);
            memory.verify(token(n), token(n), 10);
            memory.note("SK1", true, START.plus_millis(i64::try_from(n).unwrap() * 60_000));
        }
        assert_eq!((memory.refused.len(), memory.verified.iter().count()), (10, 10));
        assert_eq!(memory.keys["SK1"].fitted.0.len(), 60);
        assert_eq!((memory.refused(token(989)), memory.verified(token(989))), (None, None));
        assert!(memory.refused(token(990)).is_some() && memory.verified(token(990)).is_some());
    }

    #[test]
    fn what_was_told_is_known_again_and_apart_from_what_verified() {
        let mut memory = Memory::default();
        memory.recall(Vec::new(), 10);
        memory.verify(token(1), token(2), 10);
        (100..150).for_each(|number| memory.tell(token(number), 10));
        assert_eq!(memory.verified(token(1)), Some(token(2)), "a flood of told tokens takes no proof away");
        let notes: Vec<Note> =
            memory.take_notes().into_iter().filter(|note| matches!(note, Note::Verified(_, Some(_)))).collect();
        assert_eq!(notes.len(), 11);
        for again in [Memory::restore(memory.save()), {
            let mut again = Memory::default();
            again.recall_notes(notes, 10);
            again
        }] {
            assert_eq!(again.verified(token(1)), Some(token(2)));
            assert!(again.is_told(token(149)) && again.is_told(token(140)) && !again.is_told(token(139)));
            assert_eq!((again.verified(token(149)), again.is_told(token(1))), (None, false));
        }
    }

    #[test]
    fn what_was_saved_comes_back() {
        let mut memory = Memory::default();
        for n in 0..20 {
            memory.refuse(token(n % 7), START, Some(Signed::Good), 5);
            memory.verify(token(n), token(n + 1), 5);
            memory.note("SK1", n % 3 == 0, START);
        }
        let saved = memory.save();
        let json = serde_json::to_string(&saved).unwrap();
        let restored = Memory::restore(serde_json::from_str(&json).unwrap());
        assert_eq!(restored.save(), saved);
        assert_eq!(restored.refused(token(1)), memory.refused(token(1)));
        assert_eq!(restored.history("SK1", START, None), memory.history("SK1", START, None));
    }
}
