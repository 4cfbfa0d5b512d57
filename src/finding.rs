//! One fault of one token, with its evidence: expected, found, by how much.
//!
//! Evidence is cleared for showing before it gets here: a SID, a number, a time, a known word, or a description
//! (see [`Shown`]). Identities and secrets have no way in.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::cause::Cause;
use crate::keyring::KeyKind;
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::{Extent, Fault, Field, Instead, Missing, Part};

mod evidence;
mod message;

pub use crate::keyring::Mistake;
pub(crate) use evidence::REGIONS;
pub use evidence::{Capability, Change, IdentityFault, KeyHistory, Shown, TimeFault, TimeSource};

/// The longest validity that Twilio takes, in seconds (code 20157).
pub const LIFETIME_SECONDS_MAX: i64 = 86_400;

/// The longest identity, in characters (codes 53201 and 51003).
pub const IDENTITY_CHARS_MAX: usize = 256;

/// A fault, as evidence. Prints in one grammar: expected …, but found … (by how much). [`Finding::NoneFound`], which is
/// no fault, prints as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// No token was sent.
    NotAToken {
        /// What was.
        found: Instead,
    },
    /// A secret of the key ring was sent in the place of a token.
    SecretAsToken {
        /// Whose.
        whose: Mistake,
    },
    /// A legacy token was sent.
    CapabilityToken {
        /// Of which kind.
        found: Capability,
    },
    /// A part is broken.
    Malformed {
        /// Which.
        part: Part,
        /// How.
        fault: Fault,
    },
    /// It ends early.
    Truncated {
        /// What it lacks.
        missing: Missing,
    },
    /// `alg` is not HS256.
    AlgorithmUnsupported {
        /// `alg`.
        found: Shown,
    },
    /// A header field is missing or wrong.
    HeaderInvalid {
        /// Which.
        field: Field,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: Shown,
    },
    /// `iss` is no key SID.
    IssuerInvalid {
        /// `iss`.
        found: Shown,
    },
    /// `sub` is no Account SID.
    AccountInvalid {
        /// `sub`.
        found: Shown,
    },
    /// `sub` is not the owner of the key.
    AccountMismatch {
        /// The key.
        key_sid: String,
        /// Its owner.
        expected: String,
        /// `sub`.
        found: String,
    },
    /// The key can't sign Access Tokens.
    KeyNotAllowed {
        /// The key.
        key_sid: String,
        /// What it is.
        kind: KeyKind,
    },
    /// Another secret has signed, and it is known which.
    WrongSecret {
        /// The key whose secret should have.
        key_sid: String,
        /// The secret that did.
        mistake: Mistake,
    },
    /// The token was changed after signing, and it is known how.
    Tampered {
        /// What has to be undone, in this order, for the signature to fit.
        changes: Vec<Change>,
    },
    /// The signature does not fit, and nothing explains it.
    SignatureInvalid {
        /// The key whose secret was tried.
        key_sid: String,
        /// Every known mistake was tried too.
        tried_all: bool,
        /// What became of the key's other tokens, where that is known.
        history: Option<KeyHistory>,
    },
    /// A time is missing or can't be meant.
    TimeClaimInvalid {
        /// Which.
        field: Field,
        /// How.
        fault: TimeFault,
        /// What it is.
        found: Shown,
    },
    /// Refused before the token's time.
    NotYetValid {
        /// `nbf`, or `iat` where there is no `nbf`.
        field: Field,
        /// Its value.
        valid_from: UnixTime,
        /// The time of the refusal.
        refused_at: UnixTime,
        /// What tells that time.
        told_by: TimeSource,
    },
    /// Expired, and refused before.
    StaleReuse {
        /// `exp`.
        expired_at: UnixTime,
        /// The first refusal of this token.
        first_refused_at: UnixTime,
        /// How many refusals came before this one.
        times: u32,
    },
    /// `exp` at or before the refusal.
    Expired {
        /// `exp`.
        expired_at: UnixTime,
        /// The time of the refusal.
        refused_at: UnixTime,
        /// What tells that time.
        told_by: TimeSource,
    },
    /// Valid for more than a day.
    LifetimeTooLong {
        /// Where the issue time comes from: `iat`, `nbf` or `jti`.
        from: Field,
        /// Seconds from issue to expiry.
        lifetime_seconds: i64,
    },
    /// No `grants`.
    GrantsMissing {
        /// What stands there instead.
        found: Shown,
    },
    /// Something in `grants` has the wrong type, or stands there twice.
    GrantsMalformed {
        /// What.
        field: Field,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: Shown,
    },
    /// A member stands more than once in its object.
    Duplicate {
        /// Which.
        field: Field,
    },
    /// No identity.
    IdentityMissing {
        /// What stands there instead.
        found: Shown,
    },
    /// The identity is not a text that Twilio takes.
    IdentityInvalid {
        /// Why.
        fault: IdentityFault,
    },
    /// The product's grant is not there.
    ProductGrantMissing {
        /// The product that refused.
        product: Product,
        /// The grants that are there.
        present: Vec<&'static str>,
        /// Where something stands that may be meant for it.
        elsewhere: Option<String>,
    },
    /// A required field of a grant is missing.
    GrantIncomplete {
        /// The grant.
        grant: Field,
        /// The fields of which at least one should be there; the first is the usual one.
        fields: &'static [Field],
        /// What stands in the place of the first.
        found: Shown,
    },
    /// A SID of a grant is of another kind, or none.
    GrantSidInvalid {
        /// Where.
        field: Field,
        /// What stands there.
        found: Shown,
    },
    /// A Video token of another region.
    VideoRegion {
        /// The region of the token or its key.
        found: &'static str,
        /// It is the key's region in the key ring, not the token's `twr`.
        of_key: Option<String>,
    },
    /// Token, key and endpoint disagree.
    RegionMismatch {
        /// `twr`.
        token: Shown,
        /// Region of the key, if it is known.
        key: Option<&'static str>,
        /// Region of the endpoint, if it is known.
        endpoint: Option<&'static str>,
    },
    /// It was made to expire so soon that no connection can be in time.
    LifetimeTooShort {
        /// The claim that tells the issue time.
        from: Field,
        /// From issue to expiry.
        lifetime_seconds: i64,
    },
    /// The token is encrypted.
    Encrypted,
    /// The token is masked.
    Masked {
        /// How much of it.
        extent: Extent,
    },
    /// The logger cut the token.
    Cut,
    /// Nothing is wrong that can be seen from outside.
    NoneFound {
        /// The signature was checked and fits.
        signature_checked: bool,
        /// The product that refused.
        product: Product,
    },
    /// Twilio's code names another cause than the token shows.
    Disagreement {
        /// Twilio's code.
        code: u32,
        /// What it names.
        named: Cause,
        /// What the token shows.
        shown: Cause,
    },
    /// Twilio's code stands for several causes, and no token tells which.
    LeftOpen {
        /// Twilio's code.
        code: u32,
        /// Its title in Twilio's dictionary.
        title: &'static str,
        /// What it usually stands for.
        usual: Cause,
        /// All that it may stand for.
        causes: Vec<Cause>,
    },
    /// A finding of an earlier run of the process, as it was worded then.
    Earlier {
        /// Its row of the taxonomy.
        cause: Cause,
        /// Its words.
        message: String,
    },
}

impl Finding {
    /// The row of the taxonomy that it belongs to.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::NotAToken { .. } | Self::SecretAsToken { .. } => Cause::NotAToken,
            Self::CapabilityToken { .. } => Cause::CapabilityToken,
            Self::Malformed { .. } => Cause::Malformed,
            Self::Truncated { .. } => Cause::Truncated,
            Self::AlgorithmUnsupported { .. } => Cause::AlgorithmUnsupported,
            Self::HeaderInvalid { .. } => Cause::HeaderInvalid,
            Self::IssuerInvalid { .. } => Cause::IssuerInvalid,
            Self::AccountInvalid { .. } => Cause::AccountInvalid,
            Self::AccountMismatch { .. } => Cause::AccountMismatch,
            Self::KeyNotAllowed { .. } => Cause::KeyNotAllowed,
            Self::WrongSecret { .. } => Cause::WrongSecret,
            Self::Tampered { .. } => Cause::Tampered,
            Self::SignatureInvalid { .. } => Cause::SignatureInvalid,
            Self::TimeClaimInvalid { .. } => Cause::TimeClaimInvalid,
            Self::NotYetValid { .. } => Cause::NotYetValid,
            Self::StaleReuse { .. } => Cause::StaleReuse,
            Self::Expired { .. } | Self::LifetimeTooShort { .. } => Cause::Expired,
            Self::LifetimeTooLong { .. } => Cause::LifetimeTooLong,
            Self::GrantsMissing { .. } => Cause::GrantsMissing,
            Self::GrantsMalformed { .. } => Cause::GrantsMalformed,
            Self::Duplicate { field } => duplicate_cause(*field),
            Self::IdentityMissing { .. } => Cause::IdentityMissing,
            Self::IdentityInvalid { .. } => Cause::IdentityInvalid,
            Self::ProductGrantMissing { .. } => Cause::ProductGrantMissing,
            Self::GrantIncomplete { .. } => Cause::GrantIncomplete,
            Self::GrantSidInvalid { .. } => Cause::GrantSidInvalid,
            Self::VideoRegion { .. } => Cause::VideoRegion,
            Self::RegionMismatch { .. } => Cause::RegionMismatch,
            Self::Encrypted | Self::Masked { .. } | Self::Cut => Cause::Unreadable,
            Self::NoneFound { .. } => Cause::NoneFound,
            Self::Disagreement { named, .. } => *named,
            Self::LeftOpen { usual, .. } => *usual,
            Self::Earlier { cause, .. } => *cause,
        }
    }

    /// It says what a code means, not what is wrong with the token.
    pub const fn is_of_code(&self) -> bool {
        matches!(self, Self::Disagreement { .. } | Self::LeftOpen { .. })
    }

    /// Where in the token the fault is: a path such as `payload.exp`, or the name of a part. `None` when it is not in
    /// one place.
    pub const fn claim(&self) -> Option<&'static str> {
        match self {
            Self::NotAToken { .. } | Self::SecretAsToken { .. } | Self::Encrypted | Self::Masked { .. } | Self::Cut => {
                Some("token")
            }
            Self::CapabilityToken { found } => Some(found.field().path()),
            Self::Malformed { part, .. } => Some(part.path()),
            Self::Truncated { missing } => Some(missing.part().path()),
            Self::AlgorithmUnsupported { .. } => Some(Field::Alg.path()),
            Self::IssuerInvalid { .. } | Self::KeyNotAllowed { .. } | Self::VideoRegion { of_key: Some(_), .. } => {
                Some(Field::Iss.path())
            }
            Self::AccountInvalid { .. } | Self::AccountMismatch { .. } => Some(Field::Sub.path()),
            Self::WrongSecret { .. } | Self::Tampered { .. } | Self::SignatureInvalid { .. } => {
                Some(Part::Signature.path())
            }
            Self::HeaderInvalid { field, .. }
            | Self::TimeClaimInvalid { field, .. }
            | Self::NotYetValid { field, .. }
            | Self::GrantsMalformed { field, .. }
            | Self::Duplicate { field }
            | Self::GrantSidInvalid { field, .. } => Some(field.path()),
            Self::StaleReuse { .. }
            | Self::Expired { .. }
            | Self::LifetimeTooShort { .. }
            | Self::LifetimeTooLong { .. } => Some(Field::Exp.path()),
            Self::GrantsMissing { .. } | Self::ProductGrantMissing { .. } => Some(Field::Grants.path()),
            Self::IdentityMissing { .. } | Self::IdentityInvalid { .. } => Some(Field::Identity.path()),
            Self::GrantIncomplete { grant, .. } => Some(grant.path()),
            Self::VideoRegion { of_key: None, .. } | Self::RegionMismatch { .. } => Some(Field::Twr.path()),
            Self::NoneFound { .. } | Self::Disagreement { .. } | Self::LeftOpen { .. } | Self::Earlier { .. } => None,
        }
    }
}

/// RFC 7519, section 4: the names in a claims set must be unique, and a parser may refuse.
const fn duplicate_cause(field: Field) -> Cause {
    match field {
        Field::Alg | Field::Typ | Field::Cty | Field::Twr | Field::Enc => Cause::HeaderInvalid,
        Field::Iss | Field::Jti => Cause::IssuerInvalid,
        Field::Sub => Cause::AccountInvalid,
        Field::Exp | Field::Nbf | Field::Iat => Cause::TimeClaimInvalid,
        Field::Identity => Cause::IdentityInvalid,
        Field::Scope
        | Field::Policies
        | Field::Grants
        | Field::Chat
        | Field::ChatService
        | Field::ChatEndpoint
        | Field::ChatRole
        | Field::ChatPush
        | Field::IpMessaging
        | Field::IpService
        | Field::IpEndpoint
        | Field::IpRole
        | Field::IpPush
        | Field::DataSync
        | Field::SyncService
        | Field::SyncEndpoint
        | Field::Voice
        | Field::Outgoing
        | Field::Application
        | Field::Params
        | Field::Incoming
        | Field::Allow
        | Field::VoicePush
        | Field::VoiceEndpoint
        | Field::Video
        | Field::Room
        | Field::Rtc
        | Field::RtcProfile
        | Field::TaskRouter
        | Field::Workspace
        | Field::Worker
        | Field::Role
        | Field::Player => Cause::GrantsMalformed,
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_struct("Finding", 2)?;
        view.serialize_field("cause", &self.cause())?;
        view.serialize_field("message", &self.to_string())?;
        view.end()
    }
}

#[cfg(test)]
mod tests;
