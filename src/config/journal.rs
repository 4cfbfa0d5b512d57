//! `[[source]]` with `kind = "journald"`.

use std::path::PathBuf;

use super::Start;
use super::problem::Fault;
use super::read::{Reader, Section};

/// `command`: found through PATH.
pub(super) const COMMAND: &str = "journalctl";

/// `[[source]]` with `kind = "journald"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Units whose entries are read; empty means all.
    pub units: Vec<String>,
    /// `FIELD=value`, as journalctl takes them.
    pub matches: Vec<String>,
    /// Where a journal that the state does not know begins.
    pub start: Start,
    /// The program.
    pub command: PathBuf,
}

pub(super) fn journal(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Journal {
    let units = section.texts(reader, "units", None).unwrap_or_default();
    for unit in &units {
        if unit.value.is_empty() || unit.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let fault = Fault::Setting("the name of a unit", "write it like \"chat.service\" or \"chat-*.service\"");
            reader.error(&unit.span, section.key("units"), fault);
        }
    }
    let matches = section.texts(reader, "matches", None).unwrap_or_default();
    for text in &matches {
        if !is_match(text.value) {
            let fault =
                Fault::Setting("`FIELD=value`", "write it like \"CONTAINER_NAME=chat\"; see `journalctl --fields`");
            reader.error(&text.span, section.key("matches"), fault);
        }
    }
    let command = section.text(reader, "command").map_or_else(
        || COMMAND.into(),
        // A bare name is looked for in PATH.
        |text| if text.value.contains('/') { reader.resolve(text.value) } else { PathBuf::from(text.value) },
    );
    Journal {
        units: units.into_iter().map(|text| text.value.to_owned()).collect(),
        matches: matches.into_iter().map(|text| text.value.to_owned()).collect(),
        start: section.word(reader, "start", &Start::WORDS, Start::default()),
        command,
    }
}

fn is_match(text: &str) -> bool {
    let is_field = |field: &str| {
        !field.is_empty()
            && field.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.split_once('=').is_some_and(|(field, _)| is_field(field)) && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_is_a_field_and_a_value_and_never_an_option() {
        assert!(is_match("_TRANSPORT=stdout") && is_match("CONTAINER_NAME=a=b"));
        for other in ["", "chat", "--file=/etc/passwd", "=x", "name=x"] {
            assert!(!is_match(other), "{other}");
        }
    }
}
