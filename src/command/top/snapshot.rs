//! What the daemon said, as it is drawn. The one place where text from outside comes in: control characters and
//! characters that turn or hide text become visible escapes here, so that nothing on the screen can act.

use std::cmp::Reverse;

use serde_json::Value;

use crate::report::page::shown;

/// All that is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    /// Time of the daemon.
    pub(super) at: String,
    pub(super) minutes: u64,
    pub(super) hour: u64,
    /// The causes of the hour, the most frequent first.
    pub(super) causes: Vec<CauseRow>,
    /// The most frequent cause of 5 minutes, or of the hour where these are quiet.
    pub(super) main: Option<CauseRow>,
    pub(super) products: Vec<(String, u64)>,
    pub(super) keys: Vec<(String, u64)>,
    pub(super) sources: Vec<SourceRow>,
    pub(super) rejections: Vec<Rejection>,
    pub(super) alerts: Vec<Alert>,
    /// Those that are open, the greatest first.
    pub(super) incidents: Vec<Incident>,
}

/// A cause in a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CauseRow {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) remedy: String,
    pub(super) count: u64,
    /// In the last 5 minutes.
    pub(super) recent: u64,
    pub(super) share: f64,
}

/// A source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceRow {
    pub(super) name: String,
    pub(super) is_up: bool,
    pub(super) is_caught_up: bool,
    pub(super) unread_bytes: u64,
    pub(super) last_error: String,
}

/// A rejection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rejection {
    pub(super) id: String,
    pub(super) at: String,
    pub(super) cause: String,
    pub(super) title: String,
    pub(super) remedy: String,
    pub(super) product: String,
    pub(super) source: String,
    pub(super) place: String,
    pub(super) key: String,
    pub(super) findings: Vec<String>,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) is_firing: bool,
    pub(super) summary: String,
}

/// An incident that is not over.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Incident {
    pub(super) cause: String,
    pub(super) title: String,
    pub(super) product: String,
    pub(super) start: String,
    pub(super) count: u64,
    /// What probably happened.
    pub(super) what: String,
    pub(super) remedy: String,
}

fn text(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Snapshot {
    /// Reads the answers; what is missing in them is empty.
    pub(super) fn read(
        minutes: &Value,
        hour: &Value,
        sources: &Value,
        rejections: &Value,
        alerts: &Value,
        incidents: &Value,
    ) -> Self {
        let field = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
        let causes = |summary: &Value| -> Vec<CauseRow> {
            list(&field(summary, "by_cause")).map(|row| cause_row(row, minutes)).collect()
        };
        let counts = |name: &str, label: &str| -> Vec<(String, u64)> {
            let rows = field(hour, name);
            list(&rows).map(|row| (text(&field(row, label)), number(&field(row, "count")))).collect()
        };
        let hourly = causes(hour);
        Self {
            at: text(&field(minutes, "at")),
            minutes: number(&field(minutes, "rejections")),
            hour: number(&field(hour, "rejections")),
            main: causes(minutes).into_iter().next().or_else(|| hourly.first().cloned()),
            causes: hourly,
            products: counts("by_product", "product"),
            keys: counts("by_key", "key_sid"),
            sources: list(&field(sources, "sources")).map(source_row).collect(),
            rejections: list(&field(rejections, "rejections")).map(rejection).collect(),
            alerts: list(alerts.pointer("/data/alerts").unwrap_or(&Value::Null)).map(alert).collect(),
            incidents: open_incidents(incidents),
        }
    }
}

fn cause_row(row: &Value, minutes: &Value) -> CauseRow {
    let at = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let same = |other: &&Value| other.get("cause") == row.get("cause");
    let recent = list(minutes.get("by_cause").unwrap_or(&Value::Null)).find(same);
    CauseRow {
        id: text(at("cause")),
        title: text(at("title")),
        remedy: plain(&text(at("remedy"))),
        count: number(at("count")),
        recent: recent.and_then(|row| row.get("count")).map_or(0, number),
        share: at("share").as_f64().unwrap_or_default(),
    }
}

fn source_row(row: &Value) -> SourceRow {
    let at = |name: &str| row.get(name).unwrap_or(&Value::Null);
    SourceRow {
        name: text(at("source")),
        is_up: at("up").as_bool().unwrap_or_default(),
        is_caught_up: at("caught_up").as_bool().unwrap_or_default(),
        unread_bytes: number(at("unread_bytes")),
        last_error: text(row.pointer("/last_error/message").unwrap_or(&Value::Null)),
    }
}

fn rejection(row: &Value) -> Rejection {
    let at = |name: &str| row.get(name).unwrap_or(&Value::Null);
    let path = text(at("path"));
    Rejection {
        id: text(at("id")),
        at: text(at("at")),
        cause: text(at("cause")),
        title: text(at("title")),
        remedy: plain(&text(at("remedy"))),
        product: text(at("product")),
        source: text(at("source")),
        place: if path.is_empty() { String::new() } else { format!("{path}:{}", number(at("line"))) },
        key: text(row.pointer("/token/key_sid").unwrap_or(&Value::Null)),
        findings: list(at("findings")).map(|one| plain(&text(one.get("message").unwrap_or(&Value::Null)))).collect(),
    }
}

fn alert(row: &Value) -> Alert {
    let at = |pointer: &str| row.pointer(pointer).unwrap_or(&Value::Null);
    Alert {
        name: text(at("/labels/alertname")),
        is_firing: at("/state") == "firing",
        summary: text(at("/annotations/summary")),
    }
}

fn open_incidents(answer: &Value) -> Vec<Incident> {
    let rows = list(answer.get("incidents").unwrap_or(&Value::Null));
    let is_open = |row: &&Value| row.get("open").and_then(Value::as_bool).unwrap_or_default();
    let mut open: Vec<Incident> = rows.filter(is_open).map(incident).collect();
    open.sort_by_key(|one| Reverse(one.count));
    open
}

fn incident(row: &Value) -> Incident {
    let at = |name: &str| row.get(name).unwrap_or(&Value::Null);
    Incident {
        cause: text(at("cause")),
        title: text(at("title")),
        product: text(at("product")),
        start: text(at("start")),
        count: number(at("count")),
        what: plain(&text(at("what_happened"))),
        remedy: plain(&text(at("remedy"))),
    }
}

/// A sentence without the marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_from_outside_can_neither_move_the_cursor_nor_turn_the_line() {
        let rejections = json!({"rejections": [{"source": "a\u{1b}[2Jb", "path": "x\u{202e}\r\ny", "line": 3}]});
        let read = Snapshot::read(&json!({}), &json!({}), &json!({}), &rejections, &json!({}), &json!({}));
        let [one] = read.rejections.as_slice() else { panic!("{read:?}") };
        assert_eq!((one.source.as_str(), one.place.as_str()), ("a\\u{1b}[2Jb", "x\\u{202e}\\r\\ny:3"));
    }

    #[test]
    fn what_is_missing_is_empty() {
        let nothing = Value::Null;
        assert_eq!(Snapshot::read(&nothing, &nothing, &nothing, &nothing, &nothing, &nothing), Snapshot::default());
    }
    #[test]
    fn open_incidents_are_shown_the_greatest_first_and_none_can_act() {
        let one = |open: bool, count: u64, title: &str| {
            json!({"open": open, "count": count, "title": title, "what_happened": "a\u{1b}[2J\u{202e}`b`",
                "remedy": "c\u{7}", "product": "d\n", "start": "e\r", "cause": "f\u{9b}"})
        };
        let incidents = json!({"incidents": [one(true, 3, "small"), one(false, 99, "over"), one(true, 40, "great")]});
        let nothing = Value::Null;
        let read = Snapshot::read(&nothing, &nothing, &nothing, &nothing, &nothing, &incidents);
        let shown = |title: &str, count| Incident {
            cause: "f\\u{9b}".to_owned(),
            title: title.to_owned(),
            product: "d\\n".to_owned(),
            start: "e\\r".to_owned(),
            count,
            what: "a\\u{1b}[2J\\u{202e}b".to_owned(),
            remedy: "c\\u{7}".to_owned(),
        };
        assert_eq!(read.incidents, [shown("great", 40), shown("small", 3)]);
    }
}
