//! What can be wrong with a config file, and how it is said.
//!
//! A value that was found is printed only where it can't be a secret: numbers, and the short words of settings that
//! have a closed list. A SID, a secret or a line of the file is never printed.

use std::fmt;

use crate::config::CONFIG_BYTES_MAX;
use crate::config::secret::SECRET_BYTES_MAX;

/// Longest word that is repeated, in characters.
const FOUND_CHARS_MAX: usize = 64;
/// Letters and digits in a row from which on they may be a secret: those of Twilio's have 32.
const SECRET_CHARS: usize = 32;

/// All that is wrong with one config; prints one problem after the other.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The config can't be used.
    Error,
    /// The config works, and probably not as it was meant.
    Warning,
}

/// One thing that is wrong, and where.
///
/// Prints as `config.toml:14:16: `pairing.window_lines`: expected 1 to 10000, but found 0`, and what to do below it.
#[derive(Debug)]
pub struct Problem {
    /// The file as it was named, or what stands for it.
    pub file: String,
    /// Line and column, both from 1; the column counts characters.
    pub place: Option<(usize, usize)>,
    /// The key with the sections it stands in.
    pub key: Option<String>,
    /// Whether the config can be used in spite of it.
    pub severity: Severity,
    /// What is wrong.
    pub fault: Fault,
}

impl Problem {
    /// An error of a file as a whole.
    pub(super) fn of_file(file: String, fault: Fault) -> Self {
        Self { file, place: None, key: None, severity: Severity::Error, fault }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if self.severity == Severity::Warning {
            f.write_str(" warning:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " `{key}`:")?;
        }
        write!(f, " {}", self.fault)?;
        match self.fault.help() {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The file can't be opened or read: the system's error.
    Unreadable(String),
    /// The file is longer than [`CONFIG_BYTES_MAX`].
    TooLong,
    /// The file is no UTF-8.
    NotUtf8,
    /// The file is no TOML: the parser's sentence.
    Syntax(String),
    /// A key that nothing reads, and the keys that are read there.
    UnknownKey(String, Vec<&'static str>),
    /// A key that must be there: what it holds.
    Missing(&'static str),
    /// A value of another type: expected and found.
    Type(&'static str, &'static str),
    /// `[name]` where `[[name]]` is meant.
    NotAList(&'static str),
    /// A number outside its range: least, most and found.
    Range(i64, i64, String),
    /// A word that is not in the list: the list, and the word.
    Word(Vec<&'static str>, String),
    /// A name that can't be a metric label.
    Name,
    /// A SID with another form: its prefix, and what was found instead.
    Sid(&'static str, SidFault),
    /// A value that stands there already: what is the same, and the line of the first.
    Duplicate(&'static str, usize),
    /// A second source that reads standard input: the line of the first.
    SecondStdin(usize),
    /// A list without an entry: what it holds, and an example.
    Empty(&'static str, &'static str),
    /// A glob that can't be read: the reason.
    Glob(String),
    /// An address to listen at that can't be read, and a proposal.
    Listen(Option<String>),
    /// A time zone that the system's database does not know, and a proposal.
    Timezone(Option<String>),
    /// A secret given in more than one way: the other keys.
    SecretTwice(Vec<&'static str>),
    /// An empty secret.
    SecretEmpty,
    /// A secret longer than [`SECRET_BYTES_MAX`].
    SecretTooLong,
    /// A secret file that can't be read: its path, unless that looks like a secret, and the system's error.
    SecretFile(Option<String>, String),
    /// An environment variable that is not set: its name, unless that looks like a secret.
    SecretEnv(Option<String>),
    /// A secret with white space at an end.
    SecretSpace,
    /// An API key's secret that has the form of an Auth Token.
    SecretLooksLikeAuthToken,
    /// An Auth Token that has another form.
    AuthTokenForm,
    /// A region that Twilio has retired: its name.
    RegionRetired(String),
    /// Nothing will be read.
    NoSource,
    /// A setting with a form of its own: what is expected, and what to do.
    Setting(&'static str, &'static str),
}

/// What was found instead of a SID. The value itself is not said: it may be a secret in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidFault {
    /// Another prefix with the right length.
    Prefix,
    /// Another length, in characters.
    Length(usize),
    /// Something else than hexadecimal digits.
    Digits,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "can't be read: {error}"),
            Self::TooLong => write!(f, "expected at most {CONFIG_BYTES_MAX} bytes, but found more"),
            Self::NotUtf8 => f.write_str("expected UTF-8, but found other bytes"),
            Self::Syntax(message) => write!(f, "not TOML: {message}"),
            Self::UnknownKey(..) => f.write_str("unknown key"),
            Self::Missing(what) => write!(f, "expected {what}, but found nothing"),
            Self::Type(expected, found) => write!(f, "expected {expected}, but found {found}"),
            Self::NotAList(name) => write!(f, "expected a list of tables, `[[{name}]]`, but found a single table"),
            Self::Range(least, most, found) => write!(f, "expected {least} to {most}, but found {found}"),
            Self::Word(known, found) => write!(f, "expected {}, but found `{}`", either(known), shown(found)),
            Self::Name => f.write_str("expected 1 to 64 letters, digits, `_`, `-` or `.`, but found something else"),
            Self::Sid(prefix, fault) => {
                write!(f, "expected `{prefix}` and 32 hexadecimal digits, but found ")?;
                match fault {
                    SidFault::Prefix => f.write_str("another prefix"),
                    SidFault::Length(1) => f.write_str("1 character"),
                    SidFault::Length(length) => write!(f, "{length} characters"),
                    SidFault::Digits => f.write_str("other characters"),
                }
            }
            Self::Duplicate(what, line) => write!(f, "expected another {what} each time, but line {line} has it too"),
            Self::SecondStdin(line) => {
                write!(f, "expected one source that reads standard input, but line {line} has one")
            }
            Self::Empty(what, _) => write!(f, "expected {what}, but found an empty list"),
            Self::Glob(reason) => write!(f, "expected a glob, but found one that can't be read: {reason}"),
            Self::Listen(_) => f.write_str("expected an IP address and a port, but found something else"),
            Self::Timezone(_) => f.write_str("expected a time zone of the IANA database, but found another word"),
            Self::SecretTwice(others) => {
                write!(f, "expected one way to give the secret, but found {} too", all(others))
            }
            Self::SecretEmpty => f.write_str("expected a secret, but found nothing in it"),
            Self::SecretTooLong => {
                write!(f, "expected a secret of at most {SECRET_BYTES_MAX} bytes, but found more")
            }
            Self::SecretFile(Some(path), error) => write!(f, "{path} can't be read: {error}"),
            Self::SecretFile(None, _) => f.write_str("expected the path of a file, but found what looks like a secret"),
            Self::SecretEnv(Some(name)) => write!(f, "expected the environment variable {name}, but it is not set"),
            Self::SecretEnv(None) => {
                f.write_str("expected the name of an environment variable, but found what looks like a secret")
            }
            Self::SecretSpace => f.write_str("expected no white space around the secret, but found some"),
            Self::SecretLooksLikeAuthToken => {
                f.write_str("expected the secret of an API key, but found what looks like an Auth Token")
            }
            Self::AuthTokenForm => {
                f.write_str("expected an Auth Token of 32 lower-case hexadecimal digits, but found another form")
            }
            Self::RegionRetired(region) => {
                write!(f, "expected a current region, but found `{region}`, which is retired")
            }
            Self::Setting(expected, _) => write!(f, "expected {expected}, but found something else"),
            Self::NoSource => f.write_str("expected a `[[source]]`, but found none: nothing will be read"),
        }
    }
}

impl Fault {
    /// What to change, unless the message says so by itself.
    pub fn help(&self) -> Option<String> {
        let fixed = match self {
            Self::UnknownKey(found, known) => return Some(proposal(found, known, "the keys here are")),
            Self::Word(known, found) => {
                return nearest(found, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            }
            Self::Listen(near) => {
                let near = near.as_deref().unwrap_or("127.0.0.1:15107");
                return Some(format!("write it like \"{near}\""));
            }
            Self::Timezone(Some(near)) => return Some(format!("did you mean `{near}`?")),
            Self::Empty(_, example) => return Some(format!("add an entry, such as \"{example}\"")),
            Self::NotAList(name) => return Some(format!("write `[[{name}]]` in place of `[{name}]`")),
            Self::Unreadable(_) => "name a file that this user can read, or leave it out for the defaults",
            Self::TooLong => "is this the right file?",
            Self::NotUtf8 => "save the file as UTF-8",
            Self::Name => "it becomes the `source` label of the metrics",
            Self::Sid(prefix, _) => sid_help(prefix),
            Self::SecondStdin(_) => "remove one of the two",
            Self::Duplicate(..) => "remove one of the two or rename it",
            Self::Timezone(None) => "write a name such as `UTC` or `Europe/Berlin`",
            Self::SecretTwice(_) => "keep one of them",
            Self::SecretEmpty => "put the secret in, or remove the key: the signature is then not checked",
            Self::SecretTooLong => "is this the right file? It has to hold the secret and nothing else",
            Self::SecretFile(None, _) | Self::SecretEnv(None) => {
                "name where the secret is to be found; the key without `_file` or `_env` holds the secret itself"
            }
            Self::SecretFile(Some(_), _) => {
                "make the file readable for the user that runs diag51007, or correct its path"
            }
            Self::SecretEnv(Some(_)) => "set it for the service, or use a file in its place",
            Self::SecretSpace => "it counts as a part of the secret, so remove it unless it was copied on purpose",
            Self::SecretLooksLikeAuthToken => "an API key has its own secret, which Twilio shows once, when it is made",
            Self::AuthTokenForm => "copy it from the Twilio Console; an API key's secret belongs to a `[[key]]`",
            Self::RegionRetired(_) => "use `us1`, `ie1` or `au1`",
            Self::Setting(_, help) => help,
            Self::NoSource => "add a `[[source]]`, or name files on the command line",
            Self::Syntax(_) | Self::Missing(_) | Self::Type(..) | Self::Range(..) | Self::Glob(_) => return None,
        };
        Some(fixed.to_owned())
    }
}

fn sid_help(prefix: &str) -> &'static str {
    if prefix == "SK" {
        "copy the SID of the API key from the Twilio Console; the secret has a key of its own"
    } else {
        "copy the Account SID from the Twilio Console"
    }
}

/// The nearest of the known words, if it is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = found.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// The nearest word, else the whole list.
fn proposal(found: &str, known: &[&'static str], lead: &str) -> String {
    match nearest(found, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{lead} {}", all(known)),
    }
}

fn either(words: &[&str]) -> String {
    listed(words, "or")
}

fn all(words: &[&str]) -> String {
    listed(words, "and")
}

fn listed(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first @ .., end] => {
            let first: Vec<_> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} {last} `{end}`", first.join(", "))
        }
    }
}

/// A found word without control characters, or its length if it is long or may be a secret.
pub(crate) fn shown(found: &str) -> String {
    let length = found.chars().count();
    if length > FOUND_CHARS_MAX || looks_like_secret(found) {
        return format!("({length} characters)");
    }
    found.chars().flat_map(char::escape_debug).collect()
}

/// Whether a secret may have been put where a word, a name or a path belongs. A path with folders is none.
pub(super) fn looks_like_secret(text: &str) -> bool {
    let mut runs = text.split(|character: char| !character.is_ascii_alphanumeric());
    !text.contains('/') && runs.any(|run| run.len() >= SECRET_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b"]), "`a` or `b`");
        assert_eq!(all(&["a", "b", "c"]), "`a`, `b` and `c`");
    }

    #[test]
    fn only_a_near_word_is_proposed() {
        assert_eq!(nearest("windw_lines", ["window_lines", "window_seconds"]), Some("window_lines"));
        assert_eq!(nearest("FILE", ["file", "stdin"]), Some("file"));
        assert_eq!(nearest("kafka", ["file", "stdin"]), None);
    }

    #[test]
    fn a_found_word_is_escaped_and_a_long_one_is_not_repeated() {
        assert_eq!(shown("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(shown(&"xyz ".repeat(16)), "xyz ".repeat(16));
        assert_eq!(shown(&"xyz ".repeat(17)), "(68 characters)");
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        assert_eq!(shown("SyntheticSecretNotReal0000000001"), "(32 characters)");
        assert_eq!(shown("\"SyntheticSecretNotReal0000000001\""), "(34 characters)");
        assert!(!looks_like_secret("SyntheticSecretNotReal000000001"));
        assert!(!looks_like_secret("/run/00112233445566778899aabbccddeeff/secret"));
    }
}
