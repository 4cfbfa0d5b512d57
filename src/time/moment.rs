//! When something happened, as far as a line of a log tells: not always to the millisecond, and not always the day.

use super::UnixTime;

/// Milliseconds of a day.
const DAY_MILLIS: i64 = 86_400_000;

/// How exactly a time was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// With a fraction of a second.
    Millisecond,
    /// What it marks happened within the second that begins then.
    Second,
    /// What it marks happened within the minute that begins then.
    Minute,
}

impl Precision {
    const fn millis(self) -> i64 {
        match self {
            Self::Millisecond => 1,
            Self::Second => 1000,
            Self::Minute => 60_000,
        }
    }
}

/// A time that a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time; its day is a guess where the line names none.
    pub time: UnixTime,
    /// How exactly it was written.
    pub precision: Precision,
    /// The line names a time of day only.
    pub is_dateless: bool,
    /// When whoever collected the line says it was, if the line itself says more.
    pub collected: Option<(UnixTime, Precision)>,
}

impl Moment {
    /// A time that is known with its day.
    pub const fn exact(time: UnixTime) -> Self {
        Self { time, precision: Precision::Millisecond, is_dateless: false, collected: None }
    }

    /// The same for another line, which tells no time itself.
    #[must_use]
    pub const fn passed_on(self) -> Self {
        Self { precision: Precision::Millisecond, collected: None, ..self }
    }

    /// Milliseconds that lie between both at least; `None` if they don't tell, because one names the minute only. Of two
    /// times of which one names no day, the days are left aside: what is told of both stands close together in a log.
    ///
    /// Beside a time with milliseconds, one that is written to the second stands for the second that begins then: a
    /// collector that writes such times around an SDK's lines tears nothing apart. Nor does one that reads lines late: beside
    /// a line that tells no time but the collector's, that of the other one counts if it is nearer.
    pub fn apart(self, other: Self) -> Option<u64> {
        let own = self.own_apart(other);
        let by_collector = match (self.collected, other.collected) {
            (Some(collected), None) => Self::by_collector(collected).own_apart(other),
            (None, Some(collected)) => self.own_apart(Self::by_collector(collected)),
            (None, None) | (Some(_), Some(_)) => None,
        };
        own.map(|own| by_collector.map_or(own, |by_collector| own.min(by_collector)))
    }

    const fn by_collector((time, precision): (UnixTime, Precision)) -> Self {
        Self { time, precision, is_dateless: false, collected: None }
    }

    fn own_apart(self, other: Self) -> Option<u64> {
        let gap = self.time.millis_since(other.time);
        let gap = if self.is_dateless || other.is_dateless { within_day(gap) } else { gap };
        let (coarser, finer) = if gap > 0 { (other, self) } else { (self, other) };
        let slack = if self.precision.max(other.precision) == Precision::Minute {
            Precision::Minute.millis()
        } else {
            coarser.precision.millis().saturating_sub(finer.precision.millis()).max(0)
        };
        let least = gap.unsigned_abs().saturating_sub(slack.unsigned_abs());
        let tells = least > 0 || self.precision.max(other.precision) != Precision::Minute;
        tells.then_some(least)
    }
}

/// The shorter way around the clock.
const fn within_day(gap: i64) -> i64 {
    let gap = gap.rem_euclid(DAY_MILLIS);
    if gap > DAY_MILLIS / 2 { gap - DAY_MILLIS } else { gap }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: (&str, Precision, bool), b: (&str, Precision, bool), expected: Option<u64>) {
        let moment = |(time, precision, is_dateless)| Moment {
            precision,
            is_dateless,
            ..Moment::exact(UnixTime::parse(time).unwrap())
        };
        assert_eq!(moment(a).apart(moment(b)), expected, "{a:?} {b:?}");
        assert_eq!(moment(b).apart(moment(a)), expected, "{b:?} {a:?}");
    }

    #[test]
    fn a_coarse_time_stands_for_all_that_begins_then() {
        use Precision::{Millisecond, Minute, Second};
        const DAY: bool = false;
        check(
            ("2026-03-01T10:00:00.100Z", Millisecond, DAY),
            ("2026-03-01T10:00:00.350Z", Millisecond, DAY),
            Some(250),
        );
        check(("2026-03-01T10:00:00Z", Second, DAY), ("2026-03-01T10:00:00.999Z", Millisecond, DAY), Some(0));
        check(("2026-03-01T10:00:00Z", Second, DAY), ("2026-03-01T10:00:01.100Z", Millisecond, DAY), Some(101));
        check(("2026-03-01T10:00:00Z", Second, DAY), ("2026-03-01T09:59:59.900Z", Millisecond, DAY), Some(100));
        check(("2026-03-01T10:00:00Z", Second, DAY), ("2026-03-01T10:00:01Z", Second, DAY), Some(1000));
        check(("2026-03-01T10:00:00Z", Minute, DAY), ("2026-03-01T10:00:00Z", Minute, DAY), None);
        check(("2026-03-01T10:00:00Z", Minute, DAY), ("2026-03-01T10:01:00Z", Minute, DAY), None);
        check(("2026-03-01T10:00:00Z", Minute, DAY), ("2026-03-01T10:00:31Z", Second, DAY), None);
        check(("2026-03-01T10:00:00Z", Minute, DAY), ("2026-03-01T10:02:00Z", Second, DAY), Some(60_000));
    }

    #[test]
    fn a_collector_that_reads_late_tears_nothing_apart() {
        let exact = |time| Moment::exact(UnixTime::parse(time).unwrap());
        let read = (exact("2026-03-01T10:00:01.500Z").time, Precision::Millisecond);
        let told = Moment { collected: Some(read), ..exact("2026-03-01T10:00:00.300Z") };
        assert_eq!(told.apart(exact("2026-03-01T10:00:01.501Z")), Some(1), "it tells none itself");
        assert_eq!(exact("2026-03-01T10:00:00.310Z").apart(told), Some(10), "it came by another way");
        let later = Moment { collected: Some(read), ..exact("2026-03-01T10:00:00.900Z") };
        assert_eq!(told.apart(later), Some(600), "both tell");
    }

    #[test]
    fn where_a_line_names_no_day_the_clock_alone_counts() {
        use Precision::Millisecond;
        check(
            ("2026-03-01T23:59:59.900Z", Millisecond, true),
            ("2026-03-01T00:00:00.100Z", Millisecond, true),
            Some(200),
        );
        check(("2026-03-01T10:00:00Z", Millisecond, true), ("2026-02-20T10:00:01Z", Millisecond, false), Some(1000));
        check(
            ("2026-03-01T10:00:00Z", Millisecond, false),
            ("2026-02-28T10:00:00Z", Millisecond, false),
            Some(86_400_000),
        );
    }
}
