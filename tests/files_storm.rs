//! Storms: rotations many times a second while the program writes without a pause. Nothing is lost, nothing repeated.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{File, OpenOptions, copy, rename};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use recorder::Scene;

/// Rotations, and lines written between two of them: some 20 a second, and 10,000 lines a second.
const ROTATIONS: usize = 30;
const LINES: usize = 500;

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

/// Writes numbered lines and rotates in between; `rotate` gets the number of the rotation, and gives the file to write
/// to from now on if it is another one.
fn storm(scene: &Scene, mut rotate: impl FnMut(usize) -> Option<File>) -> usize {
    let (mut written, mut file) = (0, append(&scene.path("app.log")));
    for rotation in 1..=ROTATIONS {
        for n in 0..LINES {
            writeln!(file, "line {written}").unwrap();
            written += 1;
            // The program is not done with a file when it is rotated.
            if n == LINES / 2
                && let Some(next) = rotate(rotation)
            {
                for _ in 0..10 {
                    writeln!(file, "line {written}").unwrap();
                    written += 1;
                }
                file = next;
            }
        }
    }
    written
}

#[track_caller]
fn check(scene: &Scene, written: usize) {
    let numbers = |all: &[u8]| {
        let text = String::from_utf8(all.to_vec()).unwrap();
        let mut numbers: Vec<usize> =
            text.lines().map(|line| line.strip_prefix("line ").unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    let bytes: usize = (0..written).map(|n| format!("line {n}\n").len()).sum();
    scene
        .recorder
        .wait_until("all lines", |record| record.streams.iter().map(|s| s.bytes.len()).sum::<usize>() >= bytes);
    let all = scene.recorder.look(recorder::Record::all);
    assert_eq!(numbers(&all), (0..written).collect::<Vec<_>>());
}

#[test]
fn renames_at_any_rate_lose_and_repeat_nothing() {
    let mut scene = Scene::new();
    scene.follow(&["*.log"]);
    let written = storm(&scene, |n| {
        rename(scene.path("app.log"), scene.path(&format!("app.log.{n}"))).unwrap();
        Some(append(&scene.path("app.log")))
    });
    check(&scene, written);
}

#[test]
fn chains_of_renames_at_any_rate_lose_and_repeat_nothing() {
    let mut scene = Scene::new();
    scene.follow(&["app.log"]);
    let written = storm(&scene, |n| {
        for n in (1..n).rev() {
            rename(scene.path(&format!("app.log.{n}")), scene.path(&format!("app.log.{}", n + 1))).unwrap();
        }
        rename(scene.path("app.log"), scene.path("app.log.1")).unwrap();
        Some(append(&scene.path("app.log")))
    });
    check(&scene, written);
}

/// Does something on a machine that is busy with other things, so that threads are halted wherever they are.
fn under_load(work: impl FnOnce()) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let busy = || {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        };
        (0..4).for_each(|_| _ = scope.spawn(busy));
        let done = catch_unwind(AssertUnwindSafe(work));
        is_over.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

#[test]
fn copies_and_cuts_of_a_file_that_is_read_in_between_lose_and_repeat_nothing() {
    for include in ["app.log", "app.log*"] {
        under_load(|| copy_and_cut(include));
    }
}

fn copy_and_cut(include: &str) {
    let mut scene = Scene::new();
    scene.follow(&[include]);
    let mut cut = 0;
    let written = storm(&scene, |n| {
        // More than `line ` is read between two cuts: else no content tells a copy from any other file.
        let heard = |record: &recorder::Record| record.streams.iter().map(|s| s.bytes.len()).sum::<usize>();
        scene.recorder.wait_until("a line after the last cut", |record| heard(record) > cut + 10);
        cut += usize::try_from(copy(scene.path("app.log"), scene.path(&format!("app.log.{n}"))).unwrap()).unwrap();
        OpenOptions::new().write(true).open(scene.path("app.log")).unwrap().set_len(0).unwrap();
        None
    });
    check(&scene, written);
}

#[test]
fn links_that_change_at_any_rate_lose_and_repeat_nothing() {
    let mut scene = Scene::new();
    scene.write("app.log-000", "");
    symlink(scene.path("app.log-000"), scene.path("app.log")).unwrap();
    scene.follow(&["app.log"]);
    let written = storm(&scene, |n| {
        let next = scene.path(&format!("app.log-{n:03}"));
        let file = append(&next);
        symlink(next, scene.path("app.log.tmp")).unwrap();
        rename(scene.path("app.log.tmp"), scene.path("app.log")).unwrap();
        Some(file)
    });
    check(&scene, written);
}
