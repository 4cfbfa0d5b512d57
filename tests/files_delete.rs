//! Files that are deleted, with and without a new one at the same path.

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::remove_file;

use recorder::{Scene, lines};

#[test]
fn a_new_file_at_the_path_of_a_deleted_one_is_read_from_its_beginning() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 100));
    scene.follow(&["*.log"]);
    for n in 1..=10 {
        scene.append("app.log", lines(n * 100, n * 100 + 50));
        remove_file(scene.path("app.log")).unwrap();
        scene.append("app.log", lines(n * 100 + 50, n * 100 + 100));
        scene.recorder.wait_all(lines(0, n * 100 + 100).as_bytes());
    }
}

#[test]
fn a_deleted_file_is_released_and_its_partial_line_counts() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\nhalf");
    scene.follow(&["*.log"]);
    remove_file(scene.path("app.log")).unwrap();
    scene.recorder.wait_until("finished", |record| record.streams[0].finished);
    scene.recorder.wait_all(b"one\nhalf");
    scene.write("app.log", "two\n");
    scene.recorder.wait_all(b"one\nhalftwo\n");
}
