//! Finds what was sent as a token in the text of a line, in all the ways in which logs carry one.

use std::sync::LazyLock;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::detect::ends_in_escape;
use crate::fields;
use crate::percent;
use crate::token::{self, Ending, Sent};
use crate::words::Words;

mod encoded;
mod marker;
mod message;
mod stands;
pub mod wrapped;

use marker::with_marker;
pub use message::{Channel, begins_message, channel, is_of_registration, next_message};
use stands::{
    behind_type, bytes_literal, is_fault_object, is_jwt_like, is_nothing, is_of_other, is_token_name, stands_for_token,
    tells_of_connections,
};

/// A longer token is kept up to here; the reader of tokens says that it is too long.
const KEPT_BYTES_MAX: usize = (16 << 10) + 1;

/// A longer name before *token* is looked at up to here.
const KEY_BYTES_MAX: usize = 256;

/// Where a text stands to a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The message with which a connection presents its token: what its token field holds was sent, whatever it is.
    Message,
    /// The refusal itself: its token field shows what was refused, if that has the form of something that is mistaken for
    /// a token.
    Refusal,
    /// Any other line.
    Beside,
}

/// Ends of the keys under which tokens stand.
const KEY_ENDS: [&[u8]; 3] = [b"oken", b"jwt", b"JWT"];

static KEY_END_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(KEY_ENDS));
/// What every JWT begins with: `{"`, in base64url.
static JWT_START: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"eyJ"));

/// Keys that end in *token* and hold another kind of token.
const OTHER_TOKENS: [&[u8]; 17] = [
    b"continuation",
    b"csrf",
    b"xsrf",
    b"refresh",
    b"device",
    b"push",
    b"auth",
    b"registration",
    b"id",
    b"session",
    b"page",
    b"fcm",
    b"apns",
    b"reset",
    b"cancellation",
    b"next",
    b"idempotency",
];

/// What was sent as a token, if the text shows it: the value of a token field that holds a JWT, something that stands
/// for one or, in its own message, anything; else the first JWT that stands free and may be of Twilio. `limited` says that the line may have
/// been cut at its end.
pub fn find(text: &[u8], place: Place, limited: bool) -> Option<Sent> {
    field_value(text, place, limited).or_else(|| free(text, limited)).map(|sent| wrapped::mended(sent, text))
}

fn field_value(text: &[u8], place: Place, limited: bool) -> Option<Sent> {
    // Each value is read up to its end, which may be that of the text: of hostile ones only so much.
    let (mut from, mut room) = (0, text.len() + KEPT_BYTES_MAX);
    let mut former = None;
    while let Some((at, end, _)) = KEY_END_WORDS.next(text, from).filter(|_| room > 0) {
        from = end;
        let Some(sent) = value_after_key(text, at, end, place, limited, &mut room) else { continue };
        if !is_of_former(text.get(..at).unwrap_or_default()) {
            return Some(sent);
        }
        // `{"oldToken":…,"newToken":…}`
        former = former.or(Some(sent));
    }
    former
}

/// A name that ends so is that of the token before the one that was sent.
fn is_of_former(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"T").or_else(|| name.strip_suffix(b"t")).unwrap_or(name);
    let name = name.strip_suffix(b"_").or_else(|| name.strip_suffix(b"-")).unwrap_or(name);
    [b"old".as_slice(), b"previous", b"prev", b"former"].into_iter().any(|word| {
        name.len()
            .checked_sub(word.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    })
}

/// The value of the key that ends in `oken` or `jwt` at `at`, if it is a token's.
fn value_after_key(
    text: &[u8],
    at: usize,
    key_end: usize,
    place: Place,
    limited: bool,
    room: &mut usize,
) -> Option<Sent> {
    let any_value = place == Place::Message;
    let head = text.get(..at)?;
    let near = head.get(head.len().saturating_sub(KEY_BYTES_MAX)..)?;
    let is_other = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"_-".contains(byte);
    let start = head.len() - near.len() + near.iter().rposition(is_other).map_or(0, |at| at + 1);
    let (mut prefix, mut length) = ([0; KEY_BYTES_MAX], 0);
    for byte in head.get(start..)?.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *prefix.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let prefix = prefix.get(..length)?;
    let is_jwt = key_end - at == 3;
    let prefix = if is_jwt { prefix } else { prefix.strip_suffix(b"t")? };
    if OTHER_TOKENS.iter().any(|other| prefix == *other || (prefix.ends_with(other) && other.len() > 2)) {
        return None;
    }
    let mut value = text.get(key_end..)?;
    let mut separated = false;
    while let Some((&byte, rest)) = value.split_first() {
        match byte {
            b'=' if !separated => {
                separated = true;
                if let Some(behind) = rest.strip_prefix(b">") {
                    value = behind_type(behind);
                    continue;
                }
            }
            b':' if !separated => separated = true,
            // `[token] => eyJ…`, `["token"]=>`
            b']' if !separated && rest.trim_ascii_start().starts_with(b"=>") => {}
            b'"' | b'\'' | b'\\' if !separated => {
                // `token '<JWT>'` has no separator: the quote opens the value
                if byte == b'\'' && text.get(key_end) == Some(&b' ') {
                    break;
                }
            }
            // `token= identity=kim`
            b' ' if text.get(..text.len() - value.len()).is_some_and(|before| before.ends_with(b"="))
                && is_pair(rest) =>
            {
                break;
            }
            b' ' | b'\t' => {}
            // White space in a string of JSON.
            b'\\' if let Some(behind) = behind_escaped_blank(value) => {
                value = behind;
                continue;
            }
            _ => break,
        }
        value = rest;
    }
    if !separated && !value.starts_with(b"'") && !value.starts_with(b"eyJ") {
        return None;
    }
    let shown = value.get(..2 * KEPT_BYTES_MAX).unwrap_or(value);
    let limited = limited && shown.len() == value.len();
    let value = shown;
    // an object that an application prints has its token inside; only an SDK shows that it was sent as a whole
    if value.starts_with(b"{") && !any_value && !(place == Place::Refusal && is_fault_object(value)) {
        *room = room.saturating_sub(value.iter().position(|byte| *byte == b'}').unwrap_or(value.len()));
        return None;
    }
    let read = read_value(value, limited);
    let is_sought = matches!(value.first(), Some(b'[' | b'(' | b'P'));
    let looked_at = read.as_ref().map_or(if is_sought { value.len() } else { 1 }, |(raw, _)| raw.len());
    *room = room.saturating_sub(looked_at);
    let (mut raw, ending) = read?;
    if is_jwt && raw.is_empty() && !matches!(value.first(), Some(b'"' | b'\'')) {
        return None;
    }
    // Python's notation of bytes: the logger's doing, unless an SDK shows that it was sent so
    if !any_value && let Some(inner) = bytes_literal(&raw) {
        raw = inner.to_vec();
    }
    // What a parameter of a URL holds is encoded by whoever builds the URL, and decoded by whoever reads it.
    if matches!(start.checked_sub(1).and_then(|before| text.get(before)), Some(b'?' | b'&'))
        && let Some(decoded) = percent::decode(&raw)
    {
        raw = decoded;
    }
    // What is no JWT needs more than the word: of an object of nobody knows what, the name of the field.
    let is_sure = || !prefix.is_empty() || is_jwt || !is_nothing(&raw) || tells_of_connections(text, at);
    let is_named = || place == Place::Refusal || (is_token_name(prefix) && is_sure());
    let is_of_other = || is_of_other(near.get(..start - (head.len() - near.len())).unwrap_or_default());
    let stands_for_one = is_jwt_like(&raw) || (stands_for_token(&raw) && is_named() && !is_of_other());
    let is_instead = || token::instead(&raw).is_some() || token::status(&raw).is_some();
    let was_taken_for_one = || place == Place::Refusal && is_token_name(prefix) && is_instead();
    (any_value || stands_for_one || was_taken_for_one()).then(|| sent(raw, ending))
}

/// What follows `\t`, `\n` or `\r`, escaped any number of times.
fn behind_escaped_blank(value: &[u8]) -> Option<&[u8]> {
    let level = value.iter().take_while(|byte| **byte == b'\\').count();
    let (blank, rest) = value.get(level..)?.split_first()?;
    b"tnr".contains(blank).then_some(rest)
}

/// A value: quoted at any level of escaping, or bare.
fn read_value(value: &[u8], limited: bool) -> Option<(Vec<u8>, Ending)> {
    let level = value.iter().take_while(|byte| **byte == b'\\').count();
    match value.get(level) {
        Some(&quote @ (b'"' | b'\'')) => {
            let content = value.get(level + 1..)?;
            let end = closing_quote(content, quote, level);
            let mut raw = content.get(..end.unwrap_or(content.len()))?.to_vec();
            for _ in 0..=level.min(3) {
                if memchr::memchr(b'\\', &raw).is_none() {
                    break;
                }
                let mut plain = Vec::with_capacity(raw.len());
                fields::unescape(&raw, &mut plain);
                raw = plain;
            }
            let ending = if end.is_some() {
                Ending::Closed
            } else if limited {
                Ending::LineEnd
            } else {
                Ending::Cut
            };
            // `'eyJ…'... 200 more characters` (node)
            let after = end.and_then(|end| content.get(end + level + 1..)).unwrap_or_default();
            Some(with_marker(raw, ending, if after.starts_with(b"... ") { after } else { b"" }))
        }
        Some(b'<') if !value.starts_with(b"<r") && !value.starts_with(b"<R") => Some((value.to_vec(), Ending::Closed)),
        Some(b'[' | b'<') => {
            let end = value.iter().position(|byte| matches!(byte, b']' | b'>'))?;
            Some((value.get(..=end)?.to_vec(), Ending::Closed))
        }
        Some(b'{') => Some((value.to_vec(), Ending::Closed)),
        // A mask, or what Apple's and Go's libraries print for nothing.
        Some(b'(') => {
            let inner = value.get(..value.iter().position(|byte| *byte == b')')? + 1)?;
            JWT_START.find(inner).is_none().then(|| (inner.to_vec(), Ending::Closed))
        }
        // It begins on the next line.
        Some(b'\n') => None,
        Some(b'>' | b'|') if value.get(1).is_none_or(|byte| b"-+\n".contains(byte)) => None,
        Some(b'P') if value.starts_with(b"Promise {") => {
            let end = value.iter().position(|byte| *byte == b'}')?;
            Some((value.get(..=end)?.to_vec(), Ending::Closed))
        }
        Some(b'b') if matches!(value.get(1), Some(b'\'' | b'"')) => read_value(value.get(1..)?, limited),
        Some(_) => {
            let is_jwt = value.starts_with(b"eyJ");
            // None of a token's bytes ends it.
            let sure = token::run(value);
            let marks = ["(…".as_bytes(), "[…".as_bytes()];
            let is_marked = marks.iter().any(|mark| value.get(sure..).is_some_and(|rest| rest.starts_with(mark)));
            let ends_in_dots = value.get(..sure).is_some_and(|token| token.ends_with(b"..."));
            let is_cut = is_jwt && (is_marked || ends_in_dots);
            let ends = |byte: &u8| ends_bare_value(*byte) || (is_jwt && matches!(byte, b':' | b'|'));
            let end = value.get(sure..)?.iter().position(|byte| is_cut || ends(byte)).map(|end| sure + end);
            let raw = value.get(..end.unwrap_or(value.len()))?;
            let ending = if end.is_none() && limited { Ending::LineEnd } else { Ending::Closed };
            Some(with_marker(raw.to_vec(), ending, value.get(raw.len()..)?))
        }
        None => Some((Vec::new(), Ending::Closed)),
    }
}

/// A quote with exactly as many backslashes before it as the opening one.
fn closing_quote(content: &[u8], quote: u8, level: usize) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(quote, content.get(from..)?)?;
        let slashes = content.get(..at)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        if slashes == level {
            return Some(at - level);
        }
        from = at + 1;
    }
}

/// The first JWT that stands free, and may be of Twilio.
fn free(text: &[u8], limited: bool) -> Option<Sent> {
    let mut from = 0;
    while let Some(at) = JWT_START.find(text.get(from..)?).map(|at| from + at) {
        from = at + 3;
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
        let head = text.get(..at).unwrap_or_default();
        let is_hex = before.is_ascii_hexdigit();
        let level = if is_hex { encoded::level(head) } else { 0 };
        if before.is_ascii_alphanumeric() && level == 0 && !ends_in_escape(head) || b"_-.".contains(&before) {
            continue;
        }
        let run = text.get(at..)?;
        let (raw, length) = if level > 0 { encoded::value(run, level, is_token_byte) } else { plain(run) };
        if raw.len() < 12 || !(memchr::memchr(b'.', &raw).is_some() || raw.len() > 40) {
            continue;
        }
        let ending = if length == run.len() && limited { Ending::LineEnd } else { Ending::Closed };
        if token::is_foreign(&raw) {
            continue;
        }
        let (raw, ending) = with_marker(raw, ending, run.get(length..)?);
        return Some(sent(raw, ending));
    }
    None
}

/// The token with which a text begins, and its length.
fn plain(text: &[u8]) -> (Vec<u8>, usize) {
    let sure = token::run(text);
    let rest = text.get(sure..).unwrap_or_default();
    let length = sure + rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(rest.len());
    (text.get(..length).unwrap_or_default().to_vec(), length)
}

fn sent(mut raw: Vec<u8>, ending: Ending) -> Sent {
    raw.truncate(KEPT_BYTES_MAX);
    Sent { raw: Zeroizing::new(raw), ending }
}

/// A field of `key=value` pairs begins a text.
fn is_pair(text: &[u8]) -> bool {
    let key = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    (1..24).contains(&key) && text.get(key) == Some(&b'=') && !text.starts_with(b"eyJ")
}

/// A byte of a token, however it was changed on its way.
const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'=' | b'+' | b'/' | b'%' | b'~' | b'*')
}

/// A byte that ends a value without quotes.
const fn ends_bare_value(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b';' | b'&' | b')' | b'}' | b']' | b'<' | b'>' | b'\\'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln";

    #[track_caller]
    fn check(line: &str, expected: &str, ending: Ending) {
        let line = line.replace("JWT", JWT);
        let found = find(line.as_bytes(), Place::Beside, false)
            .map(|sent| (String::from_utf8_lossy(&sent.raw).replace(JWT, "JWT"), sent.ending));
        assert_eq!(found, Some((expected.to_owned(), ending)), "{line}");
    }

    #[test]
    fn tokens_are_found_in_every_embedding() {
        for line in [
            "connect token=JWT",
            "connect token=JWT, retry",
            r#"{"token":"JWT","x":1}"#,
            r#"{"msg":"{\"token\":\"JWT\"}"}"#,
            r#"{"msg":"{\\\"token\\\":\\\"JWT\\\"}"}"#,
            "Access Token:\tJWT",
            "X-Twilio-AccessToken: JWT",
            "  fpa_token: 'JWT',",
            "updating token 'JWT'",
            "GET /x?token=JWT&y=1 HTTP/1.1",
            "D/OkHttp: \"JWT\"",
            "issued JWT.",
            "token=b'JWT'",
            r#"{"token":"b'JWT'"}"#,
            "jwt: 'JWT'",
            "Access Token: JWT: {}",
            r#"{"continuation_token":null,"token":"JWT"}"#,
            r#"{:code=>51007, :token=>"JWT"}"#,
            r#"{"token" => "JWT", code: 51007}"#,
            "  'token' => 'JWT',",
            "    [token] => JWT\n)",
            "  [\"token\"]=>\n  string(42) \"JWT\"\n}",
            "body=%7B%22token%22%3A%22JWT%22%7D",
            "x=%257B%2522token%2522%253A%2522JWT%2522%257D",
            "redirect=%2Fy%3Ftoken%3DJWT%26x%3D1",
            "GET /x?a=1&token=eyJhbGciOiJIUzI1NiJ9%2EeyJpc3MiOiJTSyJ9%2Ec2ln HTTP/1.1",
        ] {
            check(line, "JWT", Ending::Closed);
        }
    }

    #[test]
    fn what_stands_for_a_token_is_found() {
        check("token=undefined", "undefined", Ending::Closed);
        check("jwt=undefined", "undefined", Ending::Closed);
        check(r#"{"token":""}"#, "", Ending::Closed);
        check(r#"{"token":"***"}"#, "***", Ending::Closed);
        check("token=[REDACTED] x", "[REDACTED]", Ending::Closed);
        check("token=<redacted>", "<redacted>", Ending::Closed);
        check(r#"{"token":"{\"token\":\"JWT\"}"}"#, r#"{"token":"JWT"}"#, Ending::Closed);
        check(r#"{"token":"<!DOCTYPE html><html>"}"#, "<!DOCTYPE html><html>", Ending::Closed);
    }

    #[test]
    fn a_cut_token_says_so() {
        check("token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M...", "eyJhbGciOiJIUzI1NiJ9.eyJpc3M", Ending::Cut);
        check("token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M…", "eyJhbGciOiJIUzI1NiJ9.eyJpc3M", Ending::Cut);
        for marker in [" [truncated]", "... (truncated)", "...[300 more]", "(…+300)", "[...]", r"\u2026", "&hellip;"]
        {
            check(&format!("token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M{marker}"), "eyJhbGciOiJIUzI1NiJ9.eyJpc3M", Ending::Cut);
        }
        check(
            "token: 'eyJhbGciOiJIUzI1NiJ9.eyJpc3M'... 200 more characters",
            "eyJhbGciOiJIUzI1NiJ9.eyJpc3M",
            Ending::Cut,
        );
        for masked in ["eyJhbGciOiJI.eyJq.[signature removed]", "eyJhbGciOiJIUzI1NiJ9…[+480]"] {
            check(&format!("token={masked} by server"), masked, Ending::Closed);
        }
        let limited = find(b"token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M", Place::Beside, true).unwrap();
        assert_eq!(limited.ending, Ending::LineEnd);
    }

    #[test]
    fn other_tokens_are_left_alone() {
        for line in [
            r#"{"continuation_token":"","csrfToken":"undefined"}"#,
            "authToken=***",
            "deviceToken: null",
            "a token of gratitude",
            "token bucket is empty",
            "invalid jwt:",
            "jwt: malformed",
            "token: 5 left",
            "monkeyJhbGciOiJIUzI1NiJ9.x",
            "Device token: (null)",
            "[fcm] registration token: null",
            "csrf token: null",
            "password reset token=",
            "SyntaxError: Unexpected token: undefined",
            "invitation_token=***",
            r#"{"apiToken":"********"}"#,
        ] {
            assert_eq!(find(line.as_bytes(), Place::Beside, false), None, "{line}");
        }
    }

    #[test]
    fn a_connections_own_message_may_hold_anything() {
        let sent = find(br#"{"method":"init","token":"hello","x":1}"#, Place::Message, false).unwrap();
        assert_eq!(&**sent.raw, b"hello");
    }
}
