//! Throwaway keys, and tokens made with them as Twilio's helper libraries make them.

use std::fmt::Write as _;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::keyring::{Account, Key, KeyKind, KeyRing, Secret};
use crate::time::UnixTime;

/// Lifetime that the helper libraries give a token.
const LIFETIME_SECONDS: i64 = 3600;

/// The invented company's account, keys and services. Nothing here has ever been Twilio's.
#[derive(Clone)]
pub struct Keys {
    /// The account.
    pub account: String,
    /// Its Auth Token.
    pub auth_token: String,
    /// The API key in use.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The secret before that, still in use on one server.
    pub old_secret: String,
    /// A key that was deleted and is not in the key ring.
    pub deleted_key: String,
    /// Its secret.
    pub deleted_secret: String,
    /// A subaccount that does not own the key.
    pub other_account: String,
    /// The Conversations service.
    pub chat_service: String,
    /// The Sync service.
    pub sync_service: String,
    /// A Messaging Service, which some take for the Conversations service.
    pub messaging_service: String,
}

impl Keys {
    /// Keys derived from a seed; a random seed gives keys that nobody else has.
    pub fn derived(seed: &[u8; 32]) -> Self {
        let hex = |what: &str| {
            let digest = digest::digest(&SHA256, &[seed, what.as_bytes()].concat());
            digest.as_ref().iter().take(16).fold(String::new(), |mut text, byte| {
                _ = write!(text, "{byte:02x}");
                text
            })
        };
        // API key secrets have 32 characters of mixed case, Auth Tokens 32 hexadecimal digits.
        let secret = |what: &str| {
            let digest = digest::digest(&SHA256, &[seed, what.as_bytes()].concat());
            let text = URL_SAFE_NO_PAD.encode(digest.as_ref()).replace(['-', '_'], "x");
            text.chars().take(32).collect::<String>()
        };
        Self {
            account: format!("AC{}", hex("account")),
            auth_token: hex("auth token"),
            key: format!("SK{}", hex("key")),
            secret: secret("secret"),
            old_secret: secret("old secret"),
            deleted_key: format!("SK{}", hex("deleted key")),
            deleted_secret: secret("deleted secret"),
            other_account: format!("AC{}", hex("other account")),
            chat_service: format!("IS{}", hex("chat service")),
            sync_service: format!("IS{}", hex("sync service")),
            messaging_service: format!("MG{}", hex("messaging service")),
        }
    }

    /// What the company would put into its config.
    pub fn keyring(&self) -> KeyRing {
        let key = Key {
            sid: self.key.clone(),
            account: Some(self.account.clone()),
            secret: Some(Secret::new(self.secret.as_bytes())),
            region: Some("us1".to_owned()),
            kind: KeyKind::Standard,
        };
        let auth_token = Some(Secret::new(self.auth_token.as_bytes()));
        let account = Account { sid: self.account.clone(), region: Some("us1".to_owned()), auth_token };
        KeyRing::new(vec![key], vec![account])
    }
}

/// A token to be made.
pub struct Recipe {
    /// `iss`.
    pub key: String,
    /// What it is signed with.
    pub secret: String,
    /// `sub`.
    pub account: String,
    /// The identity.
    pub identity: Option<String>,
    /// `grants.chat.service_sid`.
    pub chat_service: String,
    /// `grants.data_sync.service_sid`.
    pub sync_service: String,
    /// Whether there is a Sync grant.
    pub grants_sync: bool,
    /// From issue to expiry.
    pub lifetime_seconds: i64,
    issued_at: i64,
}

impl Recipe {
    /// The token of the `person`th connection, made a few seconds ago and good.
    pub fn valid(keys: &Keys, person: u64, now: UnixTime) -> Self {
        Self {
            key: keys.key.clone(),
            secret: keys.secret.clone(),
            account: keys.account.clone(),
            identity: Some(format!("user-{person:05}")),
            chat_service: keys.chat_service.clone(),
            sync_service: keys.sync_service.clone(),
            grants_sync: true,
            lifetime_seconds: LIFETIME_SECONDS,
            issued_at: now.as_seconds() - 4,
        }
    }

    /// Makes it as if the clock went ahead by so many seconds (or behind, if negative).
    pub const fn shift_seconds(&mut self, seconds: i64) {
        self.issued_at = self.issued_at.saturating_add(seconds);
    }

    /// Takes another key.
    pub fn issued_by(&mut self, key: &str, secret: &str) {
        key.clone_into(&mut self.key);
        secret.clone_into(&mut self.secret);
    }

    /// Makes it.
    pub fn mint(&self) -> String {
        let mut grants = json!({ "chat": { "service_sid": self.chat_service }, "video": {} });
        if let Some(grants) = grants.as_object_mut() {
            if let Some(identity) = &self.identity {
                grants.insert("identity".to_owned(), json!(identity));
            }
            if self.grants_sync {
                grants.insert("data_sync".to_owned(), json!({ "service_sid": self.sync_service }));
            }
        }
        let payload = json!({
            "jti": format!("{}-{}", self.key, self.issued_at), "iss": self.key, "sub": self.account,
            "nbf": self.issued_at, "exp": self.issued_at + self.lifetime_seconds, "grants": grants,
        });
        signed(&json!({ "alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1" }), &payload, &self.secret)
    }
}

/// A token of the kind that came before Access Tokens.
pub fn capability_token(keys: &Keys, person: u64, now: UnixTime) -> String {
    let scope = format!("scope:client:incoming?clientName=user-{person:05}");
    let payload = json!({ "scope": scope, "iss": keys.account, "exp": now.as_seconds() + LIFETIME_SECONDS });
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), &payload, &keys.auth_token)
}

fn signed(header: &serde_json::Value, payload: &serde_json::Value, secret: &str) -> String {
    let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(header), encoded(payload));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}
