//! What log shippers send, as lines.
//!
//! Text and NDJSON are lines already. A JSON list (Fluent Bit, Vector) is one object a line, and of Loki's and the
//! OpenTelemetry Collector's JSON the lines are taken out, each with the time that the shipper gives it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::time::UnixTime;

/// Why a body can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLines(pub &'static str);

#[derive(Deserialize)]
struct Loki<'a> {
    #[serde(borrow)]
    streams: Vec<LokiStream<'a>>,
}

#[derive(Deserialize)]
struct LokiStream<'a> {
    /// Time in nanoseconds, line, and at times more.
    #[serde(borrow)]
    values: Vec<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Otlp {
    resource_logs: Vec<OtlpResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtlpResource {
    #[serde(default)]
    scope_logs: Vec<OtlpScope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtlpScope {
    #[serde(default)]
    log_records: Vec<OtlpRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtlpRecord {
    time_unix_nano: Option<Value>,
    observed_time_unix_nano: Option<Value>,
    #[serde(default)]
    body: Value,
}

/// The lines of a body, each with a line ending.
pub fn lines(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, NoLines> {
    let mut out = Zeroizing::new(Vec::with_capacity(body.len() + 1));
    let text = body.trim_ascii_start();
    // A list is one document, and so is a Loki or OTLP object; any other object may be the first line of NDJSON.
    if text.starts_with(b"[") {
        if let Ok(objects) = serde_json::from_slice::<Vec<&RawValue>>(text) {
            for object in objects {
                line(object.get(), None, &mut out);
            }
            return Ok(out);
        }
    } else if is_object_with(text, b"\"streams\"") {
        let loki: Loki<'_> = serde_json::from_slice(text).map_err(|_| NoLines("Loki's push format as JSON"))?;
        loki.streams.iter().flat_map(|stream| &stream.values).for_each(|value| loki_line(value, &mut out));
        return Ok(out);
    } else if is_object_with(text, b"\"resourceLogs\"") {
        let otlp: Otlp = serde_json::from_slice(text).map_err(|_| NoLines("OTLP logs as JSON"))?;
        let scopes = otlp.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        for record in scopes.flat_map(|scope| &scope.log_records) {
            let at = [&record.time_unix_nano, &record.observed_time_unix_nano];
            let at = at.into_iter().flatten().find_map(nanoseconds);
            match record.body.get("stringValue").and_then(Value::as_str) {
                Some(text) => line(text, at, &mut out),
                None => line(&record.body.to_string(), at, &mut out),
            }
        }
        return Ok(out);
    }
    out.extend_from_slice(body);
    if body.last().is_some_and(|byte| *byte != b'\n') {
        out.push(b'\n');
    }
    Ok(out)
}

/// Whether the first key of an object is this one.
fn is_object_with(text: &[u8], key: &[u8]) -> bool {
    text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(key))
}

fn loki_line(value: &[&RawValue], out: &mut Vec<u8>) {
    let [at, text, ..] = value else { return };
    let at = serde_json::from_str(at.get()).ok().as_ref().and_then(nanoseconds);
    if let Ok(text) = serde_json::from_str::<String>(text.get()) {
        line(&text, at, out);
    }
}

/// Nanoseconds since 1970, as a number or as a string.
fn nanoseconds(value: &Value) -> Option<UnixTime> {
    let nanos = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (nanos > 0).then(|| UnixTime::from_millis(nanos / 1_000_000))
}

/// Adds a text as one line: its own line endings would tear it apart, so each part gets the time. The shape is that of a
/// container's log, which the core unwraps.
fn line(text: &str, at: Option<UnixTime>, out: &mut Vec<u8>) {
    for part in text.lines() {
        if let Some(at) = at {
            out.extend_from_slice(format!("{at} stdout F ").as_bytes());
        }
        out.extend_from_slice(part.as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let found = lines(body.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), expected, "{body}");
    }

    #[test]
    fn text_and_ndjson_are_lines() {
        check("a\nb", "a\nb\n");
        check("{\"message\":\"a\"}\n{\"message\":\"b\"}\n", "{\"message\":\"a\"}\n{\"message\":\"b\"}\n");
        check("[2026-01-01] [error] x", "[2026-01-01] [error] x\n");
        check("", "");
    }

    #[test]
    fn a_list_is_one_object_a_line() {
        check("[{\"log\":\"a\"}, {\"log\":\"b\"}]", "{\"log\":\"a\"}\n{\"log\":\"b\"}\n");
    }

    #[test]
    fn lines_of_loki_and_otlp_have_the_shippers_time() {
        check(
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1795488000123000000","x \"y\""],["0","z",{}]]}]}"#,
            "2026-11-24T02:40:00.123Z stdout F x \"y\"\nz\n",
        );
        check(
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1795488000000000000","body":{"stringValue":"x"}}]}]}]}"#,
            "2026-11-24T02:40:00Z stdout F x\n",
        );
    }

    #[test]
    fn what_begins_like_a_known_format_and_is_none_is_refused() {
        for body in ["{\"streams\":7}", "{\"resourceLogs\":{}}", &format!("{{\"streams\":{}", "[".repeat(100_000))] {
            assert!(lines(body.as_bytes()).is_err(), "{body:.30}");
        }
    }
}
