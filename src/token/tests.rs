use proptest::prelude::*;
use serde_json::json;

use super::mint::{self, good, header, payload, token};
use super::*;

#[track_caller]
fn check_ending(raw: &str, ending: Ending, expected: &Form) {
    let sent = Sent { raw: Zeroizing::new(raw.as_bytes().to_vec()), ending };
    assert_eq!(&read(&sent, &mut Buffer::default()).form, expected);
}

#[track_caller]
fn check(raw: &str, expected: &Form) {
    check_ending(raw, Ending::Closed, expected);
}

fn cut(raw: &str, last: usize) -> &str {
    raw.split_at(raw.len() - last).0
}

#[test]
fn a_whole_token_gives_its_fields() {
    let sent = Sent { raw: Zeroizing::new(good().into_bytes()), ending: Ending::LineEnd };
    let mut buffer = Buffer::default();
    let token = read(&sent, &mut buffer);
    assert_eq!(token.form, Form::Whole);
    let jwt = token.jwt.unwrap();
    assert_eq!(jwt.claims.value(Field::Cty).text(), Some("twilio-fpa;v=1"));
    assert_eq!(jwt.claims.value(Field::Exp), &Claim::Integer(mint::ISSUED + 3600));
    assert_eq!(jwt.signature.len(), SIGNATURE_CHARS);
}

#[test]
fn a_token_without_a_signature_is_whole_only_with_alg_none() {
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "typ": "JWT"}).to_string();
        format!("{}.{}", mint::part(header.as_bytes()), mint::part(payload().to_string().as_bytes()))
    };
    check(&unsigned("none"), &Form::Whole);
    check(&format!("{}.", unsigned("none")), &Form::Whole);
    check(&unsigned("RS256"), &Form::Truncated(Missing::Signature));
    check(&unsigned("HS256"), &Form::Truncated(Missing::Signature));
    check(&format!("{}.", unsigned("HS256")), &Form::Truncated(Missing::Signature));
}

#[test]
fn a_token_that_ends_early_is_truncated() {
    check(cut(&good(), 1), &Form::Truncated(Missing::SignatureTail(42)));
    check(cut(&good(), 42), &Form::Truncated(Missing::SignatureTail(1)));
    for last in 44..300 {
        check(cut(&good(), last), &Form::Truncated(if last == 44 { Missing::Signature } else { Missing::Payload }));
    }
    check("eyJhbGciOiJIUzI1", &Form::Truncated(Missing::Header));
    check("eyJ", &Form::Truncated(Missing::Header));
}

#[test]
fn a_token_that_ends_with_its_line_or_an_ellipsis_was_cut_by_the_logger() {
    for last in [1, 20, 44, 60, 100] {
        check_ending(cut(&good(), last), Ending::LineEnd, &Form::Cut);
        check_ending(cut(&good(), last), Ending::Cut, &Form::Cut);
        check(&format!("{}...", cut(&good(), last)), &Form::Cut);
        check(&format!("{}…", cut(&good(), last)), &Form::Cut);
        check(&format!("{}... 52 more characters", cut(&good(), last)), &Form::Cut);
    }
    check_ending(&good(), Ending::Cut, &Form::Whole);
}

#[test]
fn a_masked_token_is_masked_and_keeps_what_can_be_read() {
    check("***", &Form::Masked(Extent::Whole));
    check("[REDACTED]", &Form::Masked(Extent::Whole));
    check(&format!("{}***", cut(&good(), 100)), &Form::Masked(Extent::Part));
    let sent =
        Sent { raw: Zeroizing::new(format!("{}[FILTERED]", cut(&good(), 43)).into_bytes()), ending: Ending::Closed };
    let mut buffer = Buffer::default();
    let token = read(&sent, &mut buffer);
    assert_eq!(token.form, Form::Masked(Extent::Part));
    assert!(token.jwt.is_some());
}

#[test]
fn an_encrypted_token_is_not_malformed() {
    let header = mint::part(br#"{"zip":"DEF","kid":"SAS_S3__1","cty":"twilio-fpa;v=1","enc":"A256GCM","alg":"dir"}"#);
    check(&format!("{header}..aXY.Y2lwaGVy.dGFn"), &Form::Encrypted);
    check(&format!("{header}..aXY"), &Form::Encrypted);
    check("eyJhbGciOiJkaXIi..aXY.Y2lwaGVy.dGFn", &Form::Encrypted);
}

#[test]
fn what_is_no_token_is_not_malformed() {
    check("", &Form::NotAToken(Instead::Empty));
    check("undefined", &Form::NotAToken(Instead::Word("undefined")));
    check("not a token, 24 letters.", &Form::NotAToken(Instead::Text(24)));
    check(&format!("Bearer {}", good()), &Form::NotAToken(Instead::Bearer));
    check(&format!("\"{}\"", good()), &Form::NotAToken(Instead::Quoted));
    check(&format!("{{\"token\":\"{}\"}}", good()), &Form::NotAToken(Instead::Json));
    check(&format!("<html>{}", "x".repeat(TOKEN_BYTES_MAX)), &Form::NotAToken(Instead::Html));
}

#[test]
fn damage_says_part_and_place() {
    let (header, payload) = (mint::part(header().to_string().as_bytes()), mint::part(payload().to_string().as_bytes()));
    let signature = "A".repeat(43);
    check(&format!("{header}.e30.{signature}."), &Form::Malformed(Part::Token, Fault::Parts(4)));
    check(&format!("{header}.e3+0.{signature}"), &Form::Malformed(Part::Payload, Fault::Base64(2)));
    check(&format!("{header}.e30=.{signature}"), &Form::Malformed(Part::Payload, Fault::Base64(3)));
    check(&format!("{header}..{signature}"), &Form::Malformed(Part::Payload, Fault::Empty));
    check(&format!("{header}.{}.{signature}", mint::part(b"[]")), &Form::Malformed(Part::Payload, Fault::NotAnObject));
    check(&format!("{header}.{}.{signature}", mint::part(b"{,}")), &Form::Malformed(Part::Payload, Fault::Json(1)));
    check(&format!("{header}.{payload}.{signature}A"), &Form::Malformed(Part::Signature, Fault::SignatureLength(44)));
    check(&format!("{header}.{payload}.{signature}="), &Form::Malformed(Part::Signature, Fault::Base64(43)));
    check(&format!("eyJ!.{payload}.{signature}"), &Form::Malformed(Part::Header, Fault::Base64(3)));
    check(&good().to_lowercase(), &Form::Malformed(Part::Token, Fault::CaseFolded));
    let long = format!("eyJ{}", "x".repeat(TOKEN_BYTES_MAX));
    check(&long, &Form::Malformed(Part::Token, Fault::TooLong(TOKEN_BYTES_MAX + 3)));
}

#[test]
fn debug_shows_no_value() {
    let secret = token(&header(), &json!({"grants": {"identity": "alice@example.com"}}), b"s");
    let sent = Sent { raw: Zeroizing::new(secret.clone().into_bytes()), ending: Ending::Closed };
    let mut buffer = Buffer::default();
    let shown = format!("{sent:?} {:?}", read(&sent, &mut buffer));
    assert!(!shown.contains("alice") && !shown.contains(secret.split_at(20).0), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_give_a_form(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        read_bytes(&raw, Ending::Closed, &mut Buffer::default());
    }

    #[test]
    fn any_change_of_a_token_gives_a_form(at in 0usize..400, byte: u8, keep in 0usize..500) {
        let mut raw = good().into_bytes();
        if let Some(slot) = raw.get_mut(at) {
            *slot = byte;
        }
        raw.truncate(keep);
        read_bytes(&raw, Ending::LineEnd, &mut Buffer::default());
    }
}
