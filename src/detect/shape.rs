//! The shape of a print: what stays the same when the same place of a program prints the next refusal.
//!
//! Names, numbers and ids of the event must not be part of it, else two clients would be taken for one.

use std::sync::LazyLock;

use memchr::memmem;

use super::sdk::Told;
use crate::envelope::{Format, Record, hash};
use crate::fields;

/// The shape of a text whose code, or message, stands at `at`.
pub(super) fn shape(text: &[u8], record: &Record<'_>, at: usize, told: &Told) -> u64 {
    let prefix = told.prefix.map_or(0, |index| index as u64 + 1);
    let mut parts = [record.format as u64, told.phrase.map_or(0, |phrase| phrase.index as u64 + 1), prefix, 0, 0, 0];
    let [_, _, _, place, words, is_object] = &mut parts;
    match record.format {
        Format::Logfmt => fields::logfmt(text, &mut |field| {
            note_lead(&field, at, words);
            note_path(&field, at, place)
        }),
        Format::Access => {}
        Format::Bare
        | Format::Text
        | Format::Json
        | Format::Docker
        | Format::Cri
        | Format::Journald
        | Format::Syslog
        | Format::Collected => {
            // A JSON field has a key in quotes before it.
            if memchr::memchr(b'"', text.get(..at).unwrap_or_default()).is_some() {
                fields::json(text, &mut |field| {
                    if record.is_json {
                        note_lead(&field, at, words);
                    }
                    note_path(&field, at, place)
                });
            }
            if record.is_json {
                *words ^= record.message;
            } else {
                let (object, before) = lead(text, at);
                (*words, *is_object) = (before, u64::from(object));
            }
        }
    }
    parts.iter().fold(0, |sum, part| (sum ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}

/// Notes the path of the field that holds the position; says whether a later one may hold it.
fn note_path(field: &fields::Field<'_>, at: usize, found: &mut u64) -> bool {
    let is_it = (field.at..=field.at + field.value.len()).contains(&at);
    if is_it {
        *found = field.parents.iter().chain([&field.key]).fold(0, |sum, part| sum.rotate_left(7) ^ hash(part));
    }
    !is_it && field.at <= at
}

/// Notes the word before the object over several lines that holds the position in a text that a field holds:
/// `"connectionError {\n  code: …"`. Before an object on one line may stand the name of the client.
fn note_lead(field: &fields::Field<'_>, at: usize, found: &mut u64) {
    static BREAK: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"{\\n"));
    let before = at.checked_sub(field.at).filter(|_| field.quoted).and_then(|at| field.value.get(..at));
    if let Some(open) = before.and_then(|before| BREAK.find(before)) {
        *found ^= lead(field.value, open + 1).1;
    }
}

/// The words of a text from its end, without what may be of the event: values, and ids and numbers in all their parts.
fn words_before(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let mut end = head.len();
    let runs = std::iter::from_fn(move || {
        end = head.get(..end)?.iter().rposition(|byte| is_part(*byte))? + 1;
        let start = head.get(..end)?.iter().rposition(|byte| !is_part(*byte)).map_or(0, |at| at + 1);
        let run = head.get(start..end)?;
        let is_value = head.get(..start).is_some_and(|before| before.ends_with(b"=") || before.ends_with(b"=\""));
        end = start;
        Some((run, is_value))
    });
    runs.filter(|(run, is_value)| !is_value && !run.iter().any(u8::is_ascii_digit))
        .flat_map(|(run, _)| run.rsplit(|byte| !byte.is_ascii_alphabetic()))
        .filter(|word| word.len() > 1)
}

/// In a text: the word before the object that holds the position (`connectionError {`), or the two words before the
/// position; and whether it was an object.
fn lead(text: &[u8], at: usize) -> (bool, u64) {
    let before = text.get(..at).unwrap_or_default();
    let brace = memchr::memchr(b'{', before);
    let end = brace.unwrap_or(before.len());
    let head = before.get(..end).unwrap_or_default();
    let words = words_before(head).take(if brace.is_some() { 1 } else { 2 });
    (brace.is_some(), words.fold(0, |sum, word| sum.rotate_left(7) ^ hash(word)))
}
