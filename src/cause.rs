//! The taxonomy: one table, from which everything that is said about a cause is generated.

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident { id: $id:literal, family: $family:ident, title: $title:literal, why: $why:literal, remedy: $remedy:literal, docs: $docs:literal, })*) => {
        /// A cause of refusal, in order of precedence: of several that apply, the least is the diagnosis.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[$doc])* #[doc = $title]
            $variant,)* }

        impl Cause {
            /// Every cause, by precedence.
            pub const ALL: [Self; [$($id),*].len()] = [$(Self::$variant),*];

            /// The metric label; never renamed, never reused.
            pub const fn id(self) -> &'static str { match self { $(Self::$variant => $id),* } }
            /// The group it belongs to.
            pub const fn family(self) -> Family { match self { $(Self::$variant => Family::$family),* } }
            /// A noun phrase.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title),* } }
            /// Why Twilio refuses such a token, in one sentence.
            pub const fn why(self) -> &'static str { match self { $(Self::$variant => $why),* } }
            /// What to do, in one imperative sentence.
            pub const fn remedy(self) -> &'static str { match self { $(Self::$variant => $remedy),* } }
            /// Twilio's page about it.
            pub const fn docs(self) -> &'static str { match self { $(Self::$variant => $docs),* } }
        }
    };
}

causes! {
    NotAToken {
        id: "not_a_token",
        family: Form,
        title: "Something other than a token was sent",
        why: "The SDK was given a value that is no Access Token at all, such as `undefined`, an error page or the JSON reply around the token.",
        remedy: "Make the client pass the bare `eyJ…` string: log the status and the first bytes of the token endpoint's reply, and fix the route, or the field that is read from it.",
        docs: "https://www.twilio.com/docs/api/errors/51130",
    }
    CapabilityToken {
        id: "capability_token",
        family: Form,
        title: "Legacy capability token instead of an Access Token",
        why: "A Client or TaskRouter capability token is signed with the Auth Token and carries scopes or policies; SDKs that expect an Access Token do not accept it.",
        remedy: "Replace `ClientCapability` or `TaskRouterCapability` in the token server by `AccessToken` with an API key (SK…), its secret and a grant for the product.",
        docs: "https://www.twilio.com/docs/api/errors/20101",
    }
    Malformed {
        id: "malformed",
        family: Form,
        title: "Damaged token: parts, base64url or JSON broken",
        why: "What was sent resembles a JWT, but it cannot be decoded into a header, a payload and a signature.",
        remedy: "Compare the token byte for byte where it is made and where the SDK gets it, and take out whatever rewrites it in between (form or URL encoding, quoting, a template, a proxy).",
        docs: "https://www.twilio.com/docs/api/errors/51130",
    }
    Truncated {
        id: "truncated",
        family: Form,
        title: "Truncated token",
        why: "The token ends early, so that its signature cannot be checked.",
        remedy: "Look for a limit where the token is carried or kept (database column, cookie, URL, header, SMS or QR code) and widen it: an Access Token may be longer than 1000 characters.",
        docs: "https://www.twilio.com/docs/api/errors/51130",
    }
    AlgorithmUnsupported {
        id: "algorithm_unsupported",
        family: Header,
        title: "Token not signed with HS256",
        why: "Twilio accepts Access Tokens only with `alg` HS256.",
        remedy: "Make the token with Twilio's helper library and without an algorithm argument, or set the JWT library to HS256 with the API key's secret.",
        docs: "https://www.twilio.com/docs/api/errors/20102",
    }
    HeaderInvalid {
        id: "header_invalid",
        family: Header,
        title: "Header is not that of an Access Token",
        why: "The header needs `typ: JWT` and `cty: twilio-fpa;v=1`; without them Twilio does not take the token for an Access Token.",
        remedy: "Add `\"typ\": \"JWT\"` and `\"cty\": \"twilio-fpa;v=1\"` to the JWT header, or make the token with Twilio's helper library, which does.",
        docs: "https://www.twilio.com/docs/api/errors/20102",
    }
    IssuerInvalid {
        id: "issuer_invalid",
        family: Key,
        title: "Issuer is no API key SID",
        why: "`iss` must be the SID of an API key (SK…), because Twilio looks up the secret by it.",
        remedy: "Set the token server's API key variable to the key's SID (SK…), not the Account SID or a placeholder, check the order of the `AccessToken` arguments (account, key, secret), and restart it.",
        docs: "https://www.twilio.com/docs/api/errors/20103",
    }
    AccountInvalid {
        id: "account_invalid",
        family: Key,
        title: "Subject is no Account SID",
        why: "`sub` must be the SID of the account (AC…) that the connection belongs to.",
        remedy: "Set the token server's account variable to the Account SID (AC…) shown in the Console of the account that owns the key, and restart it.",
        docs: "https://www.twilio.com/docs/api/errors/20103",
    }
    AccountMismatch {
        id: "account_mismatch",
        family: Key,
        title: "Key belongs to another account",
        why: "The account in `sub` does not own the API key in `iss`; a key signs only for its own account or subaccount.",
        remedy: "Use an API key created inside the account named in `sub`, or set the Account SID to the owner of the key; look for mixed-up staging, production or subaccount settings.",
        docs: "https://www.twilio.com/docs/api/errors/20103",
    }
    KeyNotAllowed {
        id: "key_not_allowed",
        family: Key,
        title: "Kind of key that cannot sign Access Tokens",
        why: "Restricted keys and test credentials cannot sign Access Tokens; only Main and Standard keys can.",
        remedy: "Create a Standard API key in the Console, put its SID and secret into the token server, and restart it.",
        docs: "https://www.twilio.com/docs/api/errors/20160",
    }
    WrongSecret {
        id: "wrong_secret",
        family: Signature,
        title: "Signed with the wrong secret",
        why: "The signature was made with something other than the secret of the key in `iss`, so Twilio cannot confirm it.",
        remedy: "Put the exact secret of the key in `iss` into the token server, without the mistake that the finding names, and restart it.",
        docs: "https://www.twilio.com/docs/api/errors/20107",
    }
    Tampered {
        id: "tampered",
        family: Signature,
        title: "Token changed after it was signed",
        why: "The token was signed correctly, and then changed on its way to Twilio, so the signature no longer fits.",
        remedy: "Take out the step that changes the token between token server and SDK (URL encoding, base64 variants, trimming, wrapping), and pass the string on as it is.",
        docs: "https://www.twilio.com/docs/api/errors/20107",
    }
    SignatureInvalid {
        id: "signature_invalid",
        family: Signature,
        title: "Signature does not fit the key",
        why: "The signature does not come from the secret that is known for the key in `iss`.",
        remedy: "Check whether the key's secret was rotated or mistyped: compare the token server's key SID and secret with the key ring; as a secret cannot be read back, create a new key if in doubt, and deploy both values together.",
        docs: "https://www.twilio.com/docs/api/errors/20107",
    }
    TimeClaimInvalid {
        id: "time_claim_invalid",
        family: Time,
        title: "Invalid time claim",
        why: "`exp`, `nbf` and `iat` must be whole seconds since 1970; `exp` must be there.",
        remedy: "Give the claim that the finding names as Unix time in whole seconds, a number and no text (in JavaScript `Math.floor(Date.now() / 1000)`, for `exp` plus a ttl that is a defined number), or leave `nbf` and `iat` out.",
        docs: "https://www.twilio.com/docs/api/errors/20104",
    }
    NotYetValid {
        id: "not_yet_valid",
        family: Time,
        title: "Token not yet valid",
        why: "The connection was refused before the time from which the token is valid.",
        remedy: "Correct the clock of the token server (`timedatectl`, chrony or NTP), or leave out `nbf`.",
        docs: "https://www.twilio.com/docs/api/errors/20105",
    }
    StaleReuse {
        id: "stale_reuse",
        family: Time,
        title: "Expired token sent again",
        why: "The same expired token was refused before: a client or cache keeps sending it instead of getting a new one.",
        remedy: "Make the client drop its cached token on `tokenExpired` or a refusal, and fetch a new one before it connects again; disable HTTP caching on the token endpoint.",
        docs: "https://www.twilio.com/docs/api/errors/20104",
    }
    Expired {
        id: "expired",
        family: Time,
        title: "Access Token expired",
        why: "The connection was refused after the time in `exp`.",
        remedy: "Fetch a new token and call `updateToken` when the SDK says that the old one is about to expire (`tokenAboutToExpire`, `tokenWillExpire`), and before each new connection.",
        docs: "https://www.twilio.com/docs/api/errors/20104",
    }
    LifetimeTooLong {
        id: "lifetime_too_long",
        family: Time,
        title: "Lifetime of more than 24 hours",
        why: "Twilio accepts Access Tokens that are valid for at most 86400 seconds.",
        remedy: "Set the token's `ttl` to 86400 seconds or less (3600 is usual), and check that it is given in seconds, not milliseconds.",
        docs: "https://www.twilio.com/docs/api/errors/20157",
    }
    GrantsMissing {
        id: "grants_missing",
        family: Grants,
        title: "No grants in the token",
        why: "Without `grants` the token permits nothing, and no product accepts it.",
        remedy: "Add the product's grant to the token before signing it (`token.addGrant(…)`), and an identity.",
        docs: "https://www.twilio.com/docs/api/errors/20106",
    }
    GrantsMalformed {
        id: "grants_malformed",
        family: Grants,
        title: "Malformed grants",
        why: "`grants` and each grant in it must be a JSON object, with fields of the documented types.",
        remedy: "Build the grants with the classes of Twilio's helper library; in hand-made tokens, make the field that the finding names an object or a text as documented.",
        docs: "https://www.twilio.com/docs/api/errors/20106",
    }
    IdentityMissing {
        id: "identity_missing",
        family: Identity,
        title: "No identity in the token",
        why: "The SDKs connect as the user named in `grants.identity`, and Twilio refuses a token without one.",
        remedy: "Set the identity when the token is made, and let the token endpoint fail when the user is not known (a session that has run out, a missing parameter).",
        docs: "https://www.twilio.com/docs/api/errors/51105",
    }
    IdentityInvalid {
        id: "identity_invalid",
        family: Identity,
        title: "Invalid identity",
        why: "The identity must be a text of 1 to 256 characters without control characters.",
        remedy: "Turn the user id into a text before it goes into the token (`String(user.id)`), and shorten or clean it where it is longer than 256 characters or holds control characters.",
        docs: "https://www.twilio.com/docs/api/errors/53200",
    }
    ProductGrantMissing {
        id: "product_grant_missing",
        family: Grants,
        title: "Grant for the product missing",
        why: "The token holds no grant for the product whose SDK was refused.",
        remedy: "Add the grant of that product to the token (ChatGrant, SyncGrant, VoiceGrant, VideoGrant or TaskRouterGrant), or make the client fetch the token meant for it.",
        docs: "https://www.twilio.com/docs/api/errors/20106",
    }
    GrantIncomplete {
        id: "grant_incomplete",
        family: Grants,
        title: "Required field of the grant missing",
        why: "The product's grant lacks a field that Twilio needs to know which service or application the user may use.",
        remedy: "Set the environment variable behind the field that the finding names (it is usually empty or misspelt) and restart the token server; in a token made by hand, name the field as the finding does.",
        docs: "https://www.twilio.com/docs/api/errors/51104",
    }
    GrantSidInvalid {
        id: "grant_sid_invalid",
        family: Grants,
        title: "Wrong SID in the grant",
        why: "A field of the grant holds a SID of another kind, or no SID at all, so that the service or application does not exist.",
        remedy: "Replace the value by the SID with the prefix that the finding expects (Conversations and Sync services begin with IS, TwiML apps with AP, push credentials with CR).",
        docs: "https://www.twilio.com/docs/api/errors/51101",
    }
    VideoRegion {
        id: "video_region",
        family: Region,
        title: "Video token from a key outside US1",
        why: "Video accepts only tokens that were signed with an API key of the US1 region.",
        remedy: "Create an API key in region US1 (Console, with the region selector on US1), use it for Video tokens, and leave out the token's `region`.",
        docs: "https://www.twilio.com/docs/api/errors/20101",
    }
    RegionMismatch {
        id: "region_mismatch",
        family: Region,
        title: "Token, key and endpoint in different regions",
        why: "An API key exists in one region only; the token's `twr`, the key's region and the endpoint's region must be the same.",
        remedy: "Set `region` when making the token, the SDK's `region` or `edge`, and the API key so that all three name the same region.",
        docs: "https://www.twilio.com/docs/api/errors/20101",
    }
    Unreadable {
        id: "unreadable",
        family: Unknown,
        title: "Token hidden from inspection",
        why: "A token was sent, but the log shows it encrypted, masked or cut, so its faults cannot be seen.",
        remedy: "Fetch a token from the same endpoint by hand and run `diag51007 check` on it, or raise the logger's length limit for a moment; leave the masking on.",
        docs: "https://www.twilio.com/docs/api/errors/51007",
    }
    NoneFound {
        id: "none_found",
        family: Unknown,
        title: "No fault found in the token",
        why: "Every check that can be made from outside passed, so the reason is one that only Twilio knows.",
        remedy: "Look in the Console whether the API key still exists, the account is active, and the service or application belongs to that account; then search the Debugger for the time of the refusal.",
        docs: "https://www.twilio.com/docs/api/errors/51007",
    }
    NoToken {
        id: "no_token",
        family: Unknown,
        title: "No token in the log",
        why: "The log holds no token near the refusal, and neither a code nor a message names the cause.",
        remedy: "Turn on the SDK's debug log for one client for a moment so that the token is logged, or run `diag51007 check` on a token fetched from the same endpoint.",
        docs: "https://www.twilio.com/docs/api/errors/51007",
    }
}

impl Cause {
    /// Who can mend it.
    pub const fn owner(self) -> &'static str {
        match self {
            Self::NotAToken | Self::Malformed | Self::Truncated | Self::StaleReuse | Self::Expired => {
                "whoever builds the clients"
            }
            Self::CapabilityToken
            | Self::AlgorithmUnsupported
            | Self::HeaderInvalid
            | Self::TimeClaimInvalid
            | Self::LifetimeTooLong
            | Self::GrantsMissing
            | Self::GrantsMalformed
            | Self::IdentityMissing
            | Self::IdentityInvalid
            | Self::ProductGrantMissing
            | Self::GrantIncomplete
            | Self::GrantSidInvalid => "whoever builds the token server",
            Self::IssuerInvalid
            | Self::AccountInvalid
            | Self::AccountMismatch
            | Self::KeyNotAllowed
            | Self::WrongSecret
            | Self::SignatureInvalid
            | Self::VideoRegion
            | Self::RegionMismatch => "whoever sets the token server's keys, secrets and region",
            Self::Tampered => "whoever runs what lies between token server and clients",
            Self::NotYetValid => "whoever runs the token server's machines: their clock is wrong",
            Self::NoneFound => "whoever administers the account at Twilio",
            Self::Unreadable | Self::NoToken => "whoever builds the clients: their logs say too little",
        }
    }

    /// Reads a metric label.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.id() == id)
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Cause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::from_id(&id).ok_or_else(|| D::Error::custom("expected the id of a cause"))
    }
}

/// A group of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// What was sent is not a whole Access Token.
    Form,
    /// The JOSE header.
    Header,
    /// Issuer, account and kind of the key.
    Key,
    /// The signature.
    Signature,
    /// Validity and lifetime.
    Time,
    /// Grants and their fields.
    Grants,
    /// The identity.
    Identity,
    /// Twilio regions.
    Region,
    /// Nothing could be named.
    Unknown,
}

impl Family {
    /// The word for it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Header => "header",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Time => "time",
            Self::Grants => "grants",
            Self::Identity => "identity",
            Self::Region => "region",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The ids of the design, in its order.
    const IDS: [&str; 30] = [
        "not_a_token",
        "capability_token",
        "malformed",
        "truncated",
        "algorithm_unsupported",
        "header_invalid",
        "issuer_invalid",
        "account_invalid",
        "account_mismatch",
        "key_not_allowed",
        "wrong_secret",
        "tampered",
        "signature_invalid",
        "time_claim_invalid",
        "not_yet_valid",
        "stale_reuse",
        "expired",
        "lifetime_too_long",
        "grants_missing",
        "grants_malformed",
        "identity_missing",
        "identity_invalid",
        "product_grant_missing",
        "grant_incomplete",
        "grant_sid_invalid",
        "video_region",
        "region_mismatch",
        "unreadable",
        "none_found",
        "no_token",
    ];

    #[test]
    fn the_taxonomy_has_the_thirty_rows_in_order_of_precedence() {
        assert_eq!(Cause::ALL.map(Cause::id), IDS);
        assert!(Cause::ALL.is_sorted());
    }

    #[test]
    fn every_id_reads_back() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_id(cause.id()), Some(cause));
        }
        assert_eq!(Cause::from_id("Expired"), None);
    }

    #[test]
    fn titles_are_short_noun_phrases_and_unique() {
        let titles: BTreeSet<_> = Cause::ALL.map(Cause::title).into_iter().collect();
        assert_eq!(titles.len(), Cause::ALL.len());
        for title in titles {
            assert!(title.chars().count() <= 60, "{title}");
            assert!(!title.ends_with('.'), "{title}");
        }
    }

    #[test]
    fn why_and_remedy_are_one_sentence_each() {
        for cause in Cause::ALL {
            for sentence in [cause.why(), cause.remedy()] {
                assert!(sentence.ends_with('.'), "{sentence}");
                assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
                assert!(sentence.len() >= 40, "{sentence}");
            }
        }
    }

    #[test]
    fn docs_are_pages_of_known_codes() {
        for cause in Cause::ALL {
            let number = cause.docs().strip_prefix("https://www.twilio.com/docs/api/errors/").unwrap();
            assert!(crate::code::find(number.parse().unwrap()).is_some(), "{number}");
        }
    }

    #[test]
    fn families_follow_the_design() {
        let family = |family| Cause::ALL.into_iter().filter(|c| c.family() == family).count();
        let counts = [
            (Family::Form, 4),
            (Family::Header, 2),
            (Family::Key, 4),
            (Family::Signature, 3),
            (Family::Time, 5),
            (Family::Grants, 5),
            (Family::Identity, 2),
            (Family::Region, 2),
            (Family::Unknown, 3),
        ];
        for (name, count) in counts {
            assert_eq!(family(name), count, "{name:?}");
        }
    }
}
