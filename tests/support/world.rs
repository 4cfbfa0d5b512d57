//! Where simulated counts come from.
//!
//! Counts of a minute are Poisson, or negative binomial; the rate is steady, or follows the hour of the day, or besides
//! the day of the week, holidays and a drift of its own (an autoregressive logarithm), with minutes in which nothing is
//! heard. Or they are recorded ones ([`RECORDED`]): people who leave on a timetable, in weather.

use std::sync::LazyLock;

pub(crate) const DAY: i64 = 1440;

/// How counts come about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Variance over mean.
    dispersion: f64,
    /// How far the rate of the busiest hour is above the mean.
    cycle: f64,
    /// Weekends, holidays, a drift, and minutes that are missing.
    is_wild: bool,
    /// Counts as they were recorded; the rate is the share of the events that is taken.
    is_recorded: bool,
}

pub(crate) const STEADY: Shape =
    Shape { name: "steady", dispersion: 1.0, cycle: 0.0, is_wild: false, is_recorded: false };
pub(crate) const BURSTY: Shape = Shape { name: "bursty, daily cycle", dispersion: 3.0, cycle: 0.6, ..STEADY };
/// No detector was made for this one.
pub(crate) const WILD: Shape = Shape { name: "bursty, wild", is_wild: true, ..BURSTY };
/// Nor for this one.
pub(crate) const RECORDED: Shape = Shape { name: "departures", is_recorded: true, ..STEADY };

/// How much of the drift is left after a minute: half of it after two hours.
const DRIFT_KEPT: f64 = 0.9942;
/// How far the logarithm of the rate drifts: a quarter more or less.
const DRIFT: f64 = 0.25;
/// The rate of a weekend's day, and of a holiday, of which every eleventh day is one.
const WEEKEND: f64 = 0.6;
const HOLIDAY: f64 = 0.4;
const HOLIDAY_EVERY: i64 = 11;
/// One minute in so many begins a gap in what is heard, of so many minutes at most.
const GAP_EVERY: i64 = 500;
const GAP: i64 = 12;

/// A digit a minute, a line a day.
static DEPARTURES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let days = include_str!("../data/departures.txt").lines().filter(|line| !line.starts_with('#'));
    days.flat_map(str::chars).map(|digit| digit.to_digit(36).expect("a digit")).collect()
});

/// The usual departures of each hour, a minute.
static BY_HOUR: LazyLock<[f64; 24]> = LazyLock::new(|| {
    let days = f64::from(u32::try_from(DEPARTURES.len() / 1440).expect("some days"));
    std::array::from_fn(|hour| {
        let of_hour = DEPARTURES.chunks(60).skip(hour).step_by(24).flatten();
        f64::from(of_hour.sum::<u32>()) / days / 60.0
    })
});

/// The days that were recorded.
pub(crate) fn recorded_days() -> i64 {
    i64::try_from(DEPARTURES.len()).expect("some days") / DAY
}

/// Numbers that look random (splitmix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to 1, without 1.
    fn unit(&mut self) -> f64 {
        let high = u32::try_from(self.bits() >> 32).expect("32 bits");
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }

    pub(crate) fn below(&mut self, end: i64) -> i64 {
        i64::try_from(self.bits() % u64::try_from(end).expect("a positive number")).expect("a small number")
    }

    /// Arrivals of a unit of time.
    fn poisson(&mut self, mean: f64) -> u32 {
        let (mut left, mut count) = (mean, 0);
        loop {
            left += (1.0 - self.unit()).ln();
            if left < 0.0 {
                return count;
            }
            count += 1;
        }
    }

    /// The size of a clump: clumps of these sizes, arriving as a Poisson, make a negative binomial.
    fn clump(&mut self, share: f64) -> u32 {
        let (mut rest, mut size) = (self.unit(), 1);
        let mut chance = -share / (1.0 - share).ln();
        while rest >= chance && size < 10_000 {
            rest -= chance;
            chance *= share * f64::from(size) / f64::from(size + 1);
            size += 1;
        }
        size
    }

    fn count(&mut self, mean: f64, dispersion: f64) -> u32 {
        if dispersion <= 1.0 {
            return self.poisson(mean);
        }
        let clumps = self.poisson(mean / (dispersion - 1.0) * dispersion.ln());
        (0..clumps).map(|_| self.clump(1.0 - 1.0 / dispersion)).sum()
    }
}

/// What happens, minute by minute.
#[derive(Debug)]
pub(crate) struct World {
    shape: Shape,
    rate: f64,
    random: Random,
    drift: f64,
    gap: i64,
}

impl World {
    pub(crate) fn new(shape: Shape, rate: f64, seed: u64) -> Self {
        Self { shape, rate, random: Random::new(seed), drift: 0.0, gap: 0 }
    }

    /// The events of a minute, in a spike or not; none if nobody hears of it.
    pub(crate) fn count(&mut self, minute: i64, is_spike: bool) -> Option<u32> {
        let raised = |usual: f64| (usual * 7.0).max(usual + 1.0);
        if self.shape.is_recorded {
            let at = usize::try_from(minute).expect("a minute");
            let usual = BY_HOUR[at / 60 % 24] * self.rate;
            let further = if is_spike { self.random.poisson(raised(usual) - usual) } else { 0 };
            let taken = (0..DEPARTURES[at]).filter(|_| self.random.unit() < self.rate).count();
            return Some(u32::try_from(taken).expect("a small number") + further);
        }
        let angle = f64::from(i32::try_from(minute % DAY).expect("a day")) / 1440.0 * std::f64::consts::TAU;
        let mut usual = self.rate * (1.0 + self.shape.cycle * angle.sin());
        if self.shape.is_wild {
            usual *= self.wild(minute / DAY);
            if self.gap == 0 && self.random.below(GAP_EVERY) == 0 {
                self.gap = 1 + self.random.below(GAP);
            }
        }
        let count = self.random.count(if is_spike { raised(usual) } else { usual }, self.shape.dispersion);
        if self.gap > 0 {
            self.gap -= 1;
            return None;
        }
        Some(count)
    }

    /// How the rate of this minute compares with that of other days.
    fn wild(&mut self, day: i64) -> f64 {
        // The sum of twelve is nearly normal.
        let normal = (0..12).map(|_| self.random.unit()).sum::<f64>() - 6.0;
        self.drift = self.drift * DRIFT_KEPT + normal * DRIFT * (1.0 - DRIFT_KEPT * DRIFT_KEPT).sqrt();
        let of_week = if day % 7 >= 5 { WEEKEND } else { 1.0 };
        let of_year = if day % HOLIDAY_EVERY == HOLIDAY_EVERY - 1 { HOLIDAY } else { 1.0 };
        of_week * of_year * self.drift.exp()
    }
}
