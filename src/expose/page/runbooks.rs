//! What to do when an alert fires: the runbooks of `dashboards/`, so that an alert's link leads somewhere wherever the
//! daemon runs.

use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::{ICON, STYLE};

const RUNBOOKS: &str = include_str!("../../../dashboards/runbooks.md");

/// The page: written once, because nothing in it changes.
pub(in crate::expose) static PAGE: LazyLock<String> = LazyLock::new(render);

fn render() -> String {
    let mut body = String::with_capacity(2 * RUNBOOKS.len());
    html::push_html(&mut body, with_anchors(Parser::new_ext(RUNBOOKS, Options::ENABLE_TABLES)).into_iter());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Runbooks · diag51007</title>\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>{STYLE}</style>\n</head>\n<body class=\"text\">\n\
         <header><p><a href=\"./\">diag51007</a></p></header>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// Names each chapter by the alert in lower case, as alerts link to it.
fn with_anchors(parser: Parser<'static>) -> Vec<Event<'static>> {
    let mut events: Vec<Event<'static>> = Vec::new();
    let mut chapter = None;
    for event in parser {
        if matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H2, .. })) {
            chapter = Some(events.len());
        } else if matches!(event, Event::End(TagEnd::Heading(_))) {
            chapter = None;
        } else if let Event::Text(text) = &event
            && let Some(Event::Start(Tag::Heading { id, .. })) = chapter.take().and_then(|at| events.get_mut(at))
        {
            *id = Some(CowStr::from(text.to_lowercase()));
        }
        // Each line of a chapter says one thing.
        events.push(if event == Event::SoftBreak { Event::HardBreak } else { event });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::alert::Name;

    #[test]
    fn every_alert_has_its_chapter() {
        for name in Name::ALL {
            let name = name.id();
            let heading = format!("<h2 id=\"{}\">{name}</h2>", name.to_lowercase());
            assert!(PAGE.contains(&heading), "{heading}");
        }
    }

    #[test]
    fn tables_and_commands_are_shown_as_such() {
        assert!(PAGE.contains("<td><code>spike_min</code></td>"));
        assert!(!PAGE.contains("```") && !PAGE.contains("**"));
        assert!(PAGE.contains("<br />\n<strong>Do</strong>"));
    }
}
