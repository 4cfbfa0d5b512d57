//! The style that no other tool checks: layering, length, leftovers, tables, dependencies.
//!
//! Reports like a compiler, all at once. `UPDATE=1` rewrites the generated tables of the README.
#![cfg(test)]

#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tables.rs"]
mod tables;
#[path = "tidy/text.rs"]
mod text;

use std::fs;
use std::path::Path;

/// The root of the project.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders whose content is built or grown, not written.
const GROWN: [&str; 5] = ["target", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

/// Every text file of the project as (path from the root, content), in order.
fn files() -> Vec<(String, String)> {
    walkdir::WalkDir::new(root())
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !GROWN.contains(&relative(entry.path()).as_str()))
        .map(|entry| entry.expect("a readable folder"))
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| Some((relative(entry.path()), fs::read_to_string(entry.path()).ok()?)))
        .collect()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_str().expect("a UTF-8 path").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every complaint at once.
#[track_caller]
fn accept(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_module_uses_only_what_its_layer_allows() {
    let all = files();
    let complaints: Vec<_> = all
        .iter()
        .filter_map(|(path, content)| Some((path, layers::module_of(path)?, content)))
        .flat_map(|(path, module, content)| layers::check(path, &module, content))
        .collect();
    accept(&complaints);
}

#[test]
fn every_file_is_short_and_finished() {
    let complaints: Vec<_> = files().iter().flat_map(|(path, content)| text::check(path, content)).collect();
    accept(&complaints);
}

#[test]
fn every_metric_and_cause_that_is_named_exists() {
    let readme = read("README.md");
    let metrics = names::metrics_of(&readme);
    let complaints: Vec<_> = files()
        .iter()
        .filter(|(path, _)| names::is_checked(path))
        .flat_map(|(path, content)| names::check(path, content, &metrics))
        .collect();
    accept(&complaints);
}

#[test]
fn the_tables_of_the_readme_equal_what_the_code_says() {
    let readme = read("README.md");
    let wanted = tables::rewrite(&readme).unwrap_or_else(|complaint| panic!("\n{complaint}\n"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root().join("README.md"), wanted).expect("the README is writable");
        return;
    }
    accept(&tables::difference(&readme, &wanted));
}

#[test]
fn every_dependency_says_what_it_is_for() {
    accept(&dependencies::check_comments("Cargo.toml", &read("Cargo.toml")));
}

#[test]
fn every_dependency_is_released_and_comes_from_the_registry() {
    accept(&dependencies::check_lock("Cargo.lock", &read("Cargo.lock")));
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    accept(&dependencies::check_licences(&read(".deny.toml")));
}
