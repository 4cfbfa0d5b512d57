//! The identity. It is looked at, and never shown.

use super::{Context, Outcome, Subject};
use crate::finding::{Finding, IDENTITY_CHARS_MAX, IdentityFault, Shown};
use crate::token::{Claim, Field};

/// A text of 1 to 256 characters, none of them a control character.
pub(super) fn check(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    if *subject.claims.value(Field::Grants) != Claim::Object {
        return;
    }
    let identity = subject.claims.value(Field::Identity);
    if identity.is_absent() {
        return outcome.find(Finding::IdentityMissing { found: Shown::of_field(subject.claims, Field::Identity) });
    }
    if let Some(fault) = fault(identity) {
        outcome.find(Finding::IdentityInvalid { fault });
    }
}

pub(super) fn fault(identity: &Claim<'_>) -> Option<IdentityFault> {
    match identity {
        // Nearly all of them; without a branch a byte, so that it becomes vector instructions.
        Claim::Text(text)
            if text.len() <= IDENTITY_CHARS_MAX && text.bytes().fold(true, |all, byte| all & is_plain(byte)) =>
        {
            None
        }
        Claim::Text(text) => {
            let count = text.chars().count();
            if count > IDENTITY_CHARS_MAX {
                return Some(IdentityFault::TooLong(count));
            }
            text.chars().position(char::is_control).map(IdentityFault::Control)
        }
        Claim::Integer(_) | Claim::Number(_) => Some(IdentityFault::NotText("a number")),
        Claim::Bool(_) => Some(IdentityFault::NotText("`true` or `false`")),
        Claim::Array => Some(IdentityFault::NotText("an array")),
        Claim::Object => Some(IdentityFault::NotText("an object")),
        Claim::Missing | Claim::Null => None,
    }
}

#[expect(clippy::needless_bitwise_bool, reason = "without a branch a byte it becomes vector instructions")]
const fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte < 0x7F)
}
