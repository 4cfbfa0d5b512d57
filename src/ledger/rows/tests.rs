use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::diagnosis::{Basis, Check, Diagnosis, Found, SkipReason, Skipped, TokenReport, TokenState};
use crate::finding::{Finding, TimeSource};
use crate::ledger::window::Window;
use crate::pipeline::Event;
use crate::source::{Failure, Health, Rotation};

const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

type Kept = BTreeMap<String, Vec<u8>>;

fn settings() -> Settings {
    Settings {
        rejections_kept: 5,
        keys: vec!["SKconfigured".to_owned()],
        keys_max: 3,
        tokens_max: 8,
        ..Settings::default()
    }
}

fn sources() -> [Arc<str>; 2] {
    ["app".into(), "other".into()]
}

fn put(kept: &mut Kept) -> impl FnMut(String, Option<Vec<u8>>) + '_ {
    |name, value| match value {
        Some(value) => drop(kept.insert(name, value)),
        None => drop(kept.remove(&name)),
    }
}

fn all(view: &View) -> Kept {
    let mut kept = Kept::new();
    view.changes(None, &mut put(&mut kept));
    kept
}

fn restore(kept: &Kept) -> (Ledger, Vec<String>) {
    Ledger::restored(settings(), sources(), NOW, kept.iter().map(|(name, value)| (&**name, &**value)))
}

fn diagnosis(id: u64, seconds: i64) -> Diagnosis {
    let pick = usize::try_from(id).unwrap();
    let found = [Found::SameLine, Found::OwnMessage(3), Found::SameRequest(-2), Found::Before(1), Found::After(7)];
    Diagnosis {
        id: format!("{id:016x}"),
        at: NOW.plus_millis(seconds * 1000),
        source: sources()[pick % 2].clone(),
        path: (pick % 3 > 0).then(|| "/var/log/app.log".into()),
        line: id,
        offset: id * 100,
        sightings: 2,
        event: None,
        about: crate::diagnosis::About {
            identity: (pick % 3 == 0).then_some(Fingerprint(pick.to_le_bytes())),
            service: (pick % 5 == 0).then_some(Fingerprint([7; 8])),
        },
        code: [Some(51007), None, Some(20104), Some(1)][pick % 4],
        product: Product::ALL[pick % Product::ALL.len()],
        cause: Cause::ALL[pick % 4],
        basis: Basis::ALL[pick % Basis::ALL.len()],
        findings: vec![
            Finding::Expired { expired_at: NOW, refused_at: NOW.plus_millis(90_000), told_by: TimeSource::Line },
            Finding::Cut,
        ],
        skipped: vec![Skipped { check: Check::ALL[pick % 8], reason: SkipReason::NoSecret }],
        token: (pick % 5 > 0).then(|| TokenReport {
            key_sid: Some(format!("SK{}", id % 6)),
            account_sid: Some("AC00000000000000000000000000000001".to_owned()),
            issued_at: Some(NOW),
            expires_at: Some(NOW.plus_millis(-1)),
            lifetime_seconds: Some(3600),
            grants: vec!["chat", "voice"],
            region: Some("ie1"),
            exposed: pick % 2 == 0,
            expired_for_seconds: Some(seconds),
            ..TokenReport::new(TokenState::ALL[pick % 5], found[pick % 5], Fingerprint((id % 20).to_be_bytes()))
        }),
    }
}

fn event(pick: u64, seconds: i64) -> Event {
    let source = sources()[usize::try_from(pick % 2).unwrap()].clone();
    match pick % 8 {
        0 => Event::Lines { source, lines: pick, truncated: 1, bytes: pick * 80 },
        1 => Event::Resighted { id: format!("{:016x}", pick.saturating_sub(3)), source },
        _ => Event::Diagnosed(Box::new(diagnosis(pick, seconds))),
    }
}

proptest! {
    /// Some events, a commit, and so on: the changes of all commits together are the whole, and the whole comes back.
    #[test]
    fn a_ledger_comes_back_from_its_rows_as_it_was(
        batches in prop::collection::vec(prop::collection::vec((0_u64..60, -4000_i64..100), 0..12), 1..8),
    ) {
        let mut ledger = Ledger::new(settings(), sources(), NOW);
        let (mut kept, mut last) = (Kept::new(), None);
        for batch in batches {
            for (pick, seconds) in batch {
                ledger.apply(event(pick, seconds), NOW.plus_millis(seconds));
                ledger.health("app", &Health::Rotated(Rotation::Rename), NOW);
                ledger.health("other", &Health::Failed { kind: Failure::Read, message: String::new() }, NOW);
            }
            let view = ledger.commit();
            view.changes(last.as_deref(), &mut put(&mut kept));
            last = Some(view);
        }
        let view = last.unwrap();
        prop_assert_eq!(&kept, &all(&view));
        let (mut restored, unknown) = restore(&kept);
        prop_assert!(unknown.is_empty(), "{:?}", unknown);
        let again = restored.commit();
        prop_assert_eq!(&all(&again), &kept);
        for window in ["1m", "1h", "1d"] {
            let window = Window::parse(window).unwrap();
            prop_assert_eq!(again.tally(window, NOW), view.tally(window, NOW));
            prop_assert_eq!(again.distinct_tokens(None, window, NOW), view.distinct_tokens(None, window, NOW));
        }
        prop_assert_eq!(&again.totals, &view.totals);
        let shown = |view: &View| serde_json::to_string(&view.rejections.iter().map(|k| &*k.diagnosis).collect::<Vec<_>>());
        prop_assert_eq!(shown(&again).unwrap(), shown(&view).unwrap());
    }
}

#[test]
fn a_commit_of_one_refusal_writes_few_rows() {
    let mut ledger = Ledger::new(settings(), sources(), NOW);
    (8..200).for_each(|pick| ledger.apply(event(pick, 0), NOW));
    let before = ledger.commit();
    ledger.apply(event(219, 0), NOW);
    let mut names = Vec::new();
    ledger.commit().changes(Some(&before), &mut |name, _| names.push(name));
    assert!(names.len() <= 20, "{names:?}");
}

#[test]
fn nothing_that_has_not_changed_is_written() {
    let mut ledger = Ledger::new(settings(), sources(), NOW);
    (8..40).for_each(|pick| ledger.apply(event(pick, 0), NOW));
    let before = ledger.commit();
    ledger.health("app", &Health::Progress { files: 3, unread_bytes: 7, lag_seconds: 0.5 }, NOW);
    ledger.commit().changes(Some(&before), &mut |name, _| panic!("{name} is written"));
}

#[test]
fn alerts_and_incidents_stand_apart_from_rows_that_come_and_go_and_are_found_where_they_stood_before() {
    let mut ledger = Ledger::new(settings(), sources(), NOW);
    (8..40).for_each(|pick| ledger.apply(event(pick, 0), NOW));
    let mut kept = all(&ledger.commit());
    let (name, value) = ledger.remembered_row();
    assert!(kept.keys().all(|other| name < other.as_str()), "{:?}", kept.keys());
    kept.insert(REMEMBERED_BEFORE.to_owned(), value.unwrap());
    let (restored, unknown) = restore(&kept);
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(restored.working().incidents.remembered(), ledger.working().incidents.remembered());
}

#[test]
fn rows_that_cannot_be_understood_are_named_and_left_out() {
    let mut ledger = Ledger::new(settings(), sources(), NOW);
    (8..40).for_each(|pick| ledger.apply(event(pick, 0), NOW));
    let mut kept = all(&ledger.commit());
    kept.insert("example/no_such_cause".to_owned(), b"{}".to_vec());
    kept.insert("fine/99999".to_owned(), b"{}".to_vec());
    kept.insert("later".to_owned(), b"1".to_vec());
    let (restored, unknown) = restore(&kept);
    assert_eq!(unknown, ["example/no_such_cause", "fine/99999", "later"]);
    assert_eq!(restored.working().totals, ledger.working().totals);
}

#[test]
fn the_example_of_a_cause_is_printed_again_after_a_restart_as_before() {
    let mut ledger = Ledger::new(settings(), sources(), NOW);
    ledger.apply(Event::Diagnosed(Box::new(diagnosis(10, 0))), NOW);
    let (mut restored, _) = restore(&all(&ledger.commit()));
    restored.apply(Event::Resighted { id: format!("{:016x}", 10), source: "app".into() }, NOW);
    let view = restored.commit();
    assert_eq!(view.rejections[0].diagnosis.sightings, 3);
    assert_eq!(view.examples[&diagnosis(10, 0).cause].sightings, 3);
}
