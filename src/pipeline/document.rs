//! Documents of YAML, as `gcloud logging read` prints its entries: a line of three hyphens, and then a member a line. What
//! stands in one is of one event, its time often last.

use super::blocks::{BLOCK_LINES_MAX, Line};

/// Stands before each document.
const MARK: &[u8] = b"---";

/// The first line of the document of which a line is a member.
pub(super) fn first(bytes: &[u8], member: Line, text: &[u8], line_bytes_max: usize) -> Option<Line> {
    if !is_member(text) {
        return None;
    }
    let mut line = member;
    for _ in 0..BLOCK_LINES_MAX {
        let before = line.before(bytes)?;
        let text = before.text(bytes, line_bytes_max).trim_ascii_end();
        if text == MARK {
            return Some(line);
        }
        if !goes_on(text) {
            return None;
        }
        line = before;
    }
    None
}

/// A line that belongs to the document of the line before.
pub(super) fn goes_on(text: &[u8]) -> bool {
    text.starts_with(b" ") || text.starts_with(b"- ") || is_member(text)
}

/// `key: value`, or `key:` before what is indented.
fn is_member(text: &[u8]) -> bool {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./@".contains(byte);
    let length = text.iter().take_while(|byte| is_key(byte)).count();
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.get(length) == Some(&b':')
        && text.get(length + 1).is_none_or(|byte| *byte == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &str, member: &str, expected: Option<&str>) {
        let at = log.find(member).unwrap();
        let line = Line::around(log.as_bytes(), at, log.len());
        let found = first(log.as_bytes(), line, line.text(log.as_bytes(), 1000), 1000);
        let found = found.and_then(|line| log.get(line.start..line.end));
        assert_eq!(found, expected, "{log}");
    }

    #[test]
    fn a_document_begins_behind_its_mark() {
        check("x\n---\na: 1\nb:\n  c: 2\n- d\ne: 3\n", "e: 3", Some("a: 1\n"));
        check("---\na: 1\n", "a: 1", Some("a: 1\n"));
        check("--- \r\na: 1\r\nb: 2\r\n", "b: 2", Some("a: 1\r\n"));
    }

    #[test]
    fn what_stands_in_no_document_has_no_beginning() {
        check("a: 1\nb: 2\n", "b: 2", None);
        check("---\na: 1\nplain text\nb: 2\n", "b: 2", None);
        check("---\n2026-03-01 10:00:00 a: 1\n", "2026", None);
        check("---\nplain text\n", "plain", None);
    }
}
