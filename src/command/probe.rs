//! `config check --probe`: tries everything that the config names, and says what it found.
//!
//! Nothing is counted, kept or told: of files only the first line is looked at, Twilio is asked for one alert, journalctl
//! for one entry, and Alertmanagers are told of no alert.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::alertmanager;
use crate::command::arguments::CheckFormat;
use crate::command::{Exit, Failure, Outcome, output};
use crate::config::{AlertsApi, Config, FileKind, FileSource, HttpPush, Journal, Source, SourceKind, Webhook};
use crate::daemon;
use crate::expose::http;
use crate::source::alerts_api::{self, Poller};
use crate::source::file;
use crate::source::journald::child::{LAST_TIME_MAX, Selection};
use crate::store::{LOCK_FILE, Lock, OpenError};

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Probe {
    /// What: a section of the config, with its name.
    what: String,
    ok: bool,
    /// What was found, and what to do.
    found: String,
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    probes: Vec<Probe>,
}

/// A sentence about what works, or about what does not.
type Found = Result<String, String>;

/// Tries everything, and prints one line for each.
pub(super) fn probe(config: &Config, format: CheckFormat) -> Outcome {
    let failed = |error: std::io::Error| Failure::Other(Exit::Unavailable, format!("no thread can be had: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let probes = runtime.block_on(all(config));
    let is_good = probes.iter().all(|probe| probe.ok);
    let text = match format {
        CheckFormat::Text => probes.iter().map(line).collect(),
        CheckFormat::Json => {
            let report = Report { status: if is_good { "ok" } else { "failed" }, probes };
            let text = serde_json::to_string(&report)
                .map_err(|error| Failure::Other(Exit::Internal, format!("the report can't be written: {error}")))?;
            text + "\n"
        }
    };
    output::print(&text)?;
    Ok(if is_good { Exit::Ok } else { Exit::Unavailable })
}

fn line(probe: &Probe) -> String {
    let (word, colour) = if probe.ok { ("ok", AnsiColor::Green) } else { ("failed", AnsiColor::Red) };
    let style = Style::new().fg_color(Some(colour.into())).bold();
    format!("{style}{word:<6}{style:#} {}: {}\n", probe.what, probe.found)
}

async fn all(config: &Config) -> Vec<Probe> {
    let mut probes = Vec::new();
    let mut add = |what: String, found: Found| {
        let ok = found.is_ok();
        probes.push(Probe { what, ok, found: found.unwrap_or_else(|trouble| trouble) });
    };
    let (state, runs) = state(config);
    add("state_dir".to_owned(), state);
    for address in &config.web.listen {
        let found = match http::bind(*address) {
            Ok(_) => Ok("free".to_owned()),
            Err(_) if runs => Ok("in use, and so is the state: a diag51007 with this config runs".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        add(format!("web.listen {address}"), found);
    }
    for source in &config.sources {
        add(format!("source {}", source.name), self::source(config, source).await);
    }
    for (url, found) in alertmanager::probe(&config.alertmanager).await {
        add(format!("alertmanager {url}"), found.map(|()| "takes alerts".to_owned()));
    }
    probes
}

/// Whether the state can be kept, and whether another process keeps it at the moment.
fn state(config: &Config) -> (Found, bool) {
    let Some(folder) = config.state_dir() else {
        return (Err("no folder is known; set `state_dir`".to_owned()), false);
    };
    let shown = folder.display();
    if let Some(parent) = folder.ancestors().find(|folder| folder.exists()).filter(|parent| *parent != folder) {
        let is_writable =
            rustix::fs::access(parent, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
        let found = if is_writable {
            Ok(format!("{shown} is not there yet and can be made"))
        } else {
            let user = rustix::process::getuid().as_raw();
            Err(format!("{shown} is not there and can't be made: try `sudo install -d -m 0700 -o {user} {shown}`"))
        };
        return (found, false);
    }
    let lock = folder.join(LOCK_FILE);
    let was_there = lock.exists();
    match Lock::take(&folder) {
        Ok(_held) => {
            if !was_there {
                // One of another user than the daemon's would keep that from starting.
                _ = std::fs::remove_file(&lock);
            }
            (Ok(format!("{shown} can be written")), false)
        }
        Err(OpenError::Locked { pid: Some(pid), .. }) => (Ok(format!("{shown} is in use by process {pid}")), true),
        Err(OpenError::Locked { pid: None, .. }) => (Ok(format!("{shown} is in use")), true),
        Err(error) => {
            let user = rustix::process::getuid().as_raw();
            (Err(format!("{error}; try `sudo chown -R {user} {shown}`")), false)
        }
    }
}

async fn source(config: &Config, source: &Source) -> Found {
    match &source.kind {
        SourceKind::File(files) => self::files(source, files),
        SourceKind::Stdin => Ok("standard input is read while the daemon runs".to_owned()),
        SourceKind::Webhook(webhook) | SourceKind::EventStreams(webhook) => Ok(self::webhook(config, webhook)),
        SourceKind::AlertsApi(api) => alerts_api(config, source, api).await,
        SourceKind::Http(push) => Ok(self::push(push)),
        SourceKind::Journald(journal) => self::journal(journal),
    }
}

fn files(source: &Source, files: &FileSource) -> Found {
    let probed = file::FileSource {
        name: source.name.as_str().into(),
        include: files.include.clone(),
        exclude: files.exclude.clone(),
        start: file::Start::Beginning,
        timezone: source.timezone.as_str().into(),
    };
    let probed = probed.probe().map_err(|error| error.to_string())?;
    let mut text = format!("{} {}", probed.files, if probed.files == 1 { "file matches" } else { "files match" });
    if probed.troubles.is_empty() {
        if probed.files == 0 {
            return Err(format!("{text}: look at `include` and `exclude`, or wait for the application to write"));
        }
        if files.kind == FileKind::Csv && probed.with_header < probed.files {
            let without = probed.files - probed.with_header;
            return Err(format!(
                "{text}, {without} without a header of Twilio's names (error code, and SID, alert text or log level): they \
                 are read as logs; export them with a header, or use kind `file`"
            ));
        }
        return Ok(text + ", readable");
    }
    _ = write!(text, ", {} readable: {}", probed.readable, probed.troubles.join("; "));
    if probed.untold > 0 {
        _ = write!(text, "; and {} more", probed.untold);
    }
    Err(text)
}

fn webhook(config: &Config, webhook: &Webhook) -> String {
    let tokens = webhook.tokens(&config.keyring).count();
    let tokens = format!("{tokens} Auth Token{}", if tokens == 1 { "" } else { "s" });
    let with = match (webhook.shared_key.is_some(), tokens.starts_with("0 ")) {
        (true, true) => "a shared key".to_owned(),
        (true, false) => format!("{tokens} and a shared key"),
        (false, _) => tokens,
    };
    let url = match &webhook.public_url {
        Some(url) => format!("for {url}"),
        None => "for the URL that a trusted proxy names".to_owned(),
    };
    format!("mounted at {}; signatures are checked with {with}, {url}", webhook.path)
}

fn push(push: &HttpPush) -> String {
    let presents = match (push.bearer.is_some(), push.password.is_some()) {
        (true, true) => "the bearer, or user and password",
        (true, false) => "the bearer",
        (false, _) => "user and password",
    };
    format!("mounted at {}; a sender has to present {presents}", push.path)
}

fn journal(journal: &Journal) -> Found {
    let (units, matches) = (journal.units.clone(), journal.matches.clone());
    let (last, troubles) = Selection { command: journal.command.clone(), units, matches }
        .last(LAST_TIME_MAX, || false)
        .map_err(|trouble| trouble.message)?;
    if let Some(trouble) = troubles.into_iter().next() {
        return Err(trouble.message);
    }
    match last {
        Some(_) => Ok("journalctl answers, and there are entries".to_owned()),
        None => Err("journalctl answers, but no entry matches: look at `units` and `matches`".to_owned()),
    }
}

async fn alerts_api(config: &Config, source: &Source, api: &AlertsApi) -> Found {
    // The config made sure that there are some.
    let (user, secret) = api.credentials(&config.keyring).ok_or("there are no credentials")?;
    let password = Zeroizing::new(String::from_utf8_lossy(secret.expose().trim_ascii()).into_owned());
    let settings = alerts_api::Settings {
        source: source.name.as_str().into(),
        base_url: api.base_url.clone(),
        poll_seconds: api.poll_seconds,
        overlap_minutes: api.overlap_minutes,
        history_days: api.history_days,
        clock: daemon::now,
    };
    let poller = Poller::new(settings, alerts_api::Credentials { user: user.to_owned(), password });
    poller.map_err(|trouble| trouble.message)?.probe().await.map_err(|trouble| trouble.message)?;
    Ok(format!("{} answers, with the credentials of {user}", api.base_url))
}
