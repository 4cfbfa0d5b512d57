//! Stack traces of several exceptions, each the cause of another: where the trace begins that a line is part of.
//!
//! Only what languages print between such exceptions connects them; two traces that merely follow each other are of two.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

use super::blocks::{BLOCK_LINES_MAX, Line};
use crate::envelope;

/// The first line of a Python traceback.
pub(super) const TRACEBACK: &[u8] = b"Traceback (most recent call last):";

/// What Python prints between two tracebacks.
const LINKS: [&[u8]; 2] = [
    b"During handling of the above exception, another exception occurred:",
    b"The above exception was the direct cause of the following exception:",
];

/// How many lines before the line of an exception the trace begins that it is part of: at the line of the logger, or at
/// that of the exception that was there first.
pub(super) fn lines_to_start(bytes: &[u8], line: Line, text: &[u8], line_bytes_max: usize) -> Option<u64> {
    let mut at = Place { bytes, line, back: 0, line_bytes_max };
    let mut text = Cow::Borrowed(text);
    let mut start = None;
    while at.back < BLOCK_LINES_MAX as u64 {
        let Some((above, is_first)) = at.python(&text).or_else(|| at.other(&text)) else { break };
        start = Some(above.back);
        if is_first {
            break;
        }
        at = above;
        text = at.text();
    }
    start
}

/// A line, and how many lines it stands before the first one looked at.
#[derive(Clone, Copy)]
struct Place<'a> {
    bytes: &'a [u8],
    line: Line,
    back: u64,
    line_bytes_max: usize,
}

impl<'a> Place<'a> {
    fn above(self) -> Option<Self> {
        let line = self.line.before(self.bytes)?;
        (self.back < BLOCK_LINES_MAX as u64).then_some(Self { line, back: self.back + 1, ..self })
    }

    fn text(self) -> Cow<'a, [u8]> {
        envelope::read(self.line.text(self.bytes, self.line_bytes_max)).text
    }

    /// The first line above that is none of these.
    fn above_all(self, is_one: impl Fn(&[u8]) -> bool) -> Option<Self> {
        let mut at = self.above()?;
        while is_one(&at.text()) {
            at = at.above()?;
        }
        Some(at)
    }

    /// A traceback ends with the line of its exception. Above it stands the logger's line, or, before one of two
    /// sentences, the exception that was there before.
    fn python(self, text: &[u8]) -> Option<(Self, bool)> {
        let above = self.traceback(text)?.above()?;
        let text = above.text();
        if !text.is_empty() {
            // Another traceback ends there.
            return above.traceback(&text).is_none().then_some((above, true));
        }
        let link = above.above()?;
        let link = Some(link).filter(|link| LINKS.contains(&&*link.text()))?;
        Some((link.above_all(<[u8]>::is_empty)?, false))
    }

    /// The first line of the traceback that ends with this line.
    fn traceback(self, text: &[u8]) -> Option<Self> {
        let name = text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"._".contains(byte)))?;
        if name == 0 || text.get(name) != Some(&b':') || !self.is_below_indented() {
            return None;
        }
        let first = self.above_all(|line| line.first().is_none_or(u8::is_ascii_whitespace))?;
        first.text().starts_with(TRACEBACK).then_some(first)
    }

    fn is_below_indented(self) -> bool {
        self.above().is_some_and(|above| above.text().first().is_none_or(u8::is_ascii_whitespace))
    }

    fn other(self, text: &[u8]) -> Option<(Self, bool)> {
        if is_class_of_java(text) {
            let above = self.above()?;
            return (!above.text().first().is_some_and(u8::is_ascii_whitespace)).then_some((above, true));
        }
        if is_frame_of_ruby(text) {
            let first = self.above_all(|line| line.starts_with(b"\tfrom "))?;
            return (first.back > self.back + 1 && is_frame_of_ruby(&first.text())).then_some((first, false));
        }
        if text.starts_with(b"Next ") {
            let last = self.above().filter(|above| above.text().is_empty())?;
            let is_frame = |line: &[u8]| line.starts_with(b"#") || line == b"Stack trace:";
            let first = last.above_all(is_frame)?;
            return (first.back > last.back + 1).then_some((first, false));
        }
        self.go(text)
    }

    /// `%+v` of Go's errors: the frames of what was wrapped, each a function and a file below, stand above.
    fn go(self, text: &[u8]) -> Option<(Self, bool)> {
        const TAIL_BYTES: usize = 64;
        static FILE: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b".go:"));
        let above = self.above()?;
        let raw = above.line.text(self.bytes, self.line_bytes_max);
        let tail = raw.get(raw.len().saturating_sub(TAIL_BYTES)..)?;
        if FILE.find(tail).is_none() || is_function(text) {
            return None;
        }
        let mut at = self;
        while let Some(file) = at.above().filter(|above| above.text().starts_with(b"\t")) {
            at = file.above().filter(|above| is_function(&above.text()))?;
        }
        let first = at.above()?;
        (at.back > self.back && first.text().first().is_some_and(|byte| !byte.is_ascii_whitespace()))
            .then_some((first, false))
    }
}

/// `com.acme.BridgeException: …`, which a logger of Java prints below its own line.
fn is_class_of_java(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"._$".contains(byte)));
    let Some(name) = end.and_then(|end| text.get(..end)).filter(|name| text.get(name.len()) == Some(&b':')) else {
        return false;
    };
    (name.ends_with(b"Error") || name.ends_with(b"Exception"))
        && memchr::memchr_iter(b'.', name).count() >= 2
        && name.first().is_some_and(u8::is_ascii_lowercase)
}

/// ``bridge.rb:9:in `connect': …``.
fn is_frame_of_ruby(text: &[u8]) -> bool {
    let word = memchr::memchr(b' ', text).and_then(|space| text.get(..space)).unwrap_or_default();
    let Some(head) = word.strip_suffix(b":in") else { return false };
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let file = head.get(..head.len() - digits).unwrap_or_default();
    digits > 0 && file.ends_with(b":") && !file.first().is_some_and(u8::is_ascii_whitespace)
}

/// `main.(*Bridge).connect`.
fn is_function(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.contains(&b'.')
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-/()*[]{}".contains(byte))
}
