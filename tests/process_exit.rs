//! Exit codes and error messages of the commands, as sysexits has them where it has one.
#![cfg(test)]

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/place.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod place;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod process;
#[path = "support/recipe.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod recipe;

use std::fs;
use std::net::TcpListener;

use place::Place;
use process::{run, run_with_input, text};
use recipe::expand;

/// A bad command line, as every program with such a command line has it.
const USAGE: i32 = 2;
/// Input that cannot be opened.
const NO_INPUT: i32 = 66;
/// A port in use.
const UNAVAILABLE: i32 = 69;
/// A bad config.
const CONFIG: i32 = 78;

#[track_caller]
fn check(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    assert_eq!(output.code, Some(code), "{arguments:?}\n{}{}", output.stdout, output.stderr);
    // Texts are wrapped to the terminal.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = flat(if code == 0 { &output.stdout } else { &output.stderr });
    for word in words {
        assert!(said.contains(&flat(word)), "{arguments:?}: expected `{word}` in\n{said}");
    }
}

#[test]
fn help_and_version_end_with_0() {
    check(&["--help"], 0, &["run", "scan", "demo", "check", "explain"]);
    check(&["--version"], 0, &["diag51007"]);
    check(&["scan", "--help"], 0, &["--format"]);
}

#[test]
fn a_bad_command_line_ends_with_2() {
    check(&["no-such-command"], USAGE, &["no-such-command"]);
    check(&["scan", "--format", "xml", "-"], USAGE, &["xml"]);
}

#[test]
fn a_missing_file_ends_with_66_and_is_named() {
    check(&["scan", "no/such/file.log"], NO_INPUT, &["no/such/file.log"]);
}

#[test]
fn a_bad_config_ends_with_78_and_is_located() {
    let place = Place::new();
    place.configure("[pairing]\nwindow_secnds = 5\n");
    let config = place.config();
    check(&["config", "check", text(&config)], CONFIG, &["config.toml:2:", "window_seconds"]);
    check(&["run", "--config", text(&config)], CONFIG, &["config.toml:2:"]);
    place.configure("[pairing]\nwindow_lines = 0\n");
    check(
        &["config", "check", text(&config)],
        CONFIG,
        &["config.toml:2:", "pairing.window_lines", "expected", "found 0"],
    );
    check(&["run", "--config", text(&place.path("none.toml"))], CONFIG, &["none.toml"]);
}

#[test]
fn a_good_config_and_the_default_one_are_accepted() {
    let place = Place::new();
    check(&["config", "check", text(&place.config())], 0, &[]);
    let default = run(&["config", "default"]);
    assert_eq!(default.code, Some(0), "{}", default.stderr);
    place.configure(&default.stdout);
    check(&["config", "check", text(&place.config())], 0, &[]);
}

#[test]
fn a_port_in_use_ends_with_69_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let place = Place::new();
    place.configure(&place.usual_config().replace("127.0.0.1:0", &address));
    check(&["run", "--config", text(&place.config())], UNAVAILABLE, &[&address]);
}

#[test]
fn check_ends_with_0_for_a_clean_token_and_1_for_a_fault() {
    let place = Place::new();
    let config = place.config();
    let arguments = ["check", "--config", text(&config), "--at", "2026-03-01T10:00:00Z"];
    let clean = run_with_input(&arguments, expand("{{token}}\n").as_bytes());
    assert_eq!(clean.code, Some(0), "{}{}", clean.stdout, clean.stderr);
    let faulty = run_with_input(&arguments, expand("{{token exp=\"2026-03-01T09:58:30Z\"}}\n").as_bytes());
    assert_eq!(faulty.code, Some(1), "{}{}", faulty.stdout, faulty.stderr);
    assert!(faulty.stdout.contains("expired") && faulty.stdout.contains("90 s before"), "{}", faulty.stdout);
}

#[test]
fn explain_knows_every_cause_and_every_code() {
    for cause in diag51007::cause::Cause::ALL {
        check(&["explain", cause.id()], 0, &[cause.title(), cause.remedy()]);
    }
    for code in diag51007::code::CODES {
        check(&["explain", &code.number.to_string()], 0, &[code.title]);
    }
    let unknown = run(&["explain", "expird"]);
    assert_ne!(unknown.code, Some(0));
    assert!(unknown.stderr.contains("expired"), "expected a suggestion in {}", unknown.stderr);
}

#[test]
fn scan_reads_standard_input_and_ends_with_0() {
    let place = Place::new();
    let config = place.config();
    let output = run_with_input(
        &["scan", "--format", "ndjson", "--config", text(&config), "-"],
        expand(place::EXPIRED).as_bytes(),
    );
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
    assert!(output.stdout.contains("\"cause\":\"expired\""), "{}", output.stdout);
}

#[test]
fn an_empty_log_is_no_error() {
    let place = Place::new();
    fs::write(place.path("empty.log"), "").expect("a writable folder");
    for format in ["text", "json", "ndjson", "prometheus"] {
        check(&["scan", "--format", format, text(&place.path("empty.log"))], 0, &[]);
    }
}
