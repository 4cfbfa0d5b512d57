//! Dependencies: a reason for each, released versions, one registry, allowed licences.

use std::process::Command;

use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every dependency stands under a comment; one comment may stand above a group without a blank line.
pub(crate) fn check_comments(file: &str, manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut inside, mut commented) = (false, false);
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
            commented = false;
        } else if line.trim().is_empty() {
            commented = false;
        } else if line.starts_with('#') {
            commented = true;
        } else if inside && !commented && line.contains('=') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            complaints.push(format!("{file}:{}: expected a comment that says what `{name}` is for", at + 1));
        }
    }
    complaints
}

/// No pre-release, and nothing from outside the registry.
pub(crate) fn check_lock(file: &str, lock: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in lock.lines().enumerate() {
        let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        if let Some(version) = value("version")
            && version.split('+').next().is_some_and(|plain| plain.contains('-'))
        {
            complaints.push(format!("{file}:{}: expected a released version, but found {version}", at + 1));
        }
        if let Some(source) = value("source").filter(|source| *source != REGISTRY) {
            complaints.push(format!("{file}:{}: expected crates.io, but found {source}", at + 1));
        }
    }
    complaints
}

/// The licence of every package that is built here is on the list of `.deny.toml`.
pub(crate) fn check_licences(deny: &str) -> Vec<String> {
    let deny: toml::Table = deny.parse().unwrap_or_else(|error| panic!(".deny.toml: {error}"));
    let allowed: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .expect("`licenses.allow` is a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let mut complaints = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
        if !is_allowed(&licence, &allowed) {
            let (name, version) = (&package["name"], &package["version"]);
            complaints.push(format!(".deny.toml:1: {name} {version}: the licence `{licence}` is not allowed"));
        }
    }
    complaints
}

/// The packages of this platform, as cargo resolves them without asking the network.
fn packages() -> Vec<Value> {
    let host = Command::new(cargo()).args(["-vV"]).output().expect("cargo runs");
    let host = String::from_utf8(host.stdout).expect("UTF-8");
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo names its host");
    let output = Command::new(cargo())
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(super::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Is an SPDX expression satisfied by the allowed licences? `AND` binds before `OR`; an exception adds rights.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, allowed) && rest.is_empty()
}

fn either(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut verdict = both(rest, allowed);
    while let Some((&"OR", behind)) = rest.split_first() {
        *rest = behind;
        verdict |= both(rest, allowed);
    }
    verdict
}

fn both(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let mut verdict = one(rest, allowed);
    while let Some((&"AND", behind)) = rest.split_first() {
        *rest = behind;
        verdict &= one(rest, allowed);
    }
    verdict
}

fn one(rest: &mut &[&str], allowed: &[&str]) -> bool {
    let Some((first, behind)) = rest.split_first() else { return false };
    *rest = behind;
    if *first == "(" {
        let verdict = either(rest, allowed);
        *rest = rest.strip_prefix(&[")"]).unwrap_or_default();
        return verdict;
    }
    if let ["WITH", _, behind @ ..] = rest {
        *rest = behind;
    }
    allowed.contains(first)
}

mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_comment_is_reported() {
        let manifest = "[dependencies]\n# For this.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\n[lints]\nd = 1\n";
        assert_eq!(check_comments("x", manifest), ["x:6: expected a comment that says what `c` is for"]);
    }

    #[test]
    fn a_pre_release_is_reported_and_build_metadata_is_not() {
        let lock = "version = \"1.0.0-rc.1\"\nversion = \"1.0.0+a-b\"\nsource = \"git+https://x\"\n";
        assert_eq!(
            check_lock("x", lock),
            [
                "x:1: expected a released version, but found 1.0.0-rc.1",
                "x:3: expected crates.io, but found git+https://x",
            ]
        );
    }

    #[test]
    fn a_licence_expression_is_weighed() {
        let check =
            |expression: &str, expected| assert_eq!(is_allowed(expression, &["A", "B"]), expected, "{expression}");
        check("A", true);
        check("C", false);
        check("A OR C", true);
        check("A AND C", false);
        check("C AND A OR B", true);
        check("A AND (C OR B)", true);
        check("A WITH exception AND B", true);
        check("", false);
    }
}
