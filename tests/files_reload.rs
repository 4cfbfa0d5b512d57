//! Other sources while running.

#[path = "files/recorder.rs"]
mod recorder;

use diag51007::source::file::{FileSource, Start};
use recorder::{Scene, lines};

fn source(scene: &Scene, name: &str, include: &str) -> FileSource {
    FileSource {
        name: name.into(),
        include: vec![scene.path(include).display().to_string()],
        exclude: Vec::new(),
        start: Start::Beginning,
        timezone: "UTC".into(),
    }
}

#[test]
fn a_new_source_starts_and_what_was_followed_goes_on() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 10));
    scene.write("web.txt", lines(100, 110));
    scene.follow(&["*.log"]);
    let sources = [source(&scene, "web", "*.txt"), source(&scene, "app", "*.log")];
    scene.following.as_ref().unwrap().replace(&sources).unwrap();
    scene
        .recorder
        .wait_until("the new source", |record| record.of(&scene.path("web.txt")) == lines(100, 110).as_bytes());
    scene.append("app.log", lines(10, 20));
    scene.recorder.wait_until("more", |record| record.of(&scene.path("app.log")) == lines(0, 20).as_bytes());
    scene.recorder.look(|record| {
        assert_eq!(record.streams.len(), 2, "the stream goes on");
        assert!(record.streams.iter().all(|stream| !stream.finished));
        assert_eq!(record.streams.iter().map(|s| &*s.stream.source).collect::<Vec<_>>(), ["app", "web"]);
    });
}

#[test]
fn a_source_that_goes_is_finished_and_goes_on_where_it_was_when_it_comes_back() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 10));
    scene.write("web.log", lines(100, 110));
    scene.follow(&["*.log"]);
    scene.following.as_ref().unwrap().replace(&[source(&scene, "web", "web.log")]).unwrap();
    scene.recorder.wait_until("the end", |record| {
        record.streams.iter().any(|stream| stream.finished && stream.bytes == lines(0, 10).as_bytes())
    });
    scene.append("app.log", lines(10, 20));
    let both = [source(&scene, "web", "web.log"), source(&scene, "other", "app.log")];
    scene.following.as_ref().unwrap().replace(&both).unwrap();
    scene.recorder.wait_until("the rest", |record| record.of(&scene.path("app.log")) == lines(0, 20).as_bytes());
    scene.recorder.look(|record| {
        let last = record.streams.last().unwrap();
        assert_eq!((&*last.stream.source, last.stream.offset), ("other", lines(0, 10).len() as u64));
        assert_eq!(record.of(&scene.path("web.log")), lines(100, 110).as_bytes());
    });
}

#[test]
fn a_list_that_is_not_well_formed_changes_nothing() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\n");
    scene.follow(&["*.log"]);
    let following = scene.following.as_ref().unwrap();
    assert!(following.replace(&[source(&scene, "app", "[.log")]).is_err());
    scene.append("app.log", "two\n");
    scene.recorder.wait_all(b"one\ntwo\n");
}
