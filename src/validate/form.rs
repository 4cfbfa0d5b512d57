//! Is it a token, and is it all there?

use super::{Context, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::Finding;
use crate::keyring::Mistake;
use crate::token::{Form, Instead, Token};

/// No secret is longer, in bytes.
const SECRET_BYTES_MAX: usize = 128;

/// Says what is wrong with the form, if anything is.
pub(super) fn check(token: &Token<'_>, outcome: &mut Outcome) {
    match &token.form {
        Form::Whole => {}
        Form::NotAToken(found) => outcome.find(Finding::NotAToken { found: found.clone() }),
        Form::Encrypted => outcome.find(Finding::Encrypted),
        Form::Masked(extent) => outcome.find(Finding::Masked { extent: *extent }),
        Form::Cut => outcome.find(Finding::Cut),
        Form::Truncated(missing) => outcome.find(Finding::Truncated { missing: *missing }),
        Form::Malformed(part, fault) => outcome.find(Finding::Malformed { part: *part, fault: *fault }),
    }
    if token.jwt.is_none() && !matches!(token.form, Form::NotAToken(_)) {
        outcome.skip(Check::Contents, SkipReason::Unreadable);
    }
}

/// Whose secret was sent in the place of a token.
pub(super) fn secret(form: &Form, raw: &[u8], context: &Context<'_>) -> Option<Mistake> {
    let may_be = matches!(form, Form::NotAToken(Instead::Hexadecimal | Instead::Placeholder | Instead::Text(_)));
    (may_be && raw.len() <= SECRET_BYTES_MAX).then(|| context.keyring.whose(raw)).flatten()
}

/// Every name once in its object.
pub(super) fn duplicates(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    for field in subject.claims.duplicates() {
        outcome.find(Finding::Duplicate { field });
    }
}
