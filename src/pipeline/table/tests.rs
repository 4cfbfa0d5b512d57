//! Exports, cut and resumed anywhere.

use super::super::{Pipeline, Settings, StreamId};
use super::*;
use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::keyring::KeyRing;

const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);
const ID: StreamId = StreamId(1);

/// A header, events of which one has a message of two lines, other codes, information, and the header once more.
const CSV: &str = "Sid,Date Created,Log Level,\"Error Code\",Alert Text\n\
    NO00000000000000000000000000000001,2026-11-24T02:30:20Z,error,51007,\"Token authentication, is \"\"rejected\"\"\nsecond line\"\n\
    NO00000000000000000000000000000002,2026-11-24T02:30:21Z,error,20104,expired\r\n\
    NO00000000000000000000000000000003,2026-11-24T02:30:22Z,error,11200,other\n\
    NO00000000000000000000000000000004,2026-11-24T02:30:23Z,debug,51007,information\n\
    Sid,Date Created,Log Level,Error Code,Alert Text\n\
    NO00000000000000000000000000000001,2026-11-24T02:30:20Z,error,51007,again\n\
    ,2026-11-24 02:30:24,error,51007 - Token authentication is rejected,no SID";

fn stream(offset: u64) -> Stream {
    Stream {
        source: "console".into(),
        path: Some("export.csv".into()),
        modified: None,
        timezone: "UTC".into(),
        offset,
        whole: false,
    }
}

#[derive(Default)]
struct Found {
    diagnoses: Vec<Diagnosis>,
    misfits: Vec<(u64, Fault)>,
    lines: u64,
    bytes: u64,
}

impl Found {
    fn take(&mut self, event: Event) {
        match event {
            Event::Diagnosed(diagnosis) => self.diagnoses.push(*diagnosis),
            Event::Lines { lines, bytes, .. } => {
                self.lines += lines;
                self.bytes += bytes;
            }
            Event::Misfit(misfit) => self.misfits.push((misfit.line, misfit.fault)),
            Event::Resighted { .. } | Event::Exposed(_) => {}
        }
    }

    fn places(&self) -> Vec<(u64, Option<u32>, String)> {
        self.diagnoses.iter().map(|found| (found.line, found.code, found.at.to_string())).collect()
    }
}

fn core() -> Pipeline {
    Pipeline::new(Settings::default(), KeyRing::default())
}

fn read(parts: &[&[u8]]) -> Found {
    let (mut pipeline, mut found) = (core(), Found::default());
    pipeline.open(ID, stream(0));
    for part in parts {
        pipeline.push(ID, part, NOW, &mut |event| found.take(event));
    }
    pipeline.finish(ID, NOW, &mut |event| found.take(event));
    found
}

fn expected() -> Vec<(u64, Option<u32>, String)> {
    [(2, 51007, "20"), (4, 20104, "21"), (9, 51007, "24")]
        .map(|(line, code, second)| (line, Some(code), format!("2026-11-24T02:30:{second}Z")))
        .into()
}

#[test]
fn an_event_is_one_record_with_its_own_time_and_sid() {
    let found = read(&[CSV.as_bytes()]);
    assert_eq!(found.places(), expected());
    assert_eq!((found.lines, found.bytes), (9, CSV.len() as u64));
    assert_eq!(found.diagnoses[1].cause, Cause::Expired);
    assert_eq!(found.diagnoses[0].path.as_deref(), Some("export.csv"));
}

#[test]
fn it_does_not_matter_where_it_is_cut() {
    let whole = read(&[CSV.as_bytes()]);
    for at in 0..=CSV.len() {
        let (head, tail) = CSV.as_bytes().split_at(at);
        let cut = read(&[head, tail]);
        assert_eq!((&cut.diagnoses, cut.lines, cut.bytes), (&whole.diagnoses, whole.lines, whole.bytes), "cut at {at}");
    }
    let bytes: Vec<&[u8]> = CSV.as_bytes().chunks(1).collect();
    assert_eq!(read(&bytes).diagnoses, whole.diagnoses);
}

#[test]
fn it_goes_on_from_any_checkpoint_and_counts_nothing_twice() {
    for at in 0..CSV.len() {
        let (mut pipeline, mut found) = (core(), Found::default());
        pipeline.open(ID, stream(0));
        pipeline.push(ID, &CSV.as_bytes()[..at], NOW, &mut |event| found.take(event));
        let checkpoint = pipeline.checkpoint(ID).unwrap();
        let json = serde_json::to_string(&checkpoint).unwrap();
        assert!(!json.contains("Token") && !json.contains("NO0"), "{json}");
        let checkpoint: Checkpoint = serde_json::from_str(&json).unwrap();
        let resume = usize::try_from(checkpoint.resume).unwrap();
        pipeline.resume(StreamId(2), stream(checkpoint.resume), checkpoint);
        pipeline.push(StreamId(2), &CSV.as_bytes()[resume..], NOW, &mut |event| found.take(event));
        pipeline.finish(StreamId(2), NOW, &mut |event| found.take(event));
        assert_eq!(found.places(), expected(), "at {at}");
        assert_eq!(found.bytes, CSV.len() as u64, "at {at}");
    }
}

#[test]
fn an_event_that_another_channel_brought_is_not_counted_again() {
    let (mut pipeline, mut found) = (core(), Found::default());
    let arrival = Arrival {
        source: "debugger".into(),
        sid: EventSid::parse("NO00000000000000000000000000000001").unwrap(),
        at: None,
        code: 51007,
        is_information: false,
        product: None,
        account: None,
        service: None,
        text: Zeroizing::default(),
    };
    pipeline.event(&arrival, NOW, &mut |event| found.take(event));
    pipeline.open(ID, stream(0));
    pipeline.push(ID, CSV.as_bytes(), NOW, &mut |event| found.take(event));
    let sources: Vec<&str> = found.diagnoses.iter().map(|found| &*found.source).collect();
    assert_eq!(sources, ["debugger", "console"]);
    assert_eq!(found.diagnoses[1].code, Some(20104));
    // The last record has no line ending yet.
    pipeline.end_line(ID, NOW, &mut |event| found.take(event));
    assert_eq!(found.diagnoses.len(), 3);
}

#[test]
fn a_quote_that_never_ends_costs_a_bounded_record() {
    let mut text = CSV.lines().next().unwrap().to_owned() + "\n\"open,2026-11-24T02:30:20Z,error,51007,x\n";
    let row = "NO00000000000000000000000000000007,2026-11-24T02:30:25Z,error,51007,later\n";
    text.push_str(&"filler,,,,\n".repeat(200_000));
    text.push_str(row);
    let blocks: Vec<&[u8]> = text.as_bytes().chunks(64 << 10).collect();
    let found = read(&blocks);
    assert_eq!(found.diagnoses.len(), 1);
    assert_eq!(found.diagnoses[0].line, 200_003);
}

#[test]
fn columns_are_known_by_aliases_in_any_order_and_with_any_separator() {
    for header in [
        "dateCreated\tlogLevel\terrorCode\talertText\n",
        "\u{feff}Error Code;SID;Level\r\n",
        "\"sid\",\"twilio_error_code\",\"message\",\"http_response_status_code\"\n",
    ] {
        assert!(Columns::of_header(header.trim_end_matches('\n').as_bytes()).is_some(), "{header}");
    }
    for other in [
        "2026-11-24T02:30:20Z error code=51007 message",
        "time level message",
        "code,name",
        "error: code, date, message",
        "{\"code\":51007,\"date\":1,\"message\":2}",
    ] {
        assert!(Columns::of_header(other.as_bytes()).is_none(), "{other}");
    }
}

#[test]
fn a_tsv_of_twilios_command_line_is_read_and_its_quotes_are_text() {
    let tsv = "sid\tdateCreated\tlogLevel\terrorCode\talertText\n\
        NO0000000000000000000000000000000a\t2026-11-24T02:30:20.000Z\terror\t51007\tsaid \"no\n\
        NO0000000000000000000000000000000b\t2026-11-24T02:30:21.000Z\terror\t51007\tagain\n";
    assert_eq!(read(&[tsv.as_bytes()]).diagnoses.len(), 2);
}

#[test]
fn a_log_that_begins_with_a_word_is_a_log() {
    let log = "code date message\nerror Twilio error code=51007\n";
    for at in 0..log.len() {
        let (head, tail) = log.as_bytes().split_at(at);
        let found = read(&[head, tail]);
        assert_eq!((found.diagnoses.len(), found.lines, found.bytes), (1, 2, log.len() as u64), "cut at {at}");
    }
}

#[test]
fn a_header_that_any_log_may_have_makes_no_export() {
    for header in ["Time,Level,Code,Message", "timestamp,level,code,message", "date,severity,error,text"] {
        assert_eq!(Columns::of_header(header.as_bytes()), None, "{header}");
        let found = read(&[header.as_bytes(), b"\n2026-11-24T02:30:20Z ERROR twilio code=51007\n"]);
        assert_eq!(found.places(), [(2, Some(51007), "2026-11-24T02:30:20Z".to_owned())], "{header}");
    }
}

#[test]
fn only_a_file_can_be_an_export() {
    let (mut pipeline, mut found) = (core(), Found::default());
    pipeline.open(ID, Stream { path: None, ..stream(0) });
    let text = b"sid,date,level,code,message\n2026-11-24T02:30:20Z ERROR twilio code=51007\n";
    pipeline.push(ID, text, NOW, &mut |event| found.take(event));
    pipeline.finish(ID, NOW, &mut |event| found.take(event));
    assert_eq!(found.diagnoses.len(), 1);
}

#[test]
fn whatever_is_not_called_information_is_a_fault() {
    for (level, expected) in
        [("FATAL", 1), ("warn", 1), ("critical", 1), ("", 1), ("Info", 0), ("notice", 0), ("DEBUG", 0)]
    {
        let text = format!("sid,date,level,code\n,2026-11-24T02:30:20Z,{level},51007\n");
        assert_eq!(read(&[text.as_bytes()]).diagnoses.len(), expected, "{level}");
    }
}

/// Records that lost or won a cell, or hold no code; the header once more, blank lines, and one that is as it should be.
const BROKEN: &str = "Sid,Date Created,Log Level,Error Code,Alert Text\n\
    NO0000000000000000000000000000000a,2026-11-24T02:30:20Z,error,51007\n\
    NO0000000000000000000000000000000b,2026-11-24T02:30:21Z,error,n/a,other\n\
    NO0000000000000000000000000000000c,2026-11-24T02:30:22Z,error,and,a comma,11200,retrieval\n\
    \n\
    Sid,Date Created,Log Level,errorCode,Alert Text\n\
     , ,\n\
    NO0000000000000000000000000000000d,\"2026-11-24T02:30:23Z\",error,,Twilio error 51007: Token authentication is rejected,x\n\
    NO0000000000000000000000000000000d,2026-11-24T02:30:23Z,error,Twilio error 51007: Token authentication is rejected\n\
    NO0000000000000000000000000000000e,2026-11-24T02:30:24Z,debug,Twilio error 51007: Token authentication is rejected\n\
    NO0000000000000000000000000000000f,2026-11-24T02:30:25Z,error,,no code\n\
    NO00000000000000000000000000000010,2026-11-24T02:30:26Z,error,51007,good\n";

fn misfits() -> Vec<(u64, Fault)> {
    let cells = |found| Fault::Cells { expected: 5, found };
    vec![(3, Fault::Code), (4, cells(7)), (8, cells(6)), (9, cells(4)), (10, cells(4))]
}

fn judged() -> Vec<(u64, Option<u32>, String)> {
    [(2, "20"), (8, "23"), (12, "26")]
        .map(|(line, second)| (line, Some(51007), format!("2026-11-24T02:30:{second}Z")))
        .into()
}

#[test]
fn a_record_that_does_not_fit_is_told_and_judged_as_a_plain_line() {
    let found = read(&[BROKEN.as_bytes()]);
    assert_eq!((found.misfits, found.lines), (misfits(), 12));
    let places: Vec<_> = found.diagnoses.iter().map(|f| (f.line, f.code, f.at.to_string())).collect();
    assert_eq!(places, judged());
    let sid = |place: usize| found.diagnoses[place].event.as_ref().and_then(|event| event.sid.clone());
    assert_eq!(sid(1).as_deref(), Some("NO0000000000000000000000000000000d"));
}

#[test]
fn a_misfit_is_told_once_wherever_the_export_is_cut_or_resumed() {
    for at in 0..=BROKEN.len() {
        let (head, tail) = BROKEN.as_bytes().split_at(at);
        let cut = read(&[head, tail]);
        assert_eq!((&cut.misfits, cut.places()), (&misfits(), judged()), "cut at {at}");
        let (mut pipeline, mut found) = (core(), Found::default());
        pipeline.open(ID, stream(0));
        pipeline.push(ID, head, NOW, &mut |event| found.take(event));
        let checkpoint = pipeline.checkpoint(ID).unwrap();
        let resume = usize::try_from(checkpoint.resume).unwrap();
        pipeline.resume(StreamId(2), stream(checkpoint.resume), checkpoint);
        pipeline.push(StreamId(2), &BROKEN.as_bytes()[resume..], NOW, &mut |event| found.take(event));
        pipeline.finish(StreamId(2), NOW, &mut |event| found.take(event));
        assert_eq!((found.places(), found.misfits), (judged(), misfits()), "resumed at {at}");
    }
}

#[test]
fn a_misfit_shows_nothing_of_the_record() {
    let misfit = |fault| Misfit { source: "console".into(), path: Some("export.csv".into()), line: 7, fault };
    for (fault, expected) in [
        (Fault::Cells { expected: 5, found: 3 }, "expected 5 cells, but found 3"),
        (Fault::Code, "expected a number as its code, but found something else"),
    ] {
        let told =
            format!("export.csv, line 7: a record does not fit the header: {expected}; it was judged as a plain line");
        assert_eq!(misfit(fault).to_string(), told);
    }
}
