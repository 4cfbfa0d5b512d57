//! The incidents, newest first.

use serde::Serialize;

use crate::cause::Cause;
use crate::ledger::View;
use crate::ledger::incident::{Example, Incident};
use crate::product::Product;
use crate::time::UnixTime;

/// An incident as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: u64,
    open: bool,
    cause: Cause,
    family: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_sid: Option<&'a str>,
    product: Product,
    start: UnixTime,
    peak: Peak,
    last: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<UnixTime>,
    count: u64,
    distinct_tokens: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    distinct_tokens_estimated: bool,
    distinct_identities: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    distinct_identities_estimated: bool,
    sources: Vec<BySource<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    other_sources: u64,
    what_happened: String,
    remedy: &'static str,
    docs: &'static str,
    example: &'a Example,
}

#[derive(Debug, Serialize)]
struct Peak {
    at: UnixTime,
    per_minute: u64,
}

#[derive(Debug, Serialize)]
struct BySource<'a> {
    source: &'a str,
    count: u64,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Incidents<'a> {
    incidents: Vec<Shown<'a>>,
}

/// The newest by their last refusal.
pub(super) fn list(view: &View, cause: Option<Cause>, limit: usize, now: UnixTime) -> Incidents<'_> {
    let found = view.incidents.newest_first().into_iter();
    let found = found.filter(|incident| cause.is_none_or(|cause| incident.cause == cause)).take(limit);
    Incidents { incidents: found.map(|incident| shown(incident, now)).collect() }
}

/// Those that are not over, the greatest first.
pub(super) fn open(view: &View, now: UnixTime) -> Vec<Shown<'_>> {
    view.incidents.open(now).into_iter().map(|incident| shown(incident, now)).collect()
}

fn shown(incident: &Incident, now: UnixTime) -> Shown<'_> {
    let open = incident.is_open(now);
    let mut sources: Vec<BySource<'_>> =
        incident.sources.iter().map(|(source, count)| BySource { source, count: *count }).collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.count));
    Shown {
        id: incident.id,
        open,
        cause: incident.cause,
        family: incident.cause.family().id(),
        title: incident.cause.title(),
        key_sid: incident.key_sid.as_deref(),
        product: incident.product,
        start: incident.start,
        peak: Peak {
            at: UnixTime::from_seconds(incident.peak.minute.saturating_mul(60)),
            per_minute: incident.peak.count,
        },
        last: incident.last,
        end: (!open).then_some(incident.last),
        count: incident.count,
        distinct_tokens: incident.tokens.count(),
        distinct_tokens_estimated: !incident.tokens.is_exact(),
        distinct_identities: incident.identities.count(),
        distinct_identities_estimated: !incident.identities.is_exact(),
        sources,
        other_sources: incident.other_sources,
        what_happened: incident.story(),
        remedy: incident.cause.remedy(),
        docs: incident.cause.docs(),
        example: &incident.example,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
