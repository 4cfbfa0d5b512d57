//! The recipe language of the corpus: `{{token …}}` and `{{SK1}}` inside a log become tokens and SIDs.
//!
//! `tests/corpus/README.md` describes it. A recipe that cannot be read is a panic that names it.

#![expect(clippy::string_slice, reason = "recipes are ASCII where they are cut")]

use serde_json::Value;

use super::mint::{Draft, REFUSED_AT, jwe, set, sid};

const HEADER_FIELDS: [&str; 7] = ["alg", "cty", "enc", "kid", "twr", "typ", "zip"];
const CLAIMS: [&str; 13] = [
    "jti",
    "iss",
    "sub",
    "exp",
    "nbf",
    "iat",
    "grants",
    "scope",
    "policies",
    "version",
    "account_sid",
    "channel",
    "workspace_sid",
];
const TIME_CLAIMS: [&str; 3] = ["exp", "nbf", "iat"];

/// Replaces every recipe in `text`.
pub(crate) fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (recipe, behind) = after.split_once("}}").unwrap_or_else(|| panic!("recipe without an end: {after}"));
        out.push_str(before);
        out.push_str(&make(recipe));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn make(recipe: &str) -> String {
    let recipe = recipe.trim();
    if let Some(attributes) = recipe.strip_prefix("token") {
        return token(&attributes_of(attributes));
    }
    short_sid(recipe).unwrap_or_else(|| panic!("neither a token nor a SID: {{{{{recipe}}}}}"))
}

/// `SK1` or `SK…1`.
fn short_sid(text: &str) -> Option<String> {
    let (prefix, digits) = text.split_at_checked(2)?;
    let digits = digits.strip_prefix('…').unwrap_or(digits);
    let digits = if digits.is_empty() { "1" } else { digits };
    let valid = prefix.bytes().all(|byte| byte.is_ascii_uppercase())
        && digits.len() <= 32
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| sid(prefix, digits))
}

/// One word of a recipe.
#[derive(Debug, PartialEq)]
enum Word {
    /// `-path`
    Remove(String),
    /// `name`
    Flag(String),
    /// `name="text"`
    Text(String, String),
    /// `name=json`
    Json(String, Value),
}

fn attributes_of(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let Some(value) = behind.strip_prefix('=') else {
            words.push(match name.strip_prefix('-') {
                Some(path) => Word::Remove(path.to_owned()),
                None => Word::Flag(name.to_owned()),
            });
            rest = behind.trim_start();
            continue;
        };
        let (word, behind) = value_of(name, value);
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

/// `"text"` and `'text'` with the escapes `\n`, `\r`, `\t`, `\"`, `\\`; anything else is JSON up to the next blank.
fn value_of<'a>(name: &str, value: &'a str) -> (Word, &'a str) {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = value.find(char::is_whitespace).unwrap_or(value.len());
        let (json, behind) = value.split_at(end);
        let json = serde_json::from_str(json).unwrap_or_else(|error| panic!("{name}={json}: {error}"));
        return (Word::Json(name.to_owned(), json), behind);
    };
    let mut text = String::new();
    let mut chars = value.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => text.push(match chars.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => panic!("{name}: a backslash at the end"),
            }),
            c if c == quote => return (Word::Text(name.to_owned(), text), &value[at + 1..]),
            c => text.push(c),
        }
    }
    panic!("{name}: no closing quote")
}

fn token(words: &[Word]) -> String {
    let at = words.iter().find_map(|word| {
        let Word::Text(name, text) = word else { return None };
        (name == "at").then(|| seconds(text))
    });
    let at = at.unwrap_or(REFUSED_AT);
    let has = |flag: &str| words.contains(&Word::Flag(flag.to_owned()));
    let mut draft = if has("capability") { Draft::capability_at(at) } else { Draft::valid_at(at) };
    let mut raw = None;
    let mut signature = None;
    for word in words {
        match word {
            Word::Remove(path) => change(&mut draft, path, None),
            Word::Text(name, text) if name == "secret" => draft.secret = text.clone().into_bytes(),
            Word::Text(name, text) if name == "raw" => raw = Some(text.clone()),
            Word::Text(name, text) if name == "sig" => signature = Some(text.clone()),
            Word::Text(name, text) if !is_transport(name) => {
                change(&mut draft, name, Some(claim(name, text)));
            }
            Word::Json(name, value) if !is_transport(name) => change(&mut draft, name, Some(value.clone())),
            Word::Flag(_) | Word::Text(..) | Word::Json(..) => {}
        }
    }
    let mut sent = raw.unwrap_or_else(|| if has("jwe") { jwe() } else { draft.sign() });
    if let Some(signature) = signature {
        sent.truncate(sent.rfind('.').map_or(sent.len(), |dot| dot + 1));
        sent.push_str(&signature);
    }
    words.iter().fold(sent, transport)
}

/// A text claim; times may be written as RFC 3339, SIDs short.
fn claim(name: &str, text: &str) -> Value {
    let last = name.rsplit('.').next().unwrap_or(name);
    if TIME_CLAIMS.contains(&last) && text.contains('T') {
        return seconds(text).into();
    }
    text.contains('…').then(|| short_sid(text)).flatten().unwrap_or_else(|| text.to_owned()).into()
}

fn seconds(text: &str) -> i64 {
    diag51007::time::UnixTime::parse(text).unwrap_or_else(|| panic!("no time: {text}")).as_seconds()
}

fn change(draft: &mut Draft, name: &str, value: Option<Value>) {
    if let Some(path) = name.strip_prefix("after.") {
        draft.forged.push((claim_path(path), value));
        return;
    }
    let header = name.strip_prefix("header.").or_else(|| HEADER_FIELDS.contains(&name).then_some(name));
    if let Some(field) = header {
        set(&mut draft.header, &[field.to_owned()], value);
        return;
    }
    let follow = match (name, value.as_ref().and_then(Value::as_i64)) {
        ("iat", Some(issued)) => Some(issued),
        _ => None,
    };
    set(&mut draft.payload, &claim_path(name), value);
    if let Some(issued) = follow {
        // A later `exp` in the recipe overrides this.
        set(&mut draft.payload, &["exp".to_owned()], Some((issued + super::mint::LIFETIME_SECONDS).into()));
    }
}

/// Claims stand at the top, everything else among the grants.
fn claim_path(name: &str) -> Vec<String> {
    let path = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    if let Some(name) = name.strip_prefix("claim.") {
        return path(name);
    }
    let first = name.split('.').next().unwrap_or(name);
    if CLAIMS.contains(&first) { path(name) } else { path(&format!("grants.{name}")) }
}

fn is_transport(name: &str) -> bool {
    matches!(name, "at" | "cut" | "fold" | "mask" | "wrap" | "escape" | "raw" | "sig" | "secret")
}

/// What happened to the token between the signature and the log, in the order of the recipe.
fn transport(sent: String, word: &Word) -> String {
    match word {
        Word::Json(name, value) if name == "cut" => {
            let count = value.as_i64().unwrap_or_else(|| panic!("cut={value}: expected a number"));
            let keep = if count < 0 { sent.len().saturating_sub(size(-count)) } else { size(count) };
            sent.chars().take(keep).collect()
        }
        Word::Text(name, part) if name == "cut" => cut_part(&sent, part),
        Word::Text(name, how) if name == "fold" => fold(&sent, how),
        Word::Text(name, part) if name == "mask" => mask(&sent, part),
        Word::Text(name, around) if name == "wrap" => around.replace('%', &sent),
        Word::Json(name, times) if name == "escape" => {
            (0..times.as_u64().unwrap_or(1)).fold(sent, |text, _| text.replace('\\', "\\\\").replace('"', "\\\""))
        }
        Word::Flag(name) => flag(sent, name),
        Word::Text(..) | Word::Json(..) | Word::Remove(_) => sent,
    }
}

fn size(count: i64) -> usize {
    usize::try_from(count).expect("a small count")
}

fn cut_part(sent: &str, part: &str) -> String {
    let dots: Vec<usize> = sent.match_indices('.').map(|(at, _)| at).collect();
    match (part, dots.as_slice()) {
        ("signature", [.., last]) => sent[..*last].to_owned(),
        ("payload", [first, second, ..]) => sent[..first + (second - first) / 2].to_owned(),
        _ => panic!("cut=\"{part}\": expected `signature` or `payload` of a token"),
    }
}

fn fold(sent: &str, how: &str) -> String {
    let (columns, between) = how.split_once('|').unwrap_or_else(|| panic!("fold=\"{how}\": expected `columns|break`"));
    let Ok(columns) = columns.parse() else { return sent.replace(columns, &format!("{columns}{between}")) };
    let pieces: Vec<&str> = sent.as_bytes().chunks(columns).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    pieces.join(between)
}

fn mask(sent: &str, part: &str) -> String {
    let parts: Vec<&str> = sent.split('.').collect();
    match (part, parts.as_slice()) {
        ("all", _) => "[REDACTED]".to_owned(),
        ("stars", _) => "***".to_owned(),
        ("tail", _) => format!("{}***", &sent[..6]),
        ("signature", [head, payload, _]) => format!("{head}.{payload}.***"),
        ("payload", [head, _, signature]) => format!("{head}.***.{signature}"),
        _ => panic!("mask=\"{part}\": expected `all`, `stars`, `tail`, `signature` or `payload`"),
    }
}

fn flag(sent: String, name: &str) -> String {
    match name {
        "jwe" | "capability" => sent,
        "quote" => format!("\"{sent}\""),
        "bearer" => format!("Bearer {sent}"),
        "ellipsis" => format!("{sent}…"),
        "dots" => format!("{sent}..."),
        "upper" => sent.to_ascii_uppercase(),
        "lower" => sent.to_ascii_lowercase(),
        "standard" => sent.replace('-', "+").replace('_', "/"),
        "pad" => {
            sent.split('.').map(|part| format!("{part:=<0$}", part.len().div_ceil(4) * 4)).collect::<Vec<_>>().join(".")
        }
        "percent" => percent(&sent),
        other => panic!("unknown word in a recipe: {other}"),
    }
}

fn percent(sent: &str) -> String {
    sent.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
