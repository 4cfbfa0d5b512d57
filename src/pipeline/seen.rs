//! The events that were counted, so that each counts once whichever channels bring it and however often.
//!
//! Plain state: a store saves what is new with [`Seen::since`] and [`Seen::first`], and gives it back with
//! [`Seen::restore`]. Kept are [`KEPT_DAYS`] days, one more than Twilio can look back; the number is limited too, and the
//! oldest go first.
//!
//! Events lie in generations of a fixed size, each with its own table of places, which is given back as a whole when all
//! of its events are forgotten: nothing is copied when there are more, and an event takes less than 20 bytes.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::time::UnixTime;

/// How long an event is remembered, in days: Twilio serves alerts for 30.
pub const KEPT_DAYS: u32 = 31;
/// Events remembered at the most, some 20 bytes each: more than 22 a minute for [`KEPT_DAYS`] days.
pub const SEEN_MAX: usize = 1_000_000;
/// Events of one generation: what a table of 65,536 places holds.
const GENERATION: usize = 57_344;

/// The SID of an event of Twilio's Debugger: `NO` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventSid([u8; 16]);

impl EventSid {
    /// Reads `NO…`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("NO")?.as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let pairs: &[[u8; 2]; 16] = pairs.try_into().ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The sixteen bytes behind the digits, for a store.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// What [`Self::bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl std::fmt::Display for EventSid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NO")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for EventSid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// One event that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub sid: EventSid,
    /// When it was counted, in days since 1970.
    pub day: u32,
}

/// The events that were counted, oldest first. Each has a number that is never used again.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Number of the oldest event that is remembered.
    first: u64,
    /// Number of the first event of the first generation.
    origin: u64,
    /// All but the last are full.
    generations: VecDeque<Generation>,
    /// The number of the first event that was counted on a day, and that day, in the order of the numbers.
    days: VecDeque<(u64, u32)>,
    hashes: DefaultHashBuilder,
    /// Events forgotten before their time because there were too many.
    crowded_out: u64,
    max: usize,
}

/// [`GENERATION`] events that follow each other.
#[derive(Clone, Debug)]
struct Generation {
    sids: Vec<EventSid>,
    /// Places in `sids`, by the hash of what is there.
    places: HashTable<u16>,
}

impl Generation {
    fn new() -> Self {
        Self { sids: Vec::with_capacity(GENERATION), places: HashTable::with_capacity(GENERATION) }
    }

    fn is_full(&self) -> bool {
        self.sids.len() >= GENERATION
    }

    /// Whether an event is at this place or a later one.
    fn contains(&self, sid: EventSid, hash: u64, from: usize) -> bool {
        let is_it = |place: &u16| usize::from(*place) >= from && self.sids.get(usize::from(*place)) == Some(&sid);
        self.places.find(hash, is_it).is_some()
    }

    fn push(&mut self, sid: EventSid, hashes: &DefaultHashBuilder) {
        let Ok(place) = u16::try_from(self.sids.len()) else { return };
        self.sids.push(sid);
        let sids = &self.sids;
        let rehash = |place: &u16| sids.get(usize::from(*place)).map_or(0, |sid| hashes.hash_one(sid));
        self.places.insert_unique(hashes.hash_one(sid), place, rehash);
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            first: 0,
            origin: 0,
            generations: VecDeque::new(),
            days: VecDeque::new(),
            hashes: DefaultHashBuilder::default(),
            crowded_out: 0,
            max: SEEN_MAX,
        }
    }
}

impl Seen {
    /// What a store kept: the number of the first entry, and the entries in their order.
    pub fn restore(first: u64, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut seen = Self { first, origin: first, ..Self::default() };
        for entry in entries {
            seen.insert(entry);
        }
        seen
    }

    /// The number of the oldest entry: those before it can be deleted.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next entry gets.
    pub fn next(&self) -> u64 {
        let full = self.generations.len().saturating_sub(1) * GENERATION;
        self.origin + (full + self.generations.back().map_or(0, |last| last.sids.len())) as u64
    }

    /// The entries with this number and later ones.
    pub fn since(&self, number: u64) -> impl Iterator<Item = (u64, Entry)> + '_ {
        (number.max(self.first)..self.next()).filter_map(|number| Some((number, self.entry(number)?)))
    }

    fn entry(&self, number: u64) -> Option<Entry> {
        let place = usize::try_from(number.checked_sub(self.origin)?).ok()?;
        let sid = *self.generations.get(place / GENERATION)?.sids.get(place % GENERATION)?;
        let after = self.days.partition_point(|(from, _)| *from <= number);
        Some(Entry { sid, day: self.days.get(after.checked_sub(1)?)?.1 })
    }

    /// Events forgotten before their time because there were too many of them.
    pub const fn crowded_out(&self) -> u64 {
        self.crowded_out
    }

    /// Whether this event was counted.
    pub fn contains(&self, sid: EventSid) -> bool {
        let hash = self.hashes.hash_one(sid);
        // The places before it, all of the first generation, are of forgotten ones.
        let mut from = usize::try_from(self.first - self.origin).unwrap_or(usize::MAX);
        self.generations.iter().any(|generation| generation.contains(sid, hash, std::mem::take(&mut from)))
    }

    /// Notes an event; `false` if it was counted before.
    pub fn note(&mut self, sid: EventSid, now: UnixTime) -> bool {
        let day = u32::try_from(now.as_seconds().div_euclid(86_400)).unwrap_or(0);
        // A clock that is set back must not keep entries for ever, so the order is that of arrival.
        while self.days.front().is_some_and(|(_, oldest)| oldest.saturating_add(KEPT_DAYS) < day) {
            self.forget();
        }
        self.insert(Entry { sid, day })
    }

    fn insert(&mut self, entry: Entry) -> bool {
        if self.contains(entry.sid) {
            return false;
        }
        let number = self.next();
        if number - self.first >= self.max as u64 {
            self.forget();
            self.crowded_out += 1;
        }
        if self.days.back().is_none_or(|(_, day)| *day != entry.day) {
            self.days.push_back((number, entry.day));
        }
        if self.generations.back().is_none_or(Generation::is_full) {
            self.generations.push_back(Generation::new());
        }
        if let Some(last) = self.generations.back_mut() {
            last.push(entry.sid, &self.hashes);
        }
        true
    }

    fn forget(&mut self) {
        let next = self.next();
        self.first += 1;
        let after = self.days.get(1).map_or(next, |(from, _)| *from);
        if self.first >= after {
            self.days.pop_front();
        }
        if self.first - self.origin >= GENERATION as u64 {
            self.generations.pop_front();
            self.origin += GENERATION as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn sid(number: u64) -> EventSid {
        EventSid::parse(&format!("NO{number:032x}")).unwrap()
    }

    fn at(day: i64) -> UnixTime {
        UnixTime::from_seconds(20_000 * DAY + day * DAY)
    }

    #[test]
    fn a_sid_is_two_letters_and_32_hexadecimal_digits() {
        let text = "NO0123456789abcdef0123456789abcdef";
        assert_eq!(EventSid::parse(text).unwrap().to_string(), text);
        assert_eq!(EventSid::parse(&text.replace("abc", "ABC")), EventSid::parse(text));
        for other in [
            "",
            "NO",
            "AC0123456789abcdef0123456789abcdef",
            "NO0123456789abcdef0123456789abcde",
            &format!("{text}0"),
            "NO+1",
        ] {
            assert_eq!(EventSid::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_event_is_new_once_for_31_days() {
        let mut seen = Seen::default();
        assert!(seen.note(sid(1), at(0)));
        assert!(!seen.note(sid(1), at(0)));
        assert!(!seen.note(sid(1), at(31)));
        assert!(seen.note(sid(1), at(32)));
        assert_eq!((seen.first(), seen.next()), (1, 2));
    }

    #[test]
    fn what_a_store_keeps_is_given_back() {
        let mut seen = Seen::default();
        (0..5).for_each(|number| _ = seen.note(sid(number), at(0)));
        let saved: Vec<_> = seen.since(0).collect();
        seen.note(sid(9), at(40));
        assert_eq!(seen.since(5).map(|(number, _)| number).collect::<Vec<_>>(), [5]);
        assert_eq!(seen.first(), 5);
        let mut restored = Seen::restore(saved[0].0, saved.iter().map(|(_, entry)| *entry));
        assert_eq!((restored.first(), restored.next()), (0, 5));
        assert!(!restored.note(sid(3), at(1)));
        assert!(restored.note(sid(5), at(1)));
    }

    #[test]
    fn a_flood_forgets_the_oldest_and_says_so() {
        let mut seen = Seen { max: 10, ..Seen::default() };
        for number in 0..13 {
            seen.note(sid(number), at(0));
        }
        assert_eq!((seen.crowded_out(), seen.first(), seen.next()), (3, 3, 13));
        assert!(!seen.contains(sid(2)) && seen.contains(sid(3)));
        // What was forgotten is new again, though its generation is still there.
        assert!(seen.note(sid(2), at(0)) && !seen.note(sid(2), at(0)) && !seen.contains(sid(3)));
    }

    #[test]
    fn generations_are_given_back_and_numbers_go_on() {
        let size = GENERATION as u64;
        let mut seen = Seen { max: 2 * GENERATION, ..Seen::default() };
        let day = |number: u64| i64::try_from(number / (size / 2)).unwrap();
        for number in 0..5 * size {
            assert!(seen.note(sid(number), at(day(number))));
        }
        assert_eq!((seen.first(), seen.next(), seen.generations.len()), (3 * size, 5 * size, 2));
        let expected = (3 * size..5 * size).map(|number| {
            let day = u32::try_from(20_000 + day(number)).unwrap();
            (number, Entry { sid: sid(number), day })
        });
        assert!(seen.since(0).eq(expected));
        assert_eq!(seen.since(5 * size - 1).count(), 1);
        let all: Vec<_> = seen.since(0).map(|(_, entry)| entry).collect();
        let restored = Seen::restore(seen.first(), all);
        assert!(restored.since(0).eq(seen.since(0)));
        assert!(!restored.contains(sid(3 * size - 1)) && restored.contains(sid(3 * size)));
        // All of them are forgotten after their time.
        assert!(seen.note(sid(1), at(100)) && !seen.contains(sid(5 * size - 1)));
        assert_eq!((seen.first(), seen.next(), seen.generations.len()), (5 * size, 5 * size + 1, 1));
    }

    #[test]
    fn an_event_takes_less_than_20_bytes() {
        let generation = Generation::new();
        let bytes = generation.places.allocation_size() + generation.sids.capacity() * size_of::<EventSid>();
        assert!(bytes < 20 * GENERATION, "{bytes}");
    }
}
