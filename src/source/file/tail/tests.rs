use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::UNIX_EPOCH;

use super::*;
use crate::pipeline::{Stream, StreamId};
use crate::time::UnixTime;

#[derive(Default)]
struct Bytes(Mutex<Vec<u8>>, Condvar);

impl Sink for Bytes {
    fn pause(&self) {}

    fn open(&self, _: Stream) -> StreamId {
        StreamId(0)
    }
    fn push(&self, _: StreamId, chunk: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(chunk);
        self.1.notify_all();
    }
    fn end_line(&self, _: StreamId) {}
    fn finish(&self, _: StreamId) {}
    fn report(&self, _: &str, _: Health) {}
}

impl Bytes {
    fn wait(&self, expected: &[u8]) {
        let guard = self.0.lock().unwrap();
        let less = |bytes: &mut Vec<u8>| bytes.len() < expected.len();
        let (bytes, _) = self.1.wait_timeout_while(guard, Duration::from_secs(60), less).unwrap();
        assert_eq!(*bytes, expected);
    }
}

/// A follower of the logs in a folder.
fn follower(folder: &Path, sink: &Arc<impl Sink + 'static>, wake: &Arc<Wake>) -> Tailer {
    let include = folder.join("*.log").to_str().unwrap().to_owned();
    let source = Source {
        name: "app".into(),
        timezone: "UTC".into(),
        start: Start::Beginning,
        patterns: Arc::new(Patterns::new(&[include], &[]).unwrap()),
        backlog: 0,
        caught_up: false,
        up: None,
        fresh: true,
    };
    Tailer::new(vec![source], Arc::clone(sink) as _, Arc::clone(wake))
}

fn append(path: &Path, text: &str) {
    std::io::Write::write_all(&mut OpenOptions::new().append(true).open(path).unwrap(), text.as_bytes()).unwrap();
}

impl Tailer {
    /// As if much had been written lately.
    fn make_busy(&mut self) {
        self.pace.read(1 << 30);
        self.pace.ended(Duration::from_millis(100));
        assert!(self.pace.is_busy());
    }

    fn turn_all(&mut self) {
        while let Some(id) = self.ready.pop_front() {
            self.turn(id);
        }
    }
}

/// Appends to the file that is read in the moment in which the first of it is delivered.
struct Growing {
    path: PathBuf,
    bytes: Bytes,
    reached: Mutex<Vec<UnixTime>>,
}

impl Sink for Growing {
    fn pause(&self) {}
    fn open(&self, stream: Stream) -> StreamId {
        self.bytes.open(stream)
    }
    fn push(&self, stream: StreamId, chunk: &[u8]) {
        if self.bytes.0.lock().unwrap().is_empty() {
            append(&self.path, "two\n");
        }
        self.bytes.push(stream, chunk);
    }
    fn reached(&self, _: StreamId, modified: UnixTime) {
        self.reached.lock().unwrap().push(modified);
    }
    fn end_line(&self, _: StreamId) {}
    fn finish(&self, _: StreamId) {}
    fn report(&self, _: &str, _: Health) {}
}

#[test]
fn of_a_file_that_grows_while_it_is_read_at_start_no_old_time_of_writing_is_told() {
    for is_busy in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").unwrap();
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_772_359_200);
        OpenOptions::new().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        let (bytes, reached) = (Bytes::default(), Mutex::default());
        let sink = Arc::new(Growing { path, bytes, reached });
        let mut tailer = follower(folder.path(), &sink, &Arc::default());
        if is_busy {
            tailer.make_busy();
        }
        tailer.scan();
        tailer.turn_all();
        assert_eq!(*sink.reached.lock().unwrap(), [], "busy: {is_busy}");
        assert_eq!(*sink.bytes.0.lock().unwrap(), b"one\ntwo\n", "busy: {is_busy}");
    }
}

#[test]
fn the_successor_of_a_renamed_file_is_read_at_once_however_much_is_written() {
    for is_busy in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").unwrap();
        let bytes = Arc::new(Bytes::default());
        let mut tailer = follower(folder.path(), &bytes, &Arc::default());
        tailer.scan();
        tailer.turn_all();
        append(&path, "two\n");
        std::fs::rename(&path, folder.path().join("a.log.1")).unwrap();
        std::fs::write(&path, "three\n").unwrap();
        if is_busy {
            tailer.make_busy();
        }
        // As if only that the old file has grown were told.
        tailer.notice(&path, false);
        tailer.turn_all();
        assert_eq!(*bytes.0.lock().unwrap(), b"one\ntwo\nthree\n", "busy: {is_busy}");
    }
}

#[test]
fn folders_are_read_more_often_while_files_grow_of_which_nothing_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    std::fs::write(&path, "one\n").unwrap();
    let mut tailer = follower(folder.path(), &Arc::new(Bytes::default()), &Arc::default());
    let mut scan = |told: bool| {
        tailer.scan();
        if told {
            tailer.notice(&path, false);
        }
        tailer.turn_all();
        let wait = tailer.scan_due().saturating_sub(tailer.now());
        append(&path, "two\n");
        wait > Duration::from_secs(5)
    };
    scan(false);
    assert_eq!([scan(true), scan(false), scan(false), scan(true)], [true, false, false, true]);
}

#[test]
fn without_notifications_files_are_polled() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.log"), folder.path().join("b.log"));
    std::fs::write(&first, "one\n").unwrap();
    let (bytes, wake) = (Arc::new(Bytes::default()), Arc::new(Wake::default()));
    let mut tailer = follower(folder.path(), &bytes, &wake);
    tailer.folders = Folders::polled();
    let thread = std::thread::spawn(move || tailer.run());
    bytes.wait(b"one\n");
    let mut file = OpenOptions::new().append(true).open(&first).unwrap();
    std::io::Write::write_all(&mut file, b"two\n").unwrap();
    bytes.wait(b"one\ntwo\n");
    std::fs::write(&second, "three\n").unwrap();
    bytes.wait(b"one\ntwo\nthree\n");
    wake.stop();
    thread.join().unwrap();
}
