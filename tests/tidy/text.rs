//! Length, leftovers and paths of somebody's machine, in every file.

use std::env;

/// Longer files hold more than one concept.
const LINES_MAX: usize = 500;

/// Words that say that something is not finished. Put together here, so that this file may stand among the others.
const LEFTOVERS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
];

/// Beginnings of paths that exist on one machine only.
const PRIVATE: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/Use", "rs/"), concat!("/ro", "ot/"), concat!("C:\\", "Users\\")];

/// Complaints about one file.
pub(crate) fn check(file: &str, content: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_rust = has_extension(file, "rs");
    if file.ends_with("/mod.rs") {
        complaints.push(format!("{file}:1: expected `name.rs` beside the folder `name`, but found a mod.rs"));
    }
    let lines = content.lines().count();
    if is_rust && lines > LINES_MAX {
        complaints.push(format!("{file}:{lines}: expected at most {LINES_MAX} lines, but found {lines}"));
    }
    if file.starts_with("tests/samples/") || file == "Cargo.lock" {
        return complaints;
    }
    let mut private: Vec<String> = PRIVATE.map(str::to_owned).into();
    private.push(format!("{}/", env!("CARGO_MANIFEST_DIR")));
    for (at, line) in content.lines().enumerate() {
        for word in LEFTOVERS.into_iter().filter(|word| line.contains(word)) {
            complaints.push(format!("{file}:{}: expected finished work, but found `{word}`", at + 1));
        }
        if let Some(path) = private.iter().find(|path| line.contains(path.as_str())) {
            complaints.push(format!("{file}:{}: a path of one machine: `{path}`", at + 1));
        }
    }
    complaints
}

fn has_extension(file: &str, extension: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

mod tests {
    use super::*;

    #[track_caller]
    fn complains(file: &str, content: &str, expected: &[&str]) {
        let found = check(file, content);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "expected `{expected}…`, but found `{found}`");
        }
    }

    #[test]
    fn a_file_of_501_lines_is_too_long_and_one_of_500_is_not() {
        complains("src/a.rs", &"x\n".repeat(500), &[]);
        complains("src/a.rs", &"x\n".repeat(501), &["src/a.rs:501: expected at most 500 lines"]);
        complains("a.lock", &"x\n".repeat(501), &[]);
    }

    #[test]
    fn what_is_not_finished_is_reported() {
        complains("a.md", &format!("x\n{} later\n", LEFTOVERS[0]), &["a.md:2: expected finished work"]);
        complains("a.rs", &format!("{}]\nfn f() {{}}\n", LEFTOVERS[5]), &["a.rs:1: expected finished work"]);
    }

    #[test]
    fn a_mod_rs_is_reported() {
        complains("src/a/mod.rs", "", &["src/a/mod.rs:1: expected `name.rs`"]);
    }

    #[test]
    fn a_path_of_one_machine_is_reported() {
        complains("a.toml", &format!("x = \"{}me/x\"", PRIVATE[0]), &["a.toml:1: a path of one machine"]);
        complains("a.toml", &format!("{}/x", env!("CARGO_MANIFEST_DIR")), &["a.toml:1: a path of one machine"]);
    }
}
