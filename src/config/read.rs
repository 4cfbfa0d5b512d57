//! A TOML document read section by section, with every fault collected.
//!
//! Knows types, ranges and places, and nothing of what a setting means. Does not stop at a fault: the default stands
//! in for a value that can't be used, so that one run finds all faults of a file.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::Environment;
use crate::config::problem::{Fault, Problem, Severity};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What is known while a file is read, and what was found.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    folder: &'a Path,
    pub(super) environment: Environment<'a>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, folder: &'a Path, environment: Environment<'a>) -> Self {
        Self { file, text, folder, environment, errors: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn error(&mut self, span: &Range<usize>, key: impl Into<Option<String>>, fault: Fault) {
        let problem = self.problem(span, key.into(), Severity::Error, fault);
        self.errors.push(problem);
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, key: impl Into<Option<String>>, fault: Fault) {
        let problem = self.problem(span, key.into(), Severity::Warning, fault);
        self.warnings.push(problem);
    }

    fn problem(&self, span: &Range<usize>, key: Option<String>, severity: Severity, fault: Fault) -> Problem {
        Problem { file: self.file.to_owned(), place: Some(place(self.text, span.start)), key, severity, fault }
    }

    /// The line of a span, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        place(self.text, span.start).0
    }

    /// A path as the config means it: a relative one begins at the folder of the config file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A glob as the config means it; the folder's own name is taken literally.
    pub(super) fn resolve_glob(&self, glob: &str) -> String {
        if Path::new(glob).is_absolute() {
            return glob.to_owned();
        }
        Path::new(&globset::escape(&self.folder.display().to_string())).join(glob).display().to_string()
    }
}

/// Line and column of a byte, from 1; the column counts characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// One table of the document. Remembers what was asked for: anything else in it is an unknown key.
pub(super) struct Section<'t, 'i> {
    name: String,
    table: &'t DeTable<'i>,
    pub(super) span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'t, 'i> Section<'t, 'i> {
    pub(super) fn root(document: &'t Spanned<DeTable<'i>>) -> Self {
        Self { name: String::new(), table: document.get_ref(), span: document.span(), known: Vec::new() }
    }

    /// The full name of a key in this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn value(&mut self, key: &'static str) -> Option<(&'t DeValue<'i>, Range<usize>)> {
        self.known.push(key);
        self.table.get(key).map(|value| (value.get_ref(), value.span()))
    }

    fn wrong_type(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        expected: &'static str,
        value: &DeValue<'_>,
        span: &Range<usize>,
    ) {
        reader.error(span, self.key(key), Fault::Type(expected, type_name(value)));
    }

    /// A whole number inside a range.
    pub(super) fn integer(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> i64 {
        let Some((value, span)) = self.value(key) else { return default };
        let Some(integer) = value.as_integer() else {
            self.wrong_type(reader, key, "a whole number", value, &span);
            return default;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => number,
            Ok(_) | Err(_) => {
                let fault = Fault::Range(*range.start(), *range.end(), integer.to_string());
                reader.error(&span, self.key(key), fault);
                default
            }
        }
    }

    /// A whole number inside a range of those that fit into 32 bits.
    pub(super) fn small(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        u32::try_from(self.integer(reader, key, range, i64::from(default))).unwrap_or(default)
    }

    /// Whether a key is there, with whatever value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, reader: &mut Reader<'_>, key: &'static str, default: bool) -> bool {
        let Some((value, span)) = self.value(key) else { return default };
        value.as_bool().unwrap_or_else(|| {
            self.wrong_type(reader, key, "`true` or `false`", value, &span);
            default
        })
    }

    /// A string, if it is there.
    pub(super) fn text(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<At<&'t str>> {
        let (value, span) = self.value(key)?;
        let Some(text) = value.as_str() else {
            self.wrong_type(reader, key, "a string", value, &span);
            return None;
        };
        Some(At { value: text, span })
    }

    /// A string that has to be there.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        what: &'static str,
    ) -> Option<At<&'t str>> {
        if !self.has(key) {
            self.known.push(key);
            reader.error(&self.span, self.key(key), Fault::Missing(what));
            return None;
        }
        self.text(reader, key)
    }

    /// One word of a closed list.
    pub(super) fn word<T: Copy>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        words: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(reader, key) else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text.value) {
            return *meaning;
        }
        let known = words.iter().map(|(word, _)| *word).collect();
        reader.error(&text.span, self.key(key), Fault::Word(known, text.value.to_owned()));
        default
    }

    /// A list of strings, if it is there; entries of another type are reported and left out. `entry` says what stands
    /// in a list that may not be empty, with an example.
    pub(super) fn texts(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        entry: Option<(&'static str, &'static str)>,
    ) -> Option<Vec<At<&'t str>>> {
        let (value, span) = self.value(key)?;
        let Some(array) = value.as_array() else {
            self.wrong_type(reader, key, "a list of strings", value, &span);
            return None;
        };
        if let Some((what, example)) = entry
            && array.is_empty()
        {
            reader.error(&span, self.key(key), Fault::Empty(what, example));
        }
        let mut texts = Vec::new();
        for entry in array {
            match entry.get_ref().as_str() {
                Some(text) => texts.push(At { value: text, span: entry.span() }),
                None => self.wrong_type(reader, key, "a string", entry.get_ref(), &entry.span()),
            }
        }
        Some(texts)
    }

    /// The table of this name, if it is there.
    pub(super) fn child(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<Section<'t, 'i>> {
        let (value, span) = self.value(key)?;
        let Some(table) = value.as_table() else {
            self.wrong_type(reader, key, "a table", value, &span);
            return None;
        };
        Some(Section { name: self.key(key), table, span, known: Vec::new() })
    }

    /// The list of tables of this name.
    pub(super) fn children(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<Section<'t, 'i>> {
        let Some((value, span)) = self.value(key) else { return Vec::new() };
        if value.is_table() {
            reader.error(&span, self.key(key), Fault::NotAList(key));
            return Vec::new();
        }
        let Some(array) = value.as_array() else {
            self.wrong_type(reader, key, "a list of tables", value, &span);
            return Vec::new();
        };
        let mut children = Vec::new();
        for entry in array {
            match entry.get_ref().as_table() {
                Some(table) => {
                    children.push(Section { name: self.key(key), table, span: entry.span(), known: Vec::new() });
                }
                None => self.wrong_type(reader, key, "a table", entry.get_ref(), &entry.span()),
            }
        }
        children
    }

    /// The names and texts of a table, in the order of the file.
    pub(super) fn pairs(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<(At<&'t str>, At<&'t str>)> {
        let Some(section) = self.child(reader, key) else { return Vec::new() };
        let mut pairs = Vec::new();
        for (name, value) in section.table {
            let name_at = At { value: name.get_ref().as_ref(), span: name.span() };
            match value.get_ref().as_str() {
                Some(text) => pairs.push((name_at, At { value: text, span: value.span() })),
                None => self.wrong_type(reader, key, "a string", value.get_ref(), &value.span()),
            }
        }
        pairs.sort_by_key(|(name, _)| name.span.start);
        pairs
    }

    /// Reports every key that was not asked for, but for those to pass over.
    pub(super) fn finish(self, reader: &mut Reader<'_>, passed_over: &[&str]) {
        let mut keys: Vec<_> = self.table.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        for key in keys {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) && !passed_over.contains(&name) {
                let shown = super::problem::shown(name);
                reader.error(&key.span(), self.key(&shown), Fault::UnknownKey(shown, self.known.clone()));
            }
        }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        assert_eq!(place("a\nüb", 0), (1, 1));
        assert_eq!(place("a\nüb", 2), (2, 1));
        assert_eq!(place("a\nüb", 4), (2, 2));
        assert_eq!(place("a", 99), (1, 2));
    }
}
