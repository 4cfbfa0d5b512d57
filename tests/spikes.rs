//! Spike detection reaches its figures on simulated counts; `cargo bench --bench spikes` prints the large table.
#![cfg(test)]

#[path = "support/spikes.rs"]
#[allow(dead_code, reason = "shared with the benchmark; each uses a part")]
mod spikes;

use spikes::world::{BURSTY, RECORDED, STEADY, Shape, recorded_days};
use spikes::{DETECTORS, line, simulate};

/// A seed that nothing was tuned with.
const SEED: u64 = 777;
const RUNS: u64 = 24;
const DAYS: i64 = 14;

#[track_caller]
fn check(shape: Shape, rate: f64, false_alarms: f64, found: f64, delay: i64) {
    let [own, ..] = DETECTORS;
    let (name, mut score) = simulate(own, shape, rate, RUNS, DAYS, SEED);
    let said = line(shape, rate, name, &mut score);
    assert!(score.false_alarms_per_day() <= false_alarms, "{said}");
    assert!(score.found_percent() >= found, "{said}");
    assert!(score.median_delay() <= delay, "{said}");
}

#[test]
fn steady_counts_of_any_rate_give_hardly_a_false_alarm_and_every_spike() {
    check(STEADY, 0.02, 0.1, 98.0, 10);
    check(STEADY, 0.2, 0.1, 98.0, 6);
    check(STEADY, 3.0, 0.1, 98.0, 2);
    check(STEADY, 30.0, 0.1, 98.0, 1);
}

#[test]
fn bursty_counts_with_a_daily_cycle_do_too() {
    check(BURSTY, 0.02, 0.2, 90.0, 15);
    check(BURSTY, 0.2, 0.2, 90.0, 15);
    check(BURSTY, 3.0, 0.2, 90.0, 3);
    check(BURSTY, 30.0, 0.2, 90.0, 1);
}

#[test]
fn the_usual_rules_of_thumb_do_not() {
    let [_, _, sigma, _] = DETECTORS;
    let (name, mut score) = simulate(sigma, STEADY, 0.2, 2, DAYS, 51007);
    assert!(score.false_alarms_per_day() > 5.0, "{}", line(STEADY, 0.2, name, &mut score));
}

/// Departures that were recorded, which come in banks at fixed minutes: all, and thinned, with spikes added.
#[test]
fn recorded_counts_are_no_worse_than_bursty_ones() {
    let [own, ..] = DETECTORS;
    for share in [0.1, 0.5, 1.0] {
        let (name, mut score) = simulate(own, RECORDED, share, 2, recorded_days(), SEED);
        let said = line(RECORDED, share, name, &mut score);
        assert!(score.false_alarms_per_day() <= 0.2, "{said}");
        assert!(score.found_percent() >= 90.0 && score.median_delay() <= 15, "{said}");
    }
}
