//! Which path answers with what, and what holds for every request: limits, time, origin, headers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::compression::CompressionLayer;

use super::answer::{Refusal, json};
use super::query::Parameters;
use super::{
    AppState, ReloadError, alerts, check, incidents, listing, metrics, openapi, openmetrics, page, rejections, status,
    stream, summary,
};

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest path with its query, in bytes.
pub const URI_BYTES_MAX: usize = 4 * 1024;
/// How long an answer may take, the reading of the request's body included.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// One path and its method.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET` (and so `HEAD`) or `POST`.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    handler: fn() -> MethodRouter<AppState>,
}

const fn on(method: &'static str, path: &'static str, handler: fn() -> MethodRouter<AppState>) -> Route {
    Route { method, path, handler }
}

/// Every route.
pub const ROUTES: &[Route] = &[
    on("GET", "/", || get(show_page)),
    on("POST", "/", || post(show_page_with_answer)),
    on("GET", "/runbooks", || get(|| async { page::respond_runbooks() })),
    on("GET", "/metrics", || get(show_metrics)),
    on("GET", "/api/v1/summary", || get(show_summary)),
    on("GET", "/api/v1/alerts", || get(show_alerts)),
    on("GET", "/api/v1/incidents", || get(show_incidents)),
    on("GET", "/api/v1/rejections", || get(show_rejections)),
    on("GET", "/api/v1/rejections/stream", || get(show_stream)),
    on("POST", "/api/v1/check", || post(make_check)),
    on("GET", "/api/v1/causes", || get(|| async { json(&listing::causes()) })),
    on("GET", "/api/v1/status/config", || {
        get(|State(s): State<AppState>| async move { json(&status::config(&s.status())) })
    }),
    on("GET", "/api/v1/status/sources", || {
        get(|State(s): State<AppState>| async move { json(&status::sources(&s.view())) })
    }),
    on("GET", "/api/v1/status/buildinfo", || {
        get(|State(s): State<AppState>| async move { json(&status::build(&s.handles.build, &s.status())) })
    }),
    on("GET", "/api/v1/openapi.json", || {
        get(|State(s): State<AppState>| async move { json(&openapi::document(&s.handles.build.version)) })
    }),
    on("GET", "/-/healthy", || get(|| async { "diag51007 is healthy.\n" })),
    on("GET", "/-/ready", || get(show_ready)),
    on("POST", "/-/reload", || post(make_reload)),
];

/// All routes with what holds for each.
pub fn router(state: AppState) -> Router {
    let inlets = state.inlets.clone();
    let own = ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
        .fallback(|| async { Refusal::not_found() })
        .method_not_allowed_fallback(|| async { Refusal::method_not_allowed() })
        .with_state(state)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(guard))
        .layer(CompressionLayer::new());
    // What is sent in has limits and keys of its own, and comes from no browser.
    own.merge(inlets)
}

/// Refuses what is too large, too slow or from another site, and sets the headers that keep browsers careful.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refused(&request) {
        Some(refusal) => refusal.into_response(),
        None => {
            if let Ok(response) = tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await {
                response
            } else {
                let seconds = REQUEST_TIME_MAX.as_secs();
                Refusal::timeout(format!("the request took longer than {seconds} s")).into_response()
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn refused(request: &Request) -> Option<Refusal> {
    if request.uri().path_and_query().is_some_and(|uri| uri.as_str().len() > URI_BYTES_MAX) {
        return Some(Refusal::bad_data(format!("expected a path of at most {URI_BYTES_MAX} bytes, but found more")));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Some(body_too_large());
    }
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !reads && foreign(request.headers()) {
        return Some(Refusal::forbidden("expected a request of this site or of no browser, but found another origin"));
    }
    None
}

/// Whether a browser sends this on behalf of another site.
fn foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let fetched = text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let host = text("host").unwrap_or_default();
    let origin = text("origin").is_some_and(|origin| {
        let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        !site.is_some_and(|site| site.eq_ignore_ascii_case(host))
    });
    fetched || origin
}

fn body_too_large() -> Refusal {
    Refusal::too_large(format!("expected a body of at most {BODY_BYTES_MAX} bytes, but found more"))
}

async fn show_page(State(state): State<AppState>, uri: Uri) -> Response {
    draw(&state, &uri, None)
}

/// The page's form, for browsers without scripts.
async fn show_page_with_answer(
    State(state): State<AppState>,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let answer = match page::form::read(whole(body)?, state.now()) {
        Ok(request) => page::form::Answer::Judged(Box::new((state.handles.check)(request))),
        Err(why) => page::form::Answer::Refused(why),
    };
    Ok(draw(&state, &uri, Some(&answer)))
}

fn draw(state: &AppState, uri: &Uri, answer: Option<&page::form::Answer>) -> Response {
    let (view, status, now) = (state.view(), state.status(), state.now());
    page::respond(&page::Scene {
        view: &view,
        status: &status,
        build: &state.handles.build,
        filter: page::filter::Filter::read(uri),
        trouble: &page::trouble::of(&view, now),
        answer,
        now,
    })
}

async fn show_metrics(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let registry = &state.handles.registry;
    let (kind, page) = if openmetrics::preferred(accept) {
        (openmetrics::OPENMETRICS, openmetrics::render(&registry.gather()))
    } else {
        match metrics::text(registry) {
            Ok(page) => (metrics::TEXT, page),
            Err(error) => {
                return Refusal::internal(format!("the metrics could not be written: {error}")).into_response();
            }
        }
    };
    let vary = (header::VARY, HeaderValue::from_static("accept"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind)), vary], page).into_response()
}

async fn show_summary(State(state): State<AppState>, uri: Uri) -> Result<Response, Refusal> {
    let window = Parameters::read(&uri, &["window"])?.window()?;
    Ok(json(&summary(&state.view(), window, state.now())))
}

async fn show_alerts(State(state): State<AppState>) -> Response {
    json(&alerts::list(&state.view().alerts))
}

async fn show_incidents(State(state): State<AppState>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["limit", "cause"])?;
    Ok(json(&incidents::list(&state.view(), parameters.cause()?, parameters.limit()?, state.now())))
}

async fn show_rejections(State(state): State<AppState>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &["limit", "cause"])?;
    Ok(json(&rejections::list(&state.view(), parameters.cause()?, parameters.limit()?)))
}

async fn show_stream(State(state): State<AppState>, headers: HeaderMap, uri: Uri) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    stream::open(&state, &headers)
}

async fn make_check(State(state): State<AppState>, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    let request = check::read(whole(body)?, state.now())?;
    Ok(check::answer(request, &*state.handles.check))
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Refusal> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => body_too_large(),
        _ => Refusal::bad_data("expected a body, but the connection ended before it did"),
    })
}

async fn show_ready(State(state): State<AppState>) -> Result<&'static str, Refusal> {
    if state.status().ready {
        return Ok("diag51007 is ready.\n");
    }
    let view: Arc<_> = state.view();
    let behind: Vec<&str> = view.behind().collect();
    let of = if behind.is_empty() { String::new() } else { format!(" of {}", behind.join(", ")) };
    Err(Refusal::unavailable(format!("the backlog{of} is still being read")))
}

async fn make_reload(State(state): State<AppState>) -> Result<&'static str, Refusal> {
    match (state.handles.reload)().await {
        Ok(()) => Ok("The config was loaded again.\n"),
        Err(ReloadError::Refused(why)) => Err(Refusal::bad_data(why)),
        Err(ReloadError::Failed(why)) => Err(Refusal::internal(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&'static str, &'static str)], expected: bool) {
        let headers =
            pairs.iter().map(|(name, value)| ((*name).parse().expect("a name"), HeaderValue::from_static(value)));
        assert_eq!(foreign(&headers.collect::<HeaderMap>()), expected, "{pairs:?}");
    }

    #[test]
    fn no_source_can_be_mounted_over_a_route() {
        for route in ROUTES {
            assert!(crate::config::is_reserved(route.path), "{}", route.path);
        }
    }

    #[test]
    fn a_browser_may_post_only_for_this_site() {
        check(&[("host", "ops.example.com")], false);
        check(&[("host", "localhost:15107"), ("origin", "http://localhost:15107")], false);
        check(&[("host", "ops.example.com"), ("origin", "https://OPS.example.com")], false);
        check(&[("host", "localhost:15107"), ("origin", "http://evil.example")], true);
        check(&[("host", "localhost:15107"), ("origin", "http://localhost:8080")], true);
        check(&[("host", "localhost:15107"), ("origin", "null")], true);
        check(&[("origin", "http://")], false);
        check(&[("host", "a"), ("sec-fetch-site", "cross-site")], true);
        check(&[("host", "a"), ("sec-fetch-site", "same-site")], true);
        check(&[("host", "a"), ("sec-fetch-site", "same-origin")], false);
        check(&[("host", "a"), ("sec-fetch-site", "none")], false);
    }
}
