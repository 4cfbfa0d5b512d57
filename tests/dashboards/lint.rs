//! The rules of Grafana's dashboard-linter, as far as they concern Prometheus, and a few of our own.
//!
//! Each rule complains in words that name the panel, so that a person finds it.

use serde_json::Value;

/// What is wrong with a dashboard.
pub(crate) fn check(dashboard: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    complaints.extend(variables(dashboard));
    // uneditable-dashboard
    if dashboard["editable"] != Value::Bool(false) {
        complaints.push("`editable`: expected false, because changes belong into the file".to_owned());
    }
    if dashboard["uid"].as_str().is_none_or(str::is_empty) || !dashboard["id"].is_null() {
        complaints.push("expected a fixed `uid` and no `id`".to_owned());
    }
    let mut ids = Vec::new();
    for panel in panels(dashboard) {
        let title = panel["title"].as_str().unwrap_or_default();
        complaints.extend(panel_rules(panel).into_iter().map(|complaint| format!("panel `{title}`: {complaint}")));
        if ids.contains(&&panel["id"]) {
            complaints.push(format!("panel `{title}`: its id is taken"));
        }
        ids.push(&panel["id"]);
    }
    complaints.extend(overlaps(dashboard));
    complaints
}

/// Every panel that is no row.
pub(crate) fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().expect("panels");
    all.iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of a panel.
pub(crate) fn queries(panel: &Value) -> Vec<&str> {
    panel["targets"].as_array().into_iter().flatten().filter_map(|target| target["expr"].as_str()).collect()
}

fn variables(dashboard: &Value) -> Vec<String> {
    let all = dashboard["templating"]["list"].as_array().expect("variables");
    let named = |name: &str| all.iter().find(|variable| variable["name"] == name);
    let mut complaints = Vec::new();
    let mut expect = |variable: &str, field: &str, found: &Value, expected: &Value| {
        if found != expected {
            complaints.push(format!("variable `{variable}`: `{field}`: expected {expected}, but found {found}"));
        }
    };
    // template-datasource-rule
    let source = named("datasource").expect("a variable `datasource`");
    expect("datasource", "label", &source["label"], &"Data source".into());
    expect("datasource", "type", &source["type"], &"datasource".into());
    expect("datasource", "query", &source["query"], &"prometheus".into());
    // template-job-rule, template-instance-rule; `source` is held to the same
    for (name, label) in [("job", "Job"), ("instance", "Instance"), ("source", "Source")] {
        let variable = named(name).unwrap_or_else(|| panic!("a variable `{name}`"));
        expect(name, "label", &variable["label"], &label.into());
        expect(name, "type", &variable["type"], &"query".into());
        expect(name, "datasource", &variable["datasource"]["uid"], &"$datasource".into());
        expect(name, "multi", &variable["multi"], &true.into());
        expect(name, "includeAll", &variable["includeAll"], &true.into());
        expect(name, "allValue", &variable["allValue"], &".+".into());
        // template-on-time-change-reload-rule
        expect(name, "refresh", &variable["refresh"], &2.into());
        // template-label-promql-rule
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        let is_sound = query.starts_with("label_values(diag51007_") && query.ends_with(&format!(", {name})"));
        expect(name, "query is label_values(metric, label)", &is_sound.into(), &true.into());
    }
    complaints
}

/// The units that are used here, of Grafana's list.
const UNITS: [&str; 5] = ["short", "s", "bytes", "Bps", "percentunit"];

fn panel_rules(panel: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // panel-title-description-rule
    if text(&panel["title"]).is_empty() || text(&panel["description"]).is_empty() {
        complaints.push("expected a title and a description".to_owned());
    }
    // panel-datasource-rule
    if panel["datasource"]["uid"] != "$datasource" {
        complaints.push("expected the data source `$datasource`".to_owned());
    }
    // panel-units-rule
    if !UNITS.contains(&text(&panel["fieldConfig"]["defaults"]["unit"]).as_str()) {
        complaints
            .push(format!("expected a unit that Grafana has, but found {}", panel["fieldConfig"]["defaults"]["unit"]));
    }
    // panel-no-targets-rule
    let queries = queries(panel);
    if queries.is_empty() {
        complaints.push("expected a query".to_owned());
    }
    for query in queries {
        complaints.extend(target_rules(query).into_iter().map(|complaint| format!("{complaint}: {query}")));
    }
    complaints
}

fn target_rules(query: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, selector) in selectors(query) {
        // target-job-rule, target-instance-rule
        for label in ["job", "instance"] {
            if !selector.labels.contains(&format!("{label}=~\"${label}\"")) {
                complaints.push(format!("expected a matcher {label}=~\"${label}\" in `{}`", selector.metric));
            }
        }
        // target-counter-agg-rule
        let before = query.split_at(at).0;
        let is_rate = ["rate(", "increase("].iter().any(|function| before.ends_with(function));
        let is_counter = ["_total", "_bucket", "_count", "_sum"].iter().any(|end| selector.metric.ends_with(end));
        if is_counter != is_rate {
            complaints
                .push(format!("expected rate or increase of counters, and of nothing else: `{}`", selector.metric));
        }
        // target-rate-interval-rule
        let range = query.split_at(at).1.split_once('}').map_or("", |(_, rest)| rest);
        if is_rate && !range.starts_with("[$__rate_interval]") && !range.starts_with("[$__range]") {
            complaints.push("expected the range $__rate_interval or $__range".to_owned());
        }
    }
    complaints
}

struct Selector<'a> {
    metric: &'a str,
    labels: &'a str,
}

/// Every `metric{labels}` with its place.
fn selectors(query: &str) -> Vec<(usize, Selector<'_>)> {
    let mut found = Vec::new();
    for (brace, _) in query.match_indices('{') {
        let (before, behind) = query.split_at(brace);
        let at = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
        let labels = behind.split_once('}').map_or("", |(labels, _)| labels);
        found.push((at, Selector { metric: before.split_at(at).1, labels }));
    }
    assert!(!found.is_empty(), "expected a metric with matchers: {query}");
    found
}

fn overlaps(dashboard: &Value) -> Vec<String> {
    let place = |panel: &Value| ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().expect("a place"));
    let all: Vec<_> = dashboard["panels"].as_array().expect("panels").iter().map(place).collect();
    let mut complaints = Vec::new();
    for (at, [x, y, w, h]) in all.iter().enumerate() {
        let crossed = |[x2, y2, w2, h2]: &[u64; 4]| x < &(x2 + w2) && x2 < &(x + w) && y < &(y2 + h2) && y2 < &(y + h);
        if x + w > 24 || all.iter().skip(at + 1).any(crossed) {
            complaints.push(format!("panel {at}: it overlaps another, or is too wide"));
        }
    }
    complaints
}
