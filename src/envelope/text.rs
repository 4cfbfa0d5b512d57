//! Lines of text: colours and escapes, CRI, syslog and access-log prefixes.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

use super::emitter::Part;
use super::{Record, Written};
use crate::stamp::{self, Stamp};

/// How far a writer's name is looked for, in bytes.
pub(super) const PREFIX_BYTES: usize = 200;

/// Without what terminals, HTML, stricter libraries of JSON and cells of a CSV do to a line.
pub(super) fn plain(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    // Most lines hold none of what the first two begin with.
    if memchr::memchr3(0x1B, b'\\', b'&', &text).is_none() {
        return without_doubled_quotes(text);
    }
    with_plain_escapes(without_doubled_quotes(without_colours(text)))
}

/// Without the colours of a terminal: `ESC [ 31 m`, with the escape as a byte or as JSON writes it.
fn without_colours(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    static ESCAPED: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(br"\u001b["));
    let is_plain = memchr::memchr(0x1B, &text).is_none() && ESCAPED.find(&text).is_none();
    if is_plain {
        return text;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while let Some((&byte, tail)) = rest.split_first() {
        let after = match byte {
            0x1B => Some(tail),
            b'\\' => tail.strip_prefix(b"u001b").or_else(|| tail.strip_prefix(b"u001B")),
            _ => None,
        };
        if let Some(behind) = after.and_then(colour) {
            rest = behind;
        } else {
            plain.push(byte);
            rest = tail;
        }
    }
    Cow::Owned(plain)
}

/// With quotes as JSON usually escapes them, and other marks as they are, where HTML or the stricter libraries of JSON
/// have written them: `&quot;`, `\u0022`, `\u002B`.
fn with_plain_escapes(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    static ESCAPES: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(br"\u00"));
    let is_mark = |at: usize| text.get(at + 1..).is_some_and(|rest| mark(rest).is_some());
    let is_entity = |at: usize| text.get(at..).is_some_and(|rest| entity(rest).is_some());
    let has_entity = memchr::memchr_iter(b'&', &text).any(is_entity);
    if !has_entity && !ESCAPES.find_iter(&text).any(is_mark) {
        return text;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some((quote, behind)) = Some(rest).filter(|_| byte == b'&').and_then(entity) {
            plain.extend_from_slice(quote);
            rest = behind;
            continue;
        }
        if byte == b'\\' {
            let level = rest.iter().take_while(|byte| **byte == b'\\').count();
            if let Some((mark, behind)) = rest.get(level..).and_then(mark) {
                // each level doubles them: `\u0022` is `\"`, `\\u0022` is `\\\"`
                let slashes = if mark == b'"' { 2 * level - 1 } else { 0 };
                plain.resize(plain.len() + slashes, b'\\');
                plain.push(mark);
                rest = behind;
                continue;
            }
            let (slashes, behind) = rest.split_at_checked(level).unwrap_or((rest, b""));
            plain.extend_from_slice(slashes);
            rest = behind;
            continue;
        }
        plain.push(byte);
        rest = tail;
    }
    Cow::Owned(plain)
}

/// A mark as the stricter libraries of JSON write it, without the backslash, and what follows.
fn mark(text: &[u8]) -> Option<(u8, &[u8])> {
    const MARKS: [(&[u8; 2], u8); 7] =
        [(b"22", b'"'), (b"27", b'\''), (b"2B", b'+'), (b"26", b'&'), (b"3C", b'<'), (b"3E", b'>'), (b"60", b'`')];
    let (code, rest) = text.strip_prefix(b"u00")?.split_first_chunk::<2>()?;
    MARKS.iter().find_map(|(digits, mark)| code.eq_ignore_ascii_case(*digits).then_some((*mark, rest)))
}

/// A quote as HTML writes it, as JSON escapes it, and what follows.
fn entity(text: &[u8]) -> Option<(&'static [u8], &[u8])> {
    const ENTITIES: [(&[u8], &[u8]); 4] =
        [(b"&quot;", b"\\\""), (b"&#34;", b"\\\""), (b"&#39;", b"'"), (b"&#x27;", b"'")];
    ENTITIES.iter().find_map(|(entity, quote)| Some((*quote, text.strip_prefix(*entity)?)))
}

/// With single quotes where a cell of a CSV has them doubled: `"{""code"":51007}"`.
fn without_doubled_quotes(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    static DOUBLED: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"\"\""));
    let is_row = || text.starts_with(b"\"") && memmem::find(&text, b"\",\"").is_some();
    let is_object = |at: usize| text.get(at + 3).is_some_and(|byte| byte.is_ascii_alphabetic() || b"@_".contains(byte));
    let is_doubled = DOUBLED.find(&text).is_some() && (is_row() || memmem::find_iter(&text, b"{\"\"").any(is_object));
    if !is_doubled {
        return text;
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while let Some(at) = memmem::find(rest, b"\"\"") {
        plain.extend_from_slice(rest.get(..=at).unwrap_or_default());
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// What follows the `[1;31m` of a colour.
fn colour(text: &[u8]) -> Option<&[u8]> {
    let body = text.strip_prefix(b"[")?;
    let length = body.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b';'))?;
    let behind = body.get(length..)?;
    behind.strip_prefix(b"m").or_else(|| behind.strip_prefix(b"K"))
}

/// `<time> stdout F text`: the text.
pub(super) fn cri(text: &[u8], note_time: impl FnOnce(Stamp)) -> Option<&[u8]> {
    let (time, rest) = split_word(text)?;
    if time.len() < 20 {
        return None;
    }
    let rest = rest.strip_prefix(b"stdout ").or_else(|| rest.strip_prefix(b"stderr "))?;
    let (tags, inner) = split_word(rest)?;
    let tag = tags.split(|byte| *byte == b':').next()?;
    if tag != b"F" && tag != b"P" {
        return None;
    }
    note_time(stamp::read(time)?);
    Some(inner)
}

/// A syslog header of RFC 3164 (with or without priority) or 5424: the text after it.
pub(super) fn syslog<'a>(text: &'a [u8], record: &mut Record<'_>) -> Option<&'a [u8]> {
    let after_priority = priority(without_length(text));
    let body = after_priority.unwrap_or(text);
    if let Some(rest) = body.strip_prefix(b"1 ")
        && after_priority.is_some()
    {
        return rfc5424(rest, record);
    }
    let first = *body.first()?;
    let (time, rest) = if first.is_ascii_alphabetic() {
        let (time, rest) = body.split_at_checked(15)?;
        (time, rest.strip_prefix(b" ")?)
    } else {
        // rsyslog's and systemd's form with an ISO time
        let (time, rest) = split_word(body)?;
        if time.len() < 20 {
            return None;
        }
        (time, rest)
    };
    let stamp = stamp::read(time)?;
    let (host, rest) = split_word(rest)?;
    let colon = memmem::find(rest.get(..80).unwrap_or(rest), b": ")?;
    let (tag, inner) = rest.split_at_checked(colon)?;
    let open = tag.iter().position(|byte| *byte == b'[');
    let app = tag.get(..open.unwrap_or(tag.len()))?;
    let is_tag = !app.is_empty() && app.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(byte));
    let is_host = host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte));
    // without a priority only the process id tells a syslog line from any text with a colon
    if !is_tag || !is_host || (after_priority.is_none() && !(open.is_some() && tag.last() == Some(&b']'))) {
        return None;
    }
    record.note_time(Some(Written::Stamp(stamp)));
    record.emitter.note(Part::Host, host);
    record.emitter.note(Part::Program, app);
    if let Some(open) = open {
        record.emitter.note(Part::Process, tag.get(open..).unwrap_or_default());
    }
    inner.get(2..)
}

fn rfc5424<'a>(rest: &'a [u8], record: &mut Record<'_>) -> Option<&'a [u8]> {
    let (time, rest) = split_word(rest)?;
    let (host, rest) = split_word(rest)?;
    let (app, rest) = split_word(rest)?;
    let (process, rest) = split_word(rest)?;
    let (_message_id, rest) = split_word(rest)?;
    record.note_time(stamp::read(time).map(Written::Stamp));
    for (part, value) in [(Part::Host, host), (Part::Program, app), (Part::Process, process)] {
        if value != b"-" {
            record.emitter.note(part, value);
        }
    }
    let inner = if let Some(inner) = rest.strip_prefix(b"-") {
        inner
    } else {
        let behind = structured_data(rest)?;
        let data = rest.get(..rest.len() - behind.len())?;
        // What a program says of an event, unlike what a relay does, has a private name.
        if memchr::memchr(b'@', data).is_some() { rest } else { behind }
    };
    let inner = inner.strip_prefix(b" ").unwrap_or(inner);
    Some(inner.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(inner))
}

/// What follows the `[id key="value"]` elements.
fn structured_data(text: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if inside => quoted = !quoted,
            b'[' if !quoted => inside = true,
            b']' if !quoted => inside = false,
            _ if !inside => return text.get(at..),
            _ => {}
        }
    }
    (!inside).then_some(b"")
}

/// Without the length that a syslog message on TCP begins with: `276 <190>1 `.
fn without_length(text: &[u8]) -> &[u8] {
    let digits = text.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    text.get(digits..).and_then(|rest| rest.strip_prefix(b" ")).filter(|rest| rest.starts_with(b"<")).unwrap_or(text)
}

fn priority(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"<")?;
    let close = rest.get(..4).unwrap_or(rest).iter().position(|byte| *byte == b'>')?;
    let (digits, rest) = rest.split_at_checked(close)?;
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(rest.get(1..)?)
}

/// `address - user [time] "…`.
pub(super) fn is_access(text: &[u8]) -> bool {
    let Some((address, rest)) = split_word(text) else { return false };
    address.first().is_some_and(u8::is_ascii_hexdigit)
        && address.iter().all(|byte| byte.is_ascii_hexdigit() || b".:".contains(byte))
        && address.iter().any(|byte| b".:".contains(byte))
        && rest.starts_with(b"- ")
        && memchr::memchr(b'[', rest.get(..80).unwrap_or(rest)).is_some()
}

/// Client address and time of an access-log line.
pub(super) fn access(text: &[u8], record: &mut Record<'_>) {
    if let Some((address, _)) = split_word(text) {
        record.emitter.note(Part::Client, address);
    }
    record.note_time(stamp::find(text).map(Written::Stamp));
}

/// Begins with `key=` and holds a second pair.
pub(super) fn is_logfmt(text: &[u8]) -> bool {
    let Some(equals) = memchr::memchr(b'=', text.get(..32).unwrap_or(text)) else { return false };
    let key = text.get(..equals).unwrap_or_default();
    let rest = text.get(equals + 1..).unwrap_or_default();
    !key.is_empty()
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.@".contains(byte))
        && memchr::memchr(b'=', rest).is_some()
}

pub(super) fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 11] = [
        b"trace",
        b"debug",
        b"info",
        b"notice",
        b"warn",
        b"warning",
        b"error",
        b"err",
        b"fatal",
        b"critical",
        b"verbose",
    ];
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

pub(super) fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    Some((text.get(..space)?, text.get(space + 1..)?))
}
