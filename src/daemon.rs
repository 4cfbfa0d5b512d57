//! The daemon: sources in, core, ledger, server out; start, reload and end.
//!
//! Order of start: addresses are bound first, so that a port in use is said before anything is read; then the state is
//! opened, and sources start; ready is when what was there at start has been read and committed. Order of end: sources stop and deliver
//! what they hold, the last counts are committed, then open requests drain.

mod alerting;
mod bring;
mod channels;
mod clock;
mod hub;
mod keeper;
mod reload;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, Loaded, SourceKind, Start};
use crate::expose::http::{self, BindError, Door, Listener};
use crate::expose::{AppState, BuildInfo, CheckRequest, Handles, metrics};
use crate::memory;
use crate::pipeline::Given;
use crate::source::Sink;
use crate::source::file::{self, FileSource, FileSourceError, follow_files};
use crate::source::stdin::read_stdin;
use crate::store::{OpenError, Store};
use crate::token::{Ending, Sent};
use crate::{validate, version};

use alerting::Alerting;
use bring::Bringing;
use channels::Channels;
pub use clock::now;
use hub::Hub;
pub use keeper::{read_event, read_refused, read_verified};
use reload::{Reloader, Running};

/// Threads of the server.
const SERVER_THREADS: usize = 2;

/// Loads the config, at start and for every reload.
pub type Load = Box<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// What to run.
pub struct Plan {
    /// The config to start with.
    pub config: Config,
    /// Loads the config again.
    pub load: Load,
    /// Ends by itself after this time.
    pub duration: Option<Duration>,
    /// Serves only who has the other end of it, and none of the config's addresses.
    pub door: Option<Door>,
    /// Told the first address, if there is one, once it answers.
    pub bound: Box<dyn FnOnce(Option<SocketAddr>) + Send>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("duration", &self.duration).finish_non_exhaustive()
    }
}

/// Why the daemon did not start.
#[derive(Debug)]
pub enum Error {
    /// An address can't be listened on.
    Bind(BindError),
    /// A file source can't be followed as it is configured.
    Source(String, FileSourceError),
    /// No folder for the state is known.
    NoStateDir,
    /// The state can't be used.
    State(OpenError),
    /// The system denies something basic.
    System(&'static str, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(error) => write!(f, "{error}"),
            Self::Source(name, error) => write!(f, "source `{name}`: {error}"),
            Self::NoStateDir => f.write_str(
                "expected a folder for the state, but neither `state_dir` nor $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME \
                 names one; set `state_dir` in the config, or run it with `HOME=/var/lib/diag51007`",
            ),
            Self::State(error) => write!(f, "{error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

fn system(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::System(what, error.to_string())
}

/// Runs until SIGTERM or SIGINT, or for the planned time.
pub fn run(plan: Plan) -> Result<(), Error> {
    memory::settle_heap();
    validate::signature::prepare();
    let runtime = Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .enable_all()
        .build()
        .map_err(system("the server's threads can't be started"))?;
    runtime.block_on(serve(plan))
}

async fn serve(plan: Plan) -> Result<(), Error> {
    let config = Arc::new(plan.config);
    let listeners = if plan.door.is_none() { bind(&config.web.listen)? } else { Vec::new() };
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Error::System("the system gives no random bytes", error.to_string()))?;
    let folder = config.state_dir().ok_or(Error::NoStateDir)?;
    let opened = Store::open(&folder, now().as_seconds()).map_err(Error::State)?;
    tracing::info!("The state is in {}.", folder.display());
    let (hub, base) = Hub::new(&config, opened, key, alerting::page(&listeners), now());
    let hub = Arc::new(hub);
    let sync = Duration::from_secs(u64::from(config.store.sync_seconds));
    let bringing =
        Bringing::start(&hub, &folder, base, sync).map_err(system("the system gives no thread for the state"))?;
    let running = Running::new(start_files(&config, &hub)?);
    for source in config.sources.iter().filter(|source| source.kind == SourceKind::Stdin) {
        let (name, zone) = (source.name.as_str().into(), source.timezone.as_str().into());
        read_stdin(&name, &zone, Arc::clone(&hub) as _).map_err(system("standard input can't be read"))?;
    }
    let alerting = Alerting::start(&hub);
    let sink: Arc<dyn Sink> = Arc::clone(&hub) as _;
    let (channels, inlets) =
        Channels::start(&config, &sink).map_err(system("the system gives no thread for deliveries"))?;
    let channels = Arc::new(channels);
    let ticker = hub.start_ticker().map_err(system("the system gives no thread for the clock"))?;
    let reloader =
        Arc::new(Reloader::new(plan.load, Arc::clone(&hub), Arc::clone(&channels), running, Arc::clone(&config)));
    let state = state(&hub, &reloader)?.with_inlets(inlets);
    for listener in &listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!("listening on http://{address}");
        }
    }
    (plan.bound)(listeners.first().and_then(|listener| listener.local_addr().ok()));
    announce_ready(&hub);
    reloader.on_hangup().map_err(system("SIGHUP can't be waited for"))?;
    let ended = wait_for_end(plan.duration)?;
    let shutdown = async {
        ended.await;
        _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        hub.release();
        let stopping = Arc::clone(&reloader);
        // A thread of its own, because it waits for the sources.
        _ = tokio::task::spawn_blocking(move || {
            stopping.stop();
            channels.stop();
        })
        .await;
        hub.end();
    };
    let listeners = listeners.into_iter().map(Listener::from).chain(plan.door.map(Listener::Inside)).collect();
    http::serve(listeners, state, shutdown).await;
    alerting.stop();
    ticker.stop();
    bringing.stop();
    tracing::info!("Everything that was read has been counted; the daemon ends.");
    Ok(())
}

fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(http::bind(*address).map_err(Error::Bind)?);
    }
    Ok(listeners)
}

/// The file sources of a config, checked.
fn file_sources(config: &Config) -> Result<Vec<FileSource>, Error> {
    let sources = config.sources.iter().filter_map(|source| {
        let SourceKind::File(file) = &source.kind else { return None };
        Some(FileSource {
            name: source.name.as_str().into(),
            include: file.include.clone(),
            exclude: file.exclude.clone(),
            start: match file.start {
                Start::Beginning => file::Start::Beginning,
                Start::End => file::Start::End,
            },
            timezone: source.timezone.as_str().into(),
        })
    });
    let sources: Vec<FileSource> = sources.collect();
    for source in &sources {
        source.validate().map_err(|error| Error::Source(source.name.to_string(), error))?;
    }
    Ok(sources)
}

fn start_files(config: &Config, hub: &Arc<Hub>) -> Result<Option<file::Following>, Error> {
    let sources = file_sources(config)?;
    if sources.is_empty() {
        return Ok(None);
    }
    let following =
        follow_files(&sources, Arc::clone(hub) as _).map_err(|error| Error::Source("files".into(), error))?;
    Ok(Some(following))
}

fn state(hub: &Arc<Hub>, reloader: &Arc<Reloader>) -> Result<AppState, Error> {
    let build = BuildInfo {
        version: version::VERSION.to_owned(),
        revision: version::REVISION.to_owned(),
        rustversion: version::RUST_VERSION.to_owned(),
    };
    let registry = Registry::new();
    let failed = |error: prometheus::Error| Error::System("the metrics can't be registered", error.to_string());
    metrics::register(&registry, hub.views(), hub.statuses(), build.clone()).map_err(failed)?;
    metrics::register_process(&registry).map_err(failed)?;
    let (checking, reloading) = (Arc::clone(hub), Arc::clone(reloader));
    Ok(AppState::new(Handles {
        view: hub.views(),
        status: hub.statuses(),
        registry,
        build,
        clock: now,
        reload: Box::new(move || {
            let reloader = Arc::clone(&reloading);
            Box::pin(async move { reloader.reload().await })
        }),
        check: Box::new(move |request: CheckRequest| {
            let sent = Sent { raw: request.token, ending: Ending::Closed };
            checking.check(&Given { sent, at: request.at, product: request.product })
        }),
    }))
}

/// Tells systemd, once what was there at start has been read.
fn announce_ready(hub: &Arc<Hub>) {
    let mut statuses = hub.statuses();
    tokio::spawn(async move {
        if statuses.wait_for(|status| status.ready).await.is_ok() {
            tracing::info!("Ready: what was there at start has been read.");
            _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        }
    });
}

/// Ends with SIGTERM, SIGINT or the planned time.
fn wait_for_end(duration: Option<Duration>) -> Result<impl Future<Output = ()>, Error> {
    let failed = system("signals can't be waited for");
    let mut terminate = signal(SignalKind::terminate()).map_err(&failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&failed)?;
    Ok(async move {
        let elapsed = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: ending in good order."),
            _ = interrupt.recv() => tracing::info!("SIGINT: ending in good order."),
            () = elapsed => tracing::info!("The planned time is over."),
        }
    })
}

/// The port that is served where none is given.
pub const PORT: u16 = config::PORT;
