//! The whole core over the Markdown corpus in `tests/corpus`: a log with token recipes in, diagnoses out.
//!
//! `UPDATE=1` rewrites the expected diagnoses with what the core says: review the difference.
#![cfg(test)]
#![expect(clippy::string_slice, reason = "tokens are ASCII")]

#[path = "support/case.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod case;
#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/recipe.rs"]
mod recipe;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use case::{Case, Findings, Run, cases, render};

/// Logs up to this length are cut at every byte, longer ones at [`SEEDED_CUTS`] places.
const CUT_EVERYWHERE_BYTES: usize = 700;
/// How many places, spread over a longer log by a fixed sequence.
const SEEDED_CUTS: usize = 60;

macro_rules! files {
    ($($name:ident)*) => {
        /// Every file of the corpus has its test.
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*
    };
}

files! { arrays causes clients clocks coalescing codes embeddings envelopes exports field instead lookalikes memory neighbours other pairing precedence products texts times traces writers }

#[test]
fn every_file_of_the_corpus_is_run() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .expect("the corpus is there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "README")
        .collect();
    found.sort();
    assert_eq!(found, FILES, "add the file to `files!` in tests/corpus.rs");
}

#[test]
fn every_cause_is_expected_somewhere() {
    let all: String = FILES
        .iter()
        .map(|name| std::fs::read_to_string(folder().join(name).with_extension("md")).expect("the file is there"))
        .flat_map(|markdown| cases(&markdown).into_iter().map(|case| case.expected).collect::<Vec<_>>())
        .collect();
    for cause in diag51007::cause::Cause::ALL {
        let (id, heads) = (cause.id(), all.lines().filter(|line| line.starts_with("line ")));
        let expected = heads.filter_map(|line| line.split(' ').nth(2)).any(|word| word == id);
        assert!(expected, "no case of the corpus expects `{id}`");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn run(name: &str) {
    let path = folder().join(name).with_extension("md");
    let markdown = std::fs::read_to_string(&path).expect("the file is there");
    let cases = cases(&markdown);
    assert!(!cases.is_empty(), "{name}.md has no case");
    if std::env::var_os("UPDATE").is_some() {
        update(&path, &markdown, &cases);
        return;
    }
    let mut failures = String::new();
    for case in &cases {
        if let Err(failure) = check(case) {
            _ = writeln!(failures, "tests/corpus/{name}.md:{}: {}\n{failure}", case.expected_at + 1, case.title);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// Whole, byte by byte, and cut in two: the same diagnoses, and those that are expected.
fn check(case: &Case) -> Result<(), String> {
    let run = Run::of(case);
    let whole = run.diagnose([]);
    let found = render(&whole, &case.expected, Findings::AsExpected);
    if found != case.expected {
        return Err(format!("expected\n{}but found\n{found}", case.expected));
    }
    if run.diagnose(1..run.log.len()) != whole {
        return Err("cut after every byte, the log gives other diagnoses".to_owned());
    }
    for cut in cuts(run.log.len()) {
        let cut_once = run.diagnose([cut]);
        if cut_once != whole {
            let found = render(&cut_once, "", Findings::All);
            return Err(format!("cut after byte {cut}, the log gives other diagnoses:\n{found}"));
        }
    }
    Ok(())
}

/// Places at which to cut a log of `length` bytes: all, or some by a full-period sequence with a fixed seed.
fn cuts(length: usize) -> Vec<usize> {
    if length <= CUT_EVERYWHERE_BYTES {
        return (1..length).collect();
    }
    let mut state = 51007_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % length
    };
    std::iter::repeat_with(next).take(SEEDED_CUTS).collect()
}

fn update(path: &Path, markdown: &str, cases: &[Case]) {
    let mut out = String::new();
    let mut lines = markdown.lines().enumerate().peekable();
    let mut left = cases.iter().peekable();
    while let Some((at, line)) = lines.next() {
        _ = writeln!(out, "{line}");
        if let Some(case) = left.next_if(|case| case.expected_at == at + 1) {
            out.push_str(&render(&Run::of(case).diagnose([]), &case.expected, Findings::All));
            while lines.next_if(|(_, line)| *line != "```").is_some() {}
        }
    }
    std::fs::write(path, out).expect("the corpus is writable");
}

#[test]
fn a_recipe_gives_the_same_token_every_time() {
    let recipe = r#"{{token exp="2026-03-01T09:58:30Z" chat.service_sid="IS…2"}}"#;
    assert_eq!(recipe::expand(recipe), recipe::expand(recipe));
    assert_ne!(recipe::expand(recipe), recipe::expand("{{token}}"));
}

#[test]
fn a_recipe_damages_the_token_as_it_says() {
    let whole = recipe::expand("{{token}}");
    assert_eq!(recipe::expand("{{token cut=-5}}"), whole[..whole.len() - 5]);
    assert_eq!(recipe::expand("{{token cut=\"signature\"}}").matches('.').count(), 1);
    assert_eq!(recipe::expand("{{token mask=\"tail\"}}"), format!("{}***", &whole[..6]));
    assert_eq!(recipe::expand("{{token wrap='{\"t\":\"%\"}' escape=1}}"), format!("{{\\\"t\\\":\\\"{whole}\\\"}}"));
    assert_eq!(recipe::expand("{{token raw=\"undefined\"}}"), "undefined");
    assert_eq!(recipe::expand("{{token jwe}}").split('.').map(str::len).collect::<Vec<_>>()[1], 0);
    assert_eq!(recipe::expand("{{SK1}} {{IS…2f}}"), format!("SK{:0>32} IS{:0>32}", "1", "2f"));
}

#[test]
fn a_case_is_read_with_its_line_numbers() {
    let markdown = "# One\nprose\n```log\na\nb\n```\n```diagnosis\nline 1: expired\n```\n";
    let [case] = <[Case; 1]>::try_from(cases(markdown)).expect("one case");
    assert_eq!((case.title.as_str(), case.log.as_str(), case.expected_at), ("One", "a\nb\n", 7));
}
