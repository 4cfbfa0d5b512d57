//! Which names belong together: what a rotation makes of a file's name, and files of one numbered or dated series.
//!
//! A name proves nothing; it only says where to look. What a file is, its identity and content say.

use std::path::{Path, PathBuf};

/// What parts a rotated name from the name it was made of.
const SEPARATORS: [char; 4] = ['.', '-', '_', '~'];

/// Whether a rotation of `base` may have this name: `app.log.1`, `app.log-20261124.gz`, `app-2026.log`, `app.1.log`.
pub(super) fn is_rotated(name: &str, base: &str) -> bool {
    let name = without_packing(name);
    if let Some(rest) = name.strip_prefix(base) {
        return rest.starts_with(SEPARATORS);
    }
    let Some((stem, extension)) = base.rsplit_once('.') else { return false };
    let middle =
        name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)).and_then(|m| m.strip_suffix('.'));
    middle.is_some_and(|middle| middle.starts_with(SEPARATORS) && middle.contains(|c: char| c.is_ascii_digit()))
}

/// Whether two names differ in their numbers only: `app.log-001` and `app.log-002`.
pub(super) fn is_series(a: &str, b: &str) -> bool {
    a != b && a.contains(|c: char| c.is_ascii_digit()) && shape(a).eq(shape(b))
}

/// Whether an archive may have been made, by its name, of the file at `path`, a rotation of it, or one of its series.
pub(super) fn is_packed(archive: &Path, path: &Path) -> bool {
    let [Some(packed), Some(name)] = [archive, path].map(|path| path.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    let packed = without_packing(packed);
    archive.parent() == path.parent() && (packed == name || is_rotated(packed, name) || is_series(packed, name))
}

/// Whether the end of a name has a number or date.
pub(super) fn is_numbered(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).map(without_packing);
    name.is_some_and(|name| name.rsplit(SEPARATORS).take(2).any(|part| part.starts_with(|c: char| c.is_ascii_digit())))
}

/// Paths beside `path` of which it may be a rotation, by its name alone.
pub(super) fn bases(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()).map(without_packing) else { return Vec::new() };
    let mut bases = Vec::new();
    for (at, _) in name.match_indices(SEPARATORS).filter(|(at, _)| *at > 0) {
        let (Some(stem), Some(rest)) = (name.get(..at), name.get(at..)) else { continue };
        bases.push(path.with_file_name(stem));
        if let Some((_, extension)) = rest.get(1..).and_then(|rest| rest.rsplit_once('.')) {
            bases.push(path.with_file_name([stem, ".", extension].concat()));
        }
    }
    bases.retain(|base| {
        base.file_name().and_then(|base| base.to_str()).is_some_and(|base| base != name && is_rotated(name, base))
    });
    bases
}

/// Files in the folder of `path` whose names are rotations of its name or of one series with it.
pub(super) fn relatives(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let kin = names.filter(|other| is_rotated(other, name) || is_series(other, name));
    let mut kin: Vec<PathBuf> = kin.map(|other| folder.join(other)).collect();
    kin.sort_unstable();
    kin
}

fn without_packing(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name)
}

/// The name with each run of digits as one `0`.
fn shape(name: &str) -> impl Iterator<Item = char> {
    let mut before = None;
    name.chars().filter_map(move |c| {
        let c = if c.is_ascii_digit() { '0' } else { c };
        let repeats = c == '0' && before == Some('0');
        before = Some(c);
        (!repeats).then_some(c)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_name_is_told_from_a_neighbour() {
        for name in [
            "app.log.1",
            "app.log.12.gz",
            "app.log-20261124",
            "app.log-20261124.zst",
            "app.log.old",
            "app.log~",
            "app-2026-11-24.log",
            "app.1.log",
            "app_3.log.gz",
        ] {
            assert!(is_rotated(name, "app.log"), "{name}");
            assert!(bases(Path::new("/l").join(name).as_path()).contains(&PathBuf::from("/l/app.log")), "{name}");
        }
        for name in ["app.log", "app.logs", "app.log.gz", "application.log", "app-web.log", "web.log.1", "app.txt"] {
            assert!(!is_rotated(name, "app.log"), "{name}");
        }
        assert!(is_rotated("out.1", "out") && !is_rotated("outer", "out"));
    }

    #[test]
    fn a_series_differs_in_its_numbers_only() {
        assert!(is_series("app.log-009", "app.log-010"));
        assert!(is_series("app-2026-11-24.log", "app-2026-12-1.log"));
        for (a, b) in [("app.log", "app.log"), ("app-1.log", "app-1.log"), ("app-1.log", "web-1.log"), ("app-1", "app")]
        {
            assert!(!is_series(a, b), "{a} {b}");
        }
    }
}
