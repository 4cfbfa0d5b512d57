//! Where the sources deliver: bytes go through the core into the ledger, and committed views come out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::clock::now;
use crate::config::{Alertmanager, Config};
use crate::diagnosis::Diagnosis;
use crate::expose::Status;
use crate::keyring::KeyRing;
use crate::ledger::{self, Ledger, Looked, View};
use crate::pipeline::arrival::Outcome;
use crate::pipeline::{self, Event, Given, Pipeline, Stream, StreamId};
use crate::source::{Delivered, Health, NotCommitted, Sink};
use crate::time::UnixTime;

/// How often what waits is looked at, and how often views are committed under load.
const TICK: Duration = Duration::from_millis(20);

/// A source counts as caught up after this time, even if live rejections are always underway, in milliseconds.
const ARRIVAL_MILLIS_MAX: i64 = 1000;

/// How often silent streams are let go to rest, in milliseconds.
const REST_MILLIS: i64 = 5000;

/// Core and ledger behind one lock, and the views that readers see.
#[derive(Debug)]
pub(super) struct Hub {
    inner: Mutex<Inner>,
    /// Woken when something waits for a tick.
    waits: Condvar,
    view: watch::Sender<Arc<View>>,
    status: watch::Sender<Arc<Status>>,
    alertmanager: watch::Sender<Arc<Alertmanager>>,
    fingerprint_key: [u8; 32],
    /// The URL of the daemon's own page.
    page: String,
}

#[derive(Debug)]
struct Inner {
    pipeline: Pipeline,
    ledger: Ledger,
    streams: u64,
    /// Something was applied that has not been committed.
    is_dirty: bool,
    /// Sources that have not yet read what was there at start.
    behind: BTreeSet<String>,
    /// Sources that have, and since when; what they delivered may still be underway.
    arriving: BTreeMap<String, UnixTime>,
    /// When silent streams were last let go to rest.
    rested: UnixTime,
    has_ended: bool,
}

/// The thread that lets time pass in the core.
#[derive(Debug)]
pub(super) struct Ticker {
    hub: Arc<Hub>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Ends it.
    pub(super) fn stop(self) {
        self.hub.end();
        // A panic there has been printed by the hook; there is nothing left to do about it here.
        _ = self.thread.join();
    }
}

impl Hub {
    pub(super) fn new(config: &Config, fingerprint_key: [u8; 32], page: String, now: UnixTime) -> Self {
        let settings = core_settings(config, fingerprint_key);
        let sources = config.sources.iter().map(|source| Arc::from(source.name.as_str()));
        let mut ledger = Ledger::new(ledger_settings(config, &page), sources, now);
        let view = ledger.commit();
        let behind: BTreeSet<String> = config.sources.iter().map(|source| source.name.clone()).collect();
        let status = Status {
            ready: behind.is_empty(),
            config: view_of(config),
            reload_successful: true,
            reload_success_at: now,
            started_at: now,
        };
        Self {
            inner: Mutex::new(Inner {
                pipeline: Pipeline::new(settings, config.keyring()),
                ledger,
                streams: 0,
                is_dirty: false,
                behind,
                arriving: BTreeMap::new(),
                rested: now,
                has_ended: false,
            }),
            waits: Condvar::new(),
            view: watch::Sender::new(view),
            status: watch::Sender::new(Arc::new(status)),
            alertmanager: watch::Sender::new(Arc::new(config.alertmanager.clone())),
            fingerprint_key,
            page,
        }
    }

    pub(super) fn alertmanagers(&self) -> watch::Receiver<Arc<Alertmanager>> {
        self.alertmanager.subscribe()
    }

    pub(super) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    pub(super) fn statuses(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    /// A panic while the lock was held has been printed; the counts up to it stand.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self, given: &Given) -> Diagnosis {
        self.lock().pipeline.check(given)
    }

    /// Runs something of the core and applies what it says.
    fn work(&self, work: impl FnOnce(&mut Pipeline, UnixTime, &mut dyn FnMut(Event))) {
        let mut inner = self.lock();
        inner.work(work);
        if inner.needs_tick() {
            self.waits.notify_one();
        }
    }

    /// Lets readers see what has been applied.
    fn commit(&self, inner: &mut Inner) {
        inner.arrive();
        if inner.is_dirty {
            inner.is_dirty = false;
            self.view.send_replace(inner.ledger.commit());
            let is_ready = inner.behind.is_empty();
            self.status.send_if_modified(|status| {
                let changes = is_ready && !status.ready;
                if changes {
                    Arc::make_mut(status).ready = true;
                }
                changes
            });
        }
    }

    pub(super) fn start_ticker(self: &Arc<Self>) -> io::Result<Ticker> {
        let hub = Arc::clone(self);
        let thread = Builder::new().name("ticker".to_owned()).spawn(move || {
            loop {
                let inner = hub.lock();
                let waited = hub.waits.wait_while(inner, |inner| !inner.needs_tick() && !inner.has_ended);
                let inner = waited.unwrap_or_else(PoisonError::into_inner);
                let has_ended = inner.has_ended;
                drop(inner);
                if has_ended {
                    return;
                }
                std::thread::sleep(TICK);
                hub.pause();
            }
        })?;
        Ok(Ticker { hub: Arc::clone(self), thread })
    }

    /// Commits the last counts; nothing comes after.
    pub(super) fn end(&self) {
        self.pause();
        self.lock().has_ended = true;
        self.waits.notify_all();
    }

    /// Takes a new config over.
    pub(super) fn reload(&self, config: &Config) {
        let mut inner = self.lock();
        inner.pipeline.reload(core_settings(config, self.fingerprint_key), config.keyring());
        let sources = config.sources.iter().map(|source| Arc::from(source.name.as_str()));
        inner.ledger.reload(ledger_settings(config, &self.page), sources);
        inner.is_dirty = true;
        self.commit(&mut inner);
        drop(inner);
        self.alertmanager.send_replace(Arc::new(config.alertmanager.clone()));
        self.status.send_modify(|status| {
            let status = Arc::make_mut(status);
            status.config = view_of(config);
            status.reload_successful = true;
            status.reload_success_at = now();
        });
    }

    /// Evaluates the alerts, lets readers see what changed, and says in how many milliseconds to do it again.
    pub(super) fn look(&self, now: UnixTime) -> i64 {
        let mut inner = self.lock();
        let Looked { has_changed, again_millis } = inner.ledger.look(now);
        inner.is_dirty |= has_changed;
        self.commit(&mut inner);
        again_millis
    }

    /// Notes that a reload changed nothing.
    pub(super) fn reload_failed(&self) {
        self.status.send_modify(|status| Arc::make_mut(status).reload_successful = false);
    }
}

impl Inner {
    fn needs_tick(&self) -> bool {
        self.is_dirty || self.pipeline.is_awake() || !self.arriving.is_empty()
    }

    /// Lets silent streams go to rest, every few seconds.
    fn rest(&mut self) {
        let now = now();
        if now.millis_since(self.rested) > REST_MILLIS {
            self.rested = now;
            self.pipeline.rest(now);
        }
    }

    /// Counts sources as caught up once what they delivered has been diagnosed.
    fn arrive(&mut self) {
        let (now, is_awake) = (now(), self.pipeline.is_awake());
        let Self { arriving, behind, ledger, is_dirty, .. } = self;
        arriving.retain(|source, since| {
            let waits = is_awake && now.millis_since(*since) < ARRIVAL_MILLIS_MAX;
            if !waits {
                behind.remove(source);
                ledger.health(source, &Health::CaughtUp, now);
                *is_dirty = true;
            }
            waits
        });
    }

    /// Takes one delivery of events in.
    fn take(&mut self, delivered: &Delivered) {
        if let Some((stream, lines)) = &delivered.lines {
            self.work(|pipeline, now, emit| {
                pipeline.push(*stream, lines, now, emit);
                // What is acknowledged must not wait for what may never come.
                pipeline.settle(*stream, now, emit);
            });
            return;
        }
        let (source, delivery) = (&delivered.source, &delivered.delivery);
        let (mut counted, mut repeated, mut ignored) = (0, 0, delivery.ignored);
        self.work(|pipeline, now, emit| {
            for arrival in &delivery.arrivals {
                match pipeline.event(arrival, now, emit) {
                    Outcome::Counted => counted += 1,
                    Outcome::Repeated => repeated += 1,
                    Outcome::Ignored => ignored += 1,
                }
            }
            let (lines, bytes) = (counted + repeated + ignored + delivery.unreadable, delivered.bytes as u64);
            emit(Event::Lines { source: Arc::clone(source), lines, truncated: 0, bytes });
        });
        let last = delivery.arrivals.iter().filter_map(|arrival| arrival.at).max();
        self.ledger.health(source, &Health::Arrived { counted, repeated, ignored, last }, now());
    }

    fn work(&mut self, work: impl FnOnce(&mut Pipeline, UnixTime, &mut dyn FnMut(Event))) {
        let Self { pipeline, ledger, is_dirty, .. } = self;
        let now = now();
        work(pipeline, now, &mut |event| {
            if let Event::Diagnosed(diagnosis) = &event {
                log(diagnosis);
            }
            ledger.apply(&event, now);
            *is_dirty = true;
        });
    }
}

/// One line of the daemon's log for a rejection.
fn log(diagnosis: &Diagnosis) {
    tracing::debug!(
        id = diagnosis.id,
        source = &*diagnosis.source,
        line = diagnosis.line,
        cause = diagnosis.cause.id(),
        product = diagnosis.product.id(),
        "A connection was refused."
    );
}

impl Sink for Hub {
    fn open(&self, stream: Stream) -> StreamId {
        let mut inner = self.lock();
        inner.streams += 1;
        let id = StreamId(inner.streams);
        inner.pipeline.open(id, stream);
        id
    }

    fn push(&self, stream: StreamId, chunk: &[u8]) {
        self.work(|pipeline, now, emit| pipeline.push(stream, chunk, now, emit));
    }

    fn end_line(&self, stream: StreamId) {
        self.work(|pipeline, now, emit| pipeline.end_line(stream, now, emit));
    }

    fn pause(&self) {
        let mut inner = self.lock();
        if inner.pipeline.is_awake() {
            inner.work(|pipeline, now, emit| pipeline.tick(now, emit));
        }
        self.commit(&mut inner);
        if inner.needs_tick() {
            self.waits.notify_one();
        }
    }

    fn finish(&self, stream: StreamId) {
        self.work(|pipeline, now, emit| pipeline.finish(stream, now, emit));
    }

    fn deliver(&self, deliveries: &[Delivered]) -> Result<(), NotCommitted> {
        let mut inner = self.lock();
        for delivered in deliveries {
            inner.take(delivered);
        }
        self.commit(&mut inner);
        Ok(())
    }

    fn report(&self, source: &str, health: Health) {
        match &health {
            Health::Failed { kind, message } => tracing::warn!(source, kind = kind.id(), "{message}"),
            Health::Lost(bytes) => tracing::error!(source, bytes, "Bytes were written that could not be read."),
            Health::Rotated(kind) => tracing::info!(source, kind = kind.id(), "A file was rotated."),
            Health::CaughtUp => tracing::info!(source, "What was there at start has been read."),
            Health::Up(false) => tracing::warn!(source, "The source does not work."),
            Health::Up(true) | Health::Progress { .. } | Health::FailedAgain { .. } | Health::Arrived { .. } => {}
        }
        let mut inner = self.lock();
        if health == Health::CaughtUp {
            inner.arriving.insert(source.to_owned(), now());
        } else {
            inner.ledger.health(source, &health, now());
            inner.is_dirty = true;
        }
        inner.rest();
        self.waits.notify_one();
    }
}

fn core_settings(config: &Config, fingerprint_key: [u8; 32]) -> pipeline::Settings {
    pipeline::Settings { fingerprint_key, ..config.pipeline_settings() }
}

fn ledger_settings(config: &Config, page: &str) -> ledger::Settings {
    let mut alerts = config.alerts.clone();
    if alerts.dashboard_url.is_empty() {
        page.clone_into(&mut alerts.dashboard_url);
    }
    let keyring: KeyRing = config.keyring();
    ledger::Settings {
        rejections_kept: usize::try_from(config.limits.rejections_remembered).unwrap_or(usize::MAX),
        keys: keyring.keys().iter().map(|key| key.sid.clone()).collect(),
        alerts,
        ..ledger::Settings::default()
    }
}

fn view_of(config: &Config) -> serde_json::Value {
    serde_json::to_value(config.redacted()).unwrap_or_default()
}
