//! `/metrics`: the numbers of one committed view as Prometheus families.
//!
//! One collector makes all families from the same view, so that a scrape never shows half of a batch. The registry is
//! passed in, never global. The names are the table in [`table`]; the text formats are `prometheus`' own encoder and
//! [`super::openmetrics`].

pub mod table;

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use tokio::sync::watch;

use crate::ledger::View;
use crate::ledger::totals;

use self::table::{FAMILIES, Family, Kind};
use super::{BuildInfo, Status};

/// Content type of the text format.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All that a family may show.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The ledger's numbers.
    pub view: &'a View,
    /// The daemon's own state.
    pub status: &'a Status,
    /// Which build this is.
    pub build: &'a BuildInfo,
}

/// The samples of one family.
#[derive(Debug)]
pub struct Rows {
    kind: Kind,
    labels: &'static [&'static str],
    metrics: Vec<Metric>,
}

impl Rows {
    /// Adds a sample, with the values of the family's labels in their order.
    pub fn add(&mut self, values: &[&str], value: f64) {
        let mut metric = self.labelled(values);
        match self.kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge | Kind::Histogram => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.metrics.push(metric);
    }

    /// Adds a sample that is a whole number.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in f64")]
    pub fn count(&mut self, values: &[&str], value: u64) {
        self.add(values, value as f64);
    }

    /// Adds a histogram.
    pub fn histogram(&mut self, values: &[&str], observed: &totals::Histogram) {
        let mut below = 0;
        let bucket = |(bound, count): (&f64, &u64)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(observed.bounds.iter().zip(&observed.counts).map(bucket).collect());
        histogram.set_sample_count(observed.count);
        histogram.set_sample_sum(observed.sum);
        let mut metric = self.labelled(values);
        metric.set_histogram(histogram);
        self.metrics.push(metric);
    }

    fn labelled(&self, values: &[&str]) -> Metric {
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        Metric::from_label(self.labels.iter().zip(values).map(pair).collect())
    }
}

/// Makes every family from the latest view.
#[derive(Debug)]
struct Families {
    descriptions: Vec<Desc>,
    view: watch::Receiver<Arc<View>>,
    status: watch::Receiver<Arc<Status>>,
    build: BuildInfo,
}

/// Registers the table of families.
pub fn register(
    registry: &Registry,
    view: watch::Receiver<Arc<View>>,
    status: watch::Receiver<Arc<Status>>,
    build: BuildInfo,
) -> prometheus::Result<()> {
    let describe = |family: &Family| {
        let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(family.name.to_owned(), family.help.to_owned(), labels, HashMap::new())
    };
    let descriptions = FAMILIES.iter().map(describe).collect::<prometheus::Result<_>>()?;
    registry.register(Box::new(Families { descriptions, view, status, build }))
}

/// Registers the `process_*` families of this process.
pub fn register_process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(ProcessCollector::for_self()))
}

impl Collector for Families {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (view, status) = (Arc::clone(&self.view.borrow()), Arc::clone(&self.status.borrow()));
        let scene = Scene { view: &view, status: &status, build: &self.build };
        FAMILIES.iter().map(|family| collect(family, &scene)).collect()
    }
}

fn collect(family: &Family, scene: &Scene<'_>) -> MetricFamily {
    let mut rows = Rows { kind: family.kind, labels: family.labels, metrics: Vec::new() };
    (family.rows)(scene, &mut rows);
    let mut made = MetricFamily::default();
    made.set_name(family.name.to_owned());
    made.set_help(family.help.to_owned());
    made.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    made.set_metric(rows.metrics);
    made
}

/// The page in text format 0.0.4.
pub fn text(registry: &Registry) -> prometheus::Result<String> {
    let families = registry.gather();
    let mut page = String::with_capacity(64 * 1024);
    TextEncoder::new().encode_utf8(&families, &mut page)?;
    Ok(page)
}
