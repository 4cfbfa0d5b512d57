//! Grouping and what is told of a group.

use super::super::tests::{NOW, diagnosis};
use super::story::{Duration, KeyRecords, Number};
use super::*;
use crate::diagnosis::{Check, Fingerprint, SkipReason, Skipped};
use crate::finding::Finding;

const KEY: &str = "SK00000000000000000000000000000001";

fn later(seconds: i64) -> UnixTime {
    NOW.plus_millis(seconds * 1000)
}

#[derive(Default)]
struct Scene {
    incidents: Incidents,
    records: KeyRecords,
    number: u64,
}

impl Scene {
    fn saw(&mut self, seconds: i64, cause: Cause, change: impl FnOnce(&mut Diagnosis)) {
        self.number += 1;
        let mut diagnosis = diagnosis(self.number, cause);
        diagnosis.skipped.clear();
        if cause == Cause::SignatureInvalid {
            diagnosis.findings =
                vec![Finding::SignatureInvalid { key_sid: KEY.to_owned(), tried_all: true, history: None }];
        }
        change(&mut diagnosis);
        let key = self.records.saw(&diagnosis);
        self.incidents.count(&diagnosis, later(seconds), &key);
    }

    fn stories(&self) -> Vec<String> {
        self.incidents.newest_first().into_iter().map(Incident::story).collect()
    }
}

fn expired_for(seconds: i64) -> impl FnOnce(&mut Diagnosis) {
    move |diagnosis| {
        if let Some(token) = &mut diagnosis.token {
            token.expired_for_seconds = Some(seconds);
        }
    }
}

#[test]
fn a_quarter_of_an_hour_without_a_refusal_ends_an_incident() {
    let mut scene = Scene::default();
    for seconds in [0, 600, 1500, 2401] {
        scene.saw(seconds, Cause::Expired, |_| ());
    }
    let counts: Vec<_> = scene.incidents.newest_first().iter().map(|incident| incident.count).collect();
    assert_eq!(counts, [1, 3]);
    assert_eq!(scene.incidents.open(later(2500)).len(), 1);
    assert!(scene.incidents.open(later(3302)).is_empty());
}

#[test]
fn cause_key_and_product_tell_incidents_apart() {
    let mut scene = Scene::default();
    scene.saw(0, Cause::Expired, |_| ());
    scene.saw(0, Cause::NoneFound, |_| ());
    scene.saw(0, Cause::Expired, |diagnosis| diagnosis.product = Product::Video);
    scene.saw(0, Cause::Expired, |diagnosis| diagnosis.token = None);
    scene.saw(1, Cause::Expired, |_| ());
    assert_eq!(scene.incidents.newest_first().len(), 4);
}

#[test]
fn late_lines_of_another_file_join_what_they_belong_to() {
    let mut scene = Scene::default();
    scene.saw(600, Cause::Expired, |_| ());
    scene.saw(0, Cause::Expired, |_| ());
    let incidents = scene.incidents.newest_first();
    assert_eq!((incidents.len(), incidents[0].start, incidents[0].last), (1, later(0), later(600)));
}

#[test]
fn the_peak_is_the_fullest_minute() {
    let mut scene = Scene::default();
    for seconds in [0, 60, 61, 62, 120, 121] {
        scene.saw(seconds, Cause::Expired, |_| ());
    }
    let peak = scene.incidents.newest_first()[0].peak;
    assert_eq!(peak, Peak { minute: NOW.as_seconds() / 60 + 1, count: 3 });
}

#[test]
fn the_number_of_incidents_is_bounded() {
    let mut scene = Scene::default();
    for n in 0..1000 {
        scene.saw(n, Cause::Expired, |diagnosis| {
            if let Some(token) = &mut diagnosis.token {
                token.key_sid = Some(format!("SK{n:032}"));
            }
        });
    }
    assert_eq!(scene.incidents.newest_first().len(), INCIDENTS_MAX);
    assert_eq!(scene.incidents.newest_first()[0].key_sid.as_deref(), Some(format!("SK{:032}", 999).as_str()));
}

#[test]
fn cached_tokens_are_told_with_their_age_and_where_they_come_from() {
    let mut scene = Scene::default();
    for n in 0..100 {
        scene.saw(n, Cause::Expired, |diagnosis| {
            diagnosis.source = if n % 25 < 21 { "mobile".into() } else { "web".into() };
            expired_for(7200 + n * 250)(diagnosis);
        });
    }
    assert_eq!(
        scene.stories(),
        [
            "100 different tokens came 2 to 9 h after their end: clients keep a token and send it long after its end; 84 % \
          come from source `mobile`."
        ]
    );
}

#[test]
fn there_are_never_more_identities_than_tokens_nor_more_tokens_than_refusals() {
    let mut scene = Scene::default();
    for n in 0..2_000 {
        scene.saw(n / 20, Cause::Expired, |diagnosis| {
            let hash = |salt: u64| {
                Fingerprint((u64::try_from(n).unwrap() ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
            };
            expired_for(7200)(diagnosis);
            if let Some(token) = &mut diagnosis.token {
                (token.fingerprint, token.identity) = (hash(1 << 40), Some(hash(3 << 50)));
            }
        });
        let incident = scene.incidents.newest_first()[0];
        assert!(incident.distinct_identities() <= incident.distinct_tokens(), "{n}");
        assert!(incident.distinct_tokens() <= incident.count, "{n}");
    }
}

#[test]
fn tokens_of_few_identities_are_told_as_that_and_many_are_estimated_in_bounded_space() {
    let mut scene = Scene::default();
    for n in 0..20_000 {
        scene.saw(n / 20, Cause::Expired, |diagnosis| {
            let number = u64::try_from(n).unwrap();
            let hash = |number: u64| Fingerprint(number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
            expired_for(7200)(diagnosis);
            if let Some(token) = &mut diagnosis.token {
                (token.fingerprint, token.identity) = (hash(number + 1), Some(hash(number % 40 + 1)));
            }
        });
        if n == 99 {
            assert!(scene.stories()[0].starts_with("100 different tokens of 40 identities came 2 h"));
        }
    }
    let story = scene.stories().remove(0);
    assert!(story.starts_with("About ") && story.contains(" different tokens of 40 identities came"), "{story}");
    let incident = scene.incidents.newest_first()[0];
    assert!(serde_json::to_string(incident).unwrap().len() < 8 << 10);
    let read: Incident = serde_json::from_str(&serde_json::to_string(incident).unwrap()).unwrap();
    assert_eq!(&read, incident);
}

#[test]
fn one_token_has_one_identity_which_need_not_be_said() {
    let mut scene = Scene::default();
    scene.saw(0, Cause::Expired, |diagnosis| {
        diagnosis.token.iter_mut().for_each(|token| token.identity = Some(Fingerprint([3; 8])));
    });
    assert!(!scene.stories()[0].contains("identit"), "{:?}", scene.stories());
}

#[test]
fn tokens_that_run_out_on_the_way_are_told_as_renewed_too_late() {
    let mut scene = Scene::default();
    (0..10).for_each(|n| scene.saw(n, Cause::Expired, expired_for(3 + n)));
    let story = &scene.stories()[0];
    assert!(story.ends_with("so they renew it too late."), "{story}");
}

#[test]
fn a_key_that_verified_before_and_no_more_was_rotated() {
    let mut scene = Scene::default();
    (0..1204).for_each(|n| scene.saw(n, Cause::Expired, |_| ()));
    (0..5).for_each(|n| scene.saw(5000 + n, Cause::SignatureInvalid, |_| ()));
    let time = later(5000).to_string();
    let clock = time.get(11..16).unwrap();
    assert_eq!(
        scene.stories()[0],
        format!(
            "Since {clock} no token of {KEY} verifies; before, 1,204 did: the secret was rotated or redeployed wrongly."
        )
    );
    scene.saw(5010, Cause::Expired, |_| ());
    scene.saw(5011, Cause::SignatureInvalid, |_| ());
    let signature = scene.stories().into_iter().find(|story| story.contains("several token servers"));
    assert!(signature.is_some_and(|story| story.contains("while 1 token of SK")));
}

#[test]
fn a_signature_that_was_not_checked_is_no_evidence() {
    let mut scene = Scene::default();
    let unchecked = Skipped { check: Check::Signature, reason: SkipReason::NoSecret };
    (0..9).for_each(|n| scene.saw(n, Cause::Expired, |diagnosis| diagnosis.skipped = vec![unchecked]));
    scene.saw(20, Cause::SignatureInvalid, |_| ());
    assert!(scene.stories()[0].contains("none was seen that does"), "{:?}", scene.stories());
}

#[test]
fn one_token_again_and_again_is_told_as_a_loop() {
    let mut scene = Scene::default();
    for n in 0..50 {
        scene.saw(n, Cause::StaleReuse, |diagnosis| {
            if let Some(token) = &mut diagnosis.token {
                token.fingerprint = Fingerprint([7; 8]);
            }
        });
    }
    assert!(scene.stories()[0].starts_with("One expired token was sent again 50 times"), "{:?}", scene.stories());
}

#[test]
fn every_cause_has_a_sentence() {
    for cause in Cause::ALL {
        let mut scene = Scene::default();
        scene.saw(0, cause, |_| ());
        let story = scene.stories().remove(0);
        assert!(story.ends_with('.') && story.len() > 40 && !story.contains(".."), "{story}");
    }
}

#[test]
fn durations_and_numbers_read_well() {
    for (seconds, expected) in [(45, "45 s"), (720, "12 min"), (9 * 3600, "9 h"), (3 * 86_400, "3 d")] {
        assert_eq!(Duration(seconds).to_string(), expected);
    }
    for (number, expected) in [(7, "7"), (1204, "1,204"), (1_000_000, "1,000,000")] {
        assert_eq!(Number(number).to_string(), expected);
    }
}

#[test]
fn most_durations_leave_out_the_few_that_are_odd() {
    let mut spread = Spread::default();
    (0..100).for_each(|n| spread.add(3600 + n));
    spread.add(1);
    spread.add(900_000);
    let (low, high) = spread.most().unwrap();
    assert!((2800..=3600).contains(&low) && (3699..=4096).contains(&high), "{low} {high}");
    assert_eq!(Spread::default().most(), None);
}
