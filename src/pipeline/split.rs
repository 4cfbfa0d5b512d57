//! Long lines that whoever collects them has split: a container runtime, which marks all pieces but the last (`P` and `F`
//! of CRI, no line break in a docker json-file, `CONTAINER_PARTIAL_MESSAGE` of docker in the journal), or journald itself
//! (at `LineMax=` of what a service prints, marked `_LINE_BREAK=line-max`).
//!
//! Pieces are joined by stream (stdout, stderr; in a journal also by container, or its `_STREAM_ID`), only around a hit: what was found in one of
//! them is judged as the whole line would have been. A hit that is itself split is looked for where two long pieces meet.
//! Pieces of another stream may lie between; whatever else does not belong to such a log ends the search.

use std::sync::LazyLock;

use memchr::memmem;

use super::blocks::Line;

/// Pieces are looked for so many lines on both sides; those farther away are left out.
pub(super) const LINES_MAX: usize = 64;
/// Of a line that reaches farther, so many pieces on both sides are joined.
const PART_PIECES: usize = 16;
/// So much is joined, in bytes; what is over counts as cut.
pub(super) const JOINED_BYTES_MAX: usize = 256 << 10;
/// Where two pieces meet, a hit is looked for if the first is at least so long, in bytes: the shortest that a runtime
/// splits at by default.
pub(super) const LONG_BYTES: usize = 8 << 10;
/// Docker splits at so many bytes; a shorter record without a line break is the end of what a program printed.
const DOCKER_BYTES: usize = 16 << 10;
/// Longer than half of anything that is searched for, in bytes.
const SEAM_BYTES: usize = 64;

type Finder = LazyLock<memmem::Finder<'static>>;

/// Who wrote a piece, and to which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer<'a> {
    Cri(&'a [u8]),
    Docker(&'a [u8]),
    /// A container, and the priority, which stands for the stream.
    Journal(&'a [u8], &'a [u8]),
    /// What a service prints, by the id that journald gave the stream.
    Service(&'a [u8]),
    /// Whatever else comes into a journal, where nothing is split: syslog, the kernel, programs that know journald.
    Native,
}

/// A line of such a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'a> {
    writer: Writer<'a>,
    /// The line ends here.
    is_last: bool,
    /// What was split, as it is written in the envelope.
    text: &'a [u8],
    /// Where that begins.
    at: usize,
}

/// Where a split line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its last piece is there.
    Seen,
    /// Its last piece may still come.
    Open,
    /// Its last piece does not come, or the whole is too long.
    Cut,
}

/// A split line.
#[derive(Debug)]
pub(super) struct Joined {
    /// One line in the envelope of the last piece.
    pub line: Vec<u8>,
    /// Position of the first piece.
    pub first: usize,
    /// Position behind the last piece.
    pub behind: usize,
    /// Lines from the piece at hand back to the others before it.
    pub before: Vec<u64>,
    /// Lines from the piece at hand on to the others after it.
    pub after: Vec<u64>,
    pub end: End,
    /// It was longer than what is joined.
    pub is_over: bool,
    /// It reaches farther than pieces are looked for: what is beside it may be more of it, and no other line.
    pub is_part: bool,
}

/// The first of a split line's pieces, or one without an end.
pub(super) fn is_unfinished(line: &[u8]) -> bool {
    piece(line).is_some_and(|piece| !piece.is_last)
}

/// What lies where a long piece and the next one meet.
pub(super) enum Seam {
    /// The next piece is not there yet.
    Open,
    /// There is no next piece.
    Nothing,
    Text(Vec<u8>),
}

pub(super) fn seam(bytes: &[u8], line: Line, limit: usize, line_bytes_max: usize) -> Seam {
    let Some(own) = piece(line.text(bytes, line_bytes_max)).filter(|piece| !piece.is_last) else {
        return Seam::Nothing;
    };
    let mut at = line;
    for _ in 0..LINES_MAX {
        let Some(next) = at.after(bytes, limit) else { return Seam::Open };
        let Some(piece) = piece(next.text(bytes, line_bytes_max)) else { return Seam::Nothing };
        if piece.writer == own.writer {
            let tail = own.text.get(own.text.len().saturating_sub(SEAM_BYTES)..).unwrap_or_default();
            let head = piece.text.get(..SEAM_BYTES).unwrap_or(piece.text);
            return Seam::Text([tail, head].concat());
        }
        at = next;
    }
    Seam::Nothing
}

/// The split line that a line is a piece of; none for a line that is whole.
pub(super) fn joined(bytes: &[u8], line: Line, limit: usize, line_bytes_max: usize) -> Option<Joined> {
    let own = piece(line.text(bytes, line_bytes_max))?;
    let (mut texts, mut first, mut before) = (Vec::new(), line.start, Vec::new());
    let mut at = line;
    let mut is_part = 'back: {
        for back in 1..=LINES_MAX {
            let Some(above) = at.before(bytes) else { break 'back false };
            let Some(piece) = piece(above.text(bytes, line_bytes_max)) else { break 'back false };
            if piece.writer == own.writer {
                if piece.is_last {
                    break 'back false;
                }
                texts.push(piece.text);
                before.push(back as u64);
                first = above.start;
            }
            at = above;
        }
        true
    };
    if own.is_last && texts.is_empty() {
        return None;
    }
    texts.reverse();
    let at_hand = texts.len();
    texts.push(own.text);
    let (mut last, mut last_line, mut after) = (own, line, Vec::new());
    let mut end = if own.is_last { End::Seen } else { End::Cut };
    at = line;
    is_part |= 'on: {
        for on in 1..=LINES_MAX {
            if end == End::Seen {
                break 'on false;
            }
            let Some(next) = at.after(bytes, limit) else {
                end = End::Open;
                break 'on false;
            };
            let Some(piece) = piece(next.text(bytes, line_bytes_max)) else { break 'on false };
            if piece.writer == own.writer {
                texts.push(piece.text);
                after.push(on as u64);
                (last, last_line) = (piece, next);
                end = if piece.is_last { End::Seen } else { End::Cut };
            }
            at = next;
        }
        end != End::Seen
    };
    let whole = last_line.text(bytes, line_bytes_max);
    let mut joined = whole.get(..last.at).unwrap_or_default().to_vec();
    let is_over = joined.len() + texts.iter().map(|text| text.len()).sum::<usize>() > JOINED_BYTES_MAX;
    // Of what is too long, the part around the piece at hand.
    let (mut kept, mut room) = (at_hand..at_hand + 1, JOINED_BYTES_MAX.saturating_sub(joined.len() + own.text.len()));
    let mut fits = |at: Option<usize>| {
        let at = at.filter(|at| !is_part || at.abs_diff(at_hand) <= PART_PIECES);
        let length = at.and_then(|at| texts.get(at)).map(|text| text.len()).filter(|length| *length <= room);
        room -= length.unwrap_or(0);
        length.is_some()
    };
    let (mut goes_back, mut goes_on) = (true, true);
    while goes_back || goes_on {
        goes_back = goes_back && fits(kept.start.checked_sub(1));
        kept.start -= usize::from(goes_back);
        goes_on = goes_on && fits(Some(kept.end));
        kept.end += usize::from(goes_on);
    }
    for text in texts.get(kept).into_iter().flatten() {
        let room = JOINED_BYTES_MAX.saturating_sub(joined.len());
        joined.extend_from_slice(text.get(..room).unwrap_or(text));
    }
    joined.extend_from_slice(whole.get(last.at + last.text.len()..).unwrap_or_default());
    if is_over && end == End::Seen {
        end = End::Cut;
    }
    Some(Joined { line: joined, first, behind: last_line.end, before, after, end, is_over, is_part })
}

/// Reads a line of such a log, in the forms in which the runtimes write it.
fn piece(line: &[u8]) -> Option<Piece<'_>> {
    match line.first()? {
        b'0'..=b'9' => cri(line),
        b'{' => docker(line).or_else(|| journal(line)),
        _ => None,
    }
}

/// `2026-03-01T10:00:00.123456789Z stdout P text`.
fn cri(line: &[u8]) -> Option<Piece<'_>> {
    let time = memchr::memchr(b' ', line.get(..40).unwrap_or(line)).filter(|time| *time >= 20)?;
    let stream =
        line.get(time + 1..time + 7).filter(|stream| [b"stdout", b"stderr"].iter().any(|name| *stream == *name))?;
    let tags = line.get(time + 7..)?.strip_prefix(b" ")?;
    let length = memchr::memchr(b' ', tags.get(..40).unwrap_or(tags))?;
    let is_last = match tags.get(..length)?.split(|byte| *byte == b':').next()? {
        b"P" => false,
        b"F" => true,
        _ => return None,
    };
    let at = time + 8 + length + 1;
    Some(Piece { writer: Writer::Cri(stream), is_last, text: line.get(at..)?, at })
}

/// `{"log":"text\n","stream":"stdout","time":"…"}`, also with spaces, as others write it again.
fn docker(line: &[u8]) -> Option<Piece<'_>> {
    let rest = string_at(line.strip_prefix(b"{")?, b"\"log\"")?;
    let text = value(rest, 0)?;
    let behind = rest.get(text.len() + 1..)?.trim_ascii_start().strip_prefix(b",")?;
    let stream = value(string_at(behind, b"\"stream\"")?, 0)?;
    let is_last = text.len() < DOCKER_BYTES || ends_in_break(text);
    Some(Piece { writer: Writer::Docker(stream), is_last, text, at: line.len() - rest.len() })
}

/// What follows the opening quote of the string that a key has, at the beginning of the text.
fn string_at<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let value = text.trim_ascii_start().strip_prefix(key)?.trim_ascii_start().strip_prefix(b":")?;
    value.trim_ascii_start().strip_prefix(b"\"")
}

/// Whether a string of JSON ends in a line break: `\n` behind no backslash, or behind whole pairs of them.
fn ends_in_break(text: &[u8]) -> bool {
    let slashes = |text: &[u8]| text.iter().rev().take_while(|byte| **byte == b'\\').count();
    text.strip_suffix(b"n").is_some_and(|before| slashes(before) % 2 == 1)
}

/// An entry of the journal with what docker says of a container, or journald of a stream.
fn journal(line: &[u8]) -> Option<Piece<'_>> {
    static CONTAINER: Finder = LazyLock::new(|| memmem::Finder::new(br#""CONTAINER_NAME":""#));
    static STREAM: Finder = LazyLock::new(|| memmem::Finder::new(br#""_STREAM_ID":""#));
    static TIME: Finder = LazyLock::new(|| memmem::Finder::new(br#""__REALTIME_TIMESTAMP":""#));
    let of = |finder: &Finder| value(line, finder.find(line)? + finder.needle().len());
    let find = |name: &[u8]| Some(memmem::find(line, name)? + name.len());
    // Most lines of JSON are no entry of a journal.
    let (writer, mark): (_, &[u8]) = if let Some(stream) = of(&STREAM) {
        (Writer::Service(stream), br#""_LINE_BREAK":"line-max""#)
    } else if let Some(container) = of(&CONTAINER) {
        let priority = find(br#""PRIORITY":""#).and_then(|at| value(line, at)).unwrap_or_default();
        (Writer::Journal(container, priority), br#""CONTAINER_PARTIAL_MESSAGE":"true""#)
    } else {
        TIME.find(line)?;
        return Some(Piece { writer: Writer::Native, is_last: true, text: b"", at: 0 });
    };
    let at = find(br#""MESSAGE":""#)?;
    Some(Piece { writer, is_last: find(mark).is_none(), text: value(line, at)?, at })
}

/// A string of JSON up to its closing quote.
fn value(text: &[u8], from: usize) -> Option<&[u8]> {
    let rest = text.get(from..)?;
    let is_closing = |at: &usize| {
        let before = rest.get(..*at).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    };
    let length = memchr::memchr_iter(b'"', rest).find(is_closing)?;
    rest.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(bool, &str)>) {
        let found = piece(line.as_bytes()).map(|piece| (piece.is_last, std::str::from_utf8(piece.text).unwrap()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn pieces_are_known_in_each_form() {
        check("2026-03-01T00:00:00.123456789Z stdout P a b ", Some((false, "a b ")));
        check("2026-03-01T00:00:00.123456789+01:00 stderr F:x a", Some((true, "a")));
        check("2026-03-01T00:00:00.123456789Z stdout F ", Some((true, "")));
        check(r#"{"log":"a\\n","stream":"stdout","time":"t"}"#, Some((true, r"a\\n")));
        let long = "x".repeat(DOCKER_BYTES);
        let record = |text: &str| format!(r#"{{"log":"{text}","stream":"stdout","attrs":{{"a":"b"}},"time":"t"}}"#);
        check(&record(&long), Some((false, &long)));
        check(&record(&format!(r"{long}\\n")), Some((false, &format!(r"{long}\\n"))));
        check(&record(&format!(r"{long}\n")), Some((true, &format!(r"{long}\n"))));
        check(r#"{ "log" : "a \"b\"", "stream": "stdout", "time": "t"}"#, Some((true, r#"a \"b\""#)));
        check(&format!(r#"{{"log": "{long}", "stream": "stdout", "time": "t"}}"#), Some((false, &long)));
        let entry =
            r#"{"CONTAINER_PARTIAL_MESSAGE":"true","MESSAGE":"a \"b\" \\","CONTAINER_NAME":"chat","PRIORITY":"6"}"#;
        check(entry, Some((false, r#"a \"b\" \\"#)));
        check(&entry.replace("true", "false"), Some((true, r#"a \"b\" \\"#)));
        let entry = r#"{"_STREAM_ID":"0a","_LINE_BREAK":"line-max","MESSAGE":"\"_STREAM_ID\":\"0b\" x"}"#;
        check(entry, Some((false, r#"\"_STREAM_ID\":\"0b\" x"#)));
        assert_eq!(piece(entry.as_bytes()).unwrap().writer, Writer::Service(b"0a"));
        check(&entry.replace("line-max", "eof"), Some((true, r#"\"_STREAM_ID\":\"0b\" x"#)));
        check(&entry.replace(r#""_LINE_BREAK":"line-max","#, ""), Some((true, r#"\"_STREAM_ID\":\"0b\" x"#)));
        check(r#"{"__REALTIME_TIMESTAMP":"1","_TRANSPORT":"kernel","MESSAGE":"x"}"#, Some((true, "")));
        for other in [
            "",
            "2026-03-01T00:00:00Z info P x",
            "2026-03-01T00:00:00.123456789Z stdout X x",
            "7 stdout P x",
            r#"{"level":50,"message":"x"}"#,
            r#"{"MESSAGE":"x","_PID":"7"}"#,
            r#"{"log":"x"}"#,
            r#"{"log":"x","a":"b","stream":"stdout"}"#,
            r#"{"log":7,"stream":"stdout"}"#,
        ] {
            check(other, None);
        }
    }

    /// Of the piece on this line: the joined text, its end, and where its other pieces are.
    #[track_caller]
    fn check_joined(log: &str, number: usize, expected: Option<(&str, End, &[u64], &[u64])>) {
        let start = log.split_inclusive('\n').take(number).map(str::len).sum();
        let line = Line::around(log.as_bytes(), start, log.len());
        let joined = joined(log.as_bytes(), line, log.len(), 1 << 20);
        let found = joined.as_ref().map(|joined| {
            let text = std::str::from_utf8(&joined.line).unwrap();
            (text.get(37..).unwrap_or_default(), joined.end, &*joined.before, &*joined.after)
        });
        assert_eq!(found, expected, "line {number} of {log}");
    }

    #[test]
    fn pieces_are_joined_by_stream() {
        let log = |pieces: &[&str]| -> String {
            pieces.iter().flat_map(|piece| ["2026-03-01T10:00:00.1234567Z ", piece, "\n"]).collect()
        };
        let mixed =
            log(&["stdout F x", "stdout P a", "stderr P 1", "stdout P b ", "stderr F 2", "stdout F c", "stdout F y"]);
        check_joined(&mixed, 0, None);
        check_joined(&mixed, 1, Some((" ab c", End::Seen, &[], &[2, 4])));
        check_joined(&mixed, 2, Some((" 12", End::Seen, &[], &[2])));
        check_joined(&mixed, 3, Some((" ab c", End::Seen, &[2], &[2])));
        check_joined(&mixed, 5, Some((" ab c", End::Seen, &[2, 4], &[])));
        check_joined(&mixed, 6, None);
        check_joined(&log(&["stdout P a"]), 0, Some((" a", End::Open, &[], &[])));
        let other = format!("{}a line of another kind\n{}", log(&["stdout P a"]), log(&["stdout F b"]));
        check_joined(&other, 0, Some((" a", End::Cut, &[], &[])));
        check_joined(&other, 2, None);
        let far = log(&[&["stdout P a"], vec!["stderr F x"; LINES_MAX].as_slice(), &["stdout F b"]].concat());
        check_joined(&far, 0, Some((" a", End::Cut, &[], &[])));
    }

    #[test]
    fn what_is_joined_is_bounded() {
        let piece = format!("2026-03-01T10:00:00.1234567Z stdout P {}\n", "x".repeat(16 << 10));
        let log = format!("{}2026-03-01T10:00:00.1234567Z stdout F end\n", piece.repeat(20));
        let line = Line::around(log.as_bytes(), 0, log.len());
        let joined = joined(log.as_bytes(), line, log.len(), 1 << 20).unwrap();
        assert_eq!((joined.end, joined.is_over, joined.after.len()), (End::Cut, true, 20));
        assert!(joined.line.len() <= JOINED_BYTES_MAX, "{}", joined.line.len());
    }

    #[test]
    fn what_else_comes_into_a_journal_parts_no_pieces() {
        let first =
            r#"{"__REALTIME_TIMESTAMP":"1","_STREAM_ID":"0a","_LINE_BREAK":"line-max","MESSAGE":"error code=51"}"#;
        let native = r#"{"__REALTIME_TIMESTAMP":"1","_TRANSPORT":"kernel","MESSAGE":"x"}"#;
        let last = r#"{"__REALTIME_TIMESTAMP":"1","_STREAM_ID":"0a","MESSAGE":"007"}"#;
        let log = format!("{first}\n{native}\n{last}\n");
        for (at, is_piece) in [(0, true), (first.len() + 1, false), (log.len() - 2, true)] {
            let joined = joined(log.as_bytes(), Line::around(log.as_bytes(), at, log.len()), log.len(), 1 << 20);
            let line = joined.map(|joined| (joined.end, String::from_utf8(joined.line).unwrap()));
            let expected = last.replace("007", "error code=51007");
            assert_eq!(line, is_piece.then_some((End::Seen, expected)), "{at}");
        }
    }
}
