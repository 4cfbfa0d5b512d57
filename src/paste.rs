//! The token in what a person pasted: quotes, `Bearer`, JSON, an address or a line break around it.
//!
//! Undoes only what copying does to a token. Where the application itself may have done it, a note says so, because
//! then it is the fault that is being looked for.

use zeroize::Zeroizing;

use crate::percent;

/// Members and parameters that hold a token.
const NAMES: &[&str] = &[
    "token",
    "accessToken",
    "access_token",
    "accesstoken",
    "access-token",
    "fpa_token",
    "jwt",
    "twilioToken",
    "X-Twilio-AccessToken",
    "Authorization",
];

/// So deep in JSON a token is looked for.
const DEPTH_MAX: u32 = 4;

/// So many layers (quotes, JSON, header) are taken off at most.
const LAYERS_MAX: usize = 8;

/// A token, and what was taken off around it.
pub struct Pasted {
    /// The token.
    pub token: Zeroizing<Vec<u8>>,
    /// What a person should know of that, in full sentences without any of the input.
    pub notes: Vec<String>,
}

/// Finds the token.
pub fn token_in(input: &[u8]) -> Pasted {
    let mut notes = Vec::new();
    let Ok(text) = std::str::from_utf8(input) else {
        return Pasted { token: Zeroizing::new(input.to_vec()), notes };
    };
    let mut text = Zeroizing::new(text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned());
    for _ in 0..LAYERS_MAX {
        let Some((inner, note)) = without_layer(&text) else { break };
        text = Zeroizing::new(inner.trim().to_owned());
        if let Some(note) = note
            && !notes.iter().any(|known| known == note)
        {
            notes.push(note.to_owned());
        }
    }
    if text.contains(char::is_whitespace) {
        let joined: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        if is_jwt_like(&joined) {
            notes.push("Line breaks or spaces inside the token were taken out. If the SDK was given them too, they are the fault: cause \
                 `tampered`."
                    .to_owned());
            text = joined;
        }
    }
    Pasted { token: Zeroizing::new(text.as_bytes().to_vec()), notes }
}

type Layer = fn(&str) -> Option<(Zeroizing<String>, Option<&'static str>)>;

const LAYERS: [Layer; 5] = [quotes, json, header, assignment, address];

fn without_layer(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    LAYERS.iter().find_map(|layer| layer(text))
}

fn quotes(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    let escaped = text.strip_prefix("\\\"").and_then(|rest| rest.strip_suffix("\\\""));
    let inner = escaped
        .or_else(|| ['"', '\'', '`'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)))?;
    Some((
        Zeroizing::new(inner.to_owned()),
        Some(
            "Quotes around the token were taken off. If the SDK was given them too, they are the fault: cause `not_a_token`.",
        ),
    ))
}

fn json(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let note = "The token was taken out of the JSON around it. If the SDK was given all of the JSON, that is the \
                fault: cause `not_a_token`.";
    Some((Zeroizing::new(member(&value, DEPTH_MAX)?.to_owned()), Some(note)))
}

fn member(value: &serde_json::Value, depth: u32) -> Option<&str> {
    let deeper = depth.checked_sub(1)?;
    match value {
        serde_json::Value::Object(members) => {
            let mut named = members.iter().filter(|(name, _)| is_token_name(name));
            named
                .find_map(|(_, value)| value.as_str())
                .or_else(|| members.values().find_map(|value| member(value, deeper)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|item| member(item, deeper)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => None,
    }
}

fn is_token_name(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// `Bearer …`.
fn header(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    let (scheme, rest) = text.split_once(char::is_whitespace)?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| (Zeroizing::new(rest.to_owned()), Some("`Bearer` before the token was taken off. If the SDK was given it too, it is the fault: cause `not_a_token`.")))
}

/// `Authorization: …`, `token=…`, `"token": …`.
fn assignment(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    let (name, value) = text.split_once([':', '='])?;
    let name = name.trim().trim_matches(['"', '\'']);
    let value = value.trim().trim_end_matches([',', ';']);
    (is_token_name(name) && !value.is_empty() && !value.contains('&')).then(|| (Zeroizing::new(value.to_owned()), None))
}

/// `…?token=…&…`, percent-encoded.
fn address(text: &str) -> Option<(Zeroizing<String>, Option<&'static str>)> {
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    if query.contains(char::is_whitespace) {
        return None;
    }
    let query = query.split('#').next().unwrap_or(query);
    let (_, value) = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, value)| is_token_name(name) && !value.is_empty())?;
    let note = "The token was taken out of the address around it.";
    Some((percent_decoded(value), Some(note)))
}

fn percent_decoded(text: &str) -> Zeroizing<String> {
    let decoded = percent::decode(text.as_bytes()).map(Zeroizing::new);
    Zeroizing::new(decoded.map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Parts of base64url with dots between.
fn is_jwt_like(text: &str) -> bool {
    text.starts_with("ey")
        && text.contains('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJh.eyJi.c-_d";

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let pasted = token_in(input.as_bytes());
        assert_eq!(String::from_utf8_lossy(&pasted.token), expected, "{input}");
        assert!(!pasted.notes.iter().any(|note| note.contains(TOKEN)));
    }

    #[test]
    fn the_token_is_found_in_what_people_paste() {
        for input in [
            "eyJh.eyJi.c-_d",
            "  eyJh.eyJi.c-_d\r\n",
            "\"eyJh.eyJi.c-_d\"",
            "'eyJh.eyJi.c-_d'",
            "\\\"eyJh.eyJi.c-_d\\\"",
            "Bearer eyJh.eyJi.c-_d",
            "bearer  eyJh.eyJi.c-_d",
            "Authorization: Bearer eyJh.eyJi.c-_d",
            "X-Twilio-AccessToken: eyJh.eyJi.c-_d",
            "{\"token\": \"eyJh.eyJi.c-_d\"}",
            "{\"identity\":\"alice\",\"data\":{\"accessToken\":\"eyJh.eyJi.c-_d\"}}",
            "[{\"jwt\":\"Bearer eyJh.eyJi.c-_d\"}]",
            "\"token\": \"eyJh.eyJi.c-_d\",",
            "token=eyJh.eyJi.c-_d",
            "https://example.com/v1?x=1&token=eyJh%2EeyJi.c-_d&y=2#z",
            "eyJh.ey\nJi.c-\n _d",
            "\u{feff}eyJh.eyJi.c-_d",
        ] {
            check(input, TOKEN);
        }
    }

    #[test]
    fn what_is_no_token_stays_as_it_is() {
        for input in
            ["", "undefined", "<!DOCTYPE html><html lang=en>", "{\"a\":1}", "{}", "hello world", "\"", "a=b", "?"]
        {
            check(input, input);
        }
        assert_eq!(*token_in(b"\xff\xfe").token, b"\xff\xfe");
    }

    #[test]
    fn json_around_the_token_is_said_to_be_a_possible_fault() {
        let notes = token_in(b"{\"token\":\"eyJh.eyJi.c-_d\"}").notes;
        assert!(notes.iter().any(|note| note.contains("`not_a_token`")), "{notes:?}");
        assert!(token_in(TOKEN.as_bytes()).notes.is_empty());
    }
}
