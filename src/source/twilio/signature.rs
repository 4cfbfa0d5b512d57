//! Twilio's signature of a delivery.
//!
//! `X-Twilio-Signature` is the base64 of an HMAC over the public URL, followed by name and value of every form pair; of
//! a JSON body, the URL holds the digest (`bodySHA256`). The HMAC is SHA-1 keyed with the Auth Token, or, with the
//! newer header `X-Twilio-Webhooks-Signature-Settings`, SHA-256 keyed with a shared key. Twilio signs the URL with or
//! without its default port, so both are tried. Comparisons take the same time whatever differs.
//!
//! Source of the rules: Twilio's helper libraries for Python (9.13.0, `request_validator.py`) and Node (6.2.0,
//! `webhooks.js`).

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::form::Form;

/// Header with the signature.
pub const SIGNATURE: &str = "x-twilio-signature";
/// Header that names another algorithm than SHA-1.
pub const SETTINGS: &str = "x-twilio-webhooks-signature-settings";

/// What a delivery presents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// Value of [`SIGNATURE`].
    pub signature: Option<&'a str>,
    /// Value of [`SETTINGS`].
    pub settings: Option<&'a str>,
}

/// Why a delivery is not Twilio's, or can't be told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Without a signature.
    Absent,
    /// The signature does not fit the URL, the body or any of the keys.
    Wrong,
    /// An algorithm that is neither SHA-1 nor SHA-256.
    Algorithm,
    /// The digest of a JSON body is not in the URL, so that the body is not signed.
    NoDigest,
    /// The digest in the URL is that of another body.
    OtherBody,
}

impl Unsigned {
    /// What to look at.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Absent => "it has no X-Twilio-Signature: it does not come from Twilio, or a proxy removes the header",
            Self::Wrong => {
                "its signature does not fit: compare `public_url` with the URL in the Twilio Console, character by \
                 character, and the Auth Token with that of the account"
            }
            Self::Algorithm => "its X-Twilio-Webhooks-Signature-Settings names an algorithm that this version lacks",
            Self::NoDigest => "its body is not signed, because the URL has no bodySHA256: a proxy removes the query",
            Self::OtherBody => "its body is not the one that was signed: a proxy changes it",
        }
    }
}

/// A key that Twilio shares for signatures, instead of the Auth Token.
struct Shared {
    /// Its id, if the config says it: then the delivery has to name it.
    id: Option<String>,
    key: hmac::Key,
}

/// The keys that signatures are checked with.
#[derive(Default)]
pub struct Verifier {
    sha1: Vec<hmac::Key>,
    sha256: Vec<Shared>,
}

/// Without the keys.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} keys)", self.sha1.len() + self.sha256.len())
    }
}

impl Verifier {
    /// Accepts what is signed with one of these Auth Tokens: several, while they are rotated.
    #[must_use]
    pub fn with_auth_token(mut self, token: &[u8]) -> Self {
        let token = token.trim_ascii();
        self.sha1.push(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token));
        self.with_shared_key(None, token)
    }

    /// Accepts what is signed with this shared key, and names it if `id` is given.
    #[must_use]
    pub fn with_shared_key(mut self, id: Option<&str>, secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.trim_ascii());
        self.sha256.push(Shared { id: id.map(str::to_owned), key });
        self
    }

    /// Checks the signature of a form.
    pub fn form(&self, urls: &[String; 2], form: &Form, presented: Presented<'_>) -> Result<(), Unsigned> {
        let pairs = form.signed();
        self.check(urls, &pairs, presented)
    }

    /// Checks the signature of a JSON body. `query` is that of the request, without the question mark.
    pub fn body(
        &self,
        urls: &[String; 2],
        query: Option<&str>,
        body: &[u8],
        presented: Presented<'_>,
    ) -> Result<(), Unsigned> {
        self.check(urls, &[], presented)?;
        let mut pairs = query.unwrap_or_default().split('&');
        let claimed = pairs.find_map(|pair| pair.strip_prefix("bodySHA256=")).ok_or(Unsigned::NoDigest)?;
        let found = hex(digest::digest(&digest::SHA256, body).as_ref());
        if bool::from(found.as_bytes().ct_eq(claimed.as_bytes())) { Ok(()) } else { Err(Unsigned::OtherBody) }
    }

    fn check(&self, urls: &[String; 2], pairs: &[(&str, &str)], presented: Presented<'_>) -> Result<(), Unsigned> {
        let signature = presented.signature.filter(|text| !text.is_empty()).ok_or(Unsigned::Absent)?;
        let settings = presented.settings.unwrap_or_default();
        let keys: Vec<&hmac::Key> = match setting(settings, "algorithm") {
            None => self.sha1.iter().collect(),
            Some(name) if name.eq_ignore_ascii_case("HMAC_SHA1") => self.sha1.iter().collect(),
            Some(name) if name.eq_ignore_ascii_case("HMAC_SHA256") => {
                let named = setting(settings, "key");
                let fits = |shared: &&Shared| shared.id.is_none() || shared.id.as_deref() == named;
                self.sha256.iter().filter(fits).map(|shared| &shared.key).collect()
            }
            Some(_) => return Err(Unsigned::Algorithm),
        };
        // Every key and both URLs are tried in any case, so that the time says nothing of which of them fits.
        let mut fits = subtle::Choice::from(0);
        for key in keys {
            for url in urls {
                fits |= sign(key, url, pairs).as_bytes().ct_eq(signature.as_bytes());
            }
        }
        if bool::from(fits) { Ok(()) } else { Err(Unsigned::Wrong) }
    }
}

/// The value of a name in `key=…,algorithm=…`.
fn setting<'a>(settings: &'a str, name: &str) -> Option<&'a str> {
    settings.split(',').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.trim()).filter(|value| !value.is_empty())
    })
}

fn sign(key: &hmac::Key, url: &str, pairs: &[(&str, &str)]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(url.as_bytes());
    for (name, value) in pairs {
        context.update(name.as_bytes());
        context.update(value.as_bytes());
    }
    STANDARD.encode(context.sign().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
