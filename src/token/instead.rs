//! What can stand where a token should be: a mask of the logger, or something that is no token at all.

/// What was sent instead of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing.
    Empty,
    /// A word that stands for a missing value, such as `undefined`.
    Word(&'static str),
    /// A promise, as JavaScript prints one.
    Promise,
    /// A JSON object or array, perhaps with the token in it.
    Json,
    /// A text in quotes, perhaps the token.
    Quoted,
    /// Python's notation of bytes, perhaps with the token in it.
    Bytes,
    /// `Bearer` and a word that stands for a missing value, or nothing.
    BearerOf(&'static str),
    /// The words of an HTTP status, with which an endpoint answers that failed.
    Status(&'static str),
    /// `Bearer` and a text, perhaps the token.
    Bearer,
    /// The token within what Python's helper library makes of its object as a text.
    Printed,
    /// A web page.
    Html,
    /// TwiML.
    Twiml,
    /// Some other XML.
    Xml,
    /// An address.
    Url,
    /// A SID.
    Sid(String),
    /// 32 lower-case hexadecimal digits, as an Auth Token has, and some digests.
    Hexadecimal,
    /// What a manual has where a value is to be filled in.
    Placeholder,
    /// Some text of so many characters.
    Text(usize),
}

/// How much a logger has masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// A part.
    Part,
    /// All or a part of it, or nothing: a run of one character may have been sent as well.
    Unsure,
}

/// What languages print for a value that is not there, or not a text.
const WORDS: [&str; 12] = [
    "undefined",
    "null",
    "[object Object]",
    "None",
    "nil",
    "NULL",
    "(null)",
    "NaN",
    "true",
    "false",
    "0",
    "Optional(nil)",
];

/// What loggers write over a secret, in lower case.
const MASKS: [&str; 22] = [
    "redacted",
    "filtered",
    "masked",
    "hidden",
    "removed",
    "protected",
    "scrubbed",
    "sanitized",
    "obfuscated",
    "censored",
    "omitted",
    "concealed",
    "withheld",
    "suppressed",
    "stripped",
    "elided",
    "snip",
    "snipped",
    "truncated",
    "anonymized",
    "hashed",
    "confidential",
];

/// What they write in brackets, and nothing beside it.
const BRACKETED_MASKS: [&str; 17] = [
    "sensitive",
    "secret",
    "private",
    "token",
    "jwt",
    "access_token",
    "cut",
    "secure",
    "string",
    "credential",
    "credentials",
    "header",
    "payload",
    "claims",
    "signature",
    "sig",
    "...",
];

/// What they write in brackets behind a number: how long the secret is.
const LENGTHS: [&str; 7] = ["char", "chars", "characters", "byte", "bytes", "more", "b"];

/// What they write before a digest of it.
const DIGESTS: [&str; 5] = ["sha256:", "sha-256:", "sha1:", "md5:", "hash:"];

/// What placeholders hold, in lower case.
const PLACEHOLDERS: [&str; 6] = ["xxxx", "your-", "your_", "your ", "changeme", "placeholder"];

/// Longest text in brackets that is looked at for a mask's word, in bytes.
const MASK_BYTES_MAX: usize = 64;

/// Shortest run of `x` that is a mask: base64url of a header or payload never has one, a signature hardly ever.
const X_RUN_MIN: usize = 8;

/// Recognises a value that is wholly a mask.
pub fn is_mask(raw: &[u8]) -> bool {
    let text = raw.trim_ascii();
    let starts = |word: &&str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    is_bracketed_mask(text) || is_mask_word(text) || is_mask_run(text) || DIGESTS.iter().any(starts)
}

/// Recognises what hides the token that was sent: a mask, or what may be a digest of it.
pub fn is_veil(raw: &[u8]) -> bool {
    is_mask(raw) || is_hexadecimal(raw.trim_ascii())
}

/// Recognises a mask over a part of what may not even begin as a token does.
pub(super) fn has_plain_mask(raw: &[u8]) -> bool {
    let has = |needle: &str| memchr::memmem::find(raw, needle.as_bytes()).is_some();
    has("***") || has("•••") || has("###") || has_bracketed_mask(raw)
}

/// Where a run of `x` begins that may be a mask over a part.
pub(super) fn x_run(raw: &[u8]) -> Option<usize> {
    raw.windows(X_RUN_MIN).position(|run| run.iter().all(|byte| byte.eq_ignore_ascii_case(&b'x')))
}

/// Recognises a mask over a part.
pub fn has_mask(raw: &[u8]) -> bool {
    has_sure_mask(raw) || x_run(raw).is_some()
}

/// Recognises a mask over a part, if it can be nothing else.
pub(super) fn has_sure_mask(raw: &[u8]) -> bool {
    let is_named = |part: &[u8]| part.eq_ignore_ascii_case(b"signature") || is_mask_word(part);
    if has_plain_mask(raw) || raw.split(|byte| *byte == b'.').skip(1).any(is_named) {
        return true;
    }
    let find = |needle: &str| memchr::memmem::find(raw, needle.as_bytes());
    // An ellipsis with something after it: first and last characters are shown. At the end it is a cut.
    let after = |needle: &str| find(needle).and_then(|at| raw.get(at + needle.len()..)).map(<[u8]>::trim_ascii_start);
    ["...", "…"].into_iter().filter_map(after).any(|rest| rest.first().is_some_and(u8::is_ascii_alphanumeric))
        && !has_cut_mark(raw)
}

/// Recognises the mark of a logger that cut the value: an ellipsis at the end, or words that say so.
pub(super) fn has_cut_mark(raw: &[u8]) -> bool {
    let text = raw.trim_ascii_end().to_ascii_lowercase();
    let marks = ["truncated", "more char", "more byte", "<snip", "[snip", "(snip", "<cut", "[cut", "(cut"];
    text.ends_with(b"...")
        || text.ends_with("…".as_bytes())
        || marks.iter().any(|mark| memchr::memmem::find(&text, mark.as_bytes()).is_some())
}

/// Recognises what is no token, and has a form that tells what it is instead.
pub fn instead(raw: &[u8]) -> Option<Instead> {
    let text = raw.trim_ascii();
    if text.is_empty() {
        return Some(Instead::Empty);
    }
    if let Some(word) = WORDS.into_iter().find(|word| text == word.as_bytes()) {
        return Some(Instead::Word(word));
    }
    let starts =
        |prefix: &str| text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()));
    match text.first()? {
        b'[' if text == b"[object Promise]" => return Some(Instead::Promise),
        b'{' | b'[' => return Some(Instead::Json),
        b'<' if starts("<Response") || (starts("<?xml") && memchr::memmem::find(text, b"<Response").is_some()) => {
            return Some(Instead::Twiml);
        }
        b'<' if starts("<?xml") => return Some(Instead::Xml),
        b'<' if starts("<AccessToken ") && memchr::memmem::find(text, b"eyJ").is_some() => {
            return Some(Instead::Printed);
        }
        b'<' if is_filled_in(text) => return Some(Instead::Placeholder),
        b'<' => return Some(Instead::Html),
        b'"' | b'\'' | b'`' => return Some(Instead::Quoted),
        b'b' if matches!(text.get(1), Some(b'"' | b'\'')) => return Some(Instead::Bytes),
        b'\\' if matches!(text.get(1), Some(b'"' | b'\'')) => return Some(Instead::Quoted),
        _ => {}
    }
    if starts("Promise {") {
        return Some(Instead::Promise);
    }
    if starts("bearer ") || starts("bearer:") {
        let behind = text.get(7..).unwrap_or_default().trim_ascii();
        let word = if behind.is_empty() { Some("") } else { WORDS.into_iter().find(|word| behind == word.as_bytes()) };
        return Some(word.map_or(Instead::Bearer, Instead::BearerOf));
    }
    if starts("http://") || starts("https://") || starts("ws://") || starts("wss://") {
        return Some(Instead::Url);
    }
    if is_sid(text) {
        return Some(Instead::Sid(String::from_utf8_lossy(text).into_owned()));
    }
    is_hexadecimal(text).then_some(Instead::Hexadecimal)
}

/// What endpoints answer that fail.
const STATUSES: [&str; 10] = [
    "Unauthorized",
    "Forbidden",
    "Not Found",
    "Bad Request",
    "Internal Server Error",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
    "Too Many Requests",
    "Method Not Allowed",
];

/// Recognises the words of an HTTP status.
pub fn status(raw: &[u8]) -> Option<&'static str> {
    STATUSES.into_iter().find(|words| raw.trim_ascii().eq_ignore_ascii_case(words.as_bytes()))
}

/// Describes a text by nothing but its length, unless everybody knows it.
pub(super) fn text(raw: &[u8]) -> Instead {
    let text = raw.trim_ascii();
    if let Some(words) = status(text) {
        return Instead::Status(words);
    }
    let lower = text.to_ascii_lowercase();
    let has = |mark: &&str| memchr::memmem::find(&lower, mark.as_bytes()).is_some();
    if PLACEHOLDERS.iter().any(has) {
        return Instead::Placeholder;
    }
    Instead::Text(String::from_utf8_lossy(raw).chars().count())
}

/// `<your-token>`: words in angle brackets, and no element of a page.
fn is_filled_in(text: &[u8]) -> bool {
    let words = text.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or_default();
    let is_wordy = words.iter().all(|byte| byte.is_ascii_alphanumeric() || b" _-.:".contains(byte));
    is_wordy && words.iter().filter(|byte| b" _-".contains(byte)).count() > 0
}

fn is_hexadecimal(text: &[u8]) -> bool {
    text.len() == 32 && text.iter().all(|byte| is_hex_digit(*byte))
}

/// Says whether a text has the form of a SID that may be shown: two capitals, 32 lower-case hexadecimal digits.
pub fn is_sid(text: &[u8]) -> bool {
    let Some((prefix, digits)) = text.split_first_chunk::<2>() else { return false };
    let Some(digits) = digits.first_chunk::<32>().filter(|_| digits.len() == 32) else { return false };
    // Without a branch a digit, so that it becomes vector instructions.
    prefix.iter().all(u8::is_ascii_uppercase) && digits.iter().fold(true, |all, byte| all & is_hex_digit(*byte))
}

const fn is_hex_digit(byte: u8) -> bool {
    byte.is_ascii_digit() | (byte.wrapping_sub(b'a') < 6)
}

/// Recognises one character over and over that is no usual mask.
pub(super) fn is_plain_run(raw: &[u8]) -> bool {
    let text = raw.trim_ascii();
    text.first().is_some_and(|first| b"xX.-_?".contains(first)) && is_mask_run(text)
}

fn is_mask_run(text: &[u8]) -> bool {
    if text.first().is_some_and(|first| first.is_ascii_alphanumeric() && !first.eq_ignore_ascii_case(&b'x')) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let Some(first) = text.chars().next() else { return false };
    let shortest = match first {
        '*' | '•' | '●' | '█' | '…' => 1,
        'x' | 'X' | '#' | '.' | '-' | '_' | '?' => 3,
        _ => return false,
    };
    text.chars().count() >= shortest && text.chars().all(|c| c == first)
}

/// `REDACTED`, `__redacted__`, `REDACTED_TOKEN`.
fn is_mask_word(text: &[u8]) -> bool {
    const PARTS_MAX: usize = 3;
    let is_wordy = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-#%|*~:".contains(byte);
    let mut parts = text.split(|byte| !byte.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    text.len() <= MASK_BYTES_MAX
        && text.iter().all(is_wordy)
        && parts.clone().count() <= PARTS_MAX
        && parts.any(|part| MASKS.iter().any(|mask| part.eq_ignore_ascii_case(mask.as_bytes())))
}

fn is_bracketed_mask(text: &[u8]) -> bool {
    let closing = match text.first() {
        Some(b'[') => b']',
        Some(b'<') => b'>',
        Some(b'(') => b')',
        Some(b'{') => b'}',
        Some(b'*') => b'*',
        _ => return false,
    };
    if text.len() > MASK_BYTES_MAX || text.last() != Some(&closing) {
        return false;
    }
    let inner = text.get(1..text.len() - 1).unwrap_or_default().to_ascii_lowercase();
    let is_wordy = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-:.*[]<>(){}".contains(byte);
    BRACKETED_MASKS.iter().any(|mask| inner == mask.as_bytes())
        || inner == "…".as_bytes()
        || is_length(&inner)
        || (inner.iter().all(is_wordy)
            && MASKS.iter().any(|mask| memchr::memmem::find(&inner, mask.as_bytes()).is_some()))
}

/// `528 chars`, `+528 more bytes`, `…+528`.
fn is_length(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"...").or_else(|| text.strip_prefix("…".as_bytes())).unwrap_or(text);
    let (has_plus, text) = text.strip_prefix(b"+").map_or((false, text), |rest| (true, rest));
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let words = text.get(digits..).unwrap_or_default();
    let mut words = words.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).peekable();
    digits > 0
        && (has_plus || words.peek().is_some())
        && words.all(|word| LENGTHS.iter().any(|unit| word == unit.as_bytes()))
}

fn has_bracketed_mask(raw: &[u8]) -> bool {
    raw.iter().enumerate().filter(|(_, byte)| b"[<({".contains(byte)).any(|(from, _)| {
        let rest = raw.get(from..).unwrap_or_default();
        let near = rest.get(..MASK_BYTES_MAX).unwrap_or(rest);
        near.iter()
            .position(|byte| b"]>)}".contains(byte))
            .and_then(|end| near.get(..=end))
            .is_some_and(is_bracketed_mask)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: impl Into<Option<Instead>>) {
        assert_eq!(instead(raw.as_bytes()), expected.into());
    }

    #[test]
    fn what_is_no_token_is_named() {
        check("", Some(Instead::Empty));
        check(" \n", Some(Instead::Empty));
        check("undefined", Some(Instead::Word("undefined")));
        check("[object Object]", Some(Instead::Word("[object Object]")));
        check("[object Promise]", Some(Instead::Promise));
        check("Promise { <pending> }", Some(Instead::Promise));
        check("Promise { 'eyJhbGciOiJIUzI1NiJ9' }", Some(Instead::Promise));
        check("false", Some(Instead::Word("false")));
        check("0123456789abcdef0123456789abcdef", Some(Instead::Hexadecimal));
        check("0123456789ABCDEF0123456789ABCDEF", None);
        check(r#"{"token":"eyJ"}"#, Some(Instead::Json));
        check(r#""eyJ""#, Some(Instead::Quoted));
        check(r#"\"eyJ\""#, Some(Instead::Quoted));
        check("Bearer eyJ", Some(Instead::Bearer));
        check("<!DOCTYPE html><html>", Some(Instead::Html));
        check(r#"<?xml version="1.0"?><Response><Say>Hi</Say></Response>"#, Some(Instead::Twiml));
        check("<?xml version='1.0'?><Error/>", Some(Instead::Xml));
        check("https://example.com/token", Some(Instead::Url));
        check("SK0123456789abcdef0123456789abcdef", Some(Instead::Sid("SK0123456789abcdef0123456789abcdef".into())));
        check("eyJhbGciOiJIUzI1NiJ9", None);
        check("<AccessToken eyJhbGciOiJIUzI1NiJ9.e30.x>", Some(Instead::Printed));
        check("<AccessToken b'eyJhbGciOiJIUzI1NiJ9.e30.x'>", Some(Instead::Printed));
        check("<AccessToken here>", Some(Instead::Placeholder));
        check("<your-access-token>", Some(Instead::Placeholder));
        check("<div class=\"x\">", Some(Instead::Html));
        check("<h1>", Some(Instead::Html));
    }

    #[test]
    fn placeholders_are_told_from_other_texts() {
        for placeholder in ["ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "your_token_here", "CHANGEME", "my-placeholder"] {
            assert_eq!(text(placeholder.as_bytes()), Instead::Placeholder, "{placeholder}");
        }
        assert_eq!(text(b"some text"), Instead::Text(9));
    }

    #[test]
    fn masks_are_recognised() {
        for mask in [
            "***",
            "*",
            "[REDACTED]",
            "<redacted>",
            "xxxxx",
            "[FILTERED]",
            "[Filtered]",
            "REDACTED",
            "••••",
            "...",
            "<jwt>",
            "(hidden)",
            "<snip>",
            "[snip]",
            "(omitted)",
            "[truncated]",
            "[secure]",
            "<...>",
            "[528 chars]",
            "<+528 more bytes>",
            "__REDACTED__",
            "REDACTED_TOKEN",
            "**redacted**",
            "[redacted: jwt]",
            "sha256:9f86d081884c7d65",
        ] {
            assert!(is_mask(mask.as_bytes()), "{mask}");
        }
        for other in [
            "",
            "xx",
            "undefined",
            "[object Object]",
            "[object Token]",
            "<html>",
            "<Response>",
            "secret",
            "{}",
            "[]",
            "[5]",
            "(5 more)x",
            "removed-by-me-and-not-by-a-logger",
            "[\"masked\"]",
        ] {
            assert!(!is_mask(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn masks_over_a_part_are_recognised() {
        for mask in [
            "eyJh***",
            "eyJh.eyJq.[REDACTED]",
            "eyJh.eyJq.REDACTED",
            "eyJh.eyJq.[signature removed]",
            "eyJh.eyJq.SIGNATURE",
            "eyJh.eyJq.<signature>",
            "eyJh.<payload>",
            "eyJh...[300 more]",
            "eyJh(…+300)",
            "eyJhxxxxxxxx",
            "eyJhbG...w5Zk",
            "eyJh…w5Zk",
            "eyJ•••",
        ] {
            assert!(has_mask(mask.as_bytes()), "{mask}");
        }
        for other in ["eyJhbGciOi...", "eyJhbGciOi…", "eyJh.xxxxxxx.a", "eyJh..iv.c.t", "eyJh... 12 more characters"]
        {
            assert!(!has_mask(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn cuts_are_recognised() {
        for cut in
            ["eyJhbGci...", "eyJhbGci…", "eyJhbGci... 523 more characters", "eyJhbGci[truncated]", "eyJ (Truncated)"]
        {
            assert!(has_cut_mark(cut.as_bytes()), "{cut}");
        }
        assert!(!has_cut_mark(b"eyJhbGci"));
    }
}
