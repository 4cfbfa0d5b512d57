//! Which module may use which. The rows stand in order: each may use only rows above it.

use super::source::{code, paths};

/// Does a module touch the world?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Values only: no I/O, no clock, no runtime.
    Pure,
    /// I/O and clocks live here.
    Edge,
}

use Layer::{Edge, Pure};

/// A module, its layer, and the modules that it may use. `a::b` belongs to the row of `a` unless it has its own.
const ROWS: &[(&str, Layer, &[&str])] = &[
    ("version", Pure, &[]),
    ("echo", Pure, &[]),
    ("words", Pure, &[]),
    ("percent", Pure, &[]),
    ("paste", Pure, &["percent"]),
    ("quotes", Pure, &[]),
    ("fields", Pure, &["quotes"]),
    ("product", Pure, &[]),
    ("time", Pure, &[]),
    ("cause", Pure, &[]),
    ("container", Pure, &[]),
    ("code", Pure, &["cause", "product"]),
    ("stamp", Pure, &["time"]),
    ("token", Pure, &["quotes", "time"]),
    ("keyring", Pure, &["percent"]),
    ("finding", Pure, &["cause", "keyring", "product", "time", "token"]),
    ("diagnosis", Pure, &["cause", "container", "finding", "product", "time"]),
    ("envelope", Pure, &["fields", "product", "stamp", "time"]),
    ("detect", Pure, &["cause", "code", "envelope", "fields", "product", "words"]),
    ("validate", Pure, &["cause", "code", "diagnosis", "finding", "keyring", "percent", "product", "time", "token"]),
    (
        "pair",
        Pure,
        &[
            "cause",
            "code",
            "detect",
            "diagnosis",
            "envelope",
            "fields",
            "percent",
            "product",
            "stamp",
            "time",
            "token",
            "words",
        ],
    ),
    (
        "classify",
        Pure,
        &["cause", "code", "detect", "diagnosis", "finding", "keyring", "pair", "product", "time", "token", "validate"],
    ),
    (
        "pipeline",
        Pure,
        &[
            "cause",
            "classify",
            "code",
            "detect",
            "diagnosis",
            "envelope",
            "fields",
            "finding",
            "keyring",
            "pair",
            "product",
            "stamp",
            "time",
            "token",
            "validate",
            "words",
        ],
    ),
    ("source::twilio", Pure, &["pipeline", "product", "time"]),
    // What identifies a file and says where reading stands: values, which the marks of a source and the state hold.
    ("source::file::follow", Pure, &[]),
    ("source", Pure, &["pipeline", "source::file::follow", "source::twilio", "time"]),
    (
        "ledger",
        Pure,
        &["cause", "code", "diagnosis", "echo", "finding", "pipeline", "product", "source", "time", "token"],
    ),
    ("report", Pure, &["cause", "code", "diagnosis", "finding", "product", "time", "token"]),
    ("source::file", Edge, &["source", "source::file::follow", "pipeline", "time"]),
    ("source::stdin", Edge, &["source", "pipeline", "time"]),
    ("source::intake", Edge, &["source", "pipeline", "time"]),
    ("source::shipped", Pure, &["time"]),
    ("source::inlet", Edge, &["source", "source::intake", "source::twilio", "time"]),
    ("source::webhook", Edge, &["source", "source::inlet", "source::intake", "source::twilio", "time"]),
    (
        "source::http",
        Edge,
        &["pipeline", "source", "source::inlet", "source::intake", "source::shipped", "source::twilio"],
    ),
    ("source::alerts_api", Edge, &["pipeline", "source", "source::inlet", "source::intake", "source::twilio", "time"]),
    ("source::journald::entry", Pure, &["source"]),
    ("source::journald", Edge, &["pipeline", "source", "source::inlet", "source::journald::entry", "time"]),
    ("store", Edge, &[]),
    ("log", Edge, &["time"]),
    ("memory", Edge, &[]),
    (
        "config",
        Edge,
        &["keyring", "ledger", "log", "pipeline", "product", "source", "source::file", "source::twilio", "time"],
    ),
    ("alertmanager", Edge, &["config", "keyring", "ledger", "time"]),
    (
        "expose",
        Edge,
        &[
            "cause",
            "code",
            "config",
            "container",
            "diagnosis",
            "echo",
            "finding",
            "keyring",
            "ledger",
            "log",
            "paste",
            "pipeline",
            "product",
            "source",
            "source::inlet",
            "time",
            "version",
            "token",
            "validate",
        ],
    ),
    (
        "daemon",
        Edge,
        &[
            "alertmanager",
            "cause",
            "config",
            "diagnosis",
            "expose",
            "keyring",
            "ledger",
            "log",
            "memory",
            "pipeline",
            "product",
            "source",
            "source::alerts_api",
            "source::file",
            "source::file::follow",
            "source::http",
            "source::inlet",
            "source::intake",
            "source::journald",
            "source::stdin",
            "source::twilio",
            "source::webhook",
            "store",
            "time",
            "token",
            "validate",
            "version",
        ],
    ),
    (
        "command",
        Edge,
        &[
            "alertmanager",
            "cause",
            "classify",
            "code",
            "config",
            "daemon",
            "diagnosis",
            "expose",
            "finding",
            "keyring",
            "ledger",
            "log",
            "paste",
            "pipeline",
            "product",
            "report",
            "source",
            "source::alerts_api",
            "source::file",
            "source::file::follow",
            "source::journald",
            "source::stdin",
            "store",
            "time",
            "version",
            "token",
            "validate",
        ],
    ),
    ("main", Edge, &["command"]),
];

/// What a pure module does not name, as the beginning of a path.
const IMPURE: &[&str] = &[
    "axum",
    "hyper",
    "hyper_util",
    "notify",
    "reqwest",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "tokio",
    "tower",
    "tower_http",
    "tracing",
];

/// The module of a file under `src`; none for the crate root, which only lists modules, and for tests.
pub(crate) fn module_of(path: &str) -> Option<String> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    (path != "lib" && !path.ends_with("/tests")).then(|| path.replace('/', "::"))
}

fn row(module: &str) -> Option<&'static (&'static str, Layer, &'static [&'static str])> {
    let mut name = module;
    loop {
        if let Some(row) = ROWS.iter().find(|(row, _, _)| *row == name) {
            return Some(row);
        }
        name = name.rsplit_once("::")?.0;
    }
}

/// The row that a path belongs to: `crate::source::file::Follower` is `source::file`.
fn target(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("crate::").or_else(|| path.strip_prefix("diag51007::"))?;
    Some(row(path).map_or("", |(name, _, _)| name))
}

/// Complaints about one file.
pub(crate) fn check(file: &str, module: &str, source: &str) -> Vec<String> {
    let Some((own, layer, allowed)) = row(module) else {
        return vec![format!("{file}:1: `{module}` has no row in the layers of tests/tidy/layers.rs")];
    };
    let named = paths(&code(source));
    let mut complaints = Vec::new();
    for named in &named {
        let line = named.line;
        match target(&named.path) {
            Some("") => complaints.push(format!("{file}:{line}: `{}` has no row in the layers", named.path)),
            Some(used) if used != *own && !allowed.contains(&used) => {
                complaints.push(format!("{file}:{line}: may not use `{used}`"));
            }
            Some(_) | None => {}
        }
        let begins = |with: &str| named.path == with || named.path.starts_with(&format!("{with}::"));
        if *layer == Pure && (IMPURE.iter().any(|name| begins(name)) || named.path.ends_with("::now")) {
            complaints.push(format!("{file}:{line}: `{own}` is pure and may not name `{}`", named.path));
        }
    }
    // The branches of one `use` give one complaint.
    complaints.dedup();
    complaints
}

mod tests {
    use super::*;

    #[track_caller]
    fn complains(module: &str, source: &str, expected: &[&str]) {
        assert_eq!(check("src/x.rs", module, source), expected);
    }

    #[test]
    fn a_row_uses_only_rows_above_it() {
        for (at, (name, layer, allowed)) in ROWS.iter().enumerate() {
            for used in *allowed {
                let below = ROWS.iter().position(|(row, _, _)| row == used);
                assert!(below.is_some_and(|below| below < at), "`{name}` uses `{used}`, which is not above it");
                let impure = ROWS.iter().any(|(row, layer, _)| row == used && *layer == Edge);
                assert!(!(impure && *layer == Pure), "`{name}` is pure and uses the edge `{used}`");
            }
        }
    }

    #[test]
    fn a_use_outside_the_row_is_reported_with_its_line() {
        complains("validate", "//! Doc.\nuse crate::source::Sink;\n", &["src/x.rs:2: may not use `source`"]);
        complains(
            "validate::time",
            "use crate::{finding::Finding,\n    ledger::Ledger};\n",
            &["src/x.rs:2: may not use `ledger`"],
        );
        complains("validate", "fn f() -> crate::ledger::Ledger {}\n", &["src/x.rs:1: may not use `ledger`"]);
    }

    #[test]
    fn a_use_inside_the_row_or_the_family_is_allowed() {
        complains("validate::time", "use crate::validate::Context;\nuse crate::finding::Finding;\n", &[]);
        complains("source::file::watch", "use crate::source::{Sink, file::follow::Follower};\nuse std::fs;", &[]);
    }

    #[test]
    fn a_pure_module_names_no_edge() {
        complains("pair", "use std::{fs, fmt};\n", &["src/x.rs:1: `pair` is pure and may not name `std::fs`"]);
        complains(
            "pair",
            "let x = tokio::spawn(y);\nInstant::now()",
            &[
                "src/x.rs:1: `pair` is pure and may not name `tokio::spawn`",
                "src/x.rs:2: `pair` is pure and may not name `Instant::now`",
            ],
        );
        complains("pair", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    }

    #[test]
    fn a_module_without_a_row_is_reported() {
        complains("utils", "", &["src/x.rs:1: `utils` has no row in the layers of tests/tidy/layers.rs"]);
    }
}
