//! The command line as a person meets it: help, version, exit codes and what is not printed.
//!
//! The help texts are in `tests/help`; `UPDATE=1` rewrites them.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diag51007"));
    command.env_remove("DIAG51007_LOG").env_remove("CLICOLOR_FORCE");
    command
}

fn stdout(arguments: &[&str]) -> String {
    let run = program().args(arguments).assert().success();
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

#[track_caller]
fn stderr(arguments: &[&str], code: i32) -> String {
    let run = program().args(arguments).assert().code(code).stdout("");
    String::from_utf8(run.get_output().stderr.clone()).unwrap()
}

#[track_caller]
fn check_help(command: &str) {
    let mut arguments: Vec<_> = command.split_whitespace().collect();
    arguments.push("--help");
    let text = stdout(&arguments);
    let name = if command.is_empty() { "diag51007".to_owned() } else { command.replace(' ', "-") };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE=1 rewrites it", path.display());
}

#[test]
fn help_is_as_written_down() {
    for command in [
        "",
        "run",
        "demo",
        "scan",
        "check",
        "top",
        "explain",
        "config",
        "config check",
        "state",
        "state show",
        "state export",
        "state reset",
        "completions",
        "man",
    ] {
        check_help(command);
    }
}

#[test]
fn every_command_has_a_manual_page_and_the_shells_their_completions() {
    for page in [vec![], vec!["run"], vec!["config", "check"]] {
        let arguments: Vec<_> = ["man"].into_iter().chain(page).collect();
        assert!(stdout(&arguments).contains(".SH SYNOPSIS"), "{arguments:?}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&["completions", shell]).contains("diag51007"), "{shell}");
    }
    assert!(stderr(&["man", "no-such"], 2).contains("no such command"));
}

#[test]
fn the_version_says_which_revision_was_built() {
    let text = stdout(&["--version"]);
    let expected = format!("diag51007 {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&expected) && text.ends_with(")\n"), "{text}");
}

#[test]
fn a_bad_command_line_ends_with_2() {
    for arguments in [&["no-such"][..], &["run"], &["scan"], &["explain", "a", "b"], &["check", "--bogus"]] {
        assert!(stderr(arguments, 2).starts_with("error: "), "{arguments:?}");
    }
    assert!(stderr(&["scan", "--timezone", "Europe/Berlni", "x"], 2).contains("did you mean Europe/Berlin?"));
    assert!(stderr(&["check", "--product", "fax"], 2).contains("expected one of chat, sync, voice"));
    assert!(stderr(&["explain", "expird"], 2).contains("did you mean `expired`?"));
}

#[test]
fn a_token_on_a_bad_command_line_is_not_repeated() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJTSyJ9.c2lnbmF0dXJl";
    let at = format!("--at={token}");
    for arguments in [&["check", token, token][..], &["check", &at], &[token], &["explain", token]] {
        let text = stderr(arguments, 2);
        assert!(!text.contains("eyJ"), "{arguments:?}: {text}");
    }
}

#[test]
fn explain_knows_its_own_list() {
    let list = stdout(&["explain"]);
    let words = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let words: Vec<_> = words.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(words.contains(&"expired") && words.contains(&"51007*"), "{list}");
    for word in [words.first(), words.last()].into_iter().flatten() {
        assert!(stdout(&["explain", word.trim_end_matches('*')]).contains("Twilio's page"), "{word}");
    }
}

#[test]
fn colours_come_on_request_only() {
    assert!(!stdout(&["explain", "expired"]).contains('\u{1b}'));
    assert!(stdout(&["explain", "expired", "--color", "always"]).contains("\u{1b}["));
    assert!(!stdout(&["--help"]).contains('\u{1b}'));
}

#[test]
fn a_closed_pipe_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_diag51007"));
    let child = command.args(["config", "schema"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
