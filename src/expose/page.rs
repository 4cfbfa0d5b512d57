//! The page at `/`: how things are, at a glance.
//!
//! Made on the server, one document without scripts and without anything from elsewhere, so that it works in any
//! browser and its content security policy can forbid everything but its own style. Every value is escaped, whoever
//! it comes from.

mod html;

use std::fmt::{self, Write};
use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::ledger::View;
use crate::ledger::totals::Source;
use crate::ledger::window::{Tally, Window};
use crate::time::UnixTime;

use super::{BuildInfo, Status, rejections};

use self::html::{Ago, Bytes, Escaped, Grouped, Prose};

/// The windows of the table of causes, in seconds, with their names.
const WINDOWS: [(i64, &str); 3] = [(300, "5 min"), (3600, "1 hour"), (86_400, "24 hours")];
/// The rejections that are shown.
const REJECTIONS: usize = 20;
const STYLE: &str = include_str!("page/page.css");

/// All that the page shows.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) view: &'a View,
    pub(super) status: &'a Status,
    pub(super) build: &'a BuildInfo,
    pub(super) now: UnixTime,
}

/// The policy allows the one style, by its digest.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// The page as an answer.
pub(super) fn respond(scene: &Scene<'_>) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let mut response = ([kind], render(scene)).into_response();
    if let Some(policy) = POLICY.as_ref() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

/// The page.
pub(super) fn render(scene: &Scene<'_>) -> String {
    let mut page = String::with_capacity(32 * 1024);
    // Writing to a string can't fail.
    _ = write_page(&mut page, scene);
    page
}

fn write_page(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let tallies = WINDOWS.map(|(seconds, _)| {
        Window::from_seconds(seconds).map_or_else(Tally::default, |window| scene.view.tally(window, scene.now))
    });
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>diag51007</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>diag51007</h1>\n<p>Refused Twilio Access Tokens, and why</p>\n\
         <p class=\"when\">as of <time>{}</time></p>\n</header>\n<main>\n",
        scene.now
    )?;
    write_glance(page, scene, &tallies)?;
    write_causes(page, &tallies)?;
    write_rejections(page, scene)?;
    write_sources(page, scene)?;
    write_links(page)?;
    let BuildInfo { version, revision, .. } = scene.build;
    let (version, revision) = (Escaped(version), Escaped(revision));
    write!(
        page,
        "</main>\n<footer><p>diag51007 {version} ({revision}), running since <time>{}</time></p></footer>\n\
         </body>\n</html>\n",
        scene.status.started_at
    )
}

fn write_glance(page: &mut String, scene: &Scene<'_>, tallies: &[Tally; 3]) -> fmt::Result {
    let [minutes, _, _] = tallies;
    let view = scene.view;
    let down: Vec<&str> = configured(view).filter(|source| !source.up).map(|source| &*source.name).collect();
    let (class, said) =
        if minutes.rejections > 0 { ("bad", "Connections are being refused") } else { ("good", "Quiet") };
    write!(page, "<section class=\"glance {class}\" aria-label=\"At a glance\">\n<h2>{said}</h2>\n<p>")?;
    match minutes.rejections {
        0 => page.write_str("No connection was refused in the last 5 minutes")?,
        1 => page.write_str("1 connection was refused in the last 5 minutes")?,
        n => write!(page, "{} connections were refused in the last 5 minutes", Grouped(n))?,
    }
    match view.totals.last_rejection {
        Some(at) => writeln!(page, "; the latest refusal was {}.</p>", Ago { at, now: scene.now })?,
        None => page.write_str("; none has been seen yet.</p>\n")?,
    }
    if !scene.status.ready {
        page.write_str("<p class=\"note\">The backlog is still being read: numbers will grow.</p>\n")?;
    }
    if !down.is_empty() {
        writeln!(page, "<p class=\"note\">Not working: {}.</p>", Escaped(&down.join(", ")))?;
    }
    if !scene.status.reload_successful {
        page.write_str("<p class=\"note\">The last reload failed: the config before it is still in force.</p>\n")?;
    }
    page.write_str("<dl class=\"counts\">\n")?;
    for ((_, name), tally) in WINDOWS.iter().zip(tallies) {
        writeln!(page, "<div><dt>{name}</dt><dd>{}</dd></div>", Grouped(tally.rejections))?;
    }
    write!(page, "<div><dt>in all</dt><dd>{}</dd></div>\n</dl>\n</section>\n", Grouped(view.totals.rejections))
}

fn write_causes(page: &mut String, tallies: &[Tally; 3]) -> fmt::Result {
    let counts = |cause: Cause| tallies.each_ref().map(|tally| tally.causes.at(cause).map_or(0, |seen| seen.count));
    let mut rows: Vec<(Cause, [u64; 3])> = Cause::ALL.map(|cause| (cause, counts(cause))).into();
    rows.retain(|(_, counts)| counts.iter().any(|count| *count > 0));
    rows.sort_by_key(|(_, counts)| std::cmp::Reverse(*counts));
    page.write_str("<section>\n<h2>Causes</h2>\n")?;
    if rows.is_empty() {
        return page.write_str("<p class=\"empty\">Nothing was refused in the last 24 hours.</p>\n</section>\n");
    }
    page.write_str("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Cause and what to do</th>")?;
    for (_, name) in WINDOWS {
        write!(page, "<th scope=\"col\" class=\"n\">{name}</th>")?;
    }
    page.write_str("</tr></thead>\n<tbody>\n")?;
    for (cause, counts) in rows {
        write!(
            page,
            "<tr><th scope=\"row\"><b>{}</b> <code>{}</code><span>{}</span></th>",
            Escaped(cause.title()),
            cause.id(),
            Prose(cause.remedy())
        )?;
        for count in counts {
            let class = if count == 0 { "n zero" } else { "n" };
            write!(page, "<td class=\"{class}\">{}</td>", Grouped(count))?;
        }
        page.write_str("</tr>\n")?;
    }
    page.write_str("</tbody>\n</table></div>\n</section>\n")
}

fn write_rejections(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    page.write_str("<section>\n<h2>Latest rejections</h2>\n")?;
    let latest = rejections::latest(scene.view, None, REJECTIONS);
    if latest.is_empty() {
        return page.write_str("<p class=\"empty\">None yet.</p>\n</section>\n");
    }
    page.write_str("<ol class=\"rejections\">\n")?;
    for diagnosis in latest {
        write_rejection(page, diagnosis, scene.now)?;
    }
    page.write_str("</ol>\n</section>\n")
}

fn write_rejection(page: &mut String, diagnosis: &Diagnosis, now: UnixTime) -> fmt::Result {
    write!(
        page,
        "<li>\n<p><b>{}</b> <code>{}</code></p>\n<p class=\"where\"><time title=\"{at}\">{}</time> · {} · {}",
        Escaped(diagnosis.cause.title()),
        diagnosis.cause.id(),
        Ago { at: diagnosis.at, now },
        diagnosis.product.id(),
        Escaped(&diagnosis.source),
        at = diagnosis.at,
    )?;
    if let Some(path) = &diagnosis.path {
        write!(page, " · {}:{}", Escaped(path), diagnosis.line)?;
    }
    if let Some(code) = diagnosis.code {
        write!(page, " · code {code}")?;
    }
    match &diagnosis.token {
        Some(token) => {
            write!(page, " · token: {}", Escaped(&token.found.to_string()))?;
            if let Some(key) = &token.key_sid {
                write!(page, " · key <code>{}</code>", Escaped(key))?;
            }
        }
        None => page.write_str(" · no token found")?,
    }
    page.write_str("</p>\n")?;
    if !diagnosis.findings.is_empty() {
        page.write_str("<ul>\n")?;
        for finding in &diagnosis.findings {
            writeln!(page, "<li>{}</li>", Prose(&finding.to_string()))?;
        }
        page.write_str("</ul>\n")?;
    }
    if !diagnosis.skipped.is_empty() {
        let skipped: Vec<String> = diagnosis
            .skipped
            .iter()
            .map(|one| format!("{} ({})", one.check.id(), one.reason.id()).replace('_', " "))
            .collect();
        writeln!(page, "<p class=\"where\">Not checked: {}</p>", Escaped(&skipped.join(", ")))?;
    }
    page.write_str("</li>\n")
}

fn write_sources(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    page.write_str(
        "<section>\n<h2>Sources</h2>\n<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">Source</th>\
         <th scope=\"col\">State</th><th scope=\"col\" class=\"n\">Files</th><th scope=\"col\" class=\"n\">Lines</th>\
         <th scope=\"col\" class=\"n\">Read</th><th scope=\"col\" class=\"n\">Behind</th>\
         <th scope=\"col\" class=\"n\">Rejections</th></tr></thead>\n<tbody>\n",
    )?;
    for source in configured(scene.view) {
        let (class, state) = match (source.up, source.caught_up) {
            (false, _) => ("bad", "not working"),
            (true, false) => ("wait", "reading the backlog"),
            (true, true) => ("good", "up to date"),
        };
        write!(page, "<tr><th scope=\"row\">{}", Escaped(&source.name))?;
        if let Some(error) = &source.last_error {
            let ago = Ago { at: error.at, now: scene.now };
            write!(page, "<span>last error, {ago}: {}</span>", Escaped(&error.message))?;
        }
        writeln!(
            page,
            "</th><td><span class=\"state {class}\">{state}</span></td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Grouped(source.files),
            Grouped(source.lines),
            Bytes(source.read_bytes),
            Bytes(source.unread_bytes),
            Grouped(source.rejections_all()),
        )?;
    }
    page.write_str("</tbody>\n</table></div>\n</section>\n")
}

fn write_links(page: &mut String) -> fmt::Result {
    page.write_str("<section>\n<h2>For machines</h2>\n<ul class=\"links\">\n")?;
    for (path, what) in [
        ("/metrics", "metrics for Prometheus"),
        ("/api/v1/summary?window=5m", "the summary of a window"),
        ("/api/v1/rejections", "the latest rejections"),
        ("/api/v1/causes", "every cause, with its remedy"),
        ("/api/v1/status/sources", "lag and errors by source"),
        ("/api/v1/status/config", "the effective config"),
        ("/api/v1/openapi.json", "all of the API"),
    ] {
        writeln!(page, "<li><a href=\"{path}\"><code>{path}</code></a> {what}</li>")?;
    }
    page.write_str("</ul>\n</section>\n")
}

fn configured(view: &View) -> impl Iterator<Item = &Source> {
    view.sources.iter().map(|source| &**source).filter(|source| source.configured)
}
