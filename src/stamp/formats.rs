//! The formats: dates in every order, and times of day alone.

use super::reader::Reader;
use super::{Calendar, Order, Stamp};
use crate::time::Precision;

/// How far into a line of text a time is looked for, in bytes.
const SEARCH_BYTES: usize = 160;
/// Words with which lines begin.
const LEVELS: [&[u8]; 9] =
    [b"trace", b"debug", b"info", b"notice", b"warn", b"warning", b"error", b"fatal", b"critical"];
/// A name in brackets before a time of day is no longer, in bytes.
const NAME_BYTES_MAX: usize = 40;

/// The time of a line of text: a time of day with which it begins, else the first time with a date in its first bytes.
/// Elsewhere a time of day is what the message tells of.
pub fn find(text: &[u8]) -> Option<Stamp> {
    let head = text.get(..SEARCH_BYTES).unwrap_or(text);
    let Some((stamp, rest)) = leading_clock(head) else { return behind_colons(head).or_else(|| first_dated(head)) };
    // `[14:02:11] 2026-03-01T14:02:11.123Z …`: the second one is the fuller.
    let inner = rest.iter().position(|byte| !b"]) \t|".contains(byte)).and_then(|at| rest.get(at..));
    inner.and_then(read).or(Some(stamp))
}

/// A text begins with a time.
pub fn begins(text: &[u8]) -> bool {
    read(text).is_some() || clock(text).is_some()
}

/// A time that is the whole value of a field, or its beginning.
pub fn of_value(text: &[u8]) -> Option<Stamp> {
    read(text).or_else(|| clock(text).map(|(stamp, _)| stamp))
}

/// `DEBUG:2026-11-24 02:43:39,228:urllib3`, `ERROR:app.chat:2026-11-24 …`: a level and a name, each with its colon.
fn behind_colons(head: &[u8]) -> Option<Stamp> {
    let end = head.iter().take(8).position(|byte| *byte == b':')?;
    let (level, mut rest) = head.split_at_checked(end)?;
    if !LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known)) {
        return None;
    }
    rest = rest.get(1..)?;
    if rest.first()?.is_ascii_alphabetic() {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let name = rest.iter().take_while(|byte| is_name(byte)).count();
        rest = rest.get(name..)?.strip_prefix(b":")?;
    }
    year_first(rest)
}

fn first_dated(head: &[u8]) -> Option<Stamp> {
    let mut before = b' ';
    let mut rest = head;
    while let Some((&byte, tail)) = rest.split_first() {
        let starts_word = !before.is_ascii_alphanumeric() && before != b'.' && before != b':';
        if (starts_word && byte.is_ascii_alphanumeric() || starts_after_level(before, byte))
            && let Some(stamp) = read(rest)
        {
            return finer_behind(rest).filter(|_| stamp.precision == Precision::Second).or(Some(stamp));
        }
        if before == b':'
            && byte.is_ascii_digit()
            && let Some(stamp) = chromium(rest)
        {
            return Some(stamp);
        }
        before = byte;
        rest = tail;
    }
    None
}

/// `2026-03-01 10:00:00 +00:00: 2026-03-01T10:00:00.995Z …`: what a collector put before a line is to the second, and the
/// line's own time is more exact.
fn finer_behind(text: &[u8]) -> Option<Stamp> {
    /// How far behind the beginning of a time to the second another one may begin, in bytes.
    const BEGINNINGS: std::ops::RangeInclusive<usize> = 17..=32;
    let begins = |at: &usize| text.get(at - 1).is_some_and(|before| b" \t[|".contains(before));
    let at = BEGINNINGS.filter(begins).find(|at| text.get(*at).is_some_and(u8::is_ascii_digit))?;
    let is_apart = text.get(..at)?.iter().any(u8::is_ascii_lowercase);
    let stamp = read(text.get(at..)?).filter(|_| !is_apart)?;
    (stamp.is_zoned() && stamp.precision == Precision::Millisecond).then_some(stamp)
}

/// klog writes the level right before the date: `E0312 16:48:14.069123`.
const fn starts_after_level(before: u8, byte: u8) -> bool {
    matches!(before, b'I' | b'W' | b'E' | b'F') && byte.is_ascii_digit()
}

/// A time with a date at the very start of `text`.
pub fn read(text: &[u8]) -> Option<Stamp> {
    let first = *text.first()?;
    if first.is_ascii_alphabetic() {
        return month_first(text).or_else(|| weekday_first(text));
    }
    if !first.is_ascii_digit() {
        return None;
    }
    year_first(text)
        .or_else(|| without_marks(text))
        .or_else(|| day_first(text))
        .or_else(|| month_day(text))
        .or_else(|| klog(text))
        .or_else(|| dotted(text))
}

/// A time of day with which a line begins: alone, in brackets, or behind levels and names in brackets. Gives what follows.
fn leading_clock(text: &[u8]) -> Option<(Stamp, &[u8])> {
    const WORDS_MAX: usize = 3;
    let mut rest = text;
    for _ in 0..=WORDS_MAX {
        rest = rest.trim_ascii_start();
        let inside = rest.strip_prefix(b"[").or_else(|| rest.strip_prefix(b"(")).unwrap_or(rest);
        if inside.first()?.is_ascii_digit() {
            return clock(inside);
        }
        rest = behind_name(rest)?;
    }
    None
}

/// What follows a level, or a name in brackets.
fn behind_name(text: &[u8]) -> Option<&[u8]> {
    if let Some(inside) = text.strip_prefix(b"[") {
        let end = inside.iter().take(NAME_BYTES_MAX).position(|byte| *byte == b']')?;
        return inside.get(end + 1..);
    }
    let length = text.iter().position(|byte| !byte.is_ascii_alphabetic())?;
    let word = text.get(..length)?;
    let is_level =
        word.iter().all(u8::is_ascii_uppercase) || LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    let rest = text.get(length..)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    (is_level && (1..=8).contains(&length) && rest.starts_with(b" ")).then_some(rest)
}

/// `14:02:11`, `14:02:11,123`, `2:02:11 PM`, `3:04PM`, and what follows.
fn clock(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let mut at = Reader::new(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=2).contains(&digits) || text.get(digits) != Some(&b':') {
        return None;
    }
    let millis = at.clock()?;
    let clock = text.get(..text.len() - at.rest.len())?;
    let has_half = clock.ends_with(b"M") || clock.ends_with(b"m");
    let offset_minutes = at.zone();
    let ends = at.peek().is_none_or(|byte| b" \t]),|;>".contains(&byte));
    // `1:02:03` may be how long something took.
    (ends && (digits == 2 || has_half))
        .then_some((Stamp { date: None, millis_of_day: millis, offset_minutes, precision: at.precision }, at.rest))
}

/// `2026-11-24T02:43:39.228Z`, `2026-11-24 02:43:39,228 +0100`, `2026/11/24 02:43:39`, `20261124T024339Z`,
/// `2026-11-24, 02:43:39 UTC`, `2026/3/1 14:02:11`, `"2026-11-24","02:43:39"` and `date=2026-11-24 time=02:43:39`.
fn year_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let year = at.number(4)?;
    let (month, day) = match at.peek() {
        Some(byte @ (b'-' | b'/' | b'.')) => {
            at.expect(byte)?;
            // `2026-Mar-01`
            let month = at.short_number().or_else(|| at.month())?;
            at.expect(byte)?;
            (month, at.short_number()?)
        }
        _ => (at.number(2)?, at.number(2)?),
    };
    at.separate(b"T t_:|\t-")?;
    let millis = at.clock()?;
    stamp(Some(year), (month, day), millis, &mut at)
}

/// `20261124024339`, `261124 02:43:39` (Tornado, MySQL) and `2026年11月24日 02:43:39`.
fn without_marks(text: &[u8]) -> Option<Stamp> {
    const FIRST_YEAR: i64 = 2010;
    let digits = text.iter().take(15).take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = Reader::new(text);
    match digits {
        14 => {
            let (year, date) = (at.number(4)?, (at.number(2)?, at.number(2)?));
            let (hour, minute, second) = (at.number(2)?, at.number(2)?, at.number(2)?);
            let ends = at.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric());
            let is_clock = hour < 24 && minute < 60 && second < 60;
            let millis = ((hour * 60 + minute) * 60 + second) * 1000;
            (ends && is_clock && year >= FIRST_YEAR).then(|| stamp(Some(year), date, millis, &mut at))?
        }
        6 => {
            let (year, date) = (2000 + at.number(2)?, (at.number(2)?, at.number(2)?));
            at.expect(b' ')?;
            at.skip_spaces();
            let millis = at.clock()?;
            (year >= FIRST_YEAR).then(|| stamp(Some(year), date, millis, &mut at))?
        }
        4 => {
            let mut part = |name: &str| {
                let number = at.number(4).filter(|_| name == "年").or_else(|| at.short_number())?;
                at.rest = at.rest.strip_prefix(name.as_bytes())?;
                Some(number)
            };
            let (year, date) = (part("年")?, (part("月")?, part("日")?));
            at.skip_spaces();
            let millis = at.clock()?;
            stamp(Some(year), date, millis, &mut at)
        }
        _ => None,
    }
}

/// `01/Mar/2026:12:00:00 +0000` (access logs), `24 Nov 2026 02:43:39`, `24-Nov-2026 02:43:39`, `1-Mar-2026::14:02:11`
/// (Erlang), `1 Mar 14:02:11 UTC 2026`.
fn day_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let day = at.short_number()?;
    let separator = at.any(b"/ -")?;
    let month = at.month()?;
    at.expect(separator)?;
    if let Some(year) = at.year() {
        at.any(b",");
        let colon = at.any(b": T")?;
        if colon == b':' {
            at.any(b":");
        }
        let millis = at.clock()?;
        return stamp(Some(year), (month, day), millis, &mut at);
    }
    let millis = at.clock()?;
    let stamp = stamp(None, (month, day), millis, &mut at)?;
    Some(with_year_behind(stamp, at))
}

/// `11-28 15:28:06.892` (logcat), `03/12/09:57:07.515` (native SDKs), `11/24/2026, 2:36:35 AM`, `3/1/26 14:02:11:123 UTC`.
fn month_day(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let month = at.short_number()?;
    let separator = at.any(b"-/")?;
    let day = at.short_number()?;
    if at.any(&[separator]).is_some() {
        let (year, order) = match at.year() {
            Some(year) => (Some(year), Order::MonthOrDay),
            None => (short_year(&mut at), Order::Any),
        };
        if let Some(year) = year {
            at.any(b",");
            at.skip_spaces();
            let millis = at.clock()?;
            let zone = at.zone();
            let year = i16::try_from(year).ok()?;
            // which of them is the month is decided by when the file was written
            let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
            let date = Some(Calendar { year: Some(year), month, day, order });
            return Some(Stamp { date, millis_of_day: millis, offset_minutes: zone, precision: at.precision });
        }
        if separator == b'-' {
            return None;
        }
    } else {
        at.any(b" ")?;
    }
    let millis = at.clock()?;
    stamp(None, (month, day), millis, &mut at)
}

/// `26` of `3/1/26 14:02:11`.
fn short_year(at: &mut Reader<'_>) -> Option<i64> {
    let mut ahead = *at;
    let year = ahead.number(2)?;
    matches!(ahead.peek(), Some(b' ' | b',')).then(|| {
        *at = ahead;
        2000 + year
    })
}

/// `0312 16:48:14.069123`.
fn klog(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let date = (at.number(2)?, at.number(2)?);
    at.expect(b' ')?;
    let millis = at.clock()?;
    Stamp::new(None, date, millis, None, at.precision)
}

/// `0301/140211.123456:ERROR` (Chromium), with a year before it as well.
fn chromium(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let (digits, _) = text.split_at_checked(text.iter().position(|byte| *byte == b'/')?)?;
    let year = if digits.len() == 8 { Some(at.number(4)?) } else { None };
    let date = (at.number(2)?, at.number(2)?);
    at.expect(b'/')?;
    let millis = at.clock()?;
    at.expect(b':')?;
    Stamp::new(year, date, millis, None, at.precision)
}

/// `24.11.2026 02:43:39,228`: with dots the day comes first.
fn dotted(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let day = at.short_number()?;
    at.expect(b'.')?;
    let month = at.short_number()?;
    at.expect(b'.')?;
    let year = at.number(4)?;
    at.any(b",");
    at.any(b" T")?;
    let millis = at.clock()?;
    stamp(Some(year), (month, day), millis, &mut at)
}

/// `Nov 24 02:36:35` (syslog), `Nov 24, 2026 2:36:35 AM` (java.util.logging), `Nov 24, 2026 @ 02:36:35.000` (Kibana).
fn month_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    let month = at.month()?;
    at.expect(b' ')?;
    at.skip_spaces();
    let day = at.short_number()?;
    let comma = at.any(b",").is_some();
    at.expect(b' ')?;
    at.skip_spaces();
    if let Some(year) = at.year() {
        at.any(b",");
        at.skip_spaces();
        at.any(b"@");
        at.skip_spaces();
        let millis = at.clock()?;
        return stamp(Some(year), (month, day), millis, &mut at);
    }
    if comma {
        return None;
    }
    let millis = at.clock()?;
    let stamp = stamp(None, (month, day), millis, &mut at)?;
    Some(with_year_behind(stamp, at))
}

/// `Tue Nov 24 02:36:35 2026`, `Tue, 24 Nov 2026 02:36:35 GMT`, `Tue 2026-11-24 02:36:35 UTC`.
fn weekday_first(text: &[u8]) -> Option<Stamp> {
    let mut at = Reader::new(text);
    at.weekday()?;
    at.any(b",");
    at.expect(b' ')?;
    at.skip_spaces();
    month_first(at.rest).or_else(|| day_first(at.rest)).or_else(|| year_first(at.rest))
}

/// A date with the zone behind it.
fn stamp(year: Option<i64>, date: (i64, i64), millis: i64, at: &mut Reader<'_>) -> Option<Stamp> {
    let zone = at.zone();
    Stamp::new(year, date, millis, zone, at.precision)
}

/// `Mar  1 14:02:11 UTC 2026`.
fn with_year_behind(stamp: Stamp, mut at: Reader<'_>) -> Stamp {
    at.skip_spaces();
    let year = at.year().and_then(|year| i16::try_from(year).ok());
    Stamp { date: stamp.date.map(|date| Calendar { year, ..date }), ..stamp }
}

impl Stamp {
    fn new(
        year: Option<i64>,
        (month, day): (i64, i64),
        millis_of_day: i64,
        offset_minutes: Option<i16>,
        precision: Precision,
    ) -> Option<Self> {
        let plausible = (1..=12).contains(&month) && (1..=31).contains(&day);
        let year = match year {
            Some(year) if (1970..=2200).contains(&year) => Some(i16::try_from(year).ok()?),
            Some(_) => return None,
            None => None,
        };
        let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        plausible.then_some(Self {
            date: Some(Calendar { year, month, day, order: Order::Sure }),
            millis_of_day,
            offset_minutes,
            precision,
        })
    }
}
