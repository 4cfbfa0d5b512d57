//! Every route, right and wrong requests.

use std::sync::Arc;

use diag51007::expose::ReloadError;
use diag51007::expose::routes::ROUTES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{get, request};
use super::scene::{Server, bare, empty, expired, lively, status};

#[tokio::test]
async fn every_route_answers_and_refuses_other_methods() {
    let server = Server::start(lively()).await;
    for route in ROUTES.iter().filter(|route| !route.path.ends_with("/stream")) {
        let body = if route.path == "/api/v1/check" { r#"{"token":"abc"}"# } else { "" };
        let answer = request(server.address, route.method, route.path, "", body).await;
        assert_eq!(answer.status, 200, "{} {}", route.method, route.path);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        let other = if route.method == "GET" { "POST" } else { "GET" };
        if !ROUTES.iter().any(|also| (also.method, also.path) == (other, route.path)) {
            let answer = request(server.address, other, route.path, "", "").await;
            assert_eq!((answer.status, answer.header("allow").contains(route.method)), (405, true), "{}", route.path);
            assert_eq!(answer.error(), "this path takes other methods: see the Allow header");
        }
        if route.method == "GET" {
            let answer = request(server.address, "HEAD", route.path, "", "").await;
            assert_eq!((answer.status, answer.body.len()), (200, 0), "HEAD {}", route.path);
        }
    }
    let answer = get(server.address, "/api/v1/nothing").await;
    assert_eq!((answer.status, answer.json()["errorType"].as_str()), (404, Some("not_found")));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::start(empty()).await;
    for (path, expected) in [
        ("/api/v1/summary?window=25h", "`window`: expected a duration from 1s to 24h, but found `25h`"),
        ("/api/v1/summary?windows=5m", "unknown parameter `windows`: did you mean `window`?"),
        ("/api/v1/rejections?limit=0", "`limit`: expected a number from 1 to 1000, but found `0`"),
        ("/api/v1/rejections?cause=expird", "unknown cause `expird`: did you mean `expired`?"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, expected), "{path}");
    }
}

#[tokio::test]
async fn rejections_are_listed_newest_first() {
    let mut ledger = empty();
    for (number, seconds_ago) in [(1, 10), (2, 30), (3, 20)] {
        super::scene::apply(&mut ledger, expired(number, seconds_ago));
    }
    super::scene::apply(&mut ledger, bare(4, 25));
    let server = Server::start(ledger).await;
    let lines = |answer: serde_json::Value| -> Vec<u64> {
        answer["rejections"].as_array().expect("a list").iter().filter_map(|one| one["line"].as_u64()).collect()
    };
    assert_eq!(lines(get(server.address, "/api/v1/rejections").await.json()), [11, 13, 14, 12]);
    assert_eq!(lines(get(server.address, "/api/v1/rejections?limit=2&cause=expired").await.json()), [11, 13]);
    assert!(lines(get(server.address, "/api/v1/rejections?cause=none_found").await.json()).is_empty());
}

#[tokio::test]
async fn it_is_ready_when_the_backlog_has_been_read() {
    let server = Server::start(lively()).await;
    server.status.send_replace(Arc::new(status(false)));
    let answer = get(server.address, "/-/ready").await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "the backlog of gateway is still being read"));
    assert_eq!(get(server.address, "/-/healthy").await.status, 200);
    server.status.send_replace(Arc::new(status(true)));
    let answer = get(server.address, "/-/ready").await;
    assert_eq!((answer.status, answer.text()), (200, "diag51007 is ready.\n"));
}

#[tokio::test]
async fn a_reload_says_why_it_changed_nothing() {
    let server = Server::start(empty()).await;
    assert_eq!(request(server.address, "POST", "/-/reload", "", "").await.status, 200);
    for (error, status) in [
        (ReloadError::Refused("config.toml:1:1: no".to_owned()), 400),
        (ReloadError::Failed("config.toml:1:1: no".to_owned()), 500),
    ] {
        let server = Server::refusing_reloads(error).await;
        let answer = request(server.address, "POST", "/-/reload", "", "").await;
        assert_eq!((answer.status, answer.error().as_str()), (status, "config.toml:1:1: no"));
    }
}

#[tokio::test]
async fn another_site_can_not_make_a_browser_post() {
    let server = Server::start(empty()).await;
    for head in ["Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        for path in ["/-/reload", "/api/v1/check"] {
            let answer = request(server.address, "POST", path, head, "").await;
            assert_eq!((answer.status, answer.json()["errorType"].as_str()), (403, Some("forbidden")), "{head}");
        }
    }
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", server.address);
    assert_eq!(request(server.address, "POST", "/-/reload", &own, "").await.status, 200);
}

#[tokio::test]
async fn a_token_is_checked_and_not_repeated() {
    let server = Server::start(empty()).await;
    let body = r#"{"token":"eyJhbGciOi.s3cret","at":"2026-03-01T10:00:00Z","product":"video"}"#;
    let answer = request(server.address, "POST", "/api/v1/check", "", body).await;
    let diagnosis = answer.json();
    assert_eq!((answer.status, diagnosis["at"].as_str()), (200, Some("2026-03-01T10:00:00Z")));
    assert_eq!((diagnosis["product"].as_str(), diagnosis["token"]["found"].as_str()), (Some("video"), Some("given")));
    assert!(!answer.text().contains("s3cret"));
    let answer = request(server.address, "POST", "/api/v1/check", "", r#"{"token":["s3cret"]}"#).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains("s3cret"));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let server = Server::start(lively()).await;
    let answer = get(server.address, "/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4\r\n";
    let answer = request(server.address, "GET", "/metrics", accept, "").await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text().ends_with("# EOF\n"));
    assert!(answer.text().contains("# TYPE diag51007_rejections counter\n"));
    let answer = request(server.address, "GET", "/metrics", "Accept-Encoding: gzip\r\n", "").await;
    assert_eq!((answer.header("content-encoding"), &answer.body[..2]), ("gzip", [0x1f, 0x8b].as_slice()));
}

/// Reads a stream until it has seen a text.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(wanted) {
        let read = stream.read(&mut buffer).await.expect("read");
        assert!(read > 0, "ended before `{wanted}`: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    seen
}

async fn open_stream(server: &Server, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    let text = format!("GET /api/v1/rejections/stream HTTP/1.1\r\nHost: a\r\n{head}\r\n");
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

#[tokio::test]
async fn a_stream_gives_what_is_committed_after_it_began_and_ends_with_the_server() {
    let mut server = Server::start(lively()).await;
    let mut stream = open_stream(&server, "").await;
    let head = read_until(&mut stream, "retry: 3000").await;
    assert!(head.contains("content-type: text/event-stream"));
    server.refuse(expired(77, 1));
    let event = read_until(&mut stream, "\n\n").await;
    assert!(event.contains("id: 5\nevent: rejection\ndata: {\"id\":\"000000000000004d\""), "{event}");
    server.stop();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("ended");
    server.task.await.expect("drained");
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_and_says_what_was_missed() {
    let server = Server::start(lively()).await;
    let mut stream = open_stream(&server, "Last-Event-ID: 2\r\n").await;
    let events = read_until(&mut stream, "id: 4\n").await;
    assert!(events.contains("id: 3\n") && !events.contains("id: 2\n"), "{events}");
    let mut ledger = diag51007::ledger::Ledger::new(
        diag51007::ledger::Settings { rejections_kept: 2, ..Default::default() },
        ["app".into()],
        super::scene::NOW,
    );
    for number in 0..9 {
        super::scene::apply(&mut ledger, expired(number, 1));
    }
    let server = Server::start(ledger).await;
    let mut stream = open_stream(&server, "Last-Event-ID: 3\r\n").await;
    let events = read_until(&mut stream, "id: 8\n").await;
    assert!(events.contains("event: missed\ndata: {\"missed\":3}\n\nid: 7\n"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_news_says_that_it_lives() {
    let server = Server::start(empty()).await;
    let mut stream = open_stream(&server, "").await;
    read_until(&mut stream, ": alive\n\n").await;
}

#[tokio::test]
async fn a_stream_too_many_is_refused_and_a_place_is_given_back() {
    let server = Server::start(empty()).await;
    let mut streams = Vec::new();
    for _ in 0..diag51007::expose::STREAMS_MAX {
        let mut stream = open_stream(&server, "").await;
        read_until(&mut stream, "retry: 3000").await;
        streams.push(stream);
    }
    let mut one_more = open_stream(&server, "Connection: close\r\n").await;
    assert!(read_until(&mut one_more, "}").await.contains(" 503 "));
    let last = streams.pop().expect("a stream");
    drop(last);
    // The server notices with the next write at the latest; asking again is all a client can do.
    for _ in 0..1000 {
        let mut again = open_stream(&server, "Connection: close\r\n").await;
        if read_until(&mut again, "\r\n").await.contains(" 200 ") {
            return;
        }
    }
    panic!("the place was not given back");
}
