//! The rules of `dashboards/` as they are shipped, and the same at another speed.

use std::path::Path;

/// So many times faster than life: half an hour of warm-up is a quarter of a minute.
pub(crate) const FASTER: u64 = 120;

/// The shipped file.
pub(crate) fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards/diag51007.rules.yml");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A rules file with every duration (`30s`, `[5m]`, `offset 1h`, `for: 1m`) [`FASTER`] times shorter, and nothing else
/// changed.
pub(crate) fn hastened(rules: &str) -> String {
    let mut out = String::new();
    let mut rest = rules;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, behind) = rest.split_at(at);
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        let (digits, after) = behind.split_at(end);
        let mut next = after.chars();
        let seconds = match next.next() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some(_) | None => 0,
        };
        let is_alone = !next.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let starts = before.ends_with(['[', ' ']);
        out.push_str(before);
        if seconds > 0 && is_alone && starts {
            let millis = digits.parse::<u64>().expect("a number") * seconds * 1000 / FASTER;
            out.extend([millis.to_string().as_str(), "ms"]);
            rest = after.split_at(1).1;
        } else {
            out.push_str(digits);
            rest = after;
        }
    }
    out + rest
}
