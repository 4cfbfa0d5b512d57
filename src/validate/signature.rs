//! The signature: does it fit the key's secret, and if not, can it be proved why?
//!
//! Verification goes through `jsonwebtoken`'s HMAC, which compares in constant time; its decoder is not used, because
//! it reads the clock and stops at the first fault.

use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::crypto::{aws_lc, sign, verify};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use super::key::is_sid_of;
use super::transport::{decode_percent_once, hex_byte};
use super::{Context, Outcome, Signature, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Change, Finding, Mistake};
use crate::keyring::Secret;
use crate::token::{Field, SIGNATURE_CHARS};

/// How many other secrets of the key ring are tried on a signature that does not fit. With more, the rest goes untried
/// and the finding stays `signature_invalid`.
pub const OTHER_SECRETS_MAX: usize = 256;

/// Installs the cryptography once a process. [`check`] and [`fits`] do it themselves; `main` may do it first.
pub fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        // An error says that there is one already, which is as good.
        _ = aws_lc::DEFAULT_PROVIDER.install_default();
    });
}

/// Says whether the signature fits the secret of the key that the token names.
pub(super) fn fits(subject: &Subject<'_>, context: &Context<'_>) -> bool {
    let iss = subject.claims.value(Field::Iss).text();
    subject.claims.value(Field::Alg).text() == Some("HS256")
        && iss.and_then(|iss| context.keyring.verifier(iss)).is_some_and(|key| is_signed_with(subject, key))
}

/// Checks the signature, and looks for the reason if it does not fit.
pub(super) fn check(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    if !subject.whole {
        return outcome.skip(Check::Signature, SkipReason::Unreadable);
    }
    let claims = subject.claims;
    let (Some("HS256"), Some(iss)) = (claims.value(Field::Alg).text(), claims.value(Field::Iss).text()) else {
        return outcome.skip(Check::Signature, SkipReason::NoClaim);
    };
    if !is_sid_of(iss, "SK") {
        // It is not known which key was meant.
        return outcome.skip(Check::Signature, SkipReason::NoClaim);
    }
    if fits(subject, context) {
        outcome.signature = Signature::Good;
        return;
    }
    let key = context.keyring.key(iss);
    let own = key.and_then(|key| key.secret.as_ref());
    let found = own
        .and_then(|secret| altered(subject, secret))
        .or_else(|| another(subject, context, iss))
        .or_else(|| constant(subject));
    let finding = match (found, key, own) {
        (Some(mistake), ..) => Finding::WrongSecret { key_sid: iss.to_owned(), mistake },
        (None, None, _) => return outcome.skip(Check::Signature, SkipReason::UnknownKey),
        (None, Some(_), None) => return outcome.skip(Check::Signature, SkipReason::NoSecret),
        (None, Some(_), Some(secret)) if has_other_case(subject, secret) => {
            Finding::Tampered { changes: vec![Change::Case] }
        }
        (None, Some(key), Some(_)) => Finding::SignatureInvalid { key_sid: key.sid.clone(), all_of_recent: 0 },
    };
    outcome.signature = Signature::Bad;
    outcome.find(finding);
}

fn is_signed_with(subject: &Subject<'_>, key: &DecodingKey) -> bool {
    prepare();
    let signature = std::str::from_utf8(subject.signature).ok().filter(|text| text.len() == SIGNATURE_CHARS);
    signature.is_some_and(|text| verify(text, subject.message, key, Algorithm::HS256).unwrap_or(false))
}

fn is_signed_with_bytes(subject: &Subject<'_>, secret: &[u8]) -> bool {
    is_signed_with(subject, &DecodingKey::from_secret(secret))
}

/// What happens to a secret on its way into a token server.
type Alteration = fn(&[u8]) -> Option<Vec<u8>>;

const ALTERATIONS: [(&str, Alteration); 21] = [
    ("with a newline after it", |s| Some([s, b"\n"].concat())),
    ("with a carriage return and a newline after it", |s| Some([s, b"\r\n"].concat())),
    ("with a carriage return after it", |s| Some([s, b"\r"].concat())),
    ("with a space after it", |s| Some([s, b" "].concat())),
    ("with a space before it", |s| Some([b" ", s].concat())),
    ("with a tab after it", |s| Some([s, b"\t"].concat())),
    ("with spaces around it", |s| Some([b" ", s, b" "].concat())),
    ("with `\\n` (a backslash and a letter) after it", |s| Some([s, b"\\n"].concat())),
    ("with a zero byte after it", |s| Some([s, b"\0"].concat())),
    ("in double quotes", |s| Some([b"\"", s, b"\""].concat())),
    ("in single quotes", |s| Some([b"'", s, b"'"].concat())),
    ("with a semicolon after it", |s| Some([s, b";"].concat())),
    ("with a comma after it", |s| Some([s, b","].concat())),
    ("with a byte order mark before it", |s| Some([b"\xef\xbb\xbf", s].concat())),
    ("in lower case", |s| Some(s.to_ascii_lowercase())),
    ("in upper case", |s| Some(s.to_ascii_uppercase())),
    ("decoded from base64", |s| STANDARD_NO_PAD.decode(without_padding(s)).ok()),
    ("decoded from base64url", |s| URL_SAFE_NO_PAD.decode(without_padding(s)).ok()),
    ("encoded in base64", |s| Some(STANDARD.encode(s).into_bytes())),
    ("decoded from hexadecimal digits", decode_hex),
    ("percent-decoded", decode_percent_once),
];

fn without_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    text.get(..text.len() - padding).unwrap_or(text)
}

fn altered(subject: &Subject<'_>, secret: &Secret) -> Option<Mistake> {
    let raw = secret.expose();
    let trimmed = raw.trim_ascii();
    let untrimmed = (raw != trimmed && is_signed_with_bytes(subject, raw))
        .then_some(Mistake::Altered("with the white space that stands around it in the key ring"));
    let altered = || {
        ALTERATIONS.iter().find_map(|(how, alter)| {
            let bytes = Zeroizing::new(alter(trimmed)?);
            (bytes.as_slice() != trimmed && is_signed_with_bytes(subject, &bytes)).then_some(Mistake::Altered(how))
        })
    };
    untrimmed.or_else(altered)
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| hex_byte(*pair)).collect()
}

/// Another secret of the ring, with or without a newline.
fn another(subject: &Subject<'_>, context: &Context<'_>, iss: &str) -> Option<Mistake> {
    let is_used = |secret: &Secret| {
        let secret = secret.expose().trim_ascii();
        is_signed_with_bytes(subject, secret)
            || is_signed_with_bytes(subject, &Zeroizing::new([secret, b"\n"].concat()))
    };
    let accounts = context.keyring.accounts().iter().filter_map(|a| Some((&a.sid, a.auth_token.as_ref()?)));
    let keys = context.keyring.keys().iter().filter(|key| key.sid != iss);
    let keys = keys.filter_map(|key| Some((&key.sid, key.secret.as_ref()?)));
    accounts
        .take(OTHER_SECRETS_MAX)
        .find(|(_, secret)| is_used(secret))
        .map(|(sid, _)| Mistake::AuthToken(sid.clone()))
        .or_else(|| {
            keys.take(OTHER_SECRETS_MAX)
                .find(|(_, secret)| is_used(secret))
                .map(|(sid, _)| Mistake::OtherKey(sid.clone()))
        })
}

/// What stands in for a secret that is not set, or is mixed up with a SID.
fn constant(subject: &Subject<'_>) -> Option<Mistake> {
    let claim = |field| subject.claims.value(field).text().unwrap_or_default().as_bytes();
    let constants: [(&[u8], &'static str); 8] = [
        (b"", "an empty secret"),
        (b"undefined", "the word `undefined`"),
        (b"null", "the word `null`"),
        (b"None", "the word `None`"),
        (b"secret", "the word `secret`"),
        (b"your-256-bit-secret", "the example secret of jwt.io"),
        (claim(Field::Iss), "what stands in `iss`"),
        (claim(Field::Sub), "what stands in `sub`"),
    ];
    constants
        .into_iter()
        .find(|(secret, _)| is_signed_with_bytes(subject, secret))
        .map(|(_, name)| Mistake::Constant(name))
}

fn has_other_case(subject: &Subject<'_>, secret: &Secret) -> bool {
    prepare();
    sign(subject.message, &EncodingKey::from_secret(secret.expose().trim_ascii()), Algorithm::HS256)
        .is_ok_and(|signature| signature.as_bytes().eq_ignore_ascii_case(subject.signature))
}
