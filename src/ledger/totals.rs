//! What was counted since the state began: the values behind `/metrics`.
//!
//! Every child of a closed list is there from the start, at 0.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cause::Cause;
use crate::code;
use crate::diagnosis::{Basis, Check, Diagnosis, SkipReason, Skipped, TokenState};
use crate::pipeline::arrival::Outcome;
use crate::product::Product;
use crate::source::{Failure, Health, Rotation};
use crate::time::UnixTime;

use super::window::CodeLabel;

/// Upper bounds of [`Totals::expired_for`], in seconds: a second to 30 days.
pub const EXPIRED_FOR_BOUNDS: &[f64] =
    &[1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0];
/// Upper bounds of [`Totals::lifetime`], in seconds: a minute to a week, with Twilio's limit of a day.
pub const LIFETIME_BOUNDS: &[f64] =
    &[60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0];
/// Upper bounds of [`Totals::early_by`], in seconds: a second to a day.
pub const EARLY_BY_BOUNDS: &[f64] = &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];
/// For this long, what strangers are refused does not take the place of an error of the source itself, in milliseconds.
const OWN_ERROR_MILLIS: i64 = 3_600_000;

/// Observations by size.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Upper bounds, ascending.
    pub bounds: &'static [f64],
    /// Observations up to each bound and above the bound before it.
    pub counts: Vec<u64>,
    /// All observations, those above the last bound included.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], count: 0, sum: 0.0 }
    }

    /// Counts a duration. One below nothing, of a token that ends before it begins, is nothing: a sum that shrinks is no
    /// counter.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a token's life fit an f64")]
    fn observe(&mut self, seconds: i64) {
        let value = seconds.max(0) as f64;
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.count += 1;
        self.sum += value;
    }
}

/// The counts of one source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: the metric label.
    pub name: Arc<str>,
    /// The config names it. A source that was removed keeps its counters and loses its gauges.
    pub configured: bool,
    /// Rejections.
    pub rejections: BTreeMap<(Product, Cause), u64>,
    /// Prints of refusals, before they were put together.
    pub sightings: u64,
    /// Rejections whose token was found, by what became of it.
    pub tokens: BTreeMap<TokenState, u64>,
    /// Rejections whose token stood in the log while it was still valid.
    pub exposed_tokens: u64,
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Lines longer than the limit.
    pub lines_truncated: u64,
    /// Rotations.
    pub rotations: BTreeMap<Rotation, u64>,
    /// Bytes that were written but could not be read.
    pub lost_bytes: u64,
    /// Events of Twilio's that came in, by what became of them.
    pub events: BTreeMap<Outcome, u64>,
    /// The time of the latest of them.
    pub last_event: Option<UnixTime>,
    /// Errors.
    pub errors: BTreeMap<Failure, u64>,
    /// The last of them.
    pub last_error: Option<SourceError>,
    /// Open files.
    pub files: u64,
    /// Known but not yet read.
    pub unread_bytes: u64,
    /// Age of what is not yet read.
    pub lag_seconds: f64,
    /// It works.
    pub up: bool,
    /// What was there at start has been read.
    pub caught_up: bool,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceError {
    /// When.
    pub at: UnixTime,
    /// What.
    pub kind: Failure,
    /// A sentence for a person.
    pub message: Arc<str>,
}

impl Source {
    pub(super) fn new(name: Arc<str>) -> Self {
        let rejections = Product::ALL.into_iter().flat_map(|p| Cause::ALL.map(|cause| ((p, cause), 0))).collect();
        Self {
            name,
            configured: true,
            rejections,
            sightings: 0,
            tokens: TokenState::ALL.map(|state| (state, 0)).into(),
            exposed_tokens: 0,
            lines: 0,
            read_bytes: 0,
            lines_truncated: 0,
            rotations: Rotation::ALL.map(|kind| (kind, 0)).into(),
            lost_bytes: 0,
            events: Outcome::ALL.map(|outcome| (outcome, 0)).into(),
            last_event: None,
            errors: Failure::ALL.map(|kind| (kind, 0)).into(),
            last_error: None,
            files: 0,
            unread_bytes: 0,
            lag_seconds: 0.0,
            up: false,
            caught_up: false,
        }
    }

    /// Whether everything that is counted for good is as in another state of the source.
    pub(super) fn counts_as(&self, other: &Self) -> bool {
        let numbers =
            |s: &Self| (s.sightings, s.exposed_tokens, s.lines, s.read_bytes, s.lines_truncated, s.lost_bytes);
        self.name == other.name
            && numbers(self) == numbers(other)
            && self.rejections == other.rejections
            && self.tokens == other.tokens
            && self.rotations == other.rotations
            && self.errors == other.errors
            && self.events == other.events
            && self.last_event == other.last_event
    }

    /// Rejections of this source.
    pub fn rejections_all(&self) -> u64 {
        self.rejections.values().sum()
    }

    pub(super) fn count(&mut self, diagnosis: &Diagnosis) {
        *self.rejections.entry((diagnosis.product, diagnosis.cause)).or_default() += 1;
        self.sightings += u64::from(diagnosis.sightings);
        if let Some(token) = &diagnosis.token {
            *self.tokens.entry(token.state).or_default() += 1;
            self.exposed_tokens += u64::from(token.exposed && !token.told);
        }
    }

    pub(super) fn health(&mut self, health: &Health, now: UnixTime) {
        match health {
            Health::Progress { files, unread_bytes, lag_seconds } => {
                (self.files, self.unread_bytes, self.lag_seconds) = (*files, *unread_bytes, *lag_seconds);
            }
            Health::CaughtUp => (self.caught_up, self.up) = (true, true),
            Health::Rotated(kind) => *self.rotations.entry(*kind).or_default() += 1,
            Health::Lost(bytes) => self.lost_bytes += bytes,
            Health::Failed { kind, message } | Health::FailedAgain { kind, message } => {
                *self.errors.entry(*kind).or_default() += 1;
                // What strangers are refused hides no fresh error of the source itself.
                let hides =
                    |own: &SourceError| !own.kind.is_of_a_stranger() && now.millis_since(own.at) < OWN_ERROR_MILLIS;
                if !(kind.is_of_a_stranger() && self.last_error.as_ref().is_some_and(hides)) {
                    self.last_error = Some(SourceError { at: now, kind: *kind, message: message.as_str().into() });
                }
            }
            Health::Arrived { counted, repeated, ignored, last } => {
                let numbers = [(Outcome::Counted, counted), (Outcome::Repeated, repeated), (Outcome::Ignored, ignored)];
                for (outcome, number) in numbers {
                    *self.events.entry(outcome).or_default() += number;
                }
                self.last_event = self.last_event.max(*last);
            }
            Health::Up(up) => self.up = *up,
        }
    }
}

/// The counts of all sources together.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Rejections.
    pub rejections: u64,
    /// Rejections by code.
    pub codes: BTreeMap<CodeLabel, u64>,
    /// Rejections by basis.
    pub bases: BTreeMap<Basis, u64>,
    /// Faults, several a token.
    pub findings: BTreeMap<Cause, u64>,
    /// Checks not made.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Seconds past `exp`, by product.
    pub expired_for: BTreeMap<Product, Histogram>,
    /// Seconds from issue to expiry, by product.
    pub lifetime: BTreeMap<Product, Histogram>,
    /// Seconds before `nbf`, by product.
    pub early_by: BTreeMap<Product, Histogram>,
    /// The time of the latest refusal, never later than the time it was read.
    pub last_rejection: Option<UnixTime>,
    /// Commits that failed, and were tried again.
    pub commit_failures: u64,
    /// Times that a state, or a part of it, could not be used.
    pub recoveries: u64,
}

impl Totals {
    pub(super) fn new() -> Self {
        let codes = code::CODES.iter().filter(|code| code.counts).map(|code| CodeLabel::Known(code.number));
        let by_product = |bounds| Product::ALL.map(|product| (product, Histogram::new(bounds))).into();
        let skips = Check::ALL.into_iter().flat_map(|check| SkipReason::ALL.map(|reason| Skipped { check, reason }));
        Self {
            rejections: 0,
            codes: codes.chain([CodeLabel::None]).map(|code| (code, 0)).collect(),
            bases: Basis::ALL.map(|basis| (basis, 0)).into(),
            findings: Cause::ALL.map(|cause| (cause, 0)).into(),
            skipped: skips.map(|skipped| (skipped, 0)).collect(),
            expired_for: by_product(EXPIRED_FOR_BOUNDS),
            lifetime: by_product(LIFETIME_BOUNDS),
            early_by: by_product(EARLY_BY_BOUNDS),
            last_rejection: None,
            commit_failures: 0,
            recoveries: 0,
        }
    }

    pub(super) fn count(&mut self, diagnosis: &Diagnosis, now: UnixTime) {
        self.rejections += 1;
        *self.codes.entry(CodeLabel::of(diagnosis.code)).or_default() += 1;
        *self.bases.entry(diagnosis.basis).or_default() += 1;
        for (at, finding) in diagnosis.findings.iter().enumerate() {
            // Of one cause there may be several: a token that has expired, and that never lives longer than seconds.
            let mut before = diagnosis.findings.iter().take(at).filter(|before| !before.is_of_code());
            if !finding.is_of_code() && before.all(|before| before.cause() != finding.cause()) {
                *self.findings.entry(finding.cause()).or_default() += 1;
            }
        }
        for skipped in &diagnosis.skipped {
            *self.skipped.entry(*skipped).or_default() += 1;
        }
        if let Some(token) = &diagnosis.token {
            for (by_product, seconds) in [
                (&mut self.expired_for, token.expired_for_seconds),
                (&mut self.lifetime, token.lifetime_seconds),
                (&mut self.early_by, token.early_by_seconds),
            ] {
                if let (Some(histogram), Some(seconds)) = (by_product.get_mut(&diagnosis.product), seconds) {
                    histogram.observe(seconds);
                }
            }
        }
        self.last_rejection = self.last_rejection.max(Some(diagnosis.at.min(now)));
    }
}

impl CodeLabel {
    /// The label of a code that the log shows, or of none.
    pub fn of(code: Option<u32>) -> Self {
        match code {
            Some(number) if code::find(number).is_some() => Self::Known(number),
            Some(_) => Self::Other,
            None => Self::None,
        }
    }
}

impl std::fmt::Display for CodeLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(number) => write!(f, "{number}"),
            Self::Other => f.write_str("other"),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_on_a_bound_belongs_to_it() {
        let mut histogram = Histogram::new(&[1.0, 10.0]);
        for seconds in [1, 2, 10, 11] {
            histogram.observe(seconds);
        }
        assert_eq!((histogram.counts.as_slice(), histogram.count, histogram.sum), ([1, 2].as_slice(), 4, 24.0));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [EXPIRED_FOR_BOUNDS, LIFETIME_BOUNDS, EARLY_BY_BOUNDS] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_code_that_is_not_in_the_table_has_a_label_all_the_same() {
        assert_eq!(CodeLabel::of(Some(51007)).to_string(), "51007");
        assert_eq!(CodeLabel::of(Some(4_000_000_000)).to_string(), "other");
        assert_eq!(CodeLabel::of(None).to_string(), "none");
    }
}
