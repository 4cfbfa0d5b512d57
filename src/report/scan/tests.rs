use std::sync::Arc;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::diagnosis::{Check, Diagnosis, Fingerprint, Found, SkipReason, Skipped, TokenReport, TokenState};
use crate::finding::{Finding, TimeSource};
use crate::report::page::COLUMNS;
use crate::report::tally::{FileTally, Unread};

const KEY: &str = "SK00000000000000000000000000000001";

/// The `number`th refusal of an expired token, one a minute.
pub(crate) fn refusal(path: &str, number: u8) -> Diagnosis {
    let at = UnixTime::from_seconds(1_795_488_219 + 60 * i64::from(number));
    let expired_at = at.plus_millis(-3_604_000);
    Diagnosis {
        id: format!("{number:016x}"),
        at,
        source: Arc::from("scan"),
        path: Some(Arc::from(path)),
        line: 11,
        offset: 2893,
        sightings: 4,
        event: None,
        about: crate::diagnosis::About::default(),
        code: Some(51007),
        product: Product::Chat,
        cause: Cause::Expired,
        basis: Basis::Token,
        findings: vec![Finding::Expired { expired_at, refused_at: at, told_by: TimeSource::Line }],
        skipped: vec![Skipped { check: Check::Signature, reason: SkipReason::UnknownKey }],
        token: Some(TokenReport {
            jti: Some(format!("{KEY}-1795488214")),
            key_sid: Some(KEY.to_owned()),
            account_sid: Some("AC00000000000000000000000000000001".to_owned()),
            expires_at: Some(expired_at),
            lifetime_seconds: Some(3600),
            grants: vec!["chat"],
            expired_for_seconds: Some(3604),
            ..TokenReport::new(TokenState::Readable, Found::OwnMessage(2), Fingerprint([number; 8]))
        }),
    }
}

fn file(name: &str) -> FileTally {
    FileTally {
        name: name.to_owned(),
        modified: Some(UnixTime::from_seconds(1_795_490_000)),
        lines: 12_345,
        bytes: 1_234_567,
        ..FileTally::default()
    }
}

fn tally_of(files: Vec<FileTally>) -> Tally {
    let mut tally = Tally::default();
    tally.files = files;
    tally
}

pub(crate) fn busy() -> Tally {
    let mut tally = tally_of(vec![file("chat.log")]);
    (0..6).for_each(|number| tally.add(&refusal("chat.log", number)));
    tally.files.push(file("gateway.log.1.gz"));
    let bare = Diagnosis {
        cause: Cause::NoToken,
        basis: Basis::None,
        product: Product::Unknown,
        findings: Vec::new(),
        skipped: Vec::new(),
        token: None,
        line: 70_012,
        ..refusal("gateway.log.1.gz", 90)
    };
    tally.add(&bare);
    tally.failures.push(Unread {
        name: "/var/log/secret.log".to_owned(),
        message: "permission denied; run as a user who may read it".to_owned(),
        exit_code: 77,
    });
    tally.elapsed = Some(Duration::from_millis(21));
    tally
}

#[track_caller]
fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.width() <= COLUMNS, "{} columns: {line}", line.width());
        assert!(!line.chars().any(char::is_control), "control character in {line:?}");
    }
}

#[test]
fn the_report_is_as_the_golden_file_has_it() {
    let text = render(&busy(), Colour::Never);
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn a_scan_without_refusals_says_what_was_looked_for() {
    let tally = tally_of(vec![file("chat.log")]);
    let text = render(&tally, Colour::Never);
    fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn an_empty_input_is_not_called_healthy_without_a_hint() {
    let tally = tally_of(vec![FileTally { name: "-".into(), ..FileTally::default() }]);
    let text = render(&tally, Colour::Never);
    assert!(text.starts_with("No refused connection in 0 lines of 1 file.\n"), "{text}");
    assert!(text.contains("The input is empty"), "{text}");
    assert!(render(&Tally::default(), Colour::Never).starts_with("Nothing was read.\n"));
}

#[test]
fn long_file_names_stay_inside_the_page() {
    let name = format!("/var/log/{}/日本語日本語日本語.log", "deep/".repeat(60));
    let mut tally = tally_of(vec![file(&name), file("b.log")]);
    tally.add(&refusal(&name, 1));
    tally.failures.push(Unread { name: name.clone(), message: "missing".to_owned(), exit_code: 66 });
    fits(&render(&tally, Colour::Never));
}

#[test]
fn many_keys_are_counted_rather_than_listed() {
    let mut tally = tally_of(vec![file("a.log")]);
    for number in 0..9 {
        let mut diagnosis = refusal("a.log", number);
        if let Some(token) = &mut diagnosis.token {
            token.key_sid = Some(format!("SK{number:032}"));
        }
        tally.add(&diagnosis);
    }
    let text = render(&tally, Colour::Never);
    fits(&text);
    assert!(text.contains("5 more (5)"), "{text}");
    assert!(text.contains("and 6 more keys."), "{text}");
}

#[test]
fn the_exposition_counts_every_refusal_once() {
    let text = crate::report::exposition::render(&busy(), "scan");
    let total: u64 = text
        .lines()
        .filter(|line| line.starts_with("diag51007_rejections_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(total, 7);
    assert!(text.contains("diag51007_rejections_total{source=\"scan\",product=\"chat\",cause=\"expired\"} 6\n"));
    assert!(text.contains("diag51007_rejections_by_code_total{code=\"51007\"} 7\n"));
    assert!(text.contains("diag51007_rejections_by_code_total{code=\"none\"} 0\n"));
}

#[test]
fn the_summary_is_a_json_object_with_causes_by_count() {
    let summary = serde_json::to_value(busy()).unwrap();
    assert_eq!(summary["rejections"], 7);
    assert_eq!(summary["sightings"], 28);
    assert_eq!(summary["causes"][0]["cause"], "expired");
    assert_eq!(summary["causes"][0]["distinct_tokens"], 6);
    assert_eq!(summary["errors"][0]["path"], "/var/log/secret.log");
}
