//! The real binary judges one token: with a secret from a file or the environment, and over HTTP as on the command line.
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

use serde_json::{Value, json};

use mint::SECRET;
use place::Place;
use process::{command, run_with_input, text};
use recipe::expand;

const AT: &str = "2026-03-01T10:00:00Z";

/// Checks a token with a secret from a file, and gives the causes of its findings.
#[track_caller]
fn check_with(place: &Place, secret: &str, recipe: &str, expected: &[&str]) -> Value {
    let path = place.path("sk.secret");
    fs::write(&path, secret).expect("a writable folder");
    let arguments = ["check", "--at", AT, "--format", "json", "--secret-file", text(&path)];
    let output = run_with_input(&arguments, expand(recipe).as_bytes());
    let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr));
    let causes: Vec<_> =
        json["findings"].as_array().expect("findings").iter().filter_map(|finding| finding["cause"].as_str()).collect();
    assert_eq!(causes, expected, "{json}");
    assert!(!(output.stdout + &output.stderr).contains(secret.trim()), "the secret is shown");
    json
}

#[test]
fn a_secret_from_a_file_is_that_of_the_key_in_the_token() {
    let place = Place::new();
    let json = check_with(&place, &format!("{SECRET}\n"), "{{token}}", &["none_found"]);
    let skipped = json["skipped"].to_string();
    assert!(!skipped.contains("signature") && skipped.contains("account"), "{skipped}");
    check_with(&place, "another_secret_that_is_not_right", "{{token}}", &["signature_invalid"]);
    check_with(&place, SECRET, &format!("{{{{token secret=\"{SECRET}\\n\"}}}}"), &["wrong_secret"]);
    // Without a key SID it is not known whose secret it is.
    check_with(&place, SECRET, "{{token iss=\"AC…1\"}}", &["issuer_invalid"]);
}

#[test]
fn a_secret_from_the_environment_counts_in_place_of_that_of_the_config() {
    let place = Place::new();
    let config = place.config();
    let token = expand("{{token secret=\"the_new_secret_of_the_rotated_key\"}}");
    let check = |arguments: &[&str]| {
        let all = [&["check", "--at", AT, "--config", text(&config)], arguments, &[&token]].concat();
        let output = command(&all).env("NEW_SECRET", "the_new_secret_of_the_rotated_key").output();
        output.expect("the binary starts").status.code()
    };
    assert_eq!(check(&[]), Some(1));
    assert_eq!(check(&["--secret-env", "NEW_SECRET"]), Some(0));
}

#[test]
fn a_secret_that_is_not_there_is_said_without_showing_what_may_be_one() {
    let cases: [(&[&str], &str); 4] = [
        (&["--secret-file", "no/such/file"], "no/such/file can't be read"),
        (&["--secret-env", "NO_SUCH_VARIABLE"], "`NO_SUCH_VARIABLE` is not set"),
        (&["--secret-env", "00112233445566778899aabbccddeeff"], "found what may be a secret"),
        (&["--secret-file", "00112233445566778899aabbccddeeff"], "the secret's file can't be read"),
    ];
    for (arguments, expected) in cases {
        let output = run_with_input(&[&["check"], arguments].concat(), b"eyJh");
        assert_eq!(output.code, Some(78), "{}", output.stderr);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
        assert!(!output.stderr.contains("00112233"), "{}", output.stderr);
    }
}

#[test]
fn what_people_paste_gets_the_same_answer_over_http_and_on_the_command_line() {
    let place = Place::new();
    let (config, daemon) = (place.config(), place.start());
    let token = expand("{{token exp=\"2026-03-01T09:58:30Z\" -identity}}");
    let (head, tail) = token.split_at(90);
    let pastes = [
        token.clone(),
        format!("\"{token}\","),
        format!("Authorization: Bearer {token}"),
        format!("{{\"identity\":\"alice\",\"token\":\"{token}\"}}"),
        format!("{head}\n  {tail}\n"),
        format!("https://example.com/?token={}", token.replace('.', "%2E")),
        "undefined".to_owned(),
        String::new(),
    ];
    for paste in pastes {
        let arguments = ["check", "--config", text(&config), "--at", AT, "--product", "chat", "--format", "json"];
        let said = run_with_input(&arguments, paste.as_bytes()).stdout;
        let mut said: Value = serde_json::from_str(&said).expect("JSON");
        let body = json!({"token": paste, "at": AT, "product": "chat"}).to_string();
        let answer = daemon.post("/api/v1/check", "application/json", body.as_bytes());
        let mut answered: Value = serde_json::from_str(&answer.body).expect("JSON");
        // Fingerprints have another key in every process.
        for answer in [&mut said, &mut answered] {
            answer["id"] = Value::Null;
            answer["token"]["fingerprint"] = Value::Null;
        }
        assert_eq!(said, answered);
        if paste.starts_with('{') {
            assert!(said["notes"][0].as_str().is_some_and(|note| note.contains("not_a_token")), "{said}");
        }
    }
}
