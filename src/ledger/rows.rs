//! The ledger as rows for a store: small pieces under names of their own, so that a commit writes only what changed.
//!
//! What changed is known without keeping account: views share what is equal, so that a part that is not the same object
//! as in the last committed view is written. What has no meaning after a restart (open files, lag, whether a backlog
//! was read) is left out. Members of closed lists are kept as their words, never as numbers.
//!
//! | row | holds |
//! | --- | --- |
//! | `alerts` | alerts, incidents, and what they rest on; written at a look, not with every count |
//! | `totals`, `since` | counts of all sources together; since when windows count |
//! | `source/<place>`, `key/<place>` | counts of a source; a key SID that windows refer to |
//! | `fine/<slot>`, `coarse/<slot>` | one bucket of a window |
//! | `rejection/<number>`, `example/<cause>` | a diagnosis |
//! | `exposed/<fingerprint>`, `early/<fingerprint>` | a token that was exposed, or refused early |
//! | `exposed-until`, `early-until` | what was forgotten of those |
//! | `token/<cause>/<fingerprint>`, `tokens/<cause>` | the last refusal of a token; what was forgotten |

mod kept;
mod recent;
mod word;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::distinct::Tokens;
use super::keys::Place;
use super::totals::{Histogram, Source, Totals};
use super::window::{Bucket, Ring, Seen, Sparse, Tally};
use super::{Kept, Ledger, Settings, View};
use crate::cause::Cause;
use crate::diagnosis::Fingerprint;
use crate::product::Product;
use crate::time::UnixTime;
use word::{Counts, Word, add, counts, sparse};

/// Takes a row's name and its new value; `None` removes it.
pub type Put<'a> = dyn FnMut(String, Option<Vec<u8>>) + 'a;

/// The name of the row of alerts and incidents. It is by far the longest, and a database reads and writes what lies beside a
/// row together with it: so it stands before all rows, away from those that come and go.
const REMEMBERED: &str = "alerts";
/// Its name in earlier versions, beside the rejections.
pub const REMEMBERED_BEFORE: &str = "remembered";
/// The name under which the tokens of all causes together are kept.
const ALL: &str = "all";

#[derive(Serialize, Deserialize)]
struct SourceRow {
    name: String,
    rejections: Counts,
    sightings: u64,
    tokens: Counts,
    exposed: u64,
    lines: u64,
    bytes: u64,
    truncated: u64,
    rotations: Counts,
    lost: u64,
    errors: Counts,
    #[serde(default)]
    events: Counts,
    #[serde(default)]
    last_event: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct TotalsRow {
    rejections: u64,
    codes: Counts,
    bases: Counts,
    findings: Counts,
    skipped: Counts,
    expired_for: BTreeMap<String, HistogramRow>,
    lifetime: BTreeMap<String, HistogramRow>,
    early_by: BTreeMap<String, HistogramRow>,
    last: Option<i64>,
    #[serde(default)]
    commit_failures: u64,
    #[serde(default)]
    recoveries: u64,
}

#[derive(Serialize, Deserialize)]
struct HistogramRow {
    /// By upper bound, so that other bounds in a later version find their place.
    counts: Vec<(f64, u64)>,
    count: u64,
    sum: f64,
}

#[derive(Serialize, Deserialize)]
struct BucketRow {
    index: i64,
    rejections: u64,
    /// Count, first and last time.
    causes: BTreeMap<String, (u64, i64, i64)>,
    products: Counts,
    codes: Counts,
    sources: Counts,
    keys: Counts,
    skipped: Counts,
}

/// The value of a row. Nothing of what is kept can fail to be written.
fn json(value: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(value).ok()
}

impl View {
    /// The rows that differ from those of an earlier view, or all.
    pub fn changes(&self, before: Option<&Self>, put: &mut Put<'_>) {
        if before.is_none_or(|before| before.totals != self.totals) {
            put("totals".to_owned(), json(&TotalsRow::of(&self.totals)));
        }
        if before.is_none_or(|before| before.windows.since != self.windows.since) {
            put("since".to_owned(), json(&self.windows.since.as_millis()));
        }
        for (at, source) in self.sources.iter().enumerate() {
            let old = before.and_then(|before| before.sources.get(at));
            if old.is_none_or(|old| !Arc::ptr_eq(old, source) && !source.counts_as(old)) {
                put(format!("source/{at:05}"), json(&SourceRow::of(source)));
            }
        }
        for (at, place) in self.keys.places.iter().enumerate() {
            if before.and_then(|before| before.keys.places.get(at)) != Some(place) {
                put(format!("key/{at:05}"), json(&(&*place.sid, place.last.as_millis())));
            }
        }
        ring("fine", &self.windows.fine, before.map(|before| &before.windows.fine), put);
        ring("coarse", &self.windows.coarse, before.map(|before| &before.windows.coarse), put);
        self.changed_diagnoses(before, put);
        tokens(ALL, &self.tokens, before.map(|before| &before.tokens), put);
        for (cause, now) in &self.tokens_by_cause {
            tokens(cause.id(), now, before.and_then(|before| before.tokens_by_cause.get(cause)), put);
        }
        recent::changes("exposed", &self.exposed, before.map(|before| &before.exposed), put);
        recent::changes("early", &self.early, before.map(|before| &before.early), put);
    }

    fn changed_diagnoses(&self, before: Option<&Self>, put: &mut Put<'_>) {
        let name = |number: u64| format!("rejection/{number:016x}");
        let first = self.rejections.front().map_or(u64::MAX, |kept| kept.number);
        let old = before.map(|before| &before.rejections);
        for gone in old.into_iter().flatten().take_while(|kept| kept.number < first) {
            put(name(gone.number), None);
        }
        for kept in &self.rejections {
            let old = old.and_then(|old| {
                let at = kept.number.checked_sub(old.front()?.number)?;
                old.get(usize::try_from(at).ok()?)
            });
            if old.is_none_or(|old| !Arc::ptr_eq(&old.diagnosis, &kept.diagnosis)) {
                put(name(kept.number), json(&kept::Row::of(&kept.diagnosis)));
            }
        }
        for (cause, example) in &self.examples {
            let old = before.and_then(|before| before.examples.get(cause));
            if old.is_none_or(|old| !Arc::ptr_eq(old, example)) {
                put(format!("example/{}", cause.id()), json(&kept::Row::of(example)));
            }
        }
    }
}

fn ring(name: &str, ring: &Ring, before: Option<&Ring>, put: &mut Put<'_>) {
    for (at, slot) in ring.slots.iter().enumerate() {
        let Some(bucket) = slot else { continue };
        let old = before.and_then(|before| before.slots.get(at)).and_then(Option::as_ref);
        if old.is_none_or(|old| !Arc::ptr_eq(old, bucket)) {
            put(format!("{name}/{at:05}"), json(&BucketRow::of(bucket)));
        }
    }
}

fn tokens(name: &str, now: &Arc<Tokens>, before: Option<&Arc<Tokens>>, put: &mut Put<'_>) {
    if before.is_some_and(|before| Arc::ptr_eq(before, now)) {
        return;
    }
    now.last.changes(before.map(|before| &before.last), &mut |token, at| {
        put(format!("token/{name}/{token}"), at.and_then(|at| json(&at.as_millis())));
    });
    if before.is_none_or(|before| before.forgotten_until != now.forgotten_until) {
        put(format!("tokens/{name}"), json(&now.forgotten_until.map(UnixTime::as_millis)));
    }
}

impl Ledger {
    /// A ledger that goes on from its rows. The second value names the rows that can't be understood; they are left out.
    pub fn restored<'a>(
        settings: Settings,
        sources: impl IntoIterator<Item = Arc<str>>,
        now: UnixTime,
        rows: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> (Self, Vec<String>) {
        let mut ledger = Self::new(settings.clone(), [], now);
        ledger.working.keys.places.clear();
        let mut unknown = Vec::new();
        for (name, value) in rows {
            if ledger.restore_row(name, value, now).is_none() {
                unknown.push(name.to_owned());
            }
        }
        ledger.reload(settings, sources);
        (ledger, unknown)
    }

    fn restore_row(&mut self, name: &str, value: &[u8], now: UnixTime) -> Option<()> {
        let max = self.settings.tokens_max;
        let working = &mut self.working;
        let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
        match kind {
            "totals" => working.totals = read::<TotalsRow>(value)?.read(),
            "since" => working.windows.since = UnixTime::from_millis(read(value)?),
            // Rows come in the order of their names, so places follow each other.
            "source" => working.sources.push(Arc::new(read::<SourceRow>(value)?.read())),
            "key" => {
                let (sid, last): (String, i64) = read(value)?;
                working.keys.places.push(Place {
                    sid: sid.into(),
                    configured: false,
                    last: UnixTime::from_millis(last),
                });
            }
            "fine" => restore_bucket(&mut working.windows.fine, rest, value)?,
            "coarse" => restore_bucket(&mut working.windows.coarse, rest, value)?,
            "rejection" => {
                let number = u64::from_str_radix(rest, 16).ok()?;
                let diagnosis = Arc::new(read::<kept::Row>(value)?.read()?);
                working.rejections.push_back(Kept { number, diagnosis });
            }
            "example" => {
                // The same object as in the list, if it is still there, because a further print changes both.
                let example = read::<kept::Row>(value)?.read()?;
                let same = working.rejections.iter().find(|kept| *kept.diagnosis == example);
                let example = same.map_or_else(|| Arc::new(example), |kept| Arc::clone(&kept.diagnosis));
                working.examples.insert(Cause::read(rest)?, example);
            }
            "token" => {
                let (list, token) = rest.split_once('/')?;
                let token = Fingerprint(u64::from_str_radix(token, 16).ok()?.to_be_bytes());
                tokens_of(working, list, max)?.last.set(token, UnixTime::from_millis(read(value)?));
            }
            "tokens" => {
                let until: Option<i64> = read(value)?;
                tokens_of(working, rest, max)?.forgotten_until = until.map(UnixTime::from_millis);
            }
            "exposed" => recent::restore(&mut working.exposed, rest, value)?,
            "exposed-until" => recent::restore_until(&mut working.exposed, value)?,
            "early" => recent::restore(&mut working.early, rest, value)?,
            "early-until" => recent::restore_until(&mut working.early, value)?,
            REMEMBERED | REMEMBERED_BEFORE => self.restore(read(value)?, now),
            _ => return None,
        }
        Some(())
    }

    /// Alerts, incidents and what they rest on as a row: its name and value.
    pub fn remembered_row(&self) -> (&'static str, Option<Vec<u8>>) {
        (REMEMBERED, json(&self.remembered()))
    }
}

fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

fn tokens_of<'a>(view: &'a mut View, list: &str, max: usize) -> Option<&'a mut Tokens> {
    let tokens = match list {
        ALL => &mut view.tokens,
        cause => view.tokens_by_cause.entry(Cause::read(cause)?).or_insert_with(|| Arc::new(Tokens::new(max))),
    };
    Some(Arc::make_mut(tokens))
}

fn restore_bucket(ring: &mut Ring, slot: &str, value: &[u8]) -> Option<()> {
    *ring.slots.get_mut(slot.parse::<usize>().ok()?)? = Some(Arc::new(read::<BucketRow>(value)?.read()));
    Some(())
}

impl SourceRow {
    fn of(source: &Source) -> Self {
        Self {
            name: source.name.to_string(),
            rejections: counts(source.rejections.iter().map(|(key, count)| (*key, *count))),
            sightings: source.sightings,
            tokens: counts(source.tokens.iter().map(|(key, count)| (*key, *count))),
            exposed: source.exposed_tokens,
            lines: source.lines,
            bytes: source.read_bytes,
            truncated: source.lines_truncated,
            rotations: counts(source.rotations.iter().map(|(key, count)| (*key, *count))),
            lost: source.lost_bytes,
            errors: counts(source.errors.iter().map(|(key, count)| (*key, *count))),
            events: counts(source.events.iter().map(|(key, count)| (*key, *count))),
            last_event: source.last_event.map(UnixTime::as_millis),
        }
    }

    fn read(self) -> Source {
        let mut source = Source::new(self.name.into());
        add(&mut source.rejections, &self.rejections);
        add(&mut source.tokens, &self.tokens);
        add(&mut source.rotations, &self.rotations);
        add(&mut source.errors, &self.errors);
        add(&mut source.events, &self.events);
        source.last_event = self.last_event.map(UnixTime::from_millis);
        source.sightings = self.sightings;
        source.exposed_tokens = self.exposed;
        source.lines = self.lines;
        source.read_bytes = self.bytes;
        source.lines_truncated = self.truncated;
        source.lost_bytes = self.lost;
        source
    }
}

impl TotalsRow {
    fn of(totals: &Totals) -> Self {
        let histograms = |all: &BTreeMap<Product, Histogram>| {
            let used = all.iter().filter(|(_, histogram)| histogram.count > 0);
            used.map(|(product, histogram)| (product.word(), HistogramRow::of(histogram))).collect()
        };
        Self {
            rejections: totals.rejections,
            codes: counts(totals.codes.iter().map(|(key, count)| (*key, *count))),
            bases: counts(totals.bases.iter().map(|(key, count)| (*key, *count))),
            findings: counts(totals.findings.iter().map(|(key, count)| (*key, *count))),
            skipped: counts(totals.skipped.iter().map(|(key, count)| (*key, *count))),
            expired_for: histograms(&totals.expired_for),
            lifetime: histograms(&totals.lifetime),
            early_by: histograms(&totals.early_by),
            last: totals.last_rejection.map(UnixTime::as_millis),
            commit_failures: totals.commit_failures,
            recoveries: totals.recoveries,
        }
    }

    fn read(self) -> Totals {
        let mut totals = Totals::new();
        totals.rejections = self.rejections;
        add(&mut totals.codes, &self.codes);
        add(&mut totals.bases, &self.bases);
        add(&mut totals.findings, &self.findings);
        add(&mut totals.skipped, &self.skipped);
        for (all, rows) in [
            (&mut totals.expired_for, self.expired_for),
            (&mut totals.lifetime, self.lifetime),
            (&mut totals.early_by, self.early_by),
        ] {
            for (word, row) in rows {
                if let Some(histogram) = Product::read(&word).and_then(|product| all.get_mut(&product)) {
                    row.read(histogram);
                }
            }
        }
        totals.last_rejection = self.last.map(UnixTime::from_millis);
        (totals.commit_failures, totals.recoveries) = (self.commit_failures, self.recoveries);
        totals
    }
}

impl HistogramRow {
    fn of(histogram: &Histogram) -> Self {
        let counts = histogram.bounds.iter().copied().zip(histogram.counts.iter().copied());
        Self { counts: counts.collect(), count: histogram.count, sum: histogram.sum }
    }

    fn read(self, histogram: &mut Histogram) {
        for (bound, count) in self.counts {
            let at = histogram.bounds.partition_point(|other| *other < bound);
            if let Some(counted) = histogram.counts.get_mut(at) {
                *counted += count;
            }
        }
        (histogram.count, histogram.sum) = (self.count, self.sum);
    }
}

impl BucketRow {
    fn of(bucket: &Bucket) -> Self {
        let tally = &bucket.tally;
        let seen = |seen: Seen| (seen.count, seen.first.as_millis(), seen.last.as_millis());
        Self {
            index: bucket.index,
            rejections: tally.rejections,
            causes: tally.causes.iter().map(|(cause, one)| (cause.word(), seen(one))).collect(),
            products: counts(tally.products.iter()),
            codes: counts(tally.codes.iter()),
            sources: counts(tally.sources.iter()),
            keys: counts(tally.keys.iter()),
            skipped: counts(tally.skipped.iter()),
        }
    }

    fn read(self) -> Bucket {
        let time = UnixTime::from_millis;
        let causes: Sparse<Cause, Seen> = self
            .causes
            .iter()
            .filter_map(|(word, (count, first, last))| {
                Some((Cause::read(word)?, Seen { count: *count, first: time(*first), last: time(*last) }))
            })
            .collect();
        let tally = Tally {
            rejections: self.rejections,
            causes,
            products: sparse(&self.products),
            codes: sparse(&self.codes),
            sources: sparse(&self.sources),
            keys: sparse(&self.keys),
            skipped: sparse(&self.skipped),
        };
        Bucket { index: self.index, tally }
    }
}

#[cfg(test)]
mod tests;
