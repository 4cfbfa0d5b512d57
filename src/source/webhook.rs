//! Deliveries that Twilio posts: those of the Debugger webhook and of Event Streams' webhook sink.
//!
//! A delivery without Twilio's signature is refused before anything in it is read. One with it is acknowledged when it
//! is committed. Twilio sends Event Streams again after 429 or 503, and drops what is answered with 400; so that is
//! said only of what can never be read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use ipnet::IpNet;

use super::inlet::proxy::{Forwarding, public_address};
use super::inlet::{Answer, Budget, Complaints, Peer, commit};
use super::intake::Intake;
use super::twilio::address::Address;
use super::twilio::form::Form;
use super::twilio::signature::{self, Presented, Unsigned, Verifier};
use super::twilio::{Delivery, Unreadable, cloud_event, debugger};
use super::{Delivered, Failure};

/// The largest Debugger event, in bytes.
pub const EVENT_BYTES_MAX: usize = 256 << 10;
/// The largest delivery of Event Streams, in bytes: a batch.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// Who delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The Debugger webhook.
    Debugger,
    /// Event Streams.
    EventStreams,
}

/// What a webhook is told by the config.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the source.
    pub source: Arc<str>,
    /// Who delivers.
    pub channel: Channel,
    /// The path it is mounted at.
    pub path: String,
    /// The URL that Twilio was given; without one, trusted proxies name it.
    pub public_url: Option<Address>,
    /// Networks of the proxies that may name it.
    pub trusted_proxies: Vec<IpNet>,
}

/// One webhook.
#[derive(Debug)]
pub struct Webhook {
    settings: Settings,
    verifier: RwLock<Arc<Verifier>>,
    intake: Arc<Intake>,
    complaints: Complaints,
    budget: Budget,
}

impl Webhook {
    /// A webhook that hands on to `intake`.
    pub fn new(
        settings: Settings,
        verifier: Verifier,
        intake: Arc<Intake>,
        complaints: Complaints,
        budget: Budget,
    ) -> Arc<Self> {
        Arc::new(Self { settings, verifier: RwLock::new(Arc::new(verifier)), intake, complaints, budget })
    }

    /// Takes other keys over, as when an Auth Token is rotated.
    pub fn reload(&self, verifier: Verifier) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(verifier);
    }

    /// Its route.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route(&self.settings.path, post(receive)).with_state(Arc::clone(self))
    }

    fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn take(&self, request: Request) -> Answer {
        let (head, body) = request.into_parts();
        let max = match self.settings.channel {
            Channel::Debugger => EVENT_BYTES_MAX,
            Channel::EventStreams => BATCH_BYTES_MAX,
        };
        let received = match self.budget.read(&head, body, max).await {
            Ok(received) => received,
            Err(answer) => {
                match answer.trouble() {
                    // Nobody knows who sends what was not received whole.
                    Some((Failure::Payload, message)) => self.complaints.tell(
                        Failure::Signature,
                        format!("{message}: it was refused before its signature could be checked"),
                    ),
                    Some((kind, message)) => self.complaints.tell(kind, message),
                    None => {}
                }
                return answer;
            }
        };
        let delivery = match self.verified(&head, &received.bytes) {
            Ok(delivery) => delivery,
            Err(answer) => return answer,
        };
        let delivery = match delivery {
            Ok(delivery) => delivery,
            Err(unreadable) => {
                self.complaints.tell(Failure::Payload, format!("a delivery can't be read: {unreadable}"));
                return Answer::Unreadable(unreadable.to_string());
            }
        };
        for _ in 0..delivery.unreadable {
            self.complaints.tell(Failure::Payload, "an event of a batch can't be read and was passed over");
        }
        let source = Arc::clone(&self.settings.source);
        let delivered = Delivered { source, delivery, lines: None, bytes: received.bytes.len() };
        commit(&self.intake, delivered, &self.complaints).await
    }

    /// Checks the signature, and reads what is signed.
    fn verified(&self, head: &Parts, body: &[u8]) -> Result<Result<Delivery, Unreadable>, Answer> {
        let Some(urls) = self.urls(head) else {
            self.complaints.tell(
                Failure::Signature,
                "a delivery was refused: nobody who is trusted names its public URL: set `public_url`, or add the \
                 proxy to `trusted_proxies`",
            );
            return Err(Answer::Forbidden("the public URL of this request is not known"));
        };
        let presented = Presented {
            signature: single(&head.headers, signature::SIGNATURE),
            settings: single(&head.headers, signature::SETTINGS),
        };
        let (verifier, source) = (self.verifier(), &self.settings.source);
        match self.settings.channel {
            Channel::Debugger => {
                // A body that is no form can't have been signed as one.
                let form = Form::read(body).ok_or(Unsigned::Wrong);
                let checked = form.and_then(|form| verifier.form(&urls, &form, presented).map(|()| form));
                let form = checked.map_err(|unsigned| self.unsigned(unsigned))?;
                let one = |arrival| Delivery { arrivals: vec![arrival], ..Delivery::default() };
                Ok(debugger::read(&form, source).map(one))
            }
            Channel::EventStreams => {
                let checked = verifier.body(&urls, head.uri.query(), body, presented);
                checked.map_err(|unsigned| self.unsigned(unsigned))?;
                Ok(cloud_event::read(body, source))
            }
        }
    }

    fn unsigned(&self, unsigned: Unsigned) -> Answer {
        self.complaints.tell(Failure::Signature, format!("a delivery was refused: {}", unsigned.advice()));
        Answer::Forbidden("expected Twilio's signature of this request, but found none that fits")
    }

    /// The URLs that Twilio may have signed.
    fn urls(&self, head: &Parts) -> Option<[String; 2]> {
        let query = head.uri.query();
        if let Some(address) = &self.settings.public_url {
            return Some(address.signed(query));
        }
        let peer = head.extensions.get::<Peer>().and_then(|peer| peer.address).map(|address| address.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let forwarding = Forwarding {
            forwarded: joined(&head.headers, "forwarded"),
            addresses: joined(&head.headers, "x-forwarded-for"),
            scheme: joined(&head.headers, "x-forwarded-proto"),
            host: joined(&head.headers, "x-forwarded-host"),
            port: joined(&head.headers, "x-forwarded-port"),
            own_host: single(&head.headers, header::HOST.as_str()).map(str::to_owned),
        };
        let address = public_address(&self.settings.trusted_proxies, peer, &forwarding, head.uri.path())?;
        Some(address.signed(query))
    }
}

async fn receive(State(webhook): State<Arc<Webhook>>, request: Request) -> Answer {
    webhook.take(request).await
}

/// The value of a header that stands there once; of two, none can be trusted.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// All values of a header, in their order.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.join(","))
}
