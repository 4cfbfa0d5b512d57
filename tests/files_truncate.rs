//! Rotation by copying and truncating in place.

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{OpenOptions, copy};

use diag51007::source::{Health, Rotation};
use recorder::{Scene, lines};

#[test]
fn what_is_written_after_the_cut_is_new() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 100));
    scene.follow(&["app.log"]);
    for n in 1..=10 {
        copy(scene.path("app.log"), scene.path("app.log.1")).unwrap();
        OpenOptions::new().write(true).open(scene.path("app.log")).unwrap().set_len(0).unwrap();
        scene.append("app.log", lines(n * 100, n * 100 + 100));
        scene.recorder.wait_all(lines(0, n * 100 + 100).as_bytes());
    }
    let truncations = scene.recorder.look(|record| record.count(&Health::Rotated(Rotation::Truncate)));
    assert_eq!(truncations, 10);
    let before: Vec<_> = scene.recorder.look(|record| record.streams.iter().map(|stream| stream.before).collect());
    assert_eq!(
        before,
        std::iter::once(None).chain((0..10).map(Some)).collect::<Vec<_>>(),
        "each takes the last one's place"
    );
}

#[test]
fn a_cut_is_noticed_although_the_file_is_longer_than_before() {
    let mut scene = Scene::new();
    scene.write("app.log", "an equal head\nbefore\n");
    scene.follow(&["app.log"]);
    // One write, so that no look can fall between cut and refill: the file is opened for that and not cut first.
    let after = format!("an equal head\nafter\n{}", lines(0, 3));
    std::os::unix::fs::FileExt::write_all_at(
        &OpenOptions::new().write(true).open(scene.path("app.log")).unwrap(),
        after.as_bytes(),
        0,
    )
    .unwrap();
    scene.recorder.wait_all(format!("an equal head\nbefore\n{after}").as_bytes());
    scene.recorder.wait_until("told", |record| record.count(&Health::Rotated(Rotation::Truncate)) == 1);
}

#[test]
fn a_partial_line_before_the_cut_is_not_glued_to_what_follows() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\nhalf a li");
    scene.follow(&["app.log"]);
    OpenOptions::new().write(true).open(scene.path("app.log")).unwrap().set_len(0).unwrap();
    scene.append("app.log", "new\n");
    scene.recorder.wait_until("a new stream", |record| {
        record.streams.len() == 2 && record.streams[0].finished && record.streams[1].bytes == b"new\n"
    });
}
