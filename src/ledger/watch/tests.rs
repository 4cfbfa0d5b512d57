//! From rejections to alerts, through the ledger.

use super::super::alert::{Alert, Name, State};
use super::super::tests::{NOW, diagnosis, ledger};
use super::super::{Ledger, Remembered, Settings};
use crate::cause::Cause;
use crate::diagnosis::{Diagnosis, Fingerprint};
use crate::pipeline::Event;
use crate::source::{Failure, Health};
use crate::time::UnixTime;

fn later(seconds: i64) -> UnixTime {
    NOW.plus_millis(seconds * 1000)
}

/// A token of its own, not exposed.
fn refused(number: u64, cause: Cause) -> Diagnosis {
    let mut diagnosis = diagnosis(number, cause);
    if let Some(token) = &mut diagnosis.token {
        token.exposed = false;
        token.fingerprint = Fingerprint(super::spread(number).to_be_bytes());
        token.expired_for_seconds = Some(7200 + i64::try_from(number).unwrap() * 600);
    }
    diagnosis
}

fn apply(ledger: &mut Ledger, diagnosis: Diagnosis, now: UnixTime) {
    ledger.apply(Event::Diagnosed(Box::new(diagnosis)), now);
}

/// A ledger whose source has nothing left to read from before.
fn live() -> Ledger {
    let mut ledger = ledger(Settings::default());
    ledger.health("app", &Health::CaughtUp, NOW);
    ledger.look(NOW);
    ledger
}

fn active(ledger: &mut Ledger) -> Vec<(Name, State)> {
    ledger.commit().alerts.active().map(|alert| (alert.name, alert.state)).collect()
}

fn one(ledger: &mut Ledger, name: Name) -> Alert {
    let view = ledger.commit();
    view.alerts.active().find(|alert| alert.name == name).cloned().unwrap_or_else(|| panic!("{name:?} is not active"))
}

#[test]
fn a_burst_of_expired_tokens_fires_and_ends() {
    let mut ledger = live();
    (0..30).for_each(|n| apply(&mut ledger, refused(n, Cause::Expired), later(10)));
    ledger.look(later(11));
    assert_eq!(active(&mut ledger), [(Name::ExpirySpike, State::Firing)]);
    let alert = one(&mut ledger, Name::ExpirySpike);
    assert_eq!((alert.labels["severity"].as_str(), alert.active_at), ("critical", later(11)));
    let told = &alert.annotations;
    assert!(told["description"].starts_with("30 refusals in the last 5 min"), "{told:?}");
    assert!(told["description"].contains("no day of history yet (warm-up)"), "{told:?}");
    assert!(told["description"].contains("2 to 7 h after their end: clients keep a token"), "{told:?}");
    assert_eq!(told["runbook_url"], "#expiryspike");
    assert!(told["top_product"] == "chat" && told["top_key"].starts_with("SK"), "{told:?}");
    (1..16).for_each(|minute| _ = ledger.look(later(minute * 60)));
    assert!(active(&mut ledger).is_empty());
    let resolved = ledger.commit().alerts.all().to_vec();
    assert_eq!(resolved.iter().map(|alert| alert.state).collect::<Vec<_>>(), [State::Resolved]);
}

#[test]
fn what_was_there_at_start_raises_nothing() {
    let mut ledger = ledger(Settings::default());
    for n in 0..2000 {
        let at = later(-i64::try_from(n % 300).unwrap());
        let exposed = diagnosis(n, if n % 3 == 0 { Cause::NotYetValid } else { Cause::Expired });
        apply(&mut ledger, Diagnosis { at, ..exposed }, NOW);
    }
    ledger.look(later(1));
    assert!(active(&mut ledger).is_empty());
    ledger.health("app", &Health::CaughtUp, later(2));
    (2..120).for_each(|seconds| _ = ledger.look(later(seconds)));
    apply(&mut ledger, refused(5000, Cause::Expired), later(121));
    ledger.look(later(122));
    assert!(active(&mut ledger).is_empty());
    assert_eq!(ledger.commit().incidents.open(later(122)).len(), 2);
}

#[test]
fn history_teaches_what_is_usual() {
    let mut ledger = ledger(Settings::default());
    // Two days with six a minute: what would be a burst for a fresh daemon is none here.
    for minute in 0..2880 {
        for n in 0..6 {
            let at = later(-(minute * 60) - n);
            let number = u64::try_from(minute * 6 + n).unwrap();
            apply(&mut ledger, Diagnosis { at, ..refused(number, Cause::Expired) }, NOW);
        }
    }
    ledger.health("app", &Health::CaughtUp, NOW);
    ledger.look(NOW);
    for n in 0..35 {
        apply(&mut ledger, refused(1_000_000 + n, Cause::Expired), later(1 + i64::try_from(n).unwrap() * 8));
    }
    ledger.look(later(285));
    assert!(active(&mut ledger).is_empty());
    (0..300).for_each(|n| apply(&mut ledger, refused(2_000_000 + n, Cause::Expired), later(290)));
    ledger.look(later(291));
    let told = one(&mut ledger, Name::ExpirySpike).annotations;
    assert!(!told["description"].contains("warm-up"), "{told:?}");
}

#[test]
fn one_client_in_a_loop_is_no_outage() {
    let mut ledger = live();
    (0..300).for_each(|n| apply(&mut ledger, refused(7, Cause::StaleReuse), later(n / 5)));
    ledger.look(later(60));
    assert_eq!(active(&mut ledger), [(Name::LoopingClient, State::Firing)]);
    let alert = one(&mut ledger, Name::LoopingClient);
    assert_eq!((alert.labels["severity"].as_str(), alert.value), ("info", 300.0));
}

#[test]
fn each_kind_of_trouble_has_its_alert() {
    let cases = [
        (Cause::SignatureInvalid, Name::SignatureSpike),
        (Cause::GrantsMissing, Name::RejectionSpike),
        (Cause::NoToken, Name::RejectionSpike),
        (Cause::NotYetValid, Name::ClockSkew),
    ];
    for (cause, name) in cases {
        let mut ledger = live();
        (0..12).for_each(|n| apply(&mut ledger, refused(n, cause), later(5)));
        ledger.look(later(6));
        assert!(active(&mut ledger).contains(&(name, State::Firing)), "{cause:?}");
        let rejections = active(&mut ledger).iter().filter(|(name, _)| *name == Name::RejectionSpike).count();
        assert!(rejections <= 1, "{cause:?}: the whole and a part both told");
    }
}

#[test]
fn a_few_of_everything_are_a_spike_of_the_whole() {
    let mut ledger = live();
    for (n, cause) in (0..).zip(Cause::ALL) {
        apply(&mut ledger, refused(n, cause), later(5));
    }
    ledger.look(later(6));
    let alert = one(&mut ledger, Name::RejectionSpike);
    assert!(!alert.labels.contains_key("cause"), "{alert:?}");
}

#[test]
fn a_valid_token_in_a_log_is_told_once_for_each_source() {
    let mut ledger = live();
    apply(&mut ledger, diagnosis(1, Cause::NoneFound), later(1));
    ledger.look(later(2));
    let alert = one(&mut ledger, Name::TokenExposed);
    assert_eq!((alert.labels["source"].as_str(), alert.value), ("app", 1.0));
    ledger.look(later(800));
    assert_eq!(active(&mut ledger), [(Name::TokenExposed, State::Firing)]);
    ledger.look(later(1000));
    assert!(active(&mut ledger).is_empty());
}

#[test]
fn a_cause_is_new_only_after_a_day_without_it() {
    let mut ledger = live();
    apply(&mut ledger, refused(1, Cause::Expired), later(60));
    ledger.look(later(61));
    assert!(active(&mut ledger).is_empty());
    apply(&mut ledger, refused(2, Cause::Expired), later(90_000));
    apply(&mut ledger, refused(3, Cause::VideoRegion), later(90_000));
    ledger.look(later(90_001));
    assert_eq!(active(&mut ledger), [(Name::NewCause, State::Firing)]);
    assert_eq!(one(&mut ledger, Name::NewCause).labels["cause"], "video_region");
}

#[test]
fn a_source_that_fails_or_falls_silent_is_told() {
    let mut ledger = live();
    let lines = |bytes| Event::Lines { source: "app".into(), lines: 1, truncated: 0, bytes };
    for n in 1..=20 {
        ledger.apply(lines(100), later(n * 30));
        ledger.look(later(n * 30));
    }
    (0..40).for_each(|n| _ = ledger.look(later(600 + n * 90)));
    assert!(active(&mut ledger).is_empty());
    ledger.look(later(4200));
    assert_eq!(active(&mut ledger), [(Name::SourceSilent, State::Firing)]);
    ledger.apply(lines(100), later(4250));
    let failed = Health::Failed { kind: Failure::Permission, message: "denied".to_owned() };
    ledger.health("app", &failed, later(4250));
    ledger.look(later(4251));
    assert_eq!(active(&mut ledger), [(Name::SourceFailing, State::Pending)]);
    ledger.look(later(4312));
    assert_eq!(active(&mut ledger), [(Name::SourceFailing, State::Firing)]);
}

#[test]
fn deliveries_of_strangers_are_no_failure_of_the_source() {
    for kind in [Failure::Signature, Failure::Unauthorized] {
        check_strangers(kind);
    }
}

#[track_caller]
fn check_strangers(kind: Failure) {
    let mut ledger = live();
    let last_error = |ledger: &mut Ledger| {
        let view = ledger.commit();
        let source = view.sources.iter().find(|source| &*source.name == "app").expect("a source");
        source.last_error.as_ref().map(|error| error.message.to_string())
    };
    let refused = Health::FailedAgain { kind, message: "refused".to_owned() };
    for second in 1..200 {
        (0..100).for_each(|_| ledger.health("app", &refused, later(second)));
        ledger.look(later(second));
    }
    assert!(active(&mut ledger).is_empty(), "{kind:?}");
    assert_eq!(last_error(&mut ledger).as_deref(), Some("refused"));
    // They hide no failure, and keep none alive.
    let failed = Health::Failed { kind: Failure::Remote, message: "down".to_owned() };
    ledger.health("app", &failed, later(200));
    for second in 201..300 {
        ledger.health("app", &refused, later(second));
        ledger.look(later(second));
    }
    assert_eq!(active(&mut ledger), [(Name::SourceFailing, State::Firing)], "{kind:?}");
    let told = one(&mut ledger, Name::SourceFailing).annotations["description"].clone();
    assert!(told.contains("of kind remote") && !told.contains(kind.id()), "{told}");
    assert_eq!(last_error(&mut ledger).as_deref(), Some("down"));
    for second in 300..600 {
        ledger.health("app", &refused, later(second));
        ledger.look(later(second));
    }
    assert!(active(&mut ledger).is_empty());
}

#[test]
fn what_twilio_refuses_of_ours_is_a_failure_of_the_source() {
    let mut ledger = live();
    let refused = Health::FailedAgain { kind: Failure::Auth, message: "Twilio answers 401".to_owned() };
    for second in 1..100 {
        ledger.health("app", &refused, later(second));
        ledger.look(later(second));
    }
    assert_eq!(active(&mut ledger), [(Name::SourceFailing, State::Firing)]);
}

#[test]
fn a_state_that_cannot_be_written_is_told_until_it_can() {
    let mut ledger = live();
    ledger.stored(false);
    ledger.look(later(1));
    assert_eq!(active(&mut ledger), [(Name::StateFailing, State::Firing)]);
    ledger.stored(true);
    ledger.look(later(62));
    assert!(active(&mut ledger).is_empty());
}

#[test]
fn what_is_remembered_goes_on_after_a_restart() {
    let mut before = live();
    (0..30).for_each(|n| apply(&mut before, refused(n, Cause::Expired), later(10)));
    before.look(later(11));
    let text = serde_json::to_string(&before.remembered()).expect("JSON");
    let remembered: Remembered = serde_json::from_str(&text).expect("its own JSON");
    assert_eq!(remembered, before.remembered());
    let mut after = ledger(Settings::default());
    after.restore(remembered, later(20));
    assert_eq!(one(&mut after, Name::ExpirySpike).active_at, later(11));
    assert_eq!(after.commit().incidents.open(later(20))[0].count, 30);
    after.health("app", &Health::CaughtUp, later(21));
    after.look(later(22));
    assert_eq!(active(&mut after), [(Name::ExpirySpike, State::Firing)]);
}

#[test]
fn nothing_of_a_log_line_gets_into_an_annotation() {
    let mut ledger = live();
    let hostile = "<script>alert(1)</script>\u{1b}[31m\ndiag51007_rejections_total 9";
    for n in 0..30 {
        let mut diagnosis = refused(n, Cause::Expired);
        diagnosis.path = Some(hostile.into());
        diagnosis.id = hostile.to_owned();
        if let Some(token) = &mut diagnosis.token {
            token.jti = Some(hostile.to_owned());
            token.account_sid = Some(hostile.to_owned());
        }
        apply(&mut ledger, diagnosis, later(10));
    }
    ledger.look(later(11));
    let view = ledger.commit();
    assert_ne!(view.alerts.active().count(), 0);
    for alert in view.alerts.active() {
        let all: String = alert.labels.values().chain(alert.annotations.values()).cloned().collect();
        assert!(!all.contains(['<', '>', '\u{1b}', '\n']) && !all.contains("rejections_total"), "{all}");
    }
    assert!(!view.incidents.open(later(11))[0].story().contains(['<', '\u{1b}', '\n']));
}

#[test]
fn a_burst_right_after_the_backlog_is_not_taken_for_it() {
    let mut ledger = ledger(Settings::default());
    ledger.health("app", &Health::CaughtUp, NOW);
    (0..30).for_each(|n| apply(&mut ledger, refused(n, Cause::Expired), NOW));
    ledger.look(later(1));
    assert_eq!(active(&mut ledger), [(Name::ExpirySpike, State::Firing)]);
}

#[test]
fn old_lines_are_no_history() {
    let mut ledger = ledger(Settings::default());
    apply(&mut ledger, Diagnosis { at: later(-400 * 86_400), ..refused(1, Cause::Expired) }, NOW);
    ledger.health("app", &Health::CaughtUp, NOW);
    apply(&mut ledger, refused(2, Cause::VideoRegion), later(1));
    ledger.look(later(2));
    assert!(active(&mut ledger).is_empty());
    (10..40).for_each(|n| apply(&mut ledger, refused(n, Cause::Expired), later(3)));
    ledger.look(later(4));
    assert!(one(&mut ledger, Name::ExpirySpike).annotations["description"].contains("warm-up"));
}
