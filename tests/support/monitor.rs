//! A mock of Twilio's Alerts API, made from the official OpenAPI description: paths, parameters and members are those
//! that stand there, and a question with any other is a failure.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Map, Value, json};

/// What the mock does and has been asked.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The alerts, in the order in which they are listed.
    pub(crate) alerts: Vec<Value>,
    /// Members that only the single alert shows, by SID.
    pub(crate) details: BTreeMap<String, Value>,
    /// What is answered to the next questions in place of alerts.
    pub(crate) refusals: Vec<u16>,
    /// `Authorization` of every question.
    pub(crate) authorizations: Vec<String>,
    /// Paths with their queries.
    pub(crate) asked: Vec<String>,
    /// What was asked in a way that the description does not know.
    pub(crate) faults: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    pub(crate) address: String,
    pub(crate) state: Arc<Mutex<State>>,
}

/// Alerts a page, whatever is asked for.
const PAGE: usize = 2;

fn description() -> Value {
    serde_json::from_str(include_str!("../data/monitor/twilio_monitor_v1.json")).expect("the description")
}

/// An alert with every member that the description names.
pub(crate) fn alert(number: u64, changes: &Value) -> Value {
    let description = description();
    let members = description["components"]["schemas"]["monitor.v1.alert"]["properties"].as_object().expect("members");
    let sid = format!("NO{number:032x}");
    let mut alert: Map<String, Value> = members.keys().map(|name| (name.clone(), Value::Null)).collect();
    let usual = json!({
        "sid": sid, "account_sid": "AC00000000000000000000000000000001", "error_code": "51007", "log_level": "error",
        "alert_text": "Msg=Client+Connection%3A+Token+authentication+is+rejected&ErrorCode=51007&LogLevel=ERROR",
        "date_created": "2026-03-01T10:00:01Z", "date_generated": "2026-03-01T10:00:00Z",
        "url": format!("https://monitor.twilio.com/v1/Alerts/{sid}"),
    });
    for source in [&usual, changes] {
        for (name, value) in source.as_object().expect("members") {
            assert!(members.contains_key(name), "{name} is no member of an alert");
            alert.insert(name.clone(), value.clone());
        }
    }
    Value::Object(alert)
}

impl Monitor {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let monitor = Self { address, state: Arc::default() };
        let own = monitor.clone();
        thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|stream| own.converse(stream)));
        monitor
    }

    fn converse(&self, stream: TcpStream) {
        let own = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            while let Some((path, authorization)) = read_head(&mut reader) {
                let (status, body) = own.answer(&path, authorization);
                let text = body.to_string();
                let length = text.len();
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                if (&stream).write_all((head + &text).as_bytes()).is_err() {
                    return;
                }
            }
        });
    }

    fn answer(&self, path: &str, authorization: String) -> (u16, Value) {
        let mut state = self.state.lock().expect("no thread panicked");
        state.authorizations.push(authorization);
        state.asked.push(path.to_owned());
        if !state.refusals.is_empty() {
            return (state.refusals.remove(0), json!({"code": 20000, "message": "no"}));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let description = description();
        if let Some(sid) = path.strip_prefix("/v1/Alerts/") {
            let found = state.alerts.iter().find(|alert| alert["sid"] == sid).cloned();
            let Some(mut alert) = found else { return (404, json!({"code": 20404})) };
            let details = state.details.get(sid).cloned().unwrap_or_default();
            let members = &description["components"]["schemas"]["monitor.v1.alert-instance"]["properties"];
            for (name, value) in details.as_object().into_iter().flatten() {
                assert!(members.get(name).is_some(), "{name} is no member of a single alert");
                alert[name] = value.clone();
            }
            return (200, alert);
        }
        let parameters = description["paths"][path]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect();
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        for (name, _) in &pairs {
            if !names.contains(name) {
                state.faults.push(format!("{path} has no parameter {name}"));
            }
        }
        let value = |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        if value("PageSize").is_some_and(|size| size.parse::<u32>().is_ok_and(|size| size > 1000)) {
            state.faults.push("pages of more than 1000".to_owned());
        }
        let from: usize = value("PageToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        let page: Vec<_> = state.alerts.iter().skip(from).take(PAGE).cloned().collect();
        // Twilio names its own address, whatever the way on which it was asked.
        let next = (from + PAGE < state.alerts.len())
            .then(|| format!("https://monitor.twilio.com{path}?PageSize=2&Page=1&PageToken={}", from + PAGE));
        (200, json!({"alerts": page, "meta": {"key": "alerts", "page_size": PAGE, "next_page_url": next}}))
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no thread panicked"))
    }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let (mut path, mut authorization) = (None, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return path.map(|path| (path, authorization));
        }
        if path.is_none() {
            path = line.split(' ').nth(1).map(str::to_owned);
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            value.clone_into(&mut authorization);
        }
    }
}
