//! `explain`: what a cause or a code means, and what to do about it.
//!
//! A view of the two tables in [`crate::cause`] and [`crate::code`]; it says nothing of its own.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::cause::Cause;
use crate::code::{self, CODES, Code};
use crate::command::arguments::ExplainArgs;
use crate::command::{Exit, Failure, Outcome, output};
use crate::config::nearest;

const STRONG: Style = Style::new().bold();
const HEADING: Style = AnsiColor::Cyan.on_default().bold();
const LINK: Style = Style::new().underline();

/// Prints an explanation, or the whole table.
pub(super) fn explain(arguments: &ExplainArgs) -> Outcome {
    let width = output::width();
    let text = match arguments.word.as_deref().map(str::trim) {
        None => table(width),
        Some(word) => explained(word, width).map_err(|message| Failure::Other(Exit::Usage, message))?,
    };
    output::print(&text)?;
    Ok(Exit::Ok)
}

fn explained(word: &str, width: usize) -> Result<String, String> {
    if let Ok(number) = word.parse::<u32>() {
        return code::find(number).map(|code| code_text(code, width)).ok_or_else(|| unknown_code(number));
    }
    let id = word.to_lowercase().replace(['-', ' '], "_");
    Cause::from_id(&id).map(|cause| cause_text(cause, width)).ok_or_else(|| {
        let hint = nearest(&id, Cause::ALL.into_iter().map(Cause::id));
        let hint = hint.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        format!("expected a cause or a code, but found another word: {hint}`diag51007 explain` lists both")
    })
}

fn unknown_code(number: u32) -> String {
    let found = number.to_string();
    let near = CODES.iter().find(|code| strsim::damerau_levenshtein(&code.number.to_string(), &found) == 1);
    let hint = near.map_or_else(String::new, |code| format!("did you mean {}? ", code.number));
    format!(
        "{number} is not among the codes that have to do with Access Tokens: {hint}`diag51007 explain` lists them; \
         Twilio's page is https://www.twilio.com/docs/api/errors/{number}"
    )
}

fn cause_text(cause: Cause, width: usize) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#} ({}): {}\n", cause.id(), cause.family().id(), cause.title());
    section(&mut text, "Why", &output::wrap(cause.why(), "  ", width));
    section(&mut text, "What to do", &output::wrap(cause.remedy(), "  ", width));
    section(&mut text, "Whom to ask", &output::wrap(cause.owner(), "  ", width));
    let rank = Cause::ALL.iter().take_while(|other| **other != cause).count() + 1;
    let count = Cause::ALL.len();
    let precedence = format!("Number {rank} of {count}: of several causes that apply, the first is the diagnosis.");
    section(&mut text, "Precedence", &output::wrap(&precedence, "  ", width));
    let naming: Vec<_> = CODES.iter().filter(|code| code.causes.contains(&cause)).collect();
    if !naming.is_empty() {
        let lines: Vec<_> = naming.into_iter().map(|code| code_line(code, width)).collect();
        section(&mut text, "Codes that agree with it", &lines.join("\n"));
    }
    section(&mut text, "Twilio's page", &format!("  {LINK}{}{LINK:#}", cause.docs()));
    text
}

fn code_text(code: &Code, width: usize) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#}: {}\n", code.number, code.title);
    let counts = if code.counts {
        "Each connection refused with it is counted once."
    } else {
        "Not counted: it is no refusal of an Access Token by itself."
    };
    section(&mut text, "Counting", &output::wrap(counts, "  ", width));
    if let Some(product) = code.product {
        section(&mut text, "Product", &format!("  {}", product.id()));
    }
    if code.causes.is_empty() {
        let none = "It names none: the token itself has to tell. `diag51007 explain` lists the causes.";
        section(&mut text, "Causes", &output::wrap(none, "  ", width));
    } else {
        let lines: Vec<_> = code.causes.iter().map(|cause| cause_line(*cause, width)).collect();
        section(&mut text, "Causes", &lines.join("\n"));
        let lead = "Without a readable token, the first of them is the diagnosis.";
        if code.counts {
            _ = writeln!(text, "\n{}", output::wrap(lead, "  ", width));
        }
    }
    let page = format!("  {LINK}https://www.twilio.com/docs/api/errors/{}{LINK:#}", code.number);
    section(&mut text, "Twilio's page", &page);
    text
}

fn table(width: usize) -> String {
    let mut text = format!("{HEADING}Causes, by precedence{HEADING:#}\n");
    for cause in Cause::ALL {
        _ = writeln!(text, "{}", cause_line(cause, width));
    }
    let codes: Vec<_> = CODES.iter().map(|code| code_line(code, width)).collect();
    section(&mut text, "Codes (* is counted as a refusal)", &codes.join("\n"));
    _ = writeln!(text, "\n`diag51007 explain CAUSE` or `diag51007 explain CODE` says more.");
    text
}

fn section(text: &mut String, heading: &str, body: &str) {
    _ = writeln!(text, "\n{HEADING}{heading}{HEADING:#}\n{body}");
}

/// Columns of the longest id.
fn id_width() -> usize {
    Cause::ALL.into_iter().map(|cause| cause.id().len()).max().unwrap_or_default()
}

fn cause_line(cause: Cause, width: usize) -> String {
    row(cause.id(), id_width(), cause.title(), width)
}

fn code_line(code: &Code, width: usize) -> String {
    let mark = if code.counts { "*" } else { "" };
    row(&format!("{}{mark}", code.number), 6, code.title, width)
}

/// A name, and beside it a text that is wrapped in its own column.
fn row(name: &str, name_width: usize, text: &str, width: usize) -> String {
    let indent = " ".repeat(name_width + 4);
    let wrapped = output::wrap(text, &indent, width);
    format!("  {STRONG}{name}{STRONG:#}{}  {}", " ".repeat(name_width.saturating_sub(name.len())), wrapped.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_and_every_code_is_explained() {
        for cause in Cause::ALL {
            let text = explained(cause.id(), 80).unwrap();
            for part in [cause.title(), cause.docs()] {
                assert!(text.contains(part), "{}: {part} is missing in\n{text}", cause.id());
            }
        }
        for code in CODES {
            assert!(explained(&code.number.to_string(), 80).unwrap().contains(code.title), "{}", code.number);
        }
    }

    #[test]
    fn the_table_names_every_cause_and_every_code() {
        let text = table(80);
        for cause in Cause::ALL {
            assert!(text.contains(cause.id()), "{}", cause.id());
        }
        for code in CODES {
            assert!(text.contains(&code.number.to_string()), "{}", code.number);
        }
    }

    #[test]
    fn an_id_is_found_in_any_case_and_with_blanks_or_hyphens() {
        assert_eq!(explained("No-Token", 80), explained("no_token", 80));
    }

    #[test]
    fn a_slip_of_the_keyboard_is_understood() {
        assert!(explained("expird", 80).unwrap_err().contains("did you mean `expired`?"));
        assert!(explained("51070", 80).unwrap_err().contains("did you mean 51007?"));
        assert!(!explained("kafka", 80).unwrap_err().contains("did you mean"));
    }

    #[test]
    fn no_line_of_running_text_is_wider_than_the_terminal() {
        for cause in Cause::ALL {
            let text = anstream::adapter::strip_str(&cause_text(cause, 60)).to_string();
            let heading = text.lines().next().unwrap_or_default().to_owned();
            for line in text.lines().filter(|line| *line != heading && !line.contains("https://")) {
                assert!(line.chars().count() <= 60, "{line}");
            }
        }
    }
}
