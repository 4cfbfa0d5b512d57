//! Which files a source follows: globs, paths and folders, compiled once; and the walk that finds what they mean now.
//!
//! A pattern without glob characters means the file at that path, or the files directly in that folder. An `exclude`
//! without a slash is compared with the file's name, any other one with its whole path. Relative patterns are taken
//! from the working directory at start. Deliberately without an opinion on what the files hold.

use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use super::FileSourceError;

/// Folders visited under one pattern; what lies beyond is reported, not followed.
pub(super) const FOLDERS_MAX: usize = 16_384;

/// The compiled patterns of one source.
pub(super) struct Patterns {
    includes: Vec<Include>,
    excludes: Vec<Exclude>,
    /// As they were written.
    texts: (Vec<String>, Vec<String>),
}

struct Include {
    /// The longest part without glob characters; the whole path if there are none.
    base: PathBuf,
    /// `None`: the path means itself.
    glob: Option<Glob>,
}

struct Glob {
    whole: GlobMatcher,
    /// What the folders at each depth below the base must match, as far as the pattern says it.
    folders: Vec<GlobMatcher>,
    /// Files lie at just this depth below the base; `None` after a `**`.
    depth: Option<usize>,
}

enum Exclude {
    Name(GlobMatcher),
    Path(GlobMatcher),
}

/// What the walk comes upon.
pub(super) enum Met<'a> {
    /// A folder in which a file of the pattern may appear. Told before the files in it.
    Folder(&'a Path),
    /// A path that matches. Whether it is a file that can be read is not known yet.
    File(&'a Path),
    /// Nothing is at the base of a pattern.
    Missing(&'a Path),
    /// A folder cannot be read.
    Failed(&'a Path, io::Error),
    /// More than [`FOLDERS_MAX`] folders.
    TooMany(&'a Path),
}

impl Patterns {
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, FileSourceError> {
        let includes = include.iter().map(|text| Include::new(text)).collect::<Result<_, _>>()?;
        let excludes = exclude.iter().map(|text| Exclude::new(text)).collect::<Result<_, _>>()?;
        Ok(Self { includes, excludes, texts: (include.to_vec(), exclude.to_vec()) })
    }

    /// Whether both were written the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.texts == other.texts
    }

    /// Whether a file at this path belongs to the source.
    pub(super) fn matches(&self, path: &Path) -> bool {
        self.includes.iter().any(|include| include.matches(path)) && !self.excludes(path)
    }

    fn excludes(&self, path: &Path) -> bool {
        self.excludes.iter().any(|exclude| match exclude {
            Exclude::Name(glob) => path.file_name().is_some_and(|name| glob.is_match(name)),
            Exclude::Path(glob) => glob.is_match(path),
        })
    }

    /// Finds what the patterns mean now.
    pub(super) fn walk(&self, meet: &mut dyn FnMut(Met<'_>)) {
        for include in &self.includes {
            include.walk(&mut |met| {
                if !matches!(met, Met::File(path) if self.excludes(path)) {
                    meet(met);
                }
            });
        }
    }
}

impl Include {
    fn new(text: &str) -> Result<Self, FileSourceError> {
        if text.is_empty() {
            return Err(FileSourceError::Empty);
        }
        // A path that exists as it is written means itself, whatever characters it has.
        if !has_glob_characters(text) || Path::new(text).exists() {
            let base = std::path::absolute(text).map_err(FileSourceError::WorkingDirectory)?;
            return Ok(Self { base, glob: None });
        }
        let text = absolute(text)?;
        let parts = components(&text);
        let fixed = parts.iter().take_while(|part| !has_glob_characters(part)).count().min(parts.len() - 1);
        let (base, rest) = parts.split_at(fixed);
        let base = base.iter().fold(PathBuf::from("/"), |base, part| base.join(part));
        let deep = rest.iter().position(|part| part.contains("**") || part.contains('/'));
        let mut folders = Vec::new();
        for end in 1..=deep.unwrap_or(rest.len() - 1) {
            let prefix: Vec<&str> = parts.iter().take(fixed + end).copied().collect();
            folders.push(compile(&format!("/{}", prefix.join("/")))?);
        }
        let depth = deep.is_none().then_some(rest.len());
        Ok(Self { base, glob: Some(Glob { whole: compile(&text)?, folders, depth }) })
    }

    fn matches(&self, path: &Path) -> bool {
        match &self.glob {
            None => path == self.base || path.parent() == Some(&self.base),
            Some(glob) => glob.whole.is_match(path),
        }
    }

    fn walk(&self, meet: &mut dyn FnMut(Met<'_>)) {
        let folder = match std::fs::metadata(&self.base) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) => {
                if let Some(ancestor) = self.base.ancestors().skip(1).find(|ancestor| ancestor.is_dir()) {
                    meet(Met::Folder(ancestor));
                }
                let missing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind());
                meet(if missing { Met::Missing(&self.base) } else { Met::Failed(&self.base, error) });
                return;
            }
        };
        // The folder of a link tells when the link points elsewhere.
        for link in self.base.ancestors().filter(|ancestor| ancestor.is_symlink()) {
            meet(Met::Folder(link.parent().unwrap_or(link)));
        }
        match &self.glob {
            None if !folder => {
                meet(Met::Folder(self.base.parent().unwrap_or(&self.base)));
                meet(Met::File(&self.base));
            }
            None => walk_folders(&self.base, Some(1), &|_, _| false, &|_| true, meet),
            Some(glob) => walk_folders(
                &self.base,
                glob.depth,
                &|depth, path| glob.folders.get(depth - 1).map_or(glob.depth.is_none(), |glob| glob.is_match(path)),
                &|path| glob.whole.is_match(path),
                meet,
            ),
        }
    }
}

/// Walks `base`: into folders that `enter` allows, given their depth; telling files at `depth` that `matches` allows.
fn walk_folders(
    base: &Path,
    depth: Option<usize>,
    enter: &dyn Fn(usize, &Path) -> bool,
    matches: &dyn Fn(&Path) -> bool,
    meet: &mut dyn FnMut(Met<'_>),
) {
    let walk = WalkDir::new(base).follow_links(true).max_depth(depth.unwrap_or(usize::MAX));
    let entries = walk
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !entry.file_type().is_dir() || enter(entry.depth(), entry.path()));
    let mut folders = 0;
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                // A link to nowhere or to a folder above, or a file that has gone meanwhile, is no fault.
                let path = error.path().unwrap_or(base).to_owned();
                if let Some(error) = error.into_io_error().filter(|error| error.kind() != io::ErrorKind::NotFound) {
                    meet(Met::Failed(&path, error));
                }
                continue;
            }
        };
        if entry.file_type().is_dir() {
            folders += 1;
            if folders > FOLDERS_MAX {
                meet(Met::TooMany(base));
                return;
            }
            meet(Met::Folder(entry.path()));
        } else if depth.is_none_or(|depth| depth == entry.depth()) && matches(entry.path()) {
            meet(Met::File(entry.path()));
        }
    }
}

impl Exclude {
    fn new(text: &str) -> Result<Self, FileSourceError> {
        if text.is_empty() {
            return Err(FileSourceError::Empty);
        }
        if text.contains('/') { Ok(Self::Path(compile(&absolute(text)?)?)) } else { Ok(Self::Name(compile(text)?)) }
    }
}

fn compile(text: &str) -> Result<GlobMatcher, FileSourceError> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| {
        let column = fault_column(text, error.kind());
        FileSourceError::Glob { glob: text.to_owned(), column, why: error.kind().to_string() }
    })
}

/// Where in a glob its fault is, counted in characters from 1.
fn fault_column(text: &str, kind: &globset::ErrorKind) -> usize {
    use globset::ErrorKind::{DanglingEscape, InvalidRange, UnclosedAlternates, UnclosedClass, UnopenedAlternates};
    let at =
        |byte: Option<usize>| byte.and_then(|byte| text.get(..byte)).map_or(1, |before| before.chars().count() + 1);
    if matches!(kind, UnclosedClass | InvalidRange(..)) {
        at(text.rfind('['))
    } else if matches!(kind, UnclosedAlternates) {
        at(text.rfind('{'))
    } else if matches!(kind, UnopenedAlternates) {
        at(text.find('}'))
    } else if matches!(kind, DanglingEscape) {
        text.chars().count().max(1)
    } else {
        1
    }
}

fn has_glob_characters(text: &str) -> bool {
    text.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// A glob from the root, without `.` parts.
fn absolute(text: &str) -> Result<String, FileSourceError> {
    let whole = if text.starts_with('/') {
        text.to_owned()
    } else {
        let folder = std::env::current_dir().map_err(FileSourceError::WorkingDirectory)?;
        format!("{}/{text}", globset::escape(&folder.to_string_lossy()))
    };
    let parts: Vec<&str> = components(&whole).into_iter().filter(|part| !part.is_empty() && *part != ".").collect();
    Ok(format!("/{}", parts.join("/")))
}

/// The parts between the slashes; a slash in braces or brackets does not part.
fn components(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut nested, mut escaped) = (Vec::new(), 0, 0_u32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' | b'[' => nested += 1,
            b'}' | b']' => nested = nested.saturating_sub(1),
            b'/' if nested == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        parts.push("");
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(include: &str, exclude: &[&str], path: &str, expected: bool) {
        let exclude: Vec<String> = exclude.iter().map(|&text| text.to_owned()).collect();
        let patterns = Patterns::new(&[include.to_owned()], &exclude).unwrap();
        assert_eq!(patterns.matches(Path::new(path)), expected, "{include} {path}");
    }

    #[test]
    fn a_pattern_matches_what_a_shell_user_expects() {
        check("/l/*.log", &[], "/l/a.log", true);
        check("/l/*.log", &[], "/l/b/a.log", false);
        check("/l/**/*.log", &[], "/l/a.log", true);
        check("/l/**/*.log", &[], "/l/b/c/a.log", true);
        check("/l/{a,b}.log", &[], "/l/b.log", true);
        check("/l/{a/x,b}.log", &[], "/l/a/x.log", true);
        check("/l/./a?.log", &[], "/l/ab.log", true);
        check("/l/a.log", &[], "/l/a.log", true);
        check("/l", &[], "/l/any", true);
        check("/l", &[], "/l/deep/any", false);
        check("/l/**", &["*.tmp"], "/l/deep/a.tmp", false);
        check("/l/**", &["/l/old/**"], "/l/old/a.log", false);
        check("/l/**", &["/l/old/**"], "/l/new/a.log", true);
    }

    #[test]
    fn a_relative_pattern_starts_at_the_working_directory() {
        let folder = std::env::current_dir().unwrap();
        check("*.none", &[], folder.join("a.none").to_str().unwrap(), true);
        check("a.none", &[], folder.join("a.none").to_str().unwrap(), true);
    }

    #[track_caller]
    fn check_fault(glob: &str, expected: &str) {
        let error = Patterns::new(&[glob.to_owned()], &[]).err().unwrap().to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn a_bad_glob_is_refused_with_place_and_reason() {
        check_fault("", "expected a path or a glob, but found an empty one; remove it or name a file");
        check_fault("/l/[ab.log", "the glob `/l/[ab.log`, character 4: unclosed character class; missing ']'");
        check_fault(
            "/l/{a,b",
            "the glob `/l/{a,b`, character 4: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)",
        );
    }

    #[test]
    fn the_walk_enters_only_folders_that_can_hold_matches() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["app/one/x.log", "app/two/x.log", "app/two/y.txt", "other/one/x.log", "app/x.log"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let include = folder.path().join("a*/t*/*.log").to_str().unwrap().to_owned();
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        let relative = |path: &Path| path.strip_prefix(folder.path()).map(|path| path.to_str().unwrap().to_owned());
        Patterns::new(&[include], &[]).unwrap().walk(&mut |met| match met {
            Met::Folder(path) => folders.extend(relative(path)),
            Met::File(path) => files.extend(relative(path)),
            Met::Missing(_) | Met::Failed(..) | Met::TooMany(_) => panic!("all is there"),
        });
        assert_eq!(files, ["app/two/x.log"]);
        assert_eq!(folders, ["", "app", "app/two"]);
    }
}
