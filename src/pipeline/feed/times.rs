//! The time of a line: its own, completed by what is known of the stream, else the last one seen before.

use super::{Feed, Line, Work};
use crate::envelope::{self, Record};
use crate::pipeline::judge::Core;
use crate::stamp::Completion;
use crate::time::{Moment, UnixTime};

/// What was there when a live stream was opened is read within this time, in milliseconds.
const BACKLOG_MILLIS: i64 = 60_000;

impl Feed {
    /// What completes an incomplete time.
    pub(super) fn completion(&self, now: UnixTime) -> Completion {
        let is_new = self.is_new(now);
        let near = self.stream.modified.filter(|_| !is_new).unwrap_or(now);
        let after = self.last_time.filter(|_| !is_new).map(|(_, moment)| moment.time);
        Completion { zone: self.zone.clone(), near, after }
    }

    /// What is read was written just now.
    fn is_new(&self, now: UnixTime) -> bool {
        let is_later = self.first_push.is_some_and(|first| now.millis_since(first) > BACKLOG_MILLIS);
        !self.stream.whole && (self.is_caught_up || is_later)
    }

    /// The time of a line of this number: its own, its day from the nearest line before that names one; else the last one
    /// seen, so many lines back at the most.
    pub(super) fn time_of(
        &self,
        work: &Work<'_>,
        (record, line, number): (&Record<'_>, Line, u64),
        lines: u32,
        core: &Core,
    ) -> Option<Moment> {
        let completion = self.completion(work.now);
        let Some(own) = record.time(&completion) else {
            return self.time_before(work, (line, number), lines, core, |_| true).map(Moment::passed_on);
        };
        if !own.is_dateless || self.is_new(work.now) {
            return Some(own);
        }
        let dated = self.time_before(work, (line, number), lines, core, |before| !before.is_dateless);
        record.time(&Completion { after: dated.map(|dated| dated.time), ..completion })
    }

    /// The last such time before a line of this number, so many lines back at the most, else that of the last sighting.
    fn time_before(
        &self,
        work: &Work<'_>,
        (mut line, mut number): (Line, u64),
        lines: u32,
        core: &Core,
        is_wanted: impl Fn(&Moment) -> bool,
    ) -> Option<Moment> {
        let completion = self.completion(work.now);
        let head_line = number;
        let oldest = head_line.saturating_sub(u64::from(lines));
        let (timeless, mut has_time) = (self.timeless.get(), false);
        for _ in 0..lines {
            if let Some((known, time)) = self.last_time
                && known >= number
            {
                return Some(time);
            }
            // Those before were searched in vain.
            if timeless.0 <= oldest && (timeless.0..=timeless.1).contains(&number) {
                break;
            }
            line = line.before(work.bytes)?;
            number = number.saturating_sub(1);
            let record = envelope::read(line.text(work.bytes, core.settings.line_bytes_max));
            if let Some(time) = record.time(&completion) {
                if is_wanted(&time) {
                    return Some(time);
                }
                has_time = true;
            }
        }
        if !has_time {
            self.timeless.set((oldest, head_line.saturating_sub(1)));
        }
        self.last_time.map(|(_, time)| time)
    }
}
