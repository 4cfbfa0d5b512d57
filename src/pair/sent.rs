//! Finds what was sent as a token in the text of a line, in all the ways in which logs carry one.

use std::sync::LazyLock;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::detect::ends_in_escape;
use crate::fields;
use crate::token::{self, Ending, Sent};
use crate::words::Words;

/// A longer token is kept up to here; the reader of tokens says that it is too long.
const KEPT_BYTES_MAX: usize = (16 << 10) + 1;

/// The kinds of connection that present a token in a message of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Conversations, Chat and Sync.
    Twilsock,
    /// The Voice SDKs.
    Voice,
    /// The Video SDKs.
    Video,
}

/// Phrases of the messages with which a connection presents its token.
const MESSAGES: [(&[u8], Channel); 15] = [
    (b"\"method\":\"init\"", Channel::Twilsock),
    (b"\"method\":\"update\"", Channel::Twilsock),
    (b"\\\"method\\\":\\\"init\\\"", Channel::Twilsock),
    (b"\\\"method\\\":\\\"update\\\"", Channel::Twilsock),
    (b"\"method\": \"init\"", Channel::Twilsock),
    (b"\"method\": \"update\"", Channel::Twilsock),
    (b"method: 'init'", Channel::Twilsock),
    (b"fpa_token:", Channel::Twilsock),
    (b"setupSocket:", Channel::Twilsock),
    (b"updateToken:", Channel::Twilsock),
    (b"\"type\":\"listen\"", Channel::Voice),
    (b"\"type\":\"register\"", Channel::Voice),
    (b"\\\"type\\\":\\\"listen\\\"", Channel::Voice),
    (b"\"type\":\"connect\"", Channel::Video),
    (b"\\\"type\\\":\\\"connect\\\"", Channel::Video),
];

static MESSAGE_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(MESSAGES.iter().map(|(phrase, _)| *phrase)));

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

/// The channel whose message a text is.
pub fn channel(text: &[u8]) -> Option<Channel> {
    MESSAGES.get(MESSAGE_WORDS.first(text)?).map(|(_, channel)| *channel)
}

/// What was sent as a token, if the text shows it: the value of a token field that holds a JWT, something that stands
/// for one or, with `any_value`, anything; else the first JWT that stands free. `limited` says that the line may have
/// been cut at its end.
pub fn find(text: &[u8], any_value: bool, limited: bool) -> Option<Sent> {
    field_value(text, any_value, limited).or_else(|| free(text, limited))
}

fn field_value(text: &[u8], any_value: bool, limited: bool) -> Option<Sent> {
    let mut from = 0;
    while let Some((at, end, _)) = KEY_END_WORDS.next(text, from) {
        from = end;
        if let Some(sent) = value_after_key(text, at, end, any_value, limited) {
            return Some(sent);
        }
    }
    None
}

/// The value of the key that ends in `oken` or `jwt` at `at`, if it is a token's.
fn value_after_key(text: &[u8], at: usize, key_end: usize, any_value: bool, limited: bool) -> Option<Sent> {
    let head = text.get(..at)?;
    let start =
        head.iter().rposition(|byte| !byte.is_ascii_alphanumeric() && !b"_-".contains(byte)).map_or(0, |at| at + 1);
    let prefix: Vec<u8> =
        head.get(start..)?.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let is_jwt = key_end - at == 3;
    let prefix = if is_jwt { prefix.as_slice() } else { prefix.strip_suffix(b"t")? };
    if OTHER_TOKENS.iter().any(|other| prefix == *other || (prefix.ends_with(other) && other.len() > 2)) {
        return None;
    }
    let mut value = text.get(key_end..)?;
    let mut separated = false;
    while let Some((&byte, rest)) = value.split_first() {
        match byte {
            b':' | b'=' if !separated => separated = true,
            b'"' | b'\'' | b'\\' if !separated => {
                // `token '<JWT>'` has no separator: the quote opens the value
                if byte == b'\'' && text.get(key_end) == Some(&b' ') {
                    break;
                }
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
    // an object that an application prints has its token inside; only an SDK shows that it was sent as a whole
    if value.starts_with(b"{") && !any_value {
        return None;
    }
    let (mut raw, ending) = read_value(value, limited)?;
    if is_jwt && raw.is_empty() && !matches!(value.first(), Some(b'"' | b'\'')) {
        return None;
    }
    // Python's notation of bytes: the logger's doing, unless an SDK shows that it was sent so
    if !any_value && let Some(inner) = bytes_literal(&raw) {
        raw = inner.to_vec();
    }
    let stands_for_one = is_jwt_like(&raw) || stands_for_token(&raw);
    (any_value || stands_for_one).then(|| sent(raw, ending))
}

/// What follows `\t`, `\n` or `\r`, escaped any number of times.
fn behind_escaped_blank(value: &[u8]) -> Option<&[u8]> {
    let level = value.iter().take_while(|byte| **byte == b'\\').count();
    let (blank, rest) = value.get(level..)?.split_first()?;
    b"tnr".contains(blank).then_some(rest)
}

/// The contents of `b'…'`.
fn bytes_literal(raw: &[u8]) -> Option<&[u8]> {
    let body = raw.strip_prefix(b"b")?;
    [b"'".as_slice(), b"\""].iter().find_map(|quote| body.strip_prefix(*quote)?.strip_suffix(*quote))
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
            Some(with_marker(raw, ending, b""))
        }
        Some(b'<') if !value.starts_with(b"<r") && !value.starts_with(b"<R") => Some((value.to_vec(), Ending::Closed)),
        Some(b'[' | b'<') => {
            let end = value.iter().position(|byte| matches!(byte, b']' | b'>'))?;
            Some((value.get(..=end)?.to_vec(), Ending::Closed))
        }
        Some(b'{') => Some((value.to_vec(), Ending::Closed)),
        Some(b'b') if matches!(value.get(1), Some(b'\'' | b'"')) => read_value(value.get(1..)?, limited),
        Some(_) => {
            let is_jwt = value.starts_with(b"eyJ");
            // None of a token's bytes ends it.
            let sure = token::run(value);
            let ends = |byte: &u8| ends_bare_value(*byte) || (is_jwt && matches!(byte, b':' | b'|'));
            let end = value.get(sure..)?.iter().position(ends).map(|end| sure + end);
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

/// The first JWT that stands free.
fn free(text: &[u8], limited: bool) -> Option<Sent> {
    let mut from = 0;
    while let Some(at) = JWT_START.find(text.get(from..)?).map(|at| from + at) {
        from = at + 3;
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied().unwrap_or(b' ');
        let is_escape = || ends_in_escape(text.get(..at).unwrap_or_default());
        if before.is_ascii_alphanumeric() && !is_escape() || b"_-.".contains(&before) {
            continue;
        }
        let run = text.get(at..)?;
        let sure = token::run(run);
        let length = run.get(sure..)?.iter().position(|byte| !is_token_byte(*byte)).map_or(run.len(), |end| sure + end);
        let raw = run.get(..length)?;
        if raw.len() < 12 || !(memchr::memchr(b'.', raw).is_some() || raw.len() > 40) {
            continue;
        }
        let ending = if length == run.len() && limited { Ending::LineEnd } else { Ending::Closed };
        let (raw, ending) = with_marker(raw.to_vec(), ending, run.get(length..)?);
        return Some(sent(raw, ending));
    }
    None
}

/// Takes an ellipsis off the end, or notices a marker that follows: the logger cut the token.
fn with_marker(mut raw: Vec<u8>, ending: Ending, after: &[u8]) -> (Vec<u8>, Ending) {
    const MARKERS: [&[u8]; 8] =
        [b"...", "…".as_bytes(), b"[trunc", b"(trunc", b"<trunc", b" [trunc", b" (trunc", b" <trunc"];
    if MARKERS.iter().any(|marker| after.starts_with(marker)) {
        return (raw, Ending::Cut);
    }
    for ellipsis in [b"...".as_slice(), "…".as_bytes(), br"\u2026"] {
        if let Some(kept) = raw.strip_suffix(ellipsis) {
            let kept = kept.len();
            raw.truncate(kept);
            return (raw, Ending::Cut);
        }
    }
    // the full stop of a sentence
    if raw.ends_with(b".") && memchr::memchr_iter(b'.', &raw).count() == 3 {
        raw.pop();
    }
    (raw, ending)
}

fn sent(mut raw: Vec<u8>, ending: Ending) -> Sent {
    raw.truncate(KEPT_BYTES_MAX);
    Sent { raw: Zeroizing::new(raw), ending }
}

/// A JWT stands in it, near its beginning, or what became of one in small letters or capitals.
fn is_jwt_like(raw: &[u8]) -> bool {
    JWT_START.find(raw.get(..64).unwrap_or(raw)).is_some() || is_jwt_in_one_case(raw)
}

/// Three parts that begin as a JWT's, but for the case of the letters.
fn is_jwt_in_one_case(raw: &[u8]) -> bool {
    const HEAD_BYTES: usize = 16;
    let mut parts = raw.split(|byte| *byte == b'.');
    let is_part =
        |part: Option<&[u8]>| part.is_some_and(|part| part.len() >= HEAD_BYTES && token::run(part) == part.len());
    let begins = |part: &[u8]| part.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"eyj"));
    let (header, payload, signature) = (parts.next(), parts.next(), parts.next());
    header.is_some_and(begins)
        && payload.is_some_and(begins)
        && [header, payload, signature].into_iter().all(is_part)
        && parts.next().is_none()
}

/// What programs send, or loggers show, in place of a token.
fn stands_for_token(raw: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"",
        b"undefined",
        b"null",
        b"None",
        b"nil",
        b"NaN",
        b"[object Object]",
        b"[object Promise]",
        b"Promise { <pending> }",
        b"(null)",
        b"<null>",
        b"(nil)",
    ];
    let masked = {
        let lower = raw.to_ascii_lowercase();
        lower.starts_with(b"***")
            || [b"redacted".as_slice(), b"filtered", b"masked", b"hidden", b"secret", b"sanitized"]
                .iter()
                .any(|word| lower.len() <= 24 && memmem::find(&lower, word).is_some())
            || (lower.len() >= 5 && lower.iter().all(|byte| matches!(byte, b'x' | b'*' | b'.')))
    };
    masked
        || WORDS.contains(&raw)
        || raw.starts_with(b"<!DOCTYPE")
        || raw.starts_with(b"<html")
        || raw.starts_with(b"<?xml")
        || (raw.starts_with(b"{") && memmem::find(raw, b"oken").is_some())
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
        let found = find(line.as_bytes(), false, false)
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
        check("token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M [truncated]", "eyJhbGciOiJIUzI1NiJ9.eyJpc3M", Ending::Cut);
        let limited = find(b"token=eyJhbGciOiJIUzI1NiJ9.eyJpc3M", false, true).unwrap();
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
        ] {
            assert_eq!(find(line.as_bytes(), false, false), None, "{line}");
        }
    }

    #[test]
    fn a_connections_own_message_may_hold_anything() {
        let sent = find(br#"{"method":"init","token":"hello","x":1}"#, true, false).unwrap();
        assert_eq!(&**sent.raw, b"hello");
    }
}
