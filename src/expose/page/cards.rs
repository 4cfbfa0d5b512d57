//! Alerts and incidents, as cards: what happens, since when, and what to do.
//!
//! Cards are texts; whoever knows alerts and incidents makes them. Without any there is no section: a page without
//! trouble has no empty boxes that speak of trouble.

use std::fmt::{self, Write};

use crate::time::UnixTime;

use super::html::{Ago, Clock, Escaped, Prose};

/// How a card stands.
#[allow(dead_code, reason = "which of them occur depends on who makes cards")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expose) enum Standing {
    /// It goes on, and a person should act.
    Firing,
    /// It may become so.
    Pending,
    /// It is over.
    Over,
}

impl Standing {
    const fn class(self) -> &'static str {
        match self {
            Self::Firing => "bad",
            Self::Pending => "wait",
            Self::Over => "good",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Over => "over",
        }
    }
}

/// One alert or incident.
#[derive(Clone, Debug)]
pub(in crate::expose) struct Card {
    /// Its name, as the rules or the taxonomy have it.
    pub(in crate::expose) title: String,
    pub(in crate::expose) standing: Standing,
    pub(in crate::expose) since: UnixTime,
    /// When it was over, if it is.
    pub(in crate::expose) until: Option<UnixTime>,
    /// What happened, with numbers. Text between backticks is code.
    pub(in crate::expose) what: String,
    /// What to do.
    pub(in crate::expose) remedy: String,
    /// Further facts: name and value.
    pub(in crate::expose) facts: Vec<(&'static str, String)>,
}

/// A section of cards, if there are any.
pub(super) fn write(page: &mut String, id: &str, title: &str, cards: &[Card], now: UnixTime) -> fmt::Result {
    writeln!(page, "<section id=\"{id}\" data-part class=\"{}\">", if cards.is_empty() { "none" } else { "cards" })?;
    if !cards.is_empty() {
        write!(page, "<h2>{title}</h2>\n<ul>\n")?;
        cards.iter().try_for_each(|card| write_card(page, card, now))?;
        page.write_str("</ul>\n")?;
    }
    page.write_str("</section>\n")
}

fn write_card(page: &mut String, card: &Card, now: UnixTime) -> fmt::Result {
    write!(
        page,
        "<li class=\"{class}\">\n<p><b>{}</b> <span class=\"state {class}\">{}</span> <span class=\"where\">",
        Escaped(&card.title),
        card.standing.name(),
        class = card.standing.class(),
    )?;
    match card.until {
        Some(until) => write!(page, "{} to {}", Clock { at: card.since, now }, Clock { at: until, now })?,
        None => write!(page, "since {}, {}", Clock { at: card.since, now }, Ago { at: card.since, now })?,
    }
    write!(page, "</span></p>\n<p>{}</p>\n", Prose(&card.what))?;
    if !card.remedy.is_empty() {
        writeln!(page, "<p class=\"do\"><b>What to do</b> {}</p>", Prose(&card.remedy))?;
    }
    if !card.facts.is_empty() {
        page.write_str("<dl class=\"facts\">\n")?;
        for (name, value) in &card.facts {
            writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Prose(value))?;
        }
        page.write_str("</dl>\n")?;
    }
    page.write_str("</li>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    #[test]
    fn a_card_says_since_when_what_and_what_to_do() {
        let mut page = String::new();
        let card = Card {
            title: "SignatureSpike".to_owned(),
            standing: Standing::Firing,
            since: NOW.plus_millis(-600_000),
            until: None,
            what: "No token of `SK…1f` verifies; before, 1204 did: <b>rotated</b>.".to_owned(),
            remedy: "Put the new secret into the token server.".to_owned(),
            facts: vec![("Tokens", "213".to_owned())],
        };
        write(&mut page, "alerts", "Alerts", &[card], NOW).expect("written");
        for wanted in [
            "<b>SignatureSpike</b> <span class=\"state bad\">firing</span>",
            "10 min ago",
            "No token of <code>SK…1f</code> verifies; before, 1204 did: &lt;b&gt;rotated&lt;/b&gt;.",
            "<b>What to do</b> Put the new secret",
            "<dt>Tokens</dt><dd>213</dd>",
        ] {
            assert!(page.contains(wanted), "no `{wanted}` in {page}");
        }
    }

    #[test]
    fn without_cards_there_is_no_heading() {
        let mut page = String::new();
        write(&mut page, "alerts", "Alerts", &[], NOW).expect("written");
        assert!(!page.contains("<h2>"), "{page}");
    }
}
