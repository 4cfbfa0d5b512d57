//! A last line without its end.

#[path = "files/recorder.rs"]
mod recorder;

use recorder::Scene;

#[test]
fn a_partial_line_is_completed_by_what_follows() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\nhal");
    scene.follow(&["app.log"]);
    scene.append("app.log", "f\n");
    scene.recorder.wait_all(b"one\nhalf\n");
}

#[test]
fn a_partial_line_that_stays_so_is_ended_once() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\nhalf");
    scene.follow(&["app.log"]);
    scene.recorder.wait_until("ended", |record| record.streams[0].line_ends == [8]);
    scene.append("app.log", "next");
    scene.recorder.wait_until("ended again", |record| record.streams[0].line_ends == [8, 12]);
    scene.append("app.log", "last\n");
    scene.recorder.wait_all(b"one\nhalfnextlast\n");
    scene.stop();
    assert_eq!(scene.recorder.look(|record| record.streams[0].line_ends.clone()), [8, 12]);
}

#[test]
fn a_partial_line_counts_at_the_stop() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\nhalf");
    scene.follow(&["app.log"]);
    scene.stop();
    scene.recorder.look(|record| {
        assert!(record.streams[0].finished);
        assert_eq!(record.all(), b"one\nhalf");
    });
}
