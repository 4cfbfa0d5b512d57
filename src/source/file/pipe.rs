//! Named pipes among the files: each is read on a thread of its own until its writers close it, and then opened again.
//!
//! A pipe has no offset: what was read is gone from it, so a crash can lose what was not yet counted. It is read as fast
//! as the sink takes it; its writers wait meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::archive::reason;
use super::disk;
use super::follow::{Identity, PARTIAL_LINE_WAIT};
use super::tail::Tailer;
use crate::pipeline::{Stream, StreamId};
use crate::source::{Failure, Health, Sink};

/// Pipes read at a time: each has a thread.
const PIPES_MAX: usize = 64;

/// Bytes read at a time: what the system keeps in a pipe.
const BLOCK_BYTES: usize = 64 * 1024;

/// How long to wait for a writer before looking whether to stop.
const WAIT: Duration = Duration::from_millis(200);

/// A pipe that is read.
pub(super) struct Pipe {
    source: Arc<str>,
    identity: Identity,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pipe {
    /// Ends it; returns when its stream is finished.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic there has been printed by the hook.
        _ = self.thread.join();
    }
}

impl Tailer {
    /// Reads a named pipe from now on, unless it is read already. Says whether it is.
    pub(super) fn open_pipe(&mut self, source: usize, path: &Path, identity: Identity) -> bool {
        if self.pipes.get(path).is_some_and(|pipe| pipe.identity == identity && !pipe.thread.is_finished()) {
            return true;
        }
        if let Some(pipe) = self.pipes.remove(path) {
            pipe.end();
        }
        let Some((name, timezone)) =
            self.sources.get(source).map(|source| (Arc::clone(&source.name), Arc::clone(&source.timezone)))
        else {
            return false;
        };
        let (stop, sink) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.sink));
        let stream = Stream {
            source: Arc::clone(&name),
            path: Some(Arc::from(path.to_string_lossy())),
            modified: None,
            timezone,
            offset: 0,
            whole: false,
        };
        let mut reader =
            Reader { path: path.to_owned(), stream, sink, stop: Arc::clone(&stop), open: None, quiet: None };
        let room = self.pipes.len() < PIPES_MAX;
        let thread = room.then(|| Builder::new().name("pipe".to_owned()).spawn(move || reader.run()));
        let Some(Ok(thread)) = thread else {
            let now = self.now();
            self.complaints.say(now, &name, path, Failure::Read, || {
                format!("Expected at most {PIPES_MAX} named pipes, but found more: {} is not read.", path.display())
            });
            return false;
        };
        self.pipes.insert(path.to_owned(), Pipe { source: name, identity, stop, thread });
        true
    }

    /// Ends the pipes that are not where they were, or that another source names now.
    pub(super) fn end_lost_pipes(&mut self) {
        let (sources, pipes) = (&self.sources, &mut self.pipes);
        let is_lost = |path: &Path, pipe: &Pipe| {
            let there = std::fs::metadata(path).is_ok_and(|now| disk::seen(&now).identity == pipe.identity);
            !there || sources.iter().find(|source| source.patterns.matches(path)).is_none_or(|s| s.name != pipe.source)
        };
        let lost: Vec<PathBuf> =
            pipes.iter().filter(|(path, pipe)| is_lost(path, pipe)).map(|(path, _)| path.clone()).collect();
        lost.iter().filter_map(|path| pipes.remove(path)).for_each(Pipe::end);
    }

    pub(super) fn end_pipes(&mut self) {
        std::mem::take(&mut self.pipes).into_values().for_each(Pipe::end);
    }
}

struct Reader {
    path: PathBuf,
    stream: Stream,
    sink: Arc<dyn Sink>,
    stop: Arc<AtomicBool>,
    open: Option<StreamId>,
    /// How long a last line without its end has waited.
    quiet: Option<Duration>,
}

impl Reader {
    fn run(&mut self) {
        let mut block = vec![0; BLOCK_BYTES];
        let mut before: Option<File> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let read = disk::open(&self.path).and_then(|file| {
                if !file.metadata()?.file_type().is_fifo() {
                    // Something else took its place; the next look at the folder finds out what.
                    self.stop.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                // Only now, so that nothing that was written meanwhile is lost with the last reader.
                drop(before.take());
                let read = self.read(&file, &mut block);
                before = Some(file);
                read
            });
            if let Err(error) = read {
                let message =
                    format!("Expected to read {}, but {}; it is tried again.", self.path.display(), reason(&error));
                self.sink.report(&self.stream.source, Health::Failed { kind: Failure::Read, message });
                break;
            }
            self.finish();
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.quiet = None;
        if let Some(id) = self.open.take() {
            self.sink.finish(id);
            self.sink.pause();
        }
    }

    /// Reads until the writers close the pipe, or the stop.
    fn read(&mut self, mut file: &File, block: &mut [u8]) -> io::Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            match file.read(block) {
                // No writer: none yet, or no more.
                Ok(0) if self.open.is_some() => return Ok(()),
                // One that came and went without a word, too, is told only once an open file.
                Ok(0) if self.wait(file)? => return Ok(()),
                Ok(0) => {}
                Ok(length) => {
                    let id = *self.open.get_or_insert_with(|| self.sink.open(self.stream.clone()));
                    let bytes = block.get(..length).unwrap_or_default();
                    self.quiet = (bytes.last() != Some(&b'\n')).then_some(Duration::ZERO);
                    self.sink.push(id, bytes);
                    self.sink.pause();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(file)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for bytes; says whether there is something to be had, if only an end.
    fn wait(&mut self, file: &File) -> io::Result<bool> {
        let wait = Timespec::try_from(WAIT).map_err(io::Error::other)?;
        let ready = match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&wait)) {
            Ok(ready) => ready,
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if ready == 0
            && let (Some(quiet), Some(id)) = (self.quiet, self.open)
        {
            self.quiet = Some(quiet + WAIT).filter(|quiet| *quiet < PARTIAL_LINE_WAIT);
            if self.quiet.is_none() {
                self.sink.end_line(id);
                self.sink.pause();
            }
        }
        Ok(ready > 0)
    }
}
