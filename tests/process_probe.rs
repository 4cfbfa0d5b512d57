//! `config check --probe`: one line for each thing that the config names, and what helps where it does not work.
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

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use mint::{AUTH_TOKEN, SECRET, sid};
use place::Place;
use process::{Output, run, text};

/// Answers every request so, and gives the address.
fn server(answer: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            // Whoever asks may be gone.
            _ = stream.read(&mut request);
            let length = body.len();
            _ = write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    address
}

/// An address at which nobody listens.
fn closed() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").to_string()
}

fn alerts(name: &str, address: &str) -> String {
    let account = sid("AC", "1");
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"alerts_api\"\naccount = \"{account}\"\nbase_url = \"http://{address}\"\n"
    )
}

fn probe(place: &Place, extra: &str) -> Output {
    place.configure(&format!("{}{extra}", place.usual_config()));
    let output = run(&["config", "check", "--probe", text(&place.config())]);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(!said.contains(SECRET) && !said.contains(AUTH_TOKEN), "a secret is shown: {said}");
    output
}

#[track_caller]
fn says(output: &Output, line: &str) {
    assert!(output.stdout.lines().any(|found| found.contains(line)), "{line}\nin\n{}", output.stdout);
}

#[test]
fn what_works_is_said_with_what_was_found() {
    let place = Place::new();
    let page = "{\"alerts\": [], \"meta\": {\"next_page_url\": null}}";
    let mut extra = alerts("alerts", &server("200 OK", page));
    _ = write!(
        extra,
        "[[source]]\nname = \"debugger\"\nkind = \"webhook\"\npath = \"/twilio\"\n\
         public_url = \"https://ops.example.com/twilio\"\n[alertmanager]\nurls = [\"http://{}\"]\n",
        server("200 OK", "")
    );
    let output = probe(&place, &extra);
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    says(&output, "source app: 1 file matches, readable");
    says(&output, "is not there yet and can be made");
    says(&output, "web.listen 127.0.0.1:0: free");
    says(&output, "answers, with the credentials of AC");
    says(&output, "signatures are checked with 1 Auth Token, for https://ops.example.com/twilio");
    says(&output, "takes alerts");
    assert!(output.stdout.lines().all(|line| line.starts_with("ok ")), "{}", output.stdout);
    // Nothing is left behind.
    assert!(!place.path("state").exists());
}

#[test]
fn what_does_not_work_is_said_with_what_helps() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut extra = alerts("wrong", &server("401 Unauthorized", "{}"));
    extra.push_str(&alerts("forbidden", &server("403 Forbidden", "{}")));
    extra.push_str(&alerts("elsewhere", &server("200 OK", "<html>")));
    extra.push_str(&alerts("nobody", &closed()));
    _ = write!(
        extra,
        "[[source]]\nname = \"journal\"\nkind = \"journald\"\ncommand = \"/nowhere/journalctl\"\n\
         [[source]]\nname = \"gone\"\nkind = \"file\"\ninclude = [\"/nowhere/*.log\"]\n\
         [[source]]\nname = \"none\"\nkind = \"file\"\ninclude = [\"{}/*.none\"]\n\
         [alertmanager]\nurls = [\"http://{}\", \"http://{}\"]\n",
        place.folder().display(),
        server("404 Not Found", ""),
        closed(),
    );
    let config = place.usual_config().replace("127.0.0.1:0", &taken.local_addr().expect("its address").to_string());
    place.configure(&format!("{config}{extra}"));
    let output = run(&["config", "check", "--probe", text(&place.config())]);
    assert_eq!(output.code, Some(69), "{}{}", output.stdout, output.stderr);
    says(&output, "Twilio answers 401: the account");
    says(&output, "Twilio answers 403: the account");
    says(&output, "source elsewhere: the answer is not Twilio's");
    says(&output, "source nobody: 127.0.0.1 can't be reached");
    says(&output, "`/nowhere/journalctl` is not there");
    says(&output, "source gone: 0 files match, 0 readable: Expected a file or folder at /nowhere");
    says(&output, "source none: 0 files match: look at `include`");
    says(&output, "it answers with status 404: check whether the URL needs a prefix");
    says(&output, "check `alertmanager.urls`, the network and the certificates");
    says(&output, "the address is in use by another process");
    says(&output, "source app: 1 file matches, readable");
    let failed = output.stdout.lines().filter(|line| line.starts_with("failed ")).count();
    assert_eq!(failed, 10, "{}", output.stdout);

    let output = run(&["config", "check", "--probe", "--format", "json", text(&place.config())]);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((output.code, &report["status"]), (Some(69), &json!("failed")));
    let probes = report["probes"].as_array().expect("a list");
    assert_eq!(probes.iter().filter(|probe| probe["ok"] == json!(false)).count(), 10);
    assert!(probes.iter().any(|probe| probe["what"] == json!("source app") && probe["ok"] == json!(true)));
}

#[test]
fn beside_the_running_daemon_its_address_and_state_are_no_fault() {
    let place = Place::new();
    let daemon = place.start();
    place.configure(&place.usual_config().replace("127.0.0.1:0", &daemon.address));
    let output = run(&["config", "check", "--probe", text(&place.config())]);
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    says(&output, &format!("is in use by process {}", daemon.id()));
    says(&output, "a diag51007 with this config runs");
}

#[test]
fn without_a_probe_nothing_is_tried() {
    let place = Place::new();
    place.configure(&format!("{}{}", place.usual_config(), alerts("nobody", &closed())));
    let output = run(&["config", "check", text(&place.config())]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let output = run(&["config", "check", "--format", "json", text(&place.config())]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
}
