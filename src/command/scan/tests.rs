use std::fs;
use std::io::Cursor;

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
fn each_kind_of_failure_has_its_exit_code() {
    let code = |kind: io::ErrorKind| unread("x", &kind.into()).exit_code;
    assert_eq!(code(io::ErrorKind::NotFound), 66);
    assert_eq!(code(io::ErrorKind::PermissionDenied), 77);
    assert_eq!(code(io::ErrorKind::InvalidData), 74);
    assert_eq!(code(io::ErrorKind::Other), 74);
}

#[test]
fn hostile_file_names_are_shown_as_escapes() {
    let (_, text) = run(vec![stream("a\u{1b}[2J\n.log", b""), stream("b", b"")], Format::Text);
    assert!(text.contains("a\\u{1b}[2J\\n.log"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[track_caller]
fn unpacks(packed: &[u8], expected: &[u8]) {
    let mut opened = stream("x", packed).open(&Progress::silent()).unwrap();
    let mut bytes = Vec::new();
    opened.reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn archives_are_recognised_by_their_content() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    unpacks(b"", b"");
    unpacks(b"abc", b"abc");
    unpacks(b"plain text\n", b"plain text\n");
    unpacks(&gzip(b"one\n"), b"one\n");
    unpacks(&[gzip(b"one\n"), gzip(b"two\n")].concat(), b"one\ntwo\n");
    unpacks(&zstd::encode_all(&b"three\n"[..], 1).unwrap(), b"three\n");
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
