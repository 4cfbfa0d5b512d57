//! Links: to one file by several names, and links that change.

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{create_dir, rename};
use std::os::unix::fs::symlink;

use diag51007::source::{Health, Rotation};
use recorder::Scene;

#[test]
fn a_link_that_changes_leads_on_to_the_new_file() {
    let mut scene = Scene::new();
    scene.write("elsewhere/1.log", "one\n");
    scene.write("elsewhere/2.log", "three\n");
    create_dir(scene.path("links")).unwrap();
    symlink(scene.path("elsewhere/1.log"), scene.path("links/app.log")).unwrap();
    scene.follow(&["links/*.log"]);
    scene.append("elsewhere/1.log", "two\n");
    scene.recorder.wait_all(b"one\ntwo\n");
    symlink(scene.path("elsewhere/2.log"), scene.path("links/next")).unwrap();
    rename(scene.path("links/next"), scene.path("links/app.log")).unwrap();
    scene.recorder.wait_all(b"one\ntwo\nthree\n");
    scene.append("elsewhere/2.log", "four\n");
    scene.recorder.wait_all(b"one\ntwo\nthree\nfour\n");
    scene.recorder.wait_until("told", |record| record.count(&Health::Rotated(Rotation::Symlink)) == 1);
}

#[test]
fn a_rotation_behind_a_link_is_noticed() {
    let mut scene = Scene::new();
    scene.write("pods/0.log", "one\n");
    create_dir(scene.path("containers")).unwrap();
    symlink(scene.path("pods/0.log"), scene.path("containers/app.log")).unwrap();
    scene.follow(&["containers/*.log"]);
    for (n, line) in ["two\n", "three\n", "four\n"].into_iter().enumerate() {
        rename(scene.path("pods/0.log"), scene.path(&format!("pods/0.log.{n}"))).unwrap();
        scene.write("pods/0.log", line);
        scene.recorder.wait_until("the new file", |record| record.all().ends_with(line.as_bytes()));
    }
    scene.stop();
    scene.recorder.wait_all(b"one\ntwo\nthree\nfour\n");
}

#[test]
fn one_file_under_several_names_is_read_once() {
    let mut scene = Scene::new();
    scene.write("a.log", "one\n");
    symlink(scene.path("a.log"), scene.path("b.log")).unwrap();
    std::fs::hard_link(scene.path("a.log"), scene.path("c.log")).unwrap();
    symlink(scene.path("nowhere"), scene.path("d.log")).unwrap();
    scene.follow(&["*.log"]);
    scene.append("c.log", "two\n");
    scene.recorder.wait_all(b"one\ntwo\n");
    scene.stop();
    scene.recorder.wait_all(b"one\ntwo\n");
    assert_eq!(scene.recorder.look(recorder::Record::failures), Vec::<String>::new());
}
