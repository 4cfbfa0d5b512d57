//! All that is counted and remembered.
//!
//! Pure: events and times in, an immutable [`View`] out. What was applied is shown only after [`Ledger::commit`], and
//! that is the boundary for durability: a store writes [`Ledger::working`] first and lets the ledger commit then, so that
//! nothing is shown that could be lost. Readers hold a view for as long as they like; all its numbers belong together.
//!
//! Deliberately without labels or text: how numbers are named and printed is the work of [`crate::expose`].

pub mod distinct;
pub mod keys;
pub mod rows;
pub mod totals;
pub mod window;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::pipeline::Event;
use crate::source::Health;
use crate::time::UnixTime;

use self::distinct::{Distinct, Tokens};
use self::keys::Keys;
use self::totals::{Source, Totals};
use self::window::{Baseline, CodeLabel, Counted, Tally, Window, Windows};

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
}

impl Default for Settings {
    fn default() -> Self {
        Self { rejections_kept: 1000, keys: Vec::new(), keys_max: 100, tokens_max: 4096 }
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
    windows: Windows,
    tokens: Arc<Tokens>,
    tokens_by_cause: BTreeMap<Cause, Arc<Tokens>>,
}

impl View {
    /// What a window that ends now holds.
    pub fn tally(&self, window: Window, now: UnixTime) -> Tally {
        self.windows.tally(window, now)
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
            windows: Windows::new(now),
            tokens: Arc::new(Tokens::new(settings.tokens_max)),
            tokens_by_cause: BTreeMap::new(),
        };
        Self { settings, working }
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
        self.settings = Settings { tokens_max: self.settings.tokens_max, ..settings };
    }

    /// Counts what the core says.
    pub fn apply(&mut self, event: &Event, now: UnixTime) {
        match event {
            Event::Diagnosed(diagnosis) => self.diagnosed(diagnosis, now),
            Event::Resighted { id, source } => self.resighted(id, source),
            Event::Lines { source, lines, truncated, bytes } => {
                if let Some((_, source)) = self.source(source) {
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

    fn diagnosed(&mut self, diagnosis: &Diagnosis, now: UnixTime) {
        let Some((place, source)) = self.source(&diagnosis.source) else { return };
        source.count(diagnosis);
        // What was there at start happened when its lines say. What comes in afterwards happens now, as for whoever
        // scrapes the counters, and however wrong a line's clock or zone is.
        let at = if source.caught_up { now } else { diagnosis.at };
        let working = &mut self.working;
        let number = working.totals.rejections;
        working.totals.count(diagnosis, now);
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
        if let Some(token) = &diagnosis.token {
            let max = self.settings.tokens_max;
            let of_cause = working.tokens_by_cause.entry(diagnosis.cause).or_insert_with(|| Arc::new(Tokens::new(max)));
            let at = at.min(now);
            Arc::make_mut(of_cause).see(token.fingerprint, at);
            Arc::make_mut(&mut working.tokens).see(token.fingerprint, at);
        }
        let diagnosis = Arc::new(diagnosis.clone());
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
mod tests {
    use proptest::prelude::*;

    use crate::diagnosis::{Basis, Check, Fingerprint, Found, SkipReason, Skipped, TokenReport, TokenState};
    use crate::product::Product;
    use crate::source::{Failure, Rotation};

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn ledger(settings: Settings) -> Ledger {
        Ledger::new(settings, ["app".into()], NOW)
    }

    fn diagnosis(id: u64, cause: Cause) -> Diagnosis {
        Diagnosis {
            id: id.to_string(),
            at: NOW,
            source: "app".into(),
            path: None,
            line: 1,
            offset: 0,
            sightings: 2,
            code: Some(51007),
            product: Product::Chat,
            cause,
            basis: Basis::Token,
            findings: Vec::new(),
            skipped: vec![Skipped { check: Check::Signature, reason: SkipReason::NoSecret }],
            token: Some(TokenReport {
                state: TokenState::Readable,
                found: Found::SameLine,
                fingerprint: Fingerprint(id.to_be_bytes()),
                jti: None,
                key_sid: Some("SK00000000000000000000000000000001".to_owned()),
                account_sid: None,
                issued_at: None,
                not_before: None,
                expires_at: None,
                lifetime_seconds: Some(3600),
                grants: Vec::new(),
                region: None,
                exposed: true,
                expired_for_seconds: Some(90),
                early_by_seconds: None,
            }),
        }
    }

    fn apply(ledger: &mut Ledger, diagnosis: Diagnosis) {
        ledger.apply(&Event::Diagnosed(Box::new(diagnosis)), NOW);
    }

    #[test]
    fn nothing_is_shown_before_it_is_committed() {
        let mut ledger = ledger(Settings::default());
        let before = ledger.commit();
        apply(&mut ledger, diagnosis(1, Cause::Expired));
        assert_eq!((before.totals.rejections, before.rejections.len()), (0, 0));
        assert_eq!(before.tally(Window::default(), NOW).rejections, 0);
        assert_eq!(before.sources[0].rejections_all(), 0);
        let after = ledger.commit();
        assert_eq!((after.totals.rejections, after.rejections.len()), (1, 1));
        assert_eq!(after.distinct_tokens(None, Window::default(), NOW).count, 1);
        assert_eq!((after.sources[0].exposed_tokens, after.sources[0].sightings), (1, 2));
        assert_eq!(after.totals.expired_for[&Product::Chat].count, 1);
    }

    #[test]
    fn a_refusal_printed_once_more_is_a_sighting_and_no_rejection() {
        let mut ledger = ledger(Settings::default());
        apply(&mut ledger, diagnosis(1, Cause::Expired));
        ledger.apply(&Event::Resighted { id: "1".to_owned(), source: "app".into() }, NOW);
        ledger.apply(&Event::Resighted { id: "gone".to_owned(), source: "app".into() }, NOW);
        let view = ledger.commit();
        assert_eq!((view.totals.rejections, view.sources[0].sightings), (1, 4));
        assert_eq!(view.rejections[0].diagnosis.sightings, 3);
        assert_eq!(view.examples[&Cause::Expired].sightings, 3);
    }

    #[test]
    fn an_old_refusal_counts_in_the_totals_only() {
        let mut ledger = ledger(Settings::default());
        apply(&mut ledger, Diagnosis { at: UnixTime::from_seconds(1_700_000_000), ..diagnosis(1, Cause::Expired) });
        let view = ledger.commit();
        assert_eq!(view.totals.rejections, 1);
        assert_eq!(view.tally(Window::from_seconds(86_400).expect("a window"), NOW).rejections, 0);
    }

    #[test]
    fn the_example_of_a_cause_is_its_latest_whatever_the_order_of_arrival() {
        let mut ledger = ledger(Settings::default());
        for (id, seconds_ago) in [(1, 50), (2, -500), (3, 0), (4, 90)] {
            let at = NOW.plus_millis(-seconds_ago * 1000);
            apply(&mut ledger, Diagnosis { at, ..diagnosis(id, Cause::Expired) });
        }
        assert_eq!(ledger.commit().examples[&Cause::Expired].id, "3");
    }

    #[test]
    fn only_the_latest_rejections_are_kept_and_numbers_go_on() {
        let mut ledger = ledger(Settings { rejections_kept: 3, ..Settings::default() });
        (0..5).for_each(|id| apply(&mut ledger, diagnosis(id, Cause::Expired)));
        let numbers: Vec<u64> = ledger.commit().rejections.iter().map(|kept| kept.number).collect();
        assert_eq!(numbers, [2, 3, 4]);
        ledger.reload(Settings { rejections_kept: 0, ..Settings::default() }, ["app".into()]);
        apply(&mut ledger, diagnosis(9, Cause::Expired));
        assert!(ledger.commit().rejections.is_empty());
    }

    #[test]
    fn a_source_that_a_reload_removes_keeps_its_counters() {
        let mut ledger = ledger(Settings::default());
        apply(&mut ledger, diagnosis(1, Cause::Expired));
        ledger.reload(Settings::default(), ["other".into()]);
        let view = ledger.commit();
        let shown: Vec<_> = view.sources.iter().map(|s| (&*s.name, s.configured, s.rejections_all())).collect();
        assert_eq!(shown, [("app", false, 1), ("other", true, 0)]);
        assert_eq!(view.behind().collect::<Vec<_>>(), ["other"]);
    }

    #[test]
    fn what_happens_to_a_source_is_counted_by_kind() {
        let mut ledger = ledger(Settings::default());
        let failed = Health::Failed { kind: Failure::Read, message: "no".to_owned() };
        let reports = [Health::Up(true), Health::Rotated(Rotation::Rename), Health::Lost(7), failed, Health::CaughtUp];
        for health in &reports {
            ledger.health("app", health, NOW);
        }
        ledger.apply(&Event::Lines { source: "app".into(), lines: 3, truncated: 1, bytes: 90 }, NOW);
        let view = ledger.commit();
        let app = &view.sources[0];
        assert_eq!((app.up, app.caught_up, app.lost_bytes), (true, true, 7));
        assert_eq!((app.rotations[&Rotation::Rename], app.errors[&Failure::Read]), (1, 1));
        assert_eq!((app.lines, app.lines_truncated, app.read_bytes), (3, 1, 90));
        assert_eq!(app.last_error.as_ref().map(|e| &*e.message), Some("no"));
    }

    #[test]
    fn names_without_end_do_not_fill_the_memory() {
        let mut ledger = ledger(Settings::default());
        for n in 0..SOURCES_MAX + 10 {
            ledger.health(&format!("source {n}"), &Health::Lost(1), NOW);
        }
        let view = ledger.commit();
        assert_eq!(view.sources.len(), SOURCES_MAX);
        assert_eq!(view.sources.iter().map(|source| source.lost_bytes).sum::<u64>(), SOURCES_MAX as u64 + 10);
    }

    fn any_event() -> impl Strategy<Value = Diagnosis> {
        let code = prop_oneof![Just(None), Just(Some(51007)), any::<u32>().prop_map(Some)];
        let parts = (0..Cause::ALL.len(), 0..Product::ALL.len(), 0..Basis::ALL.len(), 0..4_u8, 0..200_000_i64, code);
        parts.prop_map(|(cause, product, basis, source, ago, code)| Diagnosis {
            product: Product::ALL[product],
            basis: Basis::ALL[basis],
            source: format!("source {source}").into(),
            at: NOW.plus_millis(-ago * 1000),
            code,
            ..diagnosis(1, Cause::ALL[cause])
        })
    }

    proptest! {
        #[test]
        fn every_way_to_sum_up_gives_the_number_of_rejections(events in prop::collection::vec(any_event(), 0..60)) {
            let mut ledger = ledger(Settings { keys_max: 1, ..Settings::default() });
            let count = events.len() as u64;
            let recent = events.iter().filter(|event| NOW.seconds_since(event.at) < 86_400).count() as u64;
            for event in events {
                apply(&mut ledger, event);
            }
            let view = ledger.commit();
            prop_assert_eq!(view.totals.rejections, count);
            prop_assert_eq!(view.sources.iter().map(|source| source.rejections_all()).sum::<u64>(), count);
            prop_assert_eq!(view.totals.codes.values().sum::<u64>(), count);
            prop_assert_eq!(view.totals.bases.values().sum::<u64>(), count);
            let tally = view.tally(Window::from_seconds(86_400).expect("a window"), NOW);
            prop_assert!((recent..=recent + 1).contains(&tally.rejections));
            prop_assert_eq!(tally.causes.iter().map(|(_, seen)| seen.count).sum::<u64>(), tally.rejections);
            for sum in [
                tally.products.iter().map(|(_, n)| n).sum::<u64>(),
                tally.codes.iter().map(|(_, n)| n).sum(),
                tally.sources.iter().map(|(_, n)| n).sum(),
                tally.keys.iter().map(|(_, n)| n).sum(),
            ] {
                prop_assert_eq!(sum, tally.rejections);
            }
        }
    }
}
