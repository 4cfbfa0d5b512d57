//! Incidents: rejections of the same cause, key and product that belong to one stretch of time.
//!
//! Pure, and bounded in everything. Different tokens and identities are estimated from keyed hashes and never stored.
//! What probably happened is told by [`story`]; whether somebody has to know is decided by [`super::alert`].

pub mod story;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::product::Product;
use crate::time::UnixTime;

use super::sketch::Sketch;
use story::KeyRecord;

/// An incident is over when nothing came for so long, in milliseconds: a quarter of an hour.
pub const QUIET_MILLIS: i64 = 900_000;
/// Incidents that are remembered; the one that was quiet for longest goes first.
pub const INCIDENTS_MAX: usize = 256;
/// Sources that are told apart in one incident; further ones are counted together.
pub const SOURCES_MAX: usize = 16;
/// Findings of the example that are kept.
const FINDINGS_MAX: usize = 8;
/// Buckets of [`Spread`]: half powers of two, in seconds, up to two and a half years.
const SPREAD_BUCKETS: usize = 53;

/// Rejections that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Names it, for as long as the ledger lives.
    pub id: u64,
    /// Their cause.
    pub cause: Cause,
    /// The key of their tokens, if they had one that could be read.
    pub key_sid: Option<String>,
    /// Their product.
    pub product: Product,
    /// The first refusal.
    pub start: UnixTime,
    /// The last so far.
    pub last: UnixTime,
    /// The minute with the most refusals.
    pub peak: Peak,
    /// How many.
    pub count: u64,
    /// Different tokens.
    pub tokens: Sketch,
    /// Different identities, of the tokens that can be read.
    #[serde(default)]
    pub identities: Sketch,
    /// By source, in the order in which they came.
    pub sources: Vec<(String, u64)>,
    /// Refusals of further sources.
    pub other_sources: u64,
    /// The first of them; shared by the copies that readers see.
    #[serde(with = "shared")]
    pub example: Arc<Example>,
    /// How long the tokens had been expired, in seconds.
    pub expired_for: Spread,
    /// How long before their validity the tokens came, in seconds.
    pub early_by: Spread,
    /// What was known of the key when it began.
    pub key: KeyRecord,
    /// Tokens of the key that verified since.
    pub verified_since: u64,
    /// The minute that is being counted for the peak.
    counting: Peak,
}

/// A minute and what it held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// Minutes since the epoch.
    pub minute: i64,
    /// Refusals in it.
    pub count: u64,
}

/// A rejection, as far as it is kept with its incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// When.
    pub at: UnixTime,
    /// Name of its source.
    pub source: String,
    /// Its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its line.
    pub line: u64,
    /// What was found: cleared for showing.
    pub findings: Vec<String>,
}

/// Durations by size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    counts: Vec<u32>,
    least: i64,
    greatest: i64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: Vec::new(), least: i64::MAX, greatest: i64::MIN }
    }
}

impl Spread {
    fn add(&mut self, seconds: i64) {
        (self.least, self.greatest) = (self.least.min(seconds), self.greatest.max(seconds));
        let bucket = bucket(seconds);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    /// Between which two durations four of five lie, in seconds; none without any.
    pub fn most(&self) -> Option<(i64, i64)> {
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        if all == 0 {
            return None;
        }
        let at = |rank: u64| {
            let mut below = 0;
            self.counts.iter().position(|count| {
                below += u64::from(*count);
                below > rank
            })
        };
        let low = at(all / 10).map_or(self.least, lower_bound);
        let high = at((all * 9 / 10).min(all - 1)).map_or(self.greatest, |at| lower_bound(at + 1));
        Some((low.max(self.least), high.min(self.greatest)))
    }
}

/// The half power of two that a duration belongs to.
fn bucket(seconds: i64) -> usize {
    (1..SPREAD_BUCKETS).rev().find(|at| lower_bound(*at) <= seconds).unwrap_or(0)
}

/// The least duration of a bucket: 0, 1, 2, 2, 4, 5, 8, 11 … seconds.
fn lower_bound(at: usize) -> i64 {
    if at == 0 {
        return 0;
    }
    let whole = 1_i64 << ((at - 1) / 2).min(40);
    if at % 2 == 1 { whole } else { whole * 181 / 128 }
}

impl Incident {
    /// Different tokens; of an estimate, never more than refusals.
    pub fn distinct_tokens(&self) -> u64 {
        self.tokens.count().min(self.count)
    }

    /// Different identities; of two estimates, never more than there are tokens, of which each has one.
    pub fn distinct_identities(&self) -> u64 {
        let identities = self.identities.count();
        if self.identities.is_exact() { identities } else { identities.min(self.distinct_tokens()) }
    }

    fn begin(id: u64, diagnosis: &Diagnosis, at: UnixTime, key: KeyRecord) -> Self {
        let findings = diagnosis.findings.iter().take(FINDINGS_MAX).map(ToString::to_string);
        Self {
            id,
            cause: diagnosis.cause,
            key_sid: key_of(diagnosis).map(str::to_owned),
            product: diagnosis.product,
            start: at,
            last: at,
            peak: Peak::default(),
            count: 0,
            tokens: Sketch::default(),
            identities: Sketch::default(),
            sources: Vec::new(),
            other_sources: 0,
            example: Arc::new(Example {
                id: diagnosis.id.clone(),
                at: diagnosis.at,
                source: diagnosis.source.to_string(),
                path: diagnosis.path.as_deref().map(str::to_owned),
                line: diagnosis.line,
                findings: findings.collect(),
            }),
            expired_for: Spread::default(),
            early_by: Spread::default(),
            key,
            verified_since: 0,
            counting: Peak::default(),
        }
    }

    /// Whether more may come.
    pub fn is_open(&self, now: UnixTime) -> bool {
        now.millis_since(self.last) <= QUIET_MILLIS
    }

    /// The source with the most refusals, and how many those are.
    pub fn top_source(&self) -> Option<(&str, u64)> {
        self.sources.iter().max_by_key(|(_, count)| *count).map(|(name, count)| (name.as_str(), *count))
    }

    /// Whether a rejection is one of them, as far as cause, key, product and time tell.
    pub fn holds(&self, diagnosis: &Diagnosis) -> bool {
        self.cause == diagnosis.cause
            && self.product == diagnosis.product
            && self.key_sid.as_deref() == key_of(diagnosis)
            && (self.start..=self.last).contains(&diagnosis.at)
    }

    fn takes(&self, diagnosis: &Diagnosis, at: UnixTime) -> bool {
        self.cause == diagnosis.cause
            && self.product == diagnosis.product
            && self.key_sid.as_deref() == key_of(diagnosis)
            && at.millis_since(self.last) <= QUIET_MILLIS
            && self.start.millis_since(at) <= QUIET_MILLIS
    }

    fn add(&mut self, diagnosis: &Diagnosis, at: UnixTime) {
        (self.start, self.last) = (self.start.min(at), self.last.max(at));
        self.count += 1;
        let minute = at.as_millis().div_euclid(60_000);
        if minute > self.counting.minute {
            self.counting = Peak { minute, count: 0 };
        }
        // What comes late, from another file of the backlog, is no part of the minute that is being counted.
        if minute == self.counting.minute {
            self.counting.count += 1;
            if self.counting.count > self.peak.count {
                self.peak = self.counting;
            }
        }
        let are_many = self.sources.len() >= SOURCES_MAX;
        match self.sources.iter_mut().find(|(name, _)| **name == *diagnosis.source) {
            Some((_, count)) => *count += 1,
            None if are_many => self.other_sources += 1,
            None => self.sources.push((diagnosis.source.to_string(), 1)),
        }
        if let Some(token) = &diagnosis.token {
            self.tokens.add(u64::from_be_bytes(token.fingerprint.0));
            token.identity.into_iter().for_each(|identity| self.identities.add(u64::from_be_bytes(identity.0)));
            token.expired_for_seconds.into_iter().for_each(|seconds| self.expired_for.add(seconds));
            token.early_by_seconds.into_iter().for_each(|seconds| self.early_by.add(seconds));
        }
    }
}

/// The key of a rejection's token.
pub(super) fn key_of(diagnosis: &Diagnosis) -> Option<&str> {
    diagnosis.token.as_ref().and_then(|token| token.key_sid.as_deref())
}

/// The same for rejections of one cause, product and key; hardly ever for others.
fn mark(cause: Cause, product: Product, key_sid: Option<&str>) -> u64 {
    let tail = key_sid.and_then(|sid| sid.as_bytes().last_chunk()).map_or(0, |tail| u64::from_le_bytes(*tail));
    tail ^ (((cause as u64 + 1) << 32) | (product as u64 + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The incidents, in the order in which they began to be counted. Readers share those that do not change.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    list: Vec<Arc<Incident>>,
    /// Beside each, what most often tells that a rejection is none of it.
    marks: Vec<u64>,
    next: u64,
}

impl Incidents {
    /// Counts a rejection at a time, with what is known of its key.
    pub fn count(&mut self, diagnosis: &Diagnosis, at: UnixTime, key: &KeyRecord) {
        // The newest first: a flood belongs to one of the last.
        let mark = mark(diagnosis.cause, diagnosis.product, key_of(diagnosis));
        let mut places = self.marks.iter().enumerate().rev().filter(|(_, known)| **known == mark).map(|(at, _)| at);
        let place = places.find(|place| self.list.get(*place).is_some_and(|incident| incident.takes(diagnosis, at)));
        let place = place.unwrap_or_else(|| {
            self.make_room();
            self.marks.push(mark);
            self.list.push(Arc::new(Incident::begin(self.next, diagnosis, at, key.clone())));
            self.next += 1;
            self.list.len() - 1
        });
        if let Some(incident) = self.list.get_mut(place) {
            let incident = Arc::make_mut(incident);
            incident.add(diagnosis, at);
            incident.verified_since = key.verified.saturating_sub(incident.key.verified);
        }
    }

    fn make_room(&mut self) {
        if self.list.len() >= INCIDENTS_MAX
            && let Some((place, _)) = self.list.iter().enumerate().min_by_key(|(_, incident)| incident.last)
        {
            self.list.remove(place);
            self.marks.remove(place);
        }
    }

    /// Every incident that is remembered, the one with the latest refusal first.
    pub fn newest_first(&self) -> Vec<&Incident> {
        let mut all: Vec<&Incident> = self.list.iter().map(|incident| &**incident).collect();
        all.sort_by_key(|incident| std::cmp::Reverse((incident.last, incident.id)));
        all
    }

    /// Those that are not over, the greatest first.
    pub fn open(&self, now: UnixTime) -> Vec<&Incident> {
        let mut open: Vec<&Incident> =
            self.list.iter().map(|incident| &**incident).filter(|incident| incident.is_open(now)).collect();
        open.sort_by_key(|incident| std::cmp::Reverse((incident.count, incident.id)));
        open
    }

    /// All of it, for a store.
    pub fn remembered(&self) -> (&[Arc<Incident>], u64) {
        (&self.list, self.next)
    }

    /// What a store remembered.
    pub fn restored(list: Vec<Incident>, next: u64) -> Self {
        let next = list.iter().map(|incident| incident.id + 1).max().unwrap_or(0).max(next);
        let list: Vec<_> = list.into_iter().map(Arc::new).take(INCIDENTS_MAX).collect();
        let marks = list.iter().map(|one| mark(one.cause, one.product, one.key_sid.as_deref())).collect();
        Self { list, marks, next }
    }
}

/// What is shared, kept like what is not.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'a, T: Deserialize<'a>, D: Deserializer<'a>>(from: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

#[cfg(test)]
mod tests;
