//! The real logrotate, in each of its ways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

#[path = "files/recorder.rs"]
mod recorder;

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::Command;

use recorder::{Scene, lines};

/// Rotations in each test.
const ROTATIONS: usize = 6;

/// Where Debian's package has it; `PATH` goes first.
fn logrotate() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("logrotate")).find(|program| program.is_file())
}

/// Follows a log while logrotate rotates it with these settings, and checks that each line arrives once.
#[track_caller]
#[expect(clippy::print_stderr, reason = "says why nothing was checked")]
fn check(include: &str, settings: &str) {
    let Some(logrotate) = logrotate() else {
        eprintln!("skipped: logrotate is not installed");
        return;
    };
    let mut scene = Scene::new();
    fs::create_dir(scene.path("logs")).unwrap();
    scene.write("logs/app.log", lines(0, 10));
    let log = scene.path("logs/app.log");
    scene.follow(&[include]);
    for n in 1..=ROTATIONS {
        let settings = settings.replace("{n}", &n.to_string());
        let config = format!("{} {{\n  rotate 20\n  missingok\n{settings}\n}}\n", log.display());
        scene.write("logrotate.conf", config);
        scene.append("logs/app.log", lines(n * 10, n * 10 + 5));
        if ["compress", "copytruncate"].iter().any(|way| settings.contains(way)) && !include.ends_with('*') {
            // What is packed and deleted before it was ever seen stands in an archive that is not to be read; what is cut
            // before anything of it was read, in a copy that nothing proves. Both limits are in the README.
            let bytes = lines(0, n * 10 + 5).len();
            scene.recorder.wait_until("the lines before the rotation", |record| record.all().len() == bytes);
        }
        let mut command = Command::new(&logrotate);
        command.arg("--force").arg("--state").arg(scene.path("state")).arg(scene.path("logrotate.conf"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        scene.append("logs/app.log", lines(n * 10 + 5, n * 10 + 10));
    }
    let expected = lines(0, ROTATIONS * 10 + 10);
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    scene.recorder.wait_until("all lines", |record| record.all().len() >= expected.len());
    // Archives are looked at later: one more file that is read after them shows that they added nothing.
    scene.write("logs/app.log.end", "");
    if settings.contains("compress") && include.ends_with('*') {
        let old = scene.path("logs/app.log.99.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"the end\n").unwrap();
        fs::write(&old, packed.finish().unwrap()).unwrap();
        scene.recorder.wait_until("the last archive", |record| record.of(&old) == b"the end\n");
        let all = scene.recorder.look(recorder::Record::all);
        assert_eq!(sorted(&all), sorted(format!("{expected}the end\n").as_bytes()));
    } else {
        assert_eq!(sorted(&scene.recorder.look(recorder::Record::all)), sorted(expected.as_bytes()));
    }
    assert!(OpenOptions::new().read(true).open(&log).is_ok());
}

#[test]
fn create_is_followed() {
    check("logs/*.log", "  create");
    check("logs/app.log*", "  create");
}

#[test]
fn nocreate_is_followed() {
    check("logs/*.log", "  nocreate");
}

#[test]
fn copytruncate_is_followed() {
    check("logs/*.log", "  copytruncate");
    check("logs/app.log*", "  copytruncate");
}

#[test]
fn dateext_is_followed() {
    check("logs/*.log", "  create\n  dateext\n  dateformat -%Y%m%d-{n}");
    check("logs/app.log*", "  create\n  dateext\n  dateformat -%Y%m%d-{n}");
}

#[test]
fn compress_is_followed() {
    check("logs/*.log", "  create\n  compress");
    check("logs/app.log*", "  create\n  compress");
    check("logs/app.log*", "  copytruncate\n  compress");
}

#[test]
fn delaycompress_is_followed() {
    check("logs/app.log*", "  create\n  compress\n  delaycompress");
    check("logs/app.log*", "  copytruncate\n  compress\n  delaycompress");
}
