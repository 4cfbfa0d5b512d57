//! All that is counted and remembered.
//!
//! Pure: events and times in, an immutable [`View`] out. What was applied is shown only after [`Ledger::commit`], and
//! that is the boundary for durability: a store writes [`Ledger::working`] first and lets the ledger commit then, so that
//! nothing is shown that could be lost. Readers hold a view for as long as they like; all its numbers belong together.
//!
//! Deliberately without labels or text: how numbers are named and printed is the work of [`crate::expose`].

pub mod alert;
pub mod distinct;
pub mod incident;
pub mod keys;
mod layers;
pub mod link;
mod look;
pub mod recent;
pub mod rows;
pub mod sketch;
pub mod spike;
pub mod totals;
pub mod watch;
pub mod window;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::pipeline::{Event, Leak};
use crate::source::{Failure, Health};
use crate::time::UnixTime;

use self::alert::Alerts;
use self::distinct::{Distinct, Tokens};
use self::incident::Incidents;
use self::incident::story::KeyRecords;
use self::keys::Keys;
use self::recent::{Early, Exposed, Recent};
use self::totals::{Source, Totals};
use self::watch::{Saw, Watch};
use self::window::series::Slot;
use self::window::{Baseline, CodeLabel, Counted, Tally, Window, Windows};

pub use self::look::{Looked, Remembered};

/// The most sources that are told apart; far more than a config names.
const SOURCES_MAX: usize = 4096;

/// How much is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The latest rejections that are kept whole.
    pub rejections_kept: usize,
    /// Key SIDs of the key ring: always told apart.
    pub keys: Vec<String>,
    /// Further key SIDs that are told apart.
    pub keys_max: usize,
    /// Different tokens that are told apart, for each cause.
    pub tokens_max: usize,
    /// The daemon's own alerts.
    pub alerts: alert::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rejections_kept: 1000,
            keys: Vec::new(),
            keys_max: 100,
            tokens_max: 4096,
            alerts: alert::Settings::default(),
        }
    }
}

/// A rejection that is kept whole.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How many rejections were counted before it.
    pub number: u64,
    /// What it was.
    pub diagnosis: Arc<Diagnosis>,
}

/// All numbers at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Every source, in the order in which they came; places are never reused.
    pub sources: Vec<Arc<Source>>,
    /// The counts of all sources together.
    pub totals: Totals,
    /// The key SIDs that the windows refer to.
    pub keys: Keys,
    /// The latest rejections, oldest first, in the order of arrival.
    pub rejections: VecDeque<Kept>,
    /// The latest rejection of each cause.
    pub examples: BTreeMap<Cause, Arc<Diagnosis>>,
    /// When this was made durable.
    pub committed_at: Option<UnixTime>,
    /// What belongs together.
    pub incidents: Incidents,
    /// The daemon's own alerts, as they were at the last look.
    pub alerts: Arc<Alerts>,
    windows: Windows,
    tokens: Arc<Tokens>,
    tokens_by_cause: BTreeMap<Cause, Arc<Tokens>>,
    exposed: Arc<Recent<Exposed>>,
    early: Arc<Recent<Early>>,
}

impl View {
    /// What a window that ends now holds.
    pub fn tally(&self, window: Window, now: UnixTime) -> Tally {
        self.windows.tally(window, now)
    }

    /// The last so many slots of so many seconds, for a chart.
    pub fn series(&self, width_seconds: i64, slots: usize, now: UnixTime) -> Vec<Slot> {
        self.windows.series(width_seconds, slots, now)
    }

    /// What such a window held on average in the day before.
    pub fn baseline(&self, window: Window, now: UnixTime) -> Baseline {
        self.windows.baseline(window, now)
    }

    /// Different tokens in a window, of one cause or of all.
    pub fn distinct_tokens(&self, cause: Option<Cause>, window: Window, now: UnixTime) -> Distinct {
        let tokens = match cause {
            Some(cause) => self.tokens_by_cause.get(&cause),
            None => Some(&self.tokens),
        };
        tokens.map_or(Distinct { count: 0, at_least: false }, |tokens| tokens.since(window::start(window, now)))
    }

    /// The tokens that stood in a log while they were valid, by the time of their last refusal, or of the line that told of
    /// them: those of a window, and those that are valid still, whenever that was.
    pub fn exposed_tokens(&self, window: Window, now: UnixTime) -> Vec<(UnixTime, Exposed)> {
        let start = window::start(window, now);
        let matters = |(last, token): &(UnixTime, Exposed)| *last >= start || token.expires_at.is_some_and(|t| t > now);
        let mut tokens = self.exposed.since(UnixTime::from_millis(i64::MIN));
        tokens.retain(matters);
        tokens
    }

    /// The tokens that were refused before their time, last in a window, by the time of that.
    pub fn early_tokens(&self, window: Window, now: UnixTime) -> Vec<(UnixTime, Early)> {
        self.early.since(window::start(window, now))
    }

    /// There may be more of either: some were forgotten.
    pub fn tokens_are_partial(&self, window: Window, now: UnixTime) -> bool {
        let start = window::start(window, now);
        self.exposed.is_partial(start) || self.early.is_partial(start)
    }

    /// A source by its place.
    pub fn source(&self, at: u16) -> Option<&Source> {
        self.sources.get(usize::from(at)).map(|source| &**source)
    }

    /// Names of the configured sources whose backlog at start has not been read yet.
    pub fn behind(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter(|source| source.configured && !source.caught_up).map(|source| &*source.name)
    }
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger {
    settings: Settings,
    working: View,
    watch: Watch,
    records: KeyRecords,
}

impl Ledger {
    /// An empty ledger for these sources.
    pub fn new(settings: Settings, sources: impl IntoIterator<Item = Arc<str>>, now: UnixTime) -> Self {
        let working = View {
            sources: sources.into_iter().map(|name| Arc::new(Source::new(name))).collect(),
            totals: Totals::new(),
            keys: Keys::new(&settings.keys, settings.keys_max),
            rejections: VecDeque::new(),
            examples: BTreeMap::new(),
            committed_at: None,
            incidents: Incidents::default(),
            alerts: Arc::default(),
            windows: Windows::new(now),
            tokens: Arc::new(Tokens::new(settings.tokens_max)),
            tokens_by_cause: BTreeMap::new(),
            exposed: Arc::new(Recent::new(settings.tokens_max)),
            early: Arc::new(Recent::new(settings.tokens_max)),
        };
        let watch = Watch::new(&settings.alerts, now);
        Self { settings, working, watch, records: KeyRecords::default() }
    }

    /// Takes over new settings and sources. Sources that are gone keep their counters; the limit of distinct tokens
    /// stays.
    pub fn reload(&mut self, settings: Settings, sources: impl IntoIterator<Item = Arc<str>>) {
        self.working.keys.reload(&settings.keys, settings.keys_max);
        self.working.sources.iter_mut().for_each(|source| Arc::make_mut(source).configured = false);
        for name in sources {
            if let Some((_, source)) = self.source(&name) {
                source.configured = true;
            }
        }
        let kept = self.working.rejections.len().saturating_sub(settings.rejections_kept);
        self.working.rejections.drain(..kept);
        self.watch.reload(&settings.alerts);
        self.settings = Settings { tokens_max: self.settings.tokens_max, ..settings };
    }

    /// Counts what the core says.
    pub fn apply(&mut self, event: Event, now: UnixTime) {
        match event {
            Event::Diagnosed(diagnosis) => self.diagnosed(diagnosis.into(), now),
            Event::Resighted { id, source } => self.resighted(&id, &source),
            Event::Exposed(leak) => self.exposed(&leak, now),
            Event::Misfit(misfit) => {
                let failed = Health::FailedAgain { kind: Failure::Payload, message: misfit.to_string() };
                self.health(&misfit.source, &failed, now);
            }
            Event::Lines { source, lines, truncated, bytes } => {
                if let Some((_, source)) = self.source(&source) {
                    source.lines += lines;
                    source.lines_truncated += truncated;
                    source.read_bytes += bytes;
                }
            }
        }
    }

    /// Counts what happened to a source.
    pub fn health(&mut self, source: &str, health: &Health, now: UnixTime) {
        if let Some((_, source)) = self.source(source) {
            source.health(health, now);
        }
        if *health == Health::CaughtUp && self.working.behind().next().is_none() {
            self.watch.caught_up(now);
        }
    }

    /// All that was applied, for a store that makes it durable before it is committed.
    pub fn working(&self) -> &View {
        &self.working
    }

    /// Lets readers see all that was applied. Cheap enough for every batch, too dear for every line: shared parts are
    /// counted, changed ones copied.
    pub fn commit(&mut self) -> Arc<View> {
        Arc::new(self.working.clone())
    }

    /// The same, with the time at which it was made durable.
    pub fn commit_at(&mut self, now: UnixTime) -> Arc<View> {
        self.working.committed_at = Some(now);
        self.commit()
    }

    /// Counts that a state could not be used, or not all of it.
    pub fn recovered(&mut self) {
        self.working.totals.recoveries += 1;
    }

    /// Counts that a commit failed.
    pub fn commit_failed(&mut self) {
        self.working.totals.commit_failures += 1;
    }

    fn diagnosed(&mut self, diagnosis: Arc<Diagnosis>, now: UnixTime) {
        let Some((place, source)) = self.source(&diagnosis.source) else { return };
        source.count(&diagnosis);
        let is_live = source.caught_up;
        // What was there at start happened when its lines say. What comes in afterwards happens now, as for whoever
        // scrapes the counters, and however wrong a line's clock or zone is.
        let at = if is_live { now } else { diagnosis.at };
        let working = &mut self.working;
        let number = working.totals.rejections;
        working.totals.count(&diagnosis, now);
        let key = diagnosis.token.as_ref().and_then(|token| token.key_sid.as_deref());
        let counted = Counted {
            at,
            cause: diagnosis.cause,
            product: diagnosis.product,
            code: CodeLabel::of(diagnosis.code),
            source: place,
            key: working.keys.label(key, now),
            skipped: &diagnosis.skipped,
        };
        working.windows.count(&counted, now);
        let mut before = None;
        if let Some(token) = &diagnosis.token {
            let max = self.settings.tokens_max;
            let of_cause = working.tokens_by_cause.entry(diagnosis.cause).or_insert_with(|| Arc::new(Tokens::new(max)));
            let at = at.min(now);
            Arc::make_mut(of_cause).see(token.fingerprint, at);
            before = Arc::make_mut(&mut working.tokens).see(token.fingerprint, at);
            if token.exposed {
                let exposed = Exposed { key: counted.key, expires_at: token.expires_at };
                Arc::make_mut(&mut working.exposed).see(token.fingerprint, at, exposed, |_, new| new);
            }
            if let Some(seconds) = token.early_by_seconds {
                let keep_first = |old: Early, new: Early| Early { seconds: old.seconds.max(new.seconds), ..new };
                let early = Early { key: counted.key, seconds };
                Arc::make_mut(&mut working.early).see(token.fingerprint, at, early, keep_first);
            }
        }
        let known = self.records.saw(&diagnosis);
        working.incidents.count(&diagnosis, at.min(now), &known);
        self.watch.saw(&Saw { diagnosis: &diagnosis, number, at, is_live, before }, &self.settings.alerts, now);
        // The latest by its time, so that an example is never older than the window that shows it; a time ahead of now
        // must not keep its place for ever.
        let newer = |old: &Arc<Diagnosis>| old.at.min(now) <= diagnosis.at.min(now);
        if working.examples.get(&diagnosis.cause).is_none_or(newer) {
            working.examples.insert(diagnosis.cause, Arc::clone(&diagnosis));
        }
        if self.settings.rejections_kept > 0 {
            let over = (working.rejections.len() + 1).saturating_sub(self.settings.rejections_kept);
            working.rejections.drain(..over);
            working.rejections.push_back(Kept { number, diagnosis });
        }
    }

    fn exposed(&mut self, leak: &Leak, now: UnixTime) {
        let Some((_, source)) = self.source(&leak.source) else { return };
        source.exposed_tokens += 1;
        let is_live = source.caught_up;
        let at = if is_live { now } else { leak.at.min(now) };
        let key = self.working.keys.label(Some(&leak.key_sid), now);
        let exposed = Exposed { key, expires_at: leak.expires_at };
        Arc::make_mut(&mut self.working.exposed).see(leak.fingerprint, at, exposed, |_, new| new);
        if is_live {
            self.watch.exposed(&leak.source, now, true);
        }
    }

    fn resighted(&mut self, id: &str, source: &str) {
        if let Some((_, source)) = self.source(source) {
            source.sightings += 1;
        }
        if let Some(kept) = self.working.rejections.iter_mut().rev().find(|kept| kept.diagnosis.id == id) {
            let printed = Arc::make_mut(&mut kept.diagnosis);
            printed.sightings = printed.sightings.saturating_add(1);
            if let Some(example) = self.working.examples.get_mut(&printed.cause).filter(|example| example.id == id) {
                *example = Arc::clone(&kept.diagnosis);
            }
        }
    }

    /// A source and its place; a name that is new gets one.
    fn source(&mut self, name: &str) -> Option<(u16, &mut Source)> {
        let sources = &mut self.working.sources;
        let known = sources.iter().position(|source| &*source.name == name);
        // Names come from the config, so the bound only limits a mistake: the last place takes what is over.
        let at = known.unwrap_or(sources.len().min(SOURCES_MAX - 1));
        if at == sources.len() {
            sources.push(Arc::new(Source::new(name.into())));
        }
        let place = u16::try_from(at).ok()?;
        sources.get_mut(at).map(|source| (place, Arc::make_mut(source)))
    }
}

#[cfg(test)]
mod tests;
