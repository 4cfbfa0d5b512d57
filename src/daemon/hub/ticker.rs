//! The thread that lets time pass in the core while nothing comes in: it commits, and settles what has waited long enough.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::{Hub, Stage};
use crate::source::Sink;

/// The thread.
#[derive(Debug)]
pub(in crate::daemon) struct Ticker {
    hub: Arc<Hub>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Ends it.
    pub(in crate::daemon) fn stop(self) {
        self.hub.end();
        // A panic there has been printed by the hook; there is nothing left to do about it here.
        _ = self.thread.join();
    }
}

impl Hub {
    /// Starts the thread.
    pub(in crate::daemon) fn start_ticker(self: &Arc<Self>) -> io::Result<Ticker> {
        let hub = Arc::clone(self);
        let thread = Builder::new().name("ticker".to_owned()).spawn(move || {
            loop {
                let inner = hub.lock();
                let waited = hub.waits.wait_while(inner, |inner| {
                    inner.ticker_waits = !inner.needs_tick() && inner.stage != Stage::Ended;
                    inner.ticker_waits
                });
                let inner = waited.unwrap_or_else(PoisonError::into_inner);
                let has_ended = inner.stage == Stage::Ended;
                let wait = inner.until_tick();
                drop(inner);
                if has_ended {
                    return;
                }
                std::thread::sleep(wait);
                hub.pause();
            }
        })?;
        Ok(Ticker { hub: Arc::clone(self), thread })
    }
}
