//! Paths and globs of the command line, as sources.

use std::path::{Path, PathBuf};

use globset::Glob;

use crate::config::problem::{Fault, Problem, Problems};
use crate::config::{Config, FileKind, FileSource, Loaded, Source, SourceKind, Start};

/// Name of the source that stands for the files of the command line.
pub const PATHS_SOURCE: &str = "files";
/// Name of the source that stands for `-` on the command line.
pub const STDIN_SOURCE: &str = "stdin";

impl Config {
    /// What `run` works with: a config file, if there is one, and the paths of the command line. Something has to be
    /// read in the end. A reload calls it again.
    pub fn load_with_paths(file: Option<&Path>, paths: &[PathBuf]) -> Result<Loaded, Problems> {
        let mut loaded = match file {
            Some(file) => Self::load(file)?,
            None => Loaded { config: Self::default(), warnings: Vec::new() },
        };
        loaded.config.add_paths(paths.to_vec())?;
        loaded.warnings.retain(|warning| warning.fault != Fault::NoSource);
        if loaded.config.sources.is_empty() {
            let file = file.map_or_else(|| "command line".to_owned(), |file| file.display().to_string());
            return Err(Problems(vec![Problem::of_file(file, Fault::NoSource)]));
        }
        Ok(loaded)
    }

    /// The defaults, with what the command line names as sources: see [`Config::add_paths`].
    pub fn from_paths(paths: Vec<PathBuf>) -> Result<Self, Problems> {
        let mut config = Self::default();
        config.add_paths(paths)?;
        Ok(config)
    }

    /// Adds the paths of a command line: files, globs and whole folders become the source `files`, and `-` becomes
    /// `stdin`. A path that exists is meant literally, even if it could be read as a glob.
    pub fn add_paths(&mut self, paths: Vec<PathBuf>) -> Result<(), Problems> {
        let (mut include, mut problems) = (Vec::new(), Vec::new());
        let mut stdin = false;
        for path in paths {
            if path == Path::new("-") {
                stdin = true;
                continue;
            }
            match glob(&path) {
                Ok(glob) => include.push(glob),
                Err(fault) => problems.push(Problem::of_file(path.display().to_string(), fault)),
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        if !include.is_empty() {
            let kind = SourceKind::File(FileSource {
                kind: FileKind::File,
                include,
                exclude: Vec::new(),
                start: Start::default(),
            });
            self.add(PATHS_SOURCE, kind);
        }
        if stdin && !self.sources.iter().any(|source| source.kind == SourceKind::Stdin) {
            self.add(STDIN_SOURCE, SourceKind::Stdin);
        }
        Ok(())
    }

    /// Adds a source under this name, or under the first free one with a number behind it.
    fn add(&mut self, name: &str, kind: SourceKind) {
        let free = |name: &String| !self.sources.iter().any(|source| source.name == *name);
        let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        let found = std::iter::once(name.to_owned()).chain(numbered).find(free);
        self.sources.extend(found.map(|name| Source { name, kind, timezone: "UTC".to_owned() }));
    }
}

fn glob(path: &Path) -> Result<String, Fault> {
    let absolute = std::path::absolute(path).map_err(|_| Fault::Missing("a path"))?;
    let text = absolute.display().to_string();
    if absolute.is_dir() {
        return Ok(format!("{}/**/*", globset::escape(text.trim_end_matches('/'))));
    }
    if absolute.exists() {
        return Ok(globset::escape(&text));
    }
    match Glob::new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Fault::Glob(error.kind().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn included(config: &Config) -> &[String] {
        let SourceKind::File(file) = &config.sources[0].kind else { panic!("expected a file source") };
        &file.include
    }

    #[test]
    fn a_path_that_exists_is_literal_and_a_folder_means_all_below_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app[1].log");
        std::fs::write(&file, "").unwrap();
        let config = Config::from_paths(vec![file, folder.path().into(), folder.path().join("*.log")]).unwrap();
        let base = folder.path().display();
        let expected = [format!("{base}/app[[]1[]].log"), format!("{base}/**/*"), format!("{base}/*.log")];
        assert_eq!(included(&config), expected);
    }

    #[test]
    fn something_has_to_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "[log]\nlevel = \"warn\"\n").unwrap();
        let problems = Config::load_with_paths(Some(&file), &[]).unwrap_err();
        assert!(problems.to_string().starts_with(&format!("{}: expected a `[[source]]`", file.display())));
        assert!(Config::load_with_paths(None, &[]).is_err());
        let loaded = Config::load_with_paths(Some(&file), &["/a.log".into()]).unwrap();
        assert!(loaded.warnings.is_empty());
        assert_eq!(loaded.config.log.level, crate::log::Level::Warn);
        assert_eq!(included(&loaded.config), ["/a.log"]);
    }

    #[test]
    fn a_bad_glob_is_named() {
        let problems = Config::from_paths(vec!["/nowhere/[a".into()]).unwrap_err();
        let expected = "/nowhere/[a: expected a glob, but found one that can't be read: unclosed character class; \
                        missing ']'";
        assert_eq!(problems.to_string(), expected);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut config = Config::from_paths(vec!["/a".into(), "-".into()]).unwrap();
        config.add_paths(vec!["/b".into(), "-".into()]).unwrap();
        let names: Vec<_> = config.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["files", "stdin", "files-2"]);
    }
}
