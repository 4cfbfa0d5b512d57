//! One entry of the journal as `journalctl -o json` prints it, and the line that is made of it.
//!
//! The line is the entry once more, with the few fields that matter, in a fixed order: the same entry gives the same
//! bytes whichever version of journalctl prints it, so that a stream can be read again by its offsets.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::source::Place;

/// So many entries of one microsecond are remembered; of those before, a journal that has lost its place and holds them
/// under other numbers would give them once more.
const BESIDE_MAX: usize = 64;

/// The fields that are asked for; journalctl adds the cursor and the times.
pub const FIELDS: &str = "MESSAGE,_HOSTNAME,SYSLOG_IDENTIFIER,_PID,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,CONTAINER_NAME,\
                          CONTAINER_PARTIAL_MESSAGE,PRIORITY,_STREAM_ID,_LINE_BREAK";

/// An entry.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Names its place in the journal.
    pub cursor: String,
    /// When the journal received it, in microseconds since 1970.
    pub micros: u64,
    /// What goes into the core, with a line ending; nothing if the entry has no message.
    pub line: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
struct Printed {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    #[serde(rename = "_HOSTNAME", default)]
    host: Value,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Value,
    #[serde(rename = "_PID", default)]
    process: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    #[serde(rename = "_SYSTEMD_USER_UNIT", default)]
    user_unit: Value,
    #[serde(rename = "CONTAINER_NAME", default)]
    container: Value,
    #[serde(rename = "CONTAINER_PARTIAL_MESSAGE", default)]
    partial: Value,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "_STREAM_ID", default)]
    stream: Value,
    #[serde(rename = "_LINE_BREAK", default)]
    line_break: Value,
}

impl Entry {
    /// Reads what journalctl printed as one line; none if it is no entry.
    pub fn read(printed: &[u8]) -> Option<Self> {
        let printed: Printed = serde_json::from_slice(printed).ok()?;
        let micros = printed.realtime.parse().ok()?;
        if printed.cursor.is_empty() || printed.cursor.chars().any(char::is_control) {
            return None;
        }
        let mut line = Zeroizing::new(Vec::new());
        if let Some(message) = text(&printed.message) {
            let unit = text(&printed.user_unit).or_else(|| text(&printed.unit));
            let container = text(&printed.container);
            // Which pieces of a long line belong together: docker says it of a container, journald of a stream.
            let of_container = |value| container.as_ref().and(text(value));
            let fields = [
                ("_HOSTNAME", text(&printed.host)),
                ("SYSLOG_IDENTIFIER", text(&printed.identifier)),
                ("_PID", text(&printed.process)),
                ("_SYSTEMD_UNIT", unit),
                ("CONTAINER_PARTIAL_MESSAGE", of_container(&printed.partial)),
                ("PRIORITY", of_container(&printed.priority)),
                ("CONTAINER_NAME", container.clone()),
                ("_STREAM_ID", text(&printed.stream)),
                ("_LINE_BREAK", text(&printed.line_break)),
                ("MESSAGE", Some(message)),
            ];
            line.extend_from_slice(format!("{{\"__REALTIME_TIMESTAMP\":\"{micros}\"").as_bytes());
            for (name, value) in fields {
                let Some(value) = value else { continue };
                line.extend_from_slice(format!(",\"{name}\":").as_bytes());
                line.extend_from_slice(Value::String(value).to_string().as_bytes());
            }
            line.extend_from_slice(b"}\n");
        }
        Some(Self { cursor: printed.cursor, micros, line })
    }
}

/// A field: a string; a list of bytes where it is no UTF-8; a list of these where an entry has it several times, of which
/// the last is the message as it was meant.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) if list.iter().all(Value::is_u64) => {
            let bytes: Option<Vec<u8>> =
                list.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            Some(String::from_utf8_lossy(&bytes?).into_owned())
        }
        Value::Array(list) => list.iter().rev().find_map(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

impl Place {
    /// The place behind the next entry.
    pub(super) fn followed_by(&self, entry: &Entry) -> Self {
        let mut beside = Vec::new();
        if entry.micros == self.micros {
            let before = self.beside.iter().chain([&self.cursor]).cloned();
            beside.extend(before.skip((self.beside.len() + 1).saturating_sub(BESIDE_MAX)));
        }
        Self {
            cursor: entry.cursor.clone(),
            micros: entry.micros,
            offset: self.offset + entry.line.len() as u64,
            beside,
        }
    }

    /// Whether it lies behind this entry and others of the same microsecond, wherever the journal has it now.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        self.micros == entry.micros
            && self.beside.iter().chain([&self.cursor]).any(|cursor| is_same_entry(cursor, &entry.cursor))
    }
}

/// The fields of a cursor: `s` and `i`, the numbering and the number in it; `b` and `m`, the boot and the time since; `t`,
/// the time; `x`, a checksum of what the entry says.
fn fields(cursor: &str) -> impl Iterator<Item = (&str, &str)> {
    cursor.split(';').filter_map(|field| field.split_once('='))
}

fn field<'a>(cursor: &'a str, name: &str) -> Option<&'a str> {
    fields(cursor).find_map(|(found, value)| (found == name).then_some(value))
}

/// Whether two cursors name the same entry, be it in journals that number it differently.
fn is_same_entry(one: &str, other: &str) -> bool {
    let of_entry = |cursor| ["b", "m", "t", "x"].map(|name| field(cursor, name));
    one == other || (of_entry(one) == of_entry(other) && of_entry(one).iter().all(Option::is_some))
}

/// How many entries lie behind one and before another, if the same journal numbers both.
pub(super) fn between(one: &str, other: &str) -> Option<u64> {
    let number = |cursor| u64::from_str_radix(field(cursor, "i")?, 16).ok();
    let is_same = field(one, "s").is_some() && field(one, "s") == field(other, "s");
    is_same.then_some(())?;
    number(other)?.checked_sub(number(one)?)?.checked_sub(1)
}

/// Whether an entry comes after another one, if the same journal numbers both.
pub(super) fn is_later(one: &str, other: &str) -> bool {
    between(other, one).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(printed: &str, expected: Option<(&str, u64, &str)>) {
        let entry = Entry::read(printed.as_bytes());
        let found = entry
            .as_ref()
            .map(|entry| (entry.cursor.as_str(), entry.micros, std::str::from_utf8(&entry.line).unwrap()));
        assert_eq!(found, expected, "{printed}");
    }

    #[test]
    fn an_entry_becomes_a_line_of_few_fields_in_a_fixed_order() {
        check(
            r#"{"MESSAGE":"code=51007 \"x\"","_PID":"7","PRIORITY":"3","_SYSTEMD_UNIT":"app.service","_HOSTNAME":"web-1",
                "__REALTIME_TIMESTAMP":"1795488081000000","__CURSOR":"s=1;i=2","SYSLOG_IDENTIFIER":"node"}"#,
            Some((
                "s=1;i=2",
                1_795_488_081_000_000,
                "{\"__REALTIME_TIMESTAMP\":\"1795488081000000\",\"_HOSTNAME\":\"web-1\",\"SYSLOG_IDENTIFIER\":\"node\",\
                 \"_PID\":\"7\",\"_SYSTEMD_UNIT\":\"app.service\",\"MESSAGE\":\"code=51007 \\\"x\\\"\"}\n",
            )),
        );
    }

    #[test]
    fn a_message_of_bytes_is_text_as_far_as_it_is_utf8() {
        let line = "{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"a\u{fffd}\\u001b\"}\n";
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":[97,255,27]}"#, Some(("c", 1, line)));
        let line = "{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"b\"}\n";
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":["a",[98]]}"#, Some(("c", 1, line)));
    }

    #[test]
    fn what_docker_says_of_a_split_line_is_kept() {
        let line = "{\"__REALTIME_TIMESTAMP\":\"1\",\"CONTAINER_PARTIAL_MESSAGE\":\"true\",\"PRIORITY\":\"6\",\
                    \"CONTAINER_NAME\":\"chat\",\"MESSAGE\":\"a\"}\n";
        let entry = r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","CONTAINER_NAME":"chat","CONTAINER_PARTIAL_MESSAGE":"true",
            "PRIORITY":"6","MESSAGE":"a"}"#;
        check(entry, Some(("c", 1, line)));
        let line = "{\"__REALTIME_TIMESTAMP\":\"1\",\"MESSAGE\":\"a\"}\n";
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","PRIORITY":"6","MESSAGE":"a"}"#, Some(("c", 1, line)));
    }

    #[test]
    fn what_journald_says_of_a_split_line_is_kept() {
        let line =
            "{\"__REALTIME_TIMESTAMP\":\"1\",\"_STREAM_ID\":\"0a\",\"_LINE_BREAK\":\"line-max\",\"MESSAGE\":\"a\"}\n";
        let entry = r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","_LINE_BREAK":"line-max","_TRANSPORT":"stdout",
            "PRIORITY":"6","_STREAM_ID":"0a","MESSAGE":"a"}"#;
        check(entry, Some(("c", 1, line)));
        let line = "{\"__REALTIME_TIMESTAMP\":\"1\",\"_STREAM_ID\":\"0a\",\"MESSAGE\":\"a\"}\n";
        check(&entry.replace(r#""_LINE_BREAK":"line-max","#, ""), Some(("c", 1, line)));
    }

    #[test]
    fn an_entry_without_a_message_only_moves_the_cursor() {
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":null}"#, Some(("c", 1, "")));
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1","MESSAGE":[300]}"#, Some(("c", 1, "")));
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1"}"#, Some(("c", 1, "")));
    }

    #[test]
    fn what_is_no_entry_is_none() {
        for printed in
            ["", "-- No entries --", "[]", "{}", r#"{"__CURSOR":"c"}"#, r#"{"__CURSOR":"","__REALTIME_TIMESTAMP":"1"}"#]
        {
            check(printed, None);
        }
        check(r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"x"}"#, None);
    }

    fn entry(cursor: &str, micros: u64) -> Entry {
        Entry { cursor: cursor.to_owned(), micros, line: Zeroizing::new(b"x\n".to_vec()) }
    }

    #[test]
    fn entries_of_one_microsecond_are_told_apart_whoever_numbers_them() {
        let place = Place::default().followed_by(&entry("s=1;i=9;b=1;m=5;t=7;x=a", 7));
        let place = place.followed_by(&entry("s=1;i=a;b=1;m=5;t=7;x=b", 7));
        assert!(place.holds(&entry("s=1;i=9;b=1;m=5;t=7;x=a", 7)));
        assert!(place.holds(&entry("s=2;i=1;b=1;m=5;t=7;x=b", 7)));
        assert!(!place.holds(&entry("s=1;i=b;b=1;m=5;t=7;x=c", 7)));
        let later = place.followed_by(&entry("s=1;i=b;b=1;m=6;t=8;x=a", 8));
        assert!(!later.holds(&entry("s=1;i=9;b=1;m=5;t=7;x=a", 7)));
        assert_eq!((later.offset, later.beside), (6, Vec::new()));
        // Without all that names an entry, only the same cursor is the same.
        assert!(!is_same_entry("s=1;i=2", "s=2;i=2") && is_same_entry("s=1;i=2", "s=1;i=2"));
    }

    #[test]
    fn numbers_are_compared_in_one_journal_only() {
        assert_eq!(between("s=1;i=ff;x=1", "s=1;i=102;x=1"), Some(2));
        assert_eq!(between("s=1;i=1", "s=2;i=5"), None);
        assert_eq!(between("i=1", "i=5"), None);
        assert!(is_later("s=1;i=10", "s=1;i=f") && !is_later("s=1;i=f", "s=1;i=f") && !is_later("s=1;i=2", "s=1;i=f"));
    }

    #[test]
    fn what_is_remembered_of_one_microsecond_is_bounded() {
        let place =
            (0..1000).fold(Place::default(), |place, number| place.followed_by(&entry(&format!("i={number}"), 7)));
        assert_eq!((place.beside.len(), place.beside.last().map(String::as_str)), (BESIDE_MAX, Some("i=998")));
    }
}
