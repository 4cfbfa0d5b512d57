//! The tables of the README that the code generates, each between `<!-- name -->` and `<!-- /name -->`.

use std::fmt::Write as _;

use diag51007::cause::Cause;

/// What stands between the markers of `name`.
pub(crate) fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(&format!("<!-- {name} -->\n"))?;
    behind.split_once(&format!("<!-- /{name} -->")).map(|(inside, _)| inside)
}

/// The text with the table between the markers of `name` replaced.
pub(crate) fn replace(text: &str, name: &str, table: &str) -> Result<String, String> {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let missing = |marker: &str| format!("README.md:1: expected the marker `{}`, but found none", marker.trim());
    let (before, behind) = text.split_once(&open).ok_or_else(|| missing(&open))?;
    let (_, after) = behind.split_once(&close).ok_or_else(|| missing(&close))?;
    Ok(format!("{before}{open}{table}{close}{after}"))
}

/// The README as the code would have it.
pub(crate) fn rewrite(readme: &str) -> Result<String, String> {
    replace(readme, "causes", &causes())
}

fn causes() -> String {
    let mut table = String::from("| cause | family | what it is | what to do |\n| --- | --- | --- | --- |\n");
    for cause in Cause::ALL {
        let (id, family) = (cause.id(), cause.family().id());
        _ = writeln!(
            table,
            "| [`{id}`]({}) | {family} | {} | {} |",
            cause.docs(),
            cell(cause.title()),
            cell(cause.remedy())
        );
    }
    table
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The first line that differs, as a complaint.
pub(crate) fn difference(found: &str, wanted: &str) -> Vec<String> {
    if found == wanted {
        return Vec::new();
    }
    let same = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or_default().to_owned();
    vec![format!(
        "README.md:{}: expected the generated table\n  {}\nbut found\n  {}\nrun the test with UPDATE=1",
        same + 1,
        line(wanted),
        line(found)
    )]
}

mod tests {
    use super::*;

    #[test]
    fn a_table_is_replaced_between_its_markers() {
        let text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        assert_eq!(between(text, "x"), Some("old\n"));
        assert_eq!(replace(text, "x", "new\n").as_deref(), Ok("a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"));
    }

    #[test]
    fn a_missing_marker_is_reported() {
        assert_eq!(
            replace("a", "x", "").as_ref().map_err(String::as_str),
            Err("README.md:1: expected the marker `<!-- x -->`, but found none")
        );
    }

    #[test]
    fn a_difference_is_reported_with_its_line() {
        assert!(difference("a\nb\n", "a\nb\n").is_empty());
        assert!(difference("a\nb\n", "a\nc\n")[0].starts_with("README.md:2: "));
    }
}
