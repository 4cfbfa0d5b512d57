//! The laws that hold for any bytes; used by fuzzing, which looks for bytes that break them, and by tests.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diag51007::detect::Detector;
use diag51007::token::{Buffer, Ending, Field, Form, TOKEN_BYTES_MAX, read_bytes};
use diag51007::{envelope, pair, stamp};

use super::whole::diagnose;

/// Any log, cut anywhere, gives the same rejections, each with exactly one diagnosis, and the same exposed tokens; to look
/// for these on all lines changes no rejection. The first two bytes say where the log is cut.
pub(crate) fn cuts(data: &[u8]) {
    let Some((place, log)) = data.split_first_chunk::<2>() else { return };
    let whole = diagnose([log], true);
    assert_eq!(diagnose([log], false).0, whole.0, "rejections alone");
    assert!(whole.1.is_sorted_by(|one, next| one < next), "each exposed token is told once");
    let ids: BTreeSet<&str> = whole.0.iter().map(|diagnosis| diagnosis.id.as_str()).collect();
    assert_eq!(ids.len(), whole.0.len(), "one diagnosis a rejection");
    let (head, tail) = log.split_at(usize::from(u16::from_le_bytes(*place)) % (log.len() + 1));
    assert_eq!(diagnose([head, tail], true), whole, "cut in two");
    assert_eq!(diagnose(log.chunks(1), true), whole, "byte by byte");
    if place[0] % 4 == 0 {
        among_quiet_lines(log, 64 + usize::from(place[1]));
    }
}

/// In a large chunk only the lines near to candidates are looked at, where they are; in small ones they are first put
/// together.
fn among_quiet_lines(log: &[u8], small: usize) {
    // More lines than are looked back at, and so many bytes that they are not copied.
    let quiet = "2026-03-01T10:00:00Z INFO worker did what it had to do\n".repeat(540);
    let log = [quiet.as_bytes(), log, b"\n", quiet.as_bytes(), log].concat();
    let (whole, cut) = (diagnose([log.as_slice()], true), diagnose(log.chunks(small), true));
    for (of_whole, of_cut) in whole.0.iter().zip(&cut.0) {
        assert_eq!(of_cut, of_whole, "in chunks of {small}");
    }
    assert_eq!((cut.0.len(), cut.1), (whole.0.len(), whole.1), "in chunks of {small}");
}

/// Unwrapping a line, deciding about it and looking for a token in it never panic; what is refused stands in the line.
pub(crate) fn line(data: &[u8]) {
    let record = envelope::read(data);
    let detector = Detector::new(true, false);
    if let Some(refusal) = detector.refusal(&record.text, &record) {
        assert!(refusal.at < record.text.len(), "a refusal stands in its text");
        assert!(detector.find(&record.text, 0).is_some(), "what is refused was found");
    }
    if let Some(sent) = pair::sent::find(&record.text, pair::sent::Place::Message, true) {
        assert!(sent.raw.len() <= (16 << 10) + 1, "a token is kept up to its limit");
    }
    stamp::find(data);
}

/// Reading a token never panics, and what was minted is read back as it was: the first byte parts `jti` from `identity`.
pub(crate) fn token(data: &[u8]) {
    for ending in [Ending::Closed, Ending::Cut, Ending::LineEnd] {
        read_bytes(data, ending, &mut Buffer::default());
    }
    let Some((at, rest)) = data.split_first() else { return };
    let (jti, identity) = rest.split_at(usize::from(*at) % (rest.len() + 1));
    let (Ok(jti), Ok(identity)) = (std::str::from_utf8(jti), std::str::from_utf8(identity)) else { return };
    if rest.len() > 4096 {
        return;
    }
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(serde_json::json!({"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"}));
    let payload = part(serde_json::json!({"jti": jti, "exp": 7, "grants": {"identity": identity}}));
    let minted = format!("{header}.{payload}.{}", "A".repeat(43));
    // Escapes make it longer than what it says.
    if minted.len() > TOKEN_BYTES_MAX {
        return;
    }
    let mut buffer = Buffer::default();
    let token = read_bytes(minted.as_bytes(), Ending::Closed, &mut buffer);
    assert_eq!(token.form, Form::Whole);
    let jwt = token.jwt.expect("a whole token can be read");
    assert_eq!(jwt.claims.value(Field::Jti).text(), Some(jti));
    assert_eq!(jwt.claims.value(Field::Identity).text(), Some(identity));
}
