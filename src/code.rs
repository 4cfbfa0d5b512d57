//! Twilio's error codes that matter here: which of them are refusals of a token, and what they name.

use crate::cause::Cause;
use crate::product::Product;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The number.
    pub number: u32,
    /// Title in Twilio's dictionary.
    pub title: &'static str,
    /// A refusal of a token in its own right.
    pub counts: bool,
    /// Causes that agree with it; the first is the diagnosis when nothing else is known.
    pub causes: &'static [Cause],
    /// The product that uses it alone.
    pub product: Option<Product>,
}

/// The code of this daemon's name.
pub const TOKEN_REJECTED: u32 = 51007;

/// The table, ascending by number.
pub const CODES: &[Code] = &[Code {
    number: 51007,
    title: "Client Connection: Token authentication is rejected",
    counts: true,
    causes: &[],
    product: None,
}];

/// Looks a number up.
pub fn find(number: u32) -> Option<&'static Code> {
    CODES.binary_search_by_key(&number, |code| code.number).ok().and_then(|at| CODES.get(at))
}
