//! Windows cut into slots: what a chart draws.
//!
//! Slots begin at whole multiples of their width, so that a chart that is drawn again shows the same bars, one of them
//! grown.

use crate::cause::Cause;
use crate::time::UnixTime;

use super::{FINE_SECONDS, Sparse, Windows};

/// What happened in one slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Its first moment.
    pub start: UnixTime,
    /// All rejections.
    pub rejections: u64,
    /// By cause.
    pub causes: Sparse<Cause, u64>,
}

impl Windows {
    /// So many slots of so many seconds, oldest first; `now` lies in the last. A width should be a multiple of 30 s
    /// where all slots together are longer than an hour, and what lies further back than a day is not known.
    pub fn series(&self, width_seconds: i64, slots: usize, now: UnixTime) -> Vec<Slot> {
        let width = width_seconds.max(1).saturating_mul(1000);
        let count = i64::try_from(slots).unwrap_or(i64::MAX);
        let first = now.as_millis().div_euclid(width).saturating_sub(count.saturating_sub(1));
        let start = |at: i64| UnixTime::from_millis(first.saturating_add(at).saturating_mul(width));
        let mut series: Vec<Slot> = (0..count).map(|at| Slot { start: start(at), ..Slot::default() }).collect();
        let ring = if now.seconds_since(start(0)) <= FINE_SECONDS { &self.fine } else { &self.coarse };
        for bucket in ring.slots.iter().flatten() {
            let at = bucket.index.saturating_mul(ring.width_millis).div_euclid(width).saturating_sub(first);
            let Some(slot) = usize::try_from(at).ok().and_then(|at| series.get_mut(at)) else { continue };
            slot.rejections += bucket.tally.rejections;
            bucket.tally.causes.iter().for_each(|(cause, seen)| slot.causes.add(cause, seen.count));
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CodeLabel, Counted, KeyLabel};
    use super::*;
    use crate::product::Product;

    /// 29 s and 500 ms into a minute.
    const NOW: UnixTime = UnixTime::from_millis(1_795_488_029_500);

    fn windows(seconds_ago: &[(i64, Cause)]) -> Windows {
        let mut windows = Windows::new(NOW);
        for (seconds, cause) in seconds_ago {
            let one = Counted {
                at: NOW.plus_millis(-seconds * 1000),
                cause: *cause,
                product: Product::Chat,
                code: CodeLabel::None,
                source: 0,
                key: KeyLabel::None,
                skipped: &[],
            };
            windows.count(&one, NOW);
        }
        windows
    }

    #[track_caller]
    fn check(seconds_ago: &[i64], width_seconds: i64, slots: usize, expected: &[u64]) {
        let all: Vec<_> = seconds_ago.iter().map(|seconds| (*seconds, Cause::Expired)).collect();
        let series = windows(&all).series(width_seconds, slots, NOW);
        assert_eq!(series.iter().map(|slot| slot.rejections).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_slot_begins_at_a_multiple_of_its_width() {
        check(&[0, 29, 30, 89, 90], 60, 3, &[1, 2, 2]);
        let series = windows(&[]).series(60, 2, NOW);
        assert_eq!(series[1].start, UnixTime::from_millis(1_795_488_000_000));
    }

    #[test]
    fn what_lies_before_the_first_slot_is_left_out() {
        check(&[0, 60, 120, 1000], 60, 2, &[1, 1]);
        let mut hour = [0; 60];
        hour[0] = 1;
        check(&[3569, 3570], 60, 60, &hour);
    }

    #[test]
    fn a_day_is_cut_from_the_coarse_ring() {
        let mut expected = [0; 96];
        (expected[0], expected[95]) = (1, 2);
        check(&[0, 1, 85_529], 900, 96, &expected);
    }

    #[test]
    fn slots_tell_causes_apart() {
        let series = windows(&[(0, Cause::Expired), (1, Cause::Expired), (2, Cause::NoToken)]).series(60, 1, NOW);
        let causes: Vec<_> = series[0].causes.iter().collect();
        assert_eq!(causes, [(Cause::Expired, 2), (Cause::NoToken, 1)]);
    }
}
