//! Lines, and the multi-line objects that they form.
//!
//! A block is a line with the lines that continue it: indented ones, closing brackets, stack frames. It is looked at
//! only around a hit.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

use super::document;
use super::element::{self, Element};
use super::frame;
use super::split::{self, End, Joined};
use super::trace::TRACEBACK;
use crate::envelope::{self, Emitter, Format, Record, Split};
use crate::stamp;

/// Lines of one multi-line object.
pub(super) const BLOCK_LINES_MAX: usize = 120;

/// So many lines of others in a row may part the lines of an object.
const OTHERS_MAX: usize = 64;

/// Line breaks of so many bytes are counted at a time, which is faster than to visit each.
const STEP: usize = 2048;

/// Begins the causes of an error, in several languages.
const CAUSES: &[u8] = b"Caused by:";

/// The line around a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Position of its first byte.
    pub start: usize,
    /// Position behind its line break.
    pub end: usize,
}

impl Line {
    /// The line that holds a position; `limit` is where complete lines end.
    pub(super) fn around(bytes: &[u8], at: usize, limit: usize) -> Self {
        let start = bytes.get(..at).and_then(|head| memrchr(b'\n', head)).map_or(0, |found| found + 1);
        let end = bytes.get(at..limit).and_then(|tail| memchr(b'\n', tail)).map_or(limit, |found| at + found + 1);
        Self { start, end }
    }

    /// The line before.
    pub(super) fn before(self, bytes: &[u8]) -> Option<Self> {
        let last = self.start.checked_sub(1)?;
        let start = bytes.get(..last).and_then(|head| memrchr(b'\n', head)).map_or(0, |found| found + 1);
        Some(Self { start, end: self.start })
    }

    /// The complete line after.
    pub(super) fn after(self, bytes: &[u8], limit: usize) -> Option<Self> {
        let length = memchr(b'\n', bytes.get(self.end..limit)?)?;
        Some(Self { start: self.end, end: self.end + length + 1 })
    }

    /// Its bytes without the line break, as far as a line is looked at.
    pub(super) fn text(self, bytes: &[u8], line_bytes_max: usize) -> &[u8] {
        let line = bytes.get(self.start..self.end).unwrap_or_default();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.get(..line_bytes_max).unwrap_or(line)
    }
}

/// Where the last so many lines of a text begin that ends with one; nothing if it has not more than these.
pub(super) fn last_lines(text: &[u8], lines: usize) -> Option<usize> {
    let (mut missing, mut end) = (lines + 1, text.len());
    while end > 0 {
        let from = end.saturating_sub(STEP);
        let part = text.get(from..end).unwrap_or_default();
        let breaks = memchr_iter(b'\n', part).count();
        if let Some(before) = breaks.checked_sub(missing) {
            return memchr_iter(b'\n', part).nth(before).map(|at| from + at + 1);
        }
        missing -= breaks;
        end = from;
    }
    None
}

/// Behind the line of a text that has so many lines before it; nothing if there are not so many.
pub(super) fn behind_lines(text: &[u8], lines: usize) -> Option<usize> {
    let (mut missing, mut from) = (lines, 0);
    while let Some(part) = text.get(from..).filter(|part| !part.is_empty()) {
        let part = part.get(..STEP).unwrap_or(part);
        let breaks = memchr_iter(b'\n', part).count();
        if missing < breaks {
            return memchr_iter(b'\n', part).nth(missing).map(|at| from + at + 1);
        }
        missing -= breaks;
        from += part.len();
    }
    None
}

/// A line with the lines that continue it, unwrapped.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// The first line; of one that was split, from its first piece to its last.
    pub head: Line,
    /// How many lines before the hit's line it stands.
    pub lines_back: u64,
    /// The first line, unwrapped.
    pub record: Record<'a>,
    /// The hit is in a line that continues another.
    pub is_continuation: bool,
    /// The first line continues the block that ends before it.
    pub follows: bool,
    /// Whether it is an element of an array, or a document.
    element: Element,
    /// The first line was split, and reaches farther than its pieces are looked for.
    is_part: bool,
    /// What was put before each of its lines, if no envelope is known by that, ends there.
    frame: usize,
}

/// Unwraps a line; that of which it is a piece, if it was split.
pub(super) fn read(bytes: &[u8], line: Line, line_bytes_max: usize) -> Record<'_> {
    read_whole(bytes, line, line_bytes_max).record
}

/// A line, or what is joined of a split one.
#[derive(Clone)]
struct Whole<'a> {
    record: Record<'a>,
    /// From its first piece to its last.
    line: Line,
    /// It was split, and reaches farther than its pieces are looked for.
    is_part: bool,
}

impl Whole<'_> {
    /// Another process, container or client wrote the other line.
    fn is_elsewhere(&self, other: &Self) -> bool {
        self.record.emitter.is_elsewhere(&other.record.emitter)
    }

    /// The line before that is not of another writer, and whether lines of others part them.
    fn above<'a>(&self, bytes: &'a [u8], line_bytes_max: usize) -> Option<(Whole<'a>, bool)> {
        let mut at = self.line;
        for others in 0..=OTHERS_MAX {
            let above = read_whole(bytes, at.before(bytes)?, line_bytes_max);
            if !self.is_elsewhere(&above) {
                return Some((above, others > 0));
            }
            at = above.line;
        }
        None
    }
}

/// The first line of the object of which a line is a member behind a prefix, and where that ends. Behind the block that was
/// looked at last only the first line of that is left to be asked.
fn framed<'a>(
    bytes: &'a [u8],
    member: &Whole<'a>,
    floor: Option<Floor>,
    line_bytes_max: usize,
) -> Option<(Whole<'a>, usize)> {
    let text: &[u8] = &member.record.text;
    let end_in = |line: &Whole<'_>, place| {
        let own: &[u8] = &line.record.text;
        frame::is_alike(own, text, place).then(|| frame::end(own, place))
    };
    let is_call = |line: &Whole<'_>, end| {
        let own = line.record.text.get(end..).unwrap_or_default();
        own.trim_ascii_start().starts_with(b"at ")
    };
    let first = |place| {
        let mut below = member.clone();
        for _ in 0..BLOCK_LINES_MAX {
            let floor = floor.filter(|floor| floor.is_behind(&below));
            let above = match floor {
                Some(floor) => read_whole(bytes, Line::around(bytes, floor.head, floor.at), line_bytes_max),
                None => below.above(bytes, line_bytes_max)?.0,
            };
            if let Some(end) = end_in(&above, place)? {
                if floor.is_some() {
                    below = read_whole(bytes, above.line.after(bytes, bytes.len())?, line_bytes_max);
                }
                return (opens(&above.record.text) || is_call(&below, end)).then_some((above, end));
            }
            if floor.is_some() {
                return None;
            }
            below = above;
        }
        None
    };
    frame::places(text).find_map(first)
}

fn read_whole(bytes: &[u8], line: Line, line_bytes_max: usize) -> Whole<'_> {
    read_joined(bytes, line, split::joined(bytes, line, bytes.len(), line_bytes_max).as_ref(), line_bytes_max)
}

fn read_joined<'a>(bytes: &'a [u8], line: Line, joined: Option<&Joined>, line_bytes_max: usize) -> Whole<'a> {
    match joined {
        Some(joined) => Whole {
            record: mended(joined),
            line: Line { start: joined.first, end: joined.behind },
            is_part: joined.is_part,
        },
        None => Whole { record: envelope::read(line.text(bytes, line_bytes_max)), line, is_part: false },
    }
}

/// Unwraps a line that was split.
pub(super) fn mended(joined: &Joined) -> Record<'static> {
    let mut record = envelope::read(&joined.line).into_owned();
    record.split = if joined.end == End::Seen { Split::Mended } else { Split::Cut };
    record
}

/// Finds the head of the block that a line belongs to; `ends` if no more of that comes behind the bytes.
pub(super) fn head(bytes: &[u8], hit: Line, ends: bool, line_bytes_max: usize) -> Block<'_> {
    let joined = split::joined(bytes, hit, bytes.len(), line_bytes_max);
    find_head(bytes, hit, joined.as_ref(), (None, ends), line_bytes_max)
}

/// The same for a line of which it is known whether it was split, but not before a line that begins at a known place,
/// behind another block: that is the head then.
pub(super) fn head_behind<'a>(
    bytes: &'a [u8],
    hit: Line,
    joined: Option<&Joined>,
    floor: Option<Floor>,
    line_bytes_max: usize,
) -> Block<'a> {
    find_head(bytes, hit, joined, (floor, false), line_bytes_max)
}

fn find_head<'a>(
    bytes: &'a [u8],
    hit: Line,
    joined: Option<&Joined>,
    (floor, ends): (Option<Floor>, bool),
    line_bytes_max: usize,
) -> Block<'a> {
    let (mut steps, mut follows) = (0, false);
    // Of a split line all pieces are passed at once.
    let mut head = read_joined(bytes, hit, joined, line_bytes_max);
    let mut is_continuation = continues(&head.record.text);
    let mut frame = 0;
    if !is_continuation
        && !head.is_part
        && !head.record.is_json
        && let Some((first, end)) = framed(bytes, &head, floor, line_bytes_max)
    {
        (head, frame, is_continuation) = (first, end, true);
    }
    let (mut member_indent, mut element, mut open) = (indent(&head.record.text), Element::Nothing, None);
    // The line behind lines of others, if nothing yet shows that it belongs to one before them.
    let mut parted = None;
    while continues(&head.record.text) && !head.is_part && steps < BLOCK_LINES_MAX {
        let Some((above, is_parted)) = head.above(bytes, line_bytes_max) else { break };
        let texts: (&[u8], &[u8]) = (&above.record.text, &head.record.text);
        match element::begins((bytes, ends), head.line, texts, member_indent, line_bytes_max) {
            Element::Nothing | Element::Document => {}
            Element::Open => {
                element = Element::Open;
                open = open.or_else(|| Some(head.clone()));
            }
            found @ (Element::Plain | Element::Event) => {
                // What comes after an event in an array is one too.
                match open {
                    Some(next) => head = next,
                    None => element = found,
                }
                break;
            }
        }
        if floor.is_some_and(|floor| floor.is_behind(&head)) {
            follows = true;
            break;
        }
        // anyhow and eyre leave a line empty before the causes
        if above.record.text.is_empty()
            && head.record.text.starts_with(CAUSES)
            && let Some((error, _)) = above.above(bytes, line_bytes_max)
        {
            head = error;
            steps += 2;
            continue;
        }
        member_indent = indent(&head.record.text);
        if is_parted {
            parted = parted.or(Some(head));
        }
        parted = parted.filter(|_| !opens(&above.record.text));
        head = above;
        steps += 1;
    }
    head = parted.unwrap_or(head);
    let document = document::first(bytes, head.line, &head.record.text, line_bytes_max).filter(|_| !follows);
    if let Some(first) = document {
        head = read_whole(bytes, first, line_bytes_max);
        (is_continuation, element) = (true, Element::Document);
    }
    let Whole { record, line: head, is_part } = head;
    let lines = bytes.get(head.start..hit.start).unwrap_or_default();
    let lines_back = memchr_iter(b'\n', lines).count() as u64;
    Block { head, lines_back, record, is_continuation, follows, element, is_part, frame }
}

/// Where the block ends that was looked at last, and who wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    /// Position of its first line.
    pub head: usize,
    /// Position behind its last line.
    pub at: usize,
    /// Who wrote it.
    pub emitter: Emitter,
}

impl Floor {
    fn is_behind(&self, line: &Whole<'_>) -> bool {
        self.at == line.line.start && !self.emitter.is_elsewhere(&line.record.emitter)
    }
}

impl Block<'_> {
    /// The hit is in the source code that a Python traceback shows.
    pub(super) fn is_source_code(&self) -> bool {
        self.is_continuation && self.record.text.starts_with(TRACEBACK)
    }

    /// How many lines there are from its first up to a position where one ends.
    pub(super) fn lines_to(&self, end: usize, bytes: &[u8], joined: Option<&Joined>) -> u64 {
        if end == self.head.end && joined.is_none() {
            return u64::from(end.checked_sub(1).and_then(|last| bytes.get(last)) == Some(&b'\n'));
        }
        memchr_iter(b'\n', bytes.get(self.head.start..end).unwrap_or_default()).count() as u64
    }

    fn is_document(&self) -> bool {
        self.element == Element::Document
    }

    /// It may be an element of an array, whose end has not come.
    pub(super) fn is_open(&self) -> bool {
        self.element == Element::Open
    }

    /// Takes in what all of its text says of time and subject; of an event that is an element of an array all that a line
    /// says, its writer too.
    pub(super) fn take_in(&mut self, body: &mut Body<'_>) {
        if self.element == Element::Event {
            self.record = envelope::read(body.text.trim_ascii_start()).into_owned();
            body.text = Cow::Owned(self.record.text.to_vec());
        } else if self.is_document() {
            self.record.take_in_document(&body.text);
        } else {
            self.record.take_in_body(&body.text);
        }
    }
}

pub(super) const fn indent(text: &[u8]) -> usize {
    text.len() - text.trim_ascii_start().len()
}

/// The rest of a block: its joined text, the position behind it, and whether its end has been seen.
pub(super) struct Body<'a> {
    /// The unwrapped lines, joined by line breaks.
    pub text: Cow<'a, [u8]>,
    /// Position behind the last line.
    pub end: usize,
    /// No further line can belong to it.
    pub is_complete: bool,
    /// Where lines of others stand between its lines, how far each of these is from the first.
    pub parted: Option<Vec<u64>>,
}

/// What lines of other writers do to an object between the lines of which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// They are passed over.
    Pass,
    /// They end it.
    End,
}

impl<'a> Block<'a> {
    /// Collects the lines up to the end of the block, if it is more than its first line.
    pub(super) fn body(&self, bytes: &'a [u8], limit: usize, others: Others, line_bytes_max: usize) -> Body<'a> {
        if self.is_part || (!self.is_continuation && !opens(&self.record.text)) {
            let text = self.record.text.clone();
            return Body { text, end: self.head.end, is_complete: true, parted: None };
        }
        let mut text = self.record.text.to_vec();
        let (mut at, mut end, mut lines, mut is_complete) = (self.head, self.head.end, vec![0], true);
        let (mut frame, mut number, mut is_parted) = (self.frame, 0, false);
        let (mut is_open, depth) = (opens(&text), if frame > 0 { 0 } else { indent(&text) });
        while lines.len() <= BLOCK_LINES_MAX && text.len() < line_bytes_max {
            let Some(next) = at.after(bytes, limit) else {
                is_complete = false;
                break;
            };
            (at, number) = (next, number + 1);
            let Whole { record, is_part, .. } = read_whole(bytes, next, line_bytes_max);
            let last = lines.last().copied().unwrap_or(0);
            if record.emitter.is_elsewhere(&self.record.emitter) {
                if is_open && others == Others::Pass && number - last <= OTHERS_MAX as u64 {
                    continue;
                }
                break;
            }
            if lines.len() == 1 && frame == 0 && !self.is_document() && !continues(&record.text) {
                frame = frame::between(&text, &record.text).unwrap_or(0);
            }
            let own = record.text.get(frame..).filter(|_| frame::is_alike(&record.text, &self.record.text, frame));
            let goes_on = if self.is_document() { document::goes_on } else { continues };
            let Some(own) = own.filter(|own| goes_on(own)) else { break };
            is_parted |= number > last + 1;
            lines.push(number);
            end = next.end;
            text.push(b'\n');
            text.extend_from_slice(own);
            is_open |= opens(own);
            let closes = matches!(own.get(depth), Some(b'}' | b']' | b')'));
            if is_part || (closes && !self.is_document() && indent(own) == depth && !opens(own)) {
                break;
            }
        }
        Body { text: Cow::Owned(text), end, is_complete, parted: is_parted.then_some(lines) }
    }
}

/// A line that opens an object.
fn opens(text: &[u8]) -> bool {
    matches!(text.last(), Some(b'{' | b'[' | b'('))
}

/// A line that belongs to the one before: indented, a closing bracket, a nested cause; never one with a time of its
/// own.
pub(super) fn continues(text: &[u8]) -> bool {
    match text.first() {
        Some(b' ' | b'\t') => {
            let inner = text.trim_ascii_start();
            !inner.is_empty() && !stamp::begins(inner)
        }
        Some(b'}' | b']' | b')') => true,
        // the second line of an array that PHP prints
        Some(b'(') => text == b"(",
        Some(b'C') => text.starts_with(CAUSES),
        Some(b'a') => text.starts_with(b"at "),
        _ => false,
    }
}

/// A line that may have been cut by its writer: at one of the usual limits, or marked as a part.
pub(super) fn is_limited(line: Line, record: &Record<'_>, line_bytes_max: usize) -> bool {
    let length = line.end - line.start;
    let at_limit = length >= 1024 && matches!(length % 1024, 1023 | 0 | 1);
    let logcat = (3990..=4100).contains(&length);
    let may_be_limited =
        at_limit || logcat || length > line_bytes_max || (record.format == Format::Docker && length >= 16 << 10);
    record.split == Split::Cut || (record.split == Split::Never && may_be_limited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_lines_of_a_text_are_found() {
        for length in [0, 1, 7, 2047, 2048, 2049, 5000] {
            for every in [1, 3, 700, 2048] {
                let text: Vec<u8> =
                    (0..length).map(|at| if (length - 1 - at) % every == 0 { b'\n' } else { b'x' }).collect();
                for lines in [0, 1, 2, 5, 300, 2048, 5000] {
                    let expected = memchr::memrchr_iter(b'\n', &text).nth(lines).map(|at| at + 1);
                    assert_eq!(last_lines(&text, lines), expected, "{length} {every} {lines}");
                    let expected = memchr_iter(b'\n', &text).nth(lines).map(|at| at + 1);
                    assert_eq!(behind_lines(&text, lines), expected, "{length} {every} {lines}");
                }
            }
        }
    }
}
