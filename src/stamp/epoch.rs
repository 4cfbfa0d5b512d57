//! Times that are numbers: seconds, or less, since the epoch.

use crate::time::UnixTime;

/// A number of seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by size; only the years
/// 2001 to 2100 are believed.
pub fn epoch(text: &[u8]) -> Option<UnixTime> {
    let text = std::str::from_utf8(text).ok()?;
    let plain;
    let text = match text.strip_suffix("e+09") {
        Some(mantissa) => {
            plain = billions(mantissa)?;
            &plain
        }
        None => text,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() < 9 || whole.len() > 19 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let millis = match whole.len() {
        9 | 10 => {
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            number * 1000 + digits.parse::<i64>().ok()?
        }
        12 | 13 => number,
        15 | 16 => number / 1000,
        18 | 19 => number / 1_000_000,
        _ => return None,
    };
    (978_307_200_000..4_133_980_800_000).contains(&millis).then(|| UnixTime::from_millis(millis))
}

/// `1.795488081258` billions, as zap writes seconds, without the exponent.
fn billions(mantissa: &str) -> Option<String> {
    let (whole, fraction) = mantissa.split_once('.')?;
    let (more, fraction) = fraction.split_at_checked(9).unwrap_or((fraction, ""));
    Some(format!("{whole}{more:0<9}.{fraction}"))
}

/// A number of seconds, of milliseconds or of less since the epoch with which a line begins, alone or in brackets:
/// `1795488081.250 text`. One that is no time looks like this as well: see [`may_be_written`].
pub fn leading_epoch(text: &[u8]) -> Option<UnixTime> {
    // `logcat -v epoch` aligns its numbers
    let text = text.trim_ascii_start();
    let rest = text.strip_prefix(b"[").unwrap_or(text);
    let length = rest.iter().take(24).position(|byte| !(byte.is_ascii_digit() || b".e+".contains(byte)))?;
    let closing: &[u8] = if rest.len() < text.len() { b"]" } else { b" \t" };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_billions = || digits == 1 && rest.get(..length).is_some_and(|number| number.ends_with(b"e+09"));
    if (digits < 10 && !is_billions()) || !closing.contains(rest.get(length)?) {
        return None;
    }
    epoch(rest.get(..length)?)
}

/// A number of the same kind where some programs write it: `audit(1795488081.250:42)`, `<log4j:event timestamp="1795488081250"`,
/// `[0] app: [[1795488081.250000000, {}]` (Fluent Bit), `@400000006b05a54a05f5e100` (TAI64N).
pub fn placed_epoch(text: &[u8]) -> Option<UnixTime> {
    const HEAD_BYTES: usize = 100;
    const PLACES: [&[u8]; 4] = [b"audit(", b" timestamp=\"", b": [[", b": ["];
    if let Some(label) = text.strip_prefix(b"@") {
        return tai(label.get(..24)?);
    }
    let head = text.get(..HEAD_BYTES).unwrap_or(text);
    let is_placed = text.starts_with(b"[") || text.starts_with(b"<") || text.starts_with(b"type=");
    PLACES.iter().filter(|_| is_placed).find_map(|place| {
        let number = head.get(memchr::memmem::find(head, place)? + place.len()..)?;
        let length = number.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        epoch(number.get(..length)?)
    })
}

/// A label of TAI64N: seconds since 1970 beside 2^62, 10 of them more, and nanoseconds, in hexadecimal digits.
fn tai(label: &[u8]) -> Option<UnixTime> {
    const OFFSET: i64 = (1 << 62) + 10;
    let label = std::str::from_utf8(label).ok()?;
    let (seconds, nanoseconds) = label.split_at_checked(16)?;
    let seconds = i64::from_str_radix(seconds, 16).ok()?.checked_sub(OFFSET)?;
    let millis = i64::from_str_radix(nanoseconds, 16).ok()? / 1_000_000;
    Some(UnixTime::from_seconds(seconds).plus_millis(millis))
}

/// A number at the beginning of a line that was written near a time may be a time: no phone number, order or article has one
/// between the first access tokens and a year later than that.
pub fn may_be_written(number: UnixTime, near: UnixTime) -> bool {
    /// 2015-01-01.
    const FIRST: UnixTime = UnixTime::from_seconds(1_420_070_400);
    const YEAR_MILLIS: i64 = 366 * 86_400_000;
    number >= FIRST && number.millis_since(near) < YEAR_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_begins_a_line_may_be_a_time() {
        let check = |line: &str, expected: Option<i64>| {
            let found = leading_epoch(line.as_bytes());
            assert_eq!(found, expected.map(UnixTime::from_millis), "{line}");
        };
        for line in [
            "1795488081.250 x",
            "[1795488081.250] x",
            "1795488081250 x",
            "1795488081250\tx",
            "1795488081250000 x",
            "1.79548808125e+09\terror\tx",
        ] {
            check(line, Some(1_795_488_081_250));
        }
        for line in [
            "1795488081",
            "1795488081, x",
            "1795488081-7 x",
            "[1795488081 x",
            "179548808 x",
            "1795488081.2.5 x",
            "1.79548808125e+10 x",
            "1e+09 x",
            "51007 x",
        ] {
            check(line, None);
        }
        let near = UnixTime::parse("2026-11-24T00:00:00Z").unwrap();
        for (number, expected) in
            [(1_795_488_081, true), (1_420_070_400, true), (1_234_567_890, false), (2_125_551_234, false)]
        {
            assert_eq!(may_be_written(UnixTime::from_seconds(number), near), expected, "{number}");
        }
    }

    #[test]
    fn a_number_where_programs_write_it_may_be_a_time() {
        for line in [
            "type=USER_ERR msg=audit(1795488081.250:42): x",
            "<log4j:event logger=\"a\" timestamp=\"1795488081250\" level=\"ERROR\">",
            "[0] app: [[1795488081.250000000, {}], {\"log\"=>\"x\"}]",
            "[0] app: [1795488081.250000000, {\"log\"=>\"x\"}]",
            "@400000006b04f95b0ee6b280 x",
        ] {
            assert_eq!(placed_epoch(line.as_bytes()), Some(UnixTime::from_millis(1_795_488_081_250)), "{line}");
        }
        for line in ["x audit(1795488081.250:42)", "[a] b: [12]", "@here 400000006b05a54a05f5e100", "@400000006b05a54a"]
        {
            assert_eq!(placed_epoch(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn epochs_are_told_apart_by_size() {
        for text in [
            "1795488081",
            "1.795488081e+09",
            "1795488081.000",
            "1795488081000",
            "1795488081000000",
            "1795488081000000000",
        ] {
            assert_eq!(epoch(text.as_bytes()), Some(UnixTime::from_seconds(1_795_488_081)), "{text}");
        }
        assert_eq!(epoch(b"51007"), None);
        assert_eq!(epoch(b"9999999999999"), None);
    }
}
