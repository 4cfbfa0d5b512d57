//! The Alerts API, asked by the real binary: late, duplicate, out-of-order and paged alerts are each counted once.
#![cfg(test)]

#[path = "support/mint.rs"]
#[allow(dead_code, reason = "shared by several test programs; each uses a part")]
mod mint;
#[path = "support/monitor.rs"]
mod monitor;
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

use diag51007::time::UnixTime;
use serde_json::json;

use mint::{AUTH_TOKEN, SECRET, sid};
use monitor::{Monitor, alert};
use place::{Place, rejections, until_rejections};
use process::{Daemon, until};

fn start(monitor: &Monitor, key: bool) -> (Place, Daemon) {
    let place = Place::new();
    let mut config = place.usual_config();
    let key = if key { format!("key = \"{}\"\n", sid("SK", "1")) } else { String::new() };
    _ = write!(
        config,
        "\n[[source]]\nname = \"alerts\"\nkind = \"alerts_api\"\naccount = \"{}\"\n{key}base_url = \"http://{}\"\n\
         poll_seconds = 1\n",
        sid("AC", "1"),
        monitor.address
    );
    place.configure(&config);
    let daemon = place.start();
    (place, daemon)
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn paged_duplicate_late_and_out_of_order_alerts_are_each_counted_once() {
    let monitor = Monitor::start();
    let expired = recipe::expand("{{token exp=\"2026-03-01T09:58:30Z\"}}");
    let with_request = json!({"request_url": "https://app.example.com/token", "request_method": "POST"});
    monitor.with(|state| {
        state.alerts = vec![
            alert(5, &json!({"date_generated": "2026-03-01T12:00:00Z"})),
            alert(1, &json!({})),
            alert(5, &json!({})),
            alert(2, &json!({"error_code": "11200"})),
            alert(3, &json!({"error_code": "20104", "log_level": "warning", "alert_text": "plain"})),
            alert(4, &with_request),
            alert(6, &json!({"log_level": "notice"})),
        ];
        let details = json!({"request_variables": format!("Token={expired}&x=1"), "response_body": "<html/>"});
        state.details.insert(format!("NO{:032x}", 4), details);
    });
    let (place, daemon) = start(&monitor, true);
    // Ready when the first round is over.
    until_rejections(&daemon, None, 4);
    assert_eq!(rejections(&daemon, Some("expired")), 2, "one by its code, one by the token of its request");
    // Late ones come with an earlier time and anywhere in the list; those before them are asked for again.
    monitor.with(|state| state.alerts.insert(0, alert(7, &json!({"date_generated": "2026-02-28T10:00:00Z"}))));
    until_rejections(&daemon, None, 5);
    monitor.with(|state| state.alerts.insert(3, alert(8, &json!({}))));
    until_rejections(&daemon, None, 6);
    let asked = monitor.with(|state| state.asked.len());
    until("two more rounds", || monitor.with(|state| (state.asked.len() > asked + 10).then_some(())));
    assert_eq!(rejections(&daemon, None), 6);
    monitor.with(|state| {
        assert_eq!(state.faults, Vec::<String>::new());
        let expected = basic(&sid("SK", "1"), SECRET);
        assert!(state.authorizations.iter().all(|authorization| *authorization == expected));
        let single = state.asked.iter().filter(|path| path.starts_with("/v1/Alerts/NO")).count();
        assert_eq!(single, 1, "the single alert is asked for once: {:?}", state.asked);
        assert!(state.asked[0].starts_with("/v1/Alerts?StartDate=20"), "{}", state.asked[0]);
    });
    let page = daemon.get("/metrics").body;
    let labels = |kind: &str| [format!("outcome=\"{kind}\""), "source=\"alerts\"".to_owned()];
    assert_eq!(process::value(&page, "diag51007_events_total", &labels("counted")), Some(6.0));
    assert_eq!(process::value(&page, "diag51007_events_total", &labels("ignored")), Some(2.0));
    // What came while it was down is counted, and what was counted is known.
    daemon.signal("KILL");
    drop(daemon);
    monitor.with(|state| {
        state.alerts.insert(1, alert(9, &json!({})));
        state.asked.clear();
    });
    let daemon = place.start();
    until_rejections(&daemon, None, 7);
    monitor.with(|state| {
        let (_, since) = state.asked[0].split_once("StartDate=").expect("a time to begin with");
        let (since, _) = since.split_once('&').expect("a further parameter");
        let since = UnixTime::parse(&since.replace("%3A", ":")).expect("a time");
        let days = place::now().seconds_since(since) / 86_400;
        assert!((28..=30).contains(&days), "asked for the last {days} days");
    });
}

#[test]
fn troubles_are_said_in_words_and_over_when_they_are_over() {
    let monitor = Monitor::start();
    monitor.with(|state| {
        state.refusals = vec![401, 429, 503];
        state.alerts = vec![alert(1, &json!({}))];
    });
    let (_place, daemon) = start(&monitor, false);
    until_rejections(&daemon, None, 1);
    let page = daemon.get("/metrics").body;
    for kind in ["auth", "rate_limited", "remote"] {
        let labels = [format!("kind=\"{kind}\""), "source=\"alerts\"".to_owned()];
        assert_eq!(process::value(&page, "diag51007_source_errors_total", &labels), Some(1.0), "{kind}");
    }
    let output = daemon.output();
    let expected = format!("Twilio answers 401: the account {} or its Auth Token is wrong", sid("AC", "1"));
    assert!(output.contains(&expected), "{output}");
    assert!(!output.contains(AUTH_TOKEN));
    until("up again", || {
        let page = daemon.get("/metrics").body;
        (process::value(&page, "diag51007_source_up", &["source=\"alerts\"".to_owned()]) == Some(1.0)).then_some(())
    });
    monitor.with(|state| {
        let expected = basic(&sid("AC", "1"), AUTH_TOKEN);
        assert!(state.authorizations.iter().all(|authorization| *authorization == expected));
    });
}
