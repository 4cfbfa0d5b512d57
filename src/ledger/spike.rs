//! Spikes of rare events: whether something happens more often than it usually does.
//!
//! Pure: counts and minutes in, evidence out. Two tests, of which either is enough. The first adds up evidence minute
//! by minute (CUSUM): how much better a raised rate explains the counts than the usual one, under a negative binomial
//! with the dispersion that was seen, so that a clump of events counts little more than one. It finds what lasts. The
//! second asks how unlikely the counts of the last minute and of the last five are, and finds floods at once.
//!
//! What is usual is learned by hour of the day, from minutes that are over for a while ([`GUARD_MINUTES`]) and were no
//! part of a spike. A new level that stays for [`SPIKE_MINUTES_MAX`] becomes the usual one.
//!
//! A minute is whatever the caller counts in; hours of the day fit only if it is one.
//!
//! Deliberately without tokens and causes: what is counted, and how many different tokens make an outage, is decided by
//! [`super::watch`].

mod baseline;
mod chance;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use baseline::{Baseline, Usual};

/// Minutes that are held back from the baseline, because a spike may have begun in them.
pub const GUARD_MINUTES: usize = 30;
/// A baseline of less history than this is a warm-up, in minutes: a day, because hours differ.
pub const WARM_UP_MINUTES: i64 = 1440;
/// A spike that lasts longer is the new usual, in minutes.
pub const SPIKE_MINUTES_MAX: u32 = 360;
/// Minutes without anything that are gone through one by one; a longer gap, of a daemon that stood still, counts as so
/// long.
const GAP_MINUTES_MAX: i64 = 14 * 1440;
/// A raised rate is this many times the usual one …
const RAISED_TIMES: f64 = 6.0;
/// … and at least this much more, in events a minute.
const RAISED_BY: f64 = 0.8;
/// Evidence for a raised rate that makes a spike: a natural logarithm.
const EVIDENCE: f64 = 8.4;
/// Evidence that is kept at most, in units of [`EVIDENCE`].
const EVIDENCE_MAX: f64 = 2.0;
/// Evidence for the usual rate that ends a spike.
const EVIDENCE_OVER: f64 = 5.0;
/// Windows of the second test, in minutes.
const FLOOD_MINUTES: [usize; 2] = [1, LATEST_MINUTES];
/// Length of the window that is shown, in minutes.
const LATEST_MINUTES: usize = 5;
const LATEST_LENGTH: u8 = 5;
/// The logarithm of the probability below which counts are a flood: one in ten million.
const FLOOD_LN: f64 = -16.1;
/// While too little is known, evidence has to be so many times greater …
const WARM_UP_TIMES: f64 = 1.5;
/// … or there are this many events in five minutes, and so many times more than usual.
const WARM_UP_EVENTS: f64 = 10.0;

/// What the detector says at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Evidence: 1 and more is a spike.
    pub score: f64,
    /// The spike has not ended; with hysteresis.
    pub is_active: bool,
    /// There is less than a day of history.
    pub is_warming_up: bool,
    /// Events a minute that are usual now.
    pub usual_per_minute: f64,
    /// Events of the last five minutes.
    pub latest: u32,
}

/// The detector of one kind of event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// The minute that is being counted, since the epoch.
    minute: Option<i64>,
    /// Its events.
    open: u32,
    /// The minutes before, oldest first; not learned yet.
    held: VecDeque<u32>,
    evidence: f64,
    /// Evidence that the spike is over.
    over: f64,
    /// Minutes since the spike began.
    active: Option<u32>,
    baseline: Baseline,
}

impl Spike {
    /// Counts events of a minute since the epoch. A minute that is over counts as the present one.
    pub fn count(&mut self, minute: i64, events: u32) {
        self.advance(minute);
        self.open = self.open.saturating_add(events);
    }

    /// The minute that is being counted.
    pub fn minute(&self) -> Option<i64> {
        self.minute
    }

    /// Lets time pass up to a minute, which becomes the one that is being counted.
    pub fn advance(&mut self, minute: i64) {
        let Some(mut at) = self.minute else {
            self.minute = Some(minute);
            return;
        };
        at = at.max(minute.saturating_sub(GAP_MINUTES_MAX));
        while at < minute {
            self.close(at);
            at += 1;
        }
        self.minute = Some(at.max(self.minute.unwrap_or(at)));
    }

    /// What is to be said now, the minute that is being counted included.
    pub fn look(&self) -> Look {
        let usual = self.usual();
        Look {
            score: self.score(self.evidence(usual)),
            is_active: self.active.is_some(),
            is_warming_up: self.is_warming_up(),
            usual_per_minute: usual.rate,
            latest: self.latest(LATEST_MINUTES),
        }
    }

    /// Says that the events so far are a spike, or takes back that they are one: the caller decides, because it may
    /// ask for more than evidence. Until it ends by itself, a spike teaches nothing.
    pub fn begin(&mut self) {
        if self.active.is_none() {
            self.active = Some(0);
            self.over = 0.0;
        }
    }

    /// Forgets all evidence, and no history.
    pub fn calm(&mut self) {
        (self.evidence, self.over, self.active, self.open) = (0.0, 0.0, None, 0);
        self.held.iter_mut().for_each(|count| *count = 0);
    }

    fn is_warming_up(&self) -> bool {
        self.baseline.learned_minutes() < WARM_UP_MINUTES
    }

    fn usual(&self) -> Usual {
        self.baseline.usual(self.minute.unwrap_or_default())
    }

    /// The evidence with the minute that is being counted.
    fn evidence(&self, usual: Usual) -> f64 {
        (self.evidence + self.step(usual)).max(0.0)
    }

    fn step(&self, usual: Usual) -> f64 {
        let raised = (usual.rate * RAISED_TIMES).max(usual.rate + RAISED_BY);
        chance::ln_ratio(f64::from(self.open), usual.rate, raised, usual.dispersion) / usual.clustering
    }

    fn score(&self, evidence: f64) -> f64 {
        let usual = self.usual();
        let floods = FLOOD_MINUTES.map(|minutes| {
            let length = u32::try_from(minutes).map_or(1.0, f64::from);
            let dispersion = usual.dispersion * if minutes > 1 { usual.clustering } else { 1.0 };
            chance::ln_tail(f64::from(self.latest(minutes)), usual.rate * length, dispersion) / FLOOD_LN
        });
        let flood = floods.into_iter().fold(0.0, f64::max);
        let score = (evidence / EVIDENCE).max(flood);
        if !self.is_warming_up() {
            return score;
        }
        // What is usual is mostly assumed, so that a plain number has to do.
        let latest = f64::from(self.latest(LATEST_MINUTES));
        let plenty = WARM_UP_EVENTS.max(usual.rate * RAISED_TIMES * f64::from(LATEST_LENGTH));
        (score / WARM_UP_TIMES).max(latest / plenty)
    }

    /// Events of the last minutes, the present one included.
    fn latest(&self, minutes: usize) -> u32 {
        let held = self.held.iter().rev().take(minutes.saturating_sub(1));
        held.fold(self.open, |sum, count| sum.saturating_add(*count))
    }

    fn close(&mut self, minute: i64) {
        self.minute = Some(minute);
        let usual = self.usual();
        let step = self.step(usual);
        self.evidence = (self.evidence + step).clamp(0.0, EVIDENCE * EVIDENCE_MAX);
        if let Some(minutes) = self.active {
            self.over = (self.over - step).max(0.0);
            self.active = Some(minutes + 1);
            if self.over > EVIDENCE_OVER {
                (self.active, self.evidence, self.over) = (None, 0.0, 0.0);
                // What the spike left behind teaches nothing, and neither does it look like a flood.
                self.held.clear();
            }
        }
        self.held.push_back(self.open);
        self.open = 0;
        self.learn(minute);
    }

    fn learn(&mut self, minute: i64) {
        let lasts = self.active.is_some_and(|minutes| minutes < SPIKE_MINUTES_MAX);
        if lasts && !self.is_warming_up() {
            // What came right before the spike may be its beginning, and is forgotten with it.
            while self.held.len() > GUARD_MINUTES {
                self.held.pop_front();
            }
            return;
        }
        while self.held.len() > GUARD_MINUTES {
            let Some(count) = self.held.pop_front() else { return };
            let ago = i64::try_from(self.held.len()).unwrap_or(0);
            self.baseline.learn(minute - ago, f64::from(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two days with one event every five minutes.
    fn taught() -> Spike {
        let mut spike = Spike::default();
        (0..2880).for_each(|minute| spike.count(minute, u32::from(minute % 5 == 0)));
        spike
    }

    #[test]
    fn a_warm_up_says_that_it_is_one_and_ends_after_a_day() {
        let mut spike = Spike::default();
        spike.count(0, 1);
        assert!(spike.look().is_warming_up);
        spike.advance(WARM_UP_MINUTES + 40);
        assert!(!spike.look().is_warming_up);
    }

    #[test]
    fn what_is_usual_is_learned() {
        let look = taught().look();
        assert!((0.17..0.23).contains(&look.usual_per_minute), "{look:?}");
        assert!(look.score < 0.5, "{look:?}");
    }

    #[test]
    fn a_spike_is_found_within_the_minute_that_is_not_over_yet() {
        let mut spike = taught();
        spike.count(2880, 12);
        assert!(spike.look().score >= 1.0);
    }

    #[test]
    fn a_spike_does_not_teach_and_ends() {
        let mut spike = taught();
        (2880..2940).for_each(|minute| {
            spike.count(minute, 5);
            if spike.look().score >= 1.0 {
                spike.begin();
            }
        });
        let look = spike.look();
        assert!(look.is_active && look.usual_per_minute < 0.3, "{look:?}");
        spike.advance(2960);
        assert!(!spike.look().is_active);
    }

    #[test]
    fn a_level_that_stays_becomes_the_usual_one() {
        let mut spike = taught();
        let day = 2880 + i64::from(SPIKE_MINUTES_MAX) + 1440;
        (2880..day).for_each(|minute| {
            spike.count(minute, 5);
            if spike.look().score >= 1.0 {
                spike.begin();
            }
        });
        let look = spike.look();
        assert!(!look.is_active && look.score < 1.0 && look.usual_per_minute > 1.5, "{look:?}");
    }

    #[test]
    fn a_long_pause_is_gone_through_in_bounded_time() {
        let mut spike = taught();
        spike.advance(i64::MAX / 2);
        assert!(spike.look().usual_per_minute < 0.01);
    }

    #[test]
    fn what_is_written_reads_back() {
        let spike = taught();
        let text = serde_json::to_string(&spike).expect("JSON");
        let read: Spike = serde_json::from_str(&text).expect("its own JSON");
        assert_eq!(read.look(), spike.look());
    }
}
