//! Arrays of events in JSON that is printed over several lines, as `aws logs filter-log-events`, Elasticsearch, Loki and
//! Twilio's API give their answers: each element that says when it was is an event of its own, as if it stood on a line.
//!
//! Not what stands in an event: its breadcrumbs, or the errors that it lists.

use super::blocks::{self, BLOCK_LINES_MAX, Line, indent};
use crate::envelope;

/// What begins on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// No element of an array.
    Nothing,
    /// One that may be an event, but its end has not come.
    Open,
    /// One of an array that is printed for itself: an object of its own, but without a time.
    Plain,
    /// An event.
    Event,
    /// A document of YAML.
    Document,
}

/// What begins on a line, if the line before is `above` and the one after is indented by `member_indent`; beside the bytes
/// stands whether no more of that comes behind them.
pub(super) fn begins(
    (bytes, ends): (&[u8], bool),
    line: Line,
    (above, text): (&[u8], &[u8]),
    member_indent: usize,
    line_bytes_max: usize,
) -> Element {
    let depth = indent(text);
    let end: &[u8] = match text.get(depth..).map(<[u8]>::trim_ascii_end) {
        Some(b"{") => b"},",
        Some(b"[") => b"],",
        Some(_) | None => return Element::Nothing,
    };
    let is_next = indent(above) == depth && above.trim_ascii() == end;
    if depth == 0 || member_indent <= depth || !(is_next || above.ends_with(b"[")) {
        return Element::Nothing;
    }
    let is_listed = end == b"}," && member_indent == 2 * depth && (above == b"[" || is_next);
    match is_event((bytes, ends), line, depth, line_bytes_max) {
        Some(true) if is_listed || !is_in_event(bytes, line, depth, line_bytes_max) => Element::Event,
        Some(_) if is_listed => Element::Plain,
        Some(_) => Element::Nothing,
        None => Element::Open,
    }
}

/// Whether the element that begins on a line says when it was; not known before its end has come.
fn is_event((bytes, ends): (&[u8], bool), line: Line, depth: usize, line_bytes_max: usize) -> Option<bool> {
    let (mut text, mut last) = (Vec::new(), line);
    for _ in 0..BLOCK_LINES_MAX {
        let own = blocks::read(bytes, last, line_bytes_max).text;
        text.extend_from_slice(&own);
        text.push(b'\n');
        let is_end = last != line && (indent(&own) <= depth || !blocks::continues(&own));
        if is_end || text.len() > line_bytes_max {
            break;
        }
        match last.after(bytes, bytes.len()) {
            Some(next) => last = next,
            None if ends => break,
            None => return None,
        }
    }
    Some(envelope::is_event(&text))
}

/// Whether an object around the element that begins on a line says when it was, as far as a block reaches back.
fn is_in_event(bytes: &[u8], line: Line, depth: usize, line_bytes_max: usize) -> bool {
    let (mut around, mut at) = (depth, line);
    for _ in 0..BLOCK_LINES_MAX {
        let Some(before) = at.before(bytes).filter(|_| around > 0) else { return false };
        let text = blocks::read(bytes, before, line_bytes_max).text;
        let own = indent(&text);
        // A member of an object around it, or the line that begins the array or that object.
        if own < around || (own == around && around < depth) {
            if envelope::is_event(&text) {
                return true;
            }
            around = own;
        }
        at = before;
    }
    false
}
