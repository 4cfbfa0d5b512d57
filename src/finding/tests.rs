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
        "expected `grants.voice.outgoing.application_sid` or `grants.voice.incoming`, but found nothing",
    );
}

#[test]
fn a_disagreement_says_what_20106_means() {
    let finding = Finding::Disagreement { code: 20106, named: Cause::GrantsMalformed, shown: Cause::WrongSecret };
    assert!(finding.to_string().contains("Twilio found signature and issuer good"));
    assert_eq!(finding.cause(), Cause::GrantsMalformed);
}

#[test]
fn a_finding_serializes_with_its_cause_and_message() {
    let json = serde_json::to_value(Finding::Cut).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"cause": "unreadable", "message": "expected a whole token, but found that the logger has cut it"})
    );
}
