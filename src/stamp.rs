//! The time that a log line carries, in the usual formats and zones.
//!
//! Reads only: which time judges a token is decided by [`crate::pipeline`]. A time without a zone is in the stream's
//! zone. What else is missing comes from what is known of the stream: a missing year is the one that puts the time nearest
//! to when the stream was written; a missing day is the first that does not put the line before the last time known in the
//! stream, or, if there is none or this would be after the stream was written, the last before that.

mod epoch;
mod formats;
mod reader;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::time::{Moment, Precision, UnixTime, civil_from_days, days_from_civil};

pub use epoch::{epoch, leading_epoch, may_be_written, placed_epoch};
pub use formats::{begins, find, of_value, read};

/// What completes an incomplete time.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Zone of times without one.
    pub zone: TimeZone,
    /// When the stream was written, as far as is known: nothing in it is much later.
    pub near: UnixTime,
    /// The last time known in the stream before, if a time of day follows on it.
    pub after: Option<UnixTime>,
}

/// A zone by its name in the database of zones; UTC, which most logs are in, without looking into the database.
///
/// # Errors
/// The name is not in the system's database.
pub fn zone(name: &str) -> Result<TimeZone, jiff::Error> {
    if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name) }
}

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    date: Option<Calendar>,
    millis_of_day: i64,
    /// Minutes east of UTC, where the line says so.
    offset_minutes: Option<i16>,
    precision: Precision,
}

/// A day as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calendar {
    year: Option<i16>,
    month: i8,
    day: i8,
    order: Order,
}

/// How sure it is which number of a day is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// There is no doubt.
    Sure,
    /// The month may as well be the day.
    MonthOrDay,
    /// The year has two digits, so that it may as well stand first: `26/03/01`.
    Any,
}

impl Stamp {
    /// The line itself says the day and the zone.
    pub const fn is_zoned(&self) -> bool {
        self.offset_minutes.is_some() && self.date.is_some()
    }

    /// The line itself says the day.
    pub const fn has_day(&self) -> bool {
        self.date.is_some()
    }

    /// What is meant.
    pub fn moment(&self, completion: &Completion) -> Option<Moment> {
        let time = self.complete(completion)?;
        Some(Moment { precision: self.precision, is_dateless: self.date.is_none(), ..Moment::exact(time) })
    }

    /// The point in time that is meant.
    pub fn complete(&self, completion: &Completion) -> Option<UnixTime> {
        let Some(date) = self.date else { return self.on_likely_day(completion) };
        let swapped = Calendar { month: date.day, day: date.month, ..date };
        let (first, last) = (i16::from(date.month), date.year.and_then(|year| i8::try_from(year - 2000).ok()));
        let turned = Calendar { year: Some(2000 + first), month: date.day, day: last.unwrap_or(0), ..date };
        let orders = [date, swapped, turned];
        let orders = orders.get(
            ..match date.order {
                Order::Sure => 1,
                Order::MonthOrDay => 2,
                Order::Any => 3,
            },
        )?;
        let nearest = |times: &mut dyn Iterator<Item = UnixTime>| {
            times.min_by_key(|time| time.millis_since(completion.near).abs())
        };
        if date.year.is_some() {
            let mut times = orders.iter().filter_map(|date| self.on(date.year?, date.month, date.day, completion));
            return nearest(&mut times);
        }
        let around = civil_from_days(days(completion.near)).0;
        let years = (around - 1..=around + 1).filter_map(|year| i16::try_from(year).ok());
        nearest(&mut years.filter_map(|year| self.on(year, date.month, date.day, completion)))
    }

    /// A time of day, on the day that it is likely to be of.
    fn on_likely_day(&self, completion: &Completion) -> Option<UnixTime> {
        /// Clocks differ, and go back once a year.
        const SLACK_MILLIS: i64 = 3_600_000;
        // From the day before to the day after, in any zone.
        let around = |time: UnixTime| {
            (days(time) - 2..=days(time) + 2).filter_map(|day| {
                let (year, month, day) = civil_from_days(day);
                self.on(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?, completion)
            })
        };
        let latest = completion.near.plus_millis(SLACK_MILLIS);
        let following = completion.after.and_then(|after| {
            let mut times = around(after);
            times.find(|time| *time >= after.plus_millis(-SLACK_MILLIS)).filter(|time| *time <= latest)
        });
        following.or_else(|| around(completion.near).rfind(|time| *time <= latest))
    }

    fn on(&self, year: i16, month: i8, day: i8, completion: &Completion) -> Option<UnixTime> {
        let date = Date::new(year, month, day).ok()?;
        if let Some(minutes) = self.offset_minutes {
            let days = days_from_civil(year.into(), month.into(), day.into());
            return Some(UnixTime::from_millis(days * 86_400_000 + self.millis_of_day - i64::from(minutes) * 60_000));
        }
        let millis = self.millis_of_day;
        let time = Time::new(
            i8::try_from(millis / 3_600_000).ok()?,
            i8::try_from(millis / 60_000 % 60).ok()?,
            i8::try_from(millis / 1000 % 60).ok()?,
            i32::try_from(millis % 1000 * 1_000_000).ok()?,
        )
        .ok()?;
        let local = DateTime::from_parts(date, time);
        Some(UnixTime::from_millis(completion.zone.to_timestamp(local).ok()?.as_millisecond()))
    }
}

/// The day of a time in UTC, counted from 1970-01-01.
const fn days(time: UnixTime) -> i64 {
    time.as_seconds().div_euclid(86_400)
}

#[cfg(test)]
mod tests;
