//! A log that attacks whoever reads it (markup, escapes of terminals, fake metrics, templates, text that runs backwards),
//! through the whole daemon: nothing of it is interpreted on the page, `/metrics`, the API, the daemon's own log or in
//! Alertmanager. `process_top.rs` does the same to `top`.

use std::fs;

use crate::chromium::Browser;
use crate::mint::Draft;
use crate::place::{Place, now, until_rejections};
use crate::process::until;
use crate::service::Service;

const CLIENTS: i64 = 40;

/// What stands in the lines, and in the claims of their tokens.
const ATTACK: &str = "<script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\">\u{1b}]0;pwned\u{7}\u{1b}[2J\
                      \u{202e}pwned\0 {{ $labels.pwned }} {{ template \"pwned\" }} ${__pwned} [pwned](javascript:pwned) \
                      \u{9b}31m";
/// A line of its own that looks like a metric.
const FAKE: &str = "\ndiag51007_rejections_total{source=\"app\",product=\"pwned\",cause=\"expired\"} 999999\n";
/// The name of the log, which is shown.
const NAME: &str = "<img src=x onerror=window.pwned=1>{{ .pwned }}\u{1b}[31m\u{202e}.log";

fn lines() -> String {
    let now = now();
    let refused = |client: i64| {
        let mut draft = Draft::valid_at(now.as_seconds() - 10_800 - client);
        draft.payload.insert("jti".to_owned(), ATTACK.into());
        draft.payload["grants"]["identity"] = format!("{ATTACK}{client}").into();
        let token = draft.sign();
        format!("{now} error {ATTACK} Twilio error code=51007 \"{ATTACK}\" token={token}{FAKE}")
    };
    (0..CLIENTS).map(refused).collect()
}

/// Nothing that a terminal, an exposition format or a template would act on.
#[track_caller]
fn check(what: &str, said: &str) {
    for acts in ['\u{1b}', '\u{9b}', '\u{7}', '\0', '\u{202e}'] {
        assert!(!said.contains(acts), "{what} holds {acts:?}: {said:?}");
    }
    for part in ["pwned\"", "template \"", "$labels", "javascript:", "999999"] {
        assert!(!said.contains(part), "{what} holds {part:?}: {said:?}");
    }
}

#[test]
fn a_hostile_log_is_shown_as_text_or_not_at_all() {
    let place = Place::new();
    let config = place.path("alertmanager.yml");
    fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").expect("a writable folder");
    let manager = Service::alertmanager(&config, &place.path("alertmanager"), "127.0.0.1:0");
    place.configure(
        &(place.usual_config().replace("/app.log", "/*.log")
            + &format!("\n[alerts]\nstep_seconds = 1\n\n[alertmanager]\nurls = [\"http://{}\"]\n", manager.address)),
    );
    fs::write(place.path(NAME), "").expect("a writable folder");
    let daemon = place.start();
    fs::write(place.path(NAME), lines()).expect("a writable folder");
    until_rejections(&daemon, Some("expired"), u64::try_from(CLIENTS).expect("a few"));
    let told = until("the alert in Alertmanager", || {
        let alerts = manager.json("/api/v2/alerts");
        let is_there = alerts.as_array()?.iter().any(|alert| alert["labels"]["alertname"] == "ExpirySpike");
        is_there.then(|| alerts.to_string())
    });
    assert!(!told.contains("pwned") && !told.contains("{{"), "{told}");
    check("Alertmanager", &told);
    let metrics = daemon.get("/metrics").body;
    assert!(!metrics.contains("pwned"), "{metrics}");
    for path in [
        "/metrics",
        "/api/v1/summary",
        "/api/v1/alerts",
        "/api/v1/incidents",
        "/api/v1/rejections",
        "/api/v1/status/sources",
        "/api/v1/status/config",
        "/",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}");
        // In JSON the name of a file is what it is: JSON escapes what terminals act on, and the order of text is no act.
        let is_json = answer.head.to_ascii_lowercase().contains("content-type: application/json");
        check(path, &if is_json { answer.body.replace('\u{202e}', "") } else { answer.body });
    }
    check("the daemon's log", &daemon.output());
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", daemon.address));
    browser.wait("the rejections", "document.querySelectorAll('.rejections > li').length > 0");
    assert_eq!(browser.value("document.querySelectorAll('img, [onerror], a[href^=\"javascript\"]').length"), 0);
    let text = browser.value("document.body.textContent");
    assert!(
        text.as_str().is_some_and(|text| text.contains("<img src=x onerror=window.pwned=1>{{ .pwned }}")),
        "{text}"
    );
    assert_eq!(browser.value("typeof window.pwned"), "undefined");
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}
