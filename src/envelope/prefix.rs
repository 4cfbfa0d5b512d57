//! What stands before every line that something put together: the names of those who wrote them, and times.
//!
//! A prefix that nothing else looks like is taken off any line. One that might be the beginning of a sentence is taken
//! off only where a line follows that continues another: an object over several lines must not be torn apart, and its first
//! line is understood with its prefix as well as without.

use super::emitter::Part;
use super::head::dyno;
use super::text::{PREFIX_BYTES, is_level, split_word};
use super::{Record, Written};
use crate::stamp;

/// The labels of a line in Loki are not longer, in bytes.
const LABELS_BYTES: usize = 1024;

/// What put the lines of several writers together and begins each with its name: `chat-1  | ` (compose), `0|chat  | `
/// (pm2), `10:00:00 web.1  | ` (foreman), `[pod/chat-1/gateway] ` (kubectl), `chat-7d9f6c5b8-x2x4z gateway ` (stern),
/// `<time> app[web.1]: ` (Heroku), `<time> chat/i-0ab ` (`aws logs tail`), `<time> <tag> {…}` with tabs (Fluentd),
/// `<time> {pod="chat-0"} ` (logcli). Gives the line.
pub(super) fn gathered<'a>(text: &'a [u8], record: &mut Record<'_>) -> Option<&'a [u8]> {
    let head = text.get(..PREFIX_BYTES).unwrap_or(text);
    let end = head.iter().position(|byte| matches!(byte, b' ' | b'\t'))?;
    let (word, rest) = text.split_at_checked(end)?;
    if let Some(name) = word.strip_prefix(b"[pod/").and_then(|word| word.strip_suffix(b"]")) {
        record.emitter.note(Part::Pod, name);
        return rest.get(1..);
    }
    if let Some((name, line)) = before_bar(word, rest) {
        record.emitter.note(Part::Container, name);
        record.note_time(stamp::of_value(word).map(Written::Stamp));
        return Some(line);
    }
    if is_pod_of_set(word) {
        let (container, line) = split_word(rest.strip_prefix(b" ")?).filter(|(name, _)| is_label(name))?;
        record.emitter.note(Part::Pod, word);
        record.emitter.note(Part::Container, container);
        return Some(line);
    }
    let stamp = stamp::read(word).filter(|_| word.len() >= 20)?;
    if let Some(tagged) = rest.strip_prefix(b"\t") {
        let tab = tagged.iter().position(|byte| *byte == b'\t').filter(|tab| *tab < PREFIX_BYTES)?;
        let line = tagged.get(tab + 1..).filter(|line| line.starts_with(b"{\"log\":"))?;
        record.note_time(Some(Written::Stamp(stamp)));
        return Some(line);
    }
    if let Some((labels, line)) = labelled(rest.get(1..)?) {
        record.note_time(Some(Written::Stamp(stamp)));
        labels.split(|byte| *byte == b',').for_each(|label| note_label(label.trim_ascii(), record));
        return Some(line);
    }
    let (name, line) = split_word(rest.get(1..)?)?;
    let (part, name) = match dyno(name) {
        Some(name) => (Part::Process, name),
        None => (Part::Container, Some(name).filter(|name| word.ends_with(b"+00:00") && is_stream(name))?),
    };
    record.note_time(Some(Written::Stamp(stamp)));
    record.emitter.note(part, name);
    Some(line)
}

/// `{app="chat", pod="chat-0"} line`, as logcli prints what Loki keeps: the labels, and the line.
fn labelled(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"{")?;
    let key = inside.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let end = memchr::memmem::find(inside.get(..LABELS_BYTES).unwrap_or(inside), b"\"} ")?;
    (key > 0 && inside.get(key..)?.starts_with(b"=\"")).then_some((inside.get(..=end)?, inside.get(end + 3..)?))
}

/// Notes what a label, `pod="chat-0"`, says of the writer.
fn note_label(label: &[u8], record: &mut Record<'_>) {
    const NAMES: [(&[u8], Part); 6] = [
        (b"pod", Part::Pod),
        (b"instance", Part::Pod),
        (b"container", Part::Container),
        (b"host", Part::Host),
        (b"hostname", Part::Host),
        (b"app", Part::Program),
    ];
    let Some(equals) = memchr::memchr(b'=', label) else { return };
    let (key, value) = (label.get(..equals).unwrap_or_default(), label.get(equals + 1..).unwrap_or_default());
    if let Some((_, part)) = NAMES.iter().find(|(name, _)| *name == key) {
        record.emitter.note(*part, value);
    }
}

/// `chat/i-0ab`, `2026/11/25/[$LATEST]0ab1`: a stream of CloudWatch, and no path of a file or a URL.
fn is_stream(name: &[u8]) -> bool {
    begins_name(name) && name.contains(&b'/') && !name.contains(&b':')
}

/// No bracket around a level, as in `[error    ] `.
fn begins_name(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_alphanumeric)
}

/// `chat-1  | line`, `0|chat  | line`, `10:00:00 web.1  | line`: the name, and the line. Of `word` and what follows.
fn before_bar<'a>(word: &'a [u8], rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(byte));
    if is_time_of_day(word) {
        let named = rest.strip_prefix(b" ")?;
        let end = named.iter().take(PREFIX_BYTES).position(|byte| *byte == b' ')?;
        let (name, rest) = named.split_at_checked(end)?;
        return Some((name, behind_bar(rest)?)).filter(|_| is_name(name) && !is_level(name));
    }
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let numbered = word.get(digits..).and_then(|rest| rest.strip_prefix(b"|")).filter(|_| digits > 0);
    is_name(numbered.unwrap_or(word)).then_some((word, behind_bar(rest)?))
}

/// What follows the bar. An empty line's bar is the last of it.
fn behind_bar(text: &[u8]) -> Option<&[u8]> {
    let line = text.trim_ascii_start().strip_prefix(b"|")?;
    if line.is_empty() { Some(line) } else { line.strip_prefix(b" ") }
}

/// `10:00:00`.
fn is_time_of_day(word: &[u8]) -> bool {
    let is_digit = |(at, byte): (usize, &u8)| if at % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() };
    word.len() == 8 && word.iter().enumerate().all(is_digit)
}

/// A name of Kubernetes.
fn is_label(name: &[u8]) -> bool {
    (1..=63).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
        && name.iter().any(u8::is_ascii_lowercase)
}

/// `chat-7d9f6c5b8-x2x4z`: a pod of a replica set. What Kubernetes ends such a name with has no vowels, so that no word
/// comes of it.
fn is_pod_of_set(name: &[u8]) -> bool {
    let is_random = |part: &[u8]| part.iter().all(|byte| b"bcdfghjklmnpqrstvwxz0123456789".contains(byte));
    let mut parts = name.rsplitn(3, |byte| *byte == b'-');
    let (Some(own), Some(set), Some(of)) = (parts.next(), parts.next(), parts.next()) else { return false };
    own.len() == 5
        && (6..=10).contains(&set.len())
        && is_random(own)
        && is_random(set)
        && set.iter().any(u8::is_ascii_digit)
        && is_label(of)
}

/// What was put before a line that continues another: a time (`2026-03-01T10:00:00.000Z   "code": 51007`), and the name of a
/// stream behind it (`aws logs tail`); a name in brackets (concurrently); a pod and its container (stern). Gives the line.
pub(super) fn continued<'a>(text: &'a [u8], record: &mut Record<'_>) -> Option<&'a [u8]> {
    let (word, rest) = if text.first() == Some(&b'[') { in_brackets(text) } else { split_word(text) }?;
    if text.first() == Some(&b'[') {
        return Some(rest).filter(|rest| continues(rest) && !is_level(word));
    }
    if word.len() >= 20
        && let Some(stamp) = stamp::read(word)
    {
        let begins = rest.first().is_some_and(|byte| b" \t{}[]".contains(byte));
        let line = if begins && (rest == b"{" || rest == b"[" || continues(rest)) {
            rest
        } else {
            split_word(rest).filter(|(name, line)| begins_name(name) && !is_level(name) && continues(line))?.1
        };
        record.note_time(Some(Written::Stamp(stamp)));
        return Some(line);
    }
    let is_pod = is_label(word) && word.contains(&b'-') && word.iter().any(u8::is_ascii_digit);
    let (container, line) = split_word(rest).filter(|_| is_pod)?;
    (is_label(container) && !is_level(container) && continues(line)).then_some(line)
}

/// `[1] line`, `[chat] line`, `[chat  ] line`: the name, and the line.
fn in_brackets(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    let close = memchr::memchr(b']', inside.get(..PREFIX_BYTES).unwrap_or(inside))?;
    let name = inside.get(..close)?.trim_ascii_end();
    let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@".contains(byte));
    (is_name && !name.is_empty()).then_some((name, inside.get(close + 1..)?.strip_prefix(b" ")?))
}

/// A line that nothing but an object, or a stack trace, over several lines has: an indented member or frame, a closing
/// bracket.
pub fn continues(line: &[u8]) -> bool {
    let inner = line.trim_ascii_start();
    let is_closing = matches!(line.first(), Some(b'}' | b']')) && line.len() <= 3;
    let is_indented = line.starts_with(b"  ") || line.starts_with(b"\t");
    let is_member = || {
        let length = inner.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"_$'\"-.".contains(byte)));
        length.is_some_and(|length| length > 0 && inner.get(length) == Some(&b':'))
            || inner.starts_with(b"at ")
            || matches!(inner.first(), Some(b'}' | b']' | b'{' | b'['))
    };
    is_closing || (is_indented && is_member())
}

#[cfg(test)]
mod tests {
    use crate::envelope::{Likeness, read};

    #[track_caller]
    fn check(prefix: &str, line: &str, expected: &str) {
        let whole = format!("{prefix}{line}");
        let record = read(whole.as_bytes());
        assert_eq!(String::from_utf8_lossy(&record.text), expected, "{whole}");
    }

    #[test]
    fn prefixes_come_off_lines_that_continue_others() {
        let distinct = [
            "0|chat  | ",
            "12|my.app | ",
            "10:00:00 web.1  | ",
            "chat-1  | ",
            "chat-7d9f6c5b8-x2x4z chat ",
            "2026-11-25T09:46:40.000000+00:00 chat/i-0ab ",
            "2026-11-25T09:46:40.000000+00:00 2026/11/25/[$LATEST]0ab1 ",
            "2026-11-25T09:46:40+00:00 {app=\"chat\", pod=\"chat-0\"} ",
        ];
        let others = [
            "[1] ",
            "[chat] ",
            "[chat  ] ",
            "chat-0 gateway ",
            "2026-11-25T09:46:40.000000+00:00 ",
            "2026-11-25T09:46:40.000000+00:00 i-0ab ",
        ];
        for prefix in distinct.iter().chain(&others) {
            for line in ["  code: 31204,", "  'code': 31204,", "    at Object.a (b.js:1:2)", "  },", "}", "},", "  }"] {
                check(prefix, line, line);
            }
        }
        for line in ["APP failed {", "INFO x", "{\"a\":1}", "  said"] {
            for prefix in distinct {
                check(prefix, line, line);
            }
            for prefix in others {
                check(prefix, line, &format!("{prefix}{line}"));
            }
        }
        check("0|chat  | ", "", "");
    }

    #[test]
    fn what_is_no_prefix_stays() {
        for line in [
            "[error]   code: 51007",
            "2026-11-25T09:46:40.000Z INFO   code: 51007",
            "2026-11-25T09:46:40.000000+00:00 src/app.js:12 failed",
            "2026-11-25T09:46:40.000000+00:00 /v1/token failed",
            "2026-11-25T09:46:40.000000Z [error    ] refused",
            "retry-1 error   code: 51007",
            "failed twice   code: 51007",
            "a||b  | c",
            "|chat | c",
            "0|chat  c",
            "10:00:00 web 1 | c",
            "10:00:00 INFO | c",
            "chat-deployed-quickly chat said",
        ] {
            check("", line, line);
        }
    }

    #[test]
    fn writers_are_told_apart_by_what_is_before_their_lines() {
        let likeness = |a: &str, b: &str| read(a.as_bytes()).emitter.likeness(&read(b.as_bytes()).emitter);
        for (a, b) in [
            ("0|chat  | x", "1|chat  | x"),
            ("10:00:00 web.1  | x", "10:00:00 web.2  | x"),
            ("chat-7d9f6c5b8-x2x4z chat x", "chat-7d9f6c5b8-bbbbb chat x"),
            ("2026-11-25T09:46:40Z {pod=\"chat-0\"} x", "2026-11-25T09:46:40Z {pod=\"chat-1\"} x"),
        ] {
            assert_eq!(likeness(a, a), Likeness::Same, "{a}");
            assert_eq!(likeness(a, b), Likeness::Different, "{a} / {b}");
        }
    }
}
