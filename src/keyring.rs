//! The API keys, Auth Tokens and accounts named in the config.
//!
//! Values only: reading secrets from files and the environment is the config's work.

use std::fmt;

use zeroize::Zeroizing;

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
    accounts: Vec<Account>,
}

impl KeyRing {
    /// Puts them together. Of two entries with the same SID the first counts; the config refuses such a pair.
    pub fn new(mut keys: Vec<Key>, mut accounts: Vec<Account>) -> Self {
        keys.sort_by(|a, b| a.sid.cmp(&b.sid));
        accounts.sort_by(|a, b| a.sid.cmp(&b.sid));
        Self { keys, accounts }
    }

    /// The key with this SID.
    pub fn key(&self, sid: &str) -> Option<&Key> {
        self.keys.binary_search_by(|key| key.sid.as_str().cmp(sid)).ok().and_then(|at| self.keys.get(at))
    }

    /// Every key, ascending by SID.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Every account, ascending by SID.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }
}
