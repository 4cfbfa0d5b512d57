//! Sliding windows: what happened in the last second to the last day, in bounded memory.
//!
//! Counts lie in two rings of buckets, one of seconds for an hour and one of half minutes for a day. A window that
//! ends now is the sum of its buckets, its start rounded out to a whole bucket. Buckets are shared, not copied, by the
//! views that are published.
//!
//! Deliberately without a clock: `now` comes with every call.

pub mod series;

use std::fmt;
use std::sync::Arc;

use crate::cause::Cause;
use crate::diagnosis::Skipped;
use crate::echo::echo;
use crate::product::Product;
use crate::time::UnixTime;

/// The longest window, in seconds: a day.
pub const WINDOW_SECONDS_MAX: i64 = 86_400;
/// The window that is used when none is named, in seconds.
pub const WINDOW_SECONDS_DEFAULT: i64 = 300;
/// How far back the ring of seconds reaches.
const FINE_SECONDS: i64 = 3600;
/// Width of its buckets.
const FINE_MILLIS: i64 = 1000;
/// Width of the buckets of the ring that reaches back a day.
const COARSE_MILLIS: i64 = 30_000;

/// A length of time that ends now: whole seconds, 1 to [`WINDOW_SECONDS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(i64);

impl Default for Window {
    fn default() -> Self {
        Self(WINDOW_SECONDS_DEFAULT)
    }
}

impl Window {
    /// So many seconds, if that is a window.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        (1..=WINDOW_SECONDS_MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// Its length in seconds.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// Its length in seconds, for rates.
    #[expect(clippy::cast_precision_loss, reason = "a day of seconds fits an f64")]
    pub const fn seconds_f64(self) -> f64 {
        self.0 as f64
    }

    /// Reads a duration as Prometheus writes it (`30s`, `5m`, `1h30m`): units from large to small, each once.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        const UNITS: [(&str, i64); 5] =
            [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
        let syntax = || WindowError::Syntax(echo(text));
        let (mut rest, mut millis, mut smallest) = (text, 0_i64, i64::MAX);
        if rest.is_empty() {
            return Err(syntax());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at_checked(digits).ok_or_else(syntax)?;
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at_checked(letters).ok_or_else(syntax)?;
            let size =
                if unit == "ms" { 1 } else { UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(syntax)?.1 };
            if size >= smallest {
                return Err(syntax());
            }
            // Ten digits hold every duration that is not far out of range, and can't overflow below.
            let number: i64 = if digits <= 10 { number.parse().map_err(|_| syntax())? } else { 9_999_999_999 };
            millis = millis.saturating_add(number.saturating_mul(size));
            (rest, smallest) = (tail, size);
        }
        if millis % 1000 != 0 && millis > 1000 {
            return Err(syntax());
        }
        Self::from_seconds(millis / 1000).ok_or_else(|| WindowError::Range(echo(text)))
    }
}

/// As Prometheus writes it: `5m`, `1h30m`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowError {
    /// Not a duration in whole seconds.
    Syntax(String),
    /// A duration, but too short or too long.
    Range(String),
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(found) => {
                write!(f, "expected a duration in whole seconds, such as `5m` or `1h30m`, but found `{found}`")
            }
            Self::Range(found) => write!(f, "expected a duration from 1s to 24h, but found `{found}`"),
        }
    }
}

impl std::error::Error for WindowError {}

/// A count with the first and the last time of what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many.
    pub count: u64,
    /// Time of the first.
    pub first: UnixTime,
    /// Time of the last.
    pub last: UnixTime,
}

/// A few counts by key, sorted: takes no room for what did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sparse<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord + Copy, V: Copy> FromIterator<(K, V)> for Sparse<K, V> {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(counts: T) -> Self {
        let mut sparse = Self::default();
        counts.into_iter().for_each(|(key, value)| sparse.update(key, value, |old, new| *old = new));
        sparse
    }
}

impl<K: Ord + Copy, V: Copy> Sparse<K, V> {
    /// What is there, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.0.iter().copied()
    }

    /// The value of a key.
    pub fn at(&self, key: K) -> Option<V> {
        self.0.binary_search_by(|(k, _)| k.cmp(&key)).ok().and_then(|at| self.0.get(at)).map(|(_, v)| *v)
    }

    fn update(&mut self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        match self.0.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    merge(old, value);
                }
            }
            Err(at) => self.0.insert(at, (key, value)),
        }
    }
}

impl<K: Ord + Copy> Sparse<K, u64> {
    fn add(&mut self, key: K, count: u64) {
        self.update(key, count, |old, new| *old += new);
    }

    fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(key, count)| self.add(key, count));
    }
}

/// The code of a rejection, as a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeLabel {
    /// A code of the table [`crate::code::CODES`].
    Known(u32),
    /// A code that the table does not have.
    Other,
    /// The log shows none.
    None,
}

/// The key of a rejection: a place in the bounded table of key SIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyLabel {
    /// A place in the table.
    Known(u16),
    /// The table was full.
    Other,
    /// No token, or no key SID in it.
    None,
}

/// One rejection, as the windows count it.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The time of the refusal.
    pub at: UnixTime,
    /// The cause.
    pub cause: Cause,
    /// The product.
    pub product: Product,
    /// The code.
    pub code: CodeLabel,
    /// The source's place in the ledger.
    pub source: u16,
    /// The key.
    pub key: KeyLabel,
    /// The checks not made.
    pub skipped: &'a [Skipped],
}

/// What one window holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All rejections.
    pub rejections: u64,
    /// By cause.
    pub causes: Sparse<Cause, Seen>,
    /// By product.
    pub products: Sparse<Product, u64>,
    /// By code.
    pub codes: Sparse<CodeLabel, u64>,
    /// By source.
    pub sources: Sparse<u16, u64>,
    /// By key.
    pub keys: Sparse<KeyLabel, u64>,
    /// Checks not made.
    pub skipped: Sparse<Skipped, u64>,
}

impl Tally {
    fn count(&mut self, one: &Counted<'_>) {
        self.rejections += 1;
        self.see(one.cause, Seen { count: 1, first: one.at, last: one.at });
        self.products.add(one.product, 1);
        self.codes.add(one.code, 1);
        self.sources.add(one.source, 1);
        self.keys.add(one.key, 1);
        one.skipped.iter().for_each(|skipped| self.skipped.add(*skipped, 1));
    }

    fn see(&mut self, cause: Cause, seen: Seen) {
        self.causes.update(cause, seen, |old, new| {
            *old = Seen { count: old.count + new.count, first: old.first.min(new.first), last: old.last.max(new.last) };
        });
    }

    fn merge(&mut self, other: &Self) {
        self.rejections += other.rejections;
        other.causes.iter().for_each(|(cause, seen)| self.see(cause, seen));
        self.products.merge(&other.products);
        self.codes.merge(&other.codes);
        self.sources.merge(&other.sources);
        self.keys.merge(&other.keys);
        self.skipped.merge(&other.skipped);
    }
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// Its start, in widths since the epoch.
    pub(super) index: i64,
    pub(super) tally: Tally,
}

#[derive(Clone, Debug)]
pub(super) struct Ring {
    width_millis: i64,
    pub(super) slots: Vec<Option<Arc<Bucket>>>,
}

impl Ring {
    /// One bucket more than the span, because the first and the last are both partly inside.
    fn new(width_millis: i64, span_seconds: i64) -> Self {
        let buckets = usize::try_from(span_seconds * 1000 / width_millis + 1).unwrap_or(1);
        Self { width_millis, slots: vec![None; buckets] }
    }

    fn index(&self, at: UnixTime) -> i64 {
        at.as_millis().div_euclid(self.width_millis)
    }

    fn count(&mut self, at: UnixTime, one: &Counted<'_>) {
        let index = self.index(at);
        let buckets = i64::try_from(self.slots.len()).unwrap_or(1);
        let Some(slot) = usize::try_from(index.rem_euclid(buckets)).ok().and_then(|at| self.slots.get_mut(at)) else {
            return;
        };
        match slot {
            Some(bucket) if bucket.index == index => Arc::make_mut(bucket).tally.count(one),
            // The place is taken by a later time: this one is out of reach.
            Some(bucket) if bucket.index > index => {}
            Some(_) | None => {
                let mut tally = Tally::default();
                tally.count(one);
                *slot = Some(Arc::new(Bucket { index, tally }));
            }
        }
    }

    /// The buckets from one index to another, both included, in no order.
    fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &Tally> {
        self.slots.iter().flatten().filter(move |b| (from..=to).contains(&b.index)).map(|b| &b.tally)
    }
}

/// The mean of the day before a window, per window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// How much of that day was observed, in seconds.
    pub observed_seconds: i64,
    /// The mean, once an hour was observed.
    pub rejections: Option<f64>,
}

/// Every window up to a day.
#[derive(Clone, Debug)]
pub struct Windows {
    pub(super) fine: Ring,
    pub(super) coarse: Ring,
    /// Since when there is something to count: the start, or the earliest event that was within reach.
    pub(super) since: UnixTime,
}

impl Windows {
    /// Nothing yet, from `now` on.
    pub fn new(now: UnixTime) -> Self {
        Self {
            fine: Ring::new(FINE_MILLIS, FINE_SECONDS),
            coarse: Ring::new(COARSE_MILLIS, WINDOW_SECONDS_MAX),
            since: now,
        }
    }

    /// Counts one rejection, if its time lies within a day of `now`. A time ahead of `now` comes from a clock that is
    /// ahead, and counts as now.
    pub fn count(&mut self, one: &Counted<'_>, now: UnixTime) {
        if now.seconds_since(one.at).abs() > WINDOW_SECONDS_MAX {
            return;
        }
        let at = one.at.min(now);
        self.since = self.since.min(at);
        self.fine.count(at, one);
        self.coarse.count(at, one);
    }

    /// The sum of a window that ends now.
    pub fn tally(&self, window: Window, now: UnixTime) -> Tally {
        let ring = if window.seconds() <= FINE_SECONDS { &self.fine } else { &self.coarse };
        let mut sum = Tally::default();
        ring.between(ring.index(start(window, now)), ring.index(now)).for_each(|tally| sum.merge(tally));
        sum
    }

    /// What a window of this length held on average in the day before it, once an hour of that was observed.
    #[expect(clippy::cast_precision_loss, reason = "counts of a day, shown as a mean")]
    pub fn baseline(&self, window: Window, now: UnixTime) -> Baseline {
        const LEARNED_SECONDS: i64 = 3600;
        let (from, to) = (now.plus_millis(-WINDOW_SECONDS_MAX * 1000), start(window, now));
        let observed_seconds = to.seconds_since(from.max(self.since)).max(0);
        let rejections = (observed_seconds >= LEARNED_SECONDS).then(|| {
            let last = self.coarse.index(to) - 1;
            let count: u64 = self.coarse.between(self.coarse.index(from), last).map(|t| t.rejections).sum();
            count as f64 * window.seconds_f64() / observed_seconds as f64
        });
        Baseline { observed_seconds, rejections }
    }
}

/// The first moment of a window, which does not include the moment a whole length ago.
pub(super) fn start(window: Window, now: UnixTime) -> UnixTime {
    now.plus_millis(1 - window.seconds() * 1000)
}

#[cfg(test)]
mod tests;
