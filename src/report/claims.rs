//! A token's header or payload as numbered lines of JSON, with every value that may not be shown left out.
//!
//! Shown are SIDs, numbers of claims that are numbers, times and known words (invariant 8); of everything else, names
//! of members included, only its length. Order and duplicates are those of the token.

use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::time::UnixTime;

/// So many lines of one part are shown.
pub const LINES_MAX: usize = 120;

/// Deeper values are not shown. The JSON reader itself refuses to go beyond 128 levels.
const DEPTH_MAX: usize = 8;

/// Numbers with more digits are shown only where a time belongs: elsewhere they may be a phone number.
const DIGITS_MAX: usize = 6;

/// A JSON value as it stands: member order and duplicates kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads JSON.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(object))
    }
}

/// One line of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text, indented.
    pub text: String,
    /// Where the value in it begins, in columns of the text.
    pub start: usize,
    /// How wide the value is.
    pub width: usize,
    /// Path of the value, such as `payload.grants.chat`; empty for a closing bracket.
    pub path: String,
    /// What a person wants to know of the value: the time that a number stands for.
    pub comment: Option<String>,
}

/// Renders one part of the token; `root` begins every path (`header`, `payload`).
pub fn lines(root: &str, node: &Node) -> Vec<Line> {
    let mut view = View { lines: Vec::new() };
    view.value(root.to_owned(), None, node, 0, "");
    if view.lines.len() > LINES_MAX {
        let more = view.lines.len() - LINES_MAX;
        view.lines.truncate(LINES_MAX);
        view.line(1, &format!("… {more} more lines"), 0..0, String::new(), None);
    }
    view.lines
}

struct View {
    lines: Vec<Line>,
}

impl View {
    fn value(&mut self, path: String, name: Option<&str>, node: &Node, depth: usize, end: &str) {
        let label = name.map(|name| format!("{}: ", member_name(name))).unwrap_or_default();
        let (open, close, empty) = match node {
            Node::Object(members) => ('{', '}', members.is_empty()),
            Node::List(items) => ('[', ']', items.is_empty()),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
                let value = scalar(&path, name, node);
                let comment = time_comment(&path, node);
                return self.labelled(depth, &label, &value, end, path, comment);
            }
        };
        if empty || depth >= DEPTH_MAX {
            let inside = if empty { "" } else { "…" };
            return self.labelled(depth, &label, &format!("{open}{inside}{close}"), end, path, None);
        }
        self.labelled(depth, &label, &open.to_string(), "", path.clone(), None);
        match node {
            Node::Object(members) => {
                for (at, (name, member)) in members.iter().enumerate() {
                    let end = if at + 1 < members.len() { "," } else { "" };
                    // A dot in a name must not make it look like a member of a member.
                    let step = name.replace('.', "\u{b7}");
                    self.value(format!("{path}.{step}"), Some(name), member, depth + 1, end);
                }
            }
            Node::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    let end = if at + 1 < items.len() { "," } else { "" };
                    self.value(format!("{path}[{at}]"), None, item, depth + 1, end);
                }
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
        }
        self.line(depth, &format!("{close}{end}"), 0..1, String::new(), None);
    }

    fn labelled(&mut self, depth: usize, label: &str, value: &str, end: &str, path: String, comment: Option<String>) {
        let start = label.chars().count();
        let value_range = start..start + value.chars().count();
        self.line(depth, &format!("{label}{value}{end}"), value_range, path, comment);
    }

    fn line(&mut self, depth: usize, text: &str, value: std::ops::Range<usize>, path: String, comment: Option<String>) {
        let indent = 2 * depth;
        let (start, width) = (indent + value.start, value.len());
        self.lines.push(Line { text: format!("{:indent$}{text}", ""), start, width, path, comment });
    }
}

/// Members with a meaning; the names of others may be anything, an identity included.
const NAMES: &[&str] = &[
    "alg",
    "typ",
    "cty",
    "twr",
    "kid",
    "enc",
    "zip",
    "jti",
    "iss",
    "sub",
    "exp",
    "nbf",
    "iat",
    "aud",
    "grants",
    "identity",
    "chat",
    "ip_messaging",
    "data_sync",
    "voice",
    "video",
    "rtc",
    "conversations",
    "task_router",
    "player",
    "service_sid",
    "endpoint_id",
    "deployment_role_sid",
    "push_credential_sid",
    "outgoing",
    "incoming",
    "application_sid",
    "params",
    "allow",
    "room",
    "configuration_profile_sid",
    "workspace_sid",
    "worker_sid",
    "role",
    "scope",
    "policies",
    "version",
    "account_sid",
    "channel",
    "friendly_name",
    "token",
];

/// Values with a meaning.
const WORDS: &[&str] = &[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "PS256",
    "ES256",
    "none",
    "dir",
    "JWT",
    "jwt",
    "twilio-fpa;v=1",
    "twilio-pkrv;v=1",
    "us1",
    "ie1",
    "au1",
    "br1",
    "de1",
    "jp1",
    "sg1",
    "us2",
    "default",
    "worker",
    "supervisor",
    "v1",
    "DEF",
    "A256GCM",
    "true",
    "false",
    "null",
    "undefined",
    "",
];

fn member_name(name: &str) -> String {
    if NAMES.contains(&name) { format!("\"{name}\"") } else { hidden(name) }
}

fn scalar(path: &str, name: Option<&str>, node: &Node) -> String {
    let is_private = path.split('.').any(|name| name == "identity" || name == "params");
    match node {
        Node::Null => "null".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Number(number) => {
            let text = number.to_string();
            let digits = text.chars().filter(char::is_ascii_digit).count();
            if is_private || (digits > DIGITS_MAX && !name.is_some_and(is_time)) {
                "… (a number)".to_owned()
            } else {
                text
            }
        }
        Node::Text(text) if !is_private && (WORDS.contains(&text.as_str()) || is_sid(text) || is_token_id(text)) => {
            format!("\"{text}\"")
        }
        Node::Text(text) => hidden(text),
        Node::List(_) | Node::Object(_) => String::new(),
    }
}

fn hidden(text: &str) -> String {
    let count = text.chars().count();
    format!("\"…\" ({count} {})", if count == 1 { "character" } else { "characters" })
}

fn is_time(name: &str) -> bool {
    matches!(name, "exp" | "nbf" | "iat")
}

/// Two capital letters and 32 hexadecimal digits.
fn is_sid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 34
        && bytes.iter().take(2).all(u8::is_ascii_uppercase)
        && bytes.iter().skip(2).all(u8::is_ascii_hexdigit)
}

/// The form that the helper libraries give a token's id: the key, a hyphen, seconds.
fn is_token_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(sid, seconds)| {
        is_sid(sid) && (1..=12).contains(&seconds.len()) && seconds.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// What a number of seconds means, at the claims that are times.
fn time_comment(path: &str, node: &Node) -> Option<String> {
    let (root, name) = path.split_once('.')?;
    let Node::Number(number) = node else { return None };
    if root != "payload" || !is_time(name) {
        return None;
    }
    // A fraction is cut off, as it is for the comparison with a time in whole seconds.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and so does the time")]
    let seconds = number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?;
    let mut text = String::new();
    _ = write!(text, "{}", UnixTime::from_seconds(seconds));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        let lines = lines("payload", &Node::parse(json.as_bytes()).unwrap());
        lines.iter().map(|line| line.text.trim().to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        assert_eq!(text(json), expected);
    }

    #[test]
    fn order_and_duplicates_are_the_tokens_own() {
        check(r#"{"sub":null,"exp":1,"exp":2}"#, r#"{ "sub": null, "exp": 1, "exp": 2 }"#);
    }

    #[test]
    fn what_may_not_be_shown_is_left_out() {
        check(r#"{"grants":{"identity":"alice"}}"#, r#"{ "grants": { "identity": "…" (5 characters) } }"#);
        check(r#"{"grants":{"identity":15551234567}}"#, r#"{ "grants": { "identity": … (a number) } }"#);
        check(r#"{"alice":1}"#, r#"{ "…" (5 characters): 1 }"#);
        check(r#"{"iss":"alice@example.com"}"#, r#"{ "iss": "…" (17 characters) }"#);
        check(r#"{"sub":"15551234567"}"#, r#"{ "sub": "…" (11 characters) }"#);
        check(r#"{"sub":15551234567}"#, r#"{ "sub": … (a number) }"#);
        check(
            r#"{"voice":{"outgoing":{"params":{"to":5}}}}"#,
            r#"{ "voice": { "outgoing": { "params": { "…" (2 characters): … (a number) } } } }"#,
        );
        check("{\"\\u001b[31m\":\"\\u001b\"}", "{ \"…\" (5 characters): \"…\" (1 character) }");
    }

    #[test]
    fn sids_words_and_token_ids_are_shown() {
        let sid = "SK00000000000000000000000000000001";
        check(&format!(r#"["{sid}","{sid}-1795488214","us1"]"#), &format!(r#"[ "{sid}", "{sid}-1795488214", "us1" ]"#));
    }

    #[test]
    fn times_have_their_reading_beside_them() {
        let lines = lines("payload", &Node::parse(br#"{"exp":1795488219,"grants":{"exp":1}}"#).unwrap());
        assert_eq!(lines[1].comment.as_deref(), Some("2026-11-24T02:43:39Z"));
        assert_eq!((lines[1].start, lines[1].width), (9, 10));
        assert_eq!(lines[3].comment, None);
    }

    #[test]
    fn a_name_with_a_dot_is_no_path() {
        let lines = lines("payload", &Node::parse(br#"{"grants.identity":1,"grants":{"identity":"a"}}"#).unwrap());
        let places: Vec<_> = lines.iter().map(|line| line.path == "payload.grants.identity").collect();
        assert_eq!(places, [false, false, false, true, false, false]);
    }

    #[test]
    fn long_and_deep_values_are_cut() {
        let long = format!("[{}]", vec!["1"; 500].join(","));
        assert_eq!(lines("payload", &Node::parse(long.as_bytes()).unwrap()).len(), LINES_MAX + 1);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(text(&deep).contains("[…]"));
        assert!(Node::parse(format!("{}{}", "[".repeat(9000), "]".repeat(9000)).as_bytes()).is_err());
    }
}
