//! Checks a token as Twilio would have at the moment of the refusal.
//!
//! The checks are a table of small functions, each of which looks at one thing, gives evidence, and says when it could
//! not look. Nothing here reads a clock or fails: any bytes get a verdict.

use zeroize::Zeroizing;

use crate::diagnosis::{Check, Fingerprint, Found, SkipReason, Skipped, TokenReport};
use crate::finding::{Finding, TimeSource};
use crate::keyring::KeyRing;
use crate::product::Product;
use crate::time::UnixTime;
use crate::token::{self, Buffer, Claims, Form, Instead, Jwt, Sent};

mod attempts;
mod form;
mod grants;
mod header;
mod identity;
mod key;
mod region;
mod report;
pub mod signature;
mod time;
mod transport;

pub use attempts::{Attempts, IN_VAIN_MAX, TRIED_EVERY};
use signature::Signed;

/// How far the seconds in `jti` may be from the issue time: Java's helper library computes them with 32-bit floats.
pub const JTI_TOLERANCE_SECONDS: i64 = 120;

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
    /// What tells that time.
    pub told_by: TimeSource,
    /// An earlier refusal of the same token.
    pub refused_before: Option<RefusedBefore>,
    /// What was found of the signature of the same token before, with the same key ring.
    pub known_signature: Option<&'a Signed>,
    /// How guessing went before; without it, every guess is tried.
    pub attempts: Option<&'a Attempts>,
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
    /// Every fault, by precedence; never empty.
    pub findings: Vec<Finding>,
    /// The checks not made.
    pub skipped: Vec<Skipped>,
    /// What may be shown.
    pub report: TokenReport,
    /// What is known of the signature; `None` if nothing was looked for.
    pub signature: Option<Signed>,
    /// `jti`, where it is not of the helper libraries' form, which all tokens of a key in one second share.
    pub unique_id: Option<Zeroizing<String>>,
    /// The identity, where it can be read and is one. Only to be hashed.
    pub identity: Option<Zeroizing<String>>,
    /// The Chat, Conversations or Sync service that the token is for, where it names one. Only to be hashed.
    pub service: Option<String>,
}

/// One check.
type CheckFn = fn(&Subject<'_>, &Context<'_>, &mut Outcome);

/// Every check of an Access Token whose fields can be read.
const CHECKS: [CheckFn; 19] = [
    header::algorithm,
    header::fields,
    key::issuer,
    key::account,
    key::owner,
    key::kind,
    signature::check,
    time::claims,
    time::start,
    time::expiry,
    time::lifetime,
    grants::presence,
    grants::types,
    identity::check,
    grants::product,
    grants::fields,
    region::video,
    region::agreement,
    form::duplicates,
];

/// The checks of a legacy token, which has neither grants nor a key.
const CAPABILITY_CHECKS: [CheckFn; 3] = [time::claims, time::start, time::expiry];

/// A token whose fields can be read.
struct Subject<'a> {
    claims: &'a Claims<'a>,
    message: &'a [u8],
    signature: &'a [u8],
    /// The signature is all there, as it was sent or after a change was undone.
    whole: bool,
}

impl<'a> Subject<'a> {
    fn new(jwt: &'a Jwt<'a>, form: &Form) -> Self {
        Self { claims: &jwt.claims, message: jwt.message, signature: jwt.signature, whole: *form == Form::Whole }
    }
}

/// What the checks have said so far.
#[derive(Debug, Default)]
struct Outcome {
    findings: Vec<Finding>,
    skipped: Vec<Skipped>,
    signature: Option<Signed>,
}

impl Outcome {
    fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn skip(&mut self, check: Check, reason: SkipReason) {
        self.skipped.push(Skipped { check, reason });
    }

    fn run(&mut self, checks: &[CheckFn], subject: &Subject<'_>, context: &Context<'_>) {
        for check in checks {
            check(subject, context, self);
        }
    }
}

/// Runs every check that what was sent allows.
pub fn validate(sent: &Sent, found: Found, fingerprint: Fingerprint, context: &Context<'_>) -> Verdict {
    let mut buffer = Buffer::default();
    let token = token::read(sent, &mut buffer);
    if matches!(token.form, Form::Malformed(..) | Form::NotAToken(_)) {
        return changed(sent, &token, found, fingerprint, context);
    }
    let mut outcome = Outcome::default();
    form::check(&token, &mut outcome);
    let subject = token.jwt.as_ref().map(|jwt| Subject::new(jwt, &token.form));
    judge(&token.form, subject.as_ref(), found, fingerprint, context, outcome)
}

/// Judges what is no readable token as it stands, but may be one after a change is undone.
fn changed(
    sent: &Sent,
    token: &token::Token<'_>,
    found: Found,
    fingerprint: Fingerprint,
    context: &Context<'_>,
) -> Verdict {
    let mut outcome = Outcome::default();
    if let Some(whose) = form::secret(&token.form, &sent.raw, context) {
        outcome.find(Finding::SecretAsToken { whose });
        return judge(&token.form, None, found, fingerprint, context, outcome);
    }
    let is_token = matches!(token.form, Form::Malformed(..));
    let may_be_changed = is_token || matches!(token.form, Form::NotAToken(Instead::Bearer | Instead::Printed));
    for undone in transport::undo(&sent.raw) {
        let mut buffer = Buffer::default();
        let inner = token::read_bytes(&undone.bytes, sent.ending, &mut buffer);
        let (Form::Whole, Some(jwt)) = (&inner.form, &inner.jwt) else { continue };
        let subject = Subject::new(jwt, &inner.form);
        if may_be_changed && signature::fits(&subject, context) {
            // The change is the fault; all the rest is judged as it was signed.
            let changes = undone.changes;
            outcome.find(Finding::Tampered { changes });
            return judge(&token.form, Some(&subject), found, fingerprint, context, outcome);
        }
        form::check(token, &mut outcome);
        let bare = Subject { whole: false, ..Subject::new(jwt, &inner.form) };
        let mut verdict = if is_token {
            judge(&token.form, Some(&bare), found, fingerprint, context, outcome)
        } else {
            judge(&token.form, None, found, fingerprint, context, outcome)
        };
        report::describe(&mut verdict.report, &subject, None, context);
        verdict.identity = report::identity(&subject);
        verdict.service = report::service(&subject, context);
        return verdict;
    }
    form::check(token, &mut outcome);
    let subject = token.jwt.as_ref().map(|jwt| Subject::new(jwt, &token.form));
    judge(&token.form, subject.as_ref(), found, fingerprint, context, outcome)
}

/// Runs the checks that apply, and puts the verdict together.
fn judge(
    form: &Form,
    subject: Option<&Subject<'_>>,
    found: Found,
    fingerprint: Fingerprint,
    context: &Context<'_>,
    mut outcome: Outcome,
) -> Verdict {
    let mut report = TokenReport::new(report::state(form), found, fingerprint);
    if let Some(subject) = subject {
        match header::capability(subject.claims) {
            Some(found) => {
                outcome.find(Finding::CapabilityToken { found });
                // It names no key: an Auth Token signs it.
                outcome.skip(Check::Signature, SkipReason::NoClaim);
                outcome.run(&CAPABILITY_CHECKS, subject, context);
            }
            None => outcome.run(&CHECKS, subject, context),
        }
        report::describe(&mut report, subject, outcome.signature.as_ref(), context);
    }
    if outcome.findings.is_empty() {
        let signature_checked = outcome.signature == Some(Signed::Good);
        outcome.find(Finding::NoneFound { signature_checked, product: context.product });
    }
    outcome.findings.sort_by_key(Finding::cause);
    outcome.skipped.sort_unstable();
    let unique_id = subject.filter(|_| outcome.signature.is_some()).and_then(report::unique_id);
    let identity = subject.and_then(report::identity);
    let service = subject.and_then(|subject| report::service(subject, context));
    let Outcome { findings, skipped, signature } = outcome;
    Verdict { findings, skipped, report, signature, unique_id, identity, service }
}

#[cfg(test)]
mod tests;
