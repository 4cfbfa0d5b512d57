//! What findings are made of. Everything here may be shown.

use std::fmt;

use crate::time::UnixTime;
use crate::token::{Claim, Claims, Field, Missing, Part, is_sid};

/// A value of a token, as far as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// No member.
    Nothing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that is meant as a time.
    Number(f64),
    /// A number that may be anything, so not shown.
    SomeNumber,
    /// A word that everybody knows.
    Word(&'static str),
    /// A SID.
    Sid(String),
    /// A SID that was changed, and how.
    ChangedSid(&'static str),
    /// What examples and templates put in the place of a value.
    Placeholder,
    /// A text of so many characters, not shown.
    Text(usize),
    /// An array.
    Array,
    /// An object.
    Object,
    /// Nothing where it should be, but something under a name that may be shown.
    Elsewhere(String),
}

/// The words that may be shown. Regions are in [`REGIONS`].
const WORDS: [&str; 32] = [
    "hs256",
    "none",
    "None",
    "NONE",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "dir",
    "JWT",
    "jwt",
    "JWE",
    "JWS",
    "twilio-fpa;v=1",
    "twilio-fpa; v=1",
    "twilio-pkrv;v=1",
    "default",
    "undefined",
    "null",
    "NaN",
    "[object Object]",
    "true",
    "false",
];

/// Twilio's regions, the withdrawn ones included.
pub(crate) const REGIONS: [&str; 8] = ["us1", "ie1", "au1", "us2", "br1", "de1", "jp1", "sg1"];

impl Shown {
    /// Clears a value.
    pub(crate) fn of(claim: &Claim<'_>) -> Self {
        match claim {
            Claim::Missing => Self::Nothing,
            Claim::Null => Self::Null,
            Claim::Bool(value) => Self::Bool(*value),
            Claim::Integer(_) | Claim::Number(_) => Self::SomeNumber,
            Claim::Text(text) => Self::of_text(text),
            Claim::Array => Self::Array,
            Claim::Object => Self::Object,
        }
    }

    /// Clears the value of a field, or says where something stands that may be meant for it.
    pub(crate) fn of_field(claims: &Claims<'_>, field: Field) -> Self {
        match (claims.value(field), claims.elsewhere(field)) {
            (Claim::Missing, Some(path)) => Self::Elsewhere(path.to_owned()),
            (value, _) => Self::of(value),
        }
    }

    /// Clears the value of a time claim, whose number may be shown.
    #[expect(clippy::cast_precision_loss, reason = "only times of other ages lose digits")]
    pub(crate) fn of_time(claim: &Claim<'_>) -> Self {
        match claim {
            Claim::Integer(number) => Self::Number(*number as f64),
            Claim::Number(number) => Self::Number(*number),
            Claim::Missing | Claim::Null | Claim::Bool(_) | Claim::Text(_) | Claim::Array | Claim::Object => {
                Self::of(claim)
            }
        }
    }

    fn of_text(text: &str) -> Self {
        if is_sid(text.as_bytes()) {
            return Self::Sid(text.to_owned());
        }
        if let Some(word) = WORDS.into_iter().chain(REGIONS).find(|word| *word == text) {
            return Self::Word(word);
        }
        if let Some(how) = changed_sid(text) {
            return Self::ChangedSid(how);
        }
        let lower = text.to_ascii_lowercase();
        let placeholder = ["xxx", "...", "…", "your", "<", "changeme", "placeholder"];
        if placeholder.iter().any(|mark| lower.contains(mark)) {
            return Self::Placeholder;
        }
        Self::Text(text.chars().count())
    }
}

/// Characters of an Auth Token, and of the secret of an API key.
const SECRET_CHARS: usize = 32;

/// How a text differs from a SID, if it is one but for that.
fn changed_sid(text: &str) -> Option<&'static str> {
    let is_in_other_case = |text: &str| {
        let (prefix, digits) = text.split_at_checked(2)?;
        let sid = prefix.to_ascii_uppercase() + &digits.to_ascii_lowercase();
        is_sid(sid.as_bytes()).then_some(prefix.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    let trimmed = text.trim();
    if trimmed.len() != text.len() {
        return is_sid(trimmed.as_bytes()).then_some(if text.ends_with(['\n', '\r']) {
            "with a line break behind it"
        } else {
            "with white space around it"
        });
    }
    let inner = ['"', '\'', '`'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    if let Some(inner) = inner {
        return is_sid(inner.as_bytes()).then_some("in quotes");
    }
    is_in_other_case(text).map(|is_small| if is_small { "in small letters" } else { "with letters of the other case" })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Null => f.write_str("`null`"),
            Self::Bool(value) => write!(f, "`{value}`"),
            Self::Number(number) => write!(f, "{number}"),
            Self::SomeNumber => f.write_str("a number"),
            // The word is JSON for something else than a text.
            Self::Word(word @ ("true" | "false" | "null")) => write!(f, "the text `\"{word}\"`"),
            Self::Word(word) => write!(f, "`{word}`"),
            Self::ChangedSid(how) => write!(f, "a SID {how}"),
            Self::Sid(sid) => f.write_str(sid),
            Self::Placeholder => f.write_str("a placeholder"),
            Self::Text(0) => f.write_str("an empty text"),
            Self::Text(1) => f.write_str("a text of 1 character"),
            Self::Text(SECRET_CHARS) => write!(f, "a text of {SECRET_CHARS} characters, as many as a secret has"),
            Self::Text(count) => write!(f, "a text of {count} characters"),
            Self::Array => f.write_str("an array"),
            Self::Object => f.write_str("an object"),
            Self::Elsewhere(path) => write!(f, "`{path}`, where Twilio does not look for it"),
        }
    }
}

/// What tells the time of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The refusal's line, or one before.
    Line,
    /// The file's modification time: no line tells one.
    File,
    /// When the line was read: none tells a time.
    Reading,
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line => "when the connection was refused",
            Self::File => "when the file was last written (no line tells when the connection was refused)",
            Self::Reading => "when the line was read (it does not tell when the connection was refused)",
        })
    }
}

/// A legacy token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Of Twilio Client.
    Client,
    /// Of TaskRouter.
    TaskRouter,
}

impl Capability {
    /// The claim that gives it away.
    pub(crate) const fn field(self) -> Field {
        match self {
            Self::Client => Field::Scope,
            Self::TaskRouter => Field::Policies,
        }
    }
}

/// What became of the tokens of a key, each counted once, up to a token whose signature does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    /// So many other tokens fitted in the hour before.
    pub fitted: u32,
    /// So many other tokens did not fit in the hour before.
    pub failed: u32,
    /// The first token since the last one that fitted; no later one fitted.
    pub failing_since: UnixTime,
    /// How many tokens that are, this one included.
    pub failing: u32,
}

/// A change on the way, which undone makes the signature fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `.`, `-` or `_` as `%2E`, `%2D`, `%5F`.
    PercentEncoded,
    /// Base64 over the whole token.
    Base64Encoded,
    /// White space, line breaks, backslashes or invisible characters put in.
    WhiteSpace,
    /// `+` and `/` for `-` and `_`.
    StandardAlphabet,
    /// `=` put after parts.
    Padding,
    /// Two dots for each.
    DoubledDots,
    /// Text put before or after.
    AddedText,
    /// Upper and lower case of the signature changed.
    Case,
    /// Header or payload replaced under a signature that fitted others before.
    Contents,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PercentEncoded => "percent-encoding",
            Self::Base64Encoded => "a second base64 encoding",
            Self::WhiteSpace => "white space or escapes inside",
            Self::StandardAlphabet => "`+` and `/` for `-` and `_`",
            Self::Padding => "`=` padding",
            Self::DoubledDots => "two dots for each",
            Self::AddedText => "text before or after it",
            Self::Case => "changed letter case",
            Self::Contents => "another header or payload",
        })
    }
}

/// Why a time can't be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFault {
    /// Not there.
    Missing,
    /// No number.
    NotANumber,
    /// A number, but as a text.
    Quoted,
    /// Before 1970.
    Negative,
    /// A time in milliseconds.
    Milliseconds,
    /// A time in micro- or nanoseconds, or no time at all.
    FarFuture,
}

/// Why an identity can't be taken. Never holds any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityFault {
    /// A value of this type.
    NotText(&'static str),
    /// So many characters.
    TooLong(usize),
    /// A control character, at this character from 0.
    Control(usize),
}

impl Part {
    /// Its name.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        }
    }
}

impl Missing {
    /// The first part that is not all there.
    pub const fn part(self) -> Part {
        match self {
            Self::Header => Part::Header,
            Self::Payload => Part::Payload,
            Self::Signature | Self::SignatureTail(_) => Part::Signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(claim: &Claim<'_>, expected: &str) {
        assert_eq!(Shown::of(claim).to_string(), expected);
    }

    #[test]
    fn only_sids_and_known_words_are_shown() {
        check(&Claim::Text("MG00000000000000000000000000000001".into()), "MG00000000000000000000000000000001");
        check(&Claim::Text("RS256".into()), "`RS256`");
        check(
            &Claim::Text("SyntheticSecretNotReal0000000001".into()),
            "a text of 32 characters, as many as a secret has",
        );
        check(
            &Claim::Text("00112233445566778899aabbccddeeff".into()),
            "a text of 32 characters, as many as a secret has",
        );
        check(&Claim::Text("alice@example.com".into()), "a text of 17 characters");
        check(&Claim::Text("ACxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".into()), "a placeholder");
        check(&Claim::Text("IS...".into()), "a placeholder");
        check(&Claim::Integer(15_551_234_567), "a number");
        check(&Claim::Text("".into()), "an empty text");
        check(&Claim::Missing, "nothing");
    }

    #[test]
    fn the_number_of_a_time_claim_is_shown() {
        assert_eq!(Shown::of_time(&Claim::Integer(1_795_491_275_994)).to_string(), "1795491275994");
        assert_eq!(Shown::of_time(&Claim::Text("1795491275".into())).to_string(), "a text of 10 characters");
    }
}
