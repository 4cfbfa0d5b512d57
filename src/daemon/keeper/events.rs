//! The rows of the events that were counted: one each, so that a commit writes only those that are new.

use crate::pipeline::seen::{Entry, EventSid, KEPT_DAYS, SEEN_MAX, Seen};
use crate::store::{Batch, Rows, Table, rows_of};

/// The numbers of the events that have rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Events {
    first: u64,
    next: u64,
    /// How many were forgotten before their time when that was told last.
    told: u64,
}

impl Events {
    /// Takes over what was kept; rows that don't belong to it are to be removed.
    pub(super) fn restore(rows: &Rows, pending: &mut Batch) -> (Self, Seen) {
        let kept = || rows_of(rows, Table::Event).filter_map(|(name, value)| read_event(name, value));
        let next = kept().last().map_or(0, |(number, _)| number.saturating_add(1));
        let first = next.saturating_sub(kept().count() as u64);
        let seen = Seen::restore(first, kept().map(|(_, entry)| entry));
        // Numbers follow each other. After a gap they are given anew, by which some rows lose their place.
        let is_whole = kept().next().is_none_or(|(number, _)| number == first);
        if !is_whole {
            kept().for_each(|(number, _)| set(pending, number, None));
        }
        let next = if is_whole { seen.next() } else { first };
        (Self { first, next, told: 0 }, seen)
    }

    /// Adds what has changed since the last call.
    pub(super) fn collect(&mut self, seen: &Seen, pending: &mut Batch) {
        for number in self.first..seen.first().min(self.next) {
            set(pending, number, None);
        }
        for (number, entry) in seen.since(self.next) {
            let value = [&entry.sid.bytes()[..], &entry.day.to_le_bytes()].concat();
            set(pending, number, Some(&value));
        }
        *self = Self { first: seen.first(), next: seen.next(), told: self.told };
        let crowded_out = seen.crowded_out();
        if crowded_out > 2 * self.told {
            self.told = crowded_out;
            tracing::warn!(
                "{SEEN_MAX} events of Twilio are remembered, and {crowded_out} were forgotten before {KEPT_DAYS} days \
                 were over: one of those that Twilio sends once more is counted once more."
            );
        }
    }
}

fn set(pending: &mut Batch, number: u64, value: Option<&[u8]>) {
    pending.set(Table::Event, &number.to_be_bytes(), value);
}

/// Reads a row of [`Table::Event`].
pub fn read_event(name: &[u8], value: &[u8]) -> Option<(u64, Entry)> {
    let (sid, day) = value.split_first_chunk::<16>()?;
    let day = u32::from_le_bytes(day.try_into().ok()?);
    Some((u64::from_be_bytes(name.try_into().ok()?), Entry { sid: EventSid::from_bytes(*sid), day }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

    const DAY: i64 = 86_400;

    fn sid(number: u8) -> EventSid {
        EventSid::from_bytes([number; 16])
    }

    fn commit(events: &mut Events, seen: &Seen, rows: &mut Rows) -> usize {
        let mut batch = Batch::new();
        events.collect(seen, &mut batch);
        rows.apply(&batch);
        batch.iter().count()
    }

    #[test]
    fn only_what_is_new_is_written_and_what_is_old_is_removed() {
        let mut rows = Rows::new();
        let (mut events, mut seen) = Events::restore(&rows, &mut Batch::new());
        for number in 0..5 {
            assert!(seen.note(sid(number), UnixTime::from_seconds(0)));
        }
        assert_eq!(commit(&mut events, &seen, &mut rows), 5);
        assert_eq!(commit(&mut events, &seen, &mut rows), 0);

        let (mut events, mut seen) = Events::restore(&rows, &mut Batch::new());
        assert!((0..5).all(|number| !seen.note(sid(number), UnixTime::from_seconds(DAY))));
        assert!(seen.note(sid(9), UnixTime::from_seconds(40 * DAY)));
        assert_eq!(commit(&mut events, &seen, &mut rows), 6);
        assert_eq!(rows.len(), 1);
        let (_, mut seen) = Events::restore(&rows, &mut Batch::new());
        assert!(!seen.note(sid(9), UnixTime::from_seconds(40 * DAY)));
        assert_eq!((seen.first(), seen.next()), (5, 6));
    }

    #[test]
    fn what_came_and_went_between_two_commits_has_no_row() {
        let mut rows = Rows::new();
        let (mut events, mut seen) = Events::restore(&rows, &mut Batch::new());
        seen.note(sid(1), UnixTime::from_seconds(0));
        seen.note(sid(2), UnixTime::from_seconds(40 * DAY));
        assert_eq!(commit(&mut events, &seen, &mut rows), 1);
    }

    #[test]
    fn a_gap_loses_no_event_and_leaves_no_row() {
        let mut rows = Rows::new();
        let (mut events, mut seen) = Events::restore(&rows, &mut Batch::new());
        (0..5).for_each(|number| _ = seen.note(sid(number), UnixTime::from_seconds(0)));
        commit(&mut events, &seen, &mut rows);
        let mut batch = Batch::new();
        set(&mut batch, 2, None);
        rows.apply(&batch);

        let mut batch = Batch::new();
        let (mut events, mut seen) = Events::restore(&rows, &mut batch);
        rows.apply(&batch);
        assert!([0, 1, 3, 4].into_iter().all(|number| !seen.note(sid(number), UnixTime::from_seconds(0))));
        assert!(seen.note(sid(7), UnixTime::from_seconds(0)));
        commit(&mut events, &seen, &mut rows);
        assert_eq!(rows.len(), 5, "rows: {rows:?}");
    }
}
