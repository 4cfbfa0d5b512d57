//! The JOSE header, and the legacy tokens that have another one.

use super::{Context, Outcome, Subject};
use crate::finding::{Capability, Finding, Shown};
use crate::token::{Claim, Claims, Field};

/// The content type of Access Tokens.
const CTY: &str = "twilio-fpa;v=1";

/// Recognises a legacy token: scopes or policies, and nothing of an Access Token.
pub(super) fn capability(claims: &Claims<'_>) -> Option<Capability> {
    let is_there = |field| *claims.value(field) != Claim::Missing;
    if is_there(Field::Cty) || is_there(Field::Grants) {
        return None;
    }
    if is_there(Field::Policies) {
        return Some(Capability::TaskRouter);
    }
    is_there(Field::Scope).then_some(Capability::Client)
}

/// `alg` is HS256.
pub(super) fn algorithm(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let alg = subject.claims.value(Field::Alg);
    if alg.text() != Some("HS256") {
        outcome.find(Finding::AlgorithmUnsupported { found: Shown::of(alg) });
    }
}

/// `typ` and `cty` are those of Access Tokens. RFC 7519 section 5.1: the case of `typ` does not matter.
pub(super) fn fields(subject: &Subject<'_>, _context: &Context<'_>, outcome: &mut Outcome) {
    let typ = subject.claims.value(Field::Typ);
    if !typ.text().is_some_and(|text| text.eq_ignore_ascii_case("JWT")) {
        outcome.find(Finding::HeaderInvalid { field: Field::Typ, expected: "JWT", found: Shown::of(typ) });
    }
    let cty = subject.claims.value(Field::Cty);
    if cty.text() != Some(CTY) {
        outcome.find(Finding::HeaderInvalid { field: Field::Cty, expected: CTY, found: Shown::of(cty) });
    }
}
