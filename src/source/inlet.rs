//! What every source that is sent something over HTTP shares: bounded bodies, answers, and complaints that do not flood.
//!
//! Deliberately without routes: the server mounts what the sources give it.

pub mod proxy;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use super::intake::{Intake, Receipt, Refused};
use super::{Delivered, Failure, Health, Sink};

/// How long a sender may take for a body.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a commit may take before the sender is told to come again; Twilio waits for 5 s.
pub const COMMIT_TIME_MAX: Duration = Duration::from_secs(4);
/// Bytes of unfinished bodies at the most, all senders together.
pub const BODIES_BYTES_MAX: usize = 64 << 20;
/// After how many seconds a sender that is turned away may come again.
const RETRY_AFTER: &str = "1";
/// The same complaint is written to the log once in this time.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);
/// Memory for bodies is counted in pieces of this size, in bytes.
const PIECE_BYTES: usize = 1024;

/// Who sends a request: the server puts it among the request's extensions.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address, if it comes from another process.
    pub address: Option<SocketAddr>,
    /// Whether the server waits for it.
    pub patience: Patience,
}

/// Whether the server waits for a client to send something.
#[derive(Clone, Debug)]
pub struct Patience(Arc<AtomicBool>);

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Patience {
    /// Notes it.
    pub fn waits(&self, waits: bool) {
        self.0.store(waits, Ordering::Relaxed);
    }

    /// Tells it.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is answered to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Committed.
    Taken,
    /// Signature or credentials are missing or wrong.
    Forbidden(&'static str),
    /// A bearer or password is needed.
    Unauthorized(&'static str),
    /// It can never be read.
    Unreadable(String),
    /// Another content type or encoding than can be read.
    Unsupported(&'static str),
    /// Longer than so many bytes.
    TooLarge(usize),
    /// Sent too slowly.
    TooSlow,
    /// Not now; the same again later.
    Busy,
    /// Not now, because too much is sent.
    TooMany,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, kind, message) = match self {
            Self::Taken => return StatusCode::NO_CONTENT.into_response(),
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, "forbidden", why.to_owned()),
            Self::Unauthorized(why) => (StatusCode::UNAUTHORIZED, "unauthorized", why.to_owned()),
            Self::Unreadable(why) => (StatusCode::BAD_REQUEST, "bad_data", why),
            Self::Unsupported(why) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported", why.to_owned()),
            Self::TooLarge(max) => {
                let message = format!("expected a body of at most {max} bytes, but found more");
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
            }
            Self::TooSlow => {
                let message = format!("expected the body within {} s", BODY_TIME_MAX.as_secs());
                (StatusCode::REQUEST_TIMEOUT, "timeout", message)
            }
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "this can't be committed now: send it again".to_owned(),
            ),
            Self::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many", "too much at a time: send it again".to_owned())
            }
        };
        let body = json!({"status": "error", "errorType": kind, "error": message});
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic realm=\"diag51007\""));
        }
        if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&status) {
            // What follows of the body is not read.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl Answer {
    /// What kind of trouble it is for the source, and how it is told.
    pub fn trouble(&self) -> Option<(Failure, &'static str)> {
        match self {
            Self::Taken => None,
            Self::Forbidden(_) => Some((Failure::Signature, "a delivery was refused: it has no signature that fits")),
            Self::Unauthorized(_) => {
                Some((Failure::Unauthorized, "a delivery was refused: its credentials are missing or wrong"))
            }
            Self::Unreadable(_) => Some((Failure::Payload, "a delivery can't be read, or ended early")),
            Self::Unsupported(_) => {
                Some((Failure::Payload, "a delivery has a content type or encoding that can't be read"))
            }
            Self::TooLarge(_) => Some((Failure::Payload, "a delivery is too large")),
            Self::TooSlow => Some((Failure::Payload, "a delivery came too slowly")),
            Self::Busy | Self::TooMany => {
                Some((Failure::Busy, "a sender was asked to send again: too much came at a time"))
            }
        }
    }
}

/// Memory for bodies that are being received.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_MAX / PIECE_BYTES)))
    }
}

/// A body, and its place in the budget.
pub struct Received {
    /// The bytes, wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    places: Vec<OwnedSemaphorePermit>,
}

/// Without the bytes.
impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Received({} bytes in {} pieces)", self.bytes.len(), self.places.len())
    }
}

impl Budget {
    /// Reads a body of at most `max` bytes.
    pub async fn read(&self, head: &Parts, body: Body, max: usize) -> Result<Received, Answer> {
        let patience = head.extensions.get::<Peer>().map(|peer| peer.patience.clone()).unwrap_or_default();
        patience.waits(true);
        let received = self.receive(&head.headers, body, max).await;
        patience.waits(false);
        received
    }

    async fn receive(&self, headers: &HeaderMap, mut body: Body, max: usize) -> Result<Received, Answer> {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > max as u64) {
            return Err(Answer::TooLarge(max));
        }
        let until = Instant::now() + BODY_TIME_MAX;
        let mut received = Received { bytes: Zeroizing::new(Vec::new()), places: Vec::new() };
        loop {
            let frame = match timeout_at(until, body.frame()).await {
                Err(_) => return Err(Answer::TooSlow),
                Ok(None) => return Ok(received),
                Ok(Some(Err(_))) => {
                    return Err(Answer::Unreadable("the connection ended before the body did".to_owned()));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            if received.bytes.len() + data.len() > max {
                return Err(Answer::TooLarge(max));
            }
            let pieces = u32::try_from(data.len().div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
            let place = Arc::clone(&self.0).try_acquire_many_owned(pieces).map_err(|_| Answer::Busy)?;
            received.places.push(place);
            received.bytes.extend_from_slice(&data);
        }
    }
}

/// Where a source's troubles are told, each kind in the log at most once a minute.
pub struct Complaints {
    source: Arc<str>,
    sink: Arc<dyn Sink>,
    told: Mutex<BTreeMap<Failure, Instant>>,
}

impl std::fmt::Debug for Complaints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Complaints({})", self.source)
    }
}

impl Complaints {
    /// Of one source.
    pub fn new(source: Arc<str>, sink: Arc<dyn Sink>) -> Self {
        Self { source, sink, told: Mutex::default() }
    }

    /// Counts a trouble.
    pub fn tell(&self, kind: Failure, message: impl Into<String>) {
        let (now, message) = (Instant::now(), message.into());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let again = told.get(&kind).is_some_and(|last| now.duration_since(*last) < COMPLAINT_PAUSE);
        if !again {
            told.insert(kind, now);
        }
        drop(told);
        let health = if again { Health::FailedAgain { kind, message } } else { Health::Failed { kind, message } };
        self.sink.report(&self.source, health);
    }
}

/// Puts a delivery in the queue and waits until it is committed.
pub async fn commit(intake: &Intake, delivered: Delivered, complaints: &Complaints) -> Answer {
    let receipt: Receipt = match intake.offer(delivered) {
        Ok(receipt) => receipt,
        Err(Refused::Full) => {
            complaints.tell(Failure::Busy, "the queue is full: a sender was asked to send again");
            return Answer::Busy;
        }
        Err(Refused::Ending) => return Answer::Busy,
    };
    match timeout(COMMIT_TIME_MAX, receipt).await {
        Ok(Ok(true)) => Answer::Taken,
        Ok(Ok(false) | Err(_)) => {
            complaints.tell(Failure::Busy, "a delivery could not be committed: its sender was asked to send it again");
            Answer::Busy
        }
        Err(_) => {
            let seconds = COMMIT_TIME_MAX.as_secs();
            let message = format!("a commit took longer than {seconds} s: its sender was asked to send it again");
            complaints.tell(Failure::Busy, message);
            Answer::Busy
        }
    }
}
