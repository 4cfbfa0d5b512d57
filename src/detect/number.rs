//! Is a number Twilio's code, or one of the many other numbers of a log?

use crate::code::{self, Code};

/// Bytes between a key and its value.
const SEPARATORS_MAX: usize = 12;
/// Bytes between a code and its message.
const MESSAGE_DISTANCE: usize = 24;

/// Words before *code* that make it another kind of code.
const OTHER_CODES: [&[u8]; 57] = [
    b"zip",
    b"postal",
    b"post",
    b"area",
    b"country",
    b"exit",
    b"promo",
    b"coupon",
    b"discount",
    b"voucher",
    b"gift",
    b"product",
    b"item",
    b"bar",
    b"qr",
    b"short",
    b"source",
    b"byte",
    b"op",
    b"uni",
    b"geo",
    b"hash",
    b"pass",
    b"key",
    b"char",
    b"color",
    b"currency",
    b"tax",
    b"city",
    b"state",
    b"verification",
    b"confirmation",
    b"otp",
    b"pin",
    b"access",
    b"invite",
    b"referral",
    b"security",
    b"login",
    b"signin",
    b"time",
    b"sms",
    b"backup",
    b"recovery",
    b"activation",
    b"pairing",
    b"booking",
    b"tracking",
    b"order",
    b"customer",
    b"branch",
    b"sort",
    b"dial",
    b"your",
    b"use",
    b"enter",
    b"de",
];
/// Words in front of *code* that keep it an error code.
const ERROR_CODES: [&[u8]; 14] = [
    b"err",
    b"error",
    b"twilio",
    b"twilsock",
    b"reason",
    b"api",
    b"sdk",
    b"close",
    b"reject",
    b"fail",
    b"failure",
    b"exception",
    b"disconnect",
    b"result",
];
/// Words that end in *error* and report none.
const NO_ERRORS: [&[u8]; 4] = [b"terror", b"perror", b"setlasterror", b"wsasetlasterror"];
/// Words before a name that declare it, in source code that a log shows.
const DECLARES: [&[u8]; 7] = [b"#define", b"const", b"constexpr", b"int", b"static", b"let", b"var"];
/// Words after a number that make it an amount.
const UNITS: [&[u8]; 50] = [
    b"ms",
    b"s",
    b"sec",
    b"secs",
    b"second",
    b"seconds",
    b"min",
    b"minutes",
    b"us",
    b"ns",
    b"b",
    b"kb",
    b"mb",
    b"gb",
    b"byte",
    b"bytes",
    b"row",
    b"rows",
    b"item",
    b"items",
    b"times",
    b"lines",
    b"requests",
    b"users",
    b"files",
    b"records",
    b"messages",
    b"connections",
    b"retries",
    b"errors",
    b"points",
    b"usd",
    b"eur",
    b"km",
    b"samples",
    b"occurrences",
    b"hits",
    b"attempts",
    b"tries",
    b"calls",
    b"events",
    b"entries",
    b"objects",
    b"clients",
    b"sessions",
    b"packets",
    b"blocks",
    b"pages",
    b"characters",
    b"hours",
];

/// No letter, digit, decimal point, thousands separator, port or range around it.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    // the last digit of a percent-encoded byte (`%3D`) may stand right before
    let encoded = start >= 3 && percent_encoded(text, start - 3).is_some()
        || follows_colour(text, start)
        || text.get(..start).is_some_and(is_escaped_quote);
    if (before.is_ascii_alphanumeric() && !encoded) || matches!(before, b'_' | b'-' | b'.' | b'+' | b'/' | b'$' | b'@')
    {
        return false;
    }
    let thousands = before == b',' && start >= 2 && text.get(start - 2).is_some_and(u8::is_ascii_digit);
    let rest = text.get(end..).unwrap_or_default();
    let digit_at = |at: usize| rest.get(at).is_some_and(u8::is_ascii_digit);
    let follows = match rest.first() {
        None => false,
        // `51007.5`, `51007:80`, `51007-1234`, a range (`51007..51009`), the name of a file (`51007.log`)
        Some(b'.') => {
            digit_at(1)
                || rest.get(1).is_some_and(u8::is_ascii_lowercase)
                || (rest.get(1) == Some(&b'.') && digit_at(2))
        }
        Some(b':') => digit_at(1),
        Some(b'-') => rest.get(1).is_some_and(u8::is_ascii_alphanumeric),
        Some(b',') => digit_at(1) && digit_at(2) && digit_at(3) && !digit_at(4),
        Some(b'%') => percent_encoded(text, end).is_none(),
        Some(b'/' | b'_' | b'@') => true,
        Some(byte) => byte.is_ascii_alphanumeric(),
    };
    // an address: `10.0.0.1:51007`; not `\u0022:51007`
    let is_of_address = |head: &[u8]| {
        let is_end = head.last().is_some_and(|byte| byte.is_ascii_digit() || *byte == b']');
        is_end && !is_escaped_quote(head) && !head.ends_with(b"%22")
    };
    let port = text.get(..start).and_then(|head| head.strip_suffix(b":")).is_some_and(is_of_address);
    !thousands && !follows && !port
}

/// Ends with a quote as the stricter libraries of JSON write it.
fn is_escaped_quote(head: &[u8]) -> bool {
    head.ends_with(br"\u0022") || head.ends_with(br"\u0027")
}

/// The colour of a terminal (`ESC [ 31 m`) ends right before; it is taken off later.
fn follows_colour(text: &[u8], start: usize) -> bool {
    let Some(head) = text.get(start.saturating_sub(16)..start).and_then(|head| head.strip_suffix(b"m")) else {
        return false;
    };
    let codes = head.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    let escape = head.get(..head.len() - codes).and_then(|head| head.strip_suffix(b"["));
    escape.is_some_and(|escape| escape.ends_with(b"\x1B") || escape.to_ascii_lowercase().ends_with(br"\u001b"))
}

/// The code's own message stands right before or after the number.
pub(super) fn beside_message(text: &[u8], start: usize, end: usize, code: &Code) -> bool {
    if text.get(..start).is_some_and(|before| before.ends_with(b"/")) {
        return false;
    }
    code.messages.iter().any(|message| {
        let message = message.as_bytes();
        let after = text.get(end..(end + MESSAGE_DISTANCE + message.len()).min(text.len())).unwrap_or_default();
        let before = text.get(start.saturating_sub(MESSAGE_DISTANCE + message.len())..start).unwrap_or_default();
        let close_after = position(after, message).is_some_and(|at| is_gap(after.get(..at).unwrap_or_default()));
        let close_before =
            position(before, message).is_some_and(|at| is_gap(before.get(at + message.len()..).unwrap_or_default()));
        close_after || close_before
    })
}

/// Punctuation only, or the space between two columns of a table: nothing else came between.
fn is_gap(between: &[u8]) -> bool {
    let is_column = between.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    is_column || between.len() <= 4 && between.iter().all(|byte| byte.is_ascii_punctuation() || *byte == b' ')
}

/// Fills a column: of a row with commas, semicolons or tabs between at least three columns, or of a table that is
/// aligned with spaces.
pub(super) fn is_column(text: &[u8], start: usize, end: usize) -> bool {
    let after = text.get(end..).unwrap_or_default();
    let after = after.strip_prefix(b"\"").unwrap_or(after);
    let before = text.get(..start).unwrap_or_default();
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    if before.ends_with(b"  ") && after.starts_with(b"  ") {
        return true;
    }
    let is_separator = |byte: u8| b",;\t".contains(&byte);
    let separator = match (before.last(), after.first()) {
        // These two are all that is asked for.
        (Some(before), Some(after)) => return before == after && is_separator(*before),
        (Some(before), None) if is_separator(*before) => *before,
        (None, Some(after)) if is_separator(*after) => *after,
        _ => return false,
    };
    memchr::memchr_iter(separator, text).count() >= 2
}

/// The id of one of Twilio's alerts, and a level.
pub(super) fn has_alert(text: &[u8]) -> bool {
    const LEVELS: [&[u8]; 2] = [b"error", b"warning"];
    let words = || text.split(|byte| !byte.is_ascii_alphanumeric());
    let is_alert = |word: &[u8]| {
        word.len() == 34 && word.strip_prefix(b"NO").is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit))
    };
    words().any(is_alert) && words().any(|word| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word)))
}

fn position(text: &[u8], message: &[u8]) -> Option<usize> {
    text.windows(message.len()).position(|window| window.eq_ignore_ascii_case(message))
}

/// The value of an error-code field, or right after a word like *error* or *code*. `twilio` says whether a doubtful
/// word stands near Twilio.
pub(super) fn is_code_value(text: &[u8], start: usize, end: usize, twilio: impl Fn() -> bool) -> bool {
    let dumped = text.get(..start).and_then(dumped_key);
    let Some(key_end) = dumped.or_else(|| skip_separators(text, start)) else { return false };
    let separators = text.get(key_end..start).unwrap_or_default();
    let head = text.get(..key_end).unwrap_or_default();
    let word_start = head.iter().rposition(|byte| !is_word_byte(*byte)).map_or(0, |at| at + 1);
    let word = head.get(word_start..).unwrap_or_default();
    if word.is_empty() || word.len() > 48 {
        return false;
    }
    let is_field = separators.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'=' | b'>'));
    let after = text.get(end..).unwrap_or_default();
    if !is_field && (followed_by_unit(after) || is_process(word, separators, after)) {
        return false;
    }
    let mut folded = [0_u8; 48];
    let folded = fold(word, &mut folded);
    if let Some(prefix) = folded.strip_suffix(b"code") {
        let listed = |words: &[&[u8]]| words.iter().any(|word| prefix.ends_with(word));
        if prefix.is_empty() {
            let before = head.get(..word_start).unwrap_or_default();
            // `<code>51007</code>` and `class="code">51007` set a number in a page; Twilio's XML has `<Code>`.
            let is_in_page = word == b"code" && separators.ends_with(b">");
            return !named_otherwise(before) && (!is_in_page || twilio());
        }
        return listed(&ERROR_CODES) || (!listed(&OTHER_CODES) && !prefix.ends_with(b"status") && twilio());
    }
    if folded.ends_with(b"errors") || folded.ends_with(b"codes") {
        return separators.contains(&b'[');
    }
    if folded.ends_with(b"error") || folded.ends_with(b"errorno") || folded == b"err" || folded == b"errno" {
        return !NO_ERRORS.contains(&folded) && !is_declared(word, head.get(..word_start).unwrap_or_default());
    }
    // `com.twilio.voice.RegistrationException: 51119, `
    (is_error_name(word, separators, after) || (folded.ends_with(b"exception") && separators == b": ")) && twilio()
}

/// `ERROR 51007 --- [main]`, `ERROR 51007 [main]`: a level and the process that wrote the line.
fn is_process(level: &[u8], separators: &[u8], after: &[u8]) -> bool {
    let is_level = level == b"ERROR" || level == b"error" || level == b"Error";
    let is_beside = separators.iter().all(|byte| *byte == b' ');
    is_level && is_beside && (after.starts_with(b" --- ") || (level == b"ERROR" && after.starts_with(b" [")))
}

/// `AccessTokenInvalid (20101):` — the name of an SDK's error class and its code in parentheses. Models, standards and
/// limits are written the same way, so Twilio must be near.
fn is_error_name(word: &[u8], separators: &[u8], after: &[u8]) -> bool {
    let capitals = word.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    separators == b" ("
        && after.starts_with(b"):")
        && (2..word.len()).contains(&capitals)
        && word.iter().all(u8::is_ascii_alphanumeric)
}

/// `#define X_ERROR 51007`, `const int X_ERROR = 51007;`: the name of a constant, and the word in front of it.
fn is_declared(name: &[u8], before: &[u8]) -> bool {
    if name.iter().any(u8::is_ascii_lowercase) {
        return false;
    }
    let before = before.trim_ascii_end();
    let start = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    DECLARES.contains(&before.get(start..).unwrap_or_default())
}

/// `zip code 51007`: the word in front of *code*.
fn named_otherwise(before: &[u8]) -> bool {
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let start = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = before.get(start..).unwrap_or_default();
    // a part of an id, or a value: `id=7c1d-de code=51007`
    let run = before.iter().rposition(|byte| !is_word_byte(*byte)).map_or(0, |at| at + 1);
    let is_id = before.get(run..start).is_some_and(|part| part.iter().any(u8::is_ascii_digit));
    if is_id || before.get(..run).is_some_and(|before| before.ends_with(b"=")) {
        return false;
    }
    if ends_with_ignoring_case(before, b"twilio verify:") {
        return true;
    }
    if word.eq_ignore_ascii_case(b"with") {
        // `exited with code 51007`, but `refused with code 51007`
        let end = before.get(..start).unwrap_or_default().trim_ascii_end();
        return [b"exited".as_slice(), b"exit", b"terminated", b"finished"].iter().any(|verb| end.ends_with(verb));
    }
    OTHER_CODES.iter().any(|other| other.eq_ignore_ascii_case(word)) || word.eq_ignore_ascii_case(b"status")
}

fn ends_with_ignoring_case(text: &[u8], end: &[u8]) -> bool {
    text.len().checked_sub(end.len()).and_then(|at| text.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn followed_by_unit(after: &[u8]) -> bool {
    let Some(rest) = after.strip_prefix(b" ") else { return false };
    let length = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest.get(..length).unwrap_or_default();
    UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
}

/// `[code] => 51007`, `["code"]=>⏎  int(51007)`, `["code"]=>⏎  string(5) "51007"`: where the key ends that PHP dumps
/// before a number.
fn dumped_key(head: &[u8]) -> Option<usize> {
    let of_text = || head.strip_suffix(b"string(5) \"");
    let head = head.strip_suffix(b"int(").or_else(of_text).unwrap_or(head);
    let key = head.trim_ascii_end().strip_suffix(b"=>")?.trim_ascii_end().strip_suffix(b"]")?;
    Some(key.strip_suffix(b"\"").unwrap_or(key).len())
}

/// The end of the word in front of the separators in front of `start`; `None` if there are none.
fn skip_separators(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut lone_space_only = true;
    while start - at < SEPARATORS_MAX {
        if at >= 3 && percent_encoded(text, at - 3).is_some_and(|byte| b"\"'=: [>".contains(&byte)) {
            at -= 3;
            lone_space_only = false;
            continue;
        }
        match at.checked_sub(1).and_then(|before| text.get(before)) {
            Some(b'"' | b'\'' | b'\\' | b'`' | b'*' | b'(' | b'[' | b' ' | b':' | b'=' | b'>' | b'#' | b'\t') => {
                lone_space_only &= text.get(at - 1) == Some(&b' ');
                at -= 1;
            }
            _ => break,
        }
    }
    (at < start && !(lone_space_only && start - at > 1)).then_some(at)
}

/// The byte that a percent-encoding at `at` stands for.
fn percent_encoded(text: &[u8], at: usize) -> Option<u8> {
    let (&[b'%', high, low], _) = text.get(at..)?.split_first_chunk::<3>()? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Letters and digits in lower case.
fn fold<'a>(word: &[u8], buffer: &'a mut [u8; 48]) -> &'a [u8] {
    let mut length = 0;
    for byte in word.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        if let Some(slot) = buffer.get_mut(length) {
            *slot = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    buffer.get(..length).unwrap_or_default()
}

/// The text gives a Twilio code that does not count.
pub(super) fn names_other_code(text: &[u8], companion_codes: bool) -> bool {
    let mut from = 0;
    while let Some(length) = text.get(from..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = from + length;
        let rest = text.get(start..).unwrap_or_default();
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let end = start + digits;
        from = end;
        if digits == 5
            && let Some(number) = rest.get(..5).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            && code::find(number).is_some_and(|code| !(code.counts && companion_codes))
            && stands_alone(text, start, end)
            && is_code_value(text, start, end, || true)
        {
            return true;
        }
    }
    false
}
