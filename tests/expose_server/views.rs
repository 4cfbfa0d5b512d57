//! What the views say: golden pages, children at 0, escaping.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use diag51007::cause::Cause;
use diag51007::diagnosis::{About, Basis, Check, Diagnosis, Fingerprint, Reported, SkipReason, TokenState};
use diag51007::expose::metrics::table::FAMILIES;
use diag51007::expose::{metrics, openmetrics};
use diag51007::ledger::{Ledger, Settings, window::Window};
use diag51007::product::Product;
use diag51007::source::{Failure, Health, Rotation};
use tokio::sync::watch;

use super::client::get;
use super::scene::{NOW, Server, apply, bare, empty, expired, lively, registry, status};

/// Compares with a file in `tests/golden`; `UPDATE=1` rewrites it.
#[track_caller]
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
    assert!(
        expected == found,
        "tests/golden/{name} differs from line {} on: run with UPDATE=1 and look at the difference",
        differs.map_or(expected.lines().count().min(found.lines().count()), |at| at) + 1
    );
}

fn gathered(mut ledger: Ledger) -> prometheus::Registry {
    // The receivers go on reading the last value when the senders are gone.
    let (_, view) = watch::channel(ledger.commit_at(NOW));
    let (_, status) = watch::channel(Arc::new(status(true)));
    registry(view, status)
}

fn page(ledger: Ledger) -> String {
    metrics::text(&gathered(ledger)).expect("a page")
}

#[test]
fn the_metrics_are_golden() {
    golden("metrics.txt", &page(lively()));
    golden("openmetrics.txt", &openmetrics::render(&gathered(lively()).gather()));
}

#[test]
fn the_summary_is_golden() {
    let view = lively().commit_at(NOW);
    let summary = diag51007::expose::summary(&view, Window::default(), NOW);
    golden("summary.json", &(serde_json::to_string_pretty(&summary).expect("JSON") + "\n"));
    let view = empty().commit_at(NOW);
    let summary = diag51007::expose::summary(&view, Window::from_seconds(86_400).expect("a window"), NOW);
    golden("summary_empty.json", &(serde_json::to_string_pretty(&summary).expect("JSON") + "\n"));
}

#[test]
fn promtool_has_nothing_to_say_about_the_metrics() {
    let registry = gathered(lively());
    metrics::register_process(&registry).expect("registered once");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the Debian package `prometheus`");
    let page = metrics::text(&registry).expect("a page");
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("written");
    let output = promtool.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn every_child_of_a_closed_list_exists_from_the_start() {
    let page = page(empty());
    let has = |line: &str| assert!(page.lines().any(|found| found == line), "no `{line}`");
    for source in ["app", "gateway"] {
        for product in Product::ALL.map(Product::id) {
            for cause in Cause::ALL.map(Cause::id) {
                has(&format!(
                    "diag51007_rejections_total{{source=\"{source}\",product=\"{product}\",cause=\"{cause}\"}} 0"
                ));
            }
        }
        for state in TokenState::ALL.map(TokenState::id) {
            has(&format!("diag51007_tokens_total{{source=\"{source}\",state=\"{state}\"}} 0"));
        }
        for kind in Rotation::ALL.map(Rotation::id) {
            has(&format!("diag51007_file_rotations_total{{source=\"{source}\",kind=\"{kind}\"}} 0"));
        }
        for kind in Failure::ALL.map(Failure::id) {
            has(&format!("diag51007_source_errors_total{{source=\"{source}\",kind=\"{kind}\"}} 0"));
        }
    }
    for code in diag51007::code::CODES.iter().filter(|code| code.counts) {
        has(&format!("diag51007_rejections_by_code_total{{code=\"{}\"}} 0", code.number));
    }
    has("diag51007_rejections_by_code_total{code=\"none\"} 0");
    for basis in Basis::ALL.map(Basis::id) {
        has(&format!("diag51007_rejections_by_basis_total{{basis=\"{basis}\"}} 0"));
    }
    for cause in Cause::ALL.map(Cause::id) {
        has(&format!("diag51007_findings_total{{cause=\"{cause}\"}} 0"));
    }
    for check in Check::ALL.map(Check::id) {
        for reason in SkipReason::ALL.map(SkipReason::id) {
            has(&format!("diag51007_checks_skipped_total{{check=\"{check}\",reason=\"{reason}\"}} 0"));
        }
    }
}

#[test]
fn every_family_of_the_table_is_on_the_page() {
    let page = page(lively());
    let shown: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let named: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(shown, named);
}

#[test]
fn a_removed_source_keeps_its_counters_and_loses_its_gauges() {
    let mut ledger = lively();
    ledger.reload(Settings::default(), ["gateway".into()]);
    let page = page(ledger);
    assert!(page.contains("diag51007_lines_total{source=\"app\"} 120000\n"));
    assert!(!page.contains("diag51007_source_up{source=\"app\"}"));
    assert!(page.contains("diag51007_source_up{source=\"gateway\"} 0\n"));
}

#[tokio::test]
async fn the_page_escapes_what_is_hostile() {
    let hostile = "</td><script>alert(\"1\")</script>&'";
    let mut ledger = Ledger::new(Settings::default(), [hostile.into()], NOW);
    apply(&mut ledger, Diagnosis { source: hostile.into(), path: Some(hostile.into()), ..expired(1, 5) });
    apply(&mut ledger, bare(2, 5));
    let failed = Health::Failed { kind: Failure::Read, message: hostile.to_owned() };
    ledger.health(hostile, &failed, NOW);
    let server = Server::start(ledger).await;
    let answer = get(server.address, "/").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    let page = answer.text();
    assert!(!page.contains("<script>alert") && !page.contains("alert(\""), "{page}");
    assert_eq!(page.matches("&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;").count(), 7);
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'; style-src 'sha256-")
            && policy.contains("script-src 'sha256-")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    let metrics = get(server.address, "/metrics").await;
    assert!(metrics.text().contains(r#"{source="</td><script>alert(\"1\")</script>&'"}"#));
}

#[tokio::test]
async fn the_page_leads_from_a_refusal_to_what_the_other_source_tells_of_it() {
    let hostile = "</a><script>";
    let about = About { identity: Some(Fingerprint([7; 8])), service: None };
    let told = |product| {
        let mut ledger = Ledger::new(Settings::default(), ["app".into(), hostile.into()], NOW);
        apply(&mut ledger, Diagnosis { about, ..expired(1, 5) });
        let event = Some(Reported::default());
        apply(
            &mut ledger,
            Diagnosis { source: hostile.into(), event, product, code: Some(51007), about, ..bare(4, 3) },
        );
        apply(&mut ledger, expired(3, 60));
        ledger
    };
    let server = Server::start(told(Product::Video)).await;
    assert!(!get(server.address, "/").await.text().contains("The same refusal"), "another product contradicts");
    let server = Server::start(told(Product::Unknown)).await;
    let page = get(server.address, "/").await.text().to_owned();
    assert_eq!(page.matches("The same refusal: ").count(), 2, "{page}");
    for (id, source) in [(1, "app"), (4, "&lt;/a&gt;&lt;script&gt;")] {
        let anchor = format!("<a href=\"#s-{id:016x}\">");
        let link = page.split_once(&anchor).and_then(|(_, rest)| rest.split_once("</a>")).expect("a link").0;
        assert!(link.ends_with(&format!("</time>, from {source}")), "{link}");
        assert_eq!(page.matches(&format!("<summary id=\"s-{id:016x}\">")).count(), 1, "{page}");
    }
    assert!(!page.contains(hostile) && !page.contains("0707070707070707"), "{page}");
    let one_cause = get(server.address, "/?cause=expired").await.text().to_owned();
    assert_eq!(one_cause.matches("The same refusal: ").count(), 1, "{one_cause}");
    assert!(!one_cause.contains("#s-"), "{one_cause}");
}

#[tokio::test]
async fn the_page_shows_what_happened_and_what_to_do() {
    let server = Server::start(lively()).await;
    let answer = get(server.address, "/").await;
    for wanted in [
        "4 connections were refused in the last 5 minutes; the latest refusal was 30 s ago.",
        Cause::Expired.title(),
        "Fetch a new token and call <code>updateToken</code> when the SDK says",
        "expected <code>exp</code> after 2026-11-24T02:39:59.500Z, when the connection was refused",
        "Not checked: signature (no secret)",
        "/var/log/app/chat.log:13",
        "last error, just now: can&#39;t open a file: permission denied",
        "Not working: gateway.",
        "8.6 MiB",
    ] {
        assert!(answer.text().contains(wanted), "no `{wanted}` in {}", answer.text());
    }
    let quiet = Server::start(empty()).await;
    let answer = get(quiet.address, "/").await;
    assert!(answer.text().contains(
        "No connection was refused in the last 5 minutes; none has been seen yet. 2 sources followed, 0 lines read."
    ));
}
