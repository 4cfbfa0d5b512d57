//! What sources tell the hub: bytes go into the core, and where they came from to the keeper, in one step.

use std::path::Path;
use std::sync::Arc;

use super::super::clock::now;
use super::{Hub, When};
use crate::pipeline::{Search, Stream, StreamId};
use crate::source::file::follow::Identity;
use crate::source::{Delivered, Found, Health, KeptJournal, Mark, NotCommitted, Opened, Place, Sink};
use crate::time::UnixTime;

impl Sink for Hub {
    fn known(&self) -> Vec<Mark> {
        self.lock().keeper.marks()
    }

    fn found(&self, file: Identity) {
        self.lock().keeper.found(file, now());
    }

    fn read_elsewhere(&self, source: &str, path: &Path, mark: Mark) {
        self.lock().keeper.read_elsewhere(source, path, mark, now());
    }

    fn moved(&self, stream: StreamId, mark: Mark) {
        self.lock().keeper.moved(stream, mark);
    }

    fn open(&self, stream: Stream) -> StreamId {
        let mut inner = self.lock();
        let id = inner.next_stream();
        inner.pipeline.open(id, stream);
        id
    }

    fn open_file(&self, stream: Stream, mark: Mark) -> Opened {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let id = inner.next_stream();
        let checkpoint = inner.keeper.checkpoint(&mark);
        inner.keeper.open(id, &stream, mark, now());
        if inner.behind.is_empty() && !inner.keeper.has_failed() {
            inner.keeper.hurry();
        }
        let offset = checkpoint.as_ref().map_or(stream.offset, |checkpoint| checkpoint.resume);
        match checkpoint {
            Some(checkpoint) => inner.pipeline.resume(id, stream, checkpoint),
            None => inner.pipeline.open(id, stream),
        }
        Opened { id, offset }
    }

    fn succeeds(&self, stream: StreamId, before: StreamId) {
        self.lock().pipeline.succeed(stream, before);
    }

    fn push(&self, stream: StreamId, chunk: &[u8]) {
        let Some(mut inner) = self.admit() else { return };
        inner.slack.read(chunk.len());
        inner.work(|pipeline, now, emit| pipeline.push(stream, chunk, now, emit));
        self.wake(&inner);
    }

    fn push_file(&self, stream: StreamId, chunk: &[u8], mark: Mark) {
        let Some(mut inner) = self.admit() else { return };
        inner.slack.read(chunk.len());
        inner.work(|pipeline, now, emit| pipeline.push(stream, chunk, now, emit));
        inner.keeper.touch(stream, Some(mark));
        self.wake(&inner);
    }

    fn search(&self) -> Option<Arc<Search>> {
        Some(self.lock().pipeline.search())
    }

    fn push_searched(&self, stream: StreamId, chunk: &[u8], found: Found<'_>, mark: Mark) {
        let Some(mut inner) = self.admit() else { return };
        inner.slack.read(chunk.len());
        let is_current = Arc::ptr_eq(found.search, &inner.pipeline.search());
        inner.work(|pipeline, now, emit| {
            if is_current {
                pipeline.push_searched(stream, chunk, found.hits, now, emit);
            } else {
                // Another config wants other needles.
                pipeline.push(stream, chunk, now, emit);
            }
        });
        inner.keeper.touch(stream, Some(mark));
        self.wake(&inner);
    }

    fn reached(&self, stream: StreamId, modified: UnixTime) {
        let mut inner = self.lock();
        inner.work(|pipeline, now, emit| pipeline.reached(stream, modified, now, emit));
        inner.keeper.touch(stream, None);
        self.wake(&inner);
    }

    fn end_line(&self, stream: StreamId) {
        let mut inner = self.lock();
        inner.work(|pipeline, now, emit| pipeline.end_line(stream, now, emit));
        inner.keeper.touch(stream, None);
        self.wake(&inner);
    }

    fn pause(&self) {
        let mut inner = self.lock();
        inner.tick();
        self.commit(&mut inner, When::Due);
        self.wake(&inner);
    }

    fn finish(&self, stream: StreamId) {
        let mut inner = self.lock();
        inner.work(|pipeline, now, emit| pipeline.finish(stream, now, emit));
        inner.keeper.close(stream, None, now());
        self.wake(&inner);
    }

    fn leave(&self, stream: StreamId) {
        let mut inner = self.lock();
        let mut checkpoint = None;
        inner.work(|pipeline, now, emit| checkpoint = pipeline.suspend(stream, now, emit));
        inner.keeper.close(stream, checkpoint, now());
        self.wake(&inner);
    }

    fn journal(&self, source: &str) -> Option<KeptJournal> {
        self.lock().keeper.journals.kept(source)
    }

    fn open_journal(&self, stream: Stream, start: Option<&Place>) -> StreamId {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let id = inner.next_stream();
        match inner.keeper.journals.open(id, &stream.source, start) {
            Some(checkpoint) => inner.pipeline.resume(id, stream, checkpoint),
            None => inner.pipeline.open(id, stream),
        }
        self.wake(inner);
        id
    }

    fn push_journal(&self, stream: StreamId, lines: &[u8], end: &Place) {
        let Some(mut inner) = self.admit() else { return };
        inner.slack.read(lines.len());
        inner.work(|pipeline, now, emit| pipeline.push(stream, lines, now, emit));
        inner.keeper.journals.touch(stream, Some(end));
        self.wake(&inner);
    }

    fn until_it_commits(&self) {
        drop(self.admit());
    }

    fn deliver(&self, deliveries: &[Delivered]) -> Result<(), NotCommitted> {
        let mut inner = self.admit().ok_or(NotCommitted)?;
        for delivered in deliveries {
            inner.take(delivered);
        }
        self.commit(&mut inner, When::Now);
        self.wake(&inner);
        // It has been taken in: what comes again is known or has been counted, so this waits instead of refusing.
        drop(inner);
        self.admit().map(drop).ok_or(NotCommitted)
    }

    fn report(&self, source: &str, health: Health) {
        match &health {
            Health::Failed { kind, message } => tracing::warn!(source, kind = kind.id(), "{message}"),
            Health::Lost(bytes) => tracing::error!(source, bytes, "Bytes were written that could not be read."),
            Health::Rotated(kind) => tracing::info!(source, kind = kind.id(), "A file was rotated."),
            Health::CaughtUp => tracing::info!(source, "What was there at start has been read."),
            Health::Up(false) => tracing::warn!(source, "The source does not work."),
            Health::Up(true) | Health::Progress { .. } | Health::FailedAgain { .. } | Health::Arrived { .. } => {}
        }
        let mut inner = self.lock();
        if health == Health::CaughtUp {
            inner.arriving.insert(source.to_owned(), now());
            self.commit(&mut inner, When::Due);
        } else {
            inner.ledger.health(source, &health, now());
            inner.is_dirty = true;
        }
        inner.rest();
        self.wake(&inner);
    }
}
