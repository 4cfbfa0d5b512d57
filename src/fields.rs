//! The fields of a structured line, read leniently and without allocation: JSON (also in the middle of a text, cut, or
//! nested to any depth) and logfmt.
//!
//! Not a validator: what is no field is skipped. Values come as they stand, still escaped.

use memchr::{memchr2, memchr3};

use crate::quotes::Quotes;

/// Nested objects whose keys are remembered.
const PARENTS_MAX: usize = 8;
/// Fields read of one line.
const FIELDS_MAX: usize = 512;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Keys of the objects around it, outermost first, as far as remembered.
    pub parents: &'a [&'a [u8]],
    /// Its key.
    pub key: &'a [u8],
    /// Its value: a string without its quotes, or what stands up to the next comma or bracket.
    pub value: &'a [u8],
    /// Position of the value in the text.
    pub at: usize,
    /// The value was a string.
    pub quoted: bool,
}

/// Visits the scalar fields of the JSON in `text`, in order; stops when `visit` says `false`.
pub fn json<'a>(text: &'a [u8], visit: &mut impl FnMut(Field<'_>) -> bool) {
    let mut quotes = Quotes::new(text);
    let mut parents: [&[u8]; PARENTS_MAX] = [b""; PARENTS_MAX];
    let mut depth = 0_usize;
    let mut at = 0_usize;
    let mut key: Option<&'a [u8]> = None;
    let mut fields = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'{' | b'[' => {
                if let Some(slot) = parents.get_mut(depth) {
                    *slot = key.take().unwrap_or(b"");
                }
                key = None;
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                key = None;
                at += 1;
            }
            b'"' => {
                let Some(end) = quotes.end(at + 1) else { return };
                let content = text.get(at + 1..end).unwrap_or_default();
                let after = skip_spaces(text, end + 1);
                if text.get(after) == Some(&b':') {
                    key = Some(content);
                    at = after + 1;
                    continue;
                }
                if let Some(key) = key.take() {
                    let known = depth.min(PARENTS_MAX);
                    let around = parents.get(1.min(known)..known).unwrap_or_default();
                    if !visit(Field { parents: around, key, value: content, at: at + 1, quoted: true }) {
                        return;
                    }
                    fields += 1;
                }
                at = end + 1;
            }
            _ if byte.is_ascii_whitespace() || byte == b',' || byte == b':' => at += 1,
            _ => {
                let rest = text.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| ends_bare(*byte)).unwrap_or(rest.len()).max(1);
                if let Some(key) = key.take() {
                    let known = depth.min(PARENTS_MAX);
                    let around = parents.get(1.min(known)..known).unwrap_or_default();
                    let value = rest.get(..length).unwrap_or_default();
                    if !visit(Field { parents: around, key, value, at, quoted: false }) {
                        return;
                    }
                    fields += 1;
                }
                at += length;
            }
        }
        if fields >= FIELDS_MAX {
            return;
        }
    }
}

/// Visits the `key=value` pairs of a logfmt line, in order; stops when `visit` says `false`.
pub fn logfmt(text: &[u8], visit: &mut impl FnMut(Field<'_>) -> bool) {
    let mut at = 0;
    for _ in 0..FIELDS_MAX {
        let Some(equals) = memchr::memchr(b'=', text.get(at..).unwrap_or_default()).map(|found| at + found) else {
            return;
        };
        let before = text.get(at..equals).unwrap_or_default();
        let key_start = before.iter().rposition(|&byte| !is_key_byte(byte)).map_or(0, |found| found + 1);
        let key = before.get(key_start..).unwrap_or_default();
        let (start, end, quoted) = if text.get(equals + 1) == Some(&b'"') {
            let Some(end) = string_end(text, equals + 2) else { return };
            (equals + 2, end, true)
        } else {
            let rest = text.get(equals + 1..).unwrap_or_default();
            let rest = rest.get(..memchr3(b' ', b'\t', b'\n', rest).unwrap_or(rest.len())).unwrap_or(rest);
            let length = memchr2(b'\r', b'\x0c', rest).unwrap_or(rest.len());
            (equals + 1, equals + 1 + length, false)
        };
        let value = text.get(start..end).unwrap_or_default();
        if !key.is_empty() && !visit(Field { parents: &[], key, value, at: start, quoted }) {
            return;
        }
        at = end + usize::from(quoted);
    }
}

/// The position of the quote that ends a string whose content starts at `from`.
pub fn string_end(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let found = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(found) == Some(&b'"') {
            return Some(found);
        }
        from = found + 2;
    }
}

/// Undoes one level of JSON escapes, into `out`. What is no escape stays as it is.
pub fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, b""));
        out.extend_from_slice(plain);
        let used = match escape.get(1) {
            Some(b'n') => push(out, b'\n'),
            Some(b't') => push(out, b'\t'),
            Some(b'r') => push(out, b'\r'),
            Some(b'b') => push(out, 8),
            Some(b'f') => push(out, 12),
            Some(&byte @ (b'"' | b'\\' | b'/')) => push(out, byte),
            Some(b'u') => match unicode(escape) {
                Some((character, length)) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    length
                }
                None => keep(out),
            },
            _ => keep(out),
        };
        rest = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn push(out: &mut Vec<u8>, byte: u8) -> usize {
    out.push(byte);
    2
}

fn keep(out: &mut Vec<u8>) -> usize {
    out.push(b'\\');
    1
}

/// The character of `\uXXXX`, or of a surrogate pair, and the length of the escape.
fn unicode(escape: &[u8]) -> Option<(char, usize)> {
    let unit = |from: usize| -> Option<u32> {
        let digits = escape.get(from..from + 4)?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let high = unit(2)?;
    if (0xD800..0xDC00).contains(&high) && escape.get(6..8) == Some(br"\u") {
        let low = unit(8)?;
        if (0xDC00..0xE000).contains(&low) {
            return char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)).map(|found| (found, 12));
        }
    }
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn skip_spaces(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// A byte that ends a JSON value without quotes.
const fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'"' | b'{' | b'[')
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn render(field: Field<'_>) -> String {
        let path: Vec<String> = field.parents.iter().chain([&field.key]).map(|key| text(key)).collect();
        format!("{}={}", path.join("."), text(field.value))
    }

    #[track_caller]
    fn check_json(line: &str, expected: &[&str]) {
        let mut found = Vec::new();
        json(line.as_bytes(), &mut |field| {
            assert_eq!(field.value, &line.as_bytes()[field.at..field.at + field.value.len()]);
            found.push(render(field));
            true
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn json_fields_come_with_their_paths() {
        check_json(
            r#"{"a":1,"b":{"c":"x","d":{"e":null}},"f":[1,{"g":2}]}"#,
            &["a=1", "b.c=x", "b.d.e=null", "f..g=2"],
        );
        check_json(r#"warn: failed {"error":{"code":51007},"t":"x\"y"} tail"#, &["error.code=51007", r#"t=x\"y"#]);
        check_json(r#"{"a":"never closed"#, &[]);
        check_json("{\"a\" : 5 }", &["a=5"]);
        check_json("no json at all", &[]);
    }

    #[test]
    fn deep_json_needs_no_stack() {
        let line = "{\"a\":".repeat(100_000);
        json(line.as_bytes(), &mut |_| true);
    }

    #[test]
    fn logfmt_fields_are_read() {
        let mut found = Vec::new();
        logfmt(br#"ts=2026 level=error msg="a b=c" err_code=51007 x="#, &mut |field| {
            found.push(render(field));
            true
        });
        assert_eq!(found, ["ts=2026", "level=error", "msg=a b=c", "err_code=51007", "x="]);
    }

    #[test]
    fn escapes_are_undone_once() {
        let mut out = Vec::new();
        unescape(br#"\"a\\\"\n\u003c\ud83d\ude00\q\"#, &mut out);
        assert_eq!(text(&out), "\"a\\\"\n<\u{1F600}\\q\\");
    }
}
