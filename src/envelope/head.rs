//! The head of a line of text, where a logger writes the time, the level and its own name, the thread, the process and the
//! request.
//!
//! What usual patterns write is a table of layouts, of which the first that fits is read; what none of them knows is looked
//! for word by word.

use super::emitter::{Id, Part};
use super::text::{PREFIX_BYTES, is_level};
use super::{Record, Written, pairs};
use crate::stamp::{self, Stamp};

mod layout;

/// Words that may stand before the time of an SDK, behind a clock.
const WORDS_BEFORE_TIME: usize = 4;

/// The time in the object or the pair that some loggers write behind a message:
/// `text {"timestamp":"2026-11-24T02:43:39.228Z"}`, `text ts=2026-11-24T02:43:39.228Z`.
fn time_behind(text: &[u8]) -> Option<Stamp> {
    const KEYS: [&[u8]; 3] = [b"ts", b"time", b"timestamp"];
    /// A key, a time and what closes both.
    const TAIL_BYTES: usize = 64;
    let tail = text.get(text.len().saturating_sub(TAIL_BYTES)..).unwrap_or(text);
    let at = memchr::memrchr2(b'=', b':', tail.get(..tail.len().checked_sub(17)?)?)?;
    let (head, value) = (tail.get(..at)?, tail.get(at + 1..)?);
    let head = head.strip_suffix(b"\"").unwrap_or(head);
    let start = head.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    KEYS.contains(&head.get(start..)?).then(|| stamp::read(value)).flatten()
}

/// A whole time behind a clock without a day, as browsers' consoles put one before each line: that of the SDK.
fn whole_time(text: &[u8]) -> Option<Stamp> {
    let head = text.get(..PREFIX_BYTES).unwrap_or(text);
    let words = head.split(|byte| *byte == b' ').skip(1).take(WORDS_BEFORE_TIME);
    words.filter_map(stamp::read).find(Stamp::is_zoned)
}

/// The time that a line of text tells.
fn own_time(text: &[u8]) -> Option<Written> {
    let found = stamp::find(text).or_else(|| time_behind(text));
    let found = found.map(|found| if found.has_day() { found } else { whole_time(text).unwrap_or(found) });
    let number = stamp::leading_epoch(text).or_else(|| stamp::placed_epoch(text));
    number.map(|number| Written::Number(number, found)).or_else(|| found.map(Written::Stamp))
}

/// Time, thread, logger and process of a line of text; says whether anything names its writer.
pub(super) fn plain(text: &[u8], record: &mut Record<'_>) -> bool {
    record.note_time(own_time(text));
    let head = text.get(..PREFIX_BYTES).unwrap_or(text);
    let mut named = false;
    if let Some((process, thread)) = threadtime(head) {
        record.emitter.note(Part::Process, process);
        record.emitter.note(Part::Thread, thread);
        named = true;
    }
    let (mut behind, mut thread_is_known) = (head, false);
    if let Some(fit) = layout::read(head) {
        named |= fit.note(record);
        if fit.says(Part::Logger) {
            return true;
        }
        (behind, thread_is_known) = (fit.rest, fit.says(Part::Thread));
    }
    let mut words = behind.split(|byte| *byte == b' ').peekable();
    let mut seen = 0;
    while let Some(word) = words.next() {
        seen += 1;
        if seen > 8 {
            break;
        }
        if let Some((process, thread)) = process(word) {
            record.emitter.note(Part::Process, process);
            if let Some(thread) = thread {
                record.emitter.note(Part::Thread, thread);
            }
            named = true;
        } else if let Some(dyno) = dyno(word) {
            record.emitter.note(Part::Process, dyno);
            named = true;
        } else if let Some(name) = thread(word) {
            // the second name in brackets is what a framework numbers its requests with
            if thread_is_known || pairs::is_request(name) {
                record.ids.note(Id::Request, name);
            } else {
                record.emitter.note(Part::Thread, name);
            }
            thread_is_known |= !pairs::is_request(name);
            named = true;
        } else if let Some(logger) = word.strip_suffix(b":").and_then(logcat).or_else(|| dotted(word))
            && (word.ends_with(b":") || words.peek().is_some_and(|next| matches!(*next, b"-" | b":")))
        {
            record.emitter.note(Part::Logger, logger);
            named = true;
            break;
        }
    }
    named
}

/// `11-25 09:46:40.000  8101  8201 W Twilio: ` (logcat's usual format, maybe with a year, a zone or a user): the process, and its
/// thread.
fn threadtime(head: &[u8]) -> Option<(&[u8], &[u8])> {
    if !head.first()?.is_ascii_digit() {
        return None;
    }
    let is_number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    let mut words = head.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let (_date, _time) = (words.next()?, words.next()?);
    let (mut process, mut thread) = (words.next()?, words.next()?);
    for word in words.take(3) {
        if let [b'V' | b'D' | b'I' | b'W' | b'E' | b'F' | b'A'] = word {
            return (is_number(process) && is_number(thread)).then_some((process, thread));
        }
        (process, thread) = (thread, word);
    }
    None
}

/// `ChatQuickstart[36885:11843149]`, `6320-9244/com.app`, `#4007]` (Ruby): a process, and its thread.
fn process(word: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if let Some(number) = word.strip_prefix(b"#").and_then(|word| word.strip_suffix(b"]")) {
        return is_number(number).then_some((number, None));
    }
    if let Some(open) = word.iter().position(|byte| *byte == b'[')
        && open > 0
    {
        let inside = word.get(open + 1..)?.strip_suffix(b"]").or_else(|| word.get(open + 1..)?.strip_suffix(b"]:"))?;
        let colon = inside.iter().position(|byte| *byte == b':').unwrap_or(inside.len());
        let thread = inside.get(colon + 1..);
        let numeric = is_number(inside.get(..colon)?) && thread.is_none_or(is_number);
        return numeric.then_some((word.get(..=open + colon)?, thread));
    }
    let slash = word.iter().position(|byte| *byte == b'/')?;
    let ids = word.get(..slash)?;
    let dash = ids.iter().position(|byte| *byte == b'-')?;
    let (process, thread) = (ids.get(..dash)?, ids.get(dash + 1..)?);
    (is_number(process) && is_number(thread)).then_some((process, Some(thread)))
}

/// `app[web.1]:` (Heroku), `app/web.1:` (Papertrail): a process without a number.
pub(super) fn dyno(word: &[u8]) -> Option<&[u8]> {
    let name = word.strip_suffix(b":")?;
    let is_name = |text: &[u8]| {
        text.first().is_some_and(u8::is_ascii_alphabetic)
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let slash = name.iter().position(|byte| matches!(byte, b'[' | b'/'))?;
    let (app, process) = (name.get(..slash)?, name.get(slash + 1..)?);
    let process = if name.get(slash) == Some(&b'[') { process.strip_suffix(b"]")? } else { process };
    let is_numbered = process.last().is_some_and(u8::is_ascii_digit) && process.contains(&b'.');
    (is_name(app) && is_name(process) && (is_numbered || app == b"heroku")).then_some(name)
}

/// `[http-nio-8080-exec-7]`: a thread, unless it is a level, a time or an SDK's prefix.
fn thread(word: &[u8]) -> Option<&[u8]> {
    let inside = word.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let is_word = inside.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:#@".contains(byte));
    // `[TokenProvider]` is a part of the program
    let is_numbered = inside.iter().any(|byte| byte.is_ascii_digit() || *byte == b'-') || inside == b"main";
    let named = inside.first().is_some_and(u8::is_ascii_alphabetic)
        && is_numbered
        && !is_level(inside)
        && !pairs::is_bare_id(inside);
    (is_word && named && !inside.starts_with(b"Twilio")).then_some(inside)
}

/// `D/OkHttp` (logcat): the tag.
fn logcat(word: &[u8]) -> Option<&[u8]> {
    let (level, tag) = word.split_first_chunk::<2>()?;
    (b"VDIWEF".contains(&level[0]) && level[1] == b'/' && !tag.is_empty()).then_some(tag)
}

/// `c.e.n.Gateway`: a class or module.
fn dotted(word: &[u8]) -> Option<&[u8]> {
    let word = word.strip_suffix(b":").unwrap_or(word);
    let is_name = word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._$".contains(byte));
    let is_exception = word.ends_with(b"Exception") || word.ends_with(b"Error");
    (is_name && !is_exception && word.contains(&b'.') && word.first().is_some_and(u8::is_ascii_alphabetic))
        .then_some(word)
}
