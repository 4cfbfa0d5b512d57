//! The page at `/` in a real Chromium, served by the real daemon.
//!
//! `tests/run` unpacks the browser and axe-core into `target/tools` where they are not installed.

use std::fs;

use serde_json::{Value, json};

use crate::chromium::{Browser, tools};
use crate::mint::Draft;
use crate::place::{Place, burst, expired_at, no_identity_at, now, until_rejections};
use crate::process::Daemon;

fn url(daemon: &Daemon, query: &str) -> String {
    format!("http://{}/{query}", daemon.address)
}

/// Expired tokens and tokens without identity, as a log has them. A second lies between any two, so that no token is
/// sent twice.
fn log(expired: usize, without_identity: usize) -> String {
    let ago = |seconds: usize| now().plus_millis(-1000 * i64::try_from(seconds).expect("a small number"));
    let expired = (0..expired).map(|seconds| expired_at(ago(seconds)));
    expired.chain((0..without_identity).map(|seconds| no_identity_at(ago(seconds)))).collect()
}

const ROWS: &str = "document.querySelectorAll('.rejections > li').length";

#[test]
fn a_refusal_shows_up_while_the_page_is_open_and_an_open_row_stays_open() {
    let place = Place::new();
    place.append(&log(0, 1));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let mut browser = Browser::start();
    browser.open(&url(&daemon, ""));
    assert_eq!(browser.value("document.querySelector('#glance h2').textContent"), "Connections are being refused");
    browser.wait("the stream", "document.querySelector('#live').textContent === 'Live'");
    browser.value("document.querySelector('.rejections summary').click()");
    browser.value("document.querySelector('.rejections summary').focus()");
    let focused = browser.value("document.activeElement.id");
    place.append(&log(2, 0));
    browser.wait("the news", &format!("{ROWS} === 3"));
    assert_eq!(browser.value("document.querySelectorAll('.rejections details[open]').length"), 1);
    assert_eq!(browser.value("document.activeElement.id"), focused, "a reader keeps their place");
    assert_eq!(browser.value("document.querySelectorAll('.new').length"), 2);
    assert_eq!(browser.value("document.title"), "(3) diag51007");
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

#[test]
fn a_cause_and_a_stretch_of_time_are_chosen_with_the_keyboard() {
    let place = Place::new();
    place.append(&log(3, 2));
    let daemon = place.start();
    until_rejections(&daemon, None, 5);
    let mut browser = Browser::start();
    browser.open(&url(&daemon, ""));
    assert_eq!(browser.value(ROWS), 5);
    browser.value("document.getElementById('cause-identity_missing').focus()");
    browser.press("Enter", 13);
    browser.wait("the filter", &format!("{ROWS} === 2"));
    assert_eq!(browser.value("location.search"), "?cause=identity_missing");
    browser.value("document.getElementById('range-24h').focus()");
    browser.press("Enter", 13);
    browser.wait("the range", "document.querySelector('#range-24h[aria-current]') !== null");
    assert_eq!(browser.value("location.search"), "?range=24h&cause=identity_missing");
    assert_eq!(browser.value(ROWS), 2);
    browser.value("history.go(-2)");
    browser.wait("the way back", &format!("location.search === '' && {ROWS} === 5"));
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

/// Fills the form and sends it.
fn check(browser: &mut Browser, token: &str) {
    browser.value(&format!("document.getElementById('token').value = {}", json!(token)));
    browser.value("document.querySelector('#check-form button').focus()");
    browser.press("Enter", 13);
    browser.wait("the answer", "document.querySelector('#check-answer .answer') !== null");
}

fn expired_token() -> String {
    let mut draft = Draft::valid_at(now().as_seconds() - 7200);
    draft.payload.insert("exp".to_owned(), (now().as_seconds() - 3600).into());
    draft.sign()
}

#[test]
fn a_token_is_checked_and_not_kept() {
    let place = Place::new();
    let daemon = place.start();
    let mut browser = Browser::start();
    browser.open(&url(&daemon, ""));
    let token = expired_token();
    check(&mut browser, &token);
    let answer = browser.value("document.getElementById('check-answer').textContent");
    assert!(answer.as_str().is_some_and(|text| text.contains("Access Token expired")), "{answer}");
    let page = browser.value("document.documentElement.outerHTML");
    assert!(!page.as_str().is_some_and(|page| page.contains("eyJh")), "the token stays nowhere");
    assert_eq!(browser.value("document.getElementById('token').value"), "");
    assert_eq!(daemon.metric("diag51007_last_rejection_timestamp_seconds"), None, "a check is no rejection");
    assert!(!daemon.output().contains("eyJh"));
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

#[test]
fn the_page_works_without_scripts() {
    let place = Place::new();
    place.append(&log(3, 2));
    let daemon = place.start();
    until_rejections(&daemon, None, 5);
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&url(&daemon, ""));
    assert_eq!(browser.value(ROWS), 5);
    assert_eq!(browser.value("document.getElementById('live').hidden"), true, "nothing claims to be live");
    browser.value("document.getElementById('cause-expired').focus()");
    browser.press("Enter", 13);
    browser.wait("the filter", &format!("location.search === '?cause=expired' && {ROWS} === 3"));
    check(&mut browser, &expired_token());
    let answer = browser.value("document.getElementById('check-answer').textContent");
    assert!(answer.as_str().is_some_and(|text| text.contains("Access Token expired")), "{answer}");
}

#[test]
fn hostile_log_content_does_nothing_to_the_page_or_the_metrics() {
    let place = Place::new();
    let name = "<img src=x onerror=window.pwned=1>\u{1b}[31m.log";
    let config = place.usual_config().replace("/app.log", "/*.log");
    place.configure(&config);
    let hostile = "<script>window.pwned=1</script>\u{1b}[2J\u{1b}]0;pwned\u{7}\ndiag51007_rejections_total{cause=\"expired\"} \
                   9999\n# TYPE pwned counter\npwned 1\n";
    let refusal = log(1, 1).replace("code=51007", "code=51007 <script>window.pwned=1</script> \u{1b}[31m");
    fs::write(place.path(name), format!("{hostile}{refusal}{hostile}")).expect("a writable folder");
    let daemon = place.start();
    until_rejections(&daemon, None, 2);
    let mut browser = Browser::start();
    browser.open(&url(
        &daemon,
        "?cause=%3Cscript%3Ewindow.pwned=1%3C/script%3E&range=%22%3E%3Csvg%20onload=window.pwned=1%3E",
    ));
    browser.wait("the stream", "document.querySelector('#live').textContent === 'Live'");
    fs::write(place.path("other.log"), &refusal).expect("a writable folder");
    browser.wait("the news", &format!("{ROWS} === 4"));
    check(&mut browser, "<script>window.pwned=1</script>");
    assert_eq!(browser.value("typeof window.pwned"), "undefined");
    assert_eq!(browser.value("document.querySelectorAll('main script, main img, [onerror], [onload]').length"), 0);
    assert!(
        browser.value("document.body.textContent.includes('<img src=x onerror=window.pwned=1>')") == Value::Bool(true)
    );
    assert_eq!(browser.value("/[\\u0000-\\u0008\\u001b]/.test(document.body.textContent)"), false);
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    let metrics = daemon.get("/metrics").body;
    assert!(!metrics.contains("9999") && !metrics.contains("\npwned") && !metrics.contains('\u{1b}'), "{metrics}");
}

#[test]
fn no_script_but_the_own_one_can_run() {
    let place = Place::new();
    let daemon = place.start();
    let mut browser = Browser::start();
    browser.open(&url(&daemon, ""));
    browser.value(
        "(() => { const script = document.createElement('script'); script.textContent = 'window.pwned = 1'; \
         document.body.append(script); document.body.setAttribute('onclick', 'window.pwned = 2'); document.body.click(); })()",
    );
    assert_eq!(browser.value("typeof window.pwned"), "undefined");
    assert!(!browser.errors.is_empty(), "the policy says what it refused");
}

/// Widths and colours in which the page is looked at.
const LOOKS: [(u32, &str); 4] = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")];

#[test]
fn a_burst_shows_as_an_alert_and_an_incident_that_say_what_happened_and_what_to_do() {
    let place = Place::new();
    let daemon = place.start();
    let mut browser = Browser::start();
    browser.open(&url(&daemon, ""));
    assert_eq!(browser.value("document.querySelector('#glance h2').textContent"), "Quiet");
    assert_eq!(browser.value("document.querySelectorAll('#alerts h2, #incidents h2').length"), 0);
    browser.wait("the stream", "document.querySelector('#live').textContent === 'Live'");
    place.append(&burst(120, 40));
    browser.wait("the incident", "document.querySelector('#incidents')?.textContent.includes('goes on')");
    browser.wait("the alert", "document.querySelector('#alerts')?.textContent.includes('ExpirySpike')");
    let headline = "Expired tokens are refused far more often than usual";
    browser.wait("the headline", &format!("document.querySelector('#glance h2').textContent === '{headline}'"));
    browser.wait("all of it", "document.querySelector('#glance')?.textContent.includes('120 different tokens')");
    let glance = browser.value("document.querySelector('#glance').textContent");
    let glance = glance.as_str().expect("a text");
    for said in [
        "1 alert fires",
        "What happened",
        "120 different tokens of 40 identities came 2 h after their end",
        "clients keep a token",
        "What to do",
        "Fetch a new token",
    ] {
        assert!(glance.contains(said), "no `{said}` in {glance}");
    }
    for (width, scheme) in LOOKS {
        browser.resize(width, 900, scheme);
        browser.open(&url(&daemon, ""));
        browser.picture(&format!("burst-{width}-{scheme}"));
        let lowest = "document.querySelector('#glance .main').getBoundingClientRect().bottom <= innerHeight";
        assert_eq!(browser.value(lowest), true, "{width} px: what is wrong and what to do are on the first screen");
        let found = axe(&mut browser);
        assert!(found.is_empty(), "{width} px, {scheme}:\n{}", found.join("\n"));
        assert_eq!(browser.value("document.documentElement.scrollWidth > innerWidth"), false, "{width} px");
    }
    let page = daemon.get("/").body + &daemon.get("/api/v1/incidents").body + &daemon.get("/api/v1/alerts").body;
    assert!(
        !page.contains("user-") && page.contains("\"distinct_identities\":40"),
        "identities are counted, not shown"
    );
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

/// Runs axe-core on the page and gives what it finds serious or critical.
fn axe(browser: &mut Browser) -> Vec<String> {
    let path = tools().join("axe/package/axe.min.js");
    let script = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run tests/run, which fetches it", path.display()));
    browser.call("Runtime.evaluate", &json!({"expression": script}));
    let found = browser.value(
        "axe.run().then((found) => found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))\
         .map((one) => `${one.id}: ${one.nodes.map((node) => node.html + ' ' + node.failureSummary).join('; ')}`))",
    );
    found.as_array().expect("a list").iter().map(ToString::to_string).collect()
}

#[test]
fn axe_finds_nothing_serious_with_none_three_and_three_thousand_rejections() {
    let place = Place::new();
    let daemon = place.start();
    let mut browser = Browser::start();
    let mut before = 0;
    for count in [0, 3, 3000] {
        place.append(&log(count - before, 0));
        before = count;
        until_rejections(&daemon, None, count as u64);
        for (width, scheme) in LOOKS {
            browser.resize(width, 900, scheme);
            browser.open(&url(&daemon, ""));
            browser.picture(&format!("{count}-{width}-{scheme}"));
            browser.open(&url(&daemon, "?list=more"));
            browser
                .value("document.querySelectorAll('details').forEach((one, at) => { if (at < 3) one.open = true; })");
            check(&mut browser, &expired_token());
            let found = axe(&mut browser);
            assert!(found.is_empty(), "{count} rejections, {width} px, {scheme}:\n{}", found.join("\n"));
            let is_wide = browser.value("document.documentElement.scrollWidth > innerWidth");
            assert_eq!(is_wide, false, "{count} rejections, {width} px: nothing is wider than the window");
        }
    }
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}
