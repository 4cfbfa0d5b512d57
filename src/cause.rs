//! The taxonomy: one table, from which everything that is said about a cause is generated.

use serde::{Serialize, Serializer};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident { id: $id:literal, family: $family:ident, title: $title:literal, why: $why:literal, remedy: $remedy:literal, docs: $docs:literal, })*) => {
        /// A cause of refusal, in order of precedence: of several that apply, the least is the diagnosis.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[$doc])* #[doc = $title] $variant,)* }

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
    Expired {
        id: "expired",
        family: Time,
        title: "Access Token expired",
        why: "The connection was refused after the time in `exp`.",
        remedy: "Fetch a new token when the SDK says that the old one is about to expire.",
        docs: "https://www.twilio.com/docs/api/errors/20104",
    }
    NoneFound {
        id: "none_found",
        family: Unknown,
        title: "x",
        why: "x",
        remedy: "x",
        docs: "https://www.twilio.com/docs/api/errors/51007",
    }
    NoToken {
        id: "no_token",
        family: Unknown,
        title: "x",
        why: "x",
        remedy: "x",
        docs: "https://www.twilio.com/docs/api/errors/51007",
    }
}

impl Cause {
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

/// A group of causes with the same owner.
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
