//! Files that grow, from both starts, with any bytes in them.

#[path = "files/recorder.rs"]
mod recorder;

use diag51007::source::Health;
use diag51007::source::file::Start;
use recorder::{Scene, lines};

#[test]
fn thousands_of_lines_arrive_in_order_and_once() {
    let mut scene = Scene::new();
    scene.write("app.log", lines(0, 5_000));
    scene.follow(&["*.log"]);
    for n in 5_000..8_000 {
        scene.append("app.log", lines(n, n + 1));
    }
    scene.recorder.wait_all(lines(0, 8_000).as_bytes());
    scene.stop();
    scene.recorder.wait_all(lines(0, 8_000).as_bytes());
    assert_eq!(scene.recorder.look(|record| record.streams.len()), 1);
}

#[test]
fn bytes_that_are_no_text_pass_untouched() {
    let mut scene = Scene::new();
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11).to_le_bytes()[0]).collect();
    scene.write("app.log", &bytes);
    scene.follow(&["app.log"]);
    scene.append("app.log", b"\x00\x00\xff\xfe\n");
    scene.recorder.wait_all(&[&bytes[..], b"\x00\x00\xff\xfe\n"].concat());
}

#[test]
fn start_end_reads_only_what_is_written_later_and_new_files_whole() {
    let mut scene = Scene::new();
    scene.write("old.log", lines(0, 100));
    scene.follow_from(&["*.log"], &[], Start::End);
    scene.append("old.log", "later\n");
    scene.recorder.wait_until("the later line", |record| record.of(&scene.path("old.log")) == b"later\n");
    assert_eq!(scene.recorder.look(|record| record.streams[0].stream.offset), lines(0, 100).len() as u64);
    scene.write("new.log", "first\nsecond\n");
    scene.recorder.wait_until("the new file", |record| record.of(&scene.path("new.log")) == b"first\nsecond\n");
}

#[test]
fn many_files_are_read_side_by_side() {
    let mut scene = Scene::new();
    for n in 0..300 {
        scene.write(&format!("{n:03}.log"), format!("file {n}\n"));
    }
    scene.follow(&["*.log"]);
    for n in 0..300 {
        scene.append(&format!("{n:03}.log"), format!("more {n}\n"));
    }
    for n in 0..300 {
        let (path, expected) = (scene.path(&format!("{n:03}.log")), format!("file {n}\nmore {n}\n"));
        scene.recorder.wait_until("each file", |record| record.of(&path) == expected.as_bytes());
    }
    scene.recorder.wait_until("progress", |record| {
        record.health.contains(&Health::Progress { files: 300, unread_bytes: 0, lag_seconds: 0.0 })
    });
    assert_eq!(scene.recorder.look(|record| record.count(&Health::CaughtUp)), 1);
}

#[test]
fn a_huge_file_does_not_starve_a_small_one() {
    let mut scene = Scene::new();
    let huge = vec![b'x'; 64 << 20];
    scene.write("a-huge.log", &huge);
    scene.write("b-small.log", "small\n");
    scene.follow(&["*.log"]);
    scene.recorder.wait_until("both", |record| record.all().len() == huge.len() + 6);
    scene.recorder.look(|record| {
        let small = record.streams.iter().position(|stream| stream.bytes == b"small\n").unwrap();
        let place = record.order.iter().position(|stream| *stream == small).unwrap();
        assert!(place < record.order.len() / 2, "block {place} of {}", record.order.len());
    });
}

#[test]
fn a_stop_does_not_wait_for_a_huge_file() {
    let mut scene = Scene::new();
    // Sparse, and far too large to be read before the test's end.
    std::fs::File::create(scene.path("app.log")).unwrap().set_len(1 << 43).unwrap();
    scene.recorder.count_only();
    scene.follow_source(&["*.log"], &[], Start::Beginning);
    scene.recorder.wait_until("reading", |record| !record.order.is_empty());
    scene.stop();
    assert!(scene.recorder.look(|record| record.streams[0].finished));
}
