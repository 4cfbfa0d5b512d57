//! A source as it is shown. Every kind has its own settings; what a kind lacks is left out.

use schemars::JsonSchema;
use serde::Serialize;

use super::SET;
use crate::config::channel::{
    AlertsApi, HISTORY_DAYS, HttpPush, OVERLAP_MINUTES, OVERLAP_MINUTES_MAX, POLL_SECONDS, POLL_SECONDS_MAX, Webhook,
};
use crate::config::journal::COMMAND;
use crate::config::{FileKind, FileSource, Journal, Source, SourceKind};

/// Something that is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "source")]
pub(super) struct SourceView {
    /// The metrics' `source` label.
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    name: String,
    /// What it reads.
    #[schemars(extend("enum" = ["file", "stdin", "webhook", "event_streams", "alerts_api", "http", "journald", "docker", "cri", "csv"]))]
    kind: &'static str,
    /// Globs of the files to follow; of kinds `docker` and `cri`, which know them, and of `file` and `csv`, which need them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    include: Option<Vec<String>>,
    /// Globs of files to leave out; of kinds `file`, `docker`, `cri` and `csv`.
    #[serde(skip_serializing_if = "Option::is_none")]
    exclude: Option<Vec<String>>,
    /// Where a file or journal that the state does not know begins; of kinds `file`, `docker`, `cri`, `csv` and `journald`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["beginning", "end"], "default" = "beginning"))]
    start: Option<&'static str>,
    /// The path that it is mounted at; of kinds `webhook`, `event_streams` and `http`, which need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^/[A-Za-z0-9/_.~-]+$"))]
    path: Option<String>,
    /// The URL that Twilio was given, which it signs; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<String>,
    /// Networks of the proxies that may name the public URL; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_proxies: Option<Vec<String>>,
    /// An Auth Token besides those of the accounts; better give `auth_token_file` or `auth_token_env`; of kinds
    /// `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'static str>,
    /// File with the same; one line ending at its end does not count; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token_file: Option<String>,
    /// Environment variable with the same; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token_env: Option<String>,
    /// The Auth Token that takes its place, while it is rotated; better give `next_auth_token_file` or
    /// `next_auth_token_env`; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_auth_token: Option<&'static str>,
    /// File with the same; one line ending at its end does not count; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_auth_token_file: Option<String>,
    /// Environment variable with the same; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_auth_token_env: Option<String>,
    /// Key of SHA-256 signatures; better give `shared_key_file` or `shared_key_env`; of kinds `webhook` and
    /// `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_key: Option<&'static str>,
    /// File with the same; one line ending at its end does not count; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_key_file: Option<String>,
    /// Environment variable with the same; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_key_env: Option<String>,
    /// The id of that key, which a delivery then has to name; of kinds `webhook` and `event_streams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_key_id: Option<String>,
    /// The account whose alerts are asked for; of kind `alerts_api`, which needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^AC[0-9a-fA-F]{32}$"))]
    account: Option<String>,
    /// The API key to ask with; without one, the Auth Token of the account; of kind `alerts_api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^SK[0-9a-fA-F]{32}$"))]
    key: Option<String>,
    /// Where the API is; of kind `alerts_api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "https://monitor.twilio.com"))]
    base_url: Option<String>,
    /// Seconds between two questions; of kind `alerts_api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = POLL_SECONDS_MAX), extend("default" = POLL_SECONDS))]
    poll_seconds: Option<u32>,
    /// How far each question reaches back behind the one before; of kind `alerts_api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = OVERLAP_MINUTES_MAX), extend("default" = OVERLAP_MINUTES))]
    overlap_minutes: Option<u32>,
    /// How far back the first question goes after a start; of kind `alerts_api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = HISTORY_DAYS), extend("default" = HISTORY_DAYS))]
    history_days: Option<u32>,
    /// The bearer that a sender has to present; better give `bearer_file` or `bearer_env`; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<&'static str>,
    /// File with the same; one line ending at its end does not count; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_file: Option<String>,
    /// Environment variable with the same; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_env: Option<String>,
    /// The user that a sender has to present; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The password of `user`; better give `password_file` or `password_env`; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
    /// File with the same; one line ending at its end does not count; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
    /// Environment variable with the same; of kind `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_env: Option<String>,
    /// Units whose entries are read; without one, all; of kind `journald`.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<Vec<String>>,
    /// Matches such as `CONTAINER_NAME=chat`, as journalctl takes them; of kind `journald`.
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<Vec<String>>,
    /// The journalctl to run; of kind `journald`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = COMMAND))]
    command: Option<String>,
    /// Zone of times without one: an IANA name.
    #[serde(default = "super::utc")]
    timezone: String,
}

impl SourceView {
    /// Whether it follows files.
    pub(super) fn is_file(&self) -> bool {
        [FileKind::File, FileKind::Docker, FileKind::Cri, FileKind::Csv].iter().any(|kind| kind.word() == self.kind)
    }
}

impl From<&Source> for SourceView {
    fn from(source: &Source) -> Self {
        let view = match &source.kind {
            SourceKind::File(file) => file.into(),
            SourceKind::Stdin => Self { kind: "stdin", ..Self::default() },
            SourceKind::Webhook(webhook) => Self { kind: "webhook", ..webhook.into() },
            SourceKind::EventStreams(webhook) => Self { kind: "event_streams", ..webhook.into() },
            SourceKind::AlertsApi(api) => api.into(),
            SourceKind::Http(push) => push.into(),
            SourceKind::Journald(journal) => journal.into(),
        };
        Self { name: source.name.clone(), timezone: source.timezone.clone(), ..view }
    }
}

impl From<&FileSource> for SourceView {
    fn from(file: &FileSource) -> Self {
        Self {
            kind: file.kind.word(),
            include: Some(file.include.clone()),
            exclude: Some(file.exclude.clone()),
            start: Some(file.start.word()),
            ..Self::default()
        }
    }
}

impl From<&Webhook> for SourceView {
    fn from(webhook: &Webhook) -> Self {
        let proxies = &webhook.trusted_proxies;
        let mut tokens = webhook.auth_tokens.iter().map(|_| SET);
        Self {
            path: Some(webhook.path.clone()),
            public_url: webhook.public_url.as_ref().map(ToString::to_string),
            trusted_proxies: (!proxies.is_empty()).then(|| proxies.iter().map(ToString::to_string).collect()),
            auth_token: tokens.next(),
            next_auth_token: tokens.next(),
            shared_key: webhook.shared_key.as_ref().map(|_| SET),
            shared_key_id: webhook.shared_key_id.clone(),
            ..Self::default()
        }
    }
}

impl From<&AlertsApi> for SourceView {
    fn from(api: &AlertsApi) -> Self {
        Self {
            kind: "alerts_api",
            account: Some(api.account.clone()),
            key: api.key.clone(),
            base_url: Some(api.base_url.to_string()),
            poll_seconds: Some(api.poll_seconds),
            overlap_minutes: Some(api.overlap_minutes),
            history_days: Some(api.history_days),
            ..Self::default()
        }
    }
}

impl From<&HttpPush> for SourceView {
    fn from(push: &HttpPush) -> Self {
        Self {
            kind: "http",
            path: Some(push.path.clone()),
            bearer: push.bearer.as_ref().map(|_| SET),
            user: push.user.clone(),
            password: push.password.as_ref().map(|_| SET),
            ..Self::default()
        }
    }
}

impl From<&Journal> for SourceView {
    fn from(journal: &Journal) -> Self {
        Self {
            kind: "journald",
            units: Some(journal.units.clone()),
            matches: Some(journal.matches.clone()),
            start: Some(journal.start.word()),
            command: Some(journal.command.display().to_string()),
            ..Self::default()
        }
    }
}
