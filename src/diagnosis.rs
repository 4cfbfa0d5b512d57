//! The answer: one cause for one rejection, with its evidence.
//!
//! These are values only. What goes into them was already cleared for showing: see invariant 8 in the crate docs.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::cause::Cause;
use crate::container::Container;
use crate::finding::Finding;
use crate::product::Product;
use crate::time::UnixTime;

/// What a diagnosis rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Checks of the token.
    Token,
    /// A companion code that names the cause.
    Code,
    /// A message that names the cause.
    Text,
    /// Nothing named the cause.
    None,
}

impl Basis {
    /// Every basis, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Token, Self::Code, Self::Text, Self::None];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Code => "code",
            Self::Text => "text",
            Self::None => "none",
        }
    }
}

/// What became of a token that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// Decoded.
    Readable,
    /// Ends early.
    Truncated,
    /// Hidden by the logger, in part or wholly.
    Masked,
    /// A JWE.
    Encrypted,
    /// Not decodable, or no token at all.
    Malformed,
}

impl TokenState {
    /// Every state, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Readable, Self::Truncated, Self::Masked, Self::Encrypted, Self::Malformed];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Truncated => "truncated",
            Self::Masked => "masked",
            Self::Encrypted => "encrypted",
            Self::Malformed => "malformed",
        }
    }
}

/// How the token of a rejection was found, from known to guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// In the connection's own init, update, listen or register message, so many lines before.
    OwnMessage(u64),
    /// On the refusal's own line, or inside its own multi-line object.
    SameLine,
    /// On a line with the same request id, connection, identity or token id, so many lines before (or after, if
    /// negative).
    SameRequest(i64),
    /// The nearest token, so many lines before.
    Before(u64),
    /// The nearest token, so many lines after.
    After(u64),
    /// Given by hand.
    Given,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |n: u64| if n == 1 { "line" } else { "lines" };
        match *self {
            Self::OwnMessage(0) => f.write_str("sent on the same line"),
            Self::OwnMessage(n) => write!(f, "sent {n} {} before", lines(n)),
            Self::SameLine => f.write_str("same line"),
            Self::SameRequest(n) => {
                let distance = n.unsigned_abs();
                write!(f, "same request, {distance} {} {}", lines(distance), if n < 0 { "after" } else { "before" })
            }
            Self::Before(n) => write!(f, "{n} {} before", lines(n)),
            Self::After(n) => write!(f, "{n} {} after", lines(n)),
            Self::Given => f.write_str("given"),
        }
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A keyed fingerprint of a token: tells equal tokens from different ones, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 8]);

impl Fingerprint {
    /// Its digits, as it prints.
    pub fn hex(self) -> String {
        let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        let mut digits = [[0; 2]; 8];
        for (pair, byte) in digits.iter_mut().zip(self.0) {
            *pair = [digit(byte >> 4), digit(byte & 15)];
        }
        str::from_utf8(digits.as_flattened()).unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A check that was not made, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Skipped {
    /// The check.
    pub check: Check,
    /// Why it was not made.
    pub reason: SkipReason,
}

/// The checks that a missing piece of knowledge can prevent. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Is the signature made with the key's secret?
    Signature,
    /// Does the key belong to the account?
    Account,
    /// May the key sign Access Tokens?
    KeyKind,
    /// Does a signature that does not fit come from a known mistake?
    SecretMistake,
    /// Was it valid at the time of the refusal?
    Time,
    /// Does it last no longer than Twilio allows?
    Lifetime,
    /// Does it grant what the product needs?
    ProductGrant,
    /// Do token, key and endpoint agree on the region?
    Region,
    /// Everything: the token can't be read.
    Contents,
}

impl Check {
    /// Every check, in the order in which they are made.
    pub const ALL: [Self; 9] = [
        Self::Contents,
        Self::Account,
        Self::KeyKind,
        Self::Signature,
        Self::SecretMistake,
        Self::Time,
        Self::Lifetime,
        Self::ProductGrant,
        Self::Region,
    ];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::SecretMistake => "secret_mistake",
            Self::Account => "account",
            Self::KeyKind => "key_kind",
            Self::Time => "time",
            Self::Lifetime => "lifetime",
            Self::ProductGrant => "product_grant",
            Self::Region => "region",
            Self::Contents => "contents",
        }
    }
}

/// Why a check was not made. A closed list: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The key ring does not know the key that issued the token.
    UnknownKey,
    /// The key ring knows the key but not its secret.
    NoSecret,
    /// The token, or the part that the check needs, can't be read.
    Unreadable,
    /// The log does not tell which product refused.
    UnknownProduct,
    /// The region of the key or of the endpoint is not known.
    UnknownRegion,
    /// The claim that the check needs is missing or invalid, which is a finding of its own.
    NoClaim,
    /// It was made in part only: there are more secrets than are tried, or many tokens of the key before gave no proof.
    Limit,
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::UnknownKey,
        Self::NoSecret,
        Self::Unreadable,
        Self::UnknownProduct,
        Self::UnknownRegion,
        Self::NoClaim,
        Self::Limit,
    ];

    /// The metric label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::NoSecret => "no_secret",
            Self::Unreadable => "unreadable",
            Self::UnknownProduct => "unknown_product",
            Self::UnknownRegion => "unknown_region",
            Self::NoClaim => "no_claim",
            Self::Limit => "limit",
        }
    }
}

/// What may be shown of a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenReport {
    /// What became of it.
    pub state: TokenState,
    /// How it was found.
    pub found: Found,
    /// Tells equal tokens from different ones.
    pub fingerprint: Fingerprint,
    /// Token id, when it has the form `SK…-<seconds>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// `iss`, when it is a SID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_sid: Option<String>,
    /// `sub`, when it is a SID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// Issue time: `iat`, else `nbf`, else from `jti`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<UnixTime>,
    /// `nbf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixTime>,
    /// `exp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixTime>,
    /// From issue to expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<i64>,
    /// Names of the known grants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<&'static str>,
    /// `twr`, when it is the name of a Twilio region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'static str>,
    /// Tells the identities of an account from each other. Never shown: an identity can be guessed at.
    #[serde(skip)]
    pub identity: Option<Fingerprint>,
    /// It stood in the log while still valid and not known to be badly signed.
    #[serde(skip)]
    pub exposed: bool,
    /// That was told before, where it stood, or with another refusal.
    #[serde(skip)]
    pub told: bool,
    /// How long it had been expired at the refusal.
    #[serde(skip)]
    pub expired_for_seconds: Option<i64>,
    /// How long before its `nbf` the refusal came.
    #[serde(skip)]
    pub early_by_seconds: Option<i64>,
}

impl TokenReport {
    /// The report of a token whose contents are not known.
    pub const fn new(state: TokenState, found: Found, fingerprint: Fingerprint) -> Self {
        Self {
            state,
            found,
            fingerprint,
            jti: None,
            key_sid: None,
            account_sid: None,
            issued_at: None,
            not_before: None,
            expires_at: None,
            lifetime_seconds: None,
            grants: Vec::new(),
            region: None,
            identity: None,
            exposed: false,
            told: false,
            expired_for_seconds: None,
            early_by_seconds: None,
        }
    }
}

/// An event of Twilio's Debugger, as far as it tells which refusal it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Its SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
}

/// Whom and what a rejection concerns, by keyed hashes: enough to see that two concern the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The identity of the client, as the log, the event or the token names it.
    pub identity: Option<Fingerprint>,
    /// The Chat, Conversations or Sync service, as the log, the event or the grants of the token name it.
    pub service: Option<Fingerprint>,
}

/// The one cause of one rejection, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Names the rejection; the same bytes of the same source give the same id.
    pub id: String,
    /// The time of the refusal.
    pub at: UnixTime,
    /// Name of the source.
    pub source: Arc<str>,
    /// File, for sources that have one.
    pub path: Option<Arc<str>>,
    /// Line of the first sighting, from 1, counted from where reading began.
    pub line: u64,
    /// Byte offset of that line.
    pub offset: u64,
    /// How often the refusal was printed.
    pub sightings: u32,
    /// What it is to Twilio, if Twilio itself reports it.
    pub event: Option<Reported>,
    /// Twilio's code, if the log shows one.
    pub code: Option<u32>,
    /// The product that refused.
    pub product: Product,
    /// The cause.
    pub cause: Cause,
    /// What the cause rests on.
    pub basis: Basis,
    /// Every fault found, by precedence.
    pub findings: Vec<Finding>,
    /// The checks not made.
    pub skipped: Vec<Skipped>,
    /// What may be shown of the token.
    pub token: Option<TokenReport>,
    /// Whom and what it concerns. Never shown.
    pub about: About,
}

/// The answer about a token that a person gave: the diagnosis object, and notes on what was taken off around the token.
#[derive(Debug, Serialize)]
pub struct Checked<'a> {
    /// The diagnosis.
    #[serde(flatten)]
    pub diagnosis: &'a Diagnosis,
    /// Full sentences, without any of the input.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub notes: &'a [String],
}

impl Serialize for Diagnosis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            id: &'a str,
            at: UnixTime,
            source: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            path: Option<&'a str>,
            #[serde(flatten)]
            container: Container<'a>,
            line: u64,
            offset: u64,
            sightings: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            event: Option<&'a Reported>,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<u32>,
            product: Product,
            cause: &'static str,
            family: &'static str,
            basis: Basis,
            title: &'static str,
            why: &'static str,
            remedy: &'static str,
            #[serde(skip_serializing_if = "<[Finding]>::is_empty")]
            findings: &'a [Finding],
            #[serde(skip_serializing_if = "<[Skipped]>::is_empty")]
            skipped: &'a [Skipped],
            #[serde(skip_serializing_if = "Option::is_none")]
            token: Option<&'a TokenReport>,
        }
        View {
            id: &self.id,
            at: self.at,
            source: &self.source,
            path: self.path.as_deref(),
            container: self.path.as_deref().map(Container::of_path).unwrap_or_default(),
            line: self.line,
            offset: self.offset,
            sightings: self.sightings,
            event: self.event.as_ref(),
            code: self.code,
            product: self.product,
            cause: self.cause.id(),
            family: self.cause.family().id(),
            basis: self.basis,
            title: self.cause.title(),
            why: self.cause.why(),
            remedy: self.cause.remedy(),
            findings: &self.findings,
            skipped: &self.skipped,
            token: self.token.as_ref(),
        }
        .serialize(serializer)
    }
}
