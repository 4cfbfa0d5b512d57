//! Arrays of events on one line, as services answer and collectors store them: `{"events":[{…},{…}]}`. What a stream is
//! shows in its first document; then each element of such an array is made a line of its own, in that document and in all
//! that follow. No byte is added or taken away, so that every position stays what it is.
//!
//! Arrays that are printed over several lines are a matter of `element`.

use std::collections::VecDeque;

use memchr::memchr3;
use serde::{Deserialize, Serialize};

use crate::envelope::{self, FILLER};
use crate::fields;

/// So much of a stream is looked at to find an array of events, in bytes: its first element must end there.
const BEGINNING_BYTES_MAX: usize = 64 << 10;
/// Deeper objects are no arrays of events.
const DEPTH_MAX: usize = 16;

/// The keys of what stands around an array and of itself, outermost first, as numbers.
pub(super) type Path = Vec<u64>;

/// What the first document of a stream is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Not known yet.
    Unknown,
    /// Nothing that holds events.
    Other,
    /// It holds an array of events.
    Array(Path),
}

/// An object or an array that is not closed yet.
struct Around {
    key: u64,
    start: usize,
    is_array: bool,
    /// It says when it was itself, so what stands in it is no event.
    is_event: bool,
}

impl Beginning {
    /// Looks at the first bytes of a stream, however they were cut.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let unknown = if bytes.len() < BEGINNING_BYTES_MAX { Self::Unknown } else { Self::Other };
        let (mut around, mut at): (Vec<Around>, _) = (Vec::new(), bom(bytes));
        let mut key: Option<(usize, usize)> = None;
        loop {
            let Some(&byte) = bytes.get(at) else { return unknown };
            match byte {
                b'{' | b'[' if around.len() < DEPTH_MAX => {
                    let name = key.take().and_then(|(from, to)| bytes.get(from..to)).unwrap_or_default();
                    around.push(Around { key: number(name), start: at, is_array: byte == b'[', is_event: false });
                }
                b'}' | b']' => {
                    let Some(closed) = around.pop() else { return Self::Other };
                    let is_element = around.last().is_some_and(|array| array.is_array);
                    let is_free = !around.iter().any(|around| around.is_event);
                    if is_element && is_free && envelope::is_event(bytes.get(closed.start..=at).unwrap_or_default()) {
                        return Self::Array(around.iter().map(|around| around.key).collect());
                    }
                    if around.is_empty() {
                        return Self::Other;
                    }
                    key = None;
                }
                b'"' => {
                    let Some(end) = fields::string_end(bytes, at + 1) else { return unknown };
                    if memchr::memchr(b'\n', bytes.get(at..end).unwrap_or_default()).is_some() {
                        return Self::Other;
                    }
                    match key {
                        Some((from, _)) => note(&mut around, bytes.get(from - 1..=end)),
                        None => key = Some((at + 1, end)),
                    }
                    at = end;
                }
                b',' => key = None,
                b' ' | b'\t' | b'\r' | b':' => {}
                b'-' | b'0'..=b'9' | b'a'..=b'z' if !around.is_empty() => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let Some(length) = rest.iter().position(|byte| b",]} \t\r\n".contains(byte)) else {
                        return unknown;
                    };
                    if let Some((from, _)) = key {
                        note(&mut around, bytes.get(from - 1..at + length));
                    }
                    at += length - 1;
                }
                _ => return Self::Other,
            }
            if around.first().is_some_and(|first| first.is_event) {
                return Self::Other;
            }
            at += 1;
        }
    }
}

/// Notes that the innermost object says when it was, if this member does.
fn note(around: &mut [Around], member: Option<&[u8]>) {
    if let Some(innermost) = around.last_mut().filter(|innermost| !innermost.is_event) {
        innermost.is_event = member.is_some_and(envelope::is_event);
    }
}

fn bom(bytes: &[u8]) -> usize {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    BOM.iter().zip(bytes).take_while(|(a, b)| a == b).count()
}

/// A number for a key: of none for an element of an array.
fn number(key: &[u8]) -> u64 {
    key.iter().fold(EMPTY, |sum, byte| and(sum, *byte))
}

const EMPTY: u64 = 0xCBF2_9CE4_8422_2325;

/// FNV-1a.
const fn and(sum: u64, byte: u8) -> u64 {
    (sum ^ byte as u64).wrapping_mul(0x0000_0100_0000_01B3)
}

/// A stream that holds arrays of events.
#[derive(Clone, Debug)]
pub(super) struct Array {
    path: Path,
    at: Place,
    /// What was read last of a text, and what it was if a colon followed.
    word: u64,
    key: Option<u64>,
    /// White space before an element is left out.
    is_before: bool,
    /// How many line breaks were put in.
    added: u64,
    /// Where the last lines begin.
    starts: VecDeque<Start>,
}

/// Where a line begins.
#[derive(Clone, Copy, Debug)]
struct Start {
    offset: u64,
    of: LineOf,
    /// How many line breaks were put in up to there.
    added: u64,
}

/// What a line is of.
#[derive(Clone, Copy, Debug)]
enum LineOf {
    Document,
    Element,
    /// It stands behind the last element.
    Behind,
}

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The keys of what stands around it.
    around: Path,
    /// It is in an array of events, and that deep in an element.
    inside: Option<u32>,
    /// It is in a text.
    in_text: bool,
    /// Behind a backslash.
    is_escaped: bool,
}

/// What is kept of such a stream: which array it is, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayPlace {
    path: Path,
    place: Place,
    added: u64,
}

impl Array {
    /// A stream whose first document holds such an array.
    pub(super) fn new(path: Path) -> Self {
        Self::resumed(ArrayPlace { path, ..ArrayPlace::default() }, 0)
    }

    /// One that was read before, up to an offset.
    pub(super) fn resumed(ArrayPlace { path, place, added }: ArrayPlace, offset: u64) -> Self {
        let is_element = place.inside == Some(0) && !place.in_text;
        let of = match place.around.is_empty() {
            true => LineOf::Document,
            false if is_element => LineOf::Element,
            false => LineOf::Behind,
        };
        let starts = [Start { offset, of, added }].into();
        Self { path, at: place, word: EMPTY, key: None, is_before: is_element, added, starts }
    }

    /// What is to be kept to go on where a line begins, or in the midst of one that is passed over.
    pub(super) fn place(&self, resume: u64, is_midst: bool) -> ArrayPlace {
        let path = self.path.clone();
        let Some(start) = self.start(resume).filter(|_| !is_midst) else {
            return ArrayPlace { path, place: self.at.clone(), added: self.added };
        };
        let mut around = path.clone();
        let place = match start.of {
            LineOf::Document => Place::default(),
            LineOf::Element => Place { around, inside: Some(0), ..Place::default() },
            LineOf::Behind => {
                around.pop();
                Place { around, ..Place::default() }
            }
        };
        ArrayPlace { path, place, added: start.added }
    }

    /// How many line breaks were put in before the line of an offset.
    pub(super) fn added_before(&self, offset: u64) -> u64 {
        self.start(offset).map_or(self.added, |start| start.added)
    }

    /// The line of an offset.
    fn start(&self, offset: u64) -> Option<&Start> {
        self.starts.get(self.starts.partition_point(|start| start.offset <= offset).checked_sub(1)?)
    }

    /// Nothing before this offset will be asked for.
    pub(super) fn forget_before(&mut self, resume: u64) {
        while self.starts.get(1).is_some_and(|next| next.offset <= resume) {
            self.starts.pop_front();
        }
    }

    /// A document begins at this offset.
    pub(super) fn begin(&mut self, offset: u64) {
        (self.at, self.key, self.is_before) = (Place::default(), None, false);
        self.begin_line(offset, LineOf::Document);
    }

    fn begin_line(&mut self, offset: u64, of: LineOf) {
        self.starts.push_back(Start { offset, of, added: self.added });
    }

    /// Ends a line before an offset where none ended, and begins another one.
    fn put_in(&mut self, offset: u64, of: LineOf) -> u8 {
        self.added += 1;
        self.begin_line(offset, of);
        b'\n'
    }

    /// The next bytes of the stream, from an offset on, with a line for each element.
    pub(super) fn unfold(&mut self, chunk: &[u8], offset: u64) -> Vec<u8> {
        let mut unfolded = chunk.to_vec();
        let mut at = 0;
        while let Some(rest) = unfolded.get_mut(at..).filter(|rest| !rest.is_empty()) {
            // Of the texts in elements nothing is wanted but where they end.
            if self.at.in_text && !self.at.is_escaped && self.at.inside.is_some() {
                at += memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len() - 1);
            }
            if let Some(byte) = unfolded.get_mut(at) {
                *byte = self.step(*byte, offset + at as u64);
            }
            at += 1;
        }
        unfolded
    }

    /// What becomes of a byte at an offset.
    fn step(&mut self, byte: u8, offset: u64) -> u8 {
        let is_before = std::mem::take(&mut self.is_before);
        if byte == b'\n' {
            self.begin(offset + 1);
            return byte;
        }
        if self.at.in_text {
            let is_escaped = std::mem::take(&mut self.at.is_escaped);
            self.at.is_escaped = !is_escaped && byte == b'\\';
            self.at.in_text = is_escaped || byte != b'"';
            if self.at.in_text {
                self.word = and(self.word, byte);
            }
            return byte;
        }
        match byte {
            b'"' => (self.at.in_text, self.word) = (true, EMPTY),
            b':' => self.key = Some(self.word),
            b',' => {
                self.key = None;
                if self.at.inside == Some(0) {
                    self.is_before = true;
                    return self.put_in(offset + 1, LineOf::Element);
                }
            }
            b'{' | b'[' => {
                if let Some(depth) = &mut self.at.inside {
                    *depth = depth.saturating_add(1);
                    return byte;
                }
                self.at.around.push(self.key.take().unwrap_or(EMPTY));
                if byte == b'[' && self.at.around == self.path {
                    (self.at.inside, self.is_before) = (Some(0), true);
                    return self.put_in(offset + 1, LineOf::Element);
                }
                // Nothing is that deep: the rest of the line is none of ours.
                self.at.around.truncate(2 * DEPTH_MAX);
            }
            b'}' | b']' => match &mut self.at.inside {
                Some(0) => {
                    self.at.inside = None;
                    self.at.around.pop();
                    return self.put_in(offset + 1, LineOf::Behind);
                }
                Some(depth) => *depth -= 1,
                None => _ = self.at.around.pop(),
            },
            b' ' | b'\t' | b'\r' if is_before => {
                self.is_before = true;
                return FILLER;
            }
            _ => {}
        }
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document, and what becomes of it: `None` if it holds no events.
    #[track_caller]
    fn check(stream: &str, expected: Option<&str>) {
        let stream = stream.as_bytes();
        for piece in [1, 3, stream.len() + 1] {
            let (mut beginning, mut known) = (Beginning::Unknown, 0);
            for chunk in stream.chunks(piece) {
                if beginning == Beginning::Unknown {
                    known += chunk.len();
                    beginning = Beginning::of(stream.get(..known).unwrap());
                }
            }
            let found = match beginning {
                Beginning::Array(path) => {
                    let (mut array, mut found) = (Array::new(path), Vec::new());
                    for chunk in stream.chunks(piece) {
                        let offset = found.len() as u64;
                        found.extend(array.unfold(chunk, offset));
                    }
                    Some(String::from_utf8(found).unwrap())
                }
                Beginning::Unknown | Beginning::Other => None,
            };
            assert_eq!(found.as_deref(), expected, "{}", String::from_utf8_lossy(stream));
        }
    }

    #[test]
    fn each_event_becomes_a_line() {
        check(
            r#"{"logEvents":[{"timestamp":1772359200000,"a":["x,{",2]},{"timestamp":1772359200001}],"b":[{}]}"#,
            Some(
                "{\"logEvents\":\n{\"timestamp\":1772359200000,\"a\":[\"x,{\",2]}\n{\"timestamp\":1772359200001}\n,\"b\":[{}]}",
            ),
        );
        check(
            "{\"a\": {\"b\": [{\"c\": {\"time\": \"2026-03-01T10:00:00Z\"}}, {\"d\": \"\\\"}\"}]}}\n{\"a\": {\"b\": [{}]}}\n",
            Some(
                "{\"a\": {\"b\": \n{\"c\": {\"time\": \"2026-03-01T10:00:00Z\"}}\n\u{1f}{\"d\": \"\\\"}\"}\n}}\n{\"a\": {\"b\": \n{}\n}}\n",
            ),
        );
        check(
            r#"[{"stream":{},"values":[["1772359200000000000","x"],["1772359200000000001","y"]]},{"stream":{},"values":[["1","z"]]}]"#,
            Some(
                "[{\"stream\":{},\"values\":\n[\"1772359200000000000\",\"x\"]\n[\"1772359200000000001\",\"y\"]\n},{\"stream\":{},\"values\":\n[\"1\",\"z\"]\n}]",
            ),
        );
    }

    #[test]
    fn what_holds_no_events_stays_as_it_is() {
        for stream in [
            "",
            "{",
            "text\n",
            "{\"time\":1772359200000,\"errors\":[{\"time\":1772359200000}]}\n",
            "{\"errors\":[{\"code\":51007}]}\n",
            "{\"a\":[\n{\"time\":1772359200000}]}",
            "{}\n{\"a\":[{\"time\":1772359200000}]}",
            "[1,2]",
            "]",
        ] {
            check(stream, None);
        }
    }

    #[test]
    fn a_stream_goes_on_where_any_of_its_lines_begins() {
        let stream = concat!(
            r#"{"a":1,"e":[{"time":1772359200000}, {"x":"]"}],"b":[{"c":1}]}"#,
            "\n",
            r#"{"e":[{"x":1}],"e":[{"x":2},{"x":3}]}"#,
        );
        let Beginning::Array(path) = Beginning::of(stream.as_bytes()) else { panic!("no array") };
        let mut array = Array::new(path);
        let whole = array.unfold(stream.as_bytes(), 0);
        let starts: Vec<usize> = memchr::memchr_iter(b'\n', &whole).map(|end| end + 1).chain([0]).collect();
        assert_eq!((starts.len(), array.added, array.added_before(20), array.added_before(0)), (10, 8, 1, 0));
        for start in starts {
            let mut again = Array::resumed(array.place(start as u64, false), start as u64);
            let rest = again.unfold(stream.as_bytes().get(start..).unwrap(), start as u64);
            assert_eq!(
                String::from_utf8(rest).unwrap(),
                String::from_utf8_lossy(whole.get(start..).unwrap()),
                "{start}"
            );
        }
        for cut in 0..stream.len() {
            let mut array = Array::new(array.path.clone());
            let (head, tail) = stream.as_bytes().split_at(cut);
            array.unfold(head, 0);
            let mut again = Array::resumed(array.place(cut as u64, true), cut as u64);
            again.key = array.key;
            again.word = array.word;
            again.is_before = array.is_before;
            assert_eq!(again.unfold(tail, cut as u64), whole.get(cut..).unwrap(), "{cut}");
        }
    }
}
