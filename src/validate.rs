//! Checks a token as Twilio would have at the moment of the refusal.

use crate::diagnosis::{Found, Skipped, TokenReport};
use crate::finding::Finding;
use crate::keyring::KeyRing;
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::Sent;

/// What the checks need to know besides the token.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time of the refusal.
    pub refused_at: UnixTime,
    /// The product that refused.
    pub product: Product,
    /// The region of the endpoint that refused (`us1`), if the log shows it.
    pub endpoint_region: Option<&'a str>,
    /// The key ring.
    pub keyring: &'a KeyRing,
    /// Clock tolerance in seconds.
    pub leeway_seconds: i64,
    /// An earlier refusal of the same token.
    pub refused_before: Option<RefusedBefore>,
}

/// Earlier refusals of the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedBefore {
    /// The first of them.
    pub first: UnixTime,
    /// How many.
    pub times: u32,
}

/// All that the checks say of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Every fault, by precedence.
    pub findings: Vec<Finding>,
    /// The checks not made.
    pub skipped: Vec<Skipped>,
    /// What may be shown.
    pub report: TokenReport,
}

/// Runs every check.
pub fn validate(_sent: &Sent, _found: Found, _context: &Context<'_>) -> Option<Verdict> {
    None
}
