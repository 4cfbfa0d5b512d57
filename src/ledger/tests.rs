//! The ledger as a whole.

use proptest::prelude::*;

use crate::diagnosis::{Basis, Check, Fingerprint, Found, SkipReason, Skipped, TokenReport, TokenState};
use crate::finding::{Finding, TimeSource};
use crate::product::Product;
use crate::source::{Failure, Rotation};
use crate::token::Field;

use super::*;

pub(super) const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

pub(super) fn ledger(settings: Settings) -> Ledger {
    Ledger::new(settings, ["app".into()], NOW)
}

pub(super) fn diagnosis(id: u64, cause: Cause) -> Diagnosis {
    Diagnosis {
        id: id.to_string(),
        at: NOW,
        source: "app".into(),
        path: None,
        line: 1,
        offset: 0,
        sightings: 2,
        event: None,
        about: crate::diagnosis::About::default(),
        code: Some(51007),
        product: Product::Chat,
        cause,
        basis: Basis::Token,
        findings: Vec::new(),
        skipped: vec![Skipped { check: Check::Signature, reason: SkipReason::NoSecret }],
        token: Some(TokenReport {
            key_sid: Some("SK00000000000000000000000000000001".to_owned()),
            lifetime_seconds: Some(3600),
            exposed: true,
            told: false,
            expired_for_seconds: Some(90),
            ..TokenReport::new(TokenState::Readable, Found::SameLine, Fingerprint(id.to_be_bytes()))
        }),
    }
}

fn apply(ledger: &mut Ledger, diagnosis: Diagnosis) {
    ledger.apply(Event::Diagnosed(Box::new(diagnosis)), NOW);
}

#[test]
fn a_cause_is_counted_once_a_token_and_what_a_code_means_is_no_fault_of_it() {
    let (mut ledger, mut found) = (ledger(Settings::default()), diagnosis(1, Cause::Expired));
    found.findings = vec![
        Finding::Expired { expired_at: NOW, refused_at: NOW, told_by: TimeSource::Line },
        Finding::LifetimeTooShort { from: Field::Iat, lifetime_seconds: 3 },
        Finding::Disagreement { code: 20107, named: Cause::SignatureInvalid, shown: Cause::Expired },
    ];
    apply(&mut ledger, found);
    let findings = &ledger.commit().totals.findings;
    assert_eq!((findings[&Cause::Expired], findings[&Cause::SignatureInvalid]), (1, 0));
}

#[test]
fn nothing_is_shown_before_it_is_committed() {
    let mut ledger = ledger(Settings::default());
    let before = ledger.commit();
    apply(&mut ledger, diagnosis(1, Cause::Expired));
    assert_eq!((before.totals.rejections, before.rejections.len()), (0, 0));
    assert_eq!(before.tally(Window::default(), NOW).rejections, 0);
    assert_eq!(before.sources[0].rejections_all(), 0);
    let after = ledger.commit();
    assert_eq!((after.totals.rejections, after.rejections.len()), (1, 1));
    assert_eq!(after.distinct_tokens(None, Window::default(), NOW).count, 1);
    assert_eq!((after.sources[0].exposed_tokens, after.sources[0].sightings), (1, 2));
    assert_eq!(after.totals.expired_for[&Product::Chat].count, 1);
}

#[test]
fn a_token_that_ends_before_it_begins_takes_nothing_off_what_was_shown() {
    let mut ledger = ledger(Settings::default());
    for lifetime in [3600, -7_772_400] {
        let mut found = diagnosis(1, Cause::TimeClaimInvalid);
        found.token.as_mut().unwrap().lifetime_seconds = Some(lifetime);
        apply(&mut ledger, found);
    }
    let lifetime = &ledger.commit().totals.lifetime[&Product::Chat];
    assert_eq!((lifetime.count, lifetime.counts[0]), (2, 1));
    assert!((lifetime.sum - 3600.0).abs() < 0.1, "{}", lifetime.sum);
}

#[test]
fn a_refusal_printed_once_more_is_a_sighting_and_no_rejection() {
    let mut ledger = ledger(Settings::default());
    apply(&mut ledger, diagnosis(1, Cause::Expired));
    ledger.apply(Event::Resighted { id: "1".to_owned(), source: "app".into() }, NOW);
    ledger.apply(Event::Resighted { id: "gone".to_owned(), source: "app".into() }, NOW);
    let view = ledger.commit();
    assert_eq!((view.totals.rejections, view.sources[0].sightings), (1, 4));
    assert_eq!(view.rejections[0].diagnosis.sightings, 3);
    assert_eq!(view.examples[&Cause::Expired].sightings, 3);
}

#[test]
fn an_old_refusal_counts_in_the_totals_only() {
    let mut ledger = ledger(Settings::default());
    apply(&mut ledger, Diagnosis { at: UnixTime::from_seconds(1_700_000_000), ..diagnosis(1, Cause::Expired) });
    let view = ledger.commit();
    assert_eq!(view.totals.rejections, 1);
    assert_eq!(view.tally(Window::from_seconds(86_400).expect("a window"), NOW).rejections, 0);
}

#[test]
fn the_example_of_a_cause_is_its_latest_whatever_the_order_of_arrival() {
    let mut ledger = ledger(Settings::default());
    for (id, seconds_ago) in [(1, 50), (2, -500), (3, 0), (4, 90)] {
        let at = NOW.plus_millis(-seconds_ago * 1000);
        apply(&mut ledger, Diagnosis { at, ..diagnosis(id, Cause::Expired) });
    }
    assert_eq!(ledger.commit().examples[&Cause::Expired].id, "3");
}

#[test]
fn only_the_latest_rejections_are_kept_and_numbers_go_on() {
    let mut ledger = ledger(Settings { rejections_kept: 3, ..Settings::default() });
    (0..5).for_each(|id| apply(&mut ledger, diagnosis(id, Cause::Expired)));
    let numbers: Vec<u64> = ledger.commit().rejections.iter().map(|kept| kept.number).collect();
    assert_eq!(numbers, [2, 3, 4]);
    ledger.reload(Settings { rejections_kept: 0, ..Settings::default() }, ["app".into()]);
    apply(&mut ledger, diagnosis(9, Cause::Expired));
    assert!(ledger.commit().rejections.is_empty());
}

#[test]
fn a_source_that_a_reload_removes_keeps_its_counters() {
    let mut ledger = ledger(Settings::default());
    apply(&mut ledger, diagnosis(1, Cause::Expired));
    ledger.reload(Settings::default(), ["other".into()]);
    let view = ledger.commit();
    let shown: Vec<_> = view.sources.iter().map(|s| (&*s.name, s.configured, s.rejections_all())).collect();
    assert_eq!(shown, [("app", false, 1), ("other", true, 0)]);
    assert_eq!(view.behind().collect::<Vec<_>>(), ["other"]);
}

#[test]
fn what_happens_to_a_source_is_counted_by_kind() {
    let mut ledger = ledger(Settings::default());
    let failed = Health::Failed { kind: Failure::Read, message: "no".to_owned() };
    let reports = [Health::Up(true), Health::Rotated(Rotation::Rename), Health::Lost(7), failed, Health::CaughtUp];
    for health in &reports {
        ledger.health("app", health, NOW);
    }
    ledger.apply(Event::Lines { source: "app".into(), lines: 3, truncated: 1, bytes: 90 }, NOW);
    let view = ledger.commit();
    let app = &view.sources[0];
    assert_eq!((app.up, app.caught_up, app.lost_bytes), (true, true, 7));
    assert_eq!((app.rotations[&Rotation::Rename], app.errors[&Failure::Read]), (1, 1));
    assert_eq!((app.lines, app.lines_truncated, app.read_bytes), (3, 1, 90));
    assert_eq!(app.last_error.as_ref().map(|e| &*e.message), Some("no"));
}

#[test]
fn names_without_end_do_not_fill_the_memory() {
    let mut ledger = ledger(Settings::default());
    for n in 0..SOURCES_MAX + 10 {
        ledger.health(&format!("source {n}"), &Health::Lost(1), NOW);
    }
    let view = ledger.commit();
    assert_eq!(view.sources.len(), SOURCES_MAX);
    assert_eq!(view.sources.iter().map(|source| source.lost_bytes).sum::<u64>(), SOURCES_MAX as u64 + 10);
}

fn any_event() -> impl Strategy<Value = Diagnosis> {
    let code = prop_oneof![Just(None), Just(Some(51007)), any::<u32>().prop_map(Some)];
    let parts = (0..Cause::ALL.len(), 0..Product::ALL.len(), 0..Basis::ALL.len(), 0..4_u8, 0..200_000_i64, code);
    parts.prop_map(|(cause, product, basis, source, ago, code)| Diagnosis {
        product: Product::ALL[product],
        basis: Basis::ALL[basis],
        source: format!("source {source}").into(),
        at: NOW.plus_millis(-ago * 1000),
        code,
        ..diagnosis(1, Cause::ALL[cause])
    })
}

proptest! {
    #[test]
    fn every_way_to_sum_up_gives_the_number_of_rejections(events in prop::collection::vec(any_event(), 0..60)) {
        let mut ledger = ledger(Settings { keys_max: 1, ..Settings::default() });
        let count = events.len() as u64;
        let recent = events.iter().filter(|event| NOW.seconds_since(event.at) < 86_400).count() as u64;
        for event in events {
            apply(&mut ledger, event);
        }
        let view = ledger.commit();
        prop_assert_eq!(view.totals.rejections, count);
        prop_assert_eq!(view.sources.iter().map(|source| source.rejections_all()).sum::<u64>(), count);
        prop_assert_eq!(view.totals.codes.values().sum::<u64>(), count);
        prop_assert_eq!(view.totals.bases.values().sum::<u64>(), count);
        let tally = view.tally(Window::from_seconds(86_400).expect("a window"), NOW);
        prop_assert!((recent..=recent + 1).contains(&tally.rejections));
        prop_assert_eq!(tally.causes.iter().map(|(_, seen)| seen.count).sum::<u64>(), tally.rejections);
        for sum in [
            tally.products.iter().map(|(_, n)| n).sum::<u64>(),
            tally.codes.iter().map(|(_, n)| n).sum(),
            tally.sources.iter().map(|(_, n)| n).sum(),
            tally.keys.iter().map(|(_, n)| n).sum(),
        ] {
            prop_assert_eq!(sum, tally.rejections);
        }
    }
}
