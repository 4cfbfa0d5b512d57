//! Is it a token, and is it all there?

use super::{Context, Outcome, Subject};
use crate::diagnosis::{Check, SkipReason};
use crate::finding::Finding;
use crate::token::{Form, Token};

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

/// Every name once in its object.
pub(super) fn duplicates(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    for field in subject.claims.duplicates() {
        outcome.find(Finding::Duplicate { field });
    }
}
