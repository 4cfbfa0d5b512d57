//! Issuer, account, and whether the key may sign.

use super::{Context, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::{Finding, Shown};
use crate::keyring::KeyKind;
use crate::token::Field;

/// Says whether a text is a SID of a kind. Twilio's specification allows hexadecimal digits of either case.
pub(super) fn is_sid_of(text: &str, prefix: &str) -> bool {
    // Without a branch a digit, so that it becomes vector instructions.
    let all_digits = |digits: &str| digits.bytes().fold(true, |all, byte| all & byte.is_ascii_hexdigit());
    text.strip_prefix(prefix).is_some_and(|digits| digits.len() == 32 && all_digits(digits))
}

/// `iss` is the SID of an API key.
pub(super) fn issuer(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let iss = subject.claims.value(Field::Iss);
    if !iss.text().is_some_and(|text| is_sid_of(text, "SK")) {
        outcome.find(Finding::IssuerInvalid { found: Shown::of(iss) });
    }
}

/// `sub` is the SID of an account.
pub(super) fn account(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let sub = subject.claims.value(Field::Sub);
    if !sub.text().is_some_and(|text| is_sid_of(text, "AC")) {
        outcome.find(Finding::AccountInvalid { found: Shown::of(sub) });
    }
}

/// The account owns the key.
pub(super) fn owner(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let text = |field| subject.claims.value(field).text();
    let (Some(iss), Some(sub)) = (text(Field::Iss), text(Field::Sub).filter(|sub| is_sid_of(sub, "AC"))) else {
        return outcome.skip(Check::Account, SkipReason::NoClaim);
    };
    let Some((key, owner)) = context.keyring.key(iss).and_then(|key| Some((key, key.account.as_ref()?))) else {
        return outcome.skip(Check::Account, SkipReason::UnknownKey);
    };
    if !owner.eq_ignore_ascii_case(sub) {
        outcome.find(Finding::AccountMismatch {
            key_sid: key.sid.clone(),
            expected: owner.clone(),
            found: sub.to_owned(),
        });
    }
}

/// The key is of a kind that can sign Access Tokens.
pub(super) fn kind(subject: &Subject<'_>, context: &Context<'_>, outcome: &mut Outcome) {
    let Some(iss) = subject.claims.value(Field::Iss).text() else {
        return outcome.skip(Check::KeyKind, SkipReason::NoClaim);
    };
    let Some(key) = context.keyring.key(iss) else {
        return outcome.skip(Check::KeyKind, SkipReason::UnknownKey);
    };
    match key.kind {
        KeyKind::Main | KeyKind::Standard => {}
        KeyKind::Restricted | KeyKind::Test => {
            outcome.find(Finding::KeyNotAllowed { key_sid: key.sid.clone(), kind: key.kind });
        }
    }
}
