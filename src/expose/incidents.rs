//! The incidents, newest first.

use serde::Serialize;

use crate::cause::Cause;
use crate::ledger::View;
use crate::ledger::incident::{Example, Incident};
use crate::ledger::link::Links;
use crate::product::Product;
use crate::time::UnixTime;

use super::rejections;

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
    /// The same refusals, as other sources saw them: they count there too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    same_refusals: Vec<SameRefusals<'a>>,
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

#[derive(Debug, Serialize)]
struct SameRefusals<'a> {
    source: &'a str,
    cause: Cause,
    count: u64,
    /// One pair of rejections: of this incident, and of the other source.
    example: [&'a str; 2],
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
    let links = rejections::links(view);
    Incidents { incidents: found.map(|incident| shown(incident, &links, now)).collect() }
}

/// Those that are not over, the greatest first.
pub(super) fn open(view: &View, now: UnixTime) -> Vec<Shown<'_>> {
    let links = rejections::links(view);
    view.incidents.open(now).into_iter().map(|incident| shown(incident, &links, now)).collect()
}

/// By source and cause, as far as single rejections are remembered.
fn same_refusals<'a>(incident: &Incident, links: &Links<'a>) -> Vec<SameRefusals<'a>> {
    let mut found: Vec<SameRefusals<'a>> = Vec::new();
    for (mine, other) in links.pairs().filter(|(mine, _)| incident.holds(mine)) {
        match found.iter_mut().find(|same| same.source == &*other.source && same.cause == other.cause) {
            Some(same) => same.count += 1,
            None => found.push(SameRefusals {
                source: &other.source,
                cause: other.cause,
                count: 1,
                example: [&mine.id, &other.id],
            }),
        }
    }
    found
}

fn shown<'a>(incident: &'a Incident, links: &Links<'a>, now: UnixTime) -> Shown<'a> {
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
        distinct_tokens: incident.distinct_tokens(),
        distinct_tokens_estimated: !incident.tokens.is_exact(),
        distinct_identities: incident.distinct_identities(),
        distinct_identities_estimated: !incident.identities.is_exact(),
        sources,
        other_sources: incident.other_sources,
        same_refusals: same_refusals(incident, links),
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
