//! The sources that are fed over HTTP or ask Twilio: started, told of other keys, and stopped together.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;

use crate::config::{self, Config, SourceKind};
use crate::keyring::{KeyRing, Secret};
use crate::source::inlet::{Budget, Complaints};
use crate::source::intake::{Handing, Intake};
use crate::source::twilio::signature::Verifier;
use crate::source::webhook::{Channel, Settings, Webhook};
use crate::source::{Health, Sink};

/// The sources that run.
#[derive(Debug, Default)]
pub(super) struct Channels {
    webhooks: Vec<(String, Arc<Webhook>)>,
    handing: Mutex<Option<Handing>>,
}

impl Channels {
    /// Starts them, and gives the routes that they are fed through.
    pub(super) fn start(config: &Config, sink: &Arc<dyn Sink>) -> io::Result<(Self, Router)> {
        let (intake, handing) = Intake::start(Arc::clone(sink))?;
        let (mut channels, mut router) = (Self::default(), Router::new());
        let budget = Budget::default();
        let keyring = config.keyring();
        for source in &config.sources {
            let name: Arc<str> = source.name.as_str().into();
            let complaints = Complaints::new(Arc::clone(&name), Arc::clone(sink));
            let (channel, webhook) = match &source.kind {
                SourceKind::File(_) | SourceKind::Stdin | SourceKind::AlertsApi(_) | SourceKind::Http(_) => continue,
                SourceKind::Webhook(webhook) => (Channel::Debugger, webhook),
                SourceKind::EventStreams(webhook) => (Channel::EventStreams, webhook),
            };
            let settings = Settings {
                source: Arc::clone(&name),
                channel,
                path: webhook.path.clone(),
                public_url: webhook.public_url.clone(),
                trusted_proxies: webhook.trusted_proxies.clone(),
            };
            let verifier = verifier(webhook, &keyring);
            let started = Webhook::new(settings, verifier, Arc::clone(&intake), complaints, budget.clone());
            router = router.merge(started.router());
            channels.webhooks.push((source.name.clone(), started));
            tracing::info!(source = source.name, "waiting for deliveries at {}", webhook.path);
            sink.report(&name, Health::Up(true));
            sink.report(&name, Health::CaughtUp);
        }
        channels.handing = Mutex::new(Some(handing));
        Ok((channels, router))
    }

    /// Takes other keys over.
    pub(super) fn reload(&self, config: &Config) {
        let keyring = config.keyring();
        for source in &config.sources {
            let (SourceKind::Webhook(webhook) | SourceKind::EventStreams(webhook)) = &source.kind else { continue };
            if let Some((_, running)) = self.webhooks.iter().find(|(name, _)| *name == source.name) {
                running.reload(verifier(webhook, &keyring));
            }
        }
    }

    /// Hands on what waits; what comes later is asked to come again.
    pub(super) fn stop(&self) {
        let handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handing) = handing {
            handing.stop();
        }
    }
}

fn verifier(webhook: &config::Webhook, keyring: &KeyRing) -> Verifier {
    let tokens = webhook.tokens(keyring).map(Secret::expose);
    let verifier = tokens.fold(Verifier::default(), Verifier::with_auth_token);
    match &webhook.shared_key {
        Some(key) => verifier.with_shared_key(webhook.shared_key_id.as_deref(), key.expose()),
        None => verifier,
    }
}
