//! Which sources speak, and which have fallen silent or fail.
//!
//! A source is silent when nothing came for longer than the threshold, and for three times longer than it ever paused
//! before: an application that logs once a day is not silent after an hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ledger::alert::{Name, Signal};
use crate::ledger::totals::Source;
use crate::time::UnixTime;

use super::{Scene, text};

/// A source that was heard less often is not expected to speak.
const HEARD_MIN: u32 = 10;
/// A pause that is longer than the longest before, so many times, is a silence.
const PAUSE_TIMES: i64 = 3;
/// Between two looks that are further apart, the machine slept: nobody could speak, in milliseconds.
const SLEPT_MILLIS: i64 = 120_000;
/// A source may need this long to come up, in milliseconds.
const START_MILLIS: i64 = 60_000;
/// An error is fresh for this long, in milliseconds.
const ERROR_MILLIS: i64 = 120_000;

/// The sources by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Speakers {
    by_name: BTreeMap<String, Speaker>,
    started: Option<UnixTime>,
    looked: Option<UnixTime>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Speaker {
    bytes: u64,
    errors: u64,
    /// Errors that came lately, and since when.
    fresh_errors: u64,
    /// When an error came last.
    #[serde(default)]
    failed_at: Option<UnixTime>,
    heard_at: UnixTime,
    /// How often something was heard.
    heard: u32,
    longest_pause_millis: i64,
}

impl Speakers {
    /// When the looking began.
    pub(super) fn started(&self, now: UnixTime) -> UnixTime {
        self.started.unwrap_or(now)
    }

    /// Nobody could be heard while the daemon did not run.
    pub(super) fn resume(&mut self, now: UnixTime) {
        (self.started, self.looked) = (Some(now), None);
        self.by_name.values_mut().for_each(|speaker| speaker.heard_at = now);
    }

    pub(super) fn look(&mut self, sources: &[Arc<Source>], now: UnixTime) {
        self.started.get_or_insert(now);
        let slept = self.looked.is_some_and(|before| now.millis_since(before) > SLEPT_MILLIS);
        self.looked = Some(now);
        self.by_name.retain(|name, _| sources.iter().any(|source| source.configured && *source.name == **name));
        for source in sources.iter().filter(|source| source.configured) {
            let errors = own_errors(source);
            let fresh = || Speaker {
                bytes: source.read_bytes,
                errors,
                fresh_errors: errors,
                failed_at: (errors > 0).then_some(now),
                heard_at: now,
                heard: 0,
                longest_pause_millis: 0,
            };
            let speaker = match self.by_name.get_mut(&*source.name) {
                Some(speaker) => speaker,
                None => self.by_name.entry(source.name.to_string()).or_insert_with(fresh),
            };
            speaker.hear(source, errors, slept, now);
        }
    }

    pub(super) fn signals(&self, scene: &Scene<'_>, signals: &mut Vec<Signal>) {
        let (silent, failing) = (scene.settings.rule(Name::SourceSilent), scene.settings.rule(Name::SourceFailing));
        let has_started = scene.now.millis_since(self.started(scene.now)) >= START_MILLIS;
        for source in scene.sources.iter().filter(|source| source.configured) {
            let Some(speaker) = self.by_name.get(&*source.name) else { continue };
            let silence = scene.now.millis_since(speaker.heard_at);
            let asked = (i64::from(silent.threshold) * 1000).max(speaker.longest_pause_millis * PAUSE_TIMES);
            if source.caught_up && speaker.heard >= HEARD_MIN && silence >= asked {
                signals.push(text::source_silent(&source.name, speaker.heard_at, silence / 1000));
            }
            let is_down = !source.up && (source.caught_up || has_started);
            if is_down || speaker.fresh_errors >= u64::from(failing.threshold.max(1)) {
                signals.push(text::source_failing(source, is_down, speaker.fresh_errors));
            }
        }
    }
}

/// Errors that say something of the source itself.
fn own_errors(source: &Source) -> u64 {
    source.errors.iter().filter(|(kind, _)| !kind.is_of_a_stranger()).map(|(_, count)| count).sum()
}

impl Speaker {
    fn hear(&mut self, source: &Source, errors: u64, slept: bool, now: UnixTime) {
        if source.read_bytes != self.bytes {
            let pause = now.millis_since(self.heard_at);
            // The backlog is no speech, and neither is what piled up while the machine slept.
            if source.caught_up && !slept {
                self.heard = self.heard.saturating_add(1);
                self.longest_pause_millis = self.longest_pause_millis.max(pause);
            }
            (self.bytes, self.heard_at) = (source.read_bytes, now);
        } else if slept {
            self.heard_at = now;
        }
        if errors > self.errors {
            self.failed_at = Some(now);
        }
        if self.failed_at.is_some_and(|at| now.millis_since(at) < ERROR_MILLIS) {
            self.fresh_errors += errors.saturating_sub(self.errors);
        } else {
            self.fresh_errors = 0;
        }
        self.errors = errors;
    }
}
