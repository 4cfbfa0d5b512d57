//! Live rejections as server-sent events, and that an alert has changed.
//!
//! A stream reads committed views, so its lag is bounded by what the ledger keeps: a reader that is too slow is told how
//! many rejections it missed, and costs no memory. A client that comes back with `Last-Event-ID` goes on from there.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::ledger::View;
use crate::ledger::alert::{Name, State};

use super::answer::Refusal;
use super::{AppState, STREAMS_MAX, drained};

/// How often a stream without news says that it lives.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// The most events in one write.
const BATCH: usize = 64;

/// Opens a stream, if there is a place.
pub(super) fn open(state: &AppState, headers: &HeaderMap) -> Result<Response, Refusal> {
    let Ok(place) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Err(Refusal::unavailable(format!("all {STREAMS_MAX} live streams are taken: try again later")));
    };
    let view = state.view();
    let seen = view.totals.rejections;
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    // Numbers of a life before this one are too high, and begin anew.
    let next = resumed.map_or(seen, |last| last.saturating_add(1).min(seen));
    // Waiting for a tick reads tokio's clock, which tests can stop.
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let live = Live {
        view: state.handles.view.clone(),
        draining: state.draining.subscribe(),
        heartbeat,
        next,
        alerts: states(&view),
        _place: place,
    };
    let events = Events(Some(Box::pin(async move { Some((Bytes::from_static(b"retry: 3000\n\n"), live)) })));
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that collects answers would hold a live stream back.
    let unbuffered = ("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(([kind], [unbuffered], Body::new(events)).into_response())
}

/// One reader.
struct Live {
    view: watch::Receiver<Arc<View>>,
    draining: watch::Receiver<bool>,
    heartbeat: Interval,
    /// The number of the first rejection that was not sent yet.
    next: u64,
    /// How far each alert was when the reader last heard of one.
    alerts: Vec<(Name, State)>,
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// The next bytes, or none when the daemon ends.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let view = Arc::clone(&self.view.borrow_and_update());
            let (mut text, next) = events(&view, self.next);
            self.next = next;
            let alerts = states(&view);
            if alerts != self.alerts {
                let firing = alerts.iter().filter(|(_, state)| *state == State::Firing).count();
                // Writing to a string can't fail.
                _ = write!(text, "event: alerts\ndata: {{\"firing\":{firing}}}\n\n");
                self.alerts = alerts;
            }
            if !text.is_empty() {
                return Some((text.into(), self));
            }
            tokio::select! {
                changed = self.view.changed() => changed.ok()?,
                () = drained(&mut self.draining) => return None,
                _ = self.heartbeat.tick() => return Some((Bytes::from_static(b": alive\n\n"), self)),
            }
        }
    }
}

/// How far each active alert is.
fn states(view: &View) -> Vec<(Name, State)> {
    view.alerts.active().map(|alert| (alert.name, alert.state)).collect()
}

/// The events from a number on, and the number after them.
fn events(view: &View, mut next: u64) -> (String, u64) {
    let mut text = String::new();
    let first = view.rejections.front().map_or(view.totals.rejections, |kept| kept.number);
    if next < first {
        // Writing to a string can't fail.
        _ = write!(text, "event: missed\ndata: {{\"missed\":{}}}\n\n", first - next);
        next = first;
    }
    for kept in view.rejections.iter().filter(|kept| kept.number >= next).take(BATCH) {
        if let Ok(data) = serde_json::to_string(&*kept.diagnosis) {
            _ = write!(text, "id: {}\nevent: rejection\ndata: {data}\n\n", kept.number);
        }
    }
    let sent = view.rejections.iter().map(|kept| kept.number + 1).filter(|after| *after > next).take(BATCH).last();
    (text, sent.unwrap_or(next))
}

type Step = Pin<Box<dyn Future<Output = Option<(Bytes, Live)>> + Send>>;

/// A reader as a body.
struct Events(Option<Step>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(step) = &mut this.0 else { return Poll::Ready(None) };
        match step.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                this.0 = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some((bytes, live))) => {
                this.0 = Some(Box::pin(live.next()));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }
}
