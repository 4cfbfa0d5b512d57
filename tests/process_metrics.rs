//! The table of metrics in the README equals the page that the binary serves.
//!
//! `UPDATE=1` rewrites the table from the page's own help texts.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use place::{EXPIRED, Place, until_rejections};
use recipe::expand;

/// What the page says of one metric.
#[derive(Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// Reads a page of the text format 0.0.4.
fn metrics(page: &str) -> BTreeMap<String, Metric> {
    let mut found: BTreeMap<String, Metric> = BTreeMap::new();
    for line in page.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, help] => (*help).clone_into(&mut found.entry((*name).to_owned()).or_default().help),
            ["#", "TYPE", name, kind] => (*kind).clone_into(&mut found.entry((*name).to_owned()).or_default().kind),
            _ => labels(line, &mut found),
        }
    }
    found.retain(|name, _| name.starts_with("diag51007_"));
    found
}

fn labels(line: &str, found: &mut BTreeMap<String, Metric>) {
    let Some((name, rest)) = line.split_once('{') else { return };
    let plain = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let name = if found.contains_key(name) { name } else { plain.unwrap_or(name) };
    let Some(metric) = found.get_mut(name) else { return };
    let names = rest.split("=\"").filter_map(|before| before.rsplit([',', '{', ' ']).next());
    let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let count = rest.matches("=\"").count();
    metric.labels.extend(names.take(count).filter(is_name).filter(|name| *name != "le").map(str::to_owned));
}

fn table(metrics: &BTreeMap<String, Metric>) -> String {
    let mut table = String::from("| metric | kind | labels | |\n| --- | --- | --- | --- |\n");
    for (name, Metric { kind, help, labels }) in metrics {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        _ = writeln!(table, "| `{name}` | {kind} | {} | {} |", labels.join(", "), help.replace('|', "\\|"));
    }
    table
}

#[test]
fn the_table_of_metrics_in_the_readme_equals_the_page() {
    let place = Place::new();
    place.append(&expand(EXPIRED));
    let daemon = place.start();
    until_rejections(&daemon, None, 1);
    let table = table(&metrics(&daemon.get("/metrics").body));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("the README");
    let (before, behind) = readme.split_once("<!-- metrics -->\n").expect("the opening marker");
    let (found, after) = behind.split_once("<!-- /metrics -->").expect("the closing marker");
    if std::env::var_os("UPDATE").is_some() {
        let wanted = format!("{before}<!-- metrics -->\n{table}<!-- /metrics -->{after}");
        fs::write(&path, wanted).expect("the README is writable");
        return;
    }
    assert_eq!(found, table, "run the test with UPDATE=1");
}

#[test]
fn labels_come_from_the_series_and_texts_from_the_help() {
    let page = "# HELP diag51007_a_total What.\n# TYPE diag51007_a_total counter\n\
                diag51007_a_total{cause=\"x\",source=\"a, b=c\"} 1\n# TYPE diag51007_h histogram\n\
                diag51007_h_bucket{product=\"chat\",le=\"1\"} 1\n# TYPE other gauge\nother 1\n";
    let table = table(&metrics(page));
    assert!(table.contains("| `diag51007_a_total` | counter | cause, source | What. |\n"), "{table}");
    assert!(table.contains("| `diag51007_h` | histogram | product |  |\n"), "{table}");
    assert!(!table.contains("other"), "{table}");
}
