//! The one cause of a rejection: what the token shows, what a code or a text names, and which of them decides.
//!
//! A fault that the token shows wins. If it shows nothing, a code that names a cause decides, then a text: Twilio saw what
//! is not in the log. Where the token excludes all that the code names, a finding says so.

use crate::cause::{Cause, Family};
use crate::code::{self, Code};
use crate::diagnosis::{Basis, Check};
use crate::finding::Finding;
use crate::validate::Verdict;

/// The cause, what it rests on, and whether Twilio's code contradicts it.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The cause.
    pub cause: Cause,
    /// What it rests on.
    pub basis: Basis,
    /// What a code says besides: a finding to put after the token's own.
    pub remark: Option<Finding>,
}

/// Decides. `codes` are those that the sightings of the rejection show, in any order; `text` is what a message without
/// a code names.
pub fn classify(verdict: Option<&Verdict>, codes: &[u32], text: Option<Cause>) -> Classification {
    let shown = verdict.and_then(|verdict| Some((verdict, verdict.findings.first()?.cause())));
    if let Some((verdict, cause)) = shown
        && !yields(cause)
    {
        return Classification { cause, basis: Basis::Token, remark: disagreement(verdict, cause, codes) };
    }
    if let Some((code, first)) = naming(codes).find_map(|code| Some((code, *code.causes.first()?))) {
        let read = shown.filter(|(_, cause)| *cause == Cause::NoneFound).map(|(verdict, _)| verdict);
        let is_open = |cause: &Cause| read.is_none_or(|verdict| may_still_be(*cause, verdict));
        let causes: Vec<Cause> = code.causes.iter().copied().filter(is_open).collect();
        let cause = causes.first().copied().unwrap_or(first);
        let remark = match causes.len() {
            0 => Some(Finding::Disagreement { code: code.number, named: first, shown: Cause::NoneFound }),
            1 => None,
            _ => Some(Finding::LeftOpen { code: code.number, title: code.title, usual: cause, causes }),
        };
        return Classification { cause, basis: Basis::Code, remark };
    }
    let (cause, basis) = text
        .map(|cause| (cause, Basis::Text))
        .or_else(|| shown.map(|(_, cause)| (cause, Basis::Token)))
        .unwrap_or((Cause::NoToken, Basis::None));
    Classification { cause, basis, remark: None }
}

/// A cause that a token may have in which nothing was found: what would tell was not checked, or only Twilio knows.
fn may_still_be(cause: Cause, verdict: &Verdict) -> bool {
    let check = match (cause.family(), cause) {
        (_, Cause::GrantSidInvalid) => return true,
        (_, Cause::AccountMismatch) => Check::Account,
        (_, Cause::KeyNotAllowed) => Check::KeyKind,
        (_, Cause::LifetimeTooLong) => Check::Lifetime,
        (_, Cause::ProductGrantMissing | Cause::GrantIncomplete) => Check::ProductGrant,
        (Family::Signature, _) => Check::Signature,
        (Family::Region, _) => Check::Region,
        (
            Family::Form
            | Family::Header
            | Family::Key
            | Family::Time
            | Family::Grants
            | Family::Identity
            | Family::Unknown,
            _,
        ) => return false,
    };
    verdict.skipped.iter().any(|skipped| skipped.check == check)
}

/// The causes that say nothing of a fault.
const fn yields(cause: Cause) -> bool {
    matches!(cause, Cause::Unreadable | Cause::NoneFound | Cause::NoToken)
}

/// The codes that name a cause; those with the fewest first, since they say the most.
fn naming(codes: &[u32]) -> impl Iterator<Item = &'static Code> {
    let mut naming: Vec<_> =
        codes.iter().filter_map(|number| code::find(*number)).filter(|code| !code.causes.is_empty()).collect();
    naming.sort_by_key(|code| (code.causes.len(), code.number));
    naming.into_iter()
}

/// A code that names none of the faults that the token shows.
fn disagreement(verdict: &Verdict, shown: Cause, codes: &[u32]) -> Option<Finding> {
    let agrees = |code: &Code| verdict.findings.iter().any(|finding| code.causes.contains(&finding.cause()));
    if naming(codes).any(agrees) {
        return None;
    }
    let code = naming(codes).next()?;
    code.causes.first().map(|named| Finding::Disagreement { code: code.number, named: *named, shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Fingerprint, Found};
    use crate::finding::TimeSource;
    use crate::keyring::KeyRing;
    use crate::product::Product;
    use crate::time::UnixTime;
    use crate::token::{Ending, Sent, mint};
    use crate::validate::{Context, validate};

    fn verdict(raw: &str, at: i64) -> Verdict {
        let sent = Sent { raw: raw.as_bytes().to_vec().into(), ending: Ending::Closed };
        let context = Context {
            refused_at: UnixTime::from_seconds(at),
            product: Product::Chat,
            endpoint_region: None,
            keyring: &KeyRing::default(),
            leeway_seconds: 0,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: None,
            attempts: None,
        };
        validate(&sent, Found::Given, Fingerprint([0; 8]), &context)
    }

    #[track_caller]
    fn check(verdict: Option<&Verdict>, codes: &[u32], text: Option<Cause>, expected: (Cause, Basis)) {
        let found = classify(verdict, codes, text);
        assert_eq!((found.cause, found.basis), expected);
    }

    #[test]
    fn without_a_token_code_then_text_decides() {
        check(None, &[], None, (Cause::NoToken, Basis::None));
        check(None, &[51007], None, (Cause::NoToken, Basis::None));
        check(None, &[51007], Some(Cause::SignatureInvalid), (Cause::SignatureInvalid, Basis::Text));
        check(None, &[51007, 20104], Some(Cause::SignatureInvalid), (Cause::Expired, Basis::Code));
        check(None, &[20103, 51119], None, (Cause::Expired, Basis::Code));
        check(None, &[50385, 99999], None, (Cause::NoToken, Basis::None));
    }

    #[test]
    fn what_a_code_alone_leaves_open_is_said() {
        let remark = |codes: &[u32]| classify(None, codes, None).remark.map(|remark| remark.to_string());
        assert_eq!(remark(&[20105]), None);
        assert_eq!(remark(&[20152, 31205]).as_deref(), None, "of several codes, the one that says the most");
        let said = remark(&[31205]).unwrap();
        assert!(said.contains("31205") && said.contains("`expired` or `stale_reuse`"), "{said}");
    }

    #[test]
    fn a_fault_of_the_token_wins() {
        let expired = verdict(&mint::good(), mint::ISSUED + 3600);
        check(Some(&expired), &[51007], None, (Cause::Expired, Basis::Token));
        check(Some(&expired), &[51007, 20104], None, (Cause::Expired, Basis::Token));
        check(Some(&expired), &[], Some(Cause::SignatureInvalid), (Cause::Expired, Basis::Token));
    }

    #[test]
    fn a_token_that_shows_nothing_yields_to_a_code_or_text() {
        let masked = verdict("[REDACTED]", mint::ISSUED);
        check(Some(&masked), &[51007], None, (Cause::Unreadable, Basis::Token));
        check(Some(&masked), &[31202], None, (Cause::SignatureInvalid, Basis::Code));
        check(Some(&masked), &[20101], Some(Cause::Expired), (Cause::Expired, Basis::Text));
        let good = verdict(&mint::good(), mint::ISSUED);
        check(Some(&good), &[51007], None, (Cause::NoneFound, Basis::Token));
        // Its issuer and account have the right form; whether they belong together was not checked.
        let check_code = |code, expected| {
            let found = classify(Some(&good), &[code], None);
            assert_eq!((found.cause, found.basis), (expected, Basis::Code));
            found.remark
        };
        assert!(matches!(check_code(20103, Cause::AccountMismatch), Some(Finding::LeftOpen { .. })));
        assert!(matches!(check_code(20107, Cause::SignatureInvalid), Some(Finding::LeftOpen { .. })));
        for (code, named) in [
            (20104, Cause::Expired),
            (20105, Cause::NotYetValid),
            (31105, Cause::IdentityInvalid),
            (20157, Cause::LifetimeTooLong),
            (20102, Cause::HeaderInvalid),
            (51103, Cause::GrantsMissing),
        ] {
            let disagreement = Finding::Disagreement { code, named, shown: Cause::NoneFound };
            assert_eq!(check_code(code, named), Some(disagreement), "{code}");
        }
        check(Some(&good), &[], Some(Cause::HeaderInvalid), (Cause::HeaderInvalid, Basis::Text));
        check(Some(&good), &[], Some(Cause::Expired), (Cause::Expired, Basis::Text));
    }

    #[test]
    fn a_code_that_names_another_fault_is_a_finding() {
        let expired = verdict(&mint::good(), mint::ISSUED + 3600);
        let found = classify(Some(&expired), &[51007, 20106], None);
        assert_eq!((found.cause, found.basis), (Cause::Expired, Basis::Token));
        let named = Cause::GrantsMalformed;
        assert_eq!(found.remark, Some(Finding::Disagreement { code: 20106, named, shown: Cause::Expired }));
    }
}
