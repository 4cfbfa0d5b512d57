//! Real files, and everything that can happen to them between two looks: each line is delivered just once.
//!
//! No notification helps here: what happened is found by looking, as after an overflow.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::pipeline::{Stream, StreamId};
use crate::source::Mark;

const CASES: u32 = 300;

#[derive(Clone, Debug)]
enum Act {
    /// The program writes so many lines to the file that it has open.
    Write(u8),
    /// It reopens its file only now, after a rotation.
    Reopen,
    /// `app.log` becomes `app.log.1`, that becomes `.2` and so on; a new one is made.
    Rename,
    /// `app.log` becomes `app.log-20261124NN`; a new one is made.
    Date,
    /// `app.log` is copied to `app.log.1` and cut.
    CopyTruncate,
    /// The oldest rotated file is packed and deleted.
    Pack,
    /// All archives are complete: they have not been written to for a while.
    Settle,
    /// A rotated file that is read is deleted.
    Delete,
    Look,
    Pass(u64),
    /// What is delivered and the positions are saved together.
    Save,
    /// All that was not saved is gone.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1..30_u8).prop_map(Act::Write),
        2 => Just(Act::Reopen),
        3 => Just(Act::Rename),
        1 => Just(Act::Date),
        3 => Just(Act::CopyTruncate),
        2 => Just(Act::Pack),
        2 => Just(Act::Settle),
        1 => Just(Act::Delete),
        6 => Just(Act::Look),
        1 => (0..9000_u64).prop_map(Act::Pass),
        3 => Just(Act::Save),
        1 => Just(Act::Crash),
    ]
}

/// Bytes by stream.
#[derive(Default)]
struct Heard(Mutex<Vec<Vec<u8>>>);

impl Sink for Heard {
    fn open(&self, _: Stream) -> StreamId {
        let mut streams = self.0.lock().unwrap();
        streams.push(Vec::new());
        StreamId(streams.len() as u64 - 1)
    }
    fn push(&self, StreamId(id): StreamId, chunk: &[u8]) {
        self.0.lock().unwrap()[usize::try_from(id).unwrap()].extend_from_slice(chunk);
    }
    fn end_line(&self, _: StreamId) {}
    fn pause(&self) {}
    fn finish(&self, _: StreamId) {}
    fn report(&self, _: &str, _: Health) {}
}

struct World {
    folder: TempDir,
    wide: bool,
    heard: Arc<Heard>,
    tailer: Tailer,
    writer: File,
    /// The program still has a rotated file open.
    late: bool,
    written: u32,
    dates: u32,
    saved: (Vec<Vec<u8>>, Vec<Mark>),
}

impl World {
    fn new(wide: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let writer = OpenOptions::new().create(true).append(true).open(folder.path().join("app.log")).unwrap();
        let heard = Arc::new(Heard::default());
        let tailer = Self::start(&folder, wide, &heard, &[]);
        let mut world = Self {
            folder,
            wide,
            heard,
            tailer,
            writer,
            late: false,
            written: 0,
            dates: 0,
            saved: (Vec::new(), Vec::new()),
        };
        world.look();
        world.save();
        world
    }

    fn start(folder: &TempDir, wide: bool, heard: &Arc<Heard>, positions: &[Mark]) -> Tailer {
        let include = folder.path().join(if wide { "app.log*" } else { "app.log" }).to_str().unwrap().to_owned();
        let patterns = Arc::new(Patterns::new(&[include], &[]).unwrap());
        let (name, timezone) = (Arc::from("app"), Arc::from("UTC"));
        let start = Start::Beginning;
        let source = Source { name, timezone, start, patterns, backlog: 0, caught_up: false, up: None, fresh: true };
        let mut tailer = Tailer::new(vec![source], Arc::clone(heard) as _, Arc::new(Wake::default()));
        tailer.folders = Folders::polled();
        for mark in positions {
            tailer.positions.keep(*mark);
        }
        tailer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn look(&mut self) {
        self.tailer.look_at_all();
    }

    fn is_followed(&self, path: &std::path::Path) -> bool {
        let metadata = fs::metadata(path).unwrap();
        self.tailer.by_identity.contains_key(&super::super::disk::seen(&metadata).identity)
    }

    /// A program's file is found at once, by its notification, and what is in it soon.
    fn look_if_new(&mut self) {
        let path = self.path("app.log");
        let read = self.tailer.by_path.get(&path).and_then(|id| self.tailer.slots.get(id)).is_some_and(|slot| {
            matches!(&slot.body, Body::Live(live) if live.offset() > 0)
                && slot.label.identity == super::super::disk::seen(&fs::metadata(&path).unwrap()).identity
        });
        if !read {
            self.look();
        }
    }

    fn shift(&self) {
        for n in (1..9).rev() {
            for packing in ["", ".gz"] {
                let (from, to) = (self.path(&format!("app.log.{n}{packing}")), n + 1);
                if from.exists() {
                    fs::rename(from, self.path(&format!("app.log.{to}{packing}"))).unwrap();
                }
            }
        }
    }

    /// Whether one more rotation would push a file out at the end.
    fn is_full(&self) -> bool {
        self.path("app.log.8").exists() || self.path("app.log.8.gz").exists()
    }

    fn rotated(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut rotated: Vec<_> = entries
            .filter(|path| path.file_name().unwrap() != "app.log" && path.extension().unwrap() != "gz")
            .collect();
        rotated.sort();
        rotated
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Write(lines) => {
                if self.late
                    && !self
                        .tailer
                        .by_identity
                        .contains_key(&{ super::super::disk::seen(&self.writer.metadata().unwrap()).identity })
                {
                    self.reopen();
                }
                for _ in 0..*lines {
                    self.written += 1;
                    let line = format!("line {} {}\n", self.written, "x".repeat(self.written as usize * 7 % 61));
                    self.writer.write_all(line.as_bytes()).unwrap();
                }
            }
            Act::Reopen => self.reopen(),
            Act::Rename | Act::Date | Act::CopyTruncate if self.is_full() => {}
            Act::Rename => {
                self.reopen();
                self.shift();
                self.rotate("app.log.1");
            }
            Act::Date => {
                self.reopen();
                self.dates += 1;
                self.rotate(&format!("app.log-20261124{:02}", self.dates));
            }
            Act::CopyTruncate => {
                self.reopen();
                self.look_if_new();
                self.shift();
                fs::copy(self.path("app.log"), self.path("app.log.1")).unwrap();
                self.writer.set_len(0).unwrap();
            }
            Act::Pack => self.pack(),
            Act::Settle => self.settle(),
            Act::Delete => {
                let read = |path: &PathBuf| {
                    let metadata = fs::metadata(path).unwrap();
                    let slot = self.tailer.by_identity.get(&super::super::disk::seen(&metadata).identity);
                    slot.and_then(|id| self.tailer.slots.get(id))
                        .is_some_and(|slot| matches!(&slot.body, Body::Live(live) if live.offset() == metadata.len()))
                };
                // Only what no crash brings back into question.
                if let Some(path) = self.rotated().into_iter().rev().find(read).filter(|_| !self.late) {
                    self.save();
                    fs::remove_file(path).unwrap();
                }
            }
            Act::Look => self.look(),
            Act::Pass(millis) => {
                self.tailer.started = self.tailer.started.checked_sub(Duration::from_millis(*millis)).unwrap();
            }
            Act::Save => self.save(),
            Act::Crash => {
                self.heard = Arc::new(Heard(Mutex::new(self.saved.0.clone())));
                self.tailer = Self::start(&self.folder, self.wide, &self.heard, &self.saved.1);
                self.look();
            }
        }
    }

    fn rotate(&mut self, name: &str) {
        fs::rename(self.path("app.log"), self.path(name)).unwrap();
        File::create_new(self.path("app.log")).unwrap();
        self.late = true;
    }

    fn reopen(&mut self) {
        self.writer = OpenOptions::new().append(true).open(self.path("app.log")).unwrap();
        self.late = false;
    }

    /// Where archives are not read, only what is followed and saved is packed.
    fn pack(&mut self) {
        self.reopen();
        let Some(path) = self.rotated().pop() else { return };
        if !self.wide {
            if !self.is_followed(&path) {
                return;
            }
            self.look();
            self.save();
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&fs::read(&path).unwrap()).unwrap();
        let archive = PathBuf::from(format!("{}.gz", path.display()));
        fs::write(archive, packed.finish().unwrap()).unwrap();
        fs::remove_file(path).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "set beside the times that the system gives to other files")]
    fn settle(&self) {
        let hour_ago = SystemTime::now().checked_sub(Duration::from_secs(3600)).unwrap();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "gz") {
                File::options().append(true).open(path).unwrap().set_modified(hour_ago).unwrap();
            }
        }
    }

    fn save(&mut self) {
        let mut marks: BTreeMap<Identity, Mark> =
            self.tailer.positions.iter().map(|mark| (mark.position.identity, *mark)).collect();
        for slot in self.tailer.slots.values() {
            let mark = match &slot.body {
                Body::Live(live) => live.position().map(Mark::plain),
                Body::Archive(archive) => archive.mark(),
            };
            marks.extend(mark.map(|mark| (mark.position.identity, mark)));
        }
        self.saved = (self.heard.0.lock().unwrap().clone(), marks.into_values().collect());
    }

    /// The numbers of the lines heard, sorted.
    fn numbers(&self) -> Vec<u32> {
        let heard = self.heard.0.lock().unwrap().concat();
        let text = String::from_utf8(heard).unwrap();
        let mut numbers: Vec<u32> = text.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn each_line_is_delivered_once_whatever_happens_to_its_file(
        wide in any::<bool>(),
        acts in prop::collection::vec(act(), 1..40),
    ) {
        let mut world = World::new(wide);
        for act in &acts {
            world.act(act);
        }
        world.settle();
        for _ in 0..4 {
            world.look();
            world.act(&Act::Pass(6000));
        }
        let expected: Vec<u32> = (1..=world.written).collect();
        prop_assert_eq!(world.numbers(), expected);
    }
}
