//! The config: a TOML file, every setting of which has a documented default.
//!
//! An edge: it reads the file, the files of secrets and the environment, and gives values. Unknown keys are refused,
//! all faults of a file are told at once, and nothing that is not read yet is silently accepted. It does not open
//! logs, bind addresses or create folders.
//!
//! Relative paths of a config file begin at the folder of that file; those of the command line at the current folder.

mod alerts;
mod channel;
mod journal;
mod paths;
mod problem;
mod read;
mod secret;
mod section;
mod view;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::keyring::KeyRing;
use crate::log::{Format, Level};
use crate::pipeline::Settings;

pub use alerts::{Alertmanager, Login};
pub use channel::{AlertsApi, HttpPush, Webhook, is_reserved};
pub use journal::Journal;
pub use paths::{PATHS_SOURCE, STDIN_SOURCE};
pub(crate) use problem::nearest;
pub use problem::{Fault, Problem, Problems, Severity, SidFault};
pub use secret::{SECRET_BYTES_MAX, from_environment, from_file};
pub(crate) use section::check_timezone;
pub use view::{View, schema};

use read::Reader;

/// The commented defaults, as `config default` prints them.
pub const DEFAULT_TOML: &str = include_str!("../config/default.toml");

/// Longest config file, in bytes.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;
/// Port of the daemon where none is given.
pub const PORT: u16 = 15107;
/// `validator.leeway_seconds`: times are compared exactly, as Twilio does.
pub const LEEWAY_SECONDS: i64 = 0;
/// Most of `validator.leeway_seconds`.
pub const LEEWAY_SECONDS_MAX: i64 = 3600;
/// `pairing.window_seconds`: how far a token may be from its refusal.
pub const WINDOW_SECONDS: u32 = 5;
/// Most of `pairing.window_seconds`: one day, the longest life of a token.
pub const WINDOW_SECONDS_MAX: u32 = 86_400;
/// `pairing.window_lines`: how far a token may be from its refusal.
pub const WINDOW_LINES: u32 = 200;
/// Most of `pairing.window_lines`.
pub const WINDOW_LINES_MAX: u32 = 10_000;
/// `pairing.settle_milliseconds`: the prints of one refusal come within some 50 ms.
pub const SETTLE_MILLISECONDS: u32 = 100;
/// Most of `pairing.settle_milliseconds`.
pub const SETTLE_MILLISECONDS_MAX: u32 = 60_000;
/// `limits.line_bytes_max`: longer lines are looked at up to here.
pub const LINE_BYTES: u32 = 1 << 20;
/// Least of `limits.line_bytes_max`: one log line with one token.
pub const LINE_BYTES_LEAST: u32 = 4096;
/// Most of `limits.line_bytes_max`.
pub const LINE_BYTES_MOST: u32 = 64 << 20;
/// `limits.rejections_remembered`: rejections that can be shown one by one.
pub const REJECTIONS_REMEMBERED: u32 = 1000;
/// Most of `limits.rejections_remembered`.
pub const REJECTIONS_REMEMBERED_MOST: u32 = 100_000;
/// `limits.tokens_remembered`: tokens that are recognised when they are refused again.
pub const TOKENS_REMEMBERED: u32 = 100_000;
/// Most of `limits.tokens_remembered`.
pub const TOKENS_REMEMBERED_MOST: u32 = 10_000_000;
/// `store.sync_seconds`: what a loss of power may take back.
pub const SYNC_SECONDS: u32 = 5;
/// Most of `store.sync_seconds`.
pub const SYNC_SECONDS_MAX: u32 = 3600;
/// Longest name of a source, in characters.
pub const SOURCE_NAME_CHARS_MAX: usize = 64;
/// Twilio's regions.
pub const REGIONS: [&str; 3] = ["us1", "ie1", "au1"];
/// Regions that Twilio has retired; tokens that name them are still seen.
pub const REGIONS_RETIRED: [&str; 5] = ["br1", "de1", "jp1", "sg1", "us2"];

/// Gives the value of an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The effective config.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Folder of the state, if the config names one; see [`Config::state_dir`].
    pub state_dir: Option<PathBuf>,
    /// The server.
    pub web: Web,
    /// What is read. Names are distinct.
    pub sources: Vec<Source>,
    /// What counts as a refusal.
    pub detect: Detect,
    /// The checks of a token.
    pub validator: Validator,
    /// Which token belongs to a refusal.
    pub pairing: Pairing,
    /// Bounds of memory.
    pub limits: Limits,
    /// How the state is kept.
    pub store: Store,
    /// The daemon's own alerts.
    pub alerts: crate::ledger::alert::Settings,
    /// Who is told of them.
    pub alertmanager: Alertmanager,
    /// The daemon's own log.
    pub log: Logging,
    /// API keys and accounts.
    pub keyring: KeyRing,
}

/// `[web]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Where the server listens; at least one address.
    pub listen: Vec<SocketAddr>,
}

impl Default for Web {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))] }
    }
}

/// `[[source]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The metrics' `source` label.
    pub name: String,
    /// What it reads.
    pub kind: SourceKind,
    /// Zone of times without one: an IANA name.
    pub timezone: String,
}

/// What a source reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Files.
    File(FileSource),
    /// Standard input.
    Stdin,
    /// Twilio's Debugger webhook.
    Webhook(Webhook),
    /// Twilio's Event Streams, through a webhook sink.
    EventStreams(Webhook),
    /// Twilio's Alerts API, which is asked again and again.
    AlertsApi(AlertsApi),
    /// Lines that a log shipper sends.
    Http(HttpPush),
    /// systemd's journal.
    Journald(Journal),
}

/// What the files of a source are. Other kinds than `file` know where their files are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileKind {
    /// Any.
    #[default]
    File,
    /// Logs of docker's driver `json-file`.
    Docker,
    /// Logs of a Kubernetes node, written by its container runtime.
    Cri,
    /// Exports of Twilio's Debugger, as CSV or TSV with a header.
    Csv,
}

impl FileKind {
    /// The word of the config.
    const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Docker => "docker",
            Self::Cri => "cri",
            Self::Csv => "csv",
        }
    }

    /// The globs of the files, if none are given.
    const fn include(self) -> &'static [&'static str] {
        match self {
            Self::File | Self::Csv => &[],
            Self::Docker => &["/var/lib/docker/containers/*/*-json.log"],
            Self::Cri => &["/var/log/pods/*/*/*.log"],
        }
    }
}

/// `[[source]]` with `kind = "file"`, `"docker"`, `"cri"` or `"csv"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSource {
    /// What the files are.
    pub kind: FileKind,
    /// Globs of the files to follow; at least one.
    pub include: Vec<String>,
    /// Globs of files to leave out.
    pub exclude: Vec<String>,
    /// Where an unknown file begins.
    pub start: Start,
}

/// Where a file that the state does not know begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At its first byte.
    #[default]
    Beginning,
    /// At its present end.
    End,
}

impl Start {
    /// The words of the config.
    const WORDS: [(&str, Self); 2] = [("beginning", Self::Beginning), ("end", Self::End)];

    /// The word of the config.
    const fn word(self) -> &'static str {
        match self {
            Self::Beginning => "beginning",
            Self::End => "end",
        }
    }
}

/// `[detect]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detect {
    /// Companion codes are refusals in their own right.
    pub companion_codes: bool,
    /// Tokens are looked for on all lines.
    pub exposed_tokens: bool,
}

impl Default for Detect {
    fn default() -> Self {
        Self { companion_codes: true, exposed_tokens: false }
    }
}

/// `[validator]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Clock tolerance of the time checks.
    pub leeway_seconds: i64,
}

impl Default for Validator {
    fn default() -> Self {
        Self { leeway_seconds: LEEWAY_SECONDS }
    }
}

/// `[pairing]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// How far a token may be from its refusal, in seconds.
    pub window_seconds: u32,
    /// How far a token may be from its refusal, in lines.
    pub window_lines: u32,
    /// How long further prints of a refusal that an SDK printed, or its token, are waited for in a live stream.
    pub settle_milliseconds: u32,
}

impl Default for Pairing {
    fn default() -> Self {
        Self { window_seconds: WINDOW_SECONDS, window_lines: WINDOW_LINES, settle_milliseconds: SETTLE_MILLISECONDS }
    }
}

/// `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longer lines are looked at up to here, in bytes.
    pub line_bytes_max: u32,
    /// Rejections that can be shown one by one.
    pub rejections_remembered: u32,
    /// Tokens that are recognised when they are refused again.
    pub tokens_remembered: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: LINE_BYTES,
            rejections_remembered: REJECTIONS_REMEMBERED,
            tokens_remembered: TOKENS_REMEMBERED,
        }
    }
}

/// `[store]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// The state is forced to the disk so often.
    pub sync_seconds: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { sync_seconds: SYNC_SECONDS }
    }
}

/// `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// The least level that is written.
    pub level: Level,
    /// How.
    pub format: Format,
}

/// A config that can be used, and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// What works, and probably not as it was meant.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads a config file, the files of secrets that it names and the environment.
    pub fn load(path: &Path) -> Result<Loaded, Problems> {
        let file = path.display().to_string();
        let alone = |fault| Problems(vec![Problem::of_file(file.clone(), fault)]);
        let mut bytes = Vec::new();
        let limit = u64::try_from(CONFIG_BYTES_MAX + 1).unwrap_or(u64::MAX);
        File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(|error| alone(Fault::Unreadable(secret::reason(&error))))?;
        if bytes.len() > CONFIG_BYTES_MAX {
            return Err(alone(Fault::TooLong));
        }
        let text = String::from_utf8(bytes).map_err(|_| alone(Fault::NotUtf8))?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, &file, folder, &|name| std::env::var_os(name))
    }

    /// Reads the text of a config file. `file` names it in messages; relative paths begin at `folder`.
    pub fn parse(text: &str, file: &str, folder: &Path, environment: Environment<'_>) -> Result<Loaded, Problems> {
        let mut reader = Reader::new(file, text, folder, environment);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            reader.error(&span, None::<String>, Fault::Syntax(error.message().to_owned()));
        }
        if !errors.is_empty() {
            // What follows a broken line may stand in the wrong section, so nothing else can be judged.
            return Err(Problems(in_order(reader.errors)));
        }
        let config = section::config(&document, &mut reader);
        if reader.errors.is_empty() {
            return Ok(Loaded { config, warnings: in_order(reader.warnings) });
        }
        reader.errors.append(&mut reader.warnings);
        Err(Problems(in_order(reader.errors)))
    }

    /// What the core is told. The key of the fingerprints is the caller's.
    pub fn pipeline_settings(&self) -> Settings {
        Settings {
            companion_codes: self.detect.companion_codes,
            exposed_tokens: self.detect.exposed_tokens,
            leeway_seconds: self.validator.leeway_seconds,
            window_seconds: self.pairing.window_seconds,
            window_lines: self.pairing.window_lines,
            settle_millis: self.pairing.settle_milliseconds,
            line_bytes_max: usize::try_from(self.limits.line_bytes_max).unwrap_or(usize::MAX),
            tokens_remembered: usize::try_from(self.limits.tokens_remembered).unwrap_or(usize::MAX),
            ..Settings::default()
        }
    }

    /// API keys and accounts.
    pub fn keyring(&self) -> KeyRing {
        self.keyring.clone()
    }

    /// The folder of the state: `state_dir`, else `$STATE_DIRECTORY` (which systemd sets), else
    /// `$XDG_STATE_HOME/diag51007`, else `~/.local/state/diag51007`; none without a home.
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.state_dir_in(&|name| std::env::var_os(name))
    }

    fn state_dir_in(&self, environment: Environment<'_>) -> Option<PathBuf> {
        let set = |name| environment(name).filter(|value| !value.is_empty());
        if let Some(folder) = &self.state_dir {
            return Some(folder.clone());
        }
        if let Some(folders) = set("STATE_DIRECTORY") {
            // With several folders in the unit, systemd separates them by colons.
            return std::env::split_paths(&folders).next();
        }
        // The XDG specification has relative paths ignored.
        let xdg = set("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let base = xdg.or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state")));
        base.map(|base| base.join("diag51007"))
    }

    /// Whether the sources of another kind than `file` are those of another config, whatever their secrets.
    pub fn has_fixed_sources_of(&self, other: &Self) -> bool {
        View::of(self).has_fixed_sources_of(&View::of(other))
    }

    /// The effective config without secrets.
    pub fn redacted(&self) -> View {
        View::of(self)
    }
}

/// Problems as they follow each other in the file.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.place);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: &Config, environment: &[(&str, &str)], expected: Option<&str>) {
        let environment = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, v)| OsString::from(v));
        assert_eq!(config.state_dir_in(&environment).as_deref(), expected.map(Path::new));
    }

    #[test]
    fn the_state_is_where_config_systemd_xdg_or_home_say_in_this_order() {
        let named = Config { state_dir: Some("/state".into()), ..Config::default() };
        let (systemd, xdg, home) = (("STATE_DIRECTORY", "/var/lib/a:/b"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h"));
        check(&named, &[systemd, xdg, home], Some("/state"));
        check(&Config::default(), &[systemd, xdg, home], Some("/var/lib/a"));
        check(&Config::default(), &[xdg, home], Some("/x/diag51007"));
        check(&Config::default(), &[("XDG_STATE_HOME", "relative"), home], Some("/h/.local/state/diag51007"));
        check(&Config::default(), &[("STATE_DIRECTORY", ""), home], Some("/h/.local/state/diag51007"));
        check(&Config::default(), &[], None);
    }

    #[test]
    fn the_defaults_are_those_of_the_core() {
        let (ours, core) = (Config::default().pipeline_settings(), Settings::default());
        assert_eq!(format!("{ours:?}"), format!("{core:?}"));
    }

    #[test]
    fn what_a_file_says_arrives_in_the_core() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sk"), "SyntheticSecretNotReal0000000001\n").unwrap();
        let text = r#"
            detect.companion_codes = false
            validator.leeway_seconds = 1
            pairing = { window_seconds = 2, window_lines = 3, settle_milliseconds = 4 }
            limits.line_bytes_max = 0x2000
            [[key]]
            sid = "SK00112233445566778899aabbccddeeff"
            secret_file = "sk"
            kind = "main"
            [[account]]
            sid = "AC00112233445566778899aabbccddeeff"
            auth_token_env = "TOKEN"
        "#;
        let environment = |name: &str| (name == "TOKEN").then(|| "00112233445566778899aabbccddeeff".into());
        let config = Config::parse(text, "config.toml", folder.path(), &environment).unwrap().config;
        let core = config.pipeline_settings();
        assert!(!core.companion_codes);
        assert_eq!((core.leeway_seconds, core.window_seconds, core.window_lines), (1, 2, 3));
        assert_eq!((core.settle_millis, core.line_bytes_max), (4, 8192));
        let ring = config.keyring();
        let key = ring.key("SK00112233445566778899aabbccddeeff").unwrap();
        assert_eq!(key.secret.as_ref().unwrap().expose(), b"SyntheticSecretNotReal0000000001");
        assert_eq!(key.kind, crate::keyring::KeyKind::Main);
        let token = ring.accounts()[0].auth_token.as_ref().unwrap();
        assert_eq!(token.expose(), b"00112233445566778899aabbccddeeff");
    }
}
