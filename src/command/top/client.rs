//! Asks the daemon, over the network or within the process. Plain HTTP, as it serves; whoever put TLS before it asks the
//! daemon behind.

use std::io;
use std::time::Duration;

use axum::http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::snapshot::Snapshot;
use crate::expose::http::Knocker;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How long an answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// The rejections that are asked for.
const REJECTIONS: usize = 200;
/// The incidents that are asked for: more than a daemon keeps, so that all open ones are among them.
const INCIDENTS: usize = 1000;

/// A daemon.
#[derive(Debug)]
pub(super) struct Client {
    way: Way,
    /// What `Host` names.
    authority: String,
    /// What stands before the paths, without a slash at its end.
    prefix: String,
    /// How it is called on the screen.
    name: String,
}

/// How it is reached.
#[derive(Debug)]
enum Way {
    /// At host and port of the authority.
    Network,
    Inside(Knocker),
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let wrong = || "`--url`: expected an address such as http://127.0.0.1:15107".to_owned();
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() == Some("https") {
            return Err("`--url`: expected http://, which the daemon speaks, but found https://".to_owned());
        }
        if uri.scheme_str() != Some("http") {
            return Err(wrong());
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let authority = match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{}:80", authority.host()),
        };
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { way: Way::Network, name: format!("{authority}{prefix}"), authority, prefix })
    }

    /// For the daemon of this process.
    pub(super) fn inside(knocker: Knocker, name: String) -> Self {
        Self { way: Way::Inside(knocker), name, authority: "localhost".to_owned(), prefix: String::new() }
    }

    /// How it is called on the screen.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// All that is shown.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, String> {
        let mut answers = Vec::new();
        for path in [
            "/api/v1/summary?window=5m".to_owned(),
            "/api/v1/summary?window=1h".to_owned(),
            "/api/v1/status/sources".to_owned(),
            format!("/api/v1/rejections?limit={REJECTIONS}"),
            "/api/v1/alerts".to_owned(),
            format!("/api/v1/incidents?limit={INCIDENTS}"),
        ] {
            answers.push(self.get(&path).await?);
        }
        let [minutes, hour, sources, rejections, alerts, incidents] = answers.as_slice() else {
            return Err("an answer is missing".to_owned());
        };
        Ok(Snapshot::read(minutes, hour, sources, rejections, alerts, incidents))
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let asked = tokio::time::timeout(ANSWER_TIME_MAX, self.ask(path)).await;
        let unreachable = |why: String| format!("{} can't be asked: {why}; is the daemon running there?", self.name());
        asked
            .map_err(|_| unreachable(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())))?
            .map_err(unreachable)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.way {
            Way::Network => Box::new(TcpStream::connect(&self.authority).await?),
            Way::Inside(knocker) => Box::new(knocker.connect().await?),
        })
    }

    async fn ask(&self, path: &str) -> Result<Value, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let stream = self.connect().await.map_err(|error| said(&error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| said(&error))?;
        let connection = tokio::spawn(connection);
        let request = Request::get(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| said(&error))?;
        let response = sender.send_request(request).await.map_err(|error| said(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        connection.abort();
        let body = body.map_err(|_| "its answer broke off, or is too large".to_owned())?.to_bytes();
        if !status.is_success() {
            return Err(format!("it answers {status}"));
        }
        serde_json::from_slice(&body).map_err(|_| "its answer is no JSON".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<&str, &str>) {
        let name = Client::new(url).map(|client| client.name());
        match expected {
            Ok(expected) => assert_eq!(name.as_deref(), Ok(expected)),
            Err(expected) => assert!(name.as_ref().is_err_and(|why| why.contains(expected)), "{url}: {name:?}"),
        }
    }

    #[test]
    fn an_address_has_a_scheme_and_perhaps_a_prefix() {
        check("http://127.0.0.1:15107", Ok("127.0.0.1:15107"));
        check("http://[::1]:15107/", Ok("[::1]:15107"));
        check("http://ops.example.com/diag/", Ok("ops.example.com:80/diag"));
        check("https://ops.example.com", Err("expected http://"));
        check("127.0.0.1:15107", Err("expected an address such as"));
        check("http://user:secret@host", Err("expected an address such as"));
        check("", Err("expected an address such as"));
    }
}
