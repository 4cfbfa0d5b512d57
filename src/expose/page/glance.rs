//! The first thing that is read: is something wrong, what, and what to do about it.

use std::fmt::{self, Write};

use crate::cause::Cause;
use crate::ledger::View;
use crate::ledger::totals::Source;
use crate::ledger::window::{KeyLabel, Tally, Window};

use super::Scene;
use super::cards::{Card, Standing};
use super::html::{Ago, Clock, Counted, Escaped, Grouped, Prose, Share, ShortSid};

/// The windows of the counts, in seconds, with their names.
const WINDOWS: [(i64, &str); 3] = [(300, "5 min"), (3600, "1 hour"), (86_400, "24 hours")];

/// The page's title, which a tab shows.
pub(super) fn title(scene: &Scene<'_>) -> String {
    match tally(scene, 300).rejections {
        0 => "diag51007".to_owned(),
        n => format!("({n}) diag51007"),
    }
}

fn tally(scene: &Scene<'_>, seconds: i64) -> Tally {
    Window::from_seconds(seconds).map_or_else(Tally::default, |window| scene.view.tally(window, scene.now))
}

pub(super) fn write(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let tallies = WINDOWS.map(|(seconds, _)| tally(scene, seconds));
    let [minutes, hour, _] = &tallies;
    // The worst comes first. One that is only for information is no headline while connections are refused.
    let firing = scene.trouble.alerts.iter().filter(|alert| alert.standing == Standing::Firing);
    let (class, said) = match (firing.clone().next(), minutes.rejections) {
        (Some(alert), _) if alert.severity > 0 => ("bad", alert.title.as_str()),
        (_, 1..) => ("bad", "Connections are being refused"),
        (Some(alert), 0) => ("wait", alert.title.as_str()),
        (None, 0) => ("good", "Quiet"),
    };
    let said = Escaped(said);
    write!(page, "<section id=\"glance\" data-part class=\"glance {class}\">\n<h2>{said}</h2>\n<p class=\"lead\">")?;
    match firing.count() {
        0 => {}
        1 => page.write_str("<a href=\"#alerts\">1 alert fires</a>. ")?,
        n => write!(page, "<a href=\"#alerts\">{n} alerts fire</a>. ")?,
    }
    match minutes.rejections {
        0 => page.write_str("No connection was refused in the last 5 minutes")?,
        1 => page.write_str("1 connection was refused in the last 5 minutes")?,
        n => write!(page, "{} connections were refused in the last 5 minutes", Grouped(n))?,
    }
    if let Some(at) = scene.view.totals.last_rejection {
        writeln!(page, "; the latest refusal was {}.</p>", Ago { at, now: scene.now })?;
    } else {
        let (sources, lines) = configured(scene.view).fold((0, 0), |(n, lines), one| (n + 1, lines + one.lines));
        let (sources, lines) = (Counted(sources, "source"), Counted(lines, "line"));
        writeln!(page, "; none has been seen yet. {sources} followed, {lines} read.</p>")?;
    }
    write_notes(page, scene)?;
    if let Some(lead) = lead(scene) {
        write_lead(page, scene, lead)?;
    } else if minutes.rejections > 0 {
        write_main_cause(page, scene, minutes, "the last 5 minutes")?;
    } else if hour.rejections > 0 {
        write_main_cause(page, scene, hour, "the last hour")?;
    }
    page.write_str("<dl class=\"counts\">\n")?;
    for ((_, name), tally) in WINDOWS.iter().zip(&tallies) {
        writeln!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", Grouped(tally.rejections))?;
    }
    write!(page, "<div><dt>in all</dt><dd>{}</dd></div>\n</dl>\n</section>\n", Grouped(scene.view.totals.rejections))
}

/// What could make the numbers mislead.
fn write_notes(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    if !scene.status.ready {
        page.write_str("<p class=\"note\">The backlog is still being read: numbers will grow.</p>\n")?;
    }
    let down: Vec<&str> = configured(scene.view).filter(|source| !source.up).map(|source| &*source.name).collect();
    if !down.is_empty() {
        writeln!(page, "<p class=\"note\">Not working: {}.</p>", Escaped(&down.join(", ")))?;
    }
    if !scene.status.reload_successful {
        page.write_str("<p class=\"note\">The last reload failed: the config before it is still in force.</p>\n")?;
    }
    Ok(())
}

/// The incident that explains what is wrong now, if one goes on.
pub(super) fn lead<'a>(scene: &Scene<'a>) -> Option<&'a Card> {
    scene.trouble.incidents.first().filter(|card| card.standing == Standing::Open)
}

/// What probably happened, and what to do.
fn write_lead(page: &mut String, scene: &Scene<'_>, card: &Card) -> fmt::Result {
    write!(page, "<div class=\"main\">\n<div><h3>What happened</h3><p>")?;
    if let Some(cause) = card.cause {
        let link = scene.filter.cause(Some(cause));
        write!(page, "<a id=\"main-cause\" data-filter href=\"{link}\">{}</a>. ", Escaped(cause.title()))?;
    }
    let (since, ago) = (Clock { at: card.since, now: scene.now }, Ago { at: card.since, now: scene.now });
    write!(page, "Since {since}, {ago}. {}</p></div>\n<div><h3>What to do</h3><p>", Prose(&card.what))?;
    write!(page, "{}", Prose(&card.remedy))?;
    if let Some(cause) = card.cause {
        write!(page, " Whom to ask: {}.", cause.owner())?;
        write!(page, " <a href=\"{}\" rel=\"noreferrer\">Twilio on this</a>", Escaped(Cause::docs(cause)))?;
    }
    page.write_str("</p></div>\n</div>\n")
}

/// The most frequent cause, where it comes from, and what to do.
fn write_main_cause(page: &mut String, scene: &Scene<'_>, tally: &Tally, when: &str) -> fmt::Result {
    let most = tally.causes.iter().max_by_key(|(cause, seen)| (seen.count, std::cmp::Reverse(*cause)));
    let Some((cause, seen)) = most else { return Ok(()) };
    let link = scene.filter.cause(Some(cause));
    write!(
        page,
        "<div class=\"main\">\n<div><h3>{}</h3><p><a id=\"main-cause\" data-filter href=\"{link}\">{}</a>, {} in {when}{}",
        if seen.count * 2 > tally.rejections { "Mostly" } else { "Most often" },
        Escaped(cause.title()),
        Share { part: seen.count, all: tally.rejections },
        if tally.causes.iter().count() > 1 { "" } else { " and nothing else" },
    )?;
    let source = tally.sources.iter().max_by_key(|(_, count)| *count).and_then(|(place, _)| scene.view.source(place));
    if let Some(source) = source {
        write!(page, "; most of all from <b>{}</b>", Escaped(&source.name))?;
    }
    let key = tally.keys.iter().max_by_key(|(_, count)| *count);
    if let Some((KeyLabel::Known(place), _)) = key
        && let Some(sid) = scene.view.keys.sid(place)
    {
        write!(page, ", with key <code title=\"{}\">{}</code>", Escaped(sid), ShortSid(sid))?;
    }
    write!(
        page,
        ". {}</p></div>\n<div><h3>What to do</h3><p>{} Whom to ask: {}. <a href=\"{}\" rel=\"noreferrer\">Twilio on this</a></p></div>\n</div>\n",
        Prose(cause.why()),
        Prose(cause.remedy()),
        cause.owner(),
        Escaped(Cause::docs(cause)),
    )
}

pub(super) fn configured(view: &View) -> impl Iterator<Item = &Source> {
    view.sources.iter().map(|source| &**source).filter(|source| source.configured)
}
