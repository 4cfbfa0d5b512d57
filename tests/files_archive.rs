//! Archives: read whole, and once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{File, rename};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use diag51007::source::file::Start;
use recorder::{Scene, lines};

fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Makes a file look as if it had been written long ago, as rotated archives are.
#[expect(clippy::disallowed_methods, reason = "set beside the times that the system gives to other files")]
fn age(path: &Path) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options().append(true).open(path).unwrap().set_modified(hour_ago).unwrap();
}

#[test]
fn archives_are_read_once_also_when_they_are_renamed() {
    let mut scene = Scene::new();
    scene.write("app.log.2.gz", [gzip(lines(0, 50)), gzip(lines(50, 100))].concat());
    scene.write("app.log.1.zst", zstd::encode_all(lines(0, 90).as_bytes(), 1).unwrap());
    age(&scene.path("app.log.2.gz"));
    age(&scene.path("app.log.1.zst"));
    scene.follow(&["app.log*"]);
    let (gz, zst) = (scene.path("app.log.2.gz"), scene.path("app.log.1.zst"));
    scene.recorder.look(|record| {
        assert_eq!(String::from_utf8(record.of(&gz)).unwrap(), lines(0, 100));
        assert_eq!(String::from_utf8(record.of(&zst)).unwrap(), lines(0, 90));
        assert!(record.streams.iter().all(|stream| stream.finished && stream.stream.whole));
    });
    rename(gz, scene.path("app.log.3.gz")).unwrap();
    scene.write("app.log", "live\n");
    scene.recorder.wait_until("the live line", |record| record.of(&scene.path("app.log")) == b"live\n");
    assert_eq!(scene.recorder.look(|record| record.streams.len()), 3);
}

#[test]
fn an_archive_that_is_still_being_written_is_waited_for() {
    let mut scene = Scene::new();
    scene.follow(&["*.gz"]);
    let (packed, mut file) = (gzip(lines(0, 100)), File::create(scene.path("app.gz")).unwrap());
    let (first, second) = packed.split_at(packed.len() / 2);
    file.write_all(first).unwrap();
    file.write_all(second).unwrap();
    scene.recorder.wait_all(lines(0, 100).as_bytes());
    assert_eq!(scene.recorder.look(recorder::Record::failures), Vec::<String>::new());
}

#[test]
fn a_damaged_archive_is_told_and_what_is_readable_counts() {
    let mut scene = Scene::new();
    let mut packed = gzip(lines(0, 20_000));
    packed.truncate(packed.len() / 2);
    scene.write("app.log.1.gz", packed);
    age(&scene.path("app.log.1.gz"));
    scene.follow(&["*.gz"]);
    scene.recorder.wait_until("told", |record| {
        record
            .failures()
            .iter()
            .any(|text| text.starts_with("archive: ") && text.contains("expected a complete archive"))
    });
    let all = scene.recorder.look(recorder::Record::all);
    assert!(!all.is_empty() && lines(0, 20_000).as_bytes().starts_with(&all));
}

#[test]
fn start_end_leaves_old_archives_out() {
    let mut scene = Scene::new();
    scene.write("old.gz", gzip("old\n"));
    scene.follow_from(&["*.gz"], &[], Start::End);
    scene.write("new.gz", gzip("new\n"));
    age(&scene.path("new.gz"));
    scene.recorder.wait_all(b"new\n");
}
