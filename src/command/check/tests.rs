use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::cause::Cause;
use crate::diagnosis::{Basis, Check, Fingerprint, Found, SkipReason, Skipped, TokenReport, TokenState};
use crate::finding::{Finding, TimeSource};
use crate::product::Product;
use crate::report::page::COLUMNS;
use crate::time::UnixTime;

const AT: UnixTime = UnixTime::from_seconds(1_795_488_219);
const PAYLOAD: &str = r#"{"jti":"SK00000000000000000000000000000001-1795481014","grants":{"identity":"alice@example.com","chat":{"service_sid":"IS00000000000000000000000000000001"},"voice":{"outgoing":{"application_sid":"AP00000000000000000000000000000001","params":{"secretName":"15551234567"}}}},"iat":1795481014,"exp":1795484614,"iss":"SK00000000000000000000000000000001","sub":"AC00000000000000000000000000000001"}"#;

fn token(payload: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT","cty":"twilio-fpa;v=1"}"#);
    format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(payload), "s".repeat(43))
}

fn diagnosis(findings: Vec<Finding>, skipped: Vec<Skipped>) -> Diagnosis {
    let report = TokenReport {
        key_sid: Some("SK00000000000000000000000000000001".to_owned()),
        ..TokenReport::new(TokenState::Readable, Found::Given, Fingerprint([0xab; 8]))
    };
    Diagnosis {
        id: "ab".to_owned(),
        at: AT,
        source: "check".into(),
        path: None,
        line: 1,
        offset: 0,
        sightings: 1,
        event: None,
        about: crate::diagnosis::About::default(),
        code: None,
        product: Product::Chat,
        cause: findings.first().map_or(Cause::NoneFound, Finding::cause),
        basis: Basis::Token,
        findings,
        skipped,
        token: Some(report),
    }
}

fn expired() -> Diagnosis {
    let finding = Finding::Expired {
        expired_at: UnixTime::from_seconds(1_795_484_614),
        refused_at: AT,
        told_by: TimeSource::Line,
    };
    diagnosis(vec![finding], vec![Skipped { check: Check::Signature, reason: SkipReason::UnknownKey }])
}

fn run(input: &str, format: Format, diagnosis: Diagnosis) -> (Outcome, String) {
    let options = Options {
        format,
        colour: Colour::Never,
        claim_of: |finding| (finding.cause() == Cause::Expired).then_some("payload.exp"),
    };
    let mut out = Vec::new();
    let outcome = check(input.as_bytes(), options, |_| diagnosis, &mut out).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[test]
fn an_expired_token_is_shown_as_the_golden_file_has_it() {
    let (outcome, text) = run(&token(PAYLOAD), Format::Text, expired());
    assert_eq!(outcome, Outcome::Faults);
    for line in text.lines() {
        assert!(line.width() <= COLUMNS, "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn nothing_private_of_the_token_is_printed() {
    for format in [Format::Text, Format::Json] {
        let token = token(PAYLOAD);
        let (_, text) = run(&token, format, expired());
        for part in token.split('.').chain(["alice", "example.com", "15551234567", "secretName"]) {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn json_is_the_diagnosis_object() {
    let (outcome, text) = run(&token(PAYLOAD), Format::Json, expired());
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(json["cause"], "expired");
    assert_eq!(json["token"]["found"], "given");
    assert_eq!(json["skipped"][0]["reason"], "unknown_key");
}

#[test]
fn a_token_without_faults_is_clean_and_says_what_was_not_checked() {
    let (outcome, text) = run(&token(PAYLOAD), Format::Text, diagnosis(vec![], expired().skipped));
    assert_eq!(outcome.exit_code(), 0);
    assert!(text.starts_with("ok: no fault found in the token\n"), "{text}");
    assert!(text.contains("Verdict: no fault, 1 check not made (signature)."), "{text}");
}

#[test]
fn what_is_no_token_is_reported_without_showing_it() {
    for input in ["", "<html>alice</html>", "undefined", "a.b.c", "....", "\u{1b}[31m", "eyJ\u{0}.x"] {
        let (_, text) = run(input, Format::Text, expired());
        assert!(!text.contains("alice") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains("expected `exp`"), "{text}");
    }
}

#[test]
fn hostile_claims_keep_the_page_in_shape() {
    let long = "x".repeat(5000);
    let payload =
        format!(r#"{{"{long}":"{long}","exp":{},"a":{}1{}}}"#, "9".repeat(300), "[".repeat(60), "]".repeat(60));
    let (_, text) = run(&token(&payload), Format::Text, expired());
    for line in text.lines() {
        assert!(line.width() <= COLUMNS, "{line}");
    }
}

#[test]
fn an_input_beyond_the_limit_is_refused() {
    let long = vec![b'a'; INPUT_BYTES_MAX + 1];
    assert_eq!(read_input(Cursor::new(&long)).unwrap_err().exit_code(), 65);
    assert_eq!(read_input(Cursor::new(b"eyJ")).unwrap().as_slice(), b"eyJ");
}
