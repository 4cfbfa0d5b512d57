//! How often the follower looks while files grow without a pause: rarer, so that one look reads several writes.

use std::time::Duration;

/// Least time between two rounds that notifications ask for. The first is always at once.
const ROUND_LEAST: Duration = Duration::from_millis(2);

/// The same while much is written. Not longer, because what a file holds that is copied and cut should be read before.
const ROUND_BUSY: Duration = Duration::from_millis(40);

/// So long after files came, went or changed their names, that may happen again: what is about to be cut is read soon.
const HURRY: Duration = Duration::from_secs(1);

/// Over so much time it is found out how much is written.
const WINDOW: Duration = Duration::from_millis(100);

/// Much is so many bytes in one [`WINDOW`]: far more than lines that someone may be waiting for one by one.
const BUSY_BYTES: u128 = 64 << 10;

/// How much was read lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Duration,
    bytes: u64,
    busy: bool,
    /// When the round at hand began.
    began: Duration,
    /// Until when it does not matter how much is written.
    hurries_until: Duration,
}

impl Pace {
    /// Takes note of bytes that were read.
    pub(super) const fn read(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Takes note that a round begins.
    pub(super) const fn begins(&mut self, now: Duration) {
        self.began = now;
    }

    /// When the next round may begin that notifications ask for.
    pub(super) fn next_round(&self) -> Duration {
        self.began + if self.busy { ROUND_BUSY } else { ROUND_LEAST }
    }

    /// Takes note that a round has ended.
    pub(super) fn ended(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since);
        if passed >= WINDOW {
            let is_much = u128::from(self.bytes) * WINDOW.as_micros() >= BUSY_BYTES * passed.as_micros();
            self.busy = is_much && now >= self.hurries_until;
            (self.since, self.bytes) = (now, 0);
        }
    }

    /// Takes note that files come, go or change their names: then what they held is read as soon as possible.
    pub(super) fn hurry(&mut self, now: Duration) {
        *self = Self { since: now, bytes: 0, busy: false, began: self.began, hurries_until: now + HURRY };
    }

    /// Whether much is written.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds as they come at their own pace, each of which finds what was written since the last; gives those of the
    /// last second.
    fn rounds(bytes_a_second: u64) -> usize {
        let (mut pace, mut now, mut last_second) = (Pace::default(), Duration::ZERO, 0);
        while now < Duration::from_secs(3) {
            pace.begins(now);
            let passed = pace.next_round().saturating_sub(now);
            now += passed;
            pace.read(bytes_a_second * u64::try_from(passed.as_micros()).unwrap() / 1_000_000);
            pace.ended(now);
            last_second += usize::from(now >= Duration::from_secs(2));
        }
        last_second
    }

    #[test]
    fn rounds_become_rarer_only_while_much_is_written() {
        assert!((499..=501).contains(&rounds(0)));
        assert!((499..=501).contains(&rounds(400_000)));
        assert!((24..=26).contains(&rounds(800_000)));
        assert!((24..=26).contains(&rounds(50_000_000)));
    }

    #[test]
    fn one_large_write_after_a_pause_is_not_much() {
        let mut pace = Pace::default();
        pace.read(1 << 20);
        pace.ended(Duration::from_secs(60));
        assert!(!pace.is_busy());
    }

    #[test]
    fn the_pace_is_quick_for_a_while_after_a_rotation_and_after_the_last_write() {
        let mut pace = Pace::default();
        let mut at = Duration::ZERO;
        let mut round = |pace: &mut Pace, bytes: u64| {
            at += WINDOW;
            pace.read(bytes);
            pace.ended(at);
            at
        };
        let now = round(&mut pace, 1 << 20);
        assert!(pace.is_busy());
        pace.hurry(now);
        assert!(!pace.is_busy());
        for _ in 1..HURRY.as_millis() / WINDOW.as_millis() {
            round(&mut pace, 1 << 20);
            assert!(!pace.is_busy());
        }
        round(&mut pace, 1 << 20);
        assert!(pace.is_busy());
        round(&mut pace, 100);
        assert!(!pace.is_busy());
    }
}
