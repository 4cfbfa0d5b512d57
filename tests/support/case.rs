//! Cases of the Markdown corpus: prose, a config, a log, and the diagnoses that an expert would give.

use std::fmt::Write as _;

use diag51007::diagnosis::Diagnosis;
use diag51007::keyring::{Account, Key, KeyKind, KeyRing, Secret};
use diag51007::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use diag51007::time::UnixTime;
use serde::Deserialize;

use super::mint::{AUTH_TOKEN, REFUSED_AT, SECRET, sid};
use super::recipe::expand;

/// One case. Line numbers are those of the Markdown file, from 1.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) config: String,
    pub(crate) log: String,
    pub(crate) expected: String,
    /// The first line inside the `diagnosis` block, counted from 0.
    pub(crate) expected_at: usize,
}

/// Splits a Markdown file into its cases: each has a heading above and ends with its `diagnosis` block.
pub(crate) fn cases(markdown: &str) -> Vec<Case> {
    let mut found = Vec::new();
    let (mut title, mut config, mut log) = (String::new(), String::new(), None);
    let mut lines = markdown.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            heading.trim_start_matches('#').trim().clone_into(&mut title);
            (config, log) = (String::new(), None);
            continue;
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let mut block = String::new();
        loop {
            let (_, line) = lines.next().unwrap_or_else(|| panic!("line {}: block without an end", at + 1));
            if line == "```" {
                break;
            }
            block.push_str(line);
            block.push('\n');
        }
        match kind {
            "config" => config = block,
            "log" => log = Some(block),
            "diagnosis" => found.push(Case {
                title: title.clone(),
                config: config.clone(),
                log: log.take().unwrap_or_else(|| panic!("line {}: a diagnosis without a log above it", at + 1)),
                expected: block,
                expected_at: at + 1,
            }),
            other => panic!("line {}: unknown kind of block `{other}`", at + 1),
        }
    }
    assert!(log.is_none(), "`{title}`: a log without a diagnosis below it");
    found
}

/// What a `config` block may say: the part of the daemon's config that the core knows, and the stream.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    key: Vec<KeyConfig>,
    account: Vec<AccountConfig>,
    detect: Detect,
    validator: Validator,
    pairing: Pairing,
    stream: StreamConfig,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    sid: String,
    account: Option<String>,
    secret: Option<String>,
    region: Option<String>,
    #[serde(default)]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountConfig {
    sid: String,
    region: Option<String>,
    auth_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Detect {
    companion_codes: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Validator {
    leeway_seconds: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Pairing {
    window_seconds: Option<u32>,
    window_lines: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StreamConfig {
    timezone: Option<String>,
    modified: Option<String>,
    line_end: Option<String>,
    last_line_end: Option<bool>,
}

/// The key ring of a case without a `config` block: the key `SK…1` of the account `AC…1`, both with their secrets.
pub(crate) fn usual_keyring() -> KeyRing {
    let key = Key {
        sid: sid("SK", "1"),
        account: Some(sid("AC", "1")),
        secret: Some(Secret::new(SECRET)),
        region: None,
        kind: KeyKind::Standard,
    };
    let account = Account { sid: sid("AC", "1"), region: None, auth_token: Some(Secret::new(AUTH_TOKEN)) };
    KeyRing::new(vec![key], vec![account])
}

/// A case, ready to run.
pub(crate) struct Run {
    pub(crate) log: Vec<u8>,
    settings: Settings,
    keyring: KeyRing,
    stream: Stream,
}

impl Run {
    /// A whole file with the usual key ring.
    pub(crate) fn plain(log: Vec<u8>, keyring: KeyRing) -> Self {
        let stream = Stream {
            source: "test".into(),
            path: None,
            modified: Some(UnixTime::from_seconds(REFUSED_AT)),
            timezone: "UTC".into(),
            offset: 0,
            whole: true,
        };
        Self { log, settings: Settings::default(), keyring, stream }
    }

    /// A whole file that was last written at a given time.
    pub(crate) fn written_at(log: Vec<u8>, keyring: KeyRing, at: UnixTime) -> Self {
        let mut run = Self::plain(log, keyring);
        run.stream.modified = Some(at);
        run
    }

    /// Its stream, as one that is followed while it grows.
    pub(crate) fn live_stream(&self) -> Stream {
        Stream { whole: false, ..self.stream.clone() }
    }

    pub(crate) fn of(case: &Case) -> Self {
        let mut run = Self::plain(expand(&case.log).into_bytes(), usual_keyring());
        if case.config.is_empty() {
            return run;
        }
        let config: Config = toml::from_str(&expand(&case.config)).unwrap_or_else(|error| panic!("{error}"));
        run.keyring = keyring(&config);
        let settings = &mut run.settings;
        settings.companion_codes = config.detect.companion_codes.unwrap_or(settings.companion_codes);
        settings.leeway_seconds = config.validator.leeway_seconds.unwrap_or(settings.leeway_seconds);
        settings.window_seconds = config.pairing.window_seconds.unwrap_or(settings.window_seconds);
        settings.window_lines = config.pairing.window_lines.unwrap_or(settings.window_lines);
        let mut log = expand(&case.log);
        if config.stream.last_line_end == Some(false) {
            log.truncate(log.trim_end_matches('\n').len());
        }
        run.log = log.replace('\n', config.stream.line_end.as_deref().unwrap_or("\n")).into_bytes();
        if let Some(zone) = config.stream.timezone {
            run.stream.timezone = zone.into();
        }
        if let Some(time) = config.stream.modified {
            run.stream.modified = Some(UnixTime::parse(&time).unwrap_or_else(|| panic!("no time: {time}")));
        }
        run
    }

    /// Runs the core over the log, cut after each of `cuts` (ascending offsets).
    pub(crate) fn diagnose(&self, cuts: impl IntoIterator<Item = usize>) -> Vec<Diagnosis> {
        let (id, now) = (StreamId(1), UnixTime::from_seconds(REFUSED_AT + 7200));
        let mut pipeline = Pipeline::new(self.settings.clone(), self.keyring.clone());
        pipeline.open(id, self.stream.clone());
        let mut found = Vec::new();
        let mut emit = |event| {
            if let Event::Diagnosed(diagnosis) = event {
                found.push(*diagnosis);
            }
        };
        let mut from = 0;
        for cut in cuts {
            pipeline.push(id, &self.log[from..cut], now, &mut emit);
            from = cut;
        }
        pipeline.push(id, &self.log[from..], now, &mut emit);
        pipeline.finish(id, now, &mut emit);
        found.sort_by_key(|diagnosis| diagnosis.offset);
        found
    }
}

fn keyring(config: &Config) -> KeyRing {
    let keys = config.key.iter().map(|key| Key {
        sid: key.sid.clone(),
        account: key.account.clone(),
        secret: key.secret.as_deref().map(Secret::new),
        region: key.region.clone(),
        kind: match key.kind.as_deref() {
            None | Some("standard") => KeyKind::Standard,
            Some("main") => KeyKind::Main,
            Some("restricted") => KeyKind::Restricted,
            Some("test") => KeyKind::Test,
            Some(other) => panic!("unknown kind of key: {other}"),
        },
    });
    let accounts = config.account.iter().map(|account| Account {
        sid: account.sid.clone(),
        region: account.region.clone(),
        auth_token: account.auth_token.as_deref().map(Secret::new),
    });
    KeyRing::new(keys.collect(), accounts.collect())
}

/// What the head of a diagnosis may name besides line and cause, each only if the case names it.
fn detail(diagnosis: &Diagnosis, kind: &str) -> String {
    match kind {
        "token" => match &diagnosis.token {
            Some(token) => format!("token: {}", token.found),
            None => "no token".to_owned(),
        },
        "sightings" => match diagnosis.sightings {
            1 => "1 sighting".to_owned(),
            n => format!("{n} sightings"),
        },
        "code" => diagnosis.code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}")),
        "basis" => format!("basis {}", diagnosis.basis.id()),
        "product" => format!("product {}", diagnosis.product.id()),
        "at" => format!("at {}", diagnosis.at),
        "state" => diagnosis
            .token
            .as_ref()
            .map_or_else(|| "no state".to_owned(), |token| format!("state {}", token.state.id())),
        "skipped" => {
            let all = diagnosis.skipped.iter().map(|skip| format!(" {} {}", skip.check.id(), skip.reason.id()));
            format!("skipped{}", all.collect::<Vec<_>>().join(" +"))
        }
        other => panic!("unknown detail of a diagnosis: `{other}`"),
    }
}

fn kind_of(item: &str) -> &str {
    match item.split([' ', ':']).collect::<Vec<_>>().as_slice() {
        ["no", kind, ..] => kind,
        [_, "sighting" | "sightings"] => "sightings",
        [kind, ..] => kind,
        [] => "",
    }
}

/// The head of an expected diagnosis, for instance `line 2: expired (token: 1 line before; product chat)`.
fn details_of(head: &str) -> Vec<&str> {
    let inner = head.split_once(" (").and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.map(|inner| inner.split("; ").map(kind_of).collect()).unwrap_or_default()
}

/// Prints diagnoses in the form of the corpus. `like` says which details to print, and whether to print the
/// findings: an expectation without any leaves them open.
pub(crate) fn render(diagnoses: &[Diagnosis], like: &str, findings: Findings) -> String {
    let blocks = expectations(like);
    let mut out = String::new();
    for (at, diagnosis) in diagnoses.iter().enumerate() {
        let expectation = blocks.get(at);
        let details = expectation.map_or_else(|| vec!["token"], |expectation| details_of(expectation.head));
        let details: Vec<String> = details.into_iter().map(|kind| detail(diagnosis, kind)).collect();
        _ = write!(out, "line {}: {}", diagnosis.line, diagnosis.cause.id());
        if !details.is_empty() {
            _ = write!(out, " ({})", details.join("; "));
        }
        out.push('\n');
        let wanted = match findings {
            Findings::All => true,
            Findings::AsExpected => expectation.is_none_or(|expectation| expectation.has_messages),
        };
        if wanted {
            for finding in &diagnosis.findings {
                _ = writeln!(out, "  {finding}");
            }
        }
    }
    out
}

/// Which findings [`render`] prints.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Findings {
    /// Those of diagnoses whose expectation has some.
    AsExpected,
    /// All.
    All,
}

struct Expectation<'a> {
    head: &'a str,
    has_messages: bool,
}

fn expectations(text: &str) -> Vec<Expectation<'_>> {
    let mut found: Vec<Expectation<'_>> = Vec::new();
    for line in text.lines() {
        match (line.starts_with("  "), found.last_mut()) {
            (true, Some(last)) => last.has_messages = true,
            _ => found.push(Expectation { head: line, has_messages: false }),
        }
    }
    found
}
