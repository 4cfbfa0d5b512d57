//! OpenMetrics 1.0, and who gets it.
//!
//! Written from the same gathered families as the text format; `prometheus` has no encoder for it. Deliberately without
//! exemplars and creation times, which the families do not carry.

use std::fmt::Write;

use prometheus::proto::{LabelPair, MetricFamily, MetricType};

/// Content type of OpenMetrics 1.0.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Units that a name may end in.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Whether an `Accept` header prefers OpenMetrics 1.0 to the text format. Without one, and when both are equally
/// welcome only because of a wildcard, the text format is the answer.
pub fn preferred(accept: &str) -> bool {
    let (mut open, mut text, mut any) = (0.0_f32, None, None);
    let most = |known: Option<f32>, quality: f32| Some(known.map_or(quality, |known| known.max(quality)));
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let quality = parameter("q").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
        match name.as_str() {
            "application/openmetrics-text" if parameter("version").is_none_or(|v| v == "1.0.0") => {
                open = open.max(quality);
            }
            "text/plain" if parameter("version").is_none_or(|v| v == "0.0.4") => {
                text = most(text, quality);
            }
            "*/*" | "text/*" => any = most(any, quality),
            _ => {}
        }
    }
    open > 0.0 && open >= text.or(any).unwrap_or(0.0)
}

/// The page.
pub fn render(families: &[MetricFamily]) -> String {
    let mut page = String::with_capacity(64 * 1024);
    for family in families {
        // Writing to a string can't fail.
        _ = write_family(&mut page, family);
    }
    page.push_str("# EOF\n");
    page
}

fn write_family(page: &mut String, family: &MetricFamily) -> std::fmt::Result {
    let kind = family.get_field_type();
    let name = match kind {
        MetricType::COUNTER => family.name().strip_suffix("_total").unwrap_or(family.name()),
        MetricType::GAUGE | MetricType::HISTOGRAM | MetricType::SUMMARY | MetricType::UNTYPED => family.name(),
    };
    let word = match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "unknown",
    };
    writeln!(page, "# HELP {name} {}", Escaped(family.help()))?;
    writeln!(page, "# TYPE {name} {word}")?;
    if let Some(unit) = UNITS.iter().find(|unit| name.strip_suffix(**unit).is_some_and(|rest| rest.ends_with('_'))) {
        writeln!(page, "# UNIT {name} {unit}")?;
    }
    for metric in family.get_metric() {
        let labels = metric.get_label();
        match kind {
            MetricType::COUNTER => {
                let value = metric.get_counter().get_value();
                write_sample(page, &[name, "_total"], labels, None, value)?;
            }
            MetricType::GAUGE => write_sample(page, &[name], labels, None, metric.get_gauge().get_value())?,
            // Nothing here makes untyped numbers.
            MetricType::UNTYPED => {}
            MetricType::HISTOGRAM => write_histogram(page, name, labels, metric.get_histogram())?,
            MetricType::SUMMARY => {
                let summary = metric.get_summary();
                for quantile in summary.get_quantile() {
                    let label = Some(("quantile", quantile.quantile()));
                    write_sample(page, &[name], labels, label, quantile.value())?;
                }
                write_sample(page, &[name, "_sum"], labels, None, summary.sample_sum())?;
                write_sample(page, &[name, "_count"], labels, None, count(summary.sample_count()))?;
            }
        }
    }
    Ok(())
}

fn write_histogram(
    page: &mut String,
    name: &str,
    labels: &[LabelPair],
    histogram: &prometheus::proto::Histogram,
) -> std::fmt::Result {
    let buckets = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    for bucket in buckets {
        let bound = Some(("le", bucket.upper_bound()));
        write_sample(page, &[name, "_bucket"], labels, bound, count(bucket.cumulative_count()))?;
    }
    let all = count(histogram.get_sample_count());
    write_sample(page, &[name, "_bucket"], labels, Some(("le", f64::INFINITY)), all)?;
    write_sample(page, &[name, "_count"], labels, None, all)?;
    write_sample(page, &[name, "_sum"], labels, None, histogram.get_sample_sum())
}

fn write_sample(
    page: &mut String,
    name: &[&str],
    labels: &[LabelPair],
    bound: Option<(&str, f64)>,
    value: f64,
) -> std::fmt::Result {
    for part in name {
        page.push_str(part);
    }
    let mut separator = '{';
    for label in labels {
        write!(page, "{separator}{}=\"{}\"", label.name(), Escaped(label.value()))?;
        separator = ',';
    }
    if let Some((name, bound)) = bound {
        write!(page, "{separator}{name}=\"{}\"", Number(bound))?;
        separator = ',';
    }
    if separator == ',' {
        page.push('}');
    }
    // Whole numbers without a point are allowed for values, but not in `le` and `quantile`.
    writeln!(page, " {value}", value = Value(value))
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
fn count(count: u64) -> f64 {
    count as f64
}

/// A number in canonical form: always with a point.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == f64::INFINITY { f.write_str("+Inf") } else { write!(f, "{:?}", self.0) }
    }
}

/// A sample's value.
struct Value(f64);

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == f64::INFINITY {
            f.write_str("+Inf")
        } else if self.0 == f64::NEG_INFINITY {
            f.write_str("-Inf")
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// A label's value or a help text.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            _ => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_wanted_most() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        for (accept, expected) in [
            (prometheus, true),
            ("application/openmetrics-text; version=1.0.0", true),
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", true),
            ("application/openmetrics-text; version=1.0.0; q=0", false),
            ("application/openmetrics-text; version=0.0.1", false),
            ("application/openmetrics-text; version=2.0.0", false),
            ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.9", false),
            ("application/openmetrics-text;version=1.0.0;q=0.3,text/plain;q=0.2,*/*;q=0.9", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("*/*", false),
            ("", false),
            (";;,q=,=;", false),
        ] {
            assert_eq!(preferred(accept), expected, "{accept}");
        }
    }

    #[test]
    fn each_type_is_written_as_the_standard_says() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("read_bytes_total", "Read \"all\"."), &["who"]).expect("counter");
        counter.with_label_values(&["a\\b\"c\nd"]).inc_by(7);
        let gauge = IntGauge::new("lag_seconds", "Lag.").expect("gauge");
        let options = HistogramOpts::new("size", "Size.").buckets(vec![0.5, 1.0]);
        let histogram = Histogram::with_opts(options).expect("histogram");
        histogram.observe(0.7);
        histogram.observe(9.0);
        registry.register(Box::new(counter)).expect("registered");
        registry.register(Box::new(gauge)).expect("registered");
        registry.register(Box::new(histogram)).expect("registered");
        let expected = r#"# HELP lag_seconds Lag.
# TYPE lag_seconds gauge
# UNIT lag_seconds seconds
lag_seconds 0
# HELP read_bytes Read \"all\".
# TYPE read_bytes counter
# UNIT read_bytes bytes
read_bytes_total{who="a\\b\"c\nd"} 7
# HELP size Size.
# TYPE size histogram
size_bucket{le="0.5"} 0
size_bucket{le="1.0"} 1
size_bucket{le="+Inf"} 2
size_count 2
size_sum 9.7
# EOF
"#;
        assert_eq!(render(&registry.gather()), expected);
    }
}
