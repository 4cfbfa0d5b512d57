//! How values are written on the page.

use std::fmt::{self, Display, Formatter, Write};

use crate::time::{UnixTime, civil_from_days};

/// A text, harmless in elements and in quoted attributes. Control characters, and those that turn the direction of
/// writing, are replaced: a file name must not rearrange the page.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}'),
            c if c.is_control() => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

/// A sentence, with what stands between backticks as code.
pub(super) struct Prose<'a>(pub(super) &'a str);

impl Display for Prose<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, (code, after))) = rest.split_once('`').and_then(|(a, b)| Some((a, b.split_once('`')?)))
        {
            write!(f, "{}<code>{}</code>", Escaped(before), Escaped(code))?;
            rest = after;
        }
        Escaped(rest).fmt(f)
    }
}

/// A number with a comma between its thousands, as prose has it.
pub(super) struct Grouped(pub(super) u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A number of things.
pub(super) struct Counted(pub(super) u64, pub(super) &'static str);

impl Display for Counted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Grouped(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A number of bytes, in the unit that suits it.
pub(super) struct Bytes(pub(super) u64);

impl Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        for unit in ["KiB", "MiB", "GiB"] {
            value /= 1024.0;
            if value < 1023.95 {
                return write!(f, "{value:.1} {unit}");
            }
        }
        write!(f, "{:.1} TiB", value / 1024.0)
    }
}

/// How long ago something was, in the largest unit.
pub(super) struct Ago {
    pub(super) at: UnixTime,
    pub(super) now: UnixTime,
}

impl Display for Ago {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.now.seconds_since(self.at);
        let (size, unit) = match seconds.unsigned_abs() {
            0 => return f.write_str("just now"),
            n @ 1..60 => (n, "s"),
            n @ 60..3600 => (n / 60, "min"),
            n @ 3600..86_400 => (n / 3600, "h"),
            n => (n / 86_400, "d"),
        };
        if seconds < 0 { write!(f, "{size} {unit} ahead") } else { write!(f, "{size} {unit} ago") }
    }
}

/// A length of time, in its two largest units.
pub(super) struct Lasting(pub(super) i64);

impl Display for Lasting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.unsigned_abs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match (days, hours, minutes, seconds % 60) {
            (0, 0, 0, s) => write!(f, "{s} s"),
            (0, 0, m, 0) => write!(f, "{m} min"),
            (0, 0, m, s) => write!(f, "{m} min {s} s"),
            (0, h, 0, _) => write!(f, "{h} h"),
            (0, h, m, _) => write!(f, "{h} h {m} min"),
            (d, 0, _, _) => write!(f, "{d} d"),
            (d, h, _, _) => write!(f, "{d} d {h} h"),
        }
    }
}

/// The time of day in UTC, with the date where it is not today.
pub(super) struct Clock {
    pub(super) at: UnixTime,
    pub(super) now: UnixTime,
}

impl Display for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DAY_MILLIS: i64 = 86_400_000;
        let (at, now) = (self.at.as_millis(), self.now.as_millis());
        let (days, seconds) = (at.div_euclid(DAY_MILLIS), at.rem_euclid(DAY_MILLIS) / 1000);
        if days != now.div_euclid(DAY_MILLIS) {
            let (year, month, day) = civil_from_days(days.clamp(-719_162, 2_932_896));
            write!(f, "{year:04}-{month:02}-{day:02} ")?;
        }
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// The start and the end of a SID: enough to tell one from another, short enough for a line.
pub(super) struct ShortSid<'a>(pub(super) &'a str);

impl Display for ShortSid<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0.get(..4), self.0.len().checked_sub(4).and_then(|at| self.0.get(at..))) {
            (Some(start), Some(end)) if self.0.len() > 12 => write!(f, "{}…{}", Escaped(start), Escaped(end)),
            _ => Escaped(self.0).fmt(f),
        }
    }
}

/// A part of a whole, in whole per cent; what is there is never 0, what is missing never 100.
pub(super) struct Share {
    pub(super) part: u64,
    pub(super) all: u64,
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (part, all) = (u128::from(self.part), u128::from(self.all));
        let rounded = (part * 100 + all / 2).checked_div(all).unwrap_or(0);
        match rounded {
            0 if part > 0 => f.write_str("&lt;1 %"),
            100 if part < all => f.write_str("99 %"),
            n => write!(f, "{n} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: impl Display, expected: &str) {
        assert_eq!(value.to_string(), expected);
    }

    #[test]
    fn a_text_can_neither_end_an_element_nor_an_attribute() {
        check(Escaped("<script>'\"&</script>"), "&lt;script&gt;&#39;&quot;&amp;&lt;/script&gt;");
        check(Escaped("a\u{202e}b\0c\nd"), "a\u{fffd}b\u{fffd}c\u{fffd}d");
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        check(
            Prose("expected `exp` and `<b>`, found ` only"),
            "expected <code>exp</code> and <code>&lt;b&gt;</code>, found ` only",
        );
        check(Prose("plain"), "plain");
    }

    #[test]
    fn numbers_are_easy_to_read() {
        check(Grouped(0), "0");
        check(Grouped(999), "999");
        check(Grouped(1_234_567), "1,234,567");
        check(Bytes(1023), "1023 B");
        check(Bytes(1024), "1.0 KiB");
        check(Bytes(1 << 20), "1.0 MiB");
        check(Bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn a_time_is_told_from_now() {
        let now = UnixTime::from_seconds(1_000_000);
        for (seconds, expected) in [
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (7200, "2 h ago"),
            (200_000, "2 d ago"),
            (-5, "5 s ahead"),
        ] {
            check(Ago { at: now.plus_millis(-seconds * 1000), now }, expected);
        }
    }

    #[test]
    fn a_length_of_time_has_two_units_at_most() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (90, "1 min 30 s"),
            (3600, "1 h"),
            (9000, "2 h 30 min"),
            (86_400, "1 d"),
            (90_000, "1 d 1 h"),
        ] {
            check(Lasting(seconds), expected);
        }
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        let now = UnixTime::from_seconds(1_795_488_219);
        check(Clock { at: now, now }, "02:43:39");
        check(Clock { at: now.plus_millis(-86_400_000), now }, "2026-11-23 02:43:39");
    }

    #[test]
    fn a_sid_is_shortened_and_a_short_text_is_not() {
        check(ShortSid("SK00000000000000000000000000000001"), "SK00…0001");
        check(ShortSid("other"), "other");
    }

    #[test]
    fn a_share_is_neither_none_nor_all_unless_it_is() {
        for (part, all, expected) in
            [(0, 0, "0 %"), (1, 3, "33 %"), (1, 1000, "&lt;1 %"), (999, 1000, "99 %"), (5, 5, "100 %")]
        {
            check(Share { part, all }, expected);
        }
    }
}
