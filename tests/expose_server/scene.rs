//! A server with a ledger to fill.

use std::net::SocketAddr;
use std::sync::Arc;

use diag51007::cause::Cause;
use diag51007::diagnosis::{Basis, Check, Diagnosis, Fingerprint, Found, SkipReason, Skipped, TokenReport, TokenState};
use diag51007::expose::{AppState, BuildInfo, CheckRequest, Handles, ReloadError, Status, http, metrics};
use diag51007::finding::{Finding, TimeSource};
use diag51007::ledger::{Ledger, Settings, View};
use diag51007::pipeline::Event;
use diag51007::product::Product;
use diag51007::source::{Failure, Health, Rotation};
use diag51007::time::UnixTime;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) const NOW: UnixTime = UnixTime::from_millis(1_795_488_029_500);
pub(crate) const KEY: &str = "SK00000000000000000000000000000001";

pub(crate) fn ago(seconds: i64) -> UnixTime {
    NOW.plus_millis(-seconds * 1000)
}

/// An expired chat token, refused so long ago.
pub(crate) fn expired(number: u64, seconds_ago: i64) -> Diagnosis {
    let (refused_at, expired_at) = (ago(seconds_ago), ago(seconds_ago + 90));
    Diagnosis {
        id: format!("{number:016x}"),
        at: refused_at,
        source: "app".into(),
        path: Some("/var/log/app/chat.log".into()),
        line: 10 + number,
        offset: 100 * number,
        sightings: 4,
        event: None,
        about: diag51007::diagnosis::About::default(),
        code: Some(51007),
        product: Product::Chat,
        cause: Cause::Expired,
        basis: Basis::Token,
        findings: vec![Finding::Expired { expired_at, refused_at, told_by: TimeSource::Line }],
        skipped: vec![Skipped { check: Check::Signature, reason: SkipReason::NoSecret }],
        token: Some(TokenReport {
            jti: Some(format!("{KEY}-{}", expired_at.as_seconds() - 3600)),
            key_sid: Some(KEY.to_owned()),
            account_sid: Some("AC00000000000000000000000000000002".to_owned()),
            issued_at: Some(expired_at.plus_millis(-3_600_000)),
            expires_at: Some(expired_at),
            lifetime_seconds: Some(3600),
            grants: vec!["chat"],
            region: Some("us1"),
            expired_for_seconds: Some(90),
            ..TokenReport::new(TokenState::Readable, Found::Before(2), Fingerprint(number.to_be_bytes()))
        }),
    }
}

/// A refusal without a token.
pub(crate) fn bare(number: u64, seconds_ago: i64) -> Diagnosis {
    Diagnosis {
        source: "gateway".into(),
        path: None,
        sightings: 1,
        event: None,
        about: diag51007::diagnosis::About::default(),
        code: None,
        product: Product::Video,
        cause: Cause::NoToken,
        basis: Basis::None,
        findings: Vec::new(),
        skipped: Vec::new(),
        token: None,
        ..expired(number, seconds_ago)
    }
}

pub(crate) fn apply(ledger: &mut Ledger, diagnosis: Diagnosis) {
    ledger.apply(Event::Diagnosed(Box::new(diagnosis)), NOW);
}

pub(crate) fn empty() -> Ledger {
    Ledger::new(Settings::default(), ["app".into(), "gateway".into()], ago(7200))
}

/// A ledger with something of everything.
pub(crate) fn lively() -> Ledger {
    let mut ledger = empty();
    for (number, seconds_ago) in [(1, 5000), (2, 250), (2, 200), (3, 30)] {
        apply(&mut ledger, expired(number, seconds_ago));
    }
    apply(&mut ledger, bare(9, 100));
    ledger.apply(Event::Resighted { id: format!("{:016x}", 3), source: "app".into() }, NOW);
    ledger.apply(Event::Lines { source: "app".into(), lines: 120_000, truncated: 1, bytes: 9_000_000 }, NOW);
    for health in [
        Health::Up(true),
        Health::Progress { files: 3, unread_bytes: 512, lag_seconds: 0.25 },
        Health::Rotated(Rotation::Rename),
        Health::Lost(17),
        Health::Failed { kind: Failure::Permission, message: "can't open a file: permission denied".to_owned() },
        Health::CaughtUp,
    ] {
        ledger.health("app", &health, NOW);
    }
    ledger
}

pub(crate) fn status(ready: bool) -> Status {
    Status {
        commit_failures: 0,
        ready,
        config: json!({"web": {"listen": ["127.0.0.1:15107"]}}),
        reload_successful: true,
        reload_success_at: ago(7200),
        started_at: ago(7200),
    }
}

pub(crate) fn build() -> BuildInfo {
    BuildInfo { version: "1.2.3".to_owned(), revision: "abc1234".to_owned(), rustversion: "1.95.0".to_owned() }
}

/// A registry without the families of the process, which differ from run to run.
pub(crate) fn registry(view: watch::Receiver<Arc<View>>, status: watch::Receiver<Arc<Status>>) -> prometheus::Registry {
    let registry = prometheus::Registry::new();
    metrics::register(&registry, view, status, build()).expect("a table without doubles");
    registry
}

fn checked(request: &CheckRequest) -> Diagnosis {
    let given = TokenReport { found: Found::Given, ..expired(1, 0).token.expect("a token") };
    Diagnosis { at: request.at, product: request.product, token: Some(given), ..expired(1, 0) }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Ledger,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) status: watch::Sender<Arc<Status>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(mut ledger: Ledger) -> Self {
        Self::start_with(&mut ledger, Ok(())).await.with(ledger)
    }

    pub(crate) async fn refusing_reloads(error: ReloadError) -> Self {
        let mut ledger = empty();
        Self::start_with(&mut ledger, Err(error)).await.with(ledger)
    }

    fn with(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    #[expect(clippy::unused_async, reason = "to listen and to serve need a runtime")]
    async fn start_with(ledger: &mut Ledger, reloaded: Result<(), ReloadError>) -> Self {
        let (view, views) = watch::channel(ledger.commit_at(NOW));
        let (status, statuses) = watch::channel(Arc::new(status(true)));
        let state = AppState::new(Handles {
            registry: registry(views.clone(), statuses.clone()),
            view: views,
            status: statuses,
            build: build(),
            clock: || NOW,
            reload: Box::new(move || Box::pin(std::future::ready(reloaded.clone()))),
            check: Box::new(|request| checked(&request)),
        });
        let listener = http::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            _ = stopped.await;
        };
        let task = tokio::spawn(http::serve(vec![listener.into()], state, shutdown));
        Self { address, ledger: empty(), view, status, stop: Some(stop), task }
    }

    /// Applies and publishes a rejection.
    pub(crate) fn refuse(&mut self, diagnosis: Diagnosis) {
        apply(&mut self.ledger, diagnosis);
        self.view.send_replace(self.ledger.commit_at(NOW));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            _ = stop.send(());
        }
    }
}
