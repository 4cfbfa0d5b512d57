//! Lines of real logs in any order and number: the diagnoses do not depend on how the bytes come.
#![cfg(test)]

#[path = "support/whole.rs"]
mod whole;

use std::path::Path;

use proptest::prelude::*;
use whole::diagnose;

/// The lines of the captured logs that are not too long to be many.
fn pool() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    let texts = files.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let mut lines: Vec<String> = lines.filter(|line| line.len() < 2000).collect();
    lines.sort();
    lines.dedup();
    lines
}

#[test]
fn lines_in_any_order_give_the_same_at_once_and_byte_by_byte() {
    let pool = pool();
    assert!(pool.len() > 300, "the captured logs are there: {} lines", pool.len());
    let telling: Vec<&String> = pool.iter().filter(|line| line.contains("51007") || line.contains("eyJ")).collect();
    assert!(telling.len() > 50, "lines with refusals and tokens: {}", telling.len());
    let line = (any::<prop::sample::Index>(), any::<bool>())
        .prop_map(|(at, tells)| if tells { (*at.get(&telling)).clone() } else { at.get(&pool).clone() });
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: CASES, ..ProptestConfig::default() });
    let outcome = runner.run(&prop::collection::vec(line, 1..60), |lines| {
        let log = lines.join("\n") + "\n";
        let whole = diagnose([log.as_bytes()], true);
        prop_assert_eq!(&diagnose(log.as_bytes().chunks(1), true), &whole, "byte by byte");
        prop_assert_eq!(&diagnose(log.split_inclusive('\n').map(str::as_bytes), true), &whole, "line by line");
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Logs that are tried.
const CASES: u32 = 200;

/// What fuzzing found: the id that connects token and refusal is seen only with a later print.
const LATE_ID: &[u8] = include_bytes!("data/late-id.log");

#[test]
fn an_id_that_comes_with_a_later_print_changes_nothing_before_it() {
    let whole = diagnose([LATE_ID], false);
    assert!(whole.0.iter().any(|diagnosis| diagnosis.token.is_some()), "{whole:?}");
    assert_eq!(diagnose(LATE_ID.chunks(1), false), whole);
    assert_eq!(diagnose(LATE_ID.split_inclusive(|byte| *byte == b'\n'), false), whole);
}

#[test]
fn a_token_after_its_refusal_is_found_however_many_lines_follow_at_once() {
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln";
    for (distance, found) in [(1, true), (50, true), (200, true), (201, false)] {
        for (before, after) in [(0, 0), (0, 1000), (300, 1000)] {
            let filler = |count: usize| "12:00:00 something else\n".repeat(count);
            let refusal = "12:00:00 TwilioError 51007: Token authentication is rejected\n";
            let (between, token) = (filler(distance - 1), format!("12:00:00 connect token={TOKEN}\n"));
            let log = [&filler(before), refusal, &between, &token, &filler(after), refusal].concat();
            let whole = diagnose([log.as_bytes()], true);
            assert_eq!(whole.0.len(), 2);
            assert_eq!(whole.0[0].token.is_some(), found, "{distance} lines before the token, {after} after it");
            assert_eq!(diagnose(log.split_inclusive('\n').map(str::as_bytes), true), whole, "line by line");
        }
    }
}
