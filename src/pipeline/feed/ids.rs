//! What a text is about: the ids of connections, messages, tokens and events in it.

use std::sync::LazyLock;

use memchr::memmem;

use crate::detect::ends_in_escape;
use crate::envelope::{Id, Ids};
use crate::words::Words;

/// No `jti` of the helper libraries is as long, in bytes.
const JTI_BYTES_MAX: usize = 64;

/// The value behind the word `jti`: `SK` with 32 digits, a hyphen and a time.
fn jti(text: &[u8]) -> Option<&[u8]> {
    let start = text.iter().take(8).position(|byte| *byte == b'S')?;
    let value = text.get(start..)?;
    let value = value.get(..JTI_BYTES_MAX).unwrap_or(value);
    let length = value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'-')).unwrap_or(value.len());
    (value.starts_with(b"SK") && length >= 36).then(|| value.get(..length)).flatten()
}

/// The SID of an event that Twilio reports: `NO` with 32 digits.
fn event(text: &[u8]) -> Option<&[u8]> {
    const SID_BYTES: usize = 34;
    static PREFIX: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"NO"));
    PREFIX.find_iter(text).find_map(|at| {
        let is_free = text.get(..at)?.last().is_none_or(|before| !before.is_ascii_alphanumeric())
            || ends_in_escape(text.get(..at)?);
        let sid = text.get(at..at + SID_BYTES)?;
        let is_sid = sid.iter().skip(2).all(u8::is_ascii_hexdigit)
            && !text.get(at + SID_BYTES).is_some_and(u8::is_ascii_alphanumeric);
        (is_free && is_sid).then_some(sid)
    })
}

/// The number of Video's connection, the ids of the messages of the wire protocol, in objects that node prints (`id: 'c185…'`) and in JSON, and the
/// token's own id.
pub(super) fn note_ids(text: &[u8], ids: &mut Ids) {
    static KEYS: LazyLock<Words> =
        LazyLock::new(|| Words::new([b" id: '".as_slice(), b"{\"id\":\"", b"jti", b"[TwilioConnection #"]));
    // The message that closes a connection has an id of its own.
    static CLOSES: LazyLock<Words> =
        LazyLock::new(|| Words::new([b"method: 'close'".as_slice(), br#""method":"close""#]));
    if let Some(sid) = event(text) {
        ids.note(Id::Event, sid);
    }
    let (mut from, mut closes) = (0, None);
    while let Some((_, end, key)) = KEYS.next(text, from) {
        from = end;
        let value = text.get(end..).unwrap_or_default();
        if key == 2 {
            if let Some(jti) = jti(value) {
                ids.note(Id::Token, jti);
            }
            continue;
        }
        if key == 3 {
            // Video numbers its connections; its messages have ids of their own
            let length = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            ids.note(Id::Connection, value.get(..length).unwrap_or_default());
            return;
        }
        let length = value.iter().position(|byte| matches!(byte, b'\'' | b'"')).unwrap_or(0);
        let id = value.get(..length).unwrap_or_default();
        if id.len() >= 32 && !*closes.get_or_insert_with(|| CLOSES.any(text)) {
            ids.note(Id::Message, id);
        }
    }
}
