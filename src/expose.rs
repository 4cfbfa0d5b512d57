//! What people and machines see: `/metrics`, the summary, the lists, the page.
//!
//! Everything here reads committed views and answers; nothing here counts. The daemon hands over what is needed as
//! [`Handles`]: views and its own state through watch channels, its clock, and two things that it does on request.

mod alerts;
mod answer;
mod check;
pub mod http;
mod incidents;
mod listing;
pub mod metrics;
mod openapi;
pub mod openmetrics;
mod page;
mod query;
mod rejections;
pub mod routes;
mod status;
mod stream;
mod summary;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use zeroize::Zeroizing;

use crate::diagnosis::Diagnosis;
use crate::ledger::View;
use crate::product::Product;
use crate::time::UnixTime;

pub use self::summary::summary;

/// The most live streams of rejections at a time; further ones get 503.
pub const STREAMS_MAX: usize = 32;

/// Which build this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// Version of the package.
    pub version: String,
    /// Revision of the source, or `unknown`.
    pub revision: String,
    /// Version of the compiler, or `unknown`.
    pub rustversion: String,
}

/// The daemon's own state, as it is shown.
#[derive(Clone, Debug)]
pub struct Status {
    /// What was there at start has been read, and is committed.
    pub ready: bool,
    /// The effective config, without secrets.
    pub config: serde_json::Value,
    /// The last attempt to load the config succeeded.
    pub reload_successful: bool,
    /// When the config in force was loaded.
    pub reload_success_at: UnixTime,
    /// When the daemon started.
    pub started_at: UnixTime,
    /// Commits that failed so far.
    pub commit_failures: u64,
}

/// A token to check.
pub struct CheckRequest {
    /// The token without what was pasted around it, wiped when dropped.
    pub token: Zeroizing<Vec<u8>>,
    /// What was taken off around it, in full sentences.
    pub notes: Vec<String>,
    /// The time to judge it at.
    pub at: UnixTime,
    /// The product to judge it for.
    pub product: Product,
}

/// Without the token.
impl fmt::Debug for CheckRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckRequest")
            .field("token", &format_args!("{} bytes", self.token.len()))
            .field("notes", &self.notes)
            .field("at", &self.at)
            .field("product", &self.product)
            .finish()
    }
}

/// Why a reload changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadError {
    /// The config is wrong; the text says where and why.
    Refused(String),
    /// The daemon could not try, or could not finish.
    Failed(String),
}

/// What a reload answers with, some time later.
pub type Reloading = Pin<Box<dyn Future<Output = Result<(), ReloadError>> + Send>>;

/// What the daemon hands over.
pub struct Handles {
    /// The latest committed view.
    pub view: watch::Receiver<Arc<View>>,
    /// The daemon's own state.
    pub status: watch::Receiver<Arc<Status>>,
    /// Where the families of `/metrics` are registered; see [`metrics::register`].
    pub registry: prometheus::Registry,
    /// Which build this is.
    pub build: BuildInfo,
    /// The daemon's clock.
    pub clock: fn() -> UnixTime,
    /// Loads the config again.
    pub reload: Box<dyn Fn() -> Reloading + Send + Sync>,
    /// Checks one token.
    pub check: Box<dyn Fn(CheckRequest) -> Diagnosis + Send + Sync>,
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").field("build", &self.build).finish_non_exhaustive()
    }
}

/// What every route sees.
#[derive(Clone, Debug)]
pub struct AppState {
    handles: Arc<Handles>,
    /// Places for live streams.
    streams: Arc<Semaphore>,
    /// Becomes true when the server drains: live streams end.
    draining: watch::Sender<bool>,
    /// Routes of the sources that are sent something.
    inlets: axum::Router,
}

impl AppState {
    /// Takes the handles over.
    pub fn new(handles: Handles) -> Self {
        Self {
            handles: Arc::new(handles),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            draining: watch::Sender::new(false),
            inlets: axum::Router::new(),
        }
    }

    /// Mounts the routes of the sources that are sent something.
    #[must_use]
    pub fn with_inlets(self, inlets: axum::Router) -> Self {
        Self { inlets, ..self }
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.handles.view.borrow())
    }

    fn status(&self) -> Arc<Status> {
        Arc::clone(&self.handles.status.borrow())
    }

    fn now(&self) -> UnixTime {
        (self.handles.clock)()
    }
}

/// Waits until the server drains.
async fn drained(draining: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is drained enough.
    _ = draining.wait_for(|draining| *draining).await;
}
