//! Tokens for tests, signed as Twilio's helper libraries sign them.
//!
//! Depends on nothing of the crate, so that integration tests can take it in by its path.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// The key that signs.
pub(crate) const KEY: &str = "SKfedcba9876543210fedcba9876543210";
/// Its secret.
pub(crate) const SECRET: &str = "SyntheticSecretNotReal0000000001";
/// The account that owns it.
pub(crate) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// The account's Auth Token.
pub(crate) const AUTH_TOKEN: &str = "00112233445566778899aabbccddeeff";
/// The issue time of [`payload`].
pub(crate) const ISSUED: i64 = 1_795_488_214;

/// The header that the helper libraries write.
pub(crate) fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"})
}

/// The payload of a token for chat that is valid for an hour from [`ISSUED`].
pub(crate) fn payload() -> Value {
    json!({
        "jti": format!("{KEY}-{ISSUED}"),
        "grants": {"identity": "alice", "chat": {"service_sid": "IS00000000000000000000000000000001"}},
        "iat": ISSUED, "exp": ISSUED + 3600, "iss": KEY, "sub": ACCOUNT,
    })
}

/// A part of a token.
pub(crate) fn part(json: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

/// A token, signed with HS256 whatever its header says.
pub(crate) fn token(header: &Value, payload: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header.to_string().as_bytes()), part(payload.to_string().as_bytes()));
    let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// The good token.
pub(crate) fn good() -> String {
    token(&header(), &payload(), SECRET.as_bytes())
}
