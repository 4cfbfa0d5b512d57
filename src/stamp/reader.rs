//! A text read from the left, in the pieces that times are made of.

use crate::time::Precision;

/// The rest of a text, and how exactly the clock in it was written.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) precision: Precision,
}

/// A narrow no-break space, which JavaScript writes before `PM`.
const NARROW_SPACE: &[u8] = "\u{202f}".as_bytes();

impl<'a> Reader<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest, precision: Precision::Second }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn any(&mut self, accepted: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        accepted.contains(&byte).then(|| {
            self.rest = rest;
            byte
        })
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.any(&[byte]).map(|_| ())
    }

    pub(super) fn skip_spaces(&mut self) {
        while self.any(b" ").is_some() {}
    }

    /// What stands between a date and its clock: one of these bytes, the end of a cell, or the key of another pair.
    pub(super) fn separate(&mut self, accepted: &[u8]) -> Option<()> {
        for between in [b"\",\"".as_slice(), b" time=", b"\" time=\""] {
            if let Some(rest) = self.rest.strip_prefix(between) {
                self.rest = rest;
                return Some(());
            }
        }
        let has_comma = self.any(b",").is_some();
        let is_separate = self.any(accepted).is_some() || has_comma;
        self.skip_spaces();
        is_separate.then_some(())
    }

    /// Exactly so many digits.
    pub(super) fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.rest.split_at_checked(digits)?;
        let number = head
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
        self.rest = rest;
        Some(number)
    }

    /// Two digits or one.
    pub(super) fn short_number(&mut self) -> Option<i64> {
        self.number(2).or_else(|| self.number(1))
    }

    /// Four digits that are all there are.
    pub(super) fn year(&mut self) -> Option<i64> {
        let mut ahead = *self;
        let year = ahead.number(4)?;
        let is_year = (1990..2100).contains(&year) && !ahead.peek().is_some_and(|byte| byte.is_ascii_alphanumeric());
        is_year.then(|| {
            *self = ahead;
            year
        })
    }

    /// `Mar`, `March`.
    pub(super) fn month(&mut self) -> Option<i64> {
        self.name(|start| {
            Some(match start {
                b"jan" => (1, "uary"),
                b"feb" => (2, "ruary"),
                b"mar" => (3, "ch"),
                b"apr" => (4, "il"),
                b"may" => (5, ""),
                b"jun" => (6, "e"),
                b"jul" => (7, "y"),
                b"aug" => (8, "ust"),
                b"sep" => (9, "tember"),
                b"oct" => (10, "ober"),
                b"nov" => (11, "ember"),
                b"dec" => (12, "ember"),
                _ => return None,
            })
        })
    }

    /// `Sun`, `Sunday`.
    pub(super) fn weekday(&mut self) -> Option<()> {
        self.name(|start| {
            Some(match start {
                b"mon" | b"fri" | b"sun" => ((), "day"),
                b"tue" => ((), "sday"),
                b"wed" => ((), "nesday"),
                b"thu" => ((), "rsday"),
                b"sat" => ((), "urday"),
                _ => return None,
            })
        })
    }

    /// A name, or its first three letters, by which it is known with the others that it has.
    fn name<T>(&mut self, known: fn(&[u8; 3]) -> Option<(T, &'static str)>) -> Option<T> {
        let (start, rest) = self.rest.split_first_chunk::<3>()?;
        let (name, others) = known(&start.map(|byte| byte.to_ascii_lowercase()))?;
        let is_whole = rest.get(..others.len()).is_some_and(|tail| tail.eq_ignore_ascii_case(others.as_bytes()));
        self.rest = if is_whole { rest.get(others.len()..)? } else { rest };
        Some(name)
    }

    /// `02:43:39`, `2:43:39 AM`, `3:04PM`, with a fraction after a point or comma; milliseconds of the day.
    pub(super) fn clock(&mut self) -> Option<i64> {
        let hour = self.short_number()?;
        let is_compact = self.any(b":").is_none();
        let minute = self.number(2)?;
        let has_seconds = is_compact || self.any(b":").is_some();
        let second = if has_seconds { self.number(2)? } else { 0 };
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let fraction = if has_seconds { self.fraction() } else { None };
        let half = self.half();
        self.precision = match (fraction, has_seconds) {
            (Some(_), _) => Precision::Millisecond,
            (None, true) => Precision::Second,
            // Only a clock of twelve hours is known for one without its seconds.
            (None, false) => half.map(|_| Precision::Minute)?,
        };
        let hour = match half {
            Some(Half::Am) => hour % 12,
            Some(Half::Pm) => hour % 12 + 12,
            None => hour,
        };
        Some(((hour * 60 + minute) * 60 + second.min(59)) * 1000 + fraction.unwrap_or(0))
    }

    /// `AM`, ` pm`.
    fn half(&mut self) -> Option<Half> {
        let mut ahead = *self;
        ahead.skip_spaces();
        ahead.rest = ahead.rest.strip_prefix(NARROW_SPACE).unwrap_or(ahead.rest);
        let (name, rest) = ahead.rest.split_first_chunk::<2>()?;
        let half = match name {
            b"AM" | b"am" => Half::Am,
            b"PM" | b"pm" => Half::Pm,
            _ => return None,
        };
        (!rest.first().is_some_and(u8::is_ascii_alphanumeric)).then(|| {
            self.rest = rest;
            half
        })
    }

    fn fraction(&mut self) -> Option<i64> {
        let mut ahead = *self;
        let mark = ahead.any(b".,:")?;
        let digits = ahead.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // `14:02:11:123` of WebSphere; not `14:02:11:12:…`
        if digits == 0 || (mark == b':' && (digits != 3 || ahead.rest.get(3) == Some(&b':'))) {
            return None;
        }
        let (mut millis, mut weight) = (0, 100);
        while let Some(digit) = ahead.number(1) {
            millis += digit * weight;
            weight /= 10;
        }
        *self = ahead;
        Some(millis)
    }

    /// `Z`, `+01:00`, `+0100`, ` -0800`, `UTC`, `GMT`, ` PST`; minutes east of UTC.
    pub(super) fn zone(&mut self) -> Option<i16> {
        let mut ahead = *self;
        let spaced = ahead.any(b" ").is_some();
        let minutes = match ahead.peek()? {
            b'Z' | b'z' => {
                ahead.any(b"Zz");
                let ends = !ahead.peek().is_some_and(|byte| byte.is_ascii_alphanumeric());
                ends.then_some(0)?
            }
            b'+' | b'-' => {
                let sign = if ahead.any(b"+-") == Some(b'-') { -1 } else { 1 };
                let hours = ahead.number(2)?;
                let colon = ahead.any(b":").is_some();
                let minutes = match ahead.number(2) {
                    Some(minutes) => minutes,
                    None if colon || spaced => return None,
                    None => 0,
                };
                let ends = !ahead.peek().is_some_and(|byte| byte.is_ascii_digit());
                (ends && hours <= 15 && minutes <= 59).then_some(sign * (hours * 60 + minutes))?
            }
            _ => {
                let length = ahead.rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
                let (name, rest) = ahead.rest.split_at_checked(length)?;
                let ends = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
                let (_, minutes) = NAMED_ZONES.iter().find(|(zone, _)| *zone == name).filter(|_| ends)?;
                ahead.rest = rest;
                // JavaScript's `GMT-0800`
                match ahead.peek() {
                    Some(b'+' | b'-') if *minutes == 0 => ahead.zone().map_or(0, i64::from),
                    _ => *minutes,
                }
            }
        };
        self.rest = ahead.rest;
        i16::try_from(minutes).ok()
    }
}

/// Zones by the names that `date`, databases and Java print, in minutes east of UTC. Of those that several countries use,
/// the largest one's: `CST` in America, `IST` in India, `BST` in Britain.
const NAMED_ZONES: [(&[u8], i64); 31] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"WET", 0),
    (b"BST", 60),
    (b"WEST", 60),
    (b"CET", 60),
    (b"CEST", 120),
    (b"EET", 120),
    (b"SAST", 120),
    (b"EEST", 180),
    (b"MSK", 180),
    (b"PKT", 300),
    (b"IST", 330),
    (b"WIB", 420),
    (b"HKT", 480),
    (b"SGT", 480),
    (b"AWST", 480),
    (b"JST", 540),
    (b"KST", 540),
    (b"AEST", 600),
    (b"AEDT", 660),
    (b"NZST", 720),
    (b"NZDT", 780),
    (b"EST", -300),
    (b"EDT", -240),
    (b"CST", -360),
    (b"CDT", -300),
    (b"MST", -420),
    (b"MDT", -360),
    (b"PST", -480),
    (b"PDT", -420),
];

/// A half of a day.
#[derive(Clone, Copy)]
enum Half {
    Am,
    Pm,
}
