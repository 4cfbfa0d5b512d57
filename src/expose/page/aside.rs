//! What stands beside the main things: keys, products, sources, and links for machines.

use std::fmt::{self, Write};

use crate::ledger::totals::Source;
use crate::ledger::window::{KeyLabel, Tally, Window};

use crate::product::Product;

use super::Scene;
use super::glance::configured;
use super::html::{Ago, Bytes, Counted, Escaped, Grouped, ShortSid};

/// Rows of a list of counts.
const ROWS: usize = 8;

pub(super) fn write_keys(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let window = Window::from_seconds(scene.filter.range.seconds());
    let tally = window.map_or_else(Tally::default, |window| scene.view.tally(window, scene.now));
    if tally.rejections == 0 {
        return page.write_str("<section id=\"keys\" data-part class=\"none\"></section>\n");
    }
    write!(
        page,
        "<section id=\"keys\" data-part>\n<h2>Products and keys</h2>\n<p class=\"where\">in the last {}</p>\n",
        scene.filter.range.name()
    )?;
    let called = |product: Product| if product == Product::Unknown { "not known" } else { product.id() };
    let products = tally.products.iter().map(|(product, count)| (called(product).to_owned(), count));
    write_counts(page, "Product", products.collect(), tally.rejections)?;
    let name = |key: KeyLabel| match key {
        KeyLabel::Known(place) => scene.view.keys.sid(place).map_or_else(|| "other".to_owned(), short_code),
        KeyLabel::Other => "other keys".to_owned(),
        KeyLabel::None => "not known".to_owned(),
    };
    let keys = tally.keys.iter().map(|(key, count)| (name(key), count));
    write_counts(page, "Key", keys.collect(), tally.rejections)?;
    page.write_str("</section>\n")
}

fn short_code(sid: &str) -> String {
    format!("<code title=\"{}\">{}</code>", Escaped(sid), ShortSid(sid))
}

/// Counts with a bar each, the most frequent first. Names are markup.
#[expect(clippy::cast_precision_loss, reason = "lengths in a drawing")]
fn write_counts(page: &mut String, what: &str, mut rows: Vec<(String, u64)>, all: u64) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: u64 = rows.iter().skip(ROWS).map(|(_, count)| count).sum();
    rows.truncate(ROWS);
    if rest > 0 {
        rows.push(("all others".to_owned(), rest));
    }
    write!(
        page,
        "<table class=\"shares\">\n<thead><tr><th scope=\"col\">{what}</th><th scope=\"col\" class=\"n\">Rejections</th></tr></thead>\n<tbody>\n"
    )?;
    for (name, count) in rows {
        let width = 100.0 * count as f64 / all.max(1) as f64;
        writeln!(
            page,
            "<tr><th scope=\"row\">{name}<svg class=\"share\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect width=\"{width:.1}\" height=\"1\"/></svg></th><td class=\"n\">{}</td></tr>",
            Grouped(count)
        )?;
    }
    page.write_str("</tbody>\n</table>\n")
}

pub(super) fn write_sources(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    page.write_str("<section id=\"sources\" data-part>\n<h2>Sources</h2>\n")?;
    let mut sources = configured(scene.view).peekable();
    if sources.peek().is_none() {
        page.write_str("<p class=\"empty\">The config names none.</p>\n")?;
    }
    page.write_str("<ul class=\"sources\">\n")?;
    sources.try_for_each(|source| write_source(page, source, scene))?;
    page.write_str("</ul>\n</section>\n")
}

fn write_source(page: &mut String, source: &Source, scene: &Scene<'_>) -> fmt::Result {
    let (class, state) = match (source.up, source.caught_up) {
        (false, _) => ("bad", "not working"),
        (true, false) => ("wait", "reading the backlog"),
        (true, true) => ("good", "up to date"),
    };
    write!(
        page,
        "<li><p><b>{}</b> <span class=\"state {class}\">{state}</span></p>\n<p class=\"where\">{} · {} · {}",
        Escaped(&source.name),
        Counted(source.rejections_all(), "rejection"),
        Counted(source.lines, "line"),
        Bytes(source.read_bytes),
    )?;
    if source.files != 1 {
        write!(page, " · {}", Counted(source.files, "file"))?;
    }
    if source.unread_bytes > 0 {
        write!(page, " · {} behind", Bytes(source.unread_bytes))?;
    }
    if source.lost_bytes > 0 {
        write!(page, " · {} lost", Bytes(source.lost_bytes))?;
    }
    page.write_str("</p>\n")?;
    if let Some(error) = &source.last_error {
        let ago = Ago { at: error.at, now: scene.now };
        writeln!(page, "<p class=\"note\">last error, {ago}: {}</p>", Escaped(&error.message))?;
    }
    page.write_str("</li>\n")
}

pub(super) fn write_links(page: &mut String) -> fmt::Result {
    page.write_str("<section>\n<h2>For machines</h2>\n<ul class=\"links\">\n")?;
    for (path, what) in [
        ("metrics", "metrics for Prometheus"),
        ("api/v1/summary?window=5m", "the summary of a window"),
        ("api/v1/rejections", "the latest rejections"),
        ("api/v1/causes", "every cause, with its remedy"),
        ("api/v1/status/sources", "lag and errors by source"),
        ("api/v1/status/config", "the effective config"),
        ("api/v1/openapi.json", "all of the API"),
    ] {
        writeln!(page, "<li><a href=\"{path}\"><code>/{path}</code></a> {what}</li>")?;
    }
    page.write_str("</ul>\n</section>\n")
}
