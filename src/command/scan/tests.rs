use std::fs;
use std::io::Cursor;
use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn stream(name: &str, bytes: &[u8]) -> Input {
    Input::Stream { name: name.to_owned(), reader: Box::new(Cursor::new(bytes.to_vec())) }
}

fn run(inputs: Vec<Input>, format: Format) -> (Tally, String) {
    let job = Job {
        settings: Settings::default(),
        keyring: KeyRing::default(),
        timezone: "UTC".into(),
        format,
        colour: Colour::Never,
    };
    let mut out = Vec::new();
    let now = UnixTime::from_seconds(1_795_488_219);
    let tally = scan(inputs, job, now, &mut out, &Progress::silent()).unwrap();
    (tally, String::from_utf8(out).unwrap())
}

fn report(out: &mut dyn Write, format: Format) -> Report<'_> {
    Report { format, tally: Tally::default(), out, failed: None }
}

fn diagnosed(number: u8) -> Event {
    Event::Diagnosed(Box::new(crate::report::scan::tests::refusal("a.log", number)))
}

#[test]
fn every_format_of_nothing_is_well_formed() {
    let (_, text) = run(vec![stream("-", b"")], Format::Text);
    assert!(text.starts_with("No refused connection"), "{text}");
    let (_, json) = run(vec![], Format::Json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rejections"], serde_json::json!([]));
    assert_eq!(json["summary"]["rejections"], 0);
    assert_eq!(run(vec![stream("-", b"")], Format::Ndjson).1, "");
    assert!(run(vec![], Format::Prometheus).1.contains("diag51007_lines_total{source=\"scan\"} 0\n"));
}

#[test]
fn json_is_one_object_with_every_diagnosis() {
    let mut out = Vec::new();
    let mut report = report(&mut out, Format::Json);
    report.start().unwrap();
    (0..3).for_each(|number| report.take(diagnosed(number)));
    report.end(Colour::Never).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["rejections"].as_array().unwrap().len(), 3);
    assert_eq!(json["rejections"][2]["cause"], "expired");
    assert_eq!(json["summary"]["rejections"], 3);
}

#[test]
fn ndjson_is_one_diagnosis_a_line() {
    let mut out = Vec::new();
    let mut report = report(&mut out, Format::Ndjson);
    (0..2).for_each(|number| report.take(diagnosed(number)));
    report.end(Colour::Never).unwrap();
    let lines: Vec<_> = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(line).unwrap()["path"], "a.log");
    }
}

#[test]
fn unreadable_files_are_reported_and_the_others_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.log");
    fs::write(&good, "hello\n").unwrap();
    let missing = folder.path().join("missing.log");
    let inputs = Input::of_arguments(vec![missing, folder.path().to_owned(), good.clone()]);
    let (tally, text) = run(inputs, Format::Text);
    assert_eq!(tally.exit_code(), 66);
    assert_eq!(tally.files.len(), 1);
    assert_eq!(tally.files[0].name, good.to_string_lossy());
    assert_eq!(tally.failures.len(), 2);
    assert!(text.contains("there is no such file"), "{text}");
}

#[test]
fn files_are_scanned_in_the_order_in_which_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, age: u64| {
        let path = folder.path().join(name);
        fs::write(&path, "hello\n").unwrap();
        let written = UNIX_EPOCH + Duration::from_secs(1_800_000_000 - age);
        fs::File::options().append(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    };
    let paths = vec![file("app.log", 0), file("app.log.1", 60), file("app.log.2", 120), file("b.log", 60)];
    let (tally, _) = run(Input::of_arguments(paths), Format::Text);
    let names: Vec<_> = tally.files.iter().filter_map(|file| file.name.rsplit('/').next()).collect();
    assert_eq!(names, ["app.log.2", "app.log.1", "b.log", "app.log"]);
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let code = |error: WholeError| unread("x", &error).exit_code;
    let open = |kind: io::ErrorKind| code(WholeError::Open("x".into(), kind.into()));
    assert_eq!(open(io::ErrorKind::NotFound), 66);
    assert_eq!(open(io::ErrorKind::PermissionDenied), 77);
    assert_eq!(open(io::ErrorKind::Other), 74);
    assert_eq!(code(WholeError::Read("x".into(), io::ErrorKind::NotFound.into())), 74);
    assert_eq!(code(WholeError::Damaged("x".into(), io::ErrorKind::InvalidData.into())), 74);
    assert_eq!(code(WholeError::Kind("x".into(), "a folder")), 66);
}

#[test]
fn hostile_file_names_are_shown_as_escapes() {
    let (_, text) = run(vec![stream("a\u{1b}[2J\n.log", b""), stream("b", b"")], Format::Text);
    assert!(text.contains("a\\u{1b}[2J\\n.log"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_damaged_archive_is_a_failure_after_what_could_be_read() {
    let (tally, _) = run(vec![stream("bad.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3])], Format::Text);
    assert_eq!(tally.exit_code(), 74);
    assert_eq!(tally.files.len(), 1);
}

#[test]
fn a_closed_pipe_ends_the_scan_without_a_fault() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Closed;
    let mut report = report(&mut out, Format::Ndjson);
    report.take(diagnosed(1));
    assert_eq!(report.check().unwrap_err().exit_code(), 0);
}

#[test]
fn files_searched_ahead_give_what_one_stream_gives() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (number, lines) in [9000_u32, 3, 30_000, 0, 12_345].into_iter().enumerate() {
        let mut log = String::new();
        for line in 0..lines {
            let at = format!("2026-03-01T{:02}:{:02}:{:02}Z", line / 3600 % 24, line / 60 % 60, line % 60);
            let text = match line.wrapping_mul(2_654_435_761) % 97 {
                0 => format!("{at} error Twilio errorCode=51007 client={line}\n"),
                1 => format!("{at} error TwilioError 20104: request refused order={line}\n"),
                2 => format!("{at} info token={} for {line}\n", "eyJhbGciOiJIUzI1NiJ9.e30.x"),
                3 => "connectionError {\n  code: 51007,\n  message: 'x'\n}\n".to_owned(),
                _ => format!("{at} info order={line} bytes=51007 trace={:032x}\n", line.wrapping_mul(0x9e37_79b9)),
            };
            log.push_str(&text);
        }
        let path = folder.path().join(format!("{number}.log"));
        fs::write(&path, &log).unwrap();
        files.push((path, log));
    }
    let streams = files.iter().map(|(path, log)| stream(&path.to_string_lossy(), log.as_bytes())).collect();
    let (one, expected) = run(streams, Format::Ndjson);
    let (ahead, found) = run(Input::of_arguments(files.iter().map(|(path, _)| path.clone()).collect()), Format::Ndjson);
    assert!(one.rejections > 1000, "{}", one.rejections);
    assert_eq!(found, expected);
    let counts = |tally: &Tally| tally.files.iter().map(|file| (file.lines, file.bytes)).collect::<Vec<_>>();
    assert_eq!(counts(&ahead), counts(&one));
    let lines: Vec<u64> = files.iter().map(|(_, log)| log.lines().count() as u64).collect();
    assert_eq!(ahead.files.iter().map(|file| file.lines).collect::<Vec<_>>(), lines);
}
