//! Where the sources deliver: bytes go through the core into the ledger, and committed views come out.

mod intake;
mod slack;
mod ticker;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::slack::Slack;
use super::clock::now;
use super::keeper::{Keeper, Outcome, Recalled, log_recovery};
use crate::config::{Alertmanager, Config};
use crate::diagnosis::Diagnosis;
use crate::expose::Status;
use crate::keyring::KeyRing;
use crate::ledger::{self, Ledger, Looked, View};
use crate::pipeline::arrival::Outcome as Taken;
use crate::pipeline::{self, Event, Given, Pipeline, StreamId};
use crate::source::{Delivered, Health};
use crate::store::{self, Ahead, Rows, Table, rows_of};
use crate::time::UnixTime;

/// How often what waits is looked at.
const TICK: Duration = Duration::from_millis(20);
/// And how often at the most.
const TICK_LEAST: Duration = Duration::from_millis(1);

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
    /// Woken when commits work again, or when nothing more is taken in.
    works: Condvar,
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
    keeper: Keeper,
    streams: u64,
    /// Something was applied that has not been committed.
    is_dirty: bool,
    /// Sources that have not yet read what was there at start.
    behind: BTreeSet<String>,
    /// Sources that have, and since when; what they delivered may still be underway.
    arriving: BTreeMap<String, UnixTime>,
    /// When silent streams were last let go to rest.
    rested: UnixTime,
    slack: Slack,
    /// The ticker is to be woken when there is something for it.
    ticker_waits: bool,
    stage: Stage,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// Nothing more is taken in if it can't be committed.
    Stopping,
    /// The last counts were committed, or can't be.
    Ended,
}

/// When a commit is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Now, unless the last was a moment ago or failed.
    Due,
    /// Now in any case.
    Now,
}

impl Hub {
    /// Goes on from a state, or begins one.
    pub(super) fn new(
        config: &Config,
        opened: store::Opened,
        new_key: [u8; 32],
        page: String,
        now: UnixTime,
    ) -> (Self, store::Base) {
        let store::Opened { store, base, rows, recovered } = opened;
        let (mut keeper, Recalled { fingerprint_key, refused, notes, seen }) = Keeper::new(store, &rows);
        let fingerprint_key = fingerprint_key.unwrap_or_else(|| {
            keeper.put_key(&new_key);
            new_key
        });
        let (mut ledger, unknown) = restored(config, &page, &rows, now);
        keeper.remove_ledger_rows(&unknown);
        keeper.rename_remembered(&rows, &ledger);
        if let Some(recovery) = &recovered {
            log_recovery(recovery);
            ledger.recovered();
        }
        if !unknown.is_empty() {
            tracing::error!(rows = unknown.len(), "Rows of the state can't be understood and were left out.");
            ledger.recovered();
        }
        let mut pipeline = Pipeline::new(core_settings(config, fingerprint_key), config.keyring());
        pipeline.recall(refused, notes);
        pipeline.restore_seen(seen);
        let behind: BTreeSet<String> = config.sources.iter().map(|source| source.name.clone()).collect();
        let status = Status {
            ready: behind.is_empty(),
            config: view_of(config),
            reload_successful: true,
            reload_success_at: now,
            started_at: now,
            commit_failures: ledger.working().totals.commit_failures,
        };
        let view = Arc::new(ledger.working().clone());
        let inner = Inner {
            pipeline,
            ledger,
            keeper,
            streams: 0,
            is_dirty: true,
            behind,
            arriving: BTreeMap::new(),
            rested: now,
            slack: Slack::of_start(),
            ticker_waits: false,
            stage: Stage::Running,
        };
        let hub = Self {
            inner: Mutex::new(inner),
            waits: Condvar::new(),
            works: Condvar::new(),
            view: watch::Sender::new(view),
            status: watch::Sender::new(Arc::new(status)),
            alertmanager: watch::Sender::new(Arc::new(config.alertmanager.clone())),
            fingerprint_key,
            page,
        };
        hub.commit(&mut hub.lock(), When::Now);
        (hub, base)
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

    /// Wakes the ticker if there is something for it.
    fn wake(&self, inner: &Inner) {
        if inner.ticker_waits && inner.needs_tick() {
            self.waits.notify_one();
        }
    }

    /// Commits what has been applied, and lets readers see it then.
    fn commit(&self, inner: &mut Inner, when: When) {
        // Who waits for the daemon to be ready, or for what there was at start, waits for this commit.
        let is_due = inner.arrive() || when == When::Now || inner.keeper.until_due().is_zero();
        if !(inner.is_dirty || inner.keeper.is_dirty()) || !is_due {
            return;
        }
        let Inner { ledger, keeper, pipeline, .. } = inner;
        let view = ledger.commit_at(now());
        match keeper.commit(&view, pipeline) {
            Outcome::Committed { works_again } => {
                if works_again {
                    tracing::info!("The state can be written again; nothing was lost.");
                    inner.ledger.stored(true);
                    self.works.notify_all();
                }
                self.show(inner, view);
            }
            Outcome::Failed { error, is_first } => self.note_failure(inner, &error, is_first),
        }
    }

    fn note_failure(&self, inner: &mut Inner, error: &io::Error, is_first: bool) {
        if is_first {
            tracing::error!(
                "The state can't be written: {error}. What is shown stays as it is and nothing more is read until it can \
                 be written; see `df` and the permissions of `state_dir`."
            );
        }
        inner.ledger.commit_failed();
        inner.ledger.stored(false);
        let failures = inner.ledger.working().totals.commit_failures;
        self.status.send_modify(|status| Arc::make_mut(status).commit_failures = failures);
    }

    fn show(&self, inner: &mut Inner, view: Arc<View>) {
        {
            inner.is_dirty = false;
            self.view.send_replace(view);
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

    /// Gives what the database does not have yet.
    pub(super) fn take_ahead(&self) -> Option<Ahead> {
        self.lock().keeper.take_ahead()
    }

    /// Takes back what could not be brought there.
    pub(super) fn put_back(&self, ahead: Ahead) {
        self.lock().keeper.put_back(ahead);
    }

    /// Whether the journal should be brought there soon.
    pub(super) fn is_journal_long(&self) -> bool {
        self.lock().keeper.is_journal_long()
    }

    /// Notes bytes that were let go elsewhere.
    pub(super) fn let_go(&self, bytes: usize) {
        self.lock().slack.let_go(bytes);
    }

    /// Whether memory is to be given back now; asked by the thread that does it.
    pub(super) fn owes_memory(&self) -> bool {
        self.lock().slack.take_due()
    }

    /// Waits while commits fail, so that what is taken in stays bounded; says whether more may be taken in.
    fn admit(&self) -> Option<MutexGuard<'_, Inner>> {
        let blocked = |inner: &mut Inner| inner.keeper.has_failed() && inner.stage == Stage::Running;
        let inner = self.works.wait_while(self.lock(), blocked).unwrap_or_else(PoisonError::into_inner);
        (!inner.keeper.has_failed()).then_some(inner)
    }

    /// Lets go of sources that wait for commits to work again: they are about to be stopped.
    pub(super) fn release(&self) {
        self.lock().stage = Stage::Stopping;
        self.works.notify_all();
    }

    /// Commits the last counts; nothing comes after.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.tick();
        inner.remember(true);
        self.commit(&mut inner, When::Now);
        if inner.keeper.has_failed() {
            tracing::error!("The last counts can't be committed; what they are of is read again at the next start.");
        }
        inner.stage = Stage::Ended;
        drop(inner);
        self.waits.notify_all();
    }

    /// Takes a new config over.
    pub(super) fn reload(&self, config: &Config) {
        let mut inner = self.lock();
        inner.pipeline.reload(core_settings(config, self.fingerprint_key), config.keyring());
        let sources = config.sources.iter().map(|source| Arc::from(source.name.as_str()));
        inner.ledger.reload(ledger_settings(config, &self.page), sources);
        inner.is_dirty = true;
        self.commit(&mut inner, When::Now);
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
        inner.rest();
        inner.is_dirty |= has_changed || inner.keeper.is_stale();
        inner.remember(has_changed);
        self.commit(&mut inner, When::Due);
        if has_changed && inner.keeper.has_failed() {
            // Counts wait until they are committed; that this fails is told at once.
            let alerts = Arc::clone(&inner.ledger.working().alerts);
            self.view.send_modify(|view| Arc::make_mut(view).alerts = alerts);
        }
        self.wake(&inner);
        again_millis
    }

    /// Notes that a reload changed nothing.
    pub(super) fn reload_failed(&self) {
        self.status.send_modify(|status| Arc::make_mut(status).reload_successful = false);
    }
}

impl Inner {
    fn remember(&mut self, is_urgent: bool) {
        self.keeper.remember(&self.ledger, is_urgent);
    }

    fn needs_tick(&self) -> bool {
        self.is_dirty || self.keeper.is_dirty() || self.pipeline.is_awake() || !self.arriving.is_empty()
    }

    /// How long the ticker may sleep: until a commit or something that waits in the core is due. Nothing is shown before a
    /// commit, so nothing is settled before one may be made: what came in meanwhile is then settled together. But a source
    /// that has caught up has its commit at once.
    fn until_tick(&self) -> Duration {
        let commit = self.keeper.until_due();
        let due = self.pipeline.due_in(now()).and_then(|millis| u64::try_from(millis).ok());
        let due = due.map_or(TICK, Duration::from_millis);
        let wait = match (self.arriving.is_empty(), self.is_dirty) {
            (false, _) => due,
            (true, true) => commit,
            (true, false) => due.max(commit),
        };
        wait.clamp(TICK_LEAST, TICK.max(commit))
    }

    const fn next_stream(&mut self) -> StreamId {
        self.streams += 1;
        StreamId(self.streams)
    }

    /// Lets silent streams go to rest, every few seconds.
    fn rest(&mut self) {
        let now = now();
        if now.millis_since(self.rested) > REST_MILLIS {
            self.rested = now;
            let bytes = self.pipeline.rest(now);
            self.slack.rested(bytes);
        }
    }

    /// Counts sources as caught up once what they delivered has been diagnosed; says whether there were any.
    fn arrive(&mut self) -> bool {
        let (now, is_awake, before) = (now(), self.pipeline.is_awake(), self.arriving.len());
        if before == 0 {
            return false;
        }
        let Self { arriving, behind, ledger, is_dirty, keeper, .. } = self;
        arriving.retain(|source, since| {
            let waits = is_awake && now.millis_since(*since) < ARRIVAL_MILLIS_MAX;
            if !waits {
                behind.remove(source);
                ledger.health(source, &Health::CaughtUp, now);
                *is_dirty = true;
            }
            waits
        });
        if behind.is_empty() {
            keeper.forget_absent(now);
        }
        arriving.len() < before
    }

    /// Lets time pass in the core.
    fn tick(&mut self) {
        let awake: Vec<StreamId> = self.pipeline.awake().collect();
        if !awake.is_empty() {
            self.work(|pipeline, now, emit| pipeline.tick(now, emit));
            for id in awake {
                self.keeper.touch(id, None);
            }
        }
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
                    Taken::Counted => counted += 1,
                    Taken::Repeated => repeated += 1,
                    Taken::Ignored => ignored += 1,
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
            ledger.apply(event, now);
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

/// The ledger as it was kept, and the names of the rows that can't be understood.
fn restored(config: &Config, page: &str, rows: &Rows, now: UnixTime) -> (Ledger, Vec<String>) {
    let sources = config.sources.iter().map(|source| Arc::from(source.name.as_str()));
    let rows = rows_of(rows, Table::Ledger).filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)));
    Ledger::restored(ledger_settings(config, page), sources, now, rows)
}

fn core_settings(config: &Config, fingerprint_key: [u8; 32]) -> pipeline::Settings {
    pipeline::Settings { fingerprint_key, ..config.pipeline_settings() }
}

fn ledger_settings(config: &Config, page: &str) -> ledger::Settings {
    let mut alerts = config.alerts.clone();
    if alerts.dashboard_url.is_empty() {
        page.clone_into(&mut alerts.dashboard_url);
    }
    if alerts.runbook_url.is_empty() && !page.is_empty() {
        alerts.runbook_url = format!("{page}runbooks");
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
