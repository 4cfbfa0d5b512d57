//! Files and folders that come later, are left out, or cannot be read.

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{create_dir_all, remove_dir_all, rename};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use diag51007::source::Health;
use diag51007::source::file::{FileSource, Start, follow_files};
use recorder::Scene;

#[test]
fn a_new_file_in_a_new_folder_is_found() {
    let mut scene = Scene::new();
    scene.follow(&["**/*.log"]);
    scene.write("a/b/c/app.log", "one\n");
    scene.recorder.wait_all(b"one\n");
    scene.append("a/b/c/app.log", "two\n");
    scene.recorder.wait_all(b"one\ntwo\n");
    // A folder that is moved in with what it holds.
    let outside = Scene::new();
    outside.write("made/elsewhere.log", "three\n");
    rename(outside.path("made"), scene.path("moved")).unwrap();
    scene.recorder.wait_all(b"one\ntwo\nthree\n");
}

#[test]
fn a_missing_folder_is_told_once_and_found_when_it_comes() {
    let mut scene = Scene::new();
    scene.follow(&["later/app/*.log"]);
    let (base, parent) = (scene.path("later/app"), scene.path(""));
    let expected = format!(
        "missing: Expected a file or folder at {}, but there is none; it is looked for again. See what is there with \
         `ls -l {}`.",
        base.display(),
        parent.display().to_string().trim_end_matches('/')
    );
    assert_eq!(scene.recorder.look(recorder::Record::failures), [expected]);
    scene.recorder.wait_until("down", |record| record.count(&Health::Up(false)) == 1);
    scene.write("later/app/a.log", "one\n");
    scene.recorder.wait_all(b"one\n");
    scene.recorder.wait_until("up", |record| record.count(&Health::Up(true)) == 1);
    // The folder goes and comes again.
    remove_dir_all(scene.path("later")).unwrap();
    create_dir_all(scene.path("later/app")).unwrap();
    scene.write("later/app/b.log", "two\n");
    scene.recorder.wait_all(b"one\ntwo\n");
    scene.append("later/app/b.log", "three\n");
    scene.recorder.wait_all(b"one\ntwo\nthree\n");
}

#[test]
fn what_is_excluded_is_left_out() {
    let mut scene = Scene::new();
    scene.write("app.log", "app\n");
    scene.write("debug.log", "debug\n");
    scene.follow_from(&["*.log"], &["debug*"], Start::Beginning);
    scene.write("debug2.log", "debug\n");
    scene.write("web.log", "web\n");
    scene.recorder.wait_all(b"app\nweb\n");
}

#[test]
fn a_folder_means_its_files() {
    let mut scene = Scene::new();
    scene.write("logs/a", "a\n");
    scene.write("logs/deep/b", "b\n");
    scene.follow(&["logs"]);
    scene.write("logs/c", "c\n");
    scene.recorder.wait_all(b"a\nc\n");
}

#[test]
fn a_socket_is_refused_with_a_clear_message() {
    let mut scene = Scene::new();
    let _socket = UnixListener::bind(scene.path("app.log")).unwrap();
    scene.write("web.log", "one\n");
    scene.follow(&["*.log"]);
    scene.recorder.wait_all(b"one\n");
    let path = scene.path("app.log");
    let expected = format!(
        "read: Expected a regular file at {0}, but found a socket or device, which is not read. Leave it out with \
         `exclude = [\"{0}\"]`.",
        path.display()
    );
    assert_eq!(scene.recorder.look(recorder::Record::failures), [expected]);
}

#[test]
fn a_denied_file_is_told_and_read_once_it_is_allowed() {
    let mut scene = Scene::new();
    scene.write("app.log", "one\n");
    let mode = |mode| std::fs::set_permissions(scene.path("app.log"), PermissionsExt::from_mode(mode)).unwrap();
    mode(0);
    if std::fs::read(scene.path("app.log")).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    scene.follow_source(&["*.log"], &[], Start::Beginning);
    scene.recorder.wait_until("told", |record| record.failures().iter().any(|text| text.contains("`setfacl -m u:")));
    std::fs::set_permissions(scene.path("app.log"), PermissionsExt::from_mode(0o600)).unwrap();
    scene.recorder.wait_all(b"one\n");
}

#[test]
fn a_bad_glob_is_refused_before_anything_is_followed() {
    let scene = Scene::new();
    let source = FileSource {
        name: "app".into(),
        include: vec!["/var/log/[.log".to_owned()],
        exclude: Vec::new(),
        start: Start::Beginning,
        timezone: "UTC".into(),
    };
    let expected = "the glob `/var/log/[.log`, character 10: unclosed character class; missing ']'";
    assert_eq!(source.validate().unwrap_err().to_string(), expected);
    assert_eq!(follow_files(&[source], Arc::clone(&scene.recorder) as _).unwrap_err().to_string(), expected);
}
