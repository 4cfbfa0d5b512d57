//! What a person at a terminal reads: values in, text out.
//!
//! Pure rendering. Whatever stands in a log or in a file name is hostile here: it goes through [`page::shown`] before
//! it is printed. Nothing here decides anything about a token; that was done before.

pub mod claims;
pub mod counts;
pub mod exposition;
pub mod page;
pub mod scan;
pub mod tally;
pub mod token;

use crate::diagnosis::{Check, SkipReason};

/// What a check looks at, as the object of "not checked".
pub const fn check_phrase(check: Check) -> &'static str {
    match check {
        Check::Signature => "whether the signature was made with the key's secret",
        Check::SecretMistake => "whether every known mistake with secrets explains the signature",
        Check::Account => "whether the key belongs to the account",
        Check::KeyKind => "whether the key may sign Access Tokens",
        Check::Time => "whether the token was valid at that time",
        Check::Lifetime => "whether the lifetime is allowed",
        Check::ProductGrant => "whether the grants suit the product",
        Check::Region => "whether token, key and endpoint agree on the region",
        Check::Contents => "anything in the token",
    }
}

/// Why a check was not made, as the end of "because …".
pub const fn reason_phrase(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::UnknownKey => "the key ring does not have the token's key",
        SkipReason::NoSecret => "the key ring has the key without its secret",
        SkipReason::Unreadable => "the token, or that part of it, can't be read",
        SkipReason::UnknownProduct => "nothing tells which product refused",
        SkipReason::UnknownRegion => "the region of the key or of the endpoint is not known",
        SkipReason::NoClaim => "the claim that it needs is missing or invalid",
        SkipReason::Limit => "work is bounded: not every secret was tried on it",
    }
}

/// What a person can do to have a skipped check made; `None` where only another log line or token would help.
pub const fn reason_remedy(reason: SkipReason) -> Option<&'static str> {
    match reason {
        SkipReason::UnknownKey => Some("name the key and its secret in a config and pass it with `--config FILE`"),
        SkipReason::NoSecret => Some("add `secret_file` (or `secret_env`) to the key's entry in the config"),
        SkipReason::UnknownRegion => Some("add `region` to the key's entry in the config"),
        SkipReason::Unreadable | SkipReason::UnknownProduct | SkipReason::NoClaim | SkipReason::Limit => None,
    }
}
