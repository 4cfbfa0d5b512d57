//! The latest rejections: one line each, which opens into all that is known.

use std::fmt::{self, Write};

use crate::cause::Family;
use crate::container::Container;
use crate::diagnosis::{Diagnosis, TokenReport};
use crate::product::Product;
use crate::time::UnixTime;

use super::super::rejections;
use super::Scene;
use super::filter::Filter;
use super::html::{Ago, Clock, Escaped, Grouped, Lasting, Prose, ShortSid};

pub(super) fn write(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let filter = scene.filter;
    page.write_str("<section id=\"latest\" data-part>\n<h2>Latest rejections</h2>\n")?;
    let mut latest = rejections::latest(scene.view, filter.cause, filter.listed() + 1);
    let is_cut = latest.len() > filter.listed();
    latest.truncate(filter.listed());
    if latest.is_empty() {
        let of = filter.cause.map_or("", |_| " of this cause");
        return writeln!(
            page,
            "<p class=\"empty\">None{of} yet. A refusal shows up here as soon as it is logged.</p>\n</section>"
        );
    }
    page.write_str("<ol class=\"rejections\">\n")?;
    let links = rejections::links(scene.view);
    let is_listed = |id: &str| latest.iter().any(|listed| listed.id == id);
    for diagnosis in &latest {
        let same = links.of_id(&diagnosis.id);
        let same = same.map(|other| Same { other, is_listed: is_listed(&other.id) });
        write_rejection(page, diagnosis, same, scene.now)?;
    }
    page.write_str("</ol>\n")?;
    if is_cut && !filter.more {
        let more = Filter { more: true, ..filter };
        writeln!(page, "<p><a id=\"list-more\" data-filter href=\"{more}\">Show more</a></p>")?;
    } else if filter.more {
        let less = Filter { more: false, ..filter };
        writeln!(page, "<p><a id=\"list-more\" data-filter href=\"{less}\">Show fewer</a></p>")?;
    }
    page.write_str("</section>\n")
}

/// The rejection of another source that is the same refusal.
struct Same<'a> {
    other: &'a Diagnosis,
    /// It is on the page.
    is_listed: bool,
}

fn write_rejection(page: &mut String, diagnosis: &Diagnosis, same: Option<Same<'_>>, now: UnixTime) -> fmt::Result {
    let id = Escaped(&diagnosis.id);
    let product = Some(diagnosis.product).filter(|product| *product != Product::Unknown);
    write!(
        page,
        "<li><details id=\"r-{id}\"><summary id=\"s-{id}\"><time datetime=\"{at}\">{}</time> <b>{}</b> \
         <span class=\"where\">{}{}{}",
        Clock { at: diagnosis.at, now },
        Escaped(diagnosis.cause.title()),
        product.map_or("", Product::id),
        product.map_or("", |_| " · "),
        Escaped(&diagnosis.source),
        at = diagnosis.at,
    )?;
    if let Some(key) = diagnosis.token.as_ref().and_then(|token| token.key_sid.as_deref()) {
        write!(page, " · <code>{}</code>", ShortSid(key))?;
    }
    page.write_str("</span>")?;
    if let Some(brief) = brief(diagnosis) {
        write!(page, " <span class=\"brief\">{}</span>", Prose(&brief))?;
    }
    page.write_str("</summary>\n")?;
    write_findings(page, diagnosis)?;
    if let Some(same) = same {
        write_same(page, &same, now)?;
    }
    write_facts(page, diagnosis, now)?;
    page.write_str("</details></li>\n")
}

/// The other source that tells of the refusal, and what it makes of it.
fn write_same(page: &mut String, same: &Same<'_>, now: UnixTime) -> fmt::Result {
    let other = same.other;
    let told = format_args!(
        "{} at <time datetime=\"{}\">{}</time>, from {}",
        Escaped(other.cause.title()),
        other.at,
        Clock { at: other.at, now },
        Escaped(&other.source)
    )
    .to_string();
    page.write_str("<p class=\"where\">The same refusal: ")?;
    if same.is_listed {
        write!(page, "<a href=\"#s-{}\">{told}</a>", Escaped(&other.id))?;
    } else {
        page.write_str(&told)?;
    }
    page.write_str("</p>\n")
}

/// The evidence, as short as it can be said.
fn brief(diagnosis: &Diagnosis) -> Option<String> {
    let (expired, early) =
        diagnosis.token.as_ref().map_or((None, None), |token| (token.expired_for_seconds, token.early_by_seconds));
    match (diagnosis.cause.family(), expired, early) {
        (Family::Time, Some(seconds), _) => Some(format!("{} after `exp`", Lasting(seconds))),
        (Family::Time, None, Some(seconds)) => Some(format!("{} before it becomes valid", Lasting(seconds))),
        _ => diagnosis.findings.first().map(ToString::to_string),
    }
}

/// What was found, and what to do; also the answer to a check.
pub(super) fn write_findings(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    writeln!(page, "<p>{}</p>", Prose(diagnosis.cause.why()))?;
    if !diagnosis.findings.is_empty() {
        page.write_str("<ul class=\"findings\">\n")?;
        for finding in &diagnosis.findings {
            let (cause, finding) = (finding.cause(), finding.to_string());
            writeln!(page, "<li><code>{}</code> {}</li>", cause.id(), Prose(&finding))?;
        }
        page.write_str("</ul>\n")?;
    }
    writeln!(page, "<p class=\"do\"><b>What to do</b> {}</p>", Prose(diagnosis.cause.remedy()))?;
    if !diagnosis.skipped.is_empty() {
        let skipped: Vec<String> = diagnosis
            .skipped
            .iter()
            .map(|one| format!("{} ({})", one.check.id(), one.reason.id()).replace('_', " "))
            .collect();
        writeln!(page, "<p class=\"where\">Not checked: {}</p>", Escaped(&skipped.join(", ")))?;
    }
    Ok(())
}

fn write_facts(page: &mut String, diagnosis: &Diagnosis, now: UnixTime) -> fmt::Result {
    page.write_str("<dl class=\"facts\">\n")?;
    write_fact(page, "Refused", format_args!("{} <span>{}</span>", diagnosis.at, Ago { at: diagnosis.at, now }))?;
    if let Some(path) = &diagnosis.path {
        let line = diagnosis.line;
        write_fact(page, "Log", format_args!("<code>{}:{line}</code>", Escaped(path)))?;
        let Container { namespace, pod, container } = Container::of_path(path);
        let names: Vec<&str> = [namespace, pod, container].into_iter().flatten().collect();
        if !names.is_empty() {
            write_fact(page, "Container", format_args!("{}", Escaped(&names.join(" / "))))?;
        }
    }
    if let Some(code) = diagnosis.code {
        write_fact(page, "Twilio's code", format_args!("{code}"))?;
    }
    let prints = u64::from(diagnosis.sightings);
    write_fact(page, "Printed", format_args!("{} {}", Grouped(prints), if prints == 1 { "time" } else { "times" }))?;
    write_fact(page, "Rests on", format_args!("{}", diagnosis.basis.id()))?;
    match &diagnosis.token {
        Some(token) => write_token(page, token)?,
        None => write_fact(page, "Token", format_args!("none found"))?,
    }
    page.write_str("</dl>\n")
}

pub(super) fn write_token(page: &mut String, token: &TokenReport) -> fmt::Result {
    write_fact(page, "Token", format_args!("{}, {}", token.state.id(), Escaped(&token.found.to_string())))?;
    for (name, value) in [("Key", &token.key_sid), ("Account", &token.account_sid), ("Token id", &token.jti)] {
        if let Some(value) = value {
            write_fact(page, name, format_args!("<code>{}</code>", Escaped(value)))?;
        }
    }
    for (name, at) in [("Issued", token.issued_at), ("Not before", token.not_before), ("Expires", token.expires_at)] {
        if let Some(at) = at {
            write_fact(page, name, format_args!("{at}"))?;
        }
    }
    if let Some(seconds) = token.lifetime_seconds {
        write_fact(page, "Lifetime", format_args!("{}", Lasting(seconds)))?;
    }
    if !token.grants.is_empty() {
        write_fact(page, "Grants", format_args!("{}", Escaped(&token.grants.join(", "))))?;
    }
    if let Some(region) = token.region {
        write_fact(page, "Region", format_args!("{}", Escaped(region)))?;
    }
    write_fact(page, "Fingerprint", format_args!("<code>{}</code>", token.fingerprint))
}

/// `value` is markup.
fn write_fact(page: &mut String, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>")
}
