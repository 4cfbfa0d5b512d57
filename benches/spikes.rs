//! Spike detection on simulated counts, beside what is usually done: false alarms a day, share found, median delay.
//!
//! `cargo bench --bench spikes -- [SEED [RUNS]]`; 40 runs of 14 days each, with one spike a day after three days. The last
//! lines are counts that the detector was not made for: wild ones, and recorded ones, of which the rate is the share.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../tests/support/spikes.rs"]
mod spikes;

use spikes::world::{BURSTY, RECORDED, STEADY, WILD, recorded_days};
use spikes::{DETECTORS, HEAD, line, simulate};

const RATES: [f64; 7] = [0.02, 0.05, 0.2, 1.0, 3.0, 10.0, 30.0];
/// Shares of the recorded departures, of which there are about one in four minutes.
const SHARES: [f64; 3] = [0.1, 0.5, 1.0];
const DAYS: i64 = 14;

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (seed, runs) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(40));
    println!("{HEAD}");
    let drawn = [STEADY, BURSTY, WILD].into_iter().flat_map(|shape| RATES.map(|rate| (shape, rate, DAYS)));
    let recorded = SHARES.into_iter().map(|share| (RECORDED, share, recorded_days()));
    for (shape, rate, days) in drawn.chain(recorded) {
        for make in DETECTORS {
            let (name, mut score) = simulate(make, shape, rate, runs, days, seed);
            println!("{}", line(shape, rate, name, &mut score));
        }
    }
}
