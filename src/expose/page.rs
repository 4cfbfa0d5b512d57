//! The page at `/`: how things are, at a glance.
//!
//! Made on the server, one document without anything from elsewhere. It works without scripts: filters are links, the
//! check is a form. Its one script fetches the page again when there is news, so that every value is written, and
//! escaped, in one place only, whoever it comes from. The content security policy names style and script by digest and
//! forbids everything else.

mod aside;
mod cards;
mod chart;
pub(super) mod filter;
pub(super) mod form;
mod glance;
mod html;
mod latest;
mod runbooks;
pub(super) mod trouble;

use std::fmt::{self, Write};
use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ledger::View;
use crate::time::UnixTime;

use super::{BuildInfo, Status};

use self::filter::Filter;
use self::form::Answer;
use self::html::{Clock, Escaped};
use self::trouble::Trouble;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// A dot, in the colour of trouble.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath \
                    fill='%23b3261e' d='M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm-1 3h2v5H7zm0 6h2v2H7z'/%3E%3C/svg%3E";

/// All that the page shows.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) view: &'a View,
    pub(super) status: &'a Status,
    pub(super) build: &'a BuildInfo,
    pub(super) filter: Filter,
    /// The daemon's own alerts that are not inactive, and the incidents.
    pub(super) trouble: &'a Trouble,
    /// What a token that was sent turned out to be.
    pub(super) answer: Option<&'a Answer>,
    pub(super) now: UnixTime,
}

/// The policy allows the one style and the one script, by their digests.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = |text: &str| STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    HeaderValue::from_str(&policy).ok()
});

/// The page as an answer.
pub(super) fn respond(scene: &Scene<'_>) -> Response {
    answer(render(scene))
}

/// The runbooks as an answer.
pub(super) fn respond_runbooks() -> Response {
    answer(runbooks::PAGE.as_str())
}

fn answer(page: impl IntoResponse) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let mut response = ([kind], page).into_response();
    // Without any referrer a browser would call the origin of the page's own form `null`, and be refused.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Some(policy) = POLICY.as_ref() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

/// The page.
pub(super) fn render(scene: &Scene<'_>) -> String {
    let mut page = String::with_capacity(64 * 1024);
    // Writing to a string can't fail.
    _ = write_page(&mut page, scene);
    page
}

fn write_page(page: &mut String, scene: &Scene<'_>) -> fmt::Result {
    let now = Clock { at: scene.now, now: scene.now };
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>diag51007</h1>\n<p>Refused Twilio Access Tokens, and why</p>\n\
         <p class=\"when\"><span id=\"live\" role=\"status\" hidden></span> \
         <span id=\"as-of\" data-part>as of <time datetime=\"{}\">{now} UTC</time></span></p>\n</header>\n<main>\n",
        glance::title(scene),
        scene.now
    )?;
    glance::write(page, scene)?;
    let (trouble, lead) = (scene.trouble, glance::lead(scene));
    cards::write(page, ("alerts", "Alerts"), &trouble.alerts, (lead, 0), scene.now)?;
    cards::write(page, ("incidents", "Incidents"), &trouble.incidents, (lead, trouble.further), scene.now)?;
    chart::write(page, scene)?;
    page.write_str("<div class=\"columns\">\n<div>\n")?;
    latest::write(page, scene)?;
    page.write_str("</div>\n<div>\n")?;
    aside::write_sources(page, scene)?;
    aside::write_keys(page, scene)?;
    form::write(page, scene.answer)?;
    aside::write_links(page)?;
    let BuildInfo { version, revision, .. } = scene.build;
    let (version, revision) = (Escaped(version), Escaped(revision));
    write!(
        page,
        "</div>\n</div>\n</main>\n<footer><p>diag51007 {version} ({revision}), running since <time>{}</time>. All times are UTC.</p>\
         </footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        scene.status.started_at
    )
}
