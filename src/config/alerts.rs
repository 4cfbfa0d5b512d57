//! `[alerts]`, `[[alert]]` and `[alertmanager]`: which alerts there are, and who is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::problem::Fault;
use crate::config::read::{At, Reader, Section};
use crate::config::secret::{self, Meaning};
use crate::keyring::Secret;
use crate::ledger::alert::{Name, Rule, Settings, Severity};

/// Most of `alerts.distinct_tokens_min`.
pub(super) const DISTINCT_TOKENS_MOST: u32 = 1000;
/// Most of `alerts.step_seconds`.
pub(super) const STEP_SECONDS_MOST: u32 = 60;
/// Most labels of `alerts.labels`.
pub(super) const LABELS_MAX: usize = 32;
/// Longest value of a label and longest link, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 512;
/// Most of `alert.for_seconds` and `alert.keep_seconds`: a day.
pub(super) const HOLD_SECONDS_MOST: u32 = 86_400;
/// Most of `alert.threshold`.
pub(super) const THRESHOLD_MOST: u32 = 1_000_000;
/// Most Alertmanagers.
pub(super) const ALERTMANAGERS_MAX: usize = 16;
/// `alertmanager.repeat_seconds`: as often as Prometheus repeats.
pub(super) const REPEAT_SECONDS: u32 = 60;
/// Most of `alertmanager.repeat_seconds`.
pub(super) const REPEAT_SECONDS_MOST: u32 = 3600;
/// `alertmanager.timeout_seconds`: as Prometheus has it.
pub(super) const TIMEOUT_SECONDS: u32 = 10;
/// Most of `alertmanager.timeout_seconds`.
pub(super) const TIMEOUT_SECONDS_MOST: u32 = 60;

/// `[alertmanager]`.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    /// Where they are; each gets everything.
    pub urls: Vec<Url>,
    /// How often a firing alert is repeated, in seconds.
    pub repeat_seconds: u32,
    /// How long one of them may take, in seconds.
    pub timeout_seconds: u32,
    /// What the daemon shows.
    pub login: Option<Login>,
    /// Certificates to trust besides those of the system, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl Default for Alertmanager {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            repeat_seconds: REPEAT_SECONDS,
            timeout_seconds: TIMEOUT_SECONDS,
            login: None,
            ca_file: None,
        }
    }
}

/// How the daemon says who it is.
#[derive(Clone, Debug)]
pub enum Login {
    /// HTTP basic authentication.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
}

/// Reads `[alerts]` and every `[[alert]]`.
pub(super) fn alerts(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(mut section) = root.child(reader, "alerts") {
        let (tokens, step) = (settings.distinct_tokens_min, settings.step_seconds);
        settings.distinct_tokens_min = section.small(reader, "distinct_tokens_min", 1..=DISTINCT_TOKENS_MOST, tokens);
        settings.step_seconds = section.small(reader, "step_seconds", 1..=STEP_SECONDS_MOST, step);
        for (key, into) in [("runbook_url", &mut settings.runbook_url), ("dashboard_url", &mut settings.dashboard_url)]
        {
            if let Some(link) = link(&mut section, reader, key) {
                *into = link;
            }
        }
        settings.labels = labels(&mut section, reader);
        section.finish(reader, &[]);
    }
    let mut seen: Vec<At<Name>> = Vec::new();
    for section in root.children(reader, "alert") {
        if let Some((name, rule)) = rule(section, reader, &mut seen) {
            settings.rules.insert(name, rule);
        }
    }
    settings
}

fn link(section: &mut Section<'_, '_>, reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
    let text = section.text(reader, key)?;
    let is_link = text.value.len() <= TEXT_BYTES_MAX && !text.value.contains(|c: char| c.is_control() || c == ' ');
    if !is_link {
        let fault = Fault::Setting("a link of at most 512 bytes", "write it as a browser shows it, without blanks");
        reader.error(&text.span, section.key(key), fault);
        return None;
    }
    Some(text.value.to_owned())
}

fn labels(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in section.pairs(reader, "labels") {
        let starts_well = name.value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let is_name = starts_well && name.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_taken = ["alertname", "severity", "cause", "source"].contains(&name.value);
        if !is_name || is_taken || name.value.len() > 64 || value.value.len() > TEXT_BYTES_MAX {
            let fault = Fault::Setting(
                "a label of letters, digits and `_` that no alert has by itself",
                "the alerts set `alertname`, `severity`, `cause` and `source`; values have at most 512 bytes",
            );
            reader.error(&name.span, section.key("labels"), fault);
        } else if labels.len() == LABELS_MAX {
            reader.error(&name.span, section.key("labels"), Fault::Setting("at most 32 labels", "remove some"));
        } else {
            labels.insert(name.value.to_owned(), value.value.to_owned());
        }
    }
    labels
}

fn rule(mut section: Section<'_, '_>, reader: &mut Reader<'_>, seen: &mut Vec<At<Name>>) -> Option<(Name, Rule)> {
    let text = section.required(reader, "name", "the name of an alert");
    let name = text.and_then(|text| {
        let Some(name) = Name::from_id(text.value) else {
            let known = Name::ALL.map(Name::id).to_vec();
            reader.error(&text.span, section.key("name"), Fault::Word(known, text.value.to_owned()));
            return None;
        };
        if let Some(first) = seen.iter().find(|other| other.value == name) {
            let line = reader.line(&first.span);
            reader.error(&text.span, section.key("name"), Fault::Duplicate("alert", line));
        }
        seen.push(At { value: name, span: text.span });
        Some(name)
    });
    let default = name.map_or(Name::ExpirySpike.rule(), Name::rule);
    let severities = Severity::ALL.map(|severity| (severity.id(), severity));
    let rule = Rule {
        enabled: section.boolean(reader, "enabled", default.enabled),
        severity: section.word(reader, "severity", &severities, default.severity),
        for_seconds: section.small(reader, "for_seconds", 0..=HOLD_SECONDS_MOST, default.for_seconds),
        keep_seconds: section.small(reader, "keep_seconds", 0..=HOLD_SECONDS_MOST, default.keep_seconds),
        threshold: section.small(reader, "threshold", 1..=THRESHOLD_MOST, default.threshold),
    };
    section.finish(reader, &[]);
    name.map(|name| (name, rule))
}

/// Reads `[alertmanager]`.
pub(super) fn alertmanager(root: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Alertmanager {
    let mut read = Alertmanager::default();
    let Some(mut section) = root.child(reader, "alertmanager") else { return read };
    let mut seen: Vec<At<Url>> = Vec::new();
    for text in section.texts(reader, "urls", None).unwrap_or_default() {
        let key = section.key("urls");
        match url(text.value) {
            None => {
                let fault = Fault::Setting(
                    "an `http` or `https` URL without user, query and fragment",
                    "write it like \"http://127.0.0.1:9093\"; a login has keys of its own",
                );
                reader.error(&text.span, key, fault);
            }
            Some(url) => match seen.iter().find(|other| other.value == url) {
                Some(first) => {
                    let line = reader.line(&first.span);
                    reader.error(&text.span, key, Fault::Duplicate("URL", line));
                }
                None if seen.len() == ALERTMANAGERS_MAX => {
                    reader.error(&text.span, key, Fault::Setting("at most 16 Alertmanagers", "remove some"));
                }
                None => seen.push(At { value: url, span: text.span }),
            },
        }
    }
    read.urls = seen.into_iter().map(|at| at.value).collect();
    read.repeat_seconds = section.small(reader, "repeat_seconds", 1..=REPEAT_SECONDS_MOST, read.repeat_seconds);
    read.timeout_seconds = section.small(reader, "timeout_seconds", 1..=TIMEOUT_SECONDS_MOST, read.timeout_seconds);
    read.ca_file = section.text(reader, "ca_file").map(|text| reader.resolve(text.value));
    read.login = login(&mut section, reader);
    section.finish(reader, &[]);
    read
}

fn url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let is_whole = url.query().is_none() && url.fragment().is_none() && url.has_host();
    (["http", "https"].contains(&url.scheme()) && is_plain && is_whole).then_some(url)
}

fn login(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Option<Login> {
    let username = section.text(reader, "username");
    let password = secret::read(section, reader, Meaning::Password);
    let bearer = secret::read(section, reader, Meaning::BearerToken);
    let mut refuse = |expected| {
        let help = "give `username` and a password, or a bearer token, or none of them";
        reader.error(&section.span.clone(), section.key("username"), Fault::Setting(expected, help));
        None
    };
    match (username, password, bearer) {
        (None, None, None) => None,
        (Some(user), Some(password), None) => Some(Login::Basic { username: user.value.to_owned(), password }),
        (None, None, Some(bearer)) => Some(Login::Bearer(bearer)),
        (Some(_), None, None) => refuse("a password to the user name"),
        (None, Some(_), None) => refuse("a user name to the password"),
        (_, _, Some(_)) => refuse("one way to log in"),
    }
}

/// The daemon's own alerts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "alerts")]
pub(super) struct AlertsView {
    /// Fewer different tokens than this are no spike.
    #[schemars(range(min = 1, max = DISTINCT_TOKENS_MOST))]
    distinct_tokens_min: u32,
    /// Width of the steps in which spikes are looked for, in seconds.
    #[schemars(range(min = 1, max = STEP_SECONDS_MOST))]
    step_seconds: u32,
    /// Where the runbooks are; the alert's name in lower case is the anchor. Default: a page of the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook_url: Option<String>,
    /// Where people look at what happens. Default: the daemon's own page.
    #[serde(skip_serializing_if = "Option::is_none")]
    dashboard_url: Option<String>,
    /// Further labels of every alert.
    labels: BTreeMap<String, String>,
}

fn given(link: &str) -> Option<String> {
    (!link.is_empty()).then(|| link.to_owned())
}

impl Default for AlertsView {
    fn default() -> Self {
        Self::from(&Settings::default())
    }
}

impl From<&Settings> for AlertsView {
    fn from(settings: &Settings) -> Self {
        Self {
            distinct_tokens_min: settings.distinct_tokens_min,
            step_seconds: settings.step_seconds,
            runbook_url: given(&settings.runbook_url),
            dashboard_url: given(&settings.dashboard_url),
            labels: settings.labels.clone(),
        }
    }
}

/// What differs for one alert.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "alert")]
pub(super) struct AlertView {
    /// Which.
    #[schemars(extend("enum" = Name::ALL.map(Name::id)))]
    name: &'static str,
    /// Whether it exists.
    #[serde(default = "yes")]
    enabled: bool,
    /// Its `severity` label.
    #[serde(default = "warning")]
    #[schemars(extend("enum" = Severity::ALL.map(Severity::id)))]
    severity: &'static str,
    /// How long its condition holds before it fires, in seconds.
    #[serde(default)]
    #[schemars(range(max = HOLD_SECONDS_MOST))]
    for_seconds: u32,
    /// How long it goes on firing after its condition has ended, in seconds.
    #[serde(default)]
    #[schemars(range(max = HOLD_SECONDS_MOST))]
    keep_seconds: u32,
    /// How much it takes; of what, says the alert's documentation.
    #[serde(default)]
    #[schemars(range(min = 1, max = THRESHOLD_MOST))]
    threshold: u32,
}

const fn yes() -> bool {
    true
}

const fn warning() -> &'static str {
    Severity::Warning.id()
}

impl AlertView {
    /// Every alert as it is in force.
    pub(super) fn all(settings: &Settings) -> Vec<Self> {
        let view = |name: Name| {
            let Rule { enabled, severity, for_seconds, keep_seconds, threshold } = settings.rule(name);
            Self { name: name.id(), enabled, severity: severity.id(), for_seconds, keep_seconds, threshold }
        };
        Name::ALL.into_iter().map(view).collect()
    }
}

/// Who is told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "alertmanager")]
pub(super) struct AlertmanagerView {
    /// Alertmanagers; each gets every alert.
    urls: Vec<String>,
    /// How often a firing alert is repeated, in seconds.
    #[schemars(range(min = 1, max = REPEAT_SECONDS_MOST))]
    repeat_seconds: u32,
    /// How long one of them may take to answer, in seconds.
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MOST))]
    timeout_seconds: u32,
    /// Certificates to trust besides those of the system: a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<String>,
    /// User of HTTP basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'static str>,
    /// Its password; better give `password_file` or `password_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'static str>,
    /// File with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<String>,
    /// Environment variable with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_env: Option<String>,
    /// Bearer token; better give `bearer_token_file` or `bearer_token_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token: Option<&'static str>,
    /// File with the bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token_file: Option<String>,
    /// Environment variable with the bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer_token_env: Option<String>,
}

impl Default for AlertmanagerView {
    fn default() -> Self {
        Self::from(&Alertmanager::default())
    }
}

impl From<&Alertmanager> for AlertmanagerView {
    fn from(alertmanager: &Alertmanager) -> Self {
        let set = super::view::SET;
        let (is_basic, is_bearer) = match &alertmanager.login {
            Some(Login::Basic { .. }) => (true, false),
            Some(Login::Bearer(_)) => (false, true),
            None => (false, false),
        };
        Self {
            urls: alertmanager.urls.iter().map(ToString::to_string).collect(),
            repeat_seconds: alertmanager.repeat_seconds,
            timeout_seconds: alertmanager.timeout_seconds,
            ca_file: alertmanager.ca_file.as_ref().map(|path| path.display().to_string()),
            username: is_basic.then_some(set),
            password: is_basic.then_some(set),
            password_file: None,
            password_env: None,
            bearer_token: is_bearer.then_some(set),
            bearer_token_file: None,
            bearer_token_env: None,
        }
    }
}
