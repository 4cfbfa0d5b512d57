use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cause::Cause;
use crate::finding::{Mistake, TimeSource};
use crate::keyring::{Account, Key, KeyKind, Secret};
use crate::token::mint::{ACCOUNT, AUTH_TOKEN, ISSUED, KEY, SECRET, good, header, part, payload, token};
use crate::token::{Ending, Part};

mod tables;
mod times;

const OTHER_KEY: &str = "SK00000000000000000000000000000002";
const OTHER_SECRET: &str = "AnotherSyntheticSecretForTests02";

/// One case: what was sent and what is known, from a good start.
#[derive(Clone)]
struct Case {
    raw: String,
    ending: Ending,
    at: i64,
    product: Product,
    endpoint: Option<&'static str>,
    leeway: i64,
    before: Option<RefusedBefore>,
    ring: KeyRing,
}

impl Case {
    fn of(raw: impl Into<String>) -> Self {
        Self {
            raw: raw.into(),
            ending: Ending::Closed,
            at: ISSUED + 5,
            product: Product::Chat,
            endpoint: None,
            leeway: 0,
            before: None,
            ring: ring(key(KeyKind::Standard, None)),
        }
    }

    fn at(self, at: i64) -> Self {
        Self { at, ..self }
    }

    fn product(self, product: Product) -> Self {
        Self { product, ..self }
    }

    fn verdict(&self) -> Verdict {
        let sent = Sent { raw: self.raw.as_bytes().to_vec().into(), ending: self.ending };
        let context = Context {
            refused_at: UnixTime::from_millis(self.at * 1000 + 999),
            product: self.product,
            endpoint_region: self.endpoint,
            keyring: &self.ring,
            leeway_seconds: self.leeway,
            told_by: TimeSource::Line,
            refused_before: self.before,
            known_signature: None,
            attempts: None,
        };
        validate(&sent, Found::Given, Fingerprint([7; 8]), &context)
    }

    /// The causes of all findings.
    #[track_caller]
    fn check(&self, expected: &[Cause]) -> Verdict {
        let verdict = self.verdict();
        for (message, cause) in verdict.findings.iter().map(|finding| (finding.to_string(), finding.cause())) {
            let is_in_grammar = message.starts_with("expected ") && message.contains(", but found ");
            assert!(is_in_grammar || cause == Cause::NoneFound, "{message}");
            assert!(!message.contains("alice") && !message.contains(SECRET), "{message}");
        }
        let causes: Vec<_> = verdict.findings.iter().map(Finding::cause).collect();
        assert_eq!(causes, expected, "{:?}", verdict.findings.iter().map(ToString::to_string).collect::<Vec<_>>());
        verdict
    }
}

fn key(kind: KeyKind, region: Option<&str>) -> Key {
    Key {
        sid: KEY.into(),
        account: Some(ACCOUNT.into()),
        secret: Some(Secret::new(SECRET)),
        region: region.map(Into::into),
        kind,
    }
}

fn ring(key: Key) -> KeyRing {
    let other = Key {
        sid: OTHER_KEY.into(),
        account: None,
        secret: Some(Secret::new(OTHER_SECRET)),
        region: None,
        kind: KeyKind::Main,
    };
    let account = Account { sid: ACCOUNT.into(), region: None, auth_token: Some(Secret::new(AUTH_TOKEN)) };
    KeyRing::new(vec![key, other], vec![account])
}

/// A token with members of the payload replaced (or taken out, by `null`).
fn with(changes: &Value) -> String {
    token(&header(), &changed_by(payload(), changes), SECRET.as_bytes())
}

fn with_header(changes: &Value) -> String {
    token(&changed_by(header(), changes), &payload(), SECRET.as_bytes())
}

fn changed_by(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            object[name] = value.clone();
        }
    }
    object
}

fn short(token: &str) -> &str {
    token.split_at(token.len() - 9).0
}

/// A token with these grants beside an identity.
fn granting(grants: &Value) -> String {
    with(&json!({"grants": changed_by(json!({"identity": "alice"}), grants)}))
}

#[track_caller]
fn check(raw: impl Into<String>, expected: &[Cause]) -> Verdict {
    Case::of(raw).check(expected)
}

#[test]
fn a_good_token_has_no_fault_and_a_good_signature() {
    let verdict = check(good(), &[Cause::NoneFound]);
    assert!(matches!(verdict.findings[..], [Finding::NoneFound { signature_checked: true, .. }]));
    assert_eq!(verdict.skipped, [Skipped { check: Check::Region, reason: SkipReason::UnknownRegion }]);
    let report = verdict.report;
    assert_eq!(report.lifetime_seconds, Some(3600));
    assert_eq!(report.key_sid.as_deref(), Some(KEY));
    assert_eq!(report.jti, Some(format!("{KEY}-{ISSUED}")));
    assert_eq!((report.grants, report.region, report.exposed), (vec!["chat"], Some("us1"), true));
}

#[test]
fn form_faults_are_named() {
    check("undefined", &[Cause::NotAToken]);
    check(format!(r#"{{"token":"{}"}}"#, good()), &[Cause::NotAToken]);
    check(
        "eyJhbGciOiJIUzI1NiJ9.e30.",
        &[Cause::Truncated, Cause::HeaderInvalid, Cause::HeaderInvalid]
            .into_iter()
            .chain([Cause::IssuerInvalid, Cause::AccountInvalid, Cause::TimeClaimInvalid, Cause::GrantsMissing])
            .collect::<Vec<_>>(),
    );
    let mut broken = good().into_bytes();
    broken[90] = b'!';
    check(String::from_utf8(broken).unwrap(), &[Cause::Malformed]);
    check(short(&good()), &[Cause::Truncated]);
    let cut = Case { ending: Ending::LineEnd, ..Case::of(short(&good())) };
    cut.check(&[Cause::Unreadable]);
    check("[REDACTED]", &[Cause::Unreadable]);
    check("eyJhbGciOiJkaXIi..aXY.Y2lwaGVy.dGFn", &[Cause::Unreadable]);
}

#[test]
fn a_token_inside_json_is_reported_though_it_was_not_sent_bare() {
    let report = check(format!(r#"{{"token":"{}"}}"#, good()), &[Cause::NotAToken]).report;
    assert_eq!(report.key_sid.as_deref(), Some(KEY));
    assert!(report.exposed);
}

#[test]
fn a_cut_token_still_shows_that_it_was_expired() {
    let cut = Case { ending: Ending::Cut, ..Case::of(short(&good())) };
    let verdict = cut.at(ISSUED + 3600).check(&[Cause::Expired, Cause::Unreadable]);
    assert!(verdict.skipped.contains(&Skipped { check: Check::Signature, reason: SkipReason::Unreadable }));
}

#[test]
fn legacy_tokens_are_named() {
    let legacy = json!({"scope": "scope:client:incoming?clientName=a", "iss": ACCOUNT, "exp": ISSUED + 60});
    let old_header = json!({"alg": "HS256", "typ": "JWT"});
    check(token(&old_header, &legacy, AUTH_TOKEN.as_bytes()), &[Cause::CapabilityToken]);
    let legacy = json!({"policies": [], "iss": ACCOUNT, "exp": ISSUED, "version": "v1"});
    check(token(&old_header, &legacy, AUTH_TOKEN.as_bytes()), &[Cause::CapabilityToken, Cause::Expired]);
}

#[test]
fn header_faults_are_named() {
    for alg in [json!("none"), json!("RS256"), json!("HS512"), json!(null), json!(1)] {
        let verdict = check(with_header(&json!({"alg": alg})), &[Cause::AlgorithmUnsupported]);
        assert!(!verdict.report.exposed);
        assert!(verdict.skipped.contains(&Skipped { check: Check::Signature, reason: SkipReason::NoClaim }));
    }
    check(with_header(&json!({"cty": null})), &[Cause::HeaderInvalid]);
    check(with_header(&json!({"cty": "twilio-fpa;v=2"})), &[Cause::HeaderInvalid]);
    check(with_header(&json!({"typ": null})), &[Cause::HeaderInvalid]);
}

#[test]
fn key_faults_are_named() {
    check(with(&json!({"iss": ACCOUNT})), &[Cause::IssuerInvalid]);
    check(with(&json!({"iss": "SKxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})), &[Cause::IssuerInvalid]);
    check(with(&json!({"sub": KEY})), &[Cause::AccountInvalid]);
    check(with(&json!({"sub": null})), &[Cause::AccountInvalid]);
    check(with(&json!({"sub": "AC00000000000000000000000000000009"})), &[Cause::AccountMismatch]);
    for kind in [KeyKind::Restricted, KeyKind::Test] {
        Case { ring: ring(key(kind, None)), ..Case::of(good()) }.check(&[Cause::KeyNotAllowed]);
    }
}

#[test]
fn what_stands_in_a_wrong_place_is_not_shown() {
    let verdict = check(
        with(&json!({"iss": SECRET, "sub": "alice@example.com"})),
        &[Cause::IssuerInvalid, Cause::AccountInvalid],
    );
    let shown = format!("{verdict:?} {}", serde_json::to_string(&verdict.findings).unwrap());
    assert!(!shown.contains(SECRET) && !shown.contains("alice"), "{shown}");
}

#[test]
fn validity_is_exact_to_the_second() {
    let exp = ISSUED + 3600;
    Case::of(good()).at(exp - 1).check(&[Cause::NoneFound]);
    let verdict = Case::of(good()).at(exp).check(&[Cause::Expired]);
    assert_eq!((verdict.report.expired_for_seconds, verdict.report.exposed), (Some(0), false));
    Case::of(good()).at(ISSUED).check(&[Cause::NoneFound]);
    let verdict = Case::of(good()).at(ISSUED - 1).check(&[Cause::NotYetValid]);
    assert_eq!(verdict.report.early_by_seconds, Some(1));
    let leeway = Case { leeway: 10, ..Case::of(good()) };
    leeway.clone().at(exp + 9).check(&[Cause::NoneFound]);
    leeway.clone().at(exp + 10).check(&[Cause::Expired]);
    leeway.clone().at(ISSUED - 10).check(&[Cause::NoneFound]);
    leeway.at(ISSUED - 11).check(&[Cause::NotYetValid]);
}

#[test]
fn nbf_comes_before_iat_and_jti_does_not_count() {
    Case::of(with(&json!({"nbf": ISSUED - 100}))).at(ISSUED - 50).check(&[Cause::NoneFound]);
    Case::of(with(&json!({"nbf": ISSUED + 100}))).at(ISSUED + 99).check(&[Cause::NotYetValid]);
    Case::of(with(&json!({"iat": null}))).at(ISSUED - 1).check(&[Cause::NoneFound]);
}

#[test]
fn an_expired_token_that_was_refused_before_is_stale() {
    let before = Some(RefusedBefore { first: UnixTime::from_seconds(ISSUED), times: 2 });
    let case = Case { before, ..Case::of(good()) };
    case.check(&[Cause::NoneFound]);
    case.at(ISSUED + 4000).check(&[Cause::StaleReuse, Cause::Expired]);
}

#[test]
fn a_day_is_long_enough() {
    let lasting = |seconds: i64| json!({"exp": ISSUED + seconds});
    check(with(&lasting(86_400)), &[Cause::NoneFound]);
    check(with(&lasting(86_401)), &[Cause::LifetimeTooLong]);
    let by_jti = |seconds: i64| with(&json!({"iat": null, "exp": ISSUED + seconds}));
    check(by_jti(86_520), &[Cause::NoneFound]);
    check(by_jti(86_521), &[Cause::LifetimeTooLong]);
    let by_nbf = |seconds: i64| with(&json!({"iat": null, "nbf": ISSUED, "exp": ISSUED + seconds}));
    check(by_nbf(86_401), &[Cause::LifetimeTooLong]);
    let verdict = check(with(&json!({"iat": null, "jti": "x"})), &[Cause::NoneFound]);
    assert!(verdict.skipped.contains(&Skipped { check: Check::Lifetime, reason: SkipReason::NoClaim }));
}

#[test]
fn times_that_cannot_be_meant_are_named() {
    for exp in [json!("1795491814"), json!(-62_135_596_800_i64), json!(1_795_491_814_000_i64), json!(true), json!([])] {
        check(with(&json!({"exp": exp})), &[Cause::TimeClaimInvalid]);
    }
    check(with(&json!({"exp": null})), &[Cause::TimeClaimInvalid]);
    check(with(&json!({"iat": "now"})), &[Cause::TimeClaimInvalid]);
    check(with(&json!({"nbf": -1})), &[Cause::TimeClaimInvalid]);
    check(with(&json!({"exp": 1_795_491_814.75})), &[Cause::NoneFound]);
}

#[test]
fn identities_are_checked_and_not_shown() {
    let with_identity =
        |identity: Value| granting(&json!({"identity": identity, "chat": {"service_sid": service("IS")}}));
    check(with_identity(json!(null)), &[Cause::IdentityMissing]);
    check(with_identity(json!("")), &[Cause::IdentityMissing]);
    check(with_identity(json!("é".repeat(256))), &[Cause::NoneFound]);
    check(with_identity(json!("é".repeat(257))), &[Cause::IdentityInvalid]);
    check(with_identity(json!("al\u{7}ice")), &[Cause::IdentityInvalid]);
    let verdict = check(with_identity(json!(15_551_234_567_i64)), &[Cause::IdentityInvalid]);
    assert!(!format!("{verdict:?}{}", verdict.findings[0]).contains("15551234567"));
}

fn service(prefix: &str) -> String {
    format!("{prefix}00000000000000000000000000000001")
}

#[test]
fn regions_must_agree() {
    let ie1 = || with_header(&json!({"twr": "ie1"}));
    let with_key = |raw: String, region| Case { ring: ring(key(KeyKind::Main, region)), ..Case::of(raw) };
    with_key(ie1(), Some("ie1")).check(&[Cause::NoneFound]);
    with_key(ie1(), Some("us1")).check(&[Cause::RegionMismatch]);
    with_key(good(), Some("us1")).check(&[Cause::NoneFound]);
    with_key(good(), Some("au1")).check(&[Cause::RegionMismatch]);
    Case { endpoint: Some("ie1"), ..Case::of(good()) }.check(&[Cause::RegionMismatch]);
    Case { endpoint: Some("ie1"), ..Case::of(ie1()) }.check(&[Cause::NoneFound]);
    check(with_header(&json!({"twr": "dublin"})), &[Cause::RegionMismatch]);
    let video = granting(&json!({"video": {}}));
    with_key(video.clone(), Some("us1")).product(Product::Video).check(&[Cause::NoneFound]);
    with_key(video, Some("ie1")).product(Product::Video).check(&[Cause::VideoRegion, Cause::RegionMismatch]);
}

#[test]
fn a_name_that_stands_twice_is_a_fault() {
    let message = payload().to_string().replacen("{\"service_sid\"", "{\"service_sid\":\"IS\",\"service_sid\"", 1);
    let parts = format!("{}.{}", part(header().to_string().as_bytes()), part(message.as_bytes()));
    let signature = jsonwebtoken::crypto::sign(
        parts.as_bytes(),
        &jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes()),
        jsonwebtoken::Algorithm::HS256,
    );
    check(format!("{parts}.{}", signature.unwrap()), &[Cause::GrantsMalformed]);
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(raw in prop::collection::vec(any::<u8>(), 0..300), at: i64) {
        let sent = Sent { raw: raw.into(), ending: Ending::Closed };
        let ring = ring(key(KeyKind::Main, None));
        let context = Context {
            refused_at: UnixTime::from_millis(at),
            product: Product::Voice,
            endpoint_region: Some("\u{0}"),
            keyring: &ring,
            leeway_seconds: at,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: None,
            attempts: None,
        };
        prop_assert!(!validate(&sent, Found::Given, Fingerprint([0; 8]), &context).findings.is_empty());
    }

    #[test]
    fn any_claims_get_a_verdict(exp: i64, nbf: f64, identity: String, sid: String) {
        let grants = json!({"identity": identity, "chat": {"service_sid": sid}});
        let raw = with(&json!({"exp": exp, "nbf": nbf, "grants": grants, "iss": identity}));
        prop_assert!(!Case::of(raw).verdict().findings.is_empty());
    }
}
