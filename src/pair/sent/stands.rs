//! What a value of a token field is, by its form: a JWT, what stands for one in a log, or what was taken for one.

use std::sync::LazyLock;

use memchr::memmem;

use super::JWT_START;
use crate::token;
use crate::words::Words;

/// A JWT stands in it, near its beginning, or what became of one in small letters or capitals.
pub(super) fn is_jwt_like(raw: &[u8]) -> bool {
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
pub(super) fn stands_for_token(raw: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"",
        b"undefined",
        b"null",
        b"None",
        b"nil",
        b"NaN",
        b"[object Object]",
        b"[object Promise]",
        b"(null)",
        b"<null>",
        b"(nil)",
        b"Optional(nil)",
    ];
    let is_run = raw.len() >= 5 && raw.iter().all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'.'));
    is_run
        || raw.starts_with(b"***")
        || token::is_mask(raw)
        || WORDS.contains(&raw)
        || raw.starts_with(b"Promise {")
        || raw.starts_with(b"<!DOCTYPE")
        || raw.starts_with(b"<html")
        || raw.starts_with(b"<?xml")
        || (raw.starts_with(b"{") && memmem::find(raw, b"oken").is_some())
}

/// What many languages print where there is nothing; a client that sends `undefined` or an empty text shows more.
pub(super) fn is_nothing(raw: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"null", b"None", b"nil", b"(null)", b"<null>", b"(nil)"];
    WORDS.contains(&raw)
}

/// The word before *token* in the names of fields that hold Access Tokens, in small letters: `accessToken`, and not
/// `hasToken` or `requestToken`.
pub(super) fn is_token_name(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 15] = [
        b"",
        b"access",
        b"twilio",
        b"twilioaccess",
        b"xtwilioaccess",
        b"fpa",
        b"chat",
        b"conversations",
        b"sync",
        b"voice",
        b"video",
        b"client",
        b"worker",
        b"current",
        b"new",
    ];
    NAMES.contains(&word)
}

/// What stands around a place in a text tells of Twilio, or of what asks for its tokens. That something that is called
/// just a token is not there may be told of anything.
pub(super) fn tells_of_connections(text: &[u8], at: usize) -> bool {
    const AROUND_BYTES: usize = 160;
    const NAMES: [&[u8]; 19] = [
        b"twil",
        b"connect",
        b"client",
        b"chat",
        b"conversation",
        b"sync",
        b"voice",
        b"video",
        b"phone",
        b"sdk",
        b"fetch",
        b"receiv",
        b"respon",
        b"mint",
        b"generat",
        b"login",
        b"endpoint",
        b"jwt",
        b"fpa",
    ];
    static WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(NAMES));
    let from = at.saturating_sub(AROUND_BYTES);
    let around = text.get(from..text.len().min(at + AROUND_BYTES)).unwrap_or_default();
    WORDS.any(&around.to_ascii_lowercase())
}

/// The word before *token*, as `Device token: (null)` has it, says that it is another one.
pub(super) fn is_of_other(before: &[u8]) -> bool {
    const WORDS: [&[u8]; 24] = [
        b"device",
        b"registration",
        b"notification",
        b"csrf",
        b"xsrf",
        b"authenticity",
        b"reset",
        b"refresh",
        b"push",
        b"session",
        b"id",
        b"fcm",
        b"apns",
        b"page",
        b"next",
        b"continuation",
        b"invitation",
        b"invite",
        b"verification",
        b"confirmation",
        b"api",
        b"bot",
        b"unexpected",
        b"unsubscribe",
    ];
    let Some(before) = before.strip_suffix(b" ") else { return false };
    let start = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = before.get(start..).unwrap_or_default();
    WORDS.iter().any(|other| word.eq_ignore_ascii_case(other))
}

/// An object without a token that was taken for one: an empty one, as a promise becomes in JSON, or the answer of an
/// endpoint that failed. `{"exp":…}` is what a token says.
pub(super) fn is_fault_object(value: &[u8]) -> bool {
    const KEYS: [&[u8]; 6] = [b"error", b"errors", b"message", b"status", b"statusCode", b"detail"];
    let Some(end) = value.iter().position(|byte| *byte == b'}') else { return false };
    let inner = value.get(1..end).unwrap_or_default();
    let start = inner.iter().position(|byte| !b" \n\t\\\"'".contains(byte));
    let Some(inner) = start.and_then(|start| inner.get(start..)) else { return true };
    let key = inner.iter().position(|byte| !byte.is_ascii_alphabetic()).and_then(|length| inner.get(..length));
    key.is_some_and(|key| KEYS.contains(&key)) && memmem::find(inner, b"oken").is_none()
}

/// The contents of `b'…'`.
pub(super) fn bytes_literal(raw: &[u8]) -> Option<&[u8]> {
    let body = raw.strip_prefix(b"b")?;
    [b"'".as_slice(), b"\""].iter().find_map(|quote| body.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// What follows the type before a value that PHP dumps: `⏎  string(512) "eyJ…"`.
pub(super) fn behind_type(value: &[u8]) -> &[u8] {
    let inner = value.trim_ascii_start().strip_prefix(b"string(");
    let digits = |inner: &[u8]| inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
    inner.and_then(|inner| inner.get(digits(inner)..)?.strip_prefix(b") ")).unwrap_or(value)
}
