//! Every time check on both sides of its boundary, and times as the libraries and hand-made code write them.

use super::*;
use crate::finding::{LIFETIME_SECONDS_MAX, TimeFault};

const REFUSED: i64 = ISSUED + 5;

/// A token with the text of its claims as it stands, whatever JSON that is.
fn raw(exp: &str, rest: &str) -> String {
    let grants = r#""grants":{"identity":"alice","chat":{"service_sid":"IS00000000000000000000000000000001"}}"#;
    let payload = format!(r#"{{{rest}"exp":{exp},"iss":"{KEY}","sub":"{ACCOUNT}",{grants}}}"#);
    let message = format!("{}.{}", part(header().to_string().as_bytes()), part(payload.as_bytes()));
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[track_caller]
fn check_fault(exp: &str, expected: Option<TimeFault>, message: &str) {
    let verdict = Case::of(raw(exp, "")).verdict();
    let fault = verdict.findings.iter().find_map(|finding| {
        let Finding::TimeClaimInvalid { fault, .. } = finding else { return None };
        Some((*fault, finding.to_string()))
    });
    assert_eq!(fault.as_ref().map(|(fault, _)| *fault), expected, "{exp}");
    let text = fault.map(|(_, text)| text).unwrap_or_default();
    assert!(text.ends_with(message), "{exp}: {text}");
}

#[test]
fn units_and_nonsense_have_sharp_limits() {
    check_fault("-1", Some(TimeFault::Negative), "(before 1970)");
    check_fault("0", None, "");
    check_fault("99999999999", None, "");
    check_fault("100000000000", Some(TimeFault::Milliseconds), "(1000 times too much: milliseconds)");
    check_fault("99999999999999", Some(TimeFault::Milliseconds), "milliseconds)");
    check_fault("100000000000000", Some(TimeFault::FarFuture), "(too much even for milliseconds)");
    check_fault("18446744073709551615", Some(TimeFault::FarFuture), "for milliseconds)");
    check_fault("null", Some(TimeFault::NotANumber), "but found `null`");
    check_fault("\"soon\"", Some(TimeFault::NotANumber), "a text of 4 characters");
}

#[test]
fn numbers_in_every_spelling_of_json_are_times() {
    for exp in ["1.795491814e9", "1795491814.0", "1795491814.999", "179549181400e-2", "1.795491814E+9"] {
        Case::of(raw(exp, "")).at(1_795_491_813).check(&[Cause::NoneFound]);
        Case::of(raw(exp, "")).at(1_795_491_814).check(&[Cause::Expired]);
    }
    check_fault("1.7e9", None, "");
    check_fault("1e300", Some(TimeFault::FarFuture), "for milliseconds)");
    check_fault("-1e300", Some(TimeFault::Negative), "(before 1970)");
    check_fault("-0.5", Some(TimeFault::Negative), "(before 1970)");
}

#[test]
fn a_number_in_quotes_is_called_one() {
    for exp in ["\"1795491814\"", "\"1.7e9\"", "\"-5\""] {
        check_fault(exp, Some(TimeFault::Quoted), "(a number in quotes)");
    }
    for exp in ["\"\"", "\"inf\"", "\"NaN\"", "\"2026-11-24T02:43:39Z\""] {
        check_fault(exp, Some(TimeFault::NotANumber), "");
    }
}

/// `DateTime.MinValue` in C#: the year 1.
#[test]
fn a_date_that_was_never_set_is_recognised() {
    check_fault("-62135596800", Some(TimeFault::Negative), "(the year 1: a date that was never set)");
    Case::of(raw("-62135596800", "")).check(&[Cause::TimeClaimInvalid]);
}

/// Java's library multiplies `ttl` by 1000 in 32 bits, so that a long one comes out before the issue time.
#[test]
fn a_lifetime_that_overflows_is_an_expired_token() {
    let exp = ISSUED - 1_702_967;
    Case::of(raw(&exp.to_string(), "")).check(&[Cause::Expired]);
}

/// The seconds in Java's `jti` are off by up to two minutes, either way.
#[test]
fn the_jti_of_java_is_no_exact_time() {
    let java = |off: i64, lifetime: i64| {
        let jti = format!(r#""jti":"{KEY}-{}","#, ISSUED + off);
        Case::of(raw(&(ISSUED + lifetime).to_string(), &jti))
    };
    for off in [-120, -64, 0, 64, 120] {
        java(off, LIFETIME_SECONDS_MAX).check(&[Cause::NoneFound]);
        java(off, 3600).at(ISSUED - 100).check(&[Cause::NoneFound]);
    }
    java(-120, LIFETIME_SECONDS_MAX + 1).check(&[Cause::LifetimeTooLong]);
    java(120, LIFETIME_SECONDS_MAX + 240).check(&[Cause::NoneFound]);
    java(120, LIFETIME_SECONDS_MAX + 241).check(&[Cause::LifetimeTooLong]);
}

/// Go writes `nbf` and no `iat`, and takes an hour for every shorter `Ttl`.
#[test]
fn the_nbf_of_go_is_its_issue_time() {
    let go = |lifetime: i64| {
        let claims = format!(r#""jti":"{KEY}-{ISSUED}","nbf":{ISSUED},"#);
        Case::of(raw(&(ISSUED + lifetime).to_string(), &claims))
    };
    let verdict = go(3600).check(&[Cause::NoneFound]);
    assert_eq!((verdict.report.lifetime_seconds, verdict.report.issued_at), (Some(3600), verdict.report.not_before));
    go(LIFETIME_SECONDS_MAX).check(&[Cause::NoneFound]);
    go(LIFETIME_SECONDS_MAX + 1).check(&[Cause::LifetimeTooLong]);
    go(3600).at(ISSUED).check(&[Cause::NoneFound]);
    go(3600).at(ISSUED - 1).check(&[Cause::NotYetValid]);
    go(3600).at(ISSUED + 3599).check(&[Cause::NoneFound]);
    go(3600).at(ISSUED + 3600).check(&[Cause::Expired]);
}

#[test]
fn a_start_in_nonsense_does_not_hide_the_end() {
    let token = |nbf: &str| Case::of(raw(&(REFUSED - 1).to_string(), &format!(r#""nbf":{nbf},"#)));
    token("\"now\"").check(&[Cause::TimeClaimInvalid, Cause::Expired]);
    token("1795488214000").check(&[Cause::TimeClaimInvalid, Cause::Expired]);
    token("null").check(&[Cause::TimeClaimInvalid, Cause::Expired]);
}

#[test]
fn a_token_that_ends_before_it_begins_is_both_too_early_and_too_late() {
    let claims = format!(r#""nbf":{},"#, REFUSED + 1);
    Case::of(raw(&REFUSED.to_string(), &claims)).check(&[Cause::NotYetValid, Cause::Expired]);
}

#[test]
fn leeway_moves_both_ends_by_as_much() {
    let case = |leeway, at| Case { leeway, ..Case::of(good()) }.at(at);
    let exp = ISSUED + 3600;
    for leeway in [0, 1, 3600] {
        case(leeway, exp + leeway - 1).check(&[Cause::NoneFound]);
        case(leeway, exp + leeway).check(&[Cause::Expired]);
        case(leeway, ISSUED - leeway).check(&[Cause::NoneFound]);
        case(leeway, ISSUED - leeway - 1).check(&[Cause::NotYetValid]);
    }
}

#[test]
fn exposure_ends_with_the_second_of_exp() {
    let exposed = |at| Case::of(good()).at(at).verdict().report.exposed;
    assert!(exposed(ISSUED + 3599) && !exposed(ISSUED + 3600));
    // Before its time a token is no less leaked.
    assert!(exposed(ISSUED - 1));
}
