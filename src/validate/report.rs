//! What may be shown of a token.

use zeroize::Zeroizing;

use super::signature::Signed;
use super::{Context, Subject, grants, identity, region, time};
use crate::diagnosis::{TokenReport, TokenState};
use crate::token::{Field, Form, is_sid};

/// Fills in what the fields tell and may be shown.
pub(super) fn describe(
    report: &mut TokenReport,
    subject: &Subject<'_>,
    signature: Option<&Signed>,
    context: &Context<'_>,
) {
    let claims = subject.claims;
    let text = |field| claims.value(field).text();
    let sid = |field| text(field).filter(|sid| is_sid(sid.as_bytes())).map(str::to_owned);
    report.jti = text(Field::Jti).filter(|jti| time::jti_seconds(jti).is_some()).map(str::to_owned);
    report.key_sid = sid(Field::Iss);
    report.account_sid = sid(Field::Sub);
    report.issued_at = time::issued(claims).map(|(_, time)| time);
    report.not_before = time::valid(claims, Field::Nbf);
    report.expires_at = time::valid(claims, Field::Exp);
    report.lifetime_seconds = report.expires_at.zip(report.issued_at).map(|(exp, from)| exp.seconds_since(from));
    report.grants = grants::present(claims);
    report.region = region::of_token(claims);
    let expired = report.expires_at.map(|exp| time::is_expired(exp, context));
    let expired_for = report.expires_at.map(|exp| context.refused_at.seconds_since(exp));
    report.expired_for_seconds = expired_for.filter(|_| expired == Some(true));
    report.early_by_seconds = time::early(claims, context).map(|(_, from)| from.seconds_since(context.refused_at));
    let is_bad = signature.is_some_and(Signed::is_bad);
    report.exposed = subject.whole && !is_bad && expired == Some(false) && text(Field::Alg) == Some("HS256");
}

/// `jti`, if it may belong to this token only.
pub(super) fn unique_id(subject: &Subject<'_>) -> Option<Zeroizing<String>> {
    let jti = subject.claims.value(Field::Jti).text()?;
    (!jti.is_empty() && time::jti_seconds(jti).is_none()).then(|| Zeroizing::new(jti.to_owned()))
}

/// The service that the token is for.
pub(super) fn service(subject: &Subject<'_>, context: &Context<'_>) -> Option<String> {
    grants::service(subject.claims, context.product).map(str::to_owned)
}

/// The identity, if there is one that Twilio would take.
pub(super) fn identity(subject: &Subject<'_>) -> Option<Zeroizing<String>> {
    let identity = subject.claims.value(Field::Identity);
    let text = identity.text().filter(|text| !text.is_empty() && identity::fault(identity).is_none())?;
    Some(Zeroizing::new(text.to_owned()))
}

/// What became of a token, by its form.
pub(super) const fn state(form: &Form) -> TokenState {
    match form {
        Form::Whole => TokenState::Readable,
        Form::NotAToken(_) | Form::Malformed(..) => TokenState::Malformed,
        Form::Encrypted => TokenState::Encrypted,
        Form::Masked(_) => TokenState::Masked,
        Form::Cut | Form::Truncated(_) => TokenState::Truncated,
    }
}
