//! Lines that a log shipper sends: Vector, Fluent Bit, the OpenTelemetry Collector, Loki's clients.
//!
//! Acknowledged when committed; under pressure the shipper is told 429 and sends again. What waits until then is not taken
//! in; only lines whose own commit fails are counted twice, because nothing tells them from others. All lines of a source
//! are one stream, in the order in which they come. Loki's and OTLP's formats are read as JSON, not as Protocol Buffers.

use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::inlet::{Answer, Budget, Complaints, commit};
use super::intake::Intake;
use super::shipped;
use super::twilio::Delivery;
use super::{Delivered, Failure};
use crate::pipeline::StreamId;

/// The largest body as it is sent, in bytes.
pub const SENT_BYTES_MAX: usize = 4 << 20;
/// The largest body unpacked, in bytes.
pub const UNPACKED_BYTES_MAX: usize = 16 << 20;
/// The largest window that zstd may ask for, as a power of two: 8 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What a sender has to present in `Authorization`: any of these values.
#[derive(Default)]
pub struct Credentials(Vec<Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.0.len())
    }
}

impl Credentials {
    /// Accepts this bearer.
    #[must_use]
    pub fn with_bearer(mut self, bearer: &[u8]) -> Self {
        self.0.push(Zeroizing::new([b"bearer ", bearer.trim_ascii()].concat()));
        self
    }

    /// Accepts this user and password.
    #[must_use]
    pub fn with_password(mut self, user: &str, password: &[u8]) -> Self {
        let pair = Zeroizing::new([user.as_bytes(), b":", password.trim_ascii()].concat());
        let encoded = Zeroizing::new(STANDARD.encode(&*pair));
        self.0.push(Zeroizing::new([b"basic ", encoded.as_bytes()].concat()));
        self
    }

    fn fit(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return false };
        let Some(at) = value.as_bytes().iter().position(|byte| *byte == b' ') else { return false };
        let (scheme, rest) = value.as_bytes().split_at(at);
        let presented = Zeroizing::new([scheme.to_ascii_lowercase().as_slice(), rest].concat());
        let fits = |known: &Zeroizing<Vec<u8>>| known.as_slice().ct_eq(presented.as_slice());
        bool::from(self.0.iter().map(fits).fold(Choice::from(0), |all, one| all | one))
    }
}

/// One place that lines are sent to.
#[derive(Debug)]
pub struct HttpPush {
    source: Arc<str>,
    path: String,
    stream: StreamId,
    credentials: RwLock<Arc<Credentials>>,
    intake: Arc<Intake>,
    complaints: Complaints,
    budget: Budget,
}

impl HttpPush {
    /// A place whose lines go into `stream`.
    pub fn new(
        (source, path, stream): (Arc<str>, String, StreamId),
        credentials: Credentials,
        intake: Arc<Intake>,
        complaints: Complaints,
        budget: Budget,
    ) -> Arc<Self> {
        let credentials = RwLock::new(Arc::new(credentials));
        Arc::new(Self { source, path, stream, credentials, intake, complaints, budget })
    }

    /// Takes other credentials over.
    pub fn reload(&self, credentials: Credentials) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    /// Its route.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route(&self.path, post(receive)).with_state(Arc::clone(self))
    }

    async fn take(&self, request: Request) -> Answer {
        let answer = self.try_take(request).await.unwrap_or_else(|answer| answer);
        // A commit tells its own troubles.
        if answer == Answer::Busy { Answer::TooMany } else { answer }
    }

    async fn try_take(&self, request: Request) -> Result<Answer, Answer> {
        let (head, body) = request.into_parts();
        let tell = |answer: Answer| {
            if let Some((kind, message)) = answer.trouble() {
                self.complaints.tell(kind, message);
            }
            answer
        };
        let credentials = Arc::clone(&self.credentials.read().unwrap_or_else(PoisonError::into_inner));
        if !credentials.fit(&head.headers) {
            return Err(tell(Answer::Unauthorized("expected the bearer, or user and password, of this source")));
        }
        let received = self.budget.read(&head, body, SENT_BYTES_MAX).await.map_err(tell)?;
        let unpacked = unpack(&head.headers, &received.bytes).map_err(tell)?;
        let text = unpacked.as_deref().unwrap_or(&received.bytes);
        let lines = shipped::lines(text);
        // The queue bounds what waits to be committed.
        drop((received, unpacked));
        let lines = lines.map_err(|shipped::NoLines(expected)| {
            self.complaints.tell(Failure::Payload, format!("lines can't be read: expected {expected}"));
            Answer::Unreadable(format!("expected {expected}, but found something else"))
        })?;
        if lines.is_empty() {
            return Ok(Answer::Taken);
        }
        let delivered = Delivered {
            source: Arc::clone(&self.source),
            delivery: Delivery::default(),
            bytes: lines.len(),
            lines: Some((self.stream, lines)),
        };
        Ok(commit(&self.intake, delivered, &self.complaints).await)
    }
}

async fn receive(State(push): State<Arc<HttpPush>>, request: Request) -> Answer {
    push.take(request).await
}

/// Undoes the content encoding; none if there is none.
fn unpack(headers: &HeaderMap, body: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Answer> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|name| name.to_str().unwrap_or("?").trim());
    let broken = |_| Answer::Unreadable("the content encoding is broken".to_owned());
    let unpacked = match encoding.unwrap_or("identity").to_ascii_lowercase().as_str() {
        "identity" | "" => return Ok(None),
        "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(body)).map_err(broken)?,
        "zstd" => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
            bounded(decoder).map_err(broken)?
        }
        _ => return Err(Answer::Unsupported("expected gzip, zstd or no content encoding, but found another one")),
    };
    if unpacked.len() > UNPACKED_BYTES_MAX { Err(Answer::TooLarge(UNPACKED_BYTES_MAX)) } else { Ok(Some(unpacked)) }
}

/// Up to one byte more than may be.
fn bounded(input: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::new());
    input.take(UNPACKED_BYTES_MAX as u64 + 1).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_sender_presents_the_bearer_or_the_password() {
        let known = Credentials::default().with_bearer(b"abc").with_password("vector", b"def");
        let check = |value: &str, expected| {
            assert_eq!(known.fit(&headers(header::AUTHORIZATION, value)), expected, "{value}");
        };
        check("Bearer abc", true);
        check("bearer abc", true);
        check("Basic dmVjdG9yOmRlZg==", true);
        for other in ["Bearer ABC", "Bearer abcd", "Bearer", "abc", "Basic abc", ""] {
            check(other, false);
        }
        assert!(!known.fit(&HeaderMap::new()));
        assert!(!Credentials::default().fit(&headers(header::AUTHORIZATION, "Bearer ")));
    }

    #[test]
    fn gzip_and_zstd_are_unpacked_within_a_limit() {
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let unpacked = |kind: &str, body: &[u8]| unpack(&headers(header::CONTENT_ENCODING, kind), body);
        assert_eq!(unpacked("gzip", &gzip(b"abc")).unwrap().unwrap().as_slice(), b"abc");
        let packed = zstd::encode_all(b"abc".as_slice(), 1).unwrap();
        assert_eq!(unpacked("zstd", &packed).unwrap().unwrap().as_slice(), b"abc");
        let bomb = vec![0; UNPACKED_BYTES_MAX + 1];
        assert_eq!(unpacked("gzip", &gzip(&bomb)), Err(Answer::TooLarge(UNPACKED_BYTES_MAX)));
        let packed = zstd::encode_all(bomb.as_slice(), 1).unwrap();
        assert_eq!(unpacked("zstd", &packed), Err(Answer::TooLarge(UNPACKED_BYTES_MAX)));
        assert!(matches!(unpacked("gzip", b"abc"), Err(Answer::Unreadable(_))));
        assert!(matches!(unpacked("br", b"abc"), Err(Answer::Unsupported(_))));
        assert_eq!(unpacked("identity", b"abc"), Ok(None));
    }
}
