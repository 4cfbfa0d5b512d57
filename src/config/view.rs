//! The config as it is shown: its JSON Schema, and the effective values without secrets.
//!
//! One set of types for both, with the keys of the file, so that what is shown is what can be written. Reading the
//! file is not their work: see [`crate::config::read`], which finds all faults of a file and not only the first.

mod source;

use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde_json::Value;

use crate::config::alerts::{AlertView, AlertmanagerView, AlertsView};
use crate::config::{
    Config, Detect, LEEWAY_SECONDS_MAX, LINE_BYTES_LEAST, LINE_BYTES_MOST, Limits, Logging, Pairing,
    REJECTIONS_REMEMBERED_MOST, SETTLE_MILLISECONDS_MAX, SYNC_SECONDS_MAX, Store, TOKENS_REMEMBERED_MOST, Validator,
    WINDOW_LINES_MAX, WINDOW_SECONDS_MAX, Web,
};
use crate::keyring::{Account, Key, KeyKind};
use source::SourceView;

/// What stands in place of a secret.
pub(super) const SET: &str = "<set>";

/// Config file of diag51007.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "diag51007 config")]
pub struct View {
    /// Folder of the state. Default: `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/diag51007`, else
    /// `~/.local/state/diag51007`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_dir: Option<String>,
    web: WebView,
    detect: DetectView,
    validator: ValidatorView,
    pairing: PairingView,
    limits: LimitsView,
    store: StoreView,
    alerts: AlertsView,
    alertmanager: AlertmanagerView,
    log: LogView,
    /// What is read.
    source: Vec<SourceView>,
    /// API keys.
    key: Vec<KeyView>,
    /// Accounts and their Auth Tokens.
    account: Vec<AccountView>,
    /// What differs for one of the daemon's own alerts.
    alert: Vec<AlertView>,
}

/// The server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "web")]
struct WebView {
    /// IP addresses and ports to listen at.
    #[schemars(length(min = 1))]
    listen: Vec<String>,
}

/// What counts as a refusal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "detect")]
struct DetectView {
    /// Companion codes of 51007, such as 20104, are refusals in their own right.
    companion_codes: bool,
    /// Tokens are looked for on all lines: whoever reads them while they are valid can connect.
    exposed_tokens: bool,
}

/// The checks of a token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "validator")]
struct ValidatorView {
    /// Clock tolerance of the time checks, in seconds.
    #[schemars(range(min = 0, max = LEEWAY_SECONDS_MAX))]
    leeway_seconds: i64,
}

/// Which token belongs to a refusal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "pairing")]
struct PairingView {
    /// How far a token may be from its refusal, in seconds.
    #[schemars(range(min = 0, max = WINDOW_SECONDS_MAX))]
    window_seconds: u32,
    /// How far a token may be from its refusal, in lines.
    #[schemars(range(min = 1, max = WINDOW_LINES_MAX))]
    window_lines: u32,
    /// How long further prints of a refusal that an SDK printed, or its token, are waited for in a live stream, in milliseconds.
    #[schemars(range(min = 0, max = SETTLE_MILLISECONDS_MAX))]
    settle_milliseconds: u32,
}

/// Bounds of memory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "limits")]
struct LimitsView {
    /// Longer lines are looked at up to here, in bytes.
    #[schemars(range(min = LINE_BYTES_LEAST, max = LINE_BYTES_MOST))]
    line_bytes_max: u32,
    /// Rejections that can be shown one by one.
    #[schemars(range(min = 1, max = REJECTIONS_REMEMBERED_MOST))]
    rejections_remembered: u32,
    /// Tokens that are recognised when they are refused again.
    #[schemars(range(min = 1, max = TOKENS_REMEMBERED_MOST))]
    tokens_remembered: u32,
}

/// How the state is kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "store")]
struct StoreView {
    /// The state is forced to the disk so often: what a loss of power may take back. The end of the process in any way
    /// takes nothing back.
    #[schemars(range(min = 1, max = SYNC_SECONDS_MAX))]
    sync_seconds: u32,
}

/// The daemon's own log, on standard error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "log")]
struct LogView {
    /// The least level that is written.
    #[schemars(extend("enum" = ["error", "warn", "info", "debug", "trace"]))]
    level: &'static str,
    /// Lines of text, or one JSON object a line.
    #[schemars(extend("enum" = ["text", "json"]))]
    format: &'static str,
}

/// An API key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "key")]
struct KeyView {
    /// SID of the key.
    #[schemars(regex(pattern = "^SK[0-9a-fA-F]{32}$"))]
    sid: String,
    /// The account that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^AC[0-9a-fA-F]{32}$"))]
    account: Option<String>,
    /// Its secret; better give `secret_file` or `secret_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'static str>,
    /// File with the secret; one line ending at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_file: Option<String>,
    /// Environment variable with the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_env: Option<String>,
    /// Its Twilio region.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["us1", "ie1", "au1", "br1", "de1", "jp1", "sg1", "us2"]))]
    region: Option<String>,
    /// What it may do.
    #[serde(default = "standard")]
    #[schemars(extend("enum" = ["main", "standard", "restricted", "test"]))]
    kind: &'static str,
}

/// An account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "account")]
struct AccountView {
    /// SID of the account.
    #[schemars(regex(pattern = "^AC[0-9a-fA-F]{32}$"))]
    sid: String,
    /// Twilio region of the Auth Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["us1", "ie1", "au1", "br1", "de1", "jp1", "sg1", "us2"]))]
    region: Option<String>,
    /// Its Auth Token; better give `auth_token_file` or `auth_token_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'static str>,
    /// File with the Auth Token; one line ending at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token_file: Option<String>,
    /// Environment variable with the Auth Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token_env: Option<String>,
}

/// The JSON Schema of the config file.
pub fn schema() -> Schema {
    let mut schema = schema_for!(View);
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

/// TOML has no null: a setting without a value is left out.
fn without_null(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    let Some(Value::Array(types)) = schema.get_mut("type") else { return };
    types.retain(|name| name != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        schema.insert("type".to_owned(), only);
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

fn standard() -> &'static str {
    kind_word(KeyKind::Standard)
}

const fn kind_word(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Main => "main",
        KeyKind::Standard => "standard",
        KeyKind::Restricted => "restricted",
        KeyKind::Test => "test",
    }
}

impl View {
    /// What a config says, without its secrets.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            state_dir: config.state_dir.as_ref().map(|path| path.display().to_string()),
            web: WebView::from(&config.web),
            detect: DetectView::from(config.detect),
            validator: ValidatorView::from(config.validator),
            pairing: PairingView::from(config.pairing),
            limits: LimitsView::from(config.limits),
            store: StoreView::from(config.store),
            alerts: AlertsView::from(&config.alerts),
            alertmanager: AlertmanagerView::from(&config.alertmanager),
            log: LogView::from(config.log),
            source: config.sources.iter().map(SourceView::from).collect(),
            key: config.keyring.keys().iter().map(KeyView::from).collect(),
            account: config.keyring.accounts().iter().map(AccountView::from).collect(),
            alert: AlertView::all(&config.alerts),
        }
    }
}

impl View {
    /// Whether the sources of another kind than `file` are those of another config.
    pub(super) fn has_fixed_sources_of(&self, other: &Self) -> bool {
        let [mine, others] = [self, other].map(|view| view.source.iter().filter(|source| !source.is_file()));
        mine.eq(others)
    }
}

impl Default for View {
    fn default() -> Self {
        Self::of(&Config::default())
    }
}

/// The default of a view is the view of the default, which is where the schema's defaults come from.
macro_rules! default_views {
    ($($view:ident of $section:ident,)*) => { $(
        impl Default for $view {
            fn default() -> Self { Self::from($section::default()) }
        }
    )* };
}

default_views! {
    DetectView of Detect,
    ValidatorView of Validator,
    PairingView of Pairing,
    LimitsView of Limits,
    StoreView of Store,
    LogView of Logging,
}

impl Default for WebView {
    fn default() -> Self {
        Self::from(&Web::default())
    }
}

impl From<&Web> for WebView {
    fn from(web: &Web) -> Self {
        Self { listen: web.listen.iter().map(ToString::to_string).collect() }
    }
}

impl From<Detect> for DetectView {
    fn from(Detect { companion_codes, exposed_tokens }: Detect) -> Self {
        Self { companion_codes, exposed_tokens }
    }
}

impl From<Validator> for ValidatorView {
    fn from(Validator { leeway_seconds }: Validator) -> Self {
        Self { leeway_seconds }
    }
}

impl From<Pairing> for PairingView {
    fn from(Pairing { window_seconds, window_lines, settle_milliseconds }: Pairing) -> Self {
        Self { window_seconds, window_lines, settle_milliseconds }
    }
}

impl From<Limits> for LimitsView {
    fn from(Limits { line_bytes_max, rejections_remembered, tokens_remembered }: Limits) -> Self {
        Self { line_bytes_max, rejections_remembered, tokens_remembered }
    }
}

impl From<Store> for StoreView {
    fn from(Store { sync_seconds }: Store) -> Self {
        Self { sync_seconds }
    }
}

impl From<Logging> for LogView {
    fn from(Logging { level, format }: Logging) -> Self {
        Self { level: level.id(), format: format.id() }
    }
}

impl From<&Key> for KeyView {
    fn from(key: &Key) -> Self {
        Self {
            sid: key.sid.clone(),
            account: key.account.clone(),
            secret: key.secret.as_ref().map(|_| SET),
            secret_file: None,
            secret_env: None,
            region: key.region.clone(),
            kind: kind_word(key.kind),
        }
    }
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self {
            sid: account.sid.clone(),
            region: account.region.clone(),
            auth_token: account.auth_token.as_ref().map(|_| SET),
            auth_token_file: None,
            auth_token_env: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{DEFAULT_TOML, Fault, Problem};

    fn json(view: &View) -> Value {
        serde_json::to_value(view).unwrap()
    }

    /// The default file with its commented settings switched on: lines that begin with `#` and no blank.
    fn switched_on() -> toml::Table {
        let lines = DEFAULT_TOML.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n").parse().unwrap()
    }

    /// Every `section.key` of the schema.
    fn schema_keys() -> Vec<(String, String)> {
        let schema = schema().to_value();
        let mut keys = Vec::new();
        for (section, property) in schema["properties"].as_object().unwrap() {
            let reference = property["$ref"].as_str().or_else(|| property["items"]["$ref"].as_str());
            let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/$defs/")) else {
                keys.push((String::new(), section.clone()));
                continue;
            };
            for key in schema["$defs"][name]["properties"].as_object().unwrap().keys() {
                keys.push((section.clone(), key.clone()));
            }
        }
        keys
    }

    #[test]
    fn the_printed_default_says_what_the_defaults_are() {
        let loaded = Config::parse(DEFAULT_TOML, "default.toml", Path::new("/"), &|_| None).unwrap();
        assert_eq!(json(&loaded.config.redacted()), json(&View::default()));
    }

    #[test]
    fn the_schema_knows_no_null() {
        let text = schema().to_value().to_string();
        assert!(text.contains("#/$defs/source") && !text.contains("null"), "{text}");
    }

    #[test]
    fn every_key_of_the_schema_stands_in_the_printed_default() {
        let table = switched_on();
        let keys = schema_keys();
        assert!(keys.len() > 25, "{keys:?}");
        for (section, key) in keys {
            let found = match table.get(&section) {
                None => table.contains_key(&key),
                Some(toml::Value::Array(list)) => list.iter().any(|one| one.as_table().unwrap().contains_key(&key)),
                Some(value) => value.as_table().unwrap().contains_key(&key),
            };
            assert!(found, "{section}.{key}");
        }
    }

    #[test]
    fn every_key_of_the_printed_default_is_read() {
        let text = switched_on().to_string();
        let problems = Config::parse(&text, "all.toml", Path::new("/"), &|_| None).unwrap_err();
        // Three ways for each secret are two too many, for Alertmanager a user without one; nothing else may be wrong.
        let fault = |problem: &Problem| matches!(problem.fault, Fault::SecretTwice(_) | Fault::Setting(..));
        assert!(problems.0.iter().all(fault), "{problems}");
    }

    #[test]
    fn the_effective_config_shows_no_secret() {
        let text = r#"
            [[key]]
            sid = "SK00112233445566778899aabbccddeeff"
            secret = "SyntheticSecretNotReal0000000001"
            [[account]]
            sid = "AC00112233445566778899aabbccddeeff"
            auth_token = "00112233445566778899aabbccddee00"
        "#;
        let loaded = Config::parse(text, "config.toml", Path::new("/"), &|_| None).unwrap();
        let view = json(&loaded.config.redacted());
        assert_eq!(view["key"][0]["secret"], "<set>");
        assert_eq!(view["account"][0]["auth_token"], "<set>");
        let all = format!("{view} {:?}", loaded.config);
        assert!(!all.contains("Synthetic") && !all.contains("ccddee00"), "{all}");
    }
}
