//! Named pipes among the files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{OpenOptions, remove_file};
use std::io::Write;
use std::path::Path;

use recorder::{Scene, lines};
use rustix::fs::{CWD, FileType, Mode, mknodat};

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn a_named_pipe_is_read_until_its_end_and_again() {
    let mut scene = Scene::new();
    pipe(&scene.path("app.log"));
    scene.follow(&["*.log"]);
    for n in 0..5 {
        // Far more than a pipe holds: its writer waits for the reader.
        let mut writer = OpenOptions::new().write(true).open(scene.path("app.log")).unwrap();
        writer.write_all(lines(n * 5000, n * 5000 + 5000).as_bytes()).unwrap();
        drop(writer);
        scene.recorder.wait_all(lines(0, n * 5000 + 5000).as_bytes());
    }
    scene.recorder.wait_until("the ends", |record| record.streams.iter().all(|stream| stream.finished));
    scene.stop();
}

#[test]
fn a_partial_line_in_a_pipe_counts_after_a_while() {
    let mut scene = Scene::new();
    pipe(&scene.path("app.log"));
    scene.follow(&["app.log"]);
    let mut writer = OpenOptions::new().write(true).open(scene.path("app.log")).unwrap();
    writer.write_all(b"half a line").unwrap();
    scene.recorder.wait_until("the line", |record| record.streams.iter().any(|stream| stream.line_ends == [11]));
    scene.stop();
    assert!(scene.recorder.look(|record| record.streams[0].finished));
}

#[test]
fn a_file_in_the_place_of_a_pipe_is_followed() {
    let mut scene = Scene::new();
    pipe(&scene.path("app.log"));
    scene.follow(&["*.log"]);
    remove_file(scene.path("app.log")).unwrap();
    scene.write("app.log", "one\n");
    scene.recorder.wait_all(b"one\n");
}
