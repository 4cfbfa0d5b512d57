//! One line, unwrapped: docker json-file, CRI, journald JSON, syslog and the JSON of collectors around it are taken off, and what a structured
//! line says of its time and of who wrote it is read.
//!
//! Reads nothing of the refusal itself: that is the work of [`crate::detect`].

mod collected;
mod dated;
mod emitter;
mod export;
mod head;
mod message;
mod pairs;
mod prefix;
mod text;

use std::borrow::Cow;

use crate::fields::{self, Field};
use crate::product::Product;
use crate::stamp::{self, Completion, Stamp};
use crate::time::{Moment, UnixTime};

pub use dated::is_event;
pub use emitter::{Emitter, Id, Ids, Likeness, hash};
use emitter::{Role, role};
pub use export::{FIELD_END, FIELD_LENGTH, FILLER, MESSAGE_BREAK};
pub use prefix::continues as continues_object;

/// Envelopes around envelopes that are taken off; no real log has more than three.
const LAYERS_MAX: usize = 4;

/// What kind of writer wrote the line. Two lines of different kinds come from different writers, except that bare lines
/// (an SDK that prints to the console) may come from any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text that names no writer.
    #[default]
    Bare,
    /// Text with a thread, logger or process.
    Text,
    /// A JSON logger.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// An HTTP server's access log.
    Access,
    /// docker json-file.
    Docker,
    /// A Kubernetes container runtime.
    Cri,
    /// An entry of the journal, in JSON or exported.
    Journald,
    /// syslog, RFC 3164 or 5424.
    Syslog,
    /// A collector or log service that keeps each line in a JSON object.
    Collected,
}

/// A time as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    Exact(UnixTime),
    Stamp(Stamp),
    /// A number that may be anything, and the time that the line has if it is none.
    Number(UnixTime, Option<Stamp>),
}

impl Written {
    fn moment(self, completion: &Completion) -> Option<Moment> {
        match self {
            Self::Exact(time) => Some(Moment::exact(time)),
            Self::Stamp(stamp) => stamp.moment(completion),
            Self::Number(number, _) if stamp::may_be_written(number, completion.near) => Some(Moment::exact(number)),
            Self::Number(_, other) => other?.moment(completion),
        }
    }

    const fn has_day(self) -> bool {
        match self {
            Self::Exact(_) | Self::Number(..) => true,
            Self::Stamp(stamp) => stamp.has_day(),
        }
    }
}

/// An unwrapped line.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// The innermost text.
    pub text: Cow<'a, [u8]>,
    /// The outermost format.
    pub format: Format,
    /// The line as a whole is a JSON object.
    pub is_json: bool,
    /// Who wrote it.
    pub emitter: Emitter,
    /// What it is about.
    pub ids: Ids,
    /// The product that a field of the line names, if there is such a field.
    pub product: Option<Product>,
    /// Whether it is all of a line that was split.
    pub split: Split,
    /// A digest of the first words of a JSON logger's message; 0 without one.
    pub message: u64,
    time: Option<Written>,
    /// That of what is around the line, if the line itself says more.
    collected: Option<Written>,
}

/// Whether a line had been split, and is whole again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Split {
    /// It was not split, as far as is known.
    #[default]
    Never,
    /// All its pieces were put together.
    Mended,
    /// Its end is missing.
    Cut,
}

impl Record<'_> {
    /// The same, holding its text itself.
    pub fn into_owned(self) -> Record<'static> {
        Record { text: Cow::Owned(self.text.into_owned()), ..self }
    }

    /// The line's own time.
    pub fn time(&self, completion: &Completion) -> Option<Moment> {
        let own = self.time?.moment(completion)?;
        let collected = self.collected.and_then(|collected| collected.moment(completion));
        Some(Moment { collected: collected.map(|collected| (collected.time, collected.precision)), ..own })
    }

    /// Takes in what a text of several lines, of which this is the first, says of time, subject and product. It names no
    /// writer: the object may be any that a program prints.
    pub fn take_in_body(&mut self, body: &[u8]) {
        if memchr::memchr(b'\n', body).is_none() {
            return;
        }
        message::take_in_body(self, body);
        let mut inner = Record::default();
        if self.text.trim_ascii() == b"{" {
            fields::json(body, &mut |field| {
                note(&mut inner, field);
                true
            });
        } else {
            pairs::note_ids(body, &mut inner);
        }
        self.note_time(inner.time);
        self.ids.merge(&inner.ids);
        self.product = self.product.or(inner.product);
    }

    /// Keeps the more trustworthy of two times: an inner one, unless only the outer one says its zone, or its day.
    fn note_time(&mut self, time: Option<Written>) {
        let Some(new) = time else { return };
        let trusted = match new {
            Written::Exact(_) => true,
            Written::Stamp(stamp) => stamp.is_zoned(),
            Written::Number(_, other) => other.is_some_and(|other| other.is_zoned()),
        };
        if trusted || self.time.is_none() || (!self.has_day() && new.has_day()) {
            self.collected = self.collected.or(self.time);
            self.time = Some(new);
        }
    }

    /// The line's time is known, and says its day.
    fn has_day(&self) -> bool {
        self.time.is_some_and(Written::has_day)
    }
}

/// Unwraps a line (without its line break).
pub fn read(line: &[u8]) -> Record<'_> {
    let mut record = Record { text: Cow::Borrowed(trim(export::beginning(line))), ..Record::default() };
    for layer in 0..LAYERS_MAX {
        let (format, inner) = match text::plain(std::mem::take(&mut record.text)) {
            Cow::Borrowed(text) => peel(text, &mut record),
            Cow::Owned(text) => {
                let (format, inner) = peel(&text, &mut record);
                (format, Cow::Owned(inner.into_owned()))
            }
        };
        record.text = inner;
        if layer == 0 || record.format == Format::Bare {
            record.format = format;
        }
        if !matches!(format, Format::Docker | Format::Cri | Format::Journald | Format::Syslog | Format::Collected) {
            break;
        }
    }
    record
}

/// Takes one layer off, and says which it was.
fn peel<'a>(text: &'a [u8], record: &mut Record<'_>) -> (Format, Cow<'a, [u8]>) {
    if text.first() == Some(&b'{') {
        return peel_json(text, record);
    }
    if let Some((time, line)) = collected::pair(text).and_then(|(time, line)| Some((stamp::epoch(time)?, line))) {
        record.note_time(Some(Written::Exact(time)));
        return (Format::Collected, Cow::Owned(collected::unescaped(line)));
    }
    if let Some(inner) = text::cri(text, |time| record.note_time(Some(Written::Stamp(time)))) {
        return (Format::Cri, Cow::Borrowed(inner));
    }
    if let Some(message) = export::message(text, record) {
        return (Format::Journald, Cow::Owned(message));
    }
    if let Some(inner) = text::syslog(text, record) {
        return (Format::Syslog, Cow::Borrowed(inner));
    }
    if let Some(inner) = prefix::gathered(text, record) {
        return (Format::Collected, Cow::Borrowed(inner));
    }
    if let Some(inner) = prefix::continued(text, record) {
        return (Format::Bare, Cow::Borrowed(inner));
    }
    if text::is_access(text) {
        text::access(text, record);
        return (Format::Access, Cow::Borrowed(text));
    }
    if text::is_logfmt(text) {
        fields::logfmt(text, &mut |field| {
            note(record, field);
            true
        });
        if !record.has_day() {
            // `date=2026-03-01 time=14:02:11`, `msg=audit(…)`
            let own = text.strip_prefix(b"date=").and_then(stamp::read).map(Written::Stamp);
            record.note_time(own.or_else(|| Some(Written::Number(stamp::placed_epoch(text)?, None))));
        }
        return (Format::Logfmt, Cow::Borrowed(text));
    }
    let names_writer = head::plain(text, record);
    pairs::note_ids(text, record);
    (if names_writer { Format::Text } else { Format::Bare }, Cow::Borrowed(text))
}

fn peel_json<'a>(text: &'a [u8], record: &mut Record<'_>) -> (Format, Cow<'a, [u8]>) {
    let (mut keeper, mut kept) = (collected::Keeper::default(), None);
    let (mut has_fields, mut message) = (false, 0);
    let mut dated = dated::Dated::default();
    fields::json(text, &mut |field| {
        has_fields = true;
        dated.note(&field);
        keeper.note(&field);
        if field.quoted && field.parents.len() <= 1 && collected::may_keep_line(field.key) {
            kept = kept.or(Some((field.at, field.at + field.value.len())));
        }
        message::note(&field, &mut message);
        note(record, field);
        true
    });
    let Some((format, (from, to))) = keeper.envelope() else {
        if let Some(inner) = keeper.is_journal().then(|| collected::message_of_bytes(text)).flatten() {
            return (Format::Journald, Cow::Owned(inner));
        }
        if let Some(object) = keeper.has_object().then(|| collected::payload(text)).flatten() {
            return (Format::Collected, Cow::Borrowed(object));
        }
        if let Some((time, line)) = keeper.has_streams().then(|| collected::first_value(text)).flatten()
            && let Some(time) = stamp::epoch(time)
        {
            record.note_time(Some(Written::Exact(time)));
            if let Some(line) = line {
                return (Format::Collected, Cow::Owned(collected::unescaped(line)));
            }
        }
        if !record.has_day() {
            record.note_time(dated.first());
        }
        let kept = kept.and_then(|(from, to)| text.get(from..to)).unwrap_or_default();
        take_in_line(record, kept);
        let part = collected::part(text, kept);
        record.is_json |= has_fields && part.is_none();
        record.message = message;
        return (Format::Json, part.map_or(Cow::Borrowed(text), Cow::Owned));
    };
    (format, Cow::Owned(collected::unescaped(text.get(from..to).unwrap_or_default())))
}

/// Takes in what a line says that a field keeps, as it stands in JSON. The line around it is the better witness of who
/// wrote it.
fn take_in_line(record: &mut Record<'_>, kept: &[u8]) {
    if !kept.iter().any(|byte| matches!(byte, b'=' | b'[' | b'{')) {
        return;
    }
    let mut line = Vec::with_capacity(kept.len());
    fields::unescape(kept, &mut line);
    let mut inner = Record::default();
    peel(trim(&line), &mut inner);
    record.note_time(inner.time);
    record.ids.merge(&inner.ids);
    record.emitter.merge(&inner.emitter);
    record.product = record.product.or(inner.product);
}

/// Notes what a field says of time, writer, subject or product.
fn note(record: &mut Record<'_>, field: Field<'_>) {
    let Some(role) = role(field.key, field.parents) else { return };
    if field.value.is_empty() || (!field.quoted && field.value == b"null") {
        return;
    }
    match role {
        Role::Time => record.note_time(time_of(field)),
        Role::Observed => record.time = record.time.or_else(|| time_of(field)),
        Role::Emitter(part) => record.emitter.note(part, field.value),
        Role::Id(kind) => record.ids.note(kind, field.value),
        Role::Message => {
            if is_message_id(field.value) {
                record.ids.note(Id::Message, field.value);
            }
        }
        Role::Product => {
            record.product.get_or_insert(product_of(field.value));
        }
    }
}

fn time_of(field: Field<'_>) -> Option<Written> {
    let number = dated::of_net(field.value).unwrap_or(field.value);
    stamp::epoch(number).map(Written::Exact).or_else(|| stamp::of_value(field.value).map(Written::Stamp))
}

/// `TM…` (Twilsock), `RQ…` and UUIDs name one message of the wire protocol.
fn is_message_id(value: &[u8]) -> bool {
    let body = value.strip_prefix(b"TM").or_else(|| value.strip_prefix(b"RQ")).unwrap_or(value);
    body.len() >= 32 && body.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// The product that a word of a log names.
pub fn product_of(word: &[u8]) -> Product {
    const WORDS: [(&[u8], Product); 15] = [
        (b"chat", Product::Chat),
        (b"ip_messaging", Product::Chat),
        (b"ip-messaging", Product::Chat),
        (b"conversations", Product::Chat),
        (b"conversation", Product::Chat),
        (b"sync", Product::Sync),
        (b"data_sync", Product::Sync),
        (b"voice", Product::Voice),
        (b"client", Product::Voice),
        (b"video", Product::Video),
        (b"rtc", Product::Video),
        (b"taskrouter", Product::TaskRouter),
        (b"task_router", Product::TaskRouter),
        (b"task-router", Product::TaskRouter),
        (b"programmable-chat", Product::Chat),
    ];
    WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map_or(Product::Unknown, |(_, product)| *product)
}

/// Without white space at the end, a carriage return among it.
pub fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[track_caller]
    fn check(line: &str, format: Format, time: &str, text: &str) {
        let completion =
            Completion { zone: TimeZone::UTC, near: UnixTime::parse("2026-11-24T12:00:00Z").unwrap(), after: None };
        let record = read(line.as_bytes());
        let found = record.time(&completion).map_or("none".to_owned(), |moment| moment.time.to_string());
        assert_eq!((record.format, found.as_str()), (format, time), "{line}");
        assert_eq!(String::from_utf8_lossy(&record.text), text, "{line}");
    }

    #[test]
    fn envelopes_come_off() {
        check(
            r#"{"log":"{\"level\":\"error\",\"code\":51007}\n","stream":"stderr","time":"2026-03-01T00:00:00.000000123Z"}"#,
            Format::Docker,
            "2026-03-01T00:00:00Z",
            r#"{"level":"error","code":51007}"#,
        );
        check(
            "2026-03-01T00:00:00.123456789Z stderr F ERROR x code: 51007",
            Format::Cri,
            "2026-03-01T00:00:00.123Z",
            "ERROR x code: 51007",
        );
        check("<11>Nov 24 02:36:35 web-1 app[42]: code=51007", Format::Syslog, "2026-11-24T02:36:35Z", "code=51007");
        check(
            "<11>1 2026-11-24T02:36:35.5+01:00 web-1 app 42 ID1 [a b=\"c]\"] code=51007",
            Format::Syslog,
            "2026-11-24T01:36:35.500Z",
            "code=51007",
        );
        check(
            r#"{"__REALTIME_TIMESTAMP":"1795488081000000","_PID":"7","MESSAGE":"code=51007 \"x\""}"#,
            Format::Journald,
            "2026-11-24T02:41:21Z",
            r#"code=51007 "x""#,
        );
    }

    #[test]
    fn what_services_keep_comes_off() {
        check(
            r#"{"insertId":"a","jsonPayload":{"message":"} \"x\"","a":{"code":51007}},"timestamp":"2026-03-01T00:00:00.5Z"}"#,
            Format::Collected,
            "2026-03-01T00:00:00.500Z",
            r#"{"message":"} \"x\"","a":{"code":51007}}"#,
        );
        let loki = |values: &str| format!(r#"{{"streams": [{{"stream": {{"app": "x"}}, "values": [{values}]}}]}}"#);
        let line = loki(r#"["1795488081250000000", "code=51007 \"x\""]"#);
        check(&line, Format::Collected, "2026-11-24T02:41:21.250Z", r#"code=51007 "x""#);
        for line in [
            loki(r#"["1795488081250000000", "a"], ["1795488081250000000", "b"]"#),
            loki(r#"["1795488081250000000"]"#),
            r#"{"jsonPayload":{"message":"cut"#.to_owned(),
            r#"{"jsonPayload":{"message":"a"},"httpRequest":{"requestUrl":"/?ErrorCode=51007"}}"#.to_owned(),
            r#"{"stream":{"a":"b"},"values":[["1795488081250000000","a"]],"code":51007}"#.to_owned(),
        ] {
            assert_eq!(read(line.as_bytes()).format, Format::Json, "{line}");
        }
    }

    #[test]
    fn a_message_of_bytes_comes_off() {
        let entry =
            |message: &str| format!(r#"{{"__REALTIME_TIMESTAMP":"1795488081000000","MESSAGE":{message},"_PID":"7"}}"#);
        for message in
            ["[27,91,51,49,109,97,27,91,48,109,255,10]", "[ 27, 91, 51, 49, 109, 97, 27, 91, 48, 109, 255, 10 ]"]
        {
            let line = entry(message);
            check(&line, Format::Journald, "2026-11-24T02:41:21Z", "a\u{fffd}");
            assert_eq!(read(line.as_bytes()).text, b"a\xff".as_slice());
        }
        for message in ["[]", "[97,256]", "[\"a\"]", "[97", "null", "[97,,98]"] {
            let line = entry(message);
            assert_eq!(read(line.as_bytes()).format, Format::Json, "{line}");
        }
        let line = r#"{"level":50,"MESSAGE":[97]}"#;
        check(line, Format::Json, "none", line);
    }

    #[test]
    fn structured_lines_stay_whole() {
        for line in [
            r#"{"level":50,"time":1795488081258,"pid":7,"err":{"code":51007}}"#,
            r#"{"@t":"2026-11-24T02:41:21.258Z"}"#,
        ] {
            check(line, Format::Json, "2026-11-24T02:41:21.258Z", line);
        }
        let line = r"ts=2026-11-24T02:41:21.258Z level=error component=twilio err_code=51007";
        check(line, Format::Logfmt, "2026-11-24T02:41:21.258Z", line);
        let line = r#"10.2.3.7 - - [24/Nov/2026:02:41:21 +0000] "POST /x?ErrorCode=51007 HTTP/1.1" 204 0"#;
        check(line, Format::Access, "2026-11-24T02:41:21Z", line);
        let line = "2026-11-24 02:41:21,258 ERROR [http-nio-1] c.e.Gateway - TwilioError 51007";
        check(line, Format::Text, "2026-11-24T02:41:21.258Z", line);
        let line = "2026-11-24T02:41:21.258Z Twilsock W: Init rejected by server: {\"errorCode\":51007}";
        check(line, Format::Bare, "2026-11-24T02:41:21.258Z", line);
    }

    #[test]
    fn an_inner_time_with_a_zone_wins_over_the_envelope() {
        check(
            "2026-11-24T03:00:00.5Z stdout F {\"time\":\"2026-11-24T02:00:00Z\",\"x\":1}",
            Format::Cri,
            "2026-11-24T02:00:00Z",
            "{\"time\":\"2026-11-24T02:00:00Z\",\"x\":1}",
        );
        check(
            "2026-11-24T03:00:00.5Z stdout F 2026-11-24 05:00:00 INFO x",
            Format::Cri,
            "2026-11-24T03:00:00.500Z",
            "2026-11-24 05:00:00 INFO x",
        );
    }

    #[test]
    fn writers_are_told_apart() {
        let likeness = |a: &str, b: &str| read(a.as_bytes()).emitter.likeness(&read(b.as_bytes()).emitter);
        let pino = |pid: u32| format!(r#"{{"pid":{pid},"hostname":"web-1","name":"gw","code":51007}}"#);
        assert_eq!(likeness(&pino(1), &pino(1)), Likeness::Same);
        assert_eq!(likeness(&pino(1), &pino(2)), Likeness::Different);
        assert_eq!(likeness(&pino(1), "Twilsock W: x"), Likeness::Unknown);
        let of_logger = |logger: &str| format!(r#"{{"@t":"2026-03-01T00:00:00Z","SourceContext":"{logger}"}}"#);
        assert_eq!(likeness(&pino(1), &of_logger("App.Gateway")), Likeness::Different);
        assert_eq!(likeness(&pino(1), &of_logger("gw")), Likeness::Unknown);
        let logcat = |ids: &str| format!("11-25 09:46:40.000 {ids} W Twilio: x");
        for ids in ["  8101  8201", "+0000  8101  8201", "u0_a12  8101  8201"] {
            assert_eq!(likeness(&logcat(ids), &logcat(" 8101  8201")), Likeness::Same, "{ids}");
            assert_eq!(likeness(&logcat(ids), &logcat(" 8102  8202")), Likeness::Different, "{ids}");
        }
        assert!(read(b"11-25 09:46:40.000 took 17 W Twilio: x").emitter.is_unknown());
    }
}
