//! What the alerts watch: how often what happens, which tokens come back, which sources speak.
//!
//! Pure: rejections and times in, the conditions that hold out ([`Signal`]). What was there at start happened when its
//! lines say; it teaches what is usual, and raises nothing; neither does what arrives while another source still reads,
//! for at most [`BACKLOG_WAIT_MILLIS`]. Everything is bounded and can be written to a store.
//!
//! A token that is refused again within [`REPEAT_MILLIS`] does not count again: one client in a loop is no outage, but
//! an alert of its own.

mod loops;
mod sources;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cause::{Cause, Family};
use crate::diagnosis::Diagnosis;
use crate::time::UnixTime;

use super::alert::{Name, Settings, Signal, Subject};
use super::incident::Incident;
use super::sketch::Lately;
use super::spike::{Look, Spike};
use super::totals::Source;
use loops::Loops;
use sources::Speakers;

/// A token that comes again sooner counts once, in milliseconds.
pub const REPEAT_MILLIS: i64 = 600_000;
/// Steps of the backlog that are kept until it has been read: a week of minutes.
const BACKLOG_STEPS_MAX: usize = 10_080;
/// How long the backlog is waited for, in milliseconds; what comes later teaches nothing.
const BACKLOG_WAIT_MILLIS: i64 = 120_000;
/// Looks follow each other this closely while something happens, in milliseconds.
pub const LOOK_MILLIS: i64 = 1000;
/// And so closely while nothing does.
pub const IDLE_MILLIS: i64 = 15_000;
/// Something happens for this long after a rejection, in milliseconds.
const LIVELY_MILLIS: i64 = 60_000;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Series {
    /// Everything.
    All,
    /// Expired tokens, first sent or sent again.
    Expiry,
    /// Bad signatures.
    Signature,
    /// One cause.
    Cause(Cause),
}

impl Series {
    fn all() -> impl Iterator<Item = Self> {
        [Self::All, Self::Expiry, Self::Signature].into_iter().chain(Cause::ALL.map(Self::Cause))
    }

    /// The series of a cause.
    fn of(cause: Cause) -> [Option<Self>; 3] {
        let group = if matches!(cause, Cause::Expired | Cause::StaleReuse) {
            Some(Self::Expiry)
        } else {
            (cause.family() == Family::Signature).then_some(Self::Signature)
        };
        [Some(Self::All), group, Some(Self::Cause(cause))]
    }

    /// Whether a cause belongs to it.
    fn holds(self, cause: Cause) -> bool {
        Self::of(cause).contains(&Some(self))
    }

    /// The alert of its spikes. A cause that has an alert of its own has none here.
    fn alert(self) -> Option<(Name, Subject)> {
        match self {
            Self::All => Some((Name::RejectionSpike, Subject::Whole)),
            Self::Expiry => Some((Name::ExpirySpike, Subject::Whole)),
            Self::Signature => Some((Name::SignatureSpike, Subject::Whole)),
            Self::Cause(cause) => {
                let is_own = cause == Cause::NotYetValid || Self::of(cause)[1].is_some();
                (!is_own).then_some((Name::RejectionSpike, Subject::Cause(cause)))
            }
        }
    }
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Track {
    spike: Spike,
    tokens: Lately,
}

/// Tokens that stood in the log of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Exposed {
    last: UnixTime,
    count: u64,
}

/// A rejection, as the watch sees it.
#[derive(Clone, Copy, Debug)]
pub struct Saw<'a> {
    /// What it was.
    pub diagnosis: &'a Diagnosis,
    /// How many rejections were counted before it.
    pub number: u64,
    /// When it happened, as far as the windows are concerned.
    pub at: UnixTime,
    /// It arrived now; it was not there at start.
    pub is_live: bool,
    /// When its token was refused before.
    pub before: Option<UnixTime>,
}

/// What conditions are judged by, besides what was seen.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The sources.
    pub sources: &'a [std::sync::Arc<Source>],
    /// The open incidents, the greatest first.
    pub incidents: &'a [&'a Incident],
    /// Now.
    pub now: UnixTime,
}

/// All that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    since: UnixTime,
    step_millis: i64,
    tracks: Vec<(Series, Track)>,
    /// Rejections of the backlog, by step, until it has been read.
    backlog: BTreeMap<i64, Vec<(Series, u32)>>,
    is_settled: bool,
    /// When each cause was first seen; and whether that was after enough history to be news.
    causes: BTreeMap<Cause, UnixTime>,
    news: BTreeMap<Cause, UnixTime>,
    exposed: BTreeMap<String, Exposed>,
    loops: Loops,
    speakers: Speakers,
    last_rejection: Option<UnixTime>,
    state_failures: u32,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(settings: &Settings, now: UnixTime) -> Self {
        let step_millis = i64::from(settings.step_seconds.max(1)) * 1000;
        Self {
            since: now,
            step_millis,
            tracks: Series::all().map(|series| (series, Track::default())).collect(),
            backlog: BTreeMap::new(),
            is_settled: false,
            causes: BTreeMap::new(),
            news: BTreeMap::new(),
            exposed: BTreeMap::new(),
            loops: Loops::default(),
            speakers: Speakers::default(),
            last_rejection: None,
            state_failures: 0,
        }
    }

    /// Takes over new settings. Another width of the steps means to learn again.
    pub fn reload(&mut self, settings: &Settings) {
        if self.step_millis != i64::from(settings.step_seconds.max(1)) * 1000 {
            let fresh = Self::new(settings, self.since);
            (self.tracks, self.step_millis, self.backlog) = (fresh.tracks, fresh.step_millis, fresh.backlog);
        }
    }

    /// Makes what a store remembered ready for a new start: what came in between is a backlog again.
    pub fn resume(&mut self, settings: &Settings, now: UnixTime) {
        self.reload(settings);
        (self.is_settled, self.state_failures) = (false, 0);
        self.speakers.resume(now);
    }

    /// Counts a rejection.
    pub fn saw(&mut self, saw: &Saw<'_>, settings: &Settings, now: UnixTime) {
        let Saw { diagnosis, number, at, is_live, before } = *saw;
        let cause = diagnosis.cause;
        let at = at.min(now);
        // Nobody knows whether there were other logs that long ago, so old lines are no history.
        let reach = self.step_millis * i64::try_from(BACKLOG_STEPS_MAX).unwrap_or(i64::MAX);
        let is_recent = now.millis_since(at) < reach;
        if is_recent {
            self.since = self.since.min(at);
        }
        self.see_cause(cause, at, is_live, settings);
        let repeats = before.is_some_and(|before| at.millis_since(before) < REPEAT_MILLIS);
        if is_recent && !repeats {
            self.count(cause, if is_live { now } else { at }, is_live);
        }
        if !is_live {
            return;
        }
        self.last_rejection = Some(now);
        let step = self.step(now);
        // A rejection without a token is a token of its own: nothing says that they are the same.
        let hash = diagnosis.token.as_ref().map_or_else(|| spread(number), |t| u64::from_be_bytes(t.fingerprint.0));
        for series in Series::of(cause).into_iter().flatten() {
            if let Some(track) = self.track(series) {
                track.tokens.add(hash, step);
            }
        }
        if let Some(token) = &diagnosis.token {
            self.loops.add(token.fingerprint, cause, now);
            if token.exposed {
                self.exposed(&diagnosis.source, now, !token.told);
            }
        }
    }

    /// Notes that a token stood in a log while it was valid, one that is new or is printed once more.
    pub fn exposed(&mut self, source: &str, now: UnixTime, is_new: bool) {
        let exposed = self.exposed.entry(source.to_owned()).or_insert(Exposed { last: now, count: 0 });
        let is_over = now.millis_since(exposed.last) >= REPEAT_MILLIS;
        let before = if is_over { 0 } else { exposed.count };
        *exposed = Exposed { last: now, count: if is_new { before + 1 } else { before.max(1) } };
    }

    /// Notes that the state was written, or could not be.
    pub fn stored(&mut self, works: bool) {
        self.state_failures = if works { 0 } else { self.state_failures.saturating_add(1) };
    }

    fn see_cause(&mut self, cause: Cause, at: UnixTime, is_live: bool, settings: &Settings) {
        let history = at.seconds_since(self.since);
        let first = self.causes.entry(cause).or_insert(at);
        let is_first = *first == at;
        *first = at.min(*first);
        let asked = i64::from(settings.rule(Name::NewCause).threshold) * 3600;
        if is_live && is_first && history >= asked {
            self.news.entry(cause).or_insert(at);
        }
    }

    fn count(&mut self, cause: Cause, at: UnixTime, is_live: bool) {
        let step = self.step(at);
        for series in Series::of(cause).into_iter().flatten() {
            if self.is_settled {
                // What was read late is over, and teaches nothing.
                if is_live && let Some(track) = self.track(series) {
                    track.spike.count(step, 1);
                }
                continue;
            }
            let counts = self.backlog.entry(step).or_default();
            match counts.iter_mut().find(|(of, _)| *of == series) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => counts.push((series, 1)),
            }
        }
        if self.backlog.len() > BACKLOG_STEPS_MAX {
            self.backlog.pop_first();
        }
    }

    fn step(&self, at: UnixTime) -> i64 {
        at.as_millis().div_euclid(self.step_millis)
    }

    fn track(&mut self, series: Series) -> Option<&mut Track> {
        let at = self.tracks.binary_search_by(|(of, _)| of.cmp(&series)).ok()?;
        self.tracks.get_mut(at).map(|(_, track)| track)
    }

    /// Learns from the backlog, once it has been read, or has been waited for.
    fn settle(&mut self, scene: &Scene<'_>) {
        let is_behind = scene.sources.iter().any(|source| source.configured && !source.caught_up);
        let waited = scene.now.millis_since(self.speakers.started(scene.now));
        if !is_behind || waited >= BACKLOG_WAIT_MILLIS {
            self.caught_up(scene.now);
        }
    }

    /// Learns from the backlog, because all of it has been read: whatever comes from now on is news.
    pub fn caught_up(&mut self, now: UnixTime) {
        if self.is_settled {
            return;
        }
        self.is_settled = true;
        let backlog = std::mem::take(&mut self.backlog);
        let first = backlog.keys().next().copied();
        let now = self.step(now);
        for (series, track) in &mut self.tracks {
            let known = track.spike.minute();
            if let (Some(first), None) = (first, known) {
                track.spike.advance(first);
            }
            for (step, counts) in &backlog {
                let count = counts.iter().find(|(of, _)| of == series).map(|(_, count)| *count);
                if let Some(count) = count
                    && known.is_none_or(|known| *step > known)
                {
                    track.spike.count(*step, count);
                    if track.spike.look().score >= 1.0 {
                        track.spike.begin();
                    }
                }
            }
            track.spike.advance(now);
            track.spike.calm();
        }
    }

    /// The conditions that hold now.
    pub fn look(&mut self, scene: &Scene<'_>) -> Vec<Signal> {
        self.speakers.look(scene.sources, scene.now);
        self.settle(scene);
        let mut signals = Vec::new();
        self.spikes(scene, &mut signals);
        self.clock_skew(scene, &mut signals);
        self.new_causes(scene, &mut signals);
        self.exposures(scene, &mut signals);
        self.looping(scene, &mut signals);
        self.speakers.signals(scene, &mut signals);
        if self.state_failures >= scene.settings.rule(Name::StateFailing).threshold.max(1) {
            signals.push(text::state_failing(self.state_failures));
        }
        signals
    }

    /// The evidence for a spike of expired tokens.
    pub fn expiry_score(&self) -> f64 {
        let track = self.tracks.iter().find(|(series, _)| *series == Series::Expiry);
        track.map_or(0.0, |(_, track)| track.spike.look().score)
    }

    /// Whether there is too little history to know what is usual.
    pub fn is_warming_up(&self) -> bool {
        self.tracks.first().is_none_or(|(_, track)| track.spike.look().is_warming_up)
    }

    /// In how many milliseconds to look again.
    pub fn next_look_millis(&self, now: UnixTime) -> i64 {
        let is_lively = self.last_rejection.is_some_and(|last| now.millis_since(last) < LIVELY_MILLIS);
        if is_lively || !self.is_settled { LOOK_MILLIS } else { IDLE_MILLIS }
    }

    fn spikes(&mut self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        let step = self.step(scene.now);
        let mut is_explained = false;
        // The whole comes first in the list and last in the judgement: it is news only if no part explains it.
        for at in (0..self.tracks.len()).rev() {
            let Some((series, track)) = self.tracks.get_mut(at) else { continue };
            if self.is_settled {
                track.spike.advance(step);
            }
            track.tokens.advance(step);
            let Some((name, subject)) = series.alert() else { continue };
            let look = track.spike.look();
            let tokens = track.tokens.count();
            let asked = f64::from(scene.settings.rule(name).threshold.max(1)) / 100.0;
            let is_new = look.score >= asked && tokens >= u64::from(scene.settings.distinct_tokens_min);
            if is_new {
                track.spike.begin();
            }
            let holds = is_new || look.is_active;
            if !holds || (*series == Series::All && is_explained) {
                continue;
            }
            is_explained = true;
            let found = text::Spiking { name, subject, look: Look { is_active: true, ..look }, tokens };
            let series = *series;
            let incident = scene.incidents.iter().find(|incident| series.holds(incident.cause));
            signals.push(text::spike(found, scene.settings, incident.copied()));
        }
    }

    fn clock_skew(&self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        let track = self.tracks.iter().find(|(series, _)| *series == Series::Cause(Cause::NotYetValid));
        let tokens = track.map_or(0, |(_, track)| track.tokens.count());
        if tokens >= u64::from(scene.settings.rule(Name::ClockSkew).threshold.max(1)) {
            let incident = scene.incidents.iter().find(|incident| incident.cause == Cause::NotYetValid);
            signals.push(text::clock_skew(tokens, incident.copied()));
        }
    }

    fn new_causes(&mut self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        let keep = i64::from(scene.settings.rule(Name::NewCause).keep_seconds);
        self.news.retain(|_, at| scene.now.seconds_since(*at) <= keep);
        for (cause, at) in &self.news {
            // News for one look; how long it is told is the rule's to say.
            if scene.now.millis_since(*at) <= IDLE_MILLIS * 2 {
                let incident = scene.incidents.iter().find(|incident| incident.cause == *cause);
                signals.push(text::new_cause(*cause, *at, at.seconds_since(self.since), incident.copied()));
            }
        }
    }

    fn exposures(&mut self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        self.exposed.retain(|_, exposed| scene.now.millis_since(exposed.last) < REPEAT_MILLIS);
        let asked = u64::from(scene.settings.rule(Name::TokenExposed).threshold.max(1));
        for (source, exposed) in &self.exposed {
            if exposed.count >= asked && scene.now.millis_since(exposed.last) <= IDLE_MILLIS * 2 {
                signals.push(text::token_exposed(source, exposed.count, exposed.last));
            }
        }
    }

    fn looping(&mut self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        self.loops.advance(scene.now);
        let Some(top) = self.loops.top() else { return };
        if top.count >= u64::from(scene.settings.rule(Name::LoopingClient).threshold.max(1)) {
            signals.push(text::looping(&top));
        }
    }
}

/// Spreads numbers over the whole range, as a hash (splitmix64).
const fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
