//! The sources that Twilio or a log shipper feeds: webhooks, the Alerts API, pushes over HTTP.

use std::ops::Range;

use ipnet::IpNet;

use super::problem::Fault;
use super::read::{At, Reader, Section};
use super::secret::{self, Meaning};
use super::{Config, SourceKind};
use crate::keyring::{KeyRing, Secret};
use crate::source::twilio::address::{Address, Fault as AddressFault};

/// `poll_seconds`: how often the Alerts API is asked.
pub(super) const POLL_SECONDS: u32 = 30;
/// Most of `poll_seconds`: one hour.
pub(super) const POLL_SECONDS_MAX: u32 = 3600;
/// `overlap_minutes`: alerts come late, so what was asked for is asked for again.
pub(super) const OVERLAP_MINUTES: u32 = 60;
/// Most of `overlap_minutes`: one day.
pub(super) const OVERLAP_MINUTES_MAX: u32 = 1440;
/// `history_days`: how far back the first question goes after a start; Twilio serves 30 days.
pub(super) const HISTORY_DAYS: u32 = 30;

/// `[[source]]` with `kind = "webhook"` or `"event_streams"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The path it is mounted at.
    pub path: String,
    /// The URL that Twilio was given.
    pub public_url: Option<Address>,
    /// Networks of the proxies that may name it in its place.
    pub trusted_proxies: Vec<IpNet>,
    /// Auth Tokens besides those of `[[account]]`.
    pub auth_tokens: Vec<Secret>,
    /// Key of SHA-256 signatures.
    pub shared_key: Option<Secret>,
    /// The id of that key, which a delivery then has to name.
    pub shared_key_id: Option<String>,
}

/// `[[source]]` with `kind = "alerts_api"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsApi {
    /// The account whose alerts are asked for.
    pub account: String,
    /// The API key to ask with; without one, the Auth Token of the account.
    pub key: Option<String>,
    /// Where the API is.
    pub base_url: Address,
    /// Seconds between two questions.
    pub poll_seconds: u32,
    /// How far each question reaches back behind the one before, in minutes.
    pub overlap_minutes: u32,
    /// How far back the first question goes, in days.
    pub history_days: u32,
}

/// `[[source]]` with `kind = "http"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPush {
    /// The path it is mounted at.
    pub path: String,
    /// The bearer that a sender has to present.
    pub bearer: Option<Secret>,
    /// User and password that a sender has to present.
    pub user: Option<String>,
    /// The password of `user`.
    pub password: Option<Secret>,
}

impl Webhook {
    /// The Auth Tokens that a delivery may be signed with.
    pub fn tokens<'a>(&'a self, keyring: &'a KeyRing) -> impl Iterator<Item = &'a Secret> {
        let accounts = keyring.accounts().iter().filter_map(|account| account.auth_token.as_ref());
        self.auth_tokens.iter().chain(accounts)
    }
}

impl AlertsApi {
    /// User and password that the API is asked with, if the key ring has them.
    pub fn credentials<'a>(&'a self, keyring: &'a KeyRing) -> Option<(&'a str, &'a Secret)> {
        if let Some(sid) = &self.key {
            return Some((sid, keyring.key(sid)?.secret.as_ref()?));
        }
        let account = keyring.accounts().iter().find(|account| account.sid == self.account)?;
        Some((&account.sid, account.auth_token.as_ref()?))
    }
}

/// What can only be judged with the whole config: whether paths are distinct, and credentials there.
pub(super) fn check(config: &Config, places: &[Range<usize>], reader: &mut Reader<'_>) {
    let (mut paths, is_whole) = (Vec::<(&str, &Range<usize>)>::new(), reader.errors.is_empty());
    for (source, place) in config.sources.iter().zip(places) {
        let missing = match &source.kind {
            SourceKind::File(_) | SourceKind::Stdin | SourceKind::Http(_) | SourceKind::Journald(_) => None,
            SourceKind::Webhook(webhook) | SourceKind::EventStreams(webhook) => {
                let has_key = webhook.shared_key.is_some() || webhook.tokens(&config.keyring).next().is_some();
                (!has_key).then_some(Fault::Setting(
                    "an Auth Token, to check Twilio's signature with",
                    "add an `[[account]]` with `auth_token_file`, or `auth_token_file` here",
                ))
            }
            SourceKind::AlertsApi(api) => api.credentials(&config.keyring).is_none().then_some(Fault::Setting(
                "credentials to ask Twilio with",
                "add the `[[key]]` that `key` names, with its secret, or an `[[account]]` with the Auth Token",
            )),
        };
        // A secret that was given and can't be read is said already.
        if let Some(fault) = missing.filter(|_| is_whole) {
            reader.error(place, "source.kind".to_owned(), fault);
        }
        let path = match &source.kind {
            SourceKind::File(_) | SourceKind::Stdin | SourceKind::AlertsApi(_) | SourceKind::Journald(_) => continue,
            SourceKind::Webhook(webhook) | SourceKind::EventStreams(webhook) => webhook.path.as_str(),
            SourceKind::Http(push) => push.path.as_str(),
        };
        match paths.iter().find(|(other, _)| *other == path) {
            Some((_, first)) => {
                let line = reader.line(first);
                reader.error(place, "source.path".to_owned(), Fault::Duplicate("path", line));
            }
            None => paths.push((path, place)),
        }
    }
}

/// Whether a path belongs to the server itself.
pub fn is_reserved(path: &str) -> bool {
    let below = |own: &str| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/" || ["/metrics", "/runbooks", "/api", "/-"].into_iter().any(below)
}

pub(super) fn webhook(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> Webhook {
    let path = path(section, reader);
    let public_url = section.text(reader, "public_url").and_then(|text| address(section, reader, "public_url", &text));
    let networks = section.texts(reader, "trusted_proxies", None).unwrap_or_default();
    let trusted_proxies: Vec<IpNet> = networks.iter().filter_map(|text| network(section, reader, text)).collect();
    if !section.has("public_url") && trusted_proxies.is_empty() {
        let help = "Twilio signs the public URL: set `public_url` to it, character by character, or name the networks \
                    of the proxies that say it";
        let fault = Fault::Setting("`public_url`, or `trusted_proxies` with an entry", help);
        reader.error(&section.span.clone(), section.key("public_url"), fault);
    }
    let auth_tokens = [Meaning::AuthToken, Meaning::NextAuthToken];
    Webhook {
        path,
        public_url,
        trusted_proxies,
        auth_tokens: auth_tokens.into_iter().filter_map(|meaning| secret::read(section, reader, meaning)).collect(),
        shared_key: secret::read(section, reader, Meaning::SharedKey),
        shared_key_id: section.text(reader, "shared_key_id").map(|text| text.value.to_owned()),
    }
}

pub(super) fn alerts_api(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> AlertsApi {
    let account = section.required(reader, "account", "an Account SID");
    let account = account.and_then(|text| super::section::checked_sid(section, reader, "account", &text, "AC", None));
    let key = section.text(reader, "key");
    let key = key.and_then(|text| super::section::checked_sid(section, reader, "key", &text, "SK", None));
    let base_url = section.text(reader, "base_url").and_then(|text| {
        let address = address(section, reader, "base_url", &text)?;
        if !address.is_tls() && !is_loopback(&address) {
            let help = "credentials go over TLS only, except to this machine itself";
            reader.error(&text.span, section.key("base_url"), Fault::Setting("`https://…`", help));
        }
        Some(address)
    });
    AlertsApi {
        account: account.unwrap_or_default(),
        key,
        base_url: base_url.unwrap_or_else(Address::monitor),
        poll_seconds: section.small(reader, "poll_seconds", 1..=POLL_SECONDS_MAX, POLL_SECONDS),
        overlap_minutes: section.small(reader, "overlap_minutes", 1..=OVERLAP_MINUTES_MAX, OVERLAP_MINUTES),
        history_days: section.small(reader, "history_days", 0..=HISTORY_DAYS, HISTORY_DAYS),
    }
}

pub(super) fn http(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> HttpPush {
    let given = |words: [&str; 3], section: &Section<'_, '_>| words.iter().any(|word| section.has(word));
    let has_bearer = given(["bearer", "bearer_file", "bearer_env"], section);
    let has_password = given(["password", "password_file", "password_env"], section);
    let push = HttpPush {
        path: path(section, reader),
        bearer: secret::read(section, reader, Meaning::Bearer),
        user: section.text(reader, "user").map(|text| text.value.to_owned()),
        password: secret::read(section, reader, Meaning::Password),
    };
    let span = section.span.clone();
    if push.user.is_some() != has_password {
        let fault = Fault::Setting("`user` and `password` together, or neither", "add the other one, or use `bearer`");
        reader.error(&span, section.key("user"), fault);
    }
    if !has_bearer && !has_password {
        let help = "whoever reaches the port could write to the log: set `bearer_file`, or `user` and `password_file`";
        reader.error(&span, section.key("bearer"), Fault::Setting("a bearer or a password", help));
    }
    push
}

fn is_loopback(address: &Address) -> bool {
    address.host() == "localhost" || address.host().parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn path(section: &mut Section<'_, '_>, reader: &mut Reader<'_>) -> String {
    let Some(text) = section.required(reader, "path", "a path such as `/twilio/debugger`") else {
        return String::new();
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let is_plain = text.value.starts_with('/') && text.value.bytes().all(plain);
    if !is_plain {
        let help = "write it like \"/twilio/debugger\"";
        let fault = Fault::Setting("a path of letters, digits, `-`, `_`, `.` and `~` that begins with `/`", help);
        reader.error(&text.span, section.key("path"), fault);
    } else if is_reserved(text.value) {
        let fault = Fault::Setting("a path that the server does not use itself", "choose one below `/twilio/`");
        reader.error(&text.span, section.key("path"), fault);
    }
    text.value.to_owned()
}

fn address(section: &Section<'_, '_>, reader: &mut Reader<'_>, key: &str, text: &At<&str>) -> Option<Address> {
    let (expected, help) = match Address::parse(text.value) {
        Ok(address) => return Some(address),
        Err(AddressFault::Scheme) => ("a URL that begins with `https://`", "write the whole URL, with the host"),
        Err(AddressFault::User) => ("a URL without user and password", "Twilio's signature takes their place"),
        Err(AddressFault::Host) => ("a URL with a host", "write it like \"https://ops.example.com/twilio/debugger\""),
        Err(AddressFault::Query) => ("a URL without a query", "the query of the request is used"),
        Err(AddressFault::Characters) => ("a URL without white space or other letters than ASCII", "encode them"),
    };
    reader.error(&text.span, section.key(key), Fault::Setting(expected, help));
    None
}

/// `10.0.0.0/8`, or one address.
fn network(section: &Section<'_, '_>, reader: &mut Reader<'_>, text: &At<&str>) -> Option<IpNet> {
    let found =
        text.value.parse::<IpNet>().ok().or_else(|| text.value.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    if found.is_none() {
        let fault = Fault::Setting("an IP address or network", "write it like \"10.0.0.0/8\" or \"192.0.2.7\"");
        reader.error(&text.span, section.key("trusted_proxies"), fault);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_paths_are_reserved() {
        for path in ["/", "/metrics", "/api", "/api/v1/check", "/-/reload"] {
            assert!(is_reserved(path), "{path}");
        }
        for path in ["/twilio", "/apiary", "/metrics2"] {
            assert!(!is_reserved(path), "{path}");
        }
    }
}
