//! Metrics and causes named outside the code: in the README, dashboards, rules and example configs.

use std::collections::BTreeSet;

use diag51007::cause::Cause;

const PREFIX: &str = "diag51007_";
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Does a file name metrics and causes that an operator will rely on?
pub(crate) fn is_checked(path: &str) -> bool {
    path == "README.md" || path.starts_with("dashboards/") || path.starts_with("config/")
}

/// The metrics in the README's table, which a test compares with the page that the binary serves.
pub(crate) fn metrics_of(readme: &str) -> BTreeSet<String> {
    let table = super::tables::between(readme, "metrics").unwrap_or_default();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(PREFIX)).collect()
}

/// Complaints about one file.
pub(crate) fn check(file: &str, content: &str, metrics: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in content.lines().enumerate() {
        for name in words(line).filter(|word| word.starts_with(PREFIX) && word.len() > PREFIX.len()) {
            let plain = HISTOGRAM_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
            if !metrics.contains(name) && !plain.is_some_and(|plain| metrics.contains(plain)) {
                complaints.push(format!("{file}:{}: `{name}` is no metric of the README's table", at + 1));
            }
        }
        for id in causes(line).filter(|id| Cause::from_id(id).is_none()) {
            complaints.push(format!("{file}:{}: `{id}` is no cause", at + 1));
        }
    }
    complaints
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

/// The ids in label matchers such as `cause="expired"` and `cause=~"expired|stale_reuse"`, escaped in JSON or not.
fn causes(line: &str) -> impl Iterator<Item = &str> {
    let matchers = line.match_indices("cause=").map(|(at, word)| line.split_at(at + word.len()).1);
    let values = matchers.filter_map(|rest| {
        let rest = rest.trim_start_matches(['~', '!', '=']).trim_start_matches('\\').strip_prefix('"')?;
        let end = rest.find(['"', '\\'])?;
        Some(rest.split_at(end).0)
    });
    values.flat_map(|value| value.split('|')).filter(|id| {
        // A dashboard's variable or a pattern is no id.
        !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    })
}

mod tests {
    use super::*;

    #[track_caller]
    fn complains(content: &str, expected: &[&str]) {
        let metrics = ["diag51007_a_total", "diag51007_b_seconds"].map(str::to_owned).into();
        assert_eq!(check("x", content, &metrics), expected);
    }

    #[test]
    fn a_metric_that_does_not_exist_is_reported() {
        complains(
            "rate(diag51007_a_total[5m])\ndiag51007_c_total",
            &["x:2: `diag51007_c_total` is no metric of the README's table"],
        );
        complains("diag51007_b_seconds_bucket", &[]);
    }

    #[test]
    fn a_cause_that_does_not_exist_is_reported() {
        complains(r#"diag51007_a_total{cause="expired"}"#, &[]);
        complains(r#""expr": "diag51007_a_total{cause=~\"expired|exprd\"}""#, &["x:1: `exprd` is no cause"]);
        complains(r#"{cause="$cause"} {cause=~".+"}"#, &[]);
    }

    #[test]
    fn the_metrics_are_read_from_the_table() {
        let readme = "<!-- metrics -->\n| name |\n| --- |\n| `diag51007_a_total` | x |\n<!-- /metrics -->\n";
        assert_eq!(metrics_of(readme), ["diag51007_a_total".to_owned()].into());
    }
}
