//! JSON objects in which a container runtime, a collector or a log service keeps a line of somebody else.

use memchr::memmem;

use super::Format;
use crate::fields::Field;

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
}

impl Keeper {
    pub(super) fn note(&mut self, field: &Field<'_>) {
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
    const KEY: &[u8] = b"\"MESSAGE\"";
    let at = memmem::find(entry, KEY)? + KEY.len();
    let value = entry.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let array = value.strip_prefix(b"[")?;
    let array = array.get(..memchr::memchr(b']', array)?)?;
    let byte = |number: &[u8]| std::str::from_utf8(number.trim_ascii()).ok()?.parse().ok();
    array.split(|byte| *byte == b',').map(byte).collect::<Option<Vec<u8>>>().map(super::trimmed)
}

/// A key under which loggers keep a text that may be a whole line.
pub(super) fn may_keep_line(key: &[u8]) -> bool {
    matches!(key, b"message" | b"msg" | b"log" | b"line" | b"@message" | b"_raw" | b"event" | b"body")
}
