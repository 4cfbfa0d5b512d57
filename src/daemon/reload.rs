//! A reload is a transaction: the new config is loaded and checked whole, then taken over; else nothing changes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use super::channels::Channels;
use super::hub::Hub;
use super::{Load, file_sources};
use crate::config::{Config, Loaded, Source, SourceKind};
use crate::expose::ReloadError;
use crate::source::file::{FileSource, FileSourceError, Following, follow_files};

/// The sources that run.
#[derive(Debug)]
pub(super) struct Running(Mutex<Option<Following>>);

impl Running {
    pub(super) fn new(following: Option<Following>) -> Self {
        Self(Mutex::new(following))
    }
}

impl Running {
    /// Follows other files from now on; those that stay go on where they are.
    fn replace(&self, files: &[FileSource], hub: &Arc<Hub>) -> Result<(), FileSourceError> {
        let mut following = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*following {
            Some(following) => following.replace(files)?,
            None if files.is_empty() => {}
            None => *following = Some(follow_files(files, Arc::clone(hub) as _)?),
        }
        Ok(())
    }
}

/// The sources that a reload changes.
fn followed(config: &Config) -> impl Iterator<Item = &Source> {
    config.sources.iter().filter(|source| matches!(source.kind, SourceKind::File(_)))
}

/// Loads the config again on request.
pub(super) struct Reloader {
    load: Load,
    hub: Arc<Hub>,
    channels: Arc<Channels>,
    running: Running,
    config: Mutex<Arc<Config>>,
}

impl Reloader {
    pub(super) fn new(
        load: Load,
        hub: Arc<Hub>,
        channels: Arc<Channels>,
        running: Running,
        config: Arc<Config>,
    ) -> Self {
        Self { load, hub, channels, running, config: Mutex::new(config) }
    }

    /// Loads the config and takes it over.
    pub(super) async fn reload(self: Arc<Self>) -> Result<(), ReloadError> {
        let reloader = Arc::clone(&self);
        let answer = tokio::task::spawn_blocking(move || reloader.reload_now()).await;
        let outcome = answer.unwrap_or_else(|error| Err(ReloadError::Failed(error.to_string())));
        match &outcome {
            Ok(()) => tracing::info!("The config was loaded again."),
            Err(ReloadError::Refused(why) | ReloadError::Failed(why)) => {
                self.hub.reload_failed();
                tracing::error!("The config was not taken over, the old one stays in force: {why}");
            }
        }
        outcome
    }

    fn reload_now(&self) -> Result<(), ReloadError> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let Loaded { config, warnings } = (self.load)().map_err(ReloadError::Refused)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let files = file_sources(&config).map_err(|error| ReloadError::Refused(error.to_string()))?;
        let fixed = [
            ("`web.listen`", config.web != current.web),
            ("a source of another kind than `file`", !config.has_fixed_sources_of(&current)),
            ("`state_dir`", config.state_dir != current.state_dir),
            ("`store`", config.store != current.store),
            ("`log`", config.log != current.log),
        ];
        if let Some((name, _)) = fixed.iter().find(|(_, changes)| *changes) {
            return Err(ReloadError::Refused(format!(
                "{name} differs from what runs, and can only change at a restart; undo that change, or restart"
            )));
        }
        // The ledger knows new sources before they deliver.
        self.hub.reload(&config);
        self.channels.reload(&config);
        if followed(&config).ne(followed(&current)) {
            self.running.replace(&files, &self.hub).map_err(|error| ReloadError::Failed(error.to_string()))?;
        }
        *current = Arc::new(config);
        Ok(())
    }

    /// Reloads at every SIGHUP.
    pub(super) fn on_hangup(self: &Arc<Self>) -> io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let reloader = Arc::clone(self);
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                // Logged and counted where it happens.
                _ = Arc::clone(&reloader).reload().await;
            }
        });
        Ok(())
    }

    /// Stops the sources; returns when they have delivered what they hold.
    pub(super) fn stop(&self) {
        let following = self.running.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(following) = following {
            following.stop();
        }
    }
}
