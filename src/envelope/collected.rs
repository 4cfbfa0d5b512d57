//! JSON objects in which a container runtime, a collector or a log service keeps a line of somebody else.

use memchr::memmem;

use super::{Format, prefix};
use crate::fields::{self, Field};

/// A range of the text.
type Range = (usize, usize);

/// What stands beside a kept line and tells whose object it is.
#[derive(Clone, Copy, Debug)]
enum Beside {
    Stream,
    Container,
    Journal,
    Labels,
    LogStream,
}

/// Tells such an object from one that a program logged itself: by the name under which the line is kept, and the fields
/// beside it.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// docker, Fluent Bit and Fluentd.
    log: Option<Range>,
    /// journald and CloudWatch.
    message: Option<Range>,
    /// Cloud Logging.
    text_payload: Option<Range>,
    /// Loki.
    line: Option<Range>,
    /// Datadog.
    content: Option<Range>,
    beside: [bool; 5],
    /// Cloud Logging, of a line of JSON.
    json_payload: bool,
    /// There is more than such an entry says of a line.
    is_more: bool,
    /// Loki, of several lines.
    streams: bool,
}

impl Keeper {
    pub(super) fn note(&mut self, field: &Field<'_>) {
        let top = *field.parents.first().unwrap_or(&field.key);
        self.json_payload |= top == b"jsonPayload" && !field.parents.is_empty();
        self.is_more = self.is_more || !is_of_entry(top);
        self.streams |= matches!(field.parents, [.., b"streams" | b"result", b"", b"stream"]);
        let range = field.quoted.then_some((field.at, field.at + field.value.len()));
        match field.parents {
            [] => match field.key {
                b"log" => self.log = range,
                b"MESSAGE" | b"message" | b"@message" => self.message = range,
                b"textPayload" => self.text_payload = range,
                b"line" => self.line = range,
                b"stream" => self.set(Beside::Stream),
                b"container_id" | b"container_name" => self.set(Beside::Container),
                b"__REALTIME_TIMESTAMP" | b"_SOURCE_REALTIME_TIMESTAMP" | b"__CURSOR" | b"_BOOT_ID" => {
                    self.set(Beside::Journal);
                }
                b"logStreamName" | b"ingestionTime" | b"@logStream" | b"logStream" => self.set(Beside::LogStream),
                _ => {}
            },
            [parent] => match *parent {
                b"kubernetes" => self.set(Beside::Container),
                b"labels" => self.set(Beside::Labels),
                b"content" if field.key == b"message" => self.content = range,
                _ => {}
            },
            _ => {}
        }
    }

    fn set(&mut self, beside: Beside) {
        if let Some(set) = self.beside.get_mut(beside as usize) {
            *set = true;
        }
    }

    fn has(&self, beside: Beside) -> bool {
        self.beside.get(beside as usize).copied().unwrap_or_default()
    }

    /// An entry of the journal, whatever its message is.
    pub(super) fn is_journal(&self) -> bool {
        self.has(Beside::Journal)
    }

    /// An entry of Cloud Logging whose payload is an object, and says all there is: beside the payload of a load balancer
    /// is the request.
    pub(super) const fn has_object(&self) -> bool {
        self.json_payload && !self.is_more
    }

    /// A push to Loki, or an answer of it.
    pub(super) const fn has_streams(&self) -> bool {
        self.streams
    }

    /// The kind of envelope, and where its line stands.
    pub(super) fn envelope(&self) -> Option<(Format, Range)> {
        let is_in_container = self.has(Beside::Container);
        let kept = |range: Option<Range>, beside: Beside| range.filter(|_| self.has(beside));
        if let Some(log) = kept(self.log, Beside::Stream).filter(|_| !is_in_container) {
            return Some((Format::Docker, log));
        }
        if let Some(message) = kept(self.message, Beside::Journal) {
            return Some((Format::Journald, message));
        }
        let collected = kept(self.log, Beside::Container)
            .or(self.text_payload)
            .or_else(|| kept(self.line, Beside::Labels))
            .or(self.content)
            .or_else(|| kept(self.message, Beside::LogStream));
        collected.map(|range| (Format::Collected, range))
    }
}

/// The message of an entry of the journal that is written as an array of bytes: journalctl writes one so that holds
/// anything but text, the escapes of colours for instance.
pub(super) fn message_of_bytes(entry: &[u8]) -> Option<Vec<u8>> {
    let array = behind_key(entry, b"\"MESSAGE\"")?.strip_prefix(b"[")?;
    let array = array.get(..memchr::memchr(b']', array)?)?;
    let byte = |number: &[u8]| std::str::from_utf8(number.trim_ascii()).ok()?.parse().ok();
    array.split(|byte| *byte == b',').map(byte).collect::<Option<Vec<u8>>>().map(trimmed)
}

/// What an entry of Cloud Logging says of any line.
fn is_of_entry(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 12] = [
        b"jsonPayload",
        b"insertId",
        b"timestamp",
        b"receiveTimestamp",
        b"severity",
        b"logName",
        b"trace",
        b"spanId",
        b"traceSampled",
        b"resource",
        b"labels",
        b"sourceLocation",
    ];
    KEYS.contains(&key)
}

/// The object that a program logged, which Cloud Logging keeps as it was.
pub(super) fn payload(entry: &[u8]) -> Option<&[u8]> {
    let object = behind_key(entry, b"\"jsonPayload\"")?;
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let found = at + object.get(at..)?.iter().position(|byte| b"{}\"".contains(byte))?;
        at = found + 1;
        match object.get(found)? {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => at = fields::string_end(object, at)? + 1,
        }
        if depth == 0 {
            return object.get(..at).filter(|object| object.starts_with(b"{"));
        }
    }
}

/// The time of the first line in a push to Loki, and that line if it is alone, both as they are written.
pub(super) fn first_value(push: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let values = behind_key(push, b"\"values\"")?.strip_prefix(b"[")?;
    let (time, line, rest) = value(values.trim_ascii_start())?;
    let is_alone = memchr::memchr(b'[', rest).is_none() && rest.trim_ascii_start().starts_with(b"]");
    Some((time, is_alone.then_some(line)))
}

/// A line in an answer of Loki, `["1795488081250000000", "line"]`: its time and itself, both as they are written.
pub(super) fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if text.trim_ascii_start().first() != Some(&b'[') {
        return None;
    }
    let (time, line, _) = value(text.trim_ascii_start())?;
    (time.len() == 19 && time.iter().all(u8::is_ascii_digit)).then_some((time, line))
}

/// The two texts of a list, and what follows them.
fn value(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let entry = text.strip_prefix(b"[")?.trim_ascii_start().strip_prefix(b"\"")?;
    let (time, rest) = entry.split_at_checked(fields::string_end(entry, 0)?)?;
    let line = rest.get(1..)?.trim_ascii_start().strip_prefix(b",")?.trim_ascii_start().strip_prefix(b"\"")?;
    let (line, rest) = line.split_at_checked(fields::string_end(line, 0)?)?;
    Some((time, line, rest.get(1..)?))
}

/// The value of the first such key, and all that follows.
fn behind_key<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = text.get(memmem::find(text, key)? + key.len()..)?;
    Some(rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start())
}

/// The line that an object keeps of an object over several lines, such as a console prints: it opens it, or is a later line
/// of it. Kept as it stands in JSON, in an object that says no code itself.
pub(super) fn part(object: &[u8], kept: &[u8]) -> Option<Vec<u8>> {
    let may_open = matches!(kept.last(), Some(b'{' | b'['));
    let may_continue = || matches!(kept.first(), Some(b' ' | b'}' | b']')) || kept.starts_with(b"\\t");
    if !may_open && !may_continue() {
        return None;
    }
    let line = unescaped(kept);
    if memchr::memchr(b'\n', &line).is_some() || !(may_open || prefix::continues(&line)) {
        return None;
    }
    let mut says_code = false;
    fields::json(object, &mut |field| {
        says_code |= field.key.ends_with(b"ode");
        !says_code
    });
    (!says_code).then_some(line)
}

/// A key under which loggers keep a text that may be a whole line.
pub(super) fn may_keep_line(key: &[u8]) -> bool {
    matches!(
        key,
        b"message" | b"msg" | b"log" | b"line" | b"@message" | b"_raw" | b"event" | b"body" | b"short_message"
    )
}

/// A line that a string of JSON keeps.
pub(super) fn unescaped(kept: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(kept.len());
    fields::unescape(kept, &mut line);
    trimmed(line)
}

pub(super) fn trimmed(mut line: Vec<u8>) -> Vec<u8> {
    let length = super::trim(&line).len();
    line.truncate(length);
    line
}
