//! Rotation by renaming: `mv app.log app.log.1`, and a new `app.log`.

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{File, rename};
use std::io::Write;

use diag51007::source::{Health, Rotation};
use recorder::{Scene, lines};

#[test]
fn the_old_file_is_read_to_its_end_before_the_new_one() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 100));
    scene.follow(&["*.log"]);
    for n in 1..=20 {
        scene.append("app.log", lines(n * 100, n * 100 + 50));
        rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
        scene.append("app.log", lines(n * 100 + 50, n * 100 + 100));
        let expected = lines(0, n * 100 + 100);
        scene.recorder.wait_all(expected.as_bytes());
    }
    scene.recorder.wait_until("rotations", |record| record.count(&Health::Rotated(Rotation::Rename)) == 20);
    let before: Vec<_> = scene.recorder.look(|record| record.streams.iter().map(|stream| stream.before).collect());
    assert_eq!(
        before,
        std::iter::once(None).chain((0..20).map(Some)).collect::<Vec<_>>(),
        "each takes the last one's place"
    );
}

#[test]
fn a_late_writer_to_the_renamed_file_is_heard() {
    let mut scene = Scene::new();
    let mut writer = File::create(scene.path("app.log")).unwrap();
    writer.write_all(b"one\n").unwrap();
    scene.follow(&["app.log"]);
    rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
    scene.write("app.log", "three\n");
    scene.recorder.wait_until("the new file", |record| record.all() == b"one\nthree\n");
    writer.write_all(b"two\n").unwrap();
    scene.recorder.wait_until("the late line", |record| record.streams[0].bytes == b"one\ntwo\n");
}

#[test]
fn a_renamed_file_that_still_matches_is_not_read_again() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\n");
    scene.follow(&["app.log*"]);
    for (n, new) in ["two\n", "three\n", "four\n"].into_iter().enumerate() {
        for n in (1..=n).rev() {
            rename(scene.path(&format!("app.log.{n}")), scene.path(&format!("app.log.{}", n + 1))).unwrap();
        }
        rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
        scene.write("app.log", new);
        scene.recorder.wait_until("the new file", |record| record.all().ends_with(new.as_bytes()));
    }
    // Its old name and its new one are both known by now, and a write under the new one is heard.
    scene.append("app.log.3", "late\n");
    scene.recorder.wait_until("the late line", |record| record.streams[0].bytes == b"one\nlate\n");
    scene.stop();
    scene.recorder.wait_all(b"one\nlate\ntwo\nthree\nfour\n");
}

#[test]
fn a_file_that_comes_back_goes_on_where_it_was() {
    let mut scene = Scene::new();
    scene.write("in/app.log", "one\n");
    scene.write("in/other.log", "");
    scene.follow(&["in/*.log"]);
    rename(scene.path("in/app.log"), scene.path("away.log")).unwrap();
    scene.recorder.wait_until("closed", |record| record.streams.iter().any(|stream| stream.finished));
    scene.append("away.log", "two\n");
    rename(scene.path("away.log"), scene.path("in/back.log")).unwrap();
    scene.recorder.wait_until("the rest", |record| record.of(&scene.path("in/back.log")) == b"two\n");
}
