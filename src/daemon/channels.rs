//! The sources that are fed over HTTP or ask Twilio: started, told of other keys, and stopped together.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::clock::now;
use crate::config::{self, Config, Source, SourceKind};
use crate::keyring::{KeyRing, Secret};
use crate::pipeline::Stream;
use crate::source::alerts_api::{self, Poller};
use crate::source::http::{Credentials, HttpPush};
use crate::source::inlet::{Budget, Complaints};
use crate::source::intake::{Handing, Intake};
use crate::source::journald::child::Selection;
use crate::source::journald::{self, follow_journal};
use crate::source::twilio::signature::Verifier;
use crate::source::webhook::{Channel, Settings, Webhook};
use crate::source::{Health, Sink};

/// The sources that run.
#[derive(Debug, Default)]
pub(super) struct Channels {
    webhooks: Vec<(String, Arc<Webhook>)>,
    pushes: Vec<(String, Arc<HttpPush>)>,
    pollers: Vec<JoinHandle<()>>,
    journals: Mutex<Vec<journald::Following>>,
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
            let start = Start { source, intake: &intake, sink, budget: &budget, keyring: &keyring };
            match &source.kind {
                SourceKind::File(_) | SourceKind::Stdin => continue,
                SourceKind::Webhook(webhook) => {
                    let started = start.webhook(Channel::Debugger, webhook);
                    router = router.merge(started.router());
                    channels.webhooks.push((source.name.clone(), started));
                }
                SourceKind::EventStreams(webhook) => {
                    let started = start.webhook(Channel::EventStreams, webhook);
                    router = router.merge(started.router());
                    channels.webhooks.push((source.name.clone(), started));
                }
                SourceKind::Http(push) => {
                    let started = start.push(push);
                    router = router.merge(started.router());
                    channels.pushes.push((source.name.clone(), started));
                }
                SourceKind::AlertsApi(api) => {
                    channels.pollers.extend(start.poller(api));
                    continue;
                }
                SourceKind::Journald(journal) => {
                    let following = start.journal(journal)?;
                    channels.journals.get_mut().unwrap_or_else(PoisonError::into_inner).push(following);
                    continue;
                }
            }
            sink.report(&source.name, Health::Up(true));
            sink.report(&source.name, Health::CaughtUp);
        }
        channels.handing = Mutex::new(Some(handing));
        Ok((channels, router))
    }

    /// Takes other keys over.
    pub(super) fn reload(&self, config: &Config) {
        let keyring = config.keyring();
        for source in &config.sources {
            match &source.kind {
                SourceKind::Webhook(webhook) | SourceKind::EventStreams(webhook) => {
                    if let Some((_, running)) = self.webhooks.iter().find(|(name, _)| *name == source.name) {
                        running.reload(verifier(webhook, &keyring));
                    }
                }
                SourceKind::Http(push) => {
                    if let Some((_, running)) = self.pushes.iter().find(|(name, _)| *name == source.name) {
                        running.reload(credentials(push));
                    }
                }
                SourceKind::File(_) | SourceKind::Stdin | SourceKind::AlertsApi(_) | SourceKind::Journald(_) => {}
            }
        }
    }

    /// Hands on what waits; what comes later is asked to come again.
    pub(super) fn stop(&self) {
        self.pollers.iter().for_each(JoinHandle::abort);
        let journals = std::mem::take(&mut *self.journals.lock().unwrap_or_else(PoisonError::into_inner));
        journals.into_iter().for_each(journald::Following::stop);
        let handing = self.handing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handing) = handing {
            handing.stop();
        }
    }
}

/// What a source is started with.
struct Start<'a> {
    source: &'a Source,
    intake: &'a Arc<Intake>,
    sink: &'a Arc<dyn Sink>,
    budget: &'a Budget,
    keyring: &'a KeyRing,
}

impl Start<'_> {
    fn name(&self) -> Arc<str> {
        self.source.name.as_str().into()
    }

    fn complaints(&self) -> Complaints {
        Complaints::new(self.name(), Arc::clone(self.sink))
    }

    fn webhook(&self, channel: Channel, webhook: &config::Webhook) -> Arc<Webhook> {
        let settings = Settings {
            source: self.name(),
            channel,
            path: webhook.path.clone(),
            public_url: webhook.public_url.clone(),
            trusted_proxies: webhook.trusted_proxies.clone(),
        };
        let verifier = verifier(webhook, self.keyring);
        tracing::info!(source = self.source.name, "waiting for deliveries at {}", webhook.path);
        Webhook::new(settings, verifier, Arc::clone(self.intake), self.complaints(), self.budget.clone())
    }

    fn push(&self, push: &config::HttpPush) -> Arc<HttpPush> {
        let stream = self.sink.open(Stream {
            source: self.name(),
            path: None,
            modified: None,
            timezone: self.source.timezone.as_str().into(),
            offset: 0,
            whole: false,
        });
        let place = (self.name(), push.path.clone(), stream);
        tracing::info!(source = self.source.name, "waiting for lines at {}", push.path);
        HttpPush::new(place, credentials(push), Arc::clone(self.intake), self.complaints(), self.budget.clone())
    }

    fn journal(&self, journal: &config::Journal) -> io::Result<journald::Following> {
        let settings = journald::Settings {
            source: self.name(),
            timezone: self.source.timezone.as_str().into(),
            selection: Selection {
                command: journal.command.clone(),
                units: journal.units.clone(),
                matches: journal.matches.clone(),
            },
            from_end: journal.start == config::Start::End,
            clock: now,
        };
        follow_journal(settings, Arc::clone(self.sink))
    }

    /// Starts to ask; none if that is not possible, which is said.
    fn poller(&self, api: &config::AlertsApi) -> Option<JoinHandle<()>> {
        let settings = alerts_api::Settings {
            source: self.name(),
            base_url: api.base_url.clone(),
            poll_seconds: api.poll_seconds,
            overlap_minutes: api.overlap_minutes,
            history_days: api.history_days,
            clock: now,
        };
        // The config made sure that there are some.
        let (user, secret) = api.credentials(self.keyring)?;
        let password = Zeroizing::new(String::from_utf8_lossy(secret.expose().trim_ascii()).into_owned());
        let credentials = alerts_api::Credentials { user: user.to_owned(), password };
        match Poller::new(settings, credentials) {
            Ok(poller) => {
                let (intake, sink) = (Arc::clone(self.intake), Arc::clone(self.sink));
                Some(tokio::spawn(poller.run(intake, sink, self.complaints())))
            }
            Err(trouble) => {
                self.complaints().tell(trouble.kind, trouble.message);
                self.sink.report(&self.source.name, Health::CaughtUp);
                self.sink.report(&self.source.name, Health::Up(false));
                None
            }
        }
    }
}

fn credentials(push: &config::HttpPush) -> Credentials {
    let mut credentials = Credentials::default();
    if let Some(bearer) = &push.bearer {
        credentials = credentials.with_bearer(bearer.expose());
    }
    if let (Some(user), Some(password)) = (&push.user, &push.password) {
        credentials = credentials.with_password(user, password.expose());
    }
    credentials
}

fn verifier(webhook: &config::Webhook, keyring: &KeyRing) -> Verifier {
    let tokens = webhook.tokens(keyring).map(Secret::expose);
    let verifier = tokens.fold(Verifier::default(), Verifier::with_auth_token);
    match &webhook.shared_key {
        Some(key) => verifier.with_shared_key(webhook.shared_key_id.as_deref(), key.expose()),
        None => verifier,
    }
}
