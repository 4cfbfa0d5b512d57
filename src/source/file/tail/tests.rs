use std::sync::{Condvar, Mutex};

use super::*;
use crate::pipeline::{Stream, StreamId};

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

#[test]
fn without_notifications_files_are_polled() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.log"), folder.path().join("b.log"));
    std::fs::write(&first, "one\n").unwrap();
    let include = folder.path().join("*.log").to_str().unwrap().to_owned();
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
    let (bytes, wake) = (Arc::new(Bytes::default()), Arc::new(Wake::default()));
    let mut tailer = Tailer::new(vec![source], Arc::clone(&bytes) as _, Arc::clone(&wake));
    tailer.folders = Folders::polled();
    let thread = std::thread::spawn(move || tailer.run());
    bytes.wait(b"one\n");
    let mut file = std::fs::OpenOptions::new().append(true).open(&first).unwrap();
    std::io::Write::write_all(&mut file, b"two\n").unwrap();
    bytes.wait(b"one\ntwo\n");
    std::fs::write(&second, "three\n").unwrap();
    bytes.wait(b"one\ntwo\nthree\n");
    wake.stop();
    thread.join().unwrap();
}
