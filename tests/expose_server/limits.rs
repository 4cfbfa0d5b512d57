//! Clients that are too large, too slow, too many, or too late.

use std::time::Duration;

use diag51007::expose::http::{CONNECTIONS_MAX, DRAIN_TIME_MAX, HEAD_TIME_MAX};
use diag51007::expose::routes::{BODY_BYTES_MAX, REQUEST_TIME_MAX, URI_BYTES_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::client::{exchange, get, parse, request};
use super::scene::{Server, empty};

/// Sends the beginning of something, and gives the answer and how long the server waited for more.
async fn begin(server: &Server, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let answer = exchange(server.address, bytes).await;
    (answer, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off() {
    let server = Server::start(empty()).await;
    let (answer, waited) = begin(&server, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    assert!(waited >= HEAD_TIME_MAX && waited < 2 * HEAD_TIME_MAX, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_cut_off() {
    let server = Server::start(empty()).await;
    let (answer, waited) = begin(&server, b"").await;
    assert!(answer.is_empty() && waited >= HEAD_TIME_MAX && waited < 2 * HEAD_TIME_MAX, "{waited:?}");
    let (answer, waited) = begin(&server, b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(parse(&answer).status, 200);
    assert!(waited >= HEAD_TIME_MAX && waited < 2 * HEAD_TIME_MAX, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_answered_in_time() {
    let server = Server::start(empty()).await;
    let text = b"POST /api/v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{";
    let (answer, waited) = begin(&server, text).await;
    let answer = parse(&answer);
    assert_eq!((answer.status, answer.error().as_str()), (408, "the request took longer than 10 s"));
    assert!(waited >= REQUEST_TIME_MAX, "{waited:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Server::start(empty()).await;
    let body = format!(r#"{{"token":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    let head = format!("POST /api/v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = parse(&exchange(server.address, head.as_bytes()).await);
    assert_eq!((answer.status, answer.json()["errorType"].as_str()), (413, Some("too_large")));
    // The same without saying how long it will be. The last chunk is held back, so that the server reads all that comes.
    let chunk = "x".repeat(BODY_BYTES_MAX + 1);
    let text = format!(
        "POST /api/v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n",
        chunk.len()
    );
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(answer, b"HTTP/1.1 413");
    let fits = format!(r#"{{"token":"{}"}}"#, "x".repeat(BODY_BYTES_MAX - 12));
    assert_eq!(request(server.address, "POST", "/api/v1/check", "", &fits).await.status, 200);
}

#[tokio::test]
async fn a_path_or_a_head_that_is_too_long_is_refused() {
    let server = Server::start(empty()).await;
    let answer = get(server.address, &format!("/{}", "x".repeat(URI_BYTES_MAX))).await;
    assert_eq!((answer.status, answer.json()["errorType"].as_str()), (400, Some("bad_data")));
    let head = format!("X-Long: {}\r\n", "x".repeat(64 * 1024));
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{head}\r\n");
    let answer = exchange(server.address, text.as_bytes()).await;
    assert!(answer.is_empty() || parse(&answer).status == 431, "{answer:?}");
}

#[tokio::test]
async fn what_is_no_http_is_answered_or_cut_off_and_the_server_goes_on() {
    let server = Server::start(empty()).await;
    for bytes in [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".as_slice(), b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"] {
        let answer = exchange(server.address, bytes).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
    assert_eq!(get(server.address, "/-/healthy").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_many_gets_the_place_of_the_one_that_was_silent_for_longest() {
    let server = Server::start(empty()).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(server.address).await.expect("connected"));
    }
    let started = Instant::now();
    assert_eq!(get(server.address, "/-/healthy").await.status, 200);
    assert!(started.elapsed() < HEAD_TIME_MAX / 2, "{:?}", started.elapsed());
    assert_eq!(idle[0].read(&mut [0]).await.expect("its end"), 0);
    idle[1].write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    assert!(idle[1].read(&mut [0]).await.expect("an answer") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_idle_connections_at_once_and_slow_ones_after_a_while() {
    let mut server = Server::start(empty()).await;
    let mut idle = TcpStream::connect(server.address).await.expect("connected");
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    let started = Instant::now();
    server.stop();
    (&mut server.task).await.expect("drained");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let mut server = Server::start(empty()).await;
    let mut slow = TcpStream::connect(server.address).await.expect("connected");
    slow.write_all(b"POST /api/v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .await
        .expect("sent");
    let mut head = [0; 12];
    slow.read_exact(&mut head).await.expect("to go on");
    assert_eq!(&head, b"HTTP/1.1 100");
    let started = Instant::now();
    server.stop();
    (&mut server.task).await.expect("drained");
    assert!(started.elapsed() >= DRAIN_TIME_MAX && started.elapsed() < REQUEST_TIME_MAX, "{:?}", started.elapsed());
    assert!(TcpStream::connect(server.address).await.is_err());
}
