use super::*;

#[track_caller]
fn check(finding: &Finding, claim: Option<&str>, message: &str) {
    assert_eq!(finding.to_string(), message);
    assert_eq!(finding.claim(), claim);
}

#[test]
fn an_expired_token_says_by_how_much() {
    check(
        &Finding::Expired {
            expired_at: UnixTime::from_seconds(1_772_359_110),
            refused_at: UnixTime::from_seconds(1_772_359_200),
            told_by: TimeSource::Line,
        },
        Some("payload.exp"),
        "expected `exp` after 2026-03-01T10:00:00Z, when the connection was refused, but found 2026-03-01T09:58:30Z \
         (90 s before)",
    );
}

#[test]
fn a_sid_of_another_kind_is_named() {
    check(
        &Finding::GrantSidInvalid {
            field: Field::ChatService,
            found: Shown::Sid("MG00000000000000000000000000000001".into()),
        },
        Some("payload.grants.chat.service_sid"),
        "expected a SID that begins with IS in `grants.chat.service_sid`, but found \
         MG00000000000000000000000000000001 (a Messaging Service)",
    );
}

#[test]
fn an_unset_date_is_recognised() {
    check(
        &Finding::TimeClaimInvalid {
            field: Field::Exp,
            fault: TimeFault::Negative,
            found: Shown::Number(-62_135_596_800.0),
        },
        Some("payload.exp"),
        "expected `exp` in seconds since 1970, but found -62135596800 (the year 1: a date that was never set)",
    );
}

#[test]
fn alternatives_of_a_missing_field_are_listed() {
    check(
        &Finding::GrantIncomplete {
            grant: Field::Voice,
            fields: &[Field::Application, Field::Incoming],
            found: Shown::Nothing,
        },
        Some("payload.grants.voice"),
        "expected `grants.voice.outgoing.application_sid` or `grants.voice.incoming`, but found nothing \
         (the helper libraries leave out what is not set)",
    );
}

#[test]
fn a_disagreement_says_what_20106_means() {
    let finding = Finding::Disagreement { code: 20106, named: Cause::GrantsMalformed, shown: Cause::WrongSecret };
    assert!(finding.to_string().contains("Twilio found signature and issuer good"));
    assert_eq!(finding.cause(), Cause::GrantsMalformed);
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_772_359_200 + seconds)
}

#[track_caller]
fn check_signature(fitted: u32, failed: u32, failing: u32, words: &str) {
    let history = Some(KeyHistory { fitted, failed, failing_since: at(120), failing });
    let message = Finding::SignatureInvalid { key_sid: "SK1".into(), tried_all: true, history }.to_string();
    assert!(message.ends_with(words), "{message}");
}

#[test]
fn a_bad_signature_says_how_the_other_tokens_of_the_key_fared() {
    check_signature(
        37,
        0,
        1,
        "(only this token: 37 others of this key verified in the last hour, so this one was changed after signing or \
         made elsewhere)",
    );
    check_signature(
        0,
        4,
        5,
        "(since 2026-03-01T10:02:00Z no token of this key verifies, 5 did not: its secret was rotated, or is wrong in \
         the key ring)",
    );
    check_signature(37, 4, 1, "two secrets are in use, perhaps on different servers)");
    check_signature(37, 4, 5, "its secret was changed on the token server, or the key was replaced)");
    check_signature(0, 0, 1, "(the first token of this key that could be checked in the last hour)");
}

#[test]
fn a_skew_is_called_one() {
    let early =
        |field| Finding::NotYetValid { field, valid_from: at(600), refused_at: at(0), told_by: TimeSource::Line };
    check(
        &early(Field::Iat),
        Some("payload.iat"),
        "expected `iat` at or before 2026-03-01T10:00:00Z, when the connection was refused, but found \
         2026-03-01T10:10:00Z (600 s after: the clock that set it is fast by that or more)",
    );
    assert!(early(Field::Nbf).to_string().ends_with("or more, unless it was set ahead on purpose)"));
}

#[test]
fn a_stale_token_says_how_often_and_since_when() {
    check(
        &Finding::StaleReuse { expired_at: at(-60), first_refused_at: at(-30), times: 3 },
        Some("payload.exp"),
        "expected a new token after the refusal at 2026-03-01T09:59:30Z, but found the same one, which expired at \
         2026-03-01T09:59:00Z (refused 3 times before)",
    );
}

#[test]
fn nothing_found_is_a_sentence_that_leaves_what_only_twilio_can_know() {
    let none = |signature_checked, product| Finding::NoneFound { signature_checked, product }.to_string();
    assert_eq!(
        none(true, Product::Chat),
        "every check that could be made passed; what is left is what only Twilio can know: whether the key still exists \
         and is of the endpoint's region, the account is active, and the service or application of the grant belongs to \
         that account"
    );
    assert!(none(false, Product::Chat).contains("the signature could not be checked"));
    assert!(none(true, Product::Voice).contains("`listen`"));
}

#[test]
fn a_finding_serializes_with_its_cause_and_message() {
    let json = serde_json::to_value(Finding::Cut).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"cause": "unreadable", "message": "expected a whole token, but found that the logger has cut it"})
    );
}
