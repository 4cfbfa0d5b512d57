//! Signatures, grants, and the samples that came with the project.

use super::*;
use crate::finding::{Change, TimeSource};
use crate::keyring::OTHER_SECRETS_MAX;

#[track_caller]
fn check_mistake(secret: &[u8], expected: &str) {
    let verdict = check(token(&header(), &payload(), secret), &[Cause::WrongSecret]);
    let [Finding::WrongSecret { mistake, .. }] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!(mistake.to_string(), expected);
    assert!(!verdict.report.exposed);
}

#[test]
fn a_wrong_secret_is_proved_and_named() {
    check_mistake(format!("{SECRET}\n").as_bytes(), "that secret with a newline after it");
    check_mistake(format!("{SECRET}\r\n").as_bytes(), "that secret with a carriage return and a newline after it");
    check_mistake(format!("\"{SECRET}\"").as_bytes(), "that secret in double quotes");
    check_mistake(SECRET.to_lowercase().as_bytes(), "that secret in lower case");
    check_mistake(AUTH_TOKEN.as_bytes(), &Mistake::AuthToken(ACCOUNT.into()).to_string());
    check_mistake(OTHER_SECRET.as_bytes(), &Mistake::OtherKey(OTHER_KEY.into()).to_string());
    check_mistake(format!("{OTHER_SECRET}\n").as_bytes(), &Mistake::OtherKey(OTHER_KEY.into()).to_string());
    check_mistake(b"undefined", "the word `undefined`");
    check_mistake(b"", "an empty secret");
}

#[test]
fn a_secret_in_another_encoding_is_proved() {
    let encoded = |secret: &str, signing: &[u8]| {
        let key = Key { secret: Some(Secret::new(secret)), ..key(KeyKind::Main, None) };
        Case { ring: ring(key), ..Case::of(token(&header(), &payload(), signing)) }.check(&[Cause::WrongSecret])
    };
    encoded("c2VjcmV0c2VjcmV0", b"secretsecret");
    encoded("00ff10", b"\x00\xff\x10");
    encoded("a%2Fb%2Bc", b"a/b+c");
    encoded("a/b+c", b"YS9iK2M=");
}

#[test]
fn white_space_around_a_secret_of_the_key_ring_does_not_matter() {
    let key = Key { secret: Some(Secret::new(format!("{SECRET}\n"))), ..key(KeyKind::Main, None) };
    Case { ring: ring(key), ..Case::of(good()) }.check(&[Cause::NoneFound]);
}

#[test]
fn an_unproved_signature_is_invalid() {
    check(token(&header(), &payload(), b"nobody knows"), &[Cause::SignatureInvalid]);
}

#[test]
fn an_unknown_secret_is_not_checked() {
    let skipped = |ring: KeyRing| Case { ring, ..Case::of(good()) }.check(&[Cause::NoneFound]).skipped;
    let reason = |skipped: Vec<Skipped>| skipped.into_iter().find(|s| s.check == Check::Signature).map(|s| s.reason);
    assert_eq!(reason(skipped(KeyRing::default())), Some(SkipReason::UnknownKey));
    let without = Key { secret: None, ..key(KeyKind::Main, None) };
    assert_eq!(reason(skipped(KeyRing::new(vec![without], Vec::new()))), Some(SkipReason::NoSecret));
}

#[track_caller]
fn check_changes(raw: String, expected: &[Change]) {
    assert_ne!(raw, good());
    let verdict = check(raw, &[Cause::Tampered]);
    let [Finding::Tampered { changes }] = &verdict.findings[..] else { panic!("{:?}", verdict.findings) };
    assert_eq!(changes, expected);
}

#[test]
fn a_change_on_the_way_is_proved_and_named() {
    let good = good();
    check_changes(good.replace('.', "%2E"), &[Change::PercentEncoded]);
    check_changes(good.replace('.', "%252E"), &[Change::PercentEncoded]);
    check_changes(format!("{good}="), &[Change::Padding]);
    check_changes(format!("{good}%3D%3D"), &[Change::PercentEncoded, Change::Padding]);
    check_changes(format!("{}\n{}", good.split_at(76).0, good.split_at(76).1), &[Change::WhiteSpace]);
    check_changes(format!("{good}\n"), &[Change::WhiteSpace]);
    check_changes(format!("token={good}"), &[Change::AddedText]);
    check_changes(format!("{good};"), &[Change::AddedText]);
    for added in [format!("Bearer {good}"), format!("<AccessToken {good}>"), format!("<AccessToken b'{good}'>")] {
        check_changes(added, &[Change::AddedText]);
    }
    check_changes(format!("{good}.{good}"), &[Change::AddedText]);
    let (message, signature) = good.rsplit_once('.').unwrap();
    check_changes(format!("{message}.{}", signature.to_uppercase()), &[Change::Case]);
}

#[test]
fn standard_base64_is_proved_also_after_a_form_decoder() {
    let with_both = (0..200)
        .map(|seed| with(&json!({"seed": seed})))
        .find(|token| token.contains('-') && token.contains('_'))
        .unwrap();
    let standard = with_both.replace('-', "+").replace('_', "/");
    let changes = |raw: &str| match &check(raw, &[Cause::Tampered]).findings[..] {
        [Finding::Tampered { changes }] => changes.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(changes(&standard), [Change::StandardAlphabet]);
    assert_eq!(changes(&standard.replace('+', " ")), [Change::WhiteSpace, Change::StandardAlphabet]);
}

#[test]
fn a_change_that_cannot_be_proved_is_damage() {
    let ring = KeyRing::default();
    let verdict = Case { ring, ..Case::of(format!("{}=", good())) }.check(&[Cause::Malformed]);
    assert!(matches!(verdict.findings[..], [Finding::Malformed { part: Part::Signature, .. }]));
}

#[track_caller]
fn check_grants(product: Product, grants: &Value, expected: &[Cause]) {
    Case::of(granting(grants)).product(product).check(expected);
}

#[test]
fn grants_of_the_product_must_be_there_complete_and_right() {
    let fine = &[Cause::NoneFound];
    let (missing, incomplete) = (&[Cause::ProductGrantMissing], &[Cause::GrantIncomplete]);
    let (malformed, wrong_sid) = (&[Cause::GrantsMalformed], &[Cause::GrantSidInvalid]);
    let sid = |prefix| service(prefix);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": sid("IS")}}), fine);
    check_grants(Product::Chat, &json!({"ip_messaging": {"service_sid": sid("IS")}}), fine);
    check_grants(Product::Chat, &json!({"video": {}}), missing);
    check_grants(Product::Chat, &json!({"chat": {}}), incomplete);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": ""}}), incomplete);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": sid("MG")}}), wrong_sid);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": "ISxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}), wrong_sid);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": "default"}}), wrong_sid);
    check_grants(Product::Chat, &json!({"chat": {"service_sid": 7}}), malformed);
    check_grants(Product::Chat, &json!({"chat": []}), malformed);
    check_grants(Product::Sync, &json!({"data_sync": {"service_sid": "default"}}), fine);
    check_grants(Product::Sync, &json!({"data_sync": {}}), incomplete);
    check_grants(Product::Voice, &json!({"voice": {}}), incomplete);
    check_grants(Product::Voice, &json!({"voice": {"incoming": {"allow": true}}}), fine);
    check_grants(Product::Voice, &json!({"voice": {"incoming": {"allow": false}}}), incomplete);
    check_grants(Product::Voice, &json!({"voice": {"push_credential_sid": sid("CR")}}), fine);
    check_grants(Product::Voice, &json!({"voice": {"outgoing": {"application_sid": sid("AC")}}}), wrong_sid);
    check_grants(Product::Video, &json!({"video": {}}), fine);
    check_grants(Product::Video, &json!({"chat": {}}), missing);
    let worker = json!({"workspace_sid": sid("WS"), "worker_sid": sid("WK"), "role": "worker"});
    check_grants(Product::TaskRouter, &json!({"task_router": worker}), fine);
    check_grants(Product::TaskRouter, &json!({"task_router": {"role": "worker"}}), &[Cause::GrantIncomplete; 2]);
    check_grants(Product::Unknown, &json!({"chat": {}, "video": {}}), incomplete);
    check_grants(Product::Unknown, &json!({}), missing);
    check_grants(Product::Unknown, &json!({"flex": {}}), fine);
    check(with(&json!({"grants": null})), &[Cause::GrantsMissing]);
    check(with(&json!({"grants": []})), malformed);
}

#[test]
fn the_scenarios_get_their_causes() {
    let manifest: Value = serde_json::from_str(include_str!("../../../tests/data/scenarios-manifest.json")).unwrap();
    for scenario in manifest.as_array().unwrap() {
        let text = |name: &str| scenario[name].as_str().unwrap();
        let verdict = Case::of(text("token")).at(1_795_488_219).verdict();
        assert_eq!(verdict.findings[0].cause().id(), text("cause"), "{}", text("name"));
    }
}

#[test]
fn tokens_of_the_helper_library_get_sensible_causes() {
    let lines = include_str!("../../../tests/data/helper-library-python-9.jsonl").lines();
    for line in lines {
        let row: Value = serde_json::from_str(line).unwrap();
        let note = row["note"].as_str().unwrap_or_default();
        let expected = match note {
            "BAD: chat grant without service_sid" | "empty voice grant" => Cause::GrantIncomplete,
            "BAD: Messaging Service SID in chat grant" => Cause::GrantSidInvalid,
            "BAD: identity only, no product grant" => Cause::ProductGrantMissing,
            "BAD: no identity (python allows it)" => Cause::IdentityMissing,
            "BAD: ttl 25h" => Cause::LifetimeTooLong,
            "BAD: expired an hour ago (valid_until)" => Cause::Expired,
            "BAD: nbf 10 min in the future" => Cause::NotYetValid,
            "BAD: exp in milliseconds" => Cause::TimeClaimInvalid,
            "BAD for Video: twr=ie1" => Cause::VideoRegion,
            other => {
                assert!(!other.starts_with("BAD"), "{other}");
                Cause::NoneFound
            }
        };
        let product = Product::from_id(row["product"].as_str().unwrap()).unwrap_or_default();
        let verdict = Case::of(row["token"].as_str().unwrap()).at(1_795_487_680).product(product).verdict();
        assert_eq!(verdict.findings[0].cause(), expected, "{note}");
    }
}

#[test]
fn an_empty_key_ring_proves_nothing() {
    for secret in [&b""[..], b"undefined", KEY.as_bytes(), ACCOUNT.as_bytes()] {
        let raw = token(&header(), &payload(), secret);
        let verdict = Case { ring: KeyRing::default(), ..Case::of(raw) }.check(&[Cause::NoneFound]);
        assert!(verdict.skipped.contains(&Skipped { check: Check::Signature, reason: SkipReason::UnknownKey }));
    }
}

#[test]
fn sids_in_the_place_of_the_secret_are_proved() {
    check_mistake(KEY.as_bytes(), "what stands in `iss`");
    check_mistake(ACCOUNT.as_bytes(), "the SID of the key's account");
    let sub = "AC00000000000000000000000000000009";
    let raw = token(&header(), &changed_by(payload(), &json!({"sub": sub})), sub.as_bytes());
    let verdict = check(raw, &[Cause::AccountMismatch, Cause::WrongSecret]);
    assert!(verdict.findings[1].to_string().ends_with("but found one made with what stands in `sub`"));
}

#[test]
fn more_secrets_than_are_tried_are_said_to_be_untried() {
    let other = |n: usize| Key {
        sid: format!("SK{n:032}"),
        secret: Some(Secret::new(format!("secret-{n}"))),
        ..key(KeyKind::Main, None)
    };
    let ring = |keys: usize| KeyRing::new((0..keys - 1).map(other).chain([key(KeyKind::Main, None)]).collect(), vec![]);
    let limit = Skipped { check: Check::SecretMistake, reason: SkipReason::Limit };
    for (keys, is_limited) in [(OTHER_SECRETS_MAX, false), (OTHER_SECRETS_MAX + 1, true)] {
        let case = Case { ring: ring(keys), ..Case::of(token(&header(), &payload(), b"nobody knows")) };
        let verdict = case.check(&[Cause::SignatureInvalid]);
        assert_eq!(verdict.skipped.contains(&limit), is_limited);
        assert_eq!(verdict.findings[0].to_string().contains("not every known mistake"), is_limited);
    }
}

#[test]
fn what_is_known_of_a_signature_gives_the_same_verdict() {
    let secrets: [&[u8]; 4] = [SECRET.as_bytes(), b"nobody knows", b"undefined", AUTH_TOKEN.as_bytes()];
    for secret in secrets {
        let case = Case::of(token(&header(), &payload(), secret));
        let sent = Sent { raw: case.raw.as_bytes().to_vec().into(), ending: Ending::Closed };
        let fresh = case.verdict();
        let context = Context {
            refused_at: UnixTime::from_millis(case.at * 1000 + 999),
            product: case.product,
            endpoint_region: None,
            keyring: &case.ring,
            leeway_seconds: 0,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: fresh.signature.as_ref(),
            attempts: None,
        };
        assert_eq!(validate(&sent, Found::Given, Fingerprint([7; 8]), &context), fresh);
    }
}

#[test]
fn a_flood_without_proof_is_tried_in_part_and_says_so_until_a_mistake_is_found() {
    let ring = ring(key(KeyKind::Standard, None));
    let mut attempts = Attempts::default();
    let mut judge = |secret: &[u8]| {
        let sent = Sent { raw: token(&header(), &payload(), secret).into_bytes().into(), ending: Ending::Closed };
        let context = Context {
            refused_at: UnixTime::from_seconds(ISSUED + 5),
            product: Product::Chat,
            endpoint_region: None,
            keyring: &ring,
            leeway_seconds: 0,
            told_by: TimeSource::Line,
            refused_before: None,
            known_signature: None,
            attempts: Some(&attempts),
        };
        let verdict = validate(&sent, Found::Given, Fingerprint([7; 8]), &context);
        attempts.note(KEY, verdict.signature.as_ref().unwrap(), &ring);
        verdict
    };
    let limit = Skipped { check: Check::SecretMistake, reason: SkipReason::Limit };
    let is_limited = |verdict: &Verdict| verdict.skipped.contains(&limit);
    assert!((0..IN_VAIN_MAX).all(|_| !is_limited(&judge(b"nobody knows"))));
    let limited = (0..2 * TRIED_EVERY).filter(|_| is_limited(&judge(b"nobody knows"))).count();
    assert_eq!(limited, 2 * (TRIED_EVERY as usize - 1));
    let newline = format!("{SECRET}\n");
    // One in so many is tried in full; from the first proof on, each is again.
    let proved = (0..2 * TRIED_EVERY).map(|_| judge(newline.as_bytes()).findings[0].cause()).collect::<Vec<_>>();
    assert!(proved[TRIED_EVERY as usize..].iter().all(|cause| *cause == Cause::WrongSecret), "{proved:?}");
    assert!(!is_limited(&judge(b"nobody knows")));
}

#[test]
fn the_service_of_a_token_is_that_of_the_product_or_the_only_one() {
    const ONE: &str = "IS00000000000000000000000000000001";
    const TWO: &str = "IS00000000000000000000000000000002";
    let check = |grants: Value, product, expected: Option<&str>| {
        let verdict = Case::of(granting(&grants)).product(product).verdict();
        assert_eq!(verdict.service.as_deref(), expected, "{grants} {product:?}");
    };
    let both = || json!({"chat": {"service_sid": ONE}, "data_sync": {"service_sid": TWO}});
    check(both(), Product::Chat, Some(ONE));
    check(both(), Product::Sync, Some(TWO));
    check(both(), Product::Unknown, None);
    check(both(), Product::Voice, None);
    check(json!({"ip_messaging": {"service_sid": TWO}}), Product::Chat, Some(TWO));
    check(json!({"ip_messaging": {"service_sid": TWO}, "chat": {"service_sid": ONE}}), Product::Chat, Some(ONE));
    check(json!({"ip_messaging": {"service_sid": ONE}, "chat": {"service_sid": ONE}}), Product::Unknown, Some(ONE));
    check(json!({"data_sync": {"service_sid": "default"}, "chat": {"service_sid": ONE}}), Product::Unknown, Some(ONE));
    check(json!({"data_sync": {"service_sid": "default"}}), Product::Sync, None);
    check(json!({"chat": {"service_sid": "MG00000000000000000000000000000001"}}), Product::Chat, None);
    check(json!({"chat": {"service_sid": 7}}), Product::Chat, None);
}
