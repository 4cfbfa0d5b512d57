//! What else a token may have been signed with: the mistakes that are made with secrets, each with the HMAC key that
//! proves it.
//!
//! The keys are prepared once, when the first bad signature asks for them: hashing a secret into a key costs as much as
//! hashing a short token. Which guess is tried when is the work of [`crate::validate`].

use std::fmt::{self, Write};
use std::sync::OnceLock;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{Account, Key};
use crate::percent;

/// How many other keys and how many accounts lend their secrets to guesses. What is over goes untried, and every
/// finding that this could change says so.
pub const OTHER_SECRETS_MAX: usize = 256;

/// The secret that was used in the place of the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The right one, with this added or done to it.
    Altered(&'static str),
    /// The secret of another key.
    OtherKey(String),
    /// The Auth Token of an account.
    AuthToken(String),
    /// No secret but this, which can be told.
    Constant(&'static str),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered(how) => write!(f, "that secret {how}"),
            Self::OtherKey(sid) => write!(f, "the secret of {sid}"),
            Self::AuthToken(sid) => write!(f, "the Auth Token of {sid}"),
            Self::Constant(what) => f.write_str(what),
        }
    }
}

/// A mistake, and what checks signatures that were made with it. `Debug` shows the mistake only.
#[derive(Clone)]
pub struct Guess {
    /// The mistake.
    pub mistake: Mistake,
    key: hmac::Key,
}

impl Guess {
    fn new(mistake: Mistake, secret: &[u8]) -> Self {
        Self { mistake, key: hmac_key(secret) }
    }

    /// Says whether this was the mistake; compares in constant time.
    pub fn is_right(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.key, message, signature).is_ok()
    }
}

impl fmt::Debug for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guess({:?})", self.mistake)
    }
}

pub(super) fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// The guesses of a key ring, each list made when it is first asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Guesses {
    /// Beside the keys of the ring.
    own: Vec<OnceLock<Box<[Guess]>>>,
    shared: OnceLock<Box<[Guess]>>,
}

impl Guesses {
    pub(super) fn new(keys: usize) -> Self {
        Self { own: vec![OnceLock::new(); keys], shared: OnceLock::new() }
    }

    /// What can be done to the secret of the key at this place.
    pub(super) fn own(&self, at: usize, key: &Key) -> &[Guess] {
        self.own.get(at).map_or(&[], |slot| slot.get_or_init(|| altered(key)))
    }

    /// The other secrets of the ring, and what stands in for a secret.
    pub(super) fn shared(&self, keys: &[Key], accounts: &[Account]) -> &[Guess] {
        self.shared.get_or_init(|| others(keys, accounts))
    }
}

/// What happens to a secret on its way into a token server.
type Alteration = fn(&[u8]) -> Option<Vec<u8>>;

/// A zero byte at the end is none of them: HMAC fills its key up with zeros, so it makes no difference.
const ALTERATIONS: [(&str, Alteration); 39] = [
    ("with a newline after it", |s| Some([s, b"\n"].concat())),
    ("with a carriage return and a newline after it", |s| Some([s, b"\r\n"].concat())),
    ("with a carriage return after it", |s| Some([s, b"\r"].concat())),
    ("with a space after it", |s| Some([s, b" "].concat())),
    ("with a space before it", |s| Some([b" ", s].concat())),
    ("with a tab after it", |s| Some([s, b"\t"].concat())),
    ("with a tab before it", |s| Some([b"\t", s].concat())),
    ("with spaces around it", |s| Some([b" ", s, b" "].concat())),
    ("with `\\n` (a backslash and a letter) after it", |s| Some([s, b"\\n"].concat())),
    ("in double quotes", |s| Some([b"\"", s, b"\""].concat())),
    ("with a double quote after it", |s| Some([s, b"\""].concat())),
    ("with a double quote before it", |s| Some([b"\"", s].concat())),
    ("in single quotes", |s| Some([b"'", s, b"'"].concat())),
    ("in double quotes with a newline after them", |s| Some([b"\"", s, b"\"\n"].concat())),
    ("in double quotes with a carriage return and a newline after them", |s| Some([b"\"", s, b"\"\r\n"].concat())),
    ("in single quotes with a newline after them", |s| Some([b"'", s, b"'\n"].concat())),
    ("in double quotes with a comma after them", |s| Some([b"\"", s, b"\","].concat())),
    ("in single quotes with a comma after them", |s| Some([b"'", s, b"',"].concat())),
    ("in double quotes with a semicolon after them", |s| Some([b"\"", s, b"\";"].concat())),
    ("in single quotes with a semicolon after them", |s| Some([b"'", s, b"';"].concat())),
    ("as Python's `str()` writes bytes (`b'…'`)", |s| Some([b"b'", s, b"'"].concat())),
    ("with a space and a newline after it", |s| Some([s, b" \n"].concat())),
    ("with a semicolon after it", |s| Some([s, b";"].concat())),
    ("with a comma after it", |s| Some([s, b","].concat())),
    ("with a byte order mark before it", |s| Some([b"\xef\xbb\xbf", s].concat())),
    ("in lower case", |s| Some(s.to_ascii_lowercase())),
    ("in upper case", |s| Some(s.to_ascii_uppercase())),
    ("decoded from base64", |s| STANDARD_NO_PAD.decode(without_padding(s)).ok()),
    ("decoded from base64url", |s| URL_SAFE_NO_PAD.decode(without_padding(s)).ok()),
    ("encoded in base64", |s| Some(STANDARD.encode(s).into_bytes())),
    ("encoded in base64 together with a newline after it", |s| Some(STANDARD.encode([s, b"\n"].concat()).into_bytes())),
    ("decoded from hexadecimal digits", decode_hex),
    ("encoded in hexadecimal digits", |s| Some(encode_hex(s).into_bytes())),
    ("encoded in hexadecimal digits, in capitals", |s| Some(encode_hex(s).to_ascii_uppercase().into_bytes())),
    // .NET's `Encoding.Unicode`, and Java's `UTF_16BE` and `UTF_16`.
    ("encoded in UTF-16LE", |s| encode_utf16(s, u16::to_le_bytes)),
    ("encoded in UTF-16LE with a byte order mark before it", |s| {
        Some([b"\xff\xfe", encode_utf16(s, u16::to_le_bytes)?.as_slice()].concat())
    }),
    ("encoded in UTF-16BE", |s| encode_utf16(s, u16::to_be_bytes)),
    ("encoded in UTF-16BE with a byte order mark before it", |s| {
        Some([b"\xfe\xff", encode_utf16(s, u16::to_be_bytes)?.as_slice()].concat())
    }),
    ("percent-decoded", percent::decode),
];

fn altered(key: &Key) -> Box<[Guess]> {
    let Some(secret) = &key.secret else { return Box::default() };
    let (raw, trimmed) = (secret.expose(), secret.expose().trim_ascii());
    // Every secret once: a second guess of the same one could only name it differently.
    let mut secrets: Vec<(Mistake, Zeroizing<Vec<u8>>)> = Vec::new();
    let mut add = |mistake: Mistake, secret: Vec<u8>| {
        let secret = Zeroizing::new(secret);
        if *secret != trimmed && !secrets.iter().any(|(_, known)| *known == secret) {
            secrets.push((mistake, secret));
        }
    };
    add(Mistake::Altered("with the white space that stands around it in the key ring"), raw.to_vec());
    for (how, alter) in ALTERATIONS {
        if let Some(bytes) = alter(trimmed) {
            add(Mistake::Altered(how), bytes);
        }
    }
    add(Mistake::Constant("what stands in `iss`"), key.sid.clone().into_bytes());
    if let Some(account) = &key.account {
        add(Mistake::Constant("the SID of the key's account"), account.clone().into_bytes());
    }
    secrets.into_iter().map(|(mistake, secret)| Guess::new(mistake, &secret)).collect()
}

fn without_padding(text: &[u8]) -> &[u8] {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    text.get(..text.len() - padding).unwrap_or(text)
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|pair| percent::hex_byte(*pair)).collect()
}

fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn encode_utf16(text: &[u8], bytes: fn(u16) -> [u8; 2]) -> Option<Vec<u8>> {
    Some(std::str::from_utf8(text).ok()?.encode_utf16().flat_map(bytes).collect())
}

/// What stands in for a secret that is not set.
const CONSTANTS: [(&str, &[u8]); 6] = [
    ("an empty secret", b""),
    ("the word `undefined`", b"undefined"),
    ("the word `null`", b"null"),
    ("the word `None`", b"None"),
    ("the word `secret`", b"secret"),
    ("the example secret of jwt.io", b"your-256-bit-secret"),
];

fn others(keys: &[Key], accounts: &[Account]) -> Box<[Guess]> {
    let accounts = accounts.iter().filter_map(|a| Some((Mistake::AuthToken(a.sid.clone()), a.auth_token.as_ref()?)));
    let keys = keys.iter().filter_map(|k| Some((Mistake::OtherKey(k.sid.clone()), k.secret.as_ref()?)));
    let secrets = accounts.take(OTHER_SECRETS_MAX).chain(keys.take(OTHER_SECRETS_MAX));
    // Keys may share a secret. Which of them is named first does not change by leaving out the others: one that is asked
    // about itself was tried with its own secret before.
    let mut known: Vec<&[u8]> = Vec::new();
    let secrets = secrets.filter_map(|(mistake, secret)| {
        let secret = secret.expose().trim_ascii();
        if known.contains(&secret) {
            return None;
        }
        known.push(secret);
        Some((mistake, secret))
    });
    let with_newline = |(mistake, secret): (Mistake, &[u8])| {
        let newline = Zeroizing::new([secret, b"\n"].concat());
        [Guess::new(mistake.clone(), secret), Guess::new(mistake, &newline)]
    };
    let constants = CONSTANTS.into_iter().map(|(name, secret)| Guess::new(Mistake::Constant(name), secret));
    secrets.flat_map(with_newline).chain(constants).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{KeyKind, Secret};
    use super::*;

    fn key(sid: &str, secret: &str) -> Key {
        let secret = Some(Secret::new(secret));
        Key { sid: sid.into(), account: None, secret, region: None, kind: KeyKind::Standard }
    }

    #[test]
    fn no_secret_is_guessed_twice() {
        // No case, no hexadecimal digits and no escapes to undo: what is left differs.
        let guesses = altered(&key("SK1", "c2VjcmV0c2VjcmV0"));
        let decoded = guesses.iter().filter(|guess| guess.mistake.to_string().contains("decoded")).count();
        assert_eq!(decoded, 1, "{guesses:?}");
    }

    #[test]
    fn a_secret_of_several_keys_is_guessed_once() {
        let guesses =
            |keys: &[Key]| others(keys, &[]).iter().map(|guess| guess.mistake.to_string()).collect::<Vec<_>>();
        let alone = guesses(&[key("SK1", "same"), key("SK3", "other")]);
        assert_eq!(guesses(&[key("SK1", "same"), key("SK2", "same\n"), key("SK3", "other")]), alone);
    }

    #[test]
    fn a_secret_in_another_encoding_is_guessed() {
        let guesses = altered(&key("SK1", "aé"));
        for (secret, how) in [
            (b"61c3a9".as_slice(), "that secret encoded in hexadecimal digits"),
            (b"61C3A9", "that secret encoded in hexadecimal digits, in capitals"),
            (b"a\0\xe9\0", "that secret encoded in UTF-16LE"),
            (b"\xff\xfea\0\xe9\0", "that secret encoded in UTF-16LE with a byte order mark before it"),
            (b"\ta\xc3\xa9", "that secret with a tab before it"),
            (b"\"a\xc3\xa9\"\n", "that secret in double quotes with a newline after them"),
            (b"\0a\0\xe9", "that secret encoded in UTF-16BE"),
            (b"\xfe\xff\0a\0\xe9", "that secret encoded in UTF-16BE with a byte order mark before it"),
            (b"YcOp", "that secret encoded in base64"),
            (b"YcOpCg==", "that secret encoded in base64 together with a newline after it"),
            (b"b'a\xc3\xa9'", "that secret as Python's `str()` writes bytes (`b'…'`)"),
            (b"'a\xc3\xa9',", "that secret in single quotes with a comma after them"),
            (b"\"a\xc3\xa9\";", "that secret in double quotes with a semicolon after them"),
        ] {
            let tag = hmac::sign(&hmac_key(secret), b"x");
            let guess = guesses.iter().find(|guess| guess.is_right(b"x", tag.as_ref()));
            assert_eq!(guess.map(|guess| guess.mistake.to_string()).as_deref(), Some(how));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", altered(&key("SK1", "not-for-showing")));
        assert!(shown.starts_with("[Guess(Altered(") && !shown.contains("not-for-showing"), "{shown}");
    }

    #[test]
    fn the_secrets_of_others_are_bounded() {
        let keys: Vec<Key> = (0..400).map(|n| key(&format!("SK{n}"), &format!("secret-{n}"))).collect();
        assert_eq!(others(&keys, &[]).len(), 2 * OTHER_SECRETS_MAX + CONSTANTS.len());
    }
}
