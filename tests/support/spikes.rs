//! Counts of rare events with spikes in them, and how well detectors find those.
//!
//! After a warm-up every day has one spike: seven times the rate, at least one a minute more, for half an hour. Where the
//! counts come from is the work of `world`. Seeded: the same seed gives the same table.

#[path = "world.rs"]
pub(crate) mod world;

use diag51007::ledger::spike::Spike;

use world::{DAY, Random, Shape, World};

/// Days that only teach.
pub(crate) const WARM_UP_DAYS: i64 = 3;
/// Length of a spike, in minutes.
const SPIKE: i64 = 30;
/// Alarms this long after a spike belong to it, in minutes.
const AFTERMATH: i64 = 60;

/// Something that says after each minute whether there is a spike.
pub(crate) trait Detector {
    fn name(&self) -> &'static str;
    fn minute(&mut self, minute: i64, count: u32) -> bool;
}

/// The daemon's own.
#[derive(Debug, Default)]
pub(crate) struct Own(Spike);

impl Detector for Own {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn minute(&mut self, minute: i64, count: u32) -> bool {
        self.0.count(minute, count);
        if self.0.look().score >= 1.0 {
            self.0.begin();
        }
        self.0.look().is_active
    }
}

/// A fixed number in five minutes.
#[derive(Debug, Default)]
pub(crate) struct Static([u32; 5]);

impl Detector for Static {
    fn name(&self) -> &'static str {
        "static, 10 in 5 min"
    }

    fn minute(&mut self, minute: i64, count: u32) -> bool {
        self.0[usize::try_from(minute % 5).expect("a small number")] = count;
        self.0.iter().sum::<u32>() >= 10
    }
}

/// The counts of the day before, by size.
#[derive(Debug, Default)]
struct LastDay {
    counts: std::collections::VecDeque<u32>,
    by_size: Vec<u32>,
}

impl LastDay {
    fn push(&mut self, count: u32) {
        let size = |count: u32| usize::try_from(count).expect("a small number");
        if self.by_size.len() <= size(count) {
            self.by_size.resize(size(count) + 1, 0);
        }
        self.by_size[size(count)] += 1;
        self.counts.push_back(count);
        if self.counts.len() > 1440 {
            let old = self.counts.pop_front().expect("a count");
            self.by_size[size(old)] -= 1;
        }
    }

    fn all(&self) -> f64 {
        f64::from(u32::try_from(self.counts.len()).expect("a day"))
    }

    fn sizes(&self) -> impl Iterator<Item = (f64, f64)> {
        (0_u32..).zip(&self.by_size).map(|(size, times)| (f64::from(size), f64::from(*times)))
    }

    /// The middle one of some values with their weights.
    fn median(mut values: Vec<(f64, f64)>) -> f64 {
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
        let mut below = 0.0;
        let middle = values.iter().find(|(_, weight)| {
            below += weight;
            below >= half
        });
        middle.map_or(0.0, |(value, _)| *value)
    }
}

/// More than the mean of the day before and three standard deviations.
#[derive(Debug, Default)]
pub(crate) struct Sigma(LastDay);

impl Detector for Sigma {
    fn name(&self) -> &'static str {
        "mean + 3 sigma"
    }

    fn minute(&mut self, _: i64, count: u32) -> bool {
        let all = self.0.all().max(1.0);
        let mean = self.0.sizes().map(|(size, times)| size * times).sum::<f64>() / all;
        let variance = self.0.sizes().map(|(size, times)| (size - mean).powi(2) * times).sum::<f64>() / all;
        self.0.push(count);
        f64::from(count) > mean + 3.0 * variance.sqrt()
    }
}

/// More than the median of the day before and three median deviations.
#[derive(Debug, Default)]
pub(crate) struct Mad(LastDay);

impl Detector for Mad {
    fn name(&self) -> &'static str {
        "median + 3 MAD"
    }

    fn minute(&mut self, _: i64, count: u32) -> bool {
        let median = LastDay::median(self.0.sizes().collect());
        let off = self.0.sizes().map(|(size, times)| ((size - median).abs(), times)).collect();
        let deviation = 1.4826 * LastDay::median(off);
        self.0.push(count);
        f64::from(count) > median + 3.0 * deviation.max(0.5)
    }
}

/// How well a detector did.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) false_alarms: u32,
    pub(crate) quiet_minutes: u32,
    /// Minutes of them with an alarm: one that never ends is a single false alarm.
    alarmed_minutes: u32,
    pub(crate) spikes: u32,
    delays: Vec<i64>,
}

impl Score {
    pub(crate) fn false_alarms_per_day(&self) -> f64 {
        f64::from(self.false_alarms) * 1440.0 / f64::from(self.quiet_minutes.max(1))
    }

    pub(crate) fn found_percent(&self) -> f64 {
        let found = u32::try_from(self.delays.len()).expect("a number of spikes");
        f64::from(found) * 100.0 / f64::from(self.spikes.max(1))
    }

    /// The middle delay, in minutes.
    pub(crate) fn median_delay(&mut self) -> i64 {
        self.delays.sort_unstable();
        self.delays.get(self.delays.len() / 2).copied().unwrap_or(i64::MAX)
    }

    /// Runs a detector over so many days and adds up how it did.
    pub(crate) fn run(&mut self, detector: &mut dyn Detector, shape: Shape, rate: f64, days: i64, seed: u64) {
        let mut world = World::new(shape, rate, seed);
        let mut places = Random::new(seed ^ 0x51007);
        let (mut start, mut is_found, mut was_on) = (i64::MIN, false, false);
        for minute in 0..days * DAY {
            let is_counted = minute >= WARM_UP_DAYS * DAY;
            if is_counted && minute % DAY == 0 {
                start = minute + 120 + places.below(DAY - 240);
                (self.spikes, is_found) = (self.spikes + 1, false);
            }
            let is_spike = (start..start.saturating_add(SPIKE)).contains(&minute);
            let Some(count) = world.count(minute, is_spike) else { continue };
            let is_on = detector.minute(minute, count);
            let belongs = (start..start.saturating_add(SPIKE + AFTERMATH)).contains(&minute);
            if is_counted && is_spike && is_on && !is_found {
                is_found = true;
                self.delays.push(minute - start + 1);
            }
            if is_counted && !belongs {
                self.quiet_minutes += 1;
                self.alarmed_minutes += u32::from(is_on);
                self.false_alarms += u32::from(is_on && !was_on);
            }
            was_on = is_on;
        }
    }
}

/// A detector in several runs.
pub(crate) fn simulate(
    make: fn() -> Box<dyn Detector>,
    shape: Shape,
    rate: f64,
    runs: u64,
    days: i64,
    seed: u64,
) -> (&'static str, Score) {
    let mut score = Score::default();
    let name = make().name();
    for run in 0..runs {
        score.run(&mut *make(), shape, rate, days, seed.wrapping_mul(0x1000_0001).wrapping_add(run * 7919));
    }
    (name, score)
}

/// Every detector.
pub(crate) const DETECTORS: [fn() -> Box<dyn Detector>; 4] = [
    || Box::new(Own::default()),
    || Box::new(Static::default()),
    || Box::new(Sigma::default()),
    || Box::new(Mad::default()),
];

/// One line of the table.
pub(crate) fn line(shape: Shape, rate: f64, name: &str, score: &mut Score) -> String {
    let (alarms, found, spikes) = (score.false_alarms_per_day(), score.found_percent(), score.spikes);
    let alarmed = f64::from(score.alarmed_minutes) * 100.0 / f64::from(score.quiet_minutes.max(1));
    let delay = match score.median_delay() {
        i64::MAX => "-".to_owned(),
        minutes => format!("{minutes} min"),
    };
    format!(
        "{:<20} {rate:>5}  {name:<20} {alarms:>12.3} {alarmed:>7.2} %  {found:>6.1} % of {spikes:<5} {delay:>7}",
        shape.name
    )
}

pub(crate) const HEAD: &str =
    "counts              a minute detector           false alarms/day   of time       found           median delay";
