//! Alerts and incidents, as cards: what happens, since when, and what to do.
//!
//! Cards are texts; [`super::trouble`] makes them. Without any there is no section: a page without trouble has no empty
//! boxes that speak of trouble. What the glance on top has said is not said again.

use std::fmt::{self, Write};

use crate::cause::Cause;
use crate::time::UnixTime;

use super::html::{Ago, Clock, Escaped, Prose};

/// How a card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// An alert that a person should act on.
    Firing,
    /// An incident that goes on.
    Open,
    /// It may become so.
    Pending,
    /// It is over.
    Over,
}

impl Standing {
    const fn class(self) -> &'static str {
        match self {
            Self::Firing | Self::Open => "bad",
            Self::Pending => "wait",
            Self::Over => "good",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Open => "goes on",
            Self::Pending => "pending",
            Self::Over => "over",
        }
    }
}

/// One alert or incident.
#[derive(Clone, Debug)]
pub(super) struct Card {
    /// What is wrong, in a few words.
    pub(super) title: String,
    /// What tells it from others: its name, severity, product, key. Text between backticks is code.
    pub(super) tags: Vec<String>,
    pub(super) standing: Standing,
    /// The greater, the worse.
    pub(super) severity: usize,
    pub(super) cause: Option<Cause>,
    pub(super) since: UnixTime,
    /// When it was over, if it is.
    pub(super) until: Option<UnixTime>,
    /// What happened, with numbers. Text between backticks is code.
    pub(super) what: String,
    /// What to do.
    pub(super) remedy: String,
    /// Further facts: name and value.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Where more is written: name and address, which is one of the web.
    pub(super) links: Vec<(&'static str, String)>,
}

/// A section of cards, if there are any. What the leading card says stands in the glance already. `further` are counted
/// and not shown.
pub(super) fn write(
    page: &mut String,
    (id, title): (&str, &str),
    cards: &[Card],
    (lead, further): (Option<&Card>, usize),
    now: UnixTime,
) -> fmt::Result {
    writeln!(page, "<section id=\"{id}\" data-part class=\"{}\">", if cards.is_empty() { "none" } else { "cards" })?;
    if !cards.is_empty() {
        write!(page, "<h2>{title}</h2>\n<ul>\n")?;
        for card in cards {
            let is_lead = lead.is_some_and(|lead| std::ptr::eq(lead, card));
            let is_told = lead.is_some_and(|lead| lead.remedy == card.remedy);
            write_card(page, card, (is_lead, is_told), now)?;
        }
        page.write_str("</ul>\n")?;
        if further > 0 {
            writeln!(
                page,
                "<p class=\"where\">{further} more in <a href=\"api/v1/{id}\"><code>/api/v1/{id}</code></a></p>"
            )?;
        }
    }
    page.write_str("</section>\n")
}

fn write_card(page: &mut String, card: &Card, (is_lead, is_told): (bool, bool), now: UnixTime) -> fmt::Result {
    write!(
        page,
        "<li class=\"{class}\">\n<p class=\"name\"><b>{}</b> <span class=\"state {class}\">{}</span> <span class=\"where\">",
        Escaped(&card.title),
        card.standing.name(),
        class = card.standing.class(),
    )?;
    match card.until {
        Some(until) => write!(page, "{} to {}", Clock { at: card.since, now }, Clock { at: until, now })?,
        None => write!(page, "since {}, {}", Clock { at: card.since, now }, Ago { at: card.since, now })?,
    }
    card.tags.iter().try_for_each(|tag| write!(page, " · {}", Prose(tag)))?;
    for (name, address) in &card.links {
        write!(page, " · <a href=\"{}\" rel=\"noreferrer\">{name}</a>", Escaped(address))?;
    }
    page.write_str("</span></p>\n")?;
    if !is_lead {
        writeln!(page, "<p>{}</p>", Prose(&card.what))?;
    }
    if !card.remedy.is_empty() && !is_told {
        writeln!(page, "<p class=\"do\"><b>What to do</b> {}</p>", Prose(&card.remedy))?;
    }
    if !card.facts.is_empty() {
        page.write_str("<dl class=\"facts\">\n")?;
        for (name, value) in &card.facts {
            writeln!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", Prose(value))?;
        }
        page.write_str("</dl>\n")?;
    }
    page.write_str("</li>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn card() -> Card {
        Card {
            title: "Bad <b>signatures</b>".to_owned(),
            tags: vec!["`SignatureSpike`".to_owned(), "critical".to_owned()],
            standing: Standing::Firing,
            severity: 2,
            cause: None,
            since: NOW.plus_millis(-600_000),
            until: None,
            what: "No token of `SK…1f` verifies; before, 1204 did: <b>rotated</b>.".to_owned(),
            remedy: "Put the new secret into the token server.".to_owned(),
            facts: vec![("Tokens", "213".to_owned())],
            links: vec![("Runbook", "http://127.0.0.1/\"onload=x".to_owned())],
        }
    }

    fn written(cards: &[Card], lead: Option<&Card>) -> String {
        let mut page = String::new();
        write(&mut page, ("alerts", "Alerts"), cards, (lead, 2), NOW).expect("written");
        page
    }

    #[test]
    fn a_card_says_since_when_what_and_what_to_do() {
        let page = written(&[card()], None);
        for wanted in [
            "<b>Bad &lt;b&gt;signatures&lt;/b&gt;</b> <span class=\"state bad\">firing</span>",
            "10 min ago · <code>SignatureSpike</code> · critical",
            "<a href=\"http://127.0.0.1/&quot;onload=x\"",
            "No token of <code>SK…1f</code> verifies; before, 1204 did: &lt;b&gt;rotated&lt;/b&gt;.",
            "<b>What to do</b> Put the new secret",
            "<dt>Tokens</dt><dd>213</dd>",
            "2 more in <a href=\"api/v1/alerts\">",
        ] {
            assert!(page.contains(wanted), "no `{wanted}` in {page}");
        }
    }

    #[test]
    fn what_the_glance_says_is_not_said_again() {
        let cards = [card(), Card { what: "Something else.".to_owned(), ..card() }];
        let page = written(&cards, cards.first());
        assert!(!page.contains("No token of") && !page.contains("What to do"), "{page}");
        assert!(page.contains("Something else."), "{page}");
    }

    #[test]
    fn without_cards_there_is_no_heading() {
        assert!(!written(&[], None).contains("<h2>"));
    }
}
