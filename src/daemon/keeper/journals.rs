//! The rows of journals: up to where each was read, and where to read it again, both as places with a cursor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::pipeline::checkpoint::Checkpoint;
use crate::pipeline::{Pipeline, StreamId};
use crate::source::{KeptJournal, Place};
use crate::store::{Batch, Rows, Table, rows_of};

/// A journal as it is kept: the value of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    from: Place,
    end: Place,
    checkpoint: Checkpoint,
}

/// Places of one journal.
#[derive(Debug, Default)]
struct Journal {
    /// From the last one before what may have to be read again, to the end.
    places: VecDeque<Place>,
    /// How the stream was left, while it is not open.
    checkpoint: Option<Checkpoint>,
}

/// All journals, by the name of their source.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Journals {
    by_name: BTreeMap<String, Journal>,
    by_stream: BTreeMap<StreamId, String>,
    changed: BTreeSet<StreamId>,
    /// Rows of streams that were left.
    left: BTreeSet<String>,
}

impl Journals {
    /// Takes over what was kept.
    pub(super) fn restore(rows: &Rows) -> Self {
        let kept = rows_of(rows, Table::Journal).filter_map(|(name, value)| {
            let Row { from, end, checkpoint } = serde_json::from_slice(value).ok()?;
            let places = if from == end { VecDeque::from([end]) } else { VecDeque::from([from, end]) };
            Some((String::from_utf8(name.to_vec()).ok()?, Journal { places, checkpoint: Some(checkpoint) }))
        });
        Self { by_name: kept.collect(), ..Self::default() }
    }

    /// Up to where a journal was read.
    pub(in crate::daemon) fn kept(&self, source: &str) -> Option<KeptJournal> {
        let journal = self.by_name.get(source)?;
        let (from, end) = (journal.places.front()?.clone(), journal.places.back()?.clone());
        let checkpoint = journal.checkpoint.as_ref()?;
        let undecided = end.offset.saturating_sub(checkpoint.decided_to());
        Some(KeptJournal { from, resume: checkpoint.resume, end, undecided })
    }

    /// Notes the stream of a journal: as it was kept, then gives its checkpoint; or anew behind a place.
    pub(in crate::daemon) fn open(&mut self, id: StreamId, source: &str, start: Option<&Place>) -> Option<Checkpoint> {
        let journal = self.by_name.entry(source.to_owned()).or_default();
        let checkpoint = journal.checkpoint.take();
        self.by_stream.retain(|_, name| name != source);
        self.by_stream.insert(id, source.to_owned());
        let Some(start) = start else { return checkpoint };
        journal.places = VecDeque::from([start.clone()]);
        self.changed.insert(id);
        None
    }

    /// Notes that something of a stream has changed, and where its journal stands with it.
    pub(in crate::daemon) fn touch(&mut self, id: StreamId, end: Option<&Place>) {
        let Some(journal) = self.by_stream.get(&id).and_then(|name| self.by_name.get_mut(name)) else { return };
        if let Some(end) = end.filter(|end| journal.places.back() != Some(end)) {
            journal.places.push_back(end.clone());
        }
        self.changed.insert(id);
    }

    /// Notes that a stream was left.
    pub(super) fn close(&mut self, id: StreamId, checkpoint: Option<Checkpoint>) {
        self.changed.remove(&id);
        let Some(name) = self.by_stream.remove(&id) else { return };
        if let Some(journal) = self.by_name.get_mut(&name) {
            journal.checkpoint = checkpoint;
            self.left.insert(name);
        }
    }

    /// Whether something waits to be committed.
    pub(super) fn is_dirty(&self) -> bool {
        !self.changed.is_empty() || !self.left.is_empty()
    }

    /// Adds what has changed since the last call.
    pub(super) fn collect(&mut self, pipeline: &Pipeline, pending: &mut Batch) {
        for id in std::mem::take(&mut self.changed) {
            let Some(name) = self.by_stream.get(&id) else { continue };
            if let (Some(journal), Some(checkpoint)) = (self.by_name.get_mut(name), pipeline.checkpoint(id)) {
                journal.put(name, checkpoint, pending);
            }
        }
        for name in std::mem::take(&mut self.left) {
            let Some(journal) = self.by_name.get_mut(&name) else { continue };
            if let Some(checkpoint) = journal.checkpoint.clone() {
                journal.put(&name, checkpoint, pending);
            }
        }
    }
}

impl Journal {
    fn put(&mut self, name: &str, checkpoint: Checkpoint, pending: &mut Batch) {
        while self.places.get(1).is_some_and(|place| place.offset <= checkpoint.resume) {
            self.places.pop_front();
        }
        let (Some(from), Some(end)) = (self.places.front().cloned(), self.places.back().cloned()) else { return };
        if let Ok(value) = serde_json::to_vec(&Row { from, end, checkpoint }) {
            pending.set(Table::Journal, name.as_bytes(), Some(&value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::KeyRing;
    use crate::pipeline::{Settings, Stream};
    use crate::time::UnixTime;

    fn place(number: u64) -> Place {
        Place { cursor: format!("c{number}"), micros: number, offset: number, beside: Vec::new() }
    }

    fn stream() -> Stream {
        Stream { source: "j".into(), path: None, modified: None, timezone: "UTC".into(), offset: 0, whole: false }
    }

    fn restored(pending: &Batch) -> Journals {
        let mut rows = Rows::new();
        rows.apply(pending);
        Journals::restore(&rows)
    }

    #[test]
    fn the_place_to_read_again_from_is_the_last_before_what_the_core_wants_to_see_again() {
        let mut pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        let (mut journals, id) = (Journals::default(), StreamId(1));
        pipeline.open(id, stream());
        assert_eq!(journals.open(id, "j", Some(&Place::default())), None);
        let mut end = 0;
        for _ in 0..4000 {
            let line = b"2026-03-01T10:00:00Z info nothing\n";
            end += line.len() as u64;
            pipeline.push(id, line, UnixTime::from_seconds(0), &mut |_| {});
            journals.touch(id, Some(&place(end)));
        }
        let mut pending = Batch::new();
        journals.collect(&pipeline, &mut pending);
        assert!(!journals.is_dirty());

        let kept = restored(&pending).kept("j").unwrap();
        let resume = pipeline.checkpoint(id).unwrap().resume;
        assert!(kept.from.offset <= resume && resume <= end, "{kept:?}");
        assert_eq!((kept.end, kept.resume), (place(end), resume));
        assert!(resume > 0 && resume - kept.from.offset < 64, "{resume} from {}", kept.from.offset);
    }

    #[test]
    fn a_journal_that_was_left_is_kept_as_it_was_left() {
        let pipeline = Pipeline::new(Settings::default(), KeyRing::default());
        let (mut journals, id) = (Journals::default(), StreamId(1));
        journals.open(id, "j", Some(&place(5)));
        journals.touch(id, Some(&place(9)));
        journals.close(id, Some(Checkpoint { resume: 7, lines_to: 8, ..Checkpoint::default() }));
        let mut pending = Batch::new();
        journals.collect(&pipeline, &mut pending);
        let mut again = restored(&pending);
        assert_eq!(again.kept("j"), Some(KeptJournal { from: place(5), resume: 7, end: place(9), undecided: 1 }));
        let checkpoint = again.open(StreamId(2), "j", None);
        assert_eq!(checkpoint.map(|checkpoint| checkpoint.resume), Some(7));
    }
}
