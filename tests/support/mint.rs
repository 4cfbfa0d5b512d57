//! Mints tokens for the tests: real Access Tokens, damaged ones, and things that are no token.
//!
//! The same values give the same bytes: there is no clock and no chance in here.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The secret of the key `SK…1`.
pub(crate) const SECRET: &str = "not_a_real_secret_0000000000000001";
/// The Auth Token of the account `AC…1`.
pub(crate) const AUTH_TOKEN: &str = "00112233445566778899aabbccddeeff";
/// 2026-03-01T10:00:00Z, the time at which connections are refused unless a test says otherwise.
pub(crate) const REFUSED_AT: i64 = 1_772_359_200;
/// How long a token lives, as every helper library has it.
pub(crate) const LIFETIME_SECONDS: i64 = 3600;

/// A SID: two capitals and 32 hexadecimal digits, padded with zeros on the left.
pub(crate) fn sid(prefix: &str, digits: &str) -> String {
    format!("{prefix}{digits:0>32}")
}

/// The parts of a token before they are signed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) header: Map<String, Value>,
    pub(crate) payload: Map<String, Value>,
    pub(crate) secret: Vec<u8>,
    /// Changes made to the payload after it was signed.
    pub(crate) forged: Vec<(Vec<String>, Option<Value>)>,
}

impl Draft {
    /// A valid token of the key `SK…1`, issued a minute before `at`.
    pub(crate) fn valid_at(at: i64) -> Self {
        let issued = at - 60;
        let header = json!({ "alg": "HS256", "cty": "twilio-fpa;v=1", "typ": "JWT" });
        let payload = json!({
            "jti": format!("{}-{issued}", sid("SK", "1")),
            "iss": sid("SK", "1"),
            "sub": sid("AC", "1"),
            "iat": issued,
            "exp": issued + LIFETIME_SECONDS,
            "grants": { "identity": "alice", "chat": { "service_sid": sid("IS", "1") } },
        });
        Self { header: object(header), payload: object(payload), secret: SECRET.into(), forged: Vec::new() }
    }

    /// A legacy Client capability token, signed with the Auth Token.
    pub(crate) fn capability_at(at: i64) -> Self {
        let payload = json!({
            "scope": format!("scope:client:outgoing?appSid={}&clientName=alice", sid("AP", "1")),
            "iss": sid("AC", "1"),
            "iat": at - 60,
            "exp": at - 60 + LIFETIME_SECONDS,
        });
        Self {
            header: object(json!({ "alg": "HS256", "typ": "JWT" })),
            payload: object(payload),
            secret: AUTH_TOKEN.into(),
            forged: Vec::new(),
        }
    }

    /// Signs it: `header.payload.signature`.
    pub(crate) fn sign(&self) -> String {
        let head = part(&self.header);
        let signed = format!("{head}.{}", part(&self.payload));
        let algorithm = self.header.get("alg").and_then(Value::as_str).unwrap_or("HS256");
        let signature = URL_SAFE_NO_PAD.encode(signature(algorithm, &self.secret, signed.as_bytes()));
        let mut payload = self.payload.clone();
        for (path, value) in &self.forged {
            set(&mut payload, path, value.clone());
        }
        format!("{head}.{}.{signature}", part(&payload))
    }
}

/// A Flex token: encrypted, five parts, the second empty.
pub(crate) fn jwe() -> String {
    let head = json!({ "zip": "DEF", "kid": "SAS_S3__1", "cty": "twilio-fpa;v=1", "enc": "A256GCM", "alg": "dir" });
    let noise = |label: &str, bytes: usize| {
        let digest = signature("HS512", b"noise", label.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.iter().cycle().take(bytes).copied().collect::<Vec<u8>>())
    };
    format!("{}..{}.{}.{}", part(&object(head)), noise("iv", 12), noise("text", 300), noise("tag", 16))
}

/// Sets the member at `path`, making the objects on the way, or removes it.
pub(crate) fn set(object: &mut Map<String, Value>, path: &[String], value: Option<Value>) {
    match (path, value) {
        ([], _) => {}
        ([last], None) => _ = object.remove(last),
        ([last], Some(value)) => _ = object.insert(last.clone(), value),
        ([first, rest @ ..], value) => {
            let inner = object.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            set(inner.as_object_mut().expect("made an object above"), rest, value);
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("expected an object") };
    map
}

fn part(object: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(object).expect("a map of JSON values serializes"))
}

/// HMAC for the HS family, nothing for `none`, and 256 bytes that look like a signature for all others.
fn signature(algorithm: &str, secret: &[u8], signed: &[u8]) -> Vec<u8> {
    let hmac = |kind| hmac::sign(&hmac::Key::new(kind, secret), signed).as_ref().to_vec();
    match algorithm {
        "none" => Vec::new(),
        "HS256" => hmac(hmac::HMAC_SHA256),
        "HS384" => hmac(hmac::HMAC_SHA384),
        "HS512" => hmac(hmac::HMAC_SHA512),
        _ => hmac(hmac::HMAC_SHA256).repeat(8),
    }
}
