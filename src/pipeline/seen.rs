//! The events that were counted, so that each counts once whichever channels bring it and however often.
//!
//! Plain state: a store saves what is new with [`Seen::since`] and [`Seen::first`], and gives it back with
//! [`Seen::restore`]. Kept are [`KEPT_DAYS`] days, one more than Twilio can look back; the number is limited too, and the
//! oldest go first.

use std::collections::VecDeque;

use hashbrown::HashSet;

use crate::time::UnixTime;

/// How long an event is remembered, in days: Twilio serves alerts for 30.
pub const KEPT_DAYS: u32 = 31;
/// Events remembered at the most, some 50 bytes each: more than 22 a minute for [`KEPT_DAYS`] days.
pub const SEEN_MAX: usize = 1_000_000;

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
    first: u64,
    entries: VecDeque<Entry>,
    known: HashSet<EventSid>,
    /// Events forgotten before their time because there were too many.
    crowded_out: u64,
    max: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { first: 0, entries: VecDeque::new(), known: HashSet::new(), crowded_out: 0, max: SEEN_MAX }
    }
}

impl Seen {
    /// What a store kept: the number of the first entry, and the entries in their order.
    pub fn restore(first: u64, entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut seen = Self { first, ..Self::default() };
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
        self.first.saturating_add(self.entries.len() as u64)
    }

    /// The entries with this number and later ones.
    pub fn since(&self, number: u64) -> impl Iterator<Item = (u64, Entry)> + '_ {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let numbers = self.first..;
        numbers.zip(self.entries.iter().copied()).skip(skipped)
    }

    /// Events forgotten before their time because there were too many of them.
    pub const fn crowded_out(&self) -> u64 {
        self.crowded_out
    }

    /// Whether this event was counted.
    pub fn contains(&self, sid: EventSid) -> bool {
        self.known.contains(&sid)
    }

    /// Notes an event; `false` if it was counted before.
    pub fn note(&mut self, sid: EventSid, now: UnixTime) -> bool {
        let day = u32::try_from(now.as_seconds().div_euclid(86_400)).unwrap_or(0);
        // A clock that is set back must not keep entries for ever, so the order is that of arrival.
        while self.entries.front().is_some_and(|oldest| oldest.day.saturating_add(KEPT_DAYS) < day) {
            self.forget();
        }
        self.insert(Entry { sid, day })
    }

    fn insert(&mut self, entry: Entry) -> bool {
        if !self.known.insert(entry.sid) {
            return false;
        }
        if self.entries.len() >= self.max {
            self.forget();
            self.crowded_out += 1;
        }
        self.entries.push_back(entry);
        true
    }

    fn forget(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.known.remove(&oldest.sid);
            self.first += 1;
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
        assert_eq!((seen.crowded_out(), seen.first(), seen.entries.len()), (3, 3, 10));
        assert!(!seen.contains(sid(2)) && seen.contains(sid(3)));
    }
}
