//! What is usual: the rate at an hour of the day, and how much counts scatter around it.
//!
//! Learns minute by minute, in order, and forgets slowly. Which minutes teach is decided by the detector: those of a
//! spike, and those that may turn out to be one, do not.

use serde::{Deserialize, Serialize};

/// Slots of the day.
const HOURS: usize = 24;
/// Minutes of a day.
const DAY: i64 = 1440;
/// Memory of one slot of the day: ten days, in minutes of that slot.
const HOUR_MEMORY: f64 = 600.0;
/// Memory of the mean of all hours, in minutes.
const MEAN_MEMORY: f64 = 7.0 * 1440.0;
/// Memory of how today compares with other days, in minutes.
const LEVEL_MEMORY: f64 = 240.0;
/// Memory of the scatter, in minutes.
const SCATTER_MEMORY: f64 = 7.0 * 1440.0;
/// The rate that is assumed before anything is known, in events a minute, and what it weighs, in minutes.
const ASSUMED_RATE: f64 = 0.3;
const ASSUMED_MINUTES: f64 = 45.0;
/// The least rate that is believed in, in events a minute: one in three days.
const RATE_MIN: f64 = 0.000_25;
/// How far hours of a day usually are from their mean: the square of the relative deviation.
const HOURS_DIFFER: f64 = 0.3;
/// How far a day usually is from others.
const DAYS_DIFFER: f64 = 0.05;
/// The dispersion that is assumed before anything is known, and what it weighs, in events.
const ASSUMED_DISPERSION: f64 = 2.5;
const ASSUMED_EVENTS: f64 = 20.0;
/// The greatest dispersion; beyond, a baseline says nothing.
const DISPERSION_MAX: f64 = 100.0;
/// Width of the longer of the two scales on which scatter is measured, in minutes.
const LONG_MINUTES: u32 = 10;

/// A count over a time, both fading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Fading {
    sum: f64,
    weight: f64,
}

impl Fading {
    fn add(&mut self, sum: f64, weight: f64, memory: f64) {
        let keep = 1.0 - 1.0 / memory;
        self.sum = self.sum * keep + sum;
        self.weight = self.weight * keep + weight;
    }

    /// The mean, drawn towards an assumed one that weighs so much.
    fn drawn_to(&self, assumed: f64, weight: f64) -> f64 {
        (self.sum + assumed * weight) / (self.weight + weight)
    }
}

/// What is usual, at one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    /// Events a minute.
    pub(super) rate: f64,
    /// Variance over mean of the counts of a minute.
    pub(super) dispersion: f64,
    /// How much more counts scatter over ten minutes than over one, at least 1: how little one minute says by itself.
    pub(super) clustering: f64,
}

/// The memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Baseline {
    hours: [Fading; HOURS],
    mean: Fading,
    level: Fading,
    scatter: Fading,
    long_scatter: Fading,
    /// The long interval that is being filled: minutes, events, events expected.
    long: (u32, f64, f64),
    /// Minutes learned, at all.
    learned: i64,
}

impl Baseline {
    /// Minutes that were learned.
    pub(super) fn learned_minutes(&self) -> i64 {
        self.learned
    }

    /// What is usual at a minute since the epoch.
    pub(super) fn usual(&self, minute: i64) -> Usual {
        let dispersion = self.scatter.drawn_to(ASSUMED_DISPERSION, ASSUMED_EVENTS).clamp(1.0, DISPERSION_MAX);
        let long = self.long_scatter.drawn_to(ASSUMED_DISPERSION, ASSUMED_EVENTS).clamp(1.0, DISPERSION_MAX);
        let of_day = self.of_day(minute, dispersion);
        // Today may be busier or calmer than other days at this hour.
        let weight = dispersion / DAYS_DIFFER;
        let level = self.level.drawn_to(1.0, weight).clamp(0.25, 4.0);
        let rate = (of_day * level).max(RATE_MIN);
        Usual { rate, dispersion, clustering: (long / dispersion).max(1.0) }
    }

    /// The rate of other days at this time: between the middles of two hours, and at least that of its own hour, because
    /// what follows a timetable begins at the full hour and not by degrees.
    fn of_day(&self, minute: i64, dispersion: f64) -> f64 {
        let mean = self.mean.drawn_to(ASSUMED_RATE, ASSUMED_MINUTES).max(RATE_MIN);
        // A rare event says little about an hour: the mean of all hours weighs as much as so many minutes.
        let weight = dispersion / (mean * HOURS_DIFFER);
        let at = |hour: i64| {
            let slot = usize::try_from(hour.rem_euclid(24)).ok().and_then(|hour| self.hours.get(hour));
            slot.map_or(mean, |slot| slot.drawn_to(mean, weight))
        };
        let from_middle = minute.rem_euclid(DAY) - 30;
        let (hour, into) = (from_middle.div_euclid(60), from_middle.rem_euclid(60));
        let share = f64::from(i32::try_from(into).unwrap_or(0)) / 60.0;
        let between = at(hour) * (1.0 - share) + at(hour + 1) * share;
        between.max(at(minute.rem_euclid(DAY).div_euclid(60)))
    }

    /// Learns a minute.
    pub(super) fn learn(&mut self, minute: i64, count: f64) {
        let Usual { rate, dispersion, .. } = self.usual(minute);
        let of_day = self.of_day(minute, dispersion);
        let hour = usize::try_from(minute.rem_euclid(DAY) / 60).unwrap_or(0);
        if let Some(slot) = self.hours.get_mut(hour) {
            slot.add(count, 1.0, HOUR_MEMORY);
        }
        self.mean.add(count, 1.0, MEAN_MEMORY);
        self.level.add(count, of_day, LEVEL_MEMORY);
        self.scatter.add((count - rate).powi(2), rate, SCATTER_MEMORY);
        let (minutes, events, expected) = self.long;
        self.long = (minutes + 1, events + count, expected + rate);
        if self.long.0 == LONG_MINUTES {
            let (_, events, expected) = self.long;
            self.long_scatter.add((events - expected).powi(2), expected, SCATTER_MEMORY / f64::from(LONG_MINUTES));
            self.long = (0, 0.0, 0.0);
        }
        self.learned += 1;
    }
}
