//! Rust source, read just far enough: code without comments, text and tests, and the paths that it names.

/// A path that stands in the code, with its line from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// The code with every comment, text literal and character blanked out, and cut before its `mod tests`.
///
/// Newlines stay, so that line numbers stay.
pub(crate) fn code(source: &str) -> String {
    let source = tests_at(source).map_or(source, |at| source.split_at(at).0);
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped(rest, out.chars().next_back());
        if skipped == 0 {
            out.push(c);
            rest = rest.split_at(c.len_utf8()).1;
            continue;
        }
        let (gone, behind) = rest.split_at(skipped);
        out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = behind;
    }
    out
}

/// Where the inline `mod tests` begins, which is the last item of a file.
fn tests_at(source: &str) -> Option<usize> {
    source.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(|at| {
        let (_, behind) = source.split_at(*at);
        let mut lines = behind.lines().skip_while(|line| line.starts_with('#'));
        lines.next().is_some_and(|line| line.starts_with("mod tests") && line.ends_with('{'))
    })
}

/// The length of the comment, text or character literal that `rest` begins with; 0 if it begins with code.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |at| at + 2);
    }
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !in_word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw.trim_start_matches('#').starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let opening = rest.len() - raw.len() + hashes + 1;
            let (_, body) = rest.split_at(opening);
            return body.find(&end).map_or(rest.len(), |at| opening + at + end.len());
        }
    }
    match rest.as_bytes() {
        [b'"', ..] => text_length(rest),
        // 'x', '\n', '\'' and '\u{…}', but not a lifetime.
        [b'\'', b'\\', ..] => rest.char_indices().skip(3).find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        [b'\'', ..] => match rest.char_indices().nth(2) {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        _ => 0,
    }
}

fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Every path of at least two parts in `code`, with the trees of `use` unfolded.
pub(crate) fn paths(code: &str) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = next_word(code, at) {
        let end = unfold(code, start, "", &mut found);
        at = end.max(start + 1);
    }
    found
}

/// Where the next word begins, at or after `from`.
fn next_word(code: &str, from: usize) -> Option<usize> {
    let bytes = code.as_bytes();
    (from..bytes.len()).find(|&at| {
        is_word(bytes.get(at)) && (at == 0 || !is_word(bytes.get(at - 1)) && bytes.get(at - 1) != Some(&b'\''))
    })
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Reads one path from `start` on, unfolding `{…}`; gives where it ended.
fn unfold(code: &str, start: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let bytes = code.as_bytes();
    let mut path = prefix.to_owned();
    let mut at = start;
    loop {
        let word_end = (at..bytes.len()).find(|&at| !is_word(bytes.get(at))).unwrap_or(bytes.len());
        if let Some(word) = code.get(at..word_end).filter(|word| !word.is_empty()) {
            if !path.is_empty() {
                path.push_str("::");
            }
            path.push_str(word);
        }
        at = word_end;
        if !code.get(at..).is_some_and(|rest| rest.starts_with("::")) {
            break;
        }
        at += 2;
        if bytes.get(at) == Some(&b'{') {
            return unfold_tree(code, at + 1, &path, found);
        }
        if !is_word(bytes.get(at)) {
            break;
        }
    }
    if path.contains("::") {
        let line = code.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
        found.push(Named { line, path });
    }
    at
}

/// Reads the branches of a `use` tree; gives where it closed.
fn unfold_tree(code: &str, start: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let bytes = code.as_bytes();
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'}' => return at + 1,
            _ if is_word(Some(byte)) => {
                at = unfold(code, at, prefix, found);
                // `a as b`: the new name is no path.
                if let Some(renamed) = code.get(at..).and_then(|rest| rest.strip_prefix(" as ")) {
                    at += 4 + renamed.find([',', '}']).unwrap_or(renamed.len());
                }
            }
            _ => at += 1,
        }
    }
    at
}

mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &[(usize, &str)]) {
        let found = paths(&code(source));
        let found: Vec<_> = found.iter().map(|named| (named.line, named.path.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_trees_of_use_are_unfolded() {
        check("use a::{b, c::{d, e as f}, g};\n", &[(1, "a::b"), (1, "a::c::d"), (1, "a::c::e"), (1, "a::g")]);
        check("use a::{\n    b,\n    self,\n};\n", &[(2, "a::b"), (3, "a::self")]);
    }

    #[test]
    fn paths_in_code_are_found_and_those_in_comments_and_texts_are_not() {
        check("// a::b\nlet x = c::d::<u8>(\"e::f\", 'g');\n/* h::i */ j::k\n", &[(2, "c::d"), (3, "j::k")]);
        check("fn f<'a>(x: &'a str) { r#\"a::b\"#; a::c('\\'', \"\\\"a::d\") }", &[(1, "a::c")]);
    }

    #[test]
    fn tests_are_no_part_of_a_layer() {
        check("a::b;\n#[cfg(test)]\nmod tests {\n    c::d;\n}\n", &[(1, "a::b")]);
        check("#[cfg(test)]\nmod tests;\na::b;\n", &[(3, "a::b")]);
    }
}
