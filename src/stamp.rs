//! The time that a log line carries, in the usual formats and zones.
//!
//! Reads only: which time judges a token is decided by [`crate::pipeline`]. A time without a zone is in the stream's
//! zone; a missing year is the one that puts the time nearest a given one.

mod epoch;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::time::UnixTime;

pub use epoch::{epoch, leading_epoch, may_be_written};

/// How far into a line of text a time is looked for, in bytes.
const SEARCH_BYTES: usize = 160;

/// What completes an incomplete time.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Zone of times without one.
    pub zone: TimeZone,
    /// Times without a year are put as near as possible to this one.
    pub near: UnixTime,
}

/// A zone by its name in the database of zones; UTC, which most logs are in, without looking into the database.
///
/// # Errors
/// The name is not in the system's database.
pub fn zone(name: &str) -> Result<TimeZone, jiff::Error> {
    if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name) }
}

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    millis_of_day: i64,
    year: Option<i16>,
    month: i8,
    day: i8,
    /// Minutes east of UTC, where the line says so.
    offset_minutes: Option<i16>,
    /// No fraction of a second.
    is_whole: bool,
}

impl Stamp {
    /// The line itself says the zone.
    pub const fn is_zoned(&self) -> bool {
        self.offset_minutes.is_some()
    }

    /// Written to the second: what it marks happened within the second that begins then.
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The point in time that is meant.
    pub fn complete(&self, completion: &Completion) -> Option<UnixTime> {
        if let Some(year) = self.year {
            self.in_year(year, completion)
        } else {
            let around = crate::time::civil_from_days(completion.near.as_seconds().div_euclid(86_400)).0;
            (around - 1..=around + 1)
                .filter_map(|year| self.in_year(i16::try_from(year).ok()?, completion))
                .min_by_key(|time| time.millis_since(completion.near).abs())
        }
    }

    fn in_year(&self, year: i16, completion: &Completion) -> Option<UnixTime> {
        if let Some(minutes) = self.offset_minutes {
            let date = Date::new(year, self.month, self.day).ok()?;
            let days = crate::time::days_from_civil(date.year().into(), date.month().into(), date.day().into());
            return Some(UnixTime::from_millis(days * 86_400_000 + self.millis_of_day - i64::from(minutes) * 60_000));
        }
        let millis = self.millis_of_day;
        let time = Time::new(
            i8::try_from(millis / 3_600_000).ok()?,
            i8::try_from(millis / 60_000 % 60).ok()?,
            i8::try_from(millis / 1000 % 60).ok()?,
            i32::try_from(millis % 1000 * 1_000_000).ok()?,
        )
        .ok()?;
        let local = DateTime::from_parts(Date::new(year, self.month, self.day).ok()?, time);
        Some(UnixTime::from_millis(completion.zone.to_timestamp(local).ok()?.as_millisecond()))
    }
}

/// The first time in the first bytes of a line of text.
pub fn find(text: &[u8]) -> Option<Stamp> {
    let head = text.get(..SEARCH_BYTES).unwrap_or(text);
    let mut before = b' ';
    let mut rest = head;
    while let Some((&byte, tail)) = rest.split_first() {
        let starts_word = !before.is_ascii_alphanumeric() && before != b'.' && before != b':';
        if (starts_word && byte.is_ascii_alphanumeric() || starts_after_level(before, byte))
            && let Some(stamp) = read(rest)
        {
            return Some(stamp);
        }
        before = byte;
        rest = tail;
    }
    None
}

/// klog writes the level right before the date: `E0312 16:48:14.069123`.
const fn starts_after_level(before: u8, byte: u8) -> bool {
    matches!(before, b'I' | b'W' | b'E' | b'F') && byte.is_ascii_digit()
}

/// A time at the very start of `text`.
pub fn read(text: &[u8]) -> Option<Stamp> {
    let first = *text.first()?;
    if first.is_ascii_alphabetic() {
        return month_first(text).or_else(|| weekday_first(text));
    }
    year_first(text)
        .or_else(|| day_first(text))
        .or_else(|| month_day(text))
        .or_else(|| klog(text))
        .or_else(|| dotted(text))
}

/// `2026-11-24T02:43:39.228Z`, `2026-11-24 02:43:39,228 +0100`, `2026/11/24 02:43:39`, `20261124T024339Z`.
fn year_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let year = at.number(4)?;
    let separator = at.peek();
    let (month, day) = match separator {
        Some(byte @ (b'-' | b'/' | b'.')) => {
            at.expect(byte)?;
            let month = at.number(2)?;
            at.expect(byte)?;
            (month, at.number(2)?)
        }
        _ => (at.number(2)?, at.number(2)?),
    };
    at.any(b"T t_")?;
    at.skip_spaces();
    let millis = at.clock()?;
    Stamp::new(Some(year), month, day, millis, at.zone(), at.1)
}

/// `01/Mar/2026:12:00:00 +0000` (access logs), `24 Nov 2026 02:43:39`, `24-Nov-2026 02:43:39`.
fn day_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let day = at.number(2).or_else(|| at.number(1))?;
    at.any(b"/ -")?;
    let month = at.month()?;
    at.any(b"/ -")?;
    let year = at.number(4)?;
    at.any(b": T")?;
    let millis = at.clock()?;
    Stamp::new(Some(year), month, day, millis, at.zone(), at.1)
}

/// `11-28 15:28:06.892` (logcat), `03/12/09:57:07.515` (native SDKs), `11/24/2026, 2:36:35 AM`.
fn month_day(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let month = at.number(2).or_else(|| at.number(1))?;
    let separator = at.any(b"-/")?;
    let day = at.number(2).or_else(|| at.number(1))?;
    if separator == b'/' && at.any(b"/").is_some() {
        if let Some(year) = at.number(4) {
            at.any(b",");
            at.skip_spaces();
            let millis = at.clock_of_twelve()?;
            return Stamp::new(Some(year), month, day, millis, None, at.1);
        }
    } else {
        at.any(b" ")?;
    }
    let millis = at.clock()?;
    Stamp::new(None, month, day, millis, at.zone(), at.1)
}

/// `0312 16:48:14.069123`.
fn klog(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let (month, day) = (at.number(2)?, at.number(2)?);
    at.expect(b' ')?;
    let millis = at.clock()?;
    Stamp::new(None, month, day, millis, None, at.1)
}

/// `24.11.2026 02:43:39,228`: with dots the day comes first.
fn dotted(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let day = at.number(2)?;
    at.expect(b'.')?;
    let month = at.number(2)?;
    at.expect(b'.')?;
    let year = at.number(4)?;
    at.any(b",");
    at.any(b" T")?;
    let millis = at.clock()?;
    Stamp::new(Some(year), month, day, millis, at.zone(), at.1)
}

/// `Nov 24 02:36:35` (syslog), `Nov 24, 2026 2:36:35 AM` (java.util.logging), `Nov 24, 2026 @ 02:36:35.000` (Kibana).
fn month_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader(text, false);
    let month = at.month()?;
    at.expect(b' ')?;
    at.skip_spaces();
    let day = at.number(2).or_else(|| at.number(1))?;
    let comma = at.any(b",").is_some();
    at.expect(b' ')?;
    at.skip_spaces();
    if comma || at.0.get(4) == Some(&b' ') {
        let year = at.number(4)?;
        at.skip_spaces();
        at.any(b"@");
        at.skip_spaces();
        let millis = at.clock_of_twelve()?;
        return Stamp::new(Some(year), month, day, millis, at.zone(), at.1);
    }
    let millis = at.clock()?;
    let zone = at.zone();
    at.skip_spaces();
    let year = at.number(4).filter(|_| !at.peek().is_some_and(|byte| byte.is_ascii_alphanumeric()));
    let year = year.filter(|year| (1990..2100).contains(year));
    Stamp::new(year, month, day, millis, zone, at.1)
}

/// `Tue Nov 24 02:36:35 2026`, `Tue, 24 Nov 2026 02:36:35 GMT`.
fn weekday_first(text: &[u8]) -> Option<Stamp> {
    const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let (day, rest) = text.split_first_chunk::<3>()?;
    if !DAYS.contains(&day) {
        return None;
    }
    let mut at = Reader(rest, false);
    at.any(b",");
    at.expect(b' ')?;
    month_first(at.0).or_else(|| day_first(at.0))
}

impl Stamp {
    fn new(
        year: Option<i64>,
        month: i64,
        day: i64,
        millis: i64,
        offset_minutes: Option<i16>,
        has_fraction: bool,
    ) -> Option<Self> {
        let plausible = (1..=12).contains(&month) && (1..=31).contains(&day);
        let year = match year {
            Some(year) if (1970..=2200).contains(&year) => Some(i16::try_from(year).ok()?),
            Some(_) => return None,
            None => None,
        };
        plausible.then_some(Self {
            millis_of_day: millis,
            year,
            month: i8::try_from(month).ok()?,
            day: i8::try_from(day).ok()?,
            offset_minutes,
            is_whole: !has_fraction,
        })
    }
}

/// The rest of a text, read from the left, and whether a fraction of a second has been read.
struct Reader<'a>(&'a [u8], bool);

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn any(&mut self, accepted: &[u8]) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        accepted.contains(&byte).then(|| {
            self.0 = rest;
            byte
        })
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.any(&[byte]).map(|_| ())
    }

    fn skip_spaces(&mut self) {
        while self.any(b" ").is_some() {}
    }

    /// Exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let number = head
            .iter()
            .try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    fn month(&mut self) -> Option<i64> {
        const MONTHS: [&[u8; 3]; 12] =
            [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
        let (name, rest) = self.0.split_first_chunk::<3>()?;
        let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(*month))?;
        self.0 = rest;
        i64::try_from(at + 1).ok()
    }

    /// `02:43:39`, with a fraction after a point or comma; milliseconds of the day.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.number(2).or_else(|| self.number(1))?;
        let compact = self.any(b":").is_none();
        let minute = self.number(2)?;
        let second = if compact {
            self.number(2)?
        } else {
            self.expect(b':')?;
            self.number(2)?
        };
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let millis = ((hour * 60 + minute) * 60 + second.min(59)) * 1000;
        Some(millis + self.fraction())
    }

    /// `2:36:35 AM` or a 24-hour clock.
    fn clock_of_twelve(&mut self) -> Option<i64> {
        let millis = self.clock()?;
        let mut ahead = Reader(self.0, false);
        ahead.skip_spaces();
        let Some((half, rest)) = ahead.0.split_first_chunk::<2>() else { return Some(millis) };
        let hour = millis / 3_600_000;
        let millis = if half.eq_ignore_ascii_case(b"AM") {
            if hour == 12 { millis - 12 * 3_600_000 } else { millis }
        } else if half.eq_ignore_ascii_case(b"PM") {
            if hour == 12 { millis } else { millis + 12 * 3_600_000 }
        } else {
            return Some(millis);
        };
        self.0 = rest;
        Some(millis)
    }

    fn fraction(&mut self) -> i64 {
        let mut ahead = Reader(self.0, false);
        if ahead.any(b".,").is_none() || !ahead.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return 0;
        }
        let (mut millis, mut weight) = (0, 100);
        while let Some(digit) = ahead.number(1) {
            millis += digit * weight;
            weight /= 10;
        }
        *self = Reader(ahead.0, true);
        millis
    }

    /// `Z`, `+01:00`, `+0100`, ` -0800`, `UTC`, `GMT`; minutes east of UTC.
    fn zone(&mut self) -> Option<i16> {
        let mut ahead = Reader(self.0, false);
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
                let (name, rest) = ahead.0.split_first_chunk::<3>()?;
                if name != b"UTC" && name != b"GMT" {
                    return None;
                }
                ahead.0 = rest;
                // JavaScript's `GMT-0800`
                match ahead.peek() {
                    Some(b'+' | b'-') => ahead.zone().map_or(0, i64::from),
                    _ => 0,
                }
            }
        };
        self.0 = ahead.0;
        i16::try_from(minutes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion(zone: &str) -> Completion {
        Completion { zone: TimeZone::get(zone).unwrap(), near: UnixTime::parse("2026-01-10T00:00:00Z").unwrap() }
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let found = find(line.as_bytes()).and_then(|stamp| stamp.complete(&completion("UTC")));
        assert_eq!(found.map_or("none".to_owned(), |time| time.to_string()), expected, "{line}");
    }

    #[test]
    fn the_usual_formats_are_read() {
        check("2026-11-24T02:43:39.228Z Twilsock W: Init", "2026-11-24T02:43:39.228Z");
        check("2026-11-24 02:43:39,228 ERROR [main] c.e.Gateway - x", "2026-11-24T02:43:39.228Z");
        check("2026-11-24T02:43:39+01:00 x", "2026-11-24T01:43:39Z");
        check("24.11.2026 02:43:39,228 x", "2026-11-24T02:43:39.228Z");
        check("24.11.2026, 02:43:39 x", "2026-11-24T02:43:39Z");
        check("24.13.2026 02:43:39 x", "none");
        check("version 24.11.2026 x", "none");
        check("Nov 24, 2026 @ 02:43:39.228", "2026-11-24T02:43:39.228Z");
        check("2018-03-12 09:57:07.517080-0700 ChatQuickstart[36885:11843149]", "2018-03-12T16:57:07.517Z");
        check("[2019-03-12 16:48:14.069] [rtd] [WARNING]", "2019-03-12T16:48:14.069Z");
        check("2026/03/01 12:00:00 [error] 1#1: *7", "2026-03-01T12:00:00Z");
        check("10.2.3.7 - - [01/Mar/2026:12:00:05 +0000] \"POST /x\"", "2026-03-01T12:00:05Z");
        check("Tue Nov 24 02:36:35 2026 x", "2026-11-24T02:36:35Z");
        check("Tue, 24 Nov 2026 02:36:35 GMT x", "2026-11-24T02:36:35Z");
        check("11/24/2026, 2:36:35 PM x", "2026-11-24T14:36:35Z");
        check("Nov 24, 2026 12:36:35 AM x", "2026-11-24T00:36:35Z");
        check("Nov 24 2026 02:36:35 GMT+0100    error", "2026-11-24T01:36:35Z");
        check("20261124T024339Z x", "2026-11-24T02:43:39Z");
        check("I, [2026-11-24T02:43:39.123456 #12]  INFO -- : x", "2026-11-24T02:43:39.123Z");
    }

    #[test]
    fn a_missing_year_is_the_nearest() {
        check("Dec 31 23:59:59 host app[1]: x", "2025-12-31T23:59:59Z");
        check("Jan  2 00:00:01 host app[1]: x", "2026-01-02T00:00:01Z");
        check("12-28 15:28:06.892 6320-9244/com.app D/OkHttp: x", "2025-12-28T15:28:06.892Z");
        check("E0112 16:48:14.069123       1 main.go:1] x", "2026-01-12T16:48:14.069Z");
    }

    #[test]
    fn a_time_without_a_zone_is_in_the_given_zone() {
        let stamp = find(b"2026-07-01 12:00:00 x").unwrap();
        let time = stamp.complete(&completion("Europe/Berlin")).unwrap();
        assert_eq!(time.to_string(), "2026-07-01T10:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for line in ["order 51007 from 10.0.0.1:8080", "99-99 99:99:99", "2026-13-41T00:00:00Z", "", "12:00:00 x"] {
            check(line, "none");
        }
    }
}
