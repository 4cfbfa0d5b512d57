//! The alerting summary: what a window held, by cause, product, key, code and source.
//!
//! `status` is the furthest state of the daemon's own alerts.

mod tokens;

use serde::Serialize;

use crate::cause::Cause;
use crate::diagnosis::{Check, Diagnosis, SkipReason};
use crate::ledger::View;
use crate::ledger::window::{CodeLabel, KeyLabel, Seen, Tally, Window};
use crate::product::Product;
use crate::time::UnixTime;

use super::{alerts, incidents};

/// The summary of a window.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    status: alerts::Overall,
    at: UnixTime,
    window: String,
    window_seconds: i64,
    rejections: u64,
    rate_per_second: f64,
    distinct_tokens: u64,
    #[serde(skip_serializing_if = "is_false")]
    distinct_tokens_at_least: bool,
    baseline: Baseline,
    by_cause: Vec<ByCause<'a>>,
    by_product: Vec<ByProduct>,
    by_key: Vec<ByKey<'a>>,
    by_code: Vec<ByCode>,
    by_source: Vec<BySource<'a>>,
    checks_skipped: Vec<SkippedCount>,
    exposed_tokens: Vec<tokens::ExposedTokens<'a>>,
    clock_skew: Vec<tokens::ClockSkew<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    tokens_at_least: bool,
    firing_alerts: Vec<alerts::Row<'a>>,
    open_incidents: Vec<incidents::Shown<'a>>,
}

#[derive(Debug, Serialize)]
struct Baseline {
    state: &'static str,
    observed_seconds: i64,
    rejections: Option<f64>,
    rate_per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ByCause<'a> {
    cause: Cause,
    family: &'static str,
    title: &'static str,
    count: u64,
    share: f64,
    first: UnixTime,
    last: UnixTime,
    distinct_tokens: u64,
    #[serde(skip_serializing_if = "is_false")]
    distinct_tokens_at_least: bool,
    remedy: &'static str,
    docs: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a Diagnosis>,
}

#[derive(Debug, Serialize)]
struct ByProduct {
    product: Product,
    count: u64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct ByKey<'a> {
    key_sid: &'a str,
    count: u64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct ByCode {
    code: serde_json::Value,
    count: u64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct BySource<'a> {
    source: &'a str,
    count: u64,
    share: f64,
}

#[derive(Debug, Serialize)]
struct SkippedCount {
    check: Check,
    reason: SkipReason,
    count: u64,
}

/// Sums a window up. Lists hold what happened only, the most frequent first.
pub fn summary(view: &View, window: Window, now: UnixTime) -> Summary<'_> {
    let tally = view.tally(window, now);
    let all = tally.rejections;
    let distinct = view.distinct_tokens(None, window, now);
    Summary {
        status: alerts::overall(&view.alerts),
        at: now,
        window: window.to_string(),
        window_seconds: window.seconds(),
        rejections: all,
        rate_per_second: rounded(float(all) / window.seconds_f64()),
        distinct_tokens: distinct.count,
        distinct_tokens_at_least: distinct.at_least,
        baseline: baseline(view, window, now),
        by_cause: by_cause(view, &tally, window, now),
        by_product: sorted(tally.products.iter(), |(product, count)| ByProduct {
            product,
            count,
            share: share(count, all),
        }),
        by_key: sorted(tally.keys.iter(), |(key, count)| ByKey {
            key_sid: key_name(view, key),
            count,
            share: share(count, all),
        }),
        by_code: sorted(tally.codes.iter(), |(code, count)| ByCode {
            code: match code {
                CodeLabel::Known(number) => number.into(),
                CodeLabel::Other | CodeLabel::None => code.to_string().into(),
            },
            count,
            share: share(count, all),
        }),
        by_source: sorted(tally.sources.iter(), |(place, count)| BySource {
            source: view.source(place).map_or("unknown", |source| &source.name),
            count,
            share: share(count, all),
        }),
        checks_skipped: sorted(tally.skipped.iter(), |(skipped, count)| SkippedCount {
            check: skipped.check,
            reason: skipped.reason,
            count,
        }),
        exposed_tokens: tokens::exposed(view, window, now),
        clock_skew: tokens::clock_skew(view, window, now),
        tokens_at_least: view.tokens_are_partial(window, now),
        firing_alerts: alerts::firing(&view.alerts),
        open_incidents: incidents::open(view, now),
    }
}

fn baseline(view: &View, window: Window, now: UnixTime) -> Baseline {
    let known = view.baseline(window, now);
    Baseline {
        state: if known.rejections.is_some() { "ready" } else { "learning" },
        observed_seconds: known.observed_seconds,
        rejections: known.rejections.map(rounded),
        rate_per_second: known.rejections.map(|mean| rounded(mean / window.seconds_f64())),
    }
}

fn by_cause<'a>(view: &'a View, tally: &Tally, window: Window, now: UnixTime) -> Vec<ByCause<'a>> {
    let row = |(cause, seen): (Cause, Seen)| {
        let distinct = view.distinct_tokens(Some(cause), window, now);
        ByCause {
            cause,
            family: cause.family().id(),
            title: cause.title(),
            count: seen.count,
            share: share(seen.count, tally.rejections),
            first: seen.first,
            last: seen.last,
            distinct_tokens: distinct.count,
            distinct_tokens_at_least: distinct.at_least,
            remedy: cause.remedy(),
            docs: cause.docs(),
            example: view.examples.get(&cause).map(|example| &**example),
        }
    };
    let mut rows: Vec<ByCause<'a>> = tally.causes.iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    rows
}

/// The key SID, or a word that is none.
fn key_name(view: &View, key: KeyLabel) -> &str {
    match key {
        KeyLabel::Known(place) => view.keys.sid(place).unwrap_or("other"),
        KeyLabel::Other => "other",
        KeyLabel::None => "none",
    }
}

/// The most frequent first; equals stay in the order of their list.
fn sorted<K, T>(counts: impl Iterator<Item = (K, u64)>, row: impl Fn((K, u64)) -> T) -> Vec<T> {
    let mut counts: Vec<(K, u64)> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(row).collect()
}

fn share(count: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { rounded(float(count) / float(all)) }
}

#[expect(clippy::cast_precision_loss, reason = "counts, shown as shares and rates")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Six digits after the point: enough for one rejection a day.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
