//! Ids, and the product, in lines of text: `identity=alice`, `[requestId=r1]`, the JSON at the end of a line, a bare id in brackets.
//!
//! Only what a line is about is read here. What names a writer must stand where writers are named.

use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2_iter, memmem};

use super::collected::may_keep_line;
use super::emitter::{Id, Role, role};
use super::{Record, note, product_of, take_in_line};
use crate::fields;

/// Pairs looked at in one line.
const PAIRS_MAX: usize = 200;
/// How far brackets with a bare id are looked for, in bytes.
const HEAD_BYTES: usize = 240;
/// A bare id of hexadecimal digits has at least so many.
const HEX_LEAST: usize = 12;

static OBJECT: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"{\""));

/// Notes the ids and the product of a line of text.
pub(super) fn note_ids(text: &[u8], record: &mut Record<'_>) {
    pairs(text, record);
    if let Some(at) = OBJECT.find(text) {
        let mut kept: Option<(usize, usize)> = None;
        fields::json(text.get(at..).unwrap_or_default(), &mut |field| {
            let role = role(field.key, field.parents);
            if matches!(role, Some(Role::Id(_) | Role::Message | Role::Product))
                || (role == Some(Role::Time) && !record.has_day())
            {
                note(record, field);
            } else if field.quoted && may_keep_line(field.key) {
                kept = kept.or(Some((field.at, field.at + field.value.len())));
            }
            true
        });
        let json = text.get(at..).unwrap_or_default();
        take_in_line(record, kept.and_then(|(from, to)| json.get(from..to)).unwrap_or_default());
    }
    in_brackets(text.get(..HEAD_BYTES).unwrap_or(text), record);
}

/// `key=value`, also within brackets and after a question mark; `key: 'value'` of an object that node prints, and
/// `key: value` if the value has a digit, so that no word of a sentence is taken for one.
fn pairs(text: &[u8], record: &mut Record<'_>) {
    for separator in memchr2_iter(b'=', b':', text).take(PAIRS_MAX) {
        let is_colon = text.get(separator) == Some(&b':');
        let rest = text.get(separator + 1..).unwrap_or_default();
        let rest = if is_colon { rest.strip_prefix(b" ") } else { Some(rest) };
        let Some(rest) = rest else { continue };
        let head = text.get(..separator).unwrap_or_default();
        let head = if is_colon { head.strip_suffix(b"'").unwrap_or(head) } else { head };
        let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        let start = head.iter().rposition(|byte| !is_key(byte)).map_or(0, |at| at + 1);
        let Some(role @ (Role::Id(_) | Role::Product)) = role(head.get(start..).unwrap_or_default(), &[]) else {
            continue;
        };
        let Some(value) = value(rest) else { continue };
        let is_quoted = matches!(rest.first(), Some(b'\'' | b'"'));
        if is_colon && !is_quoted && !value.iter().any(u8::is_ascii_digit) {
            continue;
        }
        if let Role::Id(id) = role {
            record.ids.note(id, value);
        } else {
            record.product.get_or_insert(product_of(value));
        }
    }
}

/// What stands behind an equals sign, without its quotes.
fn value(text: &[u8]) -> Option<&[u8]> {
    let value = if let quote @ (b'"' | b'\'') = text.first()? {
        let inner = text.get(1..)?;
        inner.get(..memchr::memchr(*quote, inner)?)?
    } else {
        let ends = |byte: &u8| {
            byte.is_ascii_whitespace()
                || matches!(byte, b',' | b';' | b'&' | b'|' | b')' | b']' | b'}' | b'"' | b'\'' | b'\\')
        };
        text.get(..text.iter().position(ends).unwrap_or(text.len()))?
    };
    let says_nothing = value.is_empty() || [b"null".as_slice(), b"None", b"nil", b"-", b"undefined"].contains(&value);
    (!says_nothing).then_some(value)
}

/// `[7c1d…]`: Rails' tags, request ids of web frameworks; `[gateway,5e1c…,9f03…]`: an application, trace and span.
fn in_brackets(head: &[u8], record: &mut Record<'_>) {
    for open in memchr_iter(b'[', head) {
        let inside = head.get(open + 1..).unwrap_or_default();
        let Some(close) = memchr::memchr(b']', inside) else { return };
        let inside = inside.get(..close).unwrap_or_default();
        let mut parts = inside.split(|byte| *byte == b',');
        let first = parts.next().unwrap_or_default();
        if is_bare_id(first) {
            record.ids.note(Id::Request, first);
        } else if let Some(trace) = parts.next().filter(|part| is_bare_id(part)) {
            record.ids.note(Id::Trace, trace);
        }
    }
}

/// `[r17]`, `[req-17]`: what a program numbers its requests with.
pub(super) fn is_request(word: &[u8]) -> bool {
    let body = [b"request".as_slice(), b"req", b"rid", b"r"].iter().find_map(|name| word.strip_prefix(*name));
    let body = body.map(|body| body.strip_prefix(b"-").unwrap_or(body));
    body.is_some_and(|body| body.iter().all(u8::is_ascii_hexdigit) && body.iter().any(u8::is_ascii_digit))
}

/// A UUID, or a hexadecimal id with digits and letters, so that no number and no word is taken for one.
pub(super) fn is_bare_id(word: &[u8]) -> bool {
    word.len() >= HEX_LEAST
        && word.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use crate::envelope::{Likeness, read};

    #[track_caller]
    fn check(a: &str, b: &str, expected: Likeness) {
        let ids = |line: &str| read(line.as_bytes()).ids;
        let (a_ids, b_ids) = (ids(a), ids(b));
        let found = match a_ids.likeness(&b_ids) {
            Likeness::Unknown if a_ids.same_identity(&b_ids) => Likeness::Same,
            likeness @ (Likeness::Same | Likeness::Unknown | Likeness::Different) => likeness,
        };
        assert_eq!(found, expected, "{a} / {b}");
    }

    #[test]
    fn ids_in_a_text_are_read_in_every_notation() {
        const UUID: &str = "0b9c2f6e-7c1d-4c7e-9b1a-000000000001";
        for (a, b) in [
            ("INFO c.e.A [requestId=r1] - x", "ERROR c.e.B [requestId=r1] - y"),
            ("INFO [traceId=7 spanId=1] x", "ERROR [traceId=7 spanId=1] y"),
            ("INFO {request_id=r1, user=a} x", "ERROR {request_id=r1, user=a} y"),
            ("minted identity=alice", "refused identity=\"alice\" code=1"),
            ("minted {\"identity\":\"alice\"} []", "refused {\"code\":1,\"identity\":\"alice\"} []"),
            (&format!("INFO [{UUID}] x"), &format!("ERROR [{UUID}] y")),
            ("INFO [gw,5e1cab57aa0c1d01,9f03] x", "ERROR [gw,5e1cab57aa0c1d01,aa01] y"),
            ("INFO [http-nio-1] [r1] x", "ERROR [http-nio-2] [r1] y"),
        ] {
            check(a, b, Likeness::Same);
            check(a, &b.replace("r1", "r2").replace("=7", "=8").replace("alice", "bob").replace("e1c", "e1d"), {
                if a.contains(UUID) { Likeness::Same } else { Likeness::Different }
            });
        }
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        for line in ["[error] [server] x=1", "INFO [2026-03-01] identity=null", "[ABCDEFABCDEF] [123456789012] n=5"] {
            check(line, line, Likeness::Unknown);
        }
    }
}
