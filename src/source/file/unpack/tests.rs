use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::super::Source;
use super::super::glob::Patterns;
use super::super::watch::{Folders, Wake};
use super::*;
use crate::pipeline::Stream;
use crate::source::{Health, Sink};

/// All bytes that were delivered, and how often something failed.
#[derive(Default)]
struct Heard(Mutex<(Vec<u8>, usize)>);

impl Sink for Heard {
    fn open(&self, _: Stream) -> StreamId {
        StreamId(1)
    }
    fn push(&self, _: StreamId, chunk: &[u8]) {
        self.0.lock().unwrap().0.extend_from_slice(chunk);
    }
    fn end_line(&self, _: StreamId) {}
    fn pause(&self) {}
    fn finish(&self, _: StreamId) {}
    fn report(&self, _: &str, health: Health) {
        self.0.lock().unwrap().1 += usize::from(matches!(health, Health::Failed { .. }));
    }
}

struct World {
    folder: TempDir,
    heard: Arc<Heard>,
    tailer: Tailer,
}

impl World {
    /// A folder with a log that is followed.
    fn new(log: &[u8]) -> Self {
        let (folder, heard) = (tempfile::tempdir().unwrap(), Arc::new(Heard::default()));
        fs::write(folder.path().join("app.log"), log).unwrap();
        let include = folder.path().join("app.log*").to_str().unwrap().to_owned();
        let patterns = Arc::new(Patterns::new(&[include], &[]).unwrap());
        let (name, timezone, start) = (Arc::from("app"), Arc::from("UTC"), Start::Beginning);
        let source = Source { name, timezone, start, patterns, backlog: 0, caught_up: false, up: None, fresh: true };
        let mut tailer = Tailer::new(vec![source], Arc::clone(&heard) as _, Arc::new(Wake::default()));
        tailer.folders = Folders::polled();
        let mut world = Self { folder, heard, tailer };
        world.tailer.look_at_all();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Packs some content now.
    fn pack_now(&self, name: &str, content: &[u8]) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(content).unwrap();
        fs::write(self.path(name), packed.finish().unwrap()).unwrap();
    }

    /// Makes it seem that a file was written a while ago.
    fn age(&self, name: &str) {
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(480_000)).unwrap();
    }

    /// Packs some content as it was packed a while ago.
    fn pack(&self, name: &str, content: &[u8]) {
        self.pack_now(name, content);
        self.age(name);
    }

    /// Begins to read an archive; nothing before this has looked at it.
    fn begin(&mut self, name: &str) -> (Label, Archive) {
        self.tailer.scan();
        let id = self.tailer.by_path[&self.path(name)];
        let slot = self.tailer.slots.remove(&id).unwrap();
        let Body::Archive(archive) = slot.body else { panic!("{name} is no archive") };
        (slot.label, archive)
    }

    fn heard(&self) -> (String, usize) {
        let heard = self.heard.0.lock().unwrap();
        (String::from_utf8(heard.0.clone()).unwrap(), heard.1)
    }
}

#[test]
fn an_archive_that_is_renamed_just_before_it_is_opened_is_waited_for() {
    let mut world = World::new(b"");
    world.pack("app.log.1.gz", b"packed\n");
    let (label, mut archive) = world.begin("app.log.1.gz");
    fs::rename(world.path("app.log.1.gz"), world.path("app.log.2.gz")).unwrap();
    assert!(matches!(world.tailer.begin_archive(&label, &mut archive), Turn::Idle));
    assert!(archive.is_waiting() && archive.due().is_some_and(|due| due > world.tailer.now()));
    assert_eq!(world.heard(), (String::new(), 0));

    world.tailer.by_identity.remove(&label.identity);
    world.tailer.look_at_all();
    assert_eq!(world.heard(), ("packed\n".to_owned(), 0));
}

#[test]
fn an_archive_that_is_renamed_while_it_is_compared_is_read_to_its_end() {
    let mut world = World::new(b"followed\n");
    world.pack("app.log.1.gz", b"packed\n");
    let (label, mut archive) = world.begin("app.log.1.gz");
    assert!(matches!(world.tailer.begin_archive(&label, &mut archive), Turn::More));
    assert!(matches!(archive.state, State::Comparing(_)));
    fs::rename(world.path("app.log.1.gz"), world.path("app.log.2.gz")).unwrap();
    while matches!(world.tailer.compare_archive(&label, &mut archive), Turn::More)
        && matches!(archive.state, State::Comparing(_))
    {}
    while matches!(world.tailer.read_archive(&label, &mut archive), Turn::More) {}
    assert_eq!(world.heard(), ("followed\npacked\n".to_owned(), 0));
    let mark = archive.mark().unwrap();
    assert_eq!((mark.done, mark.unpacked), (true, Some(7)));
}

#[test]
fn archives_that_are_renamed_in_a_chain_before_they_are_complete_are_each_read() {
    let mut world = World::new(b"");
    world.pack_now("app.log.1.gz", b"first\n");
    world.tailer.look_at_all();
    for (n, content) in ["second\n", "third\n"].iter().enumerate() {
        for number in (1..=n + 1).rev() {
            let [old, new] = [number, number + 1].map(|number| world.path(&format!("app.log.{number}.gz")));
            fs::rename(old, new).unwrap();
        }
        world.pack_now("app.log.1.gz", content.as_bytes());
        world.tailer.look_at_all();
    }
    assert_eq!(world.heard(), (String::new(), 0), "they may still be written to");

    for number in 1..=3 {
        world.age(&format!("app.log.{number}.gz"));
    }
    world.tailer.look_at_all();
    world.tailer.look_at_all();
    let (heard, failures) = world.heard();
    let mut lines: Vec<_> = heard.lines().collect();
    lines.sort_unstable();
    assert_eq!((lines, failures), (vec!["first", "second", "third"], 0));
}

#[test]
fn an_archive_that_is_renamed_while_it_is_waited_for_is_read_under_its_new_name() {
    let mut world = World::new(b"");
    world.pack("app.log.1.gz", b"packed\n");
    let (mut label, mut archive) = world.begin("app.log.1.gz");
    fs::rename(world.path("app.log.1.gz"), world.path("app.log.2.gz")).unwrap();
    label.names.push(world.path("app.log.2.gz"));
    while !matches!(world.tailer.turn_archive(&mut label, &mut archive), Turn::Idle) {}
    assert_eq!(world.heard(), ("packed\n".to_owned(), 0));
}

#[test]
fn the_name_of_an_archive_that_another_one_takes_while_it_is_read_is_let_go_when_it_is_read() {
    let mut world = World::new(b"followed\n");
    world.pack("app.log.1.gz", b"packed\n");
    let (mut label, mut archive) = world.begin("app.log.1.gz");
    assert!(matches!(world.tailer.turn_archive(&mut label, &mut archive), Turn::More));
    fs::rename(world.path("app.log.1.gz"), world.path("app.log.2.gz")).unwrap();
    world.pack("app.log.1.gz", b"another\n");
    label.names.push(world.path("app.log.2.gz"));
    let left = loop {
        match world.tailer.turn_archive(&mut label, &mut archive) {
            Turn::More => {}
            Turn::Left(left) => break left,
            Turn::Idle | Turn::Closed => panic!("the name is kept"),
        }
    };
    assert_eq!(left, [world.path("app.log.1.gz")]);
    assert_eq!(world.heard(), ("followed\npacked\n".to_owned(), 0));
    assert!(matches!(world.tailer.turn_archive(&mut label, &mut archive), Turn::Idle));
}
