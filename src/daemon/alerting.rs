//! The evaluation of the alerts on a timer, and who is told of them.
//!
//! Looks once a second while something happens, at most; while nothing does, four times a minute.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::clock::now;
use super::hub::Hub;
use crate::alertmanager::Pusher;
use crate::ledger::watch::LOOK_MILLIS;

/// What runs: ended when dropped, after the last alerts were sent or given up.
#[derive(Debug)]
pub(super) struct Alerting {
    evaluation: JoinHandle<()>,
    pusher: Pusher,
}

impl Alerting {
    /// Starts evaluating and sending.
    pub(super) fn start(hub: &Arc<Hub>) -> Self {
        let pusher = Pusher::start(hub.views(), hub.alertmanagers(), now);
        Self { evaluation: tokio::spawn(evaluate(Arc::clone(hub))), pusher }
    }

    /// Ends both.
    pub(super) fn stop(self) {
        self.evaluation.abort();
        self.pusher.stop();
    }
}

/// The URL of the daemon's own page, as far as it can be known: where alerts lead when no dashboard is named.
pub(super) fn page(listeners: &[TcpListener]) -> String {
    let address = listeners.first().and_then(|listener| listener.local_addr().ok());
    address.map_or_else(String::new, |address| {
        if address.ip().is_unspecified() {
            return format!("http://{}:{}/", host(), address.port());
        }
        format!("http://{address}/")
    })
}

/// The name of this machine, if others can use it in a URL.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_name = name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-'));
    if is_name && !name.is_empty() { name } else { Ipv4Addr::LOCALHOST.to_string() }
}

async fn evaluate(hub: Arc<Hub>) {
    let mut views = hub.views();
    loop {
        let again = u64::try_from(hub.look(now())).unwrap_or(0);
        views.mark_unchanged();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(again)) => {}
            changed = views.changed() => {
                if changed.is_err() {
                    return;
                }
                // What happens in a burst is looked at once a second.
                tokio::time::sleep(Duration::from_millis(u64::try_from(LOOK_MILLIS).unwrap_or(0))).await;
            }
        }
    }
}
