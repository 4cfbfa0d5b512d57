//! A sink that records, and waits for what a test expects.
#![allow(dead_code, reason = "each test file uses the part it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in what it shares with others"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use diag51007::pipeline::{Search, Stream, StreamId};
use diag51007::source::file::{FileSource, Following, Start, follow_files};
use diag51007::source::{Health, Sink};
use tempfile::TempDir;

/// How long a test waits for something before it fails: far more than it ever takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// One stream as it was delivered.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) stream: Stream,
    pub(crate) bytes: Vec<u8>,
    /// How many bytes there were each time when a partial line was ended.
    pub(crate) line_ends: Vec<usize>,
    pub(crate) finished: bool,
    /// The stream whose place it took.
    pub(crate) before: Option<usize>,
}

/// All that was delivered.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) streams: Vec<Recorded>,
    /// The stream of each block, in the order of delivery.
    pub(crate) order: Vec<usize>,
    pub(crate) health: Vec<Health>,
}

impl Record {
    /// The bytes of all streams of a path, in the order in which they were opened.
    pub(crate) fn of(&self, path: &Path) -> Vec<u8> {
        let path = path.to_str().unwrap();
        let streams = self.streams.iter().filter(|s| s.stream.path.as_deref() == Some(path));
        streams.flat_map(|stream| stream.bytes.clone()).collect()
    }

    /// All bytes, in the order in which the streams were opened.
    pub(crate) fn all(&self) -> Vec<u8> {
        self.streams.iter().flat_map(|stream| stream.bytes.clone()).collect()
    }

    pub(crate) fn count(&self, health: &Health) -> usize {
        self.health.iter().filter(|known| *known == health).count()
    }

    /// Messages of failures.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self.health.iter().filter_map(|health| match health {
            Health::Failed { kind, message } | Health::FailedAgain { kind, message } => {
                Some(format!("{}: {message}", kind.id()))
            }
            Health::Progress { .. }
            | Health::CaughtUp
            | Health::Rotated(_)
            | Health::Lost(_)
            | Health::Arrived { .. }
            | Health::Up(_) => None,
        });
        failed.collect()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    record: Mutex<Record>,
    changed: Condvar,
    count_only: AtomicBool,
}

impl Recorder {
    fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until the record is as expected, and gives what `look` makes of it.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, mut look: impl FnMut(&Record) -> Option<T>) -> T {
        let mut found = None;
        let waited = self.changed.wait_timeout_while(self.record.lock().unwrap(), DEADLINE, |record| {
            found = look(record);
            found.is_none()
        });
        let (record, _) = waited.unwrap();
        if found.is_none() {
            let streams = record.streams.iter().map(|s| {
                let tail = &s.bytes[s.bytes.len().saturating_sub(60)..];
                format!("{:?}: {} bytes, {:?}", s.stream.path, s.bytes.len(), String::from_utf8_lossy(tail))
            });
            let streams: Vec<_> = streams.collect();
            let health: Vec<_> = record.health.iter().filter(|h| !matches!(h, Health::Progress { .. })).collect();
            panic!("waited in vain: {what}; found {streams:#?} {health:#?}");
        }
        found.unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut is: impl FnMut(&Record) -> bool) {
        self.wait(what, |record| is(record).then_some(()));
    }

    /// Waits until all bytes are delivered, and checks that no other ones are.
    #[track_caller]
    pub(crate) fn wait_all(&self, expected: &[u8]) {
        let all = self.wait("all bytes", |record| Some(record.all()).filter(|all| all.len() >= expected.len()));
        assert!(all == expected, "delivered {} bytes, but written were {}", all.len(), expected.len());
    }

    #[track_caller]
    pub(crate) fn wait_caught_up(&self) {
        self.wait_until("caught up", |record| record.count(&Health::CaughtUp) == 1);
    }

    /// Keeps no bytes from now on.
    pub(crate) fn count_only(&self) {
        self.count_only.store(true, Ordering::Relaxed);
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.record.lock().unwrap())
    }
}

impl Sink for Recorder {
    fn pause(&self) {}

    /// So that large files are looked at ahead, as the daemon has it.
    fn search(&self) -> Option<Arc<Search>> {
        Some(Arc::new(Search::new(&[b"51007"])))
    }

    fn open(&self, stream: Stream) -> StreamId {
        let mut id = StreamId(0);
        self.change(|record| {
            id = StreamId(record.streams.len() as u64);
            record.streams.push(Recorded {
                stream,
                bytes: Vec::new(),
                line_ends: Vec::new(),
                finished: false,
                before: None,
            });
        });
        id
    }

    fn succeeds(&self, StreamId(id): StreamId, StreamId(before): StreamId) {
        self.change(|record| {
            let before = usize::try_from(before).unwrap();
            assert!(!record.streams[before].finished, "the one before is still there");
            record.streams[usize::try_from(id).unwrap()].before = Some(before);
        });
    }

    fn push(&self, StreamId(id): StreamId, chunk: &[u8]) {
        self.change(|record| {
            let index = usize::try_from(id).unwrap();
            record.order.push(index);
            let stream = &mut record.streams[index];
            assert!(!stream.finished, "bytes after the end of a stream");
            if !self.count_only.load(Ordering::Relaxed) {
                stream.bytes.extend_from_slice(chunk);
            }
        });
    }

    fn end_line(&self, StreamId(id): StreamId) {
        self.change(|record| {
            let stream = &mut record.streams[usize::try_from(id).unwrap()];
            stream.line_ends.push(stream.bytes.len());
        });
    }

    fn finish(&self, StreamId(id): StreamId) {
        self.change(|record| {
            let stream = &mut record.streams[usize::try_from(id).unwrap()];
            assert!(!stream.finished, "a stream ends once");
            stream.finished = true;
        });
    }

    fn report(&self, _: &str, health: Health) {
        self.change(|record| record.health.push(health));
    }
}

/// A folder, and its files being followed.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) following: Option<Following>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        // The real path: on some systems the folder of temporary files is a link.
        let folder = tempfile::tempdir_in(std::env::temp_dir().canonicalize().unwrap()).unwrap();
        Self { folder, recorder: Arc::default(), following: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(content.as_ref()).unwrap();
    }

    /// Follows globs below the folder, and waits until the start is read.
    pub(crate) fn follow(&mut self, include: &[&str]) {
        self.follow_from(include, &[], Start::Beginning);
    }

    pub(crate) fn follow_from(&mut self, include: &[&str], exclude: &[&str], start: Start) {
        self.follow_source(include, exclude, start);
        self.recorder.wait_caught_up();
    }

    pub(crate) fn follow_source(&mut self, include: &[&str], exclude: &[&str], start: Start) {
        let include = include.iter().map(|glob| self.path(glob).to_str().unwrap().to_owned()).collect();
        let exclude = exclude.iter().map(|&glob| glob.to_owned()).collect();
        let source = FileSource { name: "app".into(), include, exclude, start, timezone: "UTC".into() };
        let sink = Arc::clone(&self.recorder);
        self.following = Some(follow_files(&[source], sink).unwrap());
    }

    pub(crate) fn stop(&mut self) {
        self.following.take().unwrap().stop();
    }
}

/// Lines with numbers, of different lengths.
pub(crate) fn lines(from: usize, to: usize) -> String {
    let line = |n: usize| ["line ", &n.to_string(), " ", &"x".repeat(n % 97), "\n"].concat();
    (from..to).map(line).collect()
}
