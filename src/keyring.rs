//! The API keys, Auth Tokens and accounts named in the config.
//!
//! Values only: reading secrets from files and the environment is the config's work.

use std::fmt;

use aws_lc_rs::hmac;
use hashbrown::HashMap;
use jsonwebtoken::DecodingKey;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

mod guess;

use guess::Guesses;
pub use guess::{Guess, Mistake, OTHER_SECRETS_MAX};

/// A secret: no `Display`, no `Serialize`, wiped from memory; `Debug` shows its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for signing and comparing only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// What checks signatures made with it. White space around it is left out: no secret of Twilio's has any, and files
    /// end with a newline.
    fn verifier(&self) -> Verifier {
        let secret = self.0.trim_ascii();
        Verifier { prepared: guess::hmac_key(secret), key: DecodingKey::from_secret(secret) }
    }
}

/// What checks the signatures of one key; its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Verifier {
    /// Hashing a secret into a key costs as much as hashing a short token, so it is done once.
    prepared: hmac::Key,
    key: DecodingKey,
}

impl Verifier {
    /// Says whether a signature fits; compares in constant time.
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.prepared, message, signature).is_ok()
    }

    /// The key for `jsonwebtoken`.
    pub const fn key(&self) -> &DecodingKey {
        &self.key
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Everything.
    Main,
    /// Everything but managing keys and accounts.
    #[default]
    Standard,
    /// Only what its permissions name; can't sign Access Tokens.
    Restricted,
    /// A test credential; can't sign Access Tokens.
    Test,
}

/// An API key.
#[derive(Clone, Debug)]
pub struct Key {
    /// `SK…`.
    pub sid: String,
    /// The account that owns it, `AC…`.
    pub account: Option<String>,
    /// Its secret, if it was given.
    pub secret: Option<Secret>,
    /// Its Twilio region (`us1`, `ie1`, `au1`), if it was given.
    pub region: Option<String>,
    /// What it may do.
    pub kind: KeyKind,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// `AC…`.
    pub sid: String,
    /// The region of the Auth Token, if it was given.
    pub region: Option<String>,
    /// Its Auth Token, if it was given.
    pub auth_token: Option<Secret>,
}

/// All that is known of keys and accounts.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// Where each key is, by its SID.
    places: HashMap<String, usize>,
    accounts: Vec<Account>,
    /// One for each key with a secret, beside it; it wipes itself.
    verifiers: Vec<Option<Verifier>>,
    guesses: Guesses,
}

impl KeyRing {
    /// Puts them together. Of two entries with the same SID the first counts; the config refuses such a pair.
    pub fn new(mut keys: Vec<Key>, mut accounts: Vec<Account>) -> Self {
        keys.sort_by(|a, b| a.sid.cmp(&b.sid));
        accounts.sort_by(|a, b| a.sid.cmp(&b.sid));
        keys.dedup_by(|a, b| a.sid == b.sid);
        accounts.dedup_by(|a, b| a.sid == b.sid);
        let verifiers = keys.iter().map(|key| key.secret.as_ref().map(Secret::verifier)).collect();
        let guesses = Guesses::new(keys.len());
        let places = keys.iter().enumerate().map(|(at, key)| (key.sid.clone(), at)).collect();
        Self { keys, places, accounts, verifiers, guesses }
    }

    /// The same with this secret for a key, which is added if it is not there.
    #[must_use]
    pub fn with_secret(mut self, sid: &str, secret: Secret) -> Self {
        if let Some(key) = self.keys.iter_mut().find(|key| key.sid == sid) {
            key.secret = Some(secret);
        } else {
            let sid = sid.to_owned();
            self.keys.push(Key { sid, account: None, secret: Some(secret), region: None, kind: KeyKind::default() });
        }
        Self::new(self.keys, self.accounts)
    }

    /// The key with this SID.
    pub fn key(&self, sid: &str) -> Option<&Key> {
        self.place(sid).and_then(|at| self.keys.get(at))
    }

    /// What checks signatures of the key with this SID, if its secret is known.
    pub fn verifier(&self, sid: &str) -> Option<&Verifier> {
        self.place(sid).and_then(|at| self.verifiers.get(at)).and_then(Option::as_ref)
    }

    /// Says whether nothing is known at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.accounts.is_empty()
    }

    /// What a token of the key with this SID may have been signed with by mistake, in a fixed order: its own secret
    /// altered, the other secrets of the ring, and what stands in for a secret.
    pub fn guesses<'a>(&'a self, sid: &'a str) -> impl Iterator<Item = &'a Guess> {
        let own = self.place(sid).and_then(|at| Some(self.guesses.own(at, self.keys.get(at)?))).unwrap_or_default();
        let is_other = move |guess: &&Guess| match &guess.mistake {
            Mistake::OtherKey(other) => other != sid,
            Mistake::AuthToken(_) | Mistake::Altered(_) | Mistake::Constant(_) => true,
        };
        own.iter().chain(self.guesses.shared(&self.keys, &self.accounts).iter().filter(is_other))
    }

    /// Says whether there are more secrets than are guessed with.
    pub fn has_unguessed(&self) -> bool {
        let keys = self.keys.iter().filter(|key| key.secret.is_some()).count();
        let accounts = self.accounts.iter().filter(|account| account.auth_token.is_some()).count();
        keys > OTHER_SECRETS_MAX || accounts > OTHER_SECRETS_MAX
    }

    /// The signature that the key with this SID makes, if its secret is known.
    pub fn sign(&self, sid: &str, message: &[u8]) -> Option<hmac::Tag> {
        let secret = self.key(sid)?.secret.as_ref()?;
        Some(hmac::sign(&guess::hmac_key(secret.expose().trim_ascii()), message))
    }

    /// Whose secret a text is; compares in constant time.
    pub fn whose(&self, text: &[u8]) -> Option<Mistake> {
        let text = text.trim_ascii();
        let is_it = |secret: &Secret| bool::from(secret.expose().trim_ascii().ct_eq(text));
        let account = self.accounts.iter().find(|account| account.auth_token.as_ref().is_some_and(is_it));
        let key = || self.keys.iter().find(|key| key.secret.as_ref().is_some_and(is_it));
        let of_account = account.map(|account| Mistake::AuthToken(account.sid.clone()));
        of_account.or_else(|| key().map(|key| Mistake::OtherKey(key.sid.clone())))
    }

    /// Every key, ascending by SID.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Every account, ascending by SID.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    fn place(&self, sid: &str) -> Option<usize> {
        self.places.get(sid).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sid: &str, secret: &str) -> Key {
        let secret = Some(Secret::new(secret));
        Key { sid: sid.into(), account: None, secret, region: None, kind: KeyKind::Standard }
    }

    #[test]
    fn of_two_keys_with_one_sid_the_first_counts() {
        let ring = KeyRing::new(vec![key("SK2", "b"), key("SK1", "first"), key("SK1", "second")], Vec::new());
        assert_eq!(ring.keys().len(), 2);
        assert_eq!(ring.key("SK1").and_then(|key| key.secret.as_ref()).map(Secret::expose), Some(&b"first"[..]));
        assert!(ring.verifier("SK2").is_some());
        assert!(ring.verifier("SK3").is_none());
    }

    #[test]
    fn the_owner_of_a_secret_is_named() {
        let auth_token = Some(Secret::new("0011"));
        let account = Account { sid: "AC1".into(), region: None, auth_token };
        let ring = KeyRing::new(vec![key("SK1", "first"), key("SK2", "second\n")], vec![account]);
        let whose = |text: &str| ring.whose(text.as_bytes()).map(|whose| whose.to_string());
        assert_eq!(whose("second").as_deref(), Some("the secret of SK2"));
        assert_eq!(whose(" 0011\n").as_deref(), Some("the Auth Token of AC1"));
        assert_eq!(whose("secon"), None);
        assert_eq!(whose(""), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", KeyRing::new(vec![key("SK1", "not-for-showing")], Vec::new()));
        assert!(!shown.contains("not-for-showing") && !shown.contains("110, 111, 116"), "{shown}");
    }
}
