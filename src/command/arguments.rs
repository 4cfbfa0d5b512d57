//! What the command line can say.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use crate::config::{PORT, check_timezone};
use crate::log::Level;
use crate::product::Product;
use crate::time::UnixTime;
use crate::version;

const EXAMPLES: &str = "\
Examples:
  diag51007 demo                              Look around: a living sample log, served
  diag51007 scan app.log                      What one file says
  diag51007 run '/var/log/app/**/*.log'       Follow files with the defaults
  diag51007 run --config config.toml          Follow what the config names
  diag51007 explain expired                   What a cause means and what to do

Exit codes:
   0  done                        70  a fault of diag51007
   1  `check` found faults        73  a file can't be made
   2  bad command line            74  reading or writing failed
  65  bad input                   77  permission denied
  66  input not found             78  bad config
  69  unavailable, such as a port or a state in use";

const RUN_EXAMPLES: &str = "\
Examples:
  diag51007 run /var/log/app                        Every file below a folder
  diag51007 run '/var/log/*/chat*.log' other.log    A glob (quoted) and a file
  kubectl logs -f deploy/chat | diag51007 run -     Standard input
  diag51007 run --config /etc/diag51007/config.toml

SIGHUP reads the config again; SIGTERM and SIGINT end it in good order.";

const DEMO_EXAMPLES: &str = "\
Examples:
  diag51007 demo
  diag51007 demo --listen 127.0.0.1:0 --duration 30s";

const SCAN_EXAMPLES: &str = "\
Examples:
  diag51007 scan app.log app.log.1.gz app.log.2.zst
  diag51007 scan --config config.toml --format ndjson app.log | jq .cause
  journalctl -u chat -o json | diag51007 scan -";

const CHECK_EXAMPLES: &str = "\
A token on the command line can be seen by every user of the machine (in `ps`) and stays in the
shell's history. Without TOKEN, or with `-`, it is read from standard input.

Examples:
  pbpaste | diag51007 check
  diag51007 check --product chat --config config.toml < token.txt
  diag51007 check --secret-file sk.secret < token.txt       Does the signature fit this secret?
  diag51007 check --at 2026-11-24T02:43:39Z --format json < token.txt

Ends with 0 if nothing is wrong with the token, and with 1 if something is.";

const TOP_EXAMPLES: &str = "\
Examples:
  diag51007 top
  diag51007 top --url http://10.0.0.5:15107
  diag51007 top /var/log/app/*.log

Keys: up and down select a rejection, Enter opens it, c shows only its cause, q ends.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  diag51007 explain                 All causes and codes
  diag51007 explain wrong_secret    A cause
  diag51007 explain 20104           A code of Twilio's";

/// Finds out why Twilio refused an Access Token (error 51007), from the logs.
#[derive(Debug, Parser)]
#[command(name = "diag51007", version = version::LONG, after_help = EXAMPLES, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What goes for all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of all commands.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Least level of diag51007's own log: error, warn, info, debug or trace [default: info]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        conflicts_with = "verbose",
        hide_possible_values = true
    )]
    pub log_level: Option<Level>,
    /// Log more: -v for debug, -vv for trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: ColorChoice,
}

impl Global {
    /// The same with only warnings in the log, unless the command line asks for more.
    #[must_use]
    pub fn quieter(self) -> Self {
        Self { log_level: self.level().or(Some(Level::Warn)), verbose: 0, ..self }
    }

    /// The level of the log, if the command line gives one.
    pub const fn level(&self) -> Option<Level> {
        match (self.log_level, self.verbose) {
            (Some(level), _) => Some(level),
            (None, 0) => None,
            (None, 1) => Some(Level::Debug),
            (None, 2..) => Some(Level::Trace),
        }
    }
}

/// When text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow logs and serve metrics, summary and page
    Run(RunArgs),
    /// Write a living sample log, follow it and serve everything
    Demo(DemoArgs),
    /// Read whole files once and report by cause
    Scan(ScanArgs),
    /// Check one token
    Check(CheckArgs),
    /// Watch a running daemon, or files, in the terminal
    Top(TopArgs),
    /// Say what a cause or a code means and what to do
    Explain(ExplainArgs),
    /// Check a config, or print the defaults or the schema
    Config(ConfigArgs),
    /// Show, export or remove what is remembered
    State(StateArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES, override_usage = "diag51007 run [OPTIONS] [--config FILE] [PATH]...")]
pub struct RunArgs {
    /// Config file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Files, folders and globs to follow, or `-` for standard input
    #[arg(value_name = "PATH", required_unless_present = "config")]
    pub paths: Vec<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub struct DemoArgs {
    /// Where to serve; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))]
    pub listen: SocketAddr,
    /// End after this time, such as 30s, 5m or 1h [default: runs until Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
}

/// Arguments of `scan`.
#[derive(Debug, Args)]
#[command(after_help = SCAN_EXAMPLES)]
pub struct ScanArgs {
    /// Config file, for its keys and settings; its sources are not read
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to report: text, json (one object), ndjson (one a rejection) or prometheus
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: ScanFormat,
    /// Zone of times without one: UTC or a name such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = timezone)]
    pub timezone: String,
    /// Files to read, also .gz and .zst, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// How `scan` reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    /// A report for people
    #[default]
    Text,
    /// One JSON object with summary and rejections
    Json,
    /// One JSON object a rejection
    Ndjson,
    /// Metrics, for a text file collector
    Prometheus,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct CheckArgs {
    /// The token; read from standard input without it or with `-`
    #[arg(value_name = "TOKEN")]
    pub token: Option<TokenText>,
    /// Time of the refusal: RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<UnixTime>,
    /// Product that refused: chat, sync, voice, video or task_router
    #[arg(long, value_name = "PRODUCT", value_parser = product)]
    pub product: Option<Product>,
    /// Config file, for its keys and settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// File with the secret of the token's key, in place of a config's
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    pub secret_file: Option<PathBuf>,
    /// Environment variable with that secret
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// How to report: text or json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: CheckFormat,
}

/// How `check` reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// The diagnosis object
    Json,
}

/// A token as it was typed. `Debug` shows its length.
#[derive(Clone)]
pub struct TokenText(pub Zeroizing<String>);

impl TokenText {
    /// The token, unless it stands for standard input.
    pub fn typed(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|text| *text != "-")
    }
}

impl From<&str> for TokenText {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenText({} bytes)", self.0.len())
    }
}

/// Arguments of `top`.
#[derive(Debug, Args)]
#[command(after_help = TOP_EXAMPLES)]
pub struct TopArgs {
    /// Address of the daemon
    #[arg(long, value_name = "URL", default_value_t = format!("http://127.0.0.1:{PORT}"), conflicts_with = "files")]
    pub url: String,
    /// With files: config file, for its keys and settings; its sources are not read
    #[arg(long, value_name = "FILE", requires = "files")]
    pub config: Option<PathBuf>,
    /// Files, globs or folders to follow without a running daemon; nothing is kept, and nobody else can ask
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub struct ExplainArgs {
    /// A cause such as `expired`, or a code such as 51007; without it, the list of both
    #[arg(value_name = "CAUSE|CODE")]
    pub word: Option<String>,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with a config file, with its secrets
    Check {
        /// Config file
        file: PathBuf,
        /// Also try everything that it names: files, addresses, Twilio, Alertmanagers, the state. Run it as the user of
        /// the daemon
        #[arg(long)]
        probe: bool,
        /// How to report what was tried: text or json
        #[arg(long, value_enum, default_value_t, hide_possible_values = true, requires = "probe")]
        format: CheckFormat,
    },
    /// Print every setting with its default
    Default,
    /// Print the JSON Schema of the config file
    Schema,
}

/// Arguments of `state`.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StateCommand,
}

/// The commands of `state`.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Print what is remembered, in short; also while the daemon runs
    Show {
        /// Where it is.
        #[command(flatten)]
        place: StatePlace,
    },
    /// Print everything that is remembered as JSON; also while the daemon runs
    Export {
        /// Where it is.
        #[command(flatten)]
        place: StatePlace,
    },
    /// Remove what is remembered: counters begin at 0, and files are read anew
    Reset {
        /// Where it is.
        #[command(flatten)]
        place: StatePlace,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Where the state is.
#[derive(Debug, Args)]
pub struct StatePlace {
    /// Config file that names the folder [default: as `run` without a config]
    #[arg(long, value_name = "FILE", conflicts_with = "state_dir")]
    pub config: Option<PathBuf>,
    /// Folder of the state
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page to print, such as `scan` or `config check`
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn time(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse(text).ok_or_else(|| "expected a time such as 2026-11-24T02:43:39Z or 1795488219".to_owned())
}

fn product(text: &str) -> Result<Product, String> {
    Product::from_id(text).ok_or_else(|| {
        let ids: Vec<_> = Product::ALL.into_iter().map(Product::id).collect();
        format!("expected one of {}", ids.join(", "))
    })
}

fn timezone(text: &str) -> Result<String, String> {
    match check_timezone(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(Some(near)) => Err(format!("expected a time zone of the IANA database; did you mean {near}?")),
        Err(None) => Err("expected a time zone of the IANA database, such as UTC or Europe/Berlin".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let (number, seconds) = units
        .into_iter()
        .find_map(|(unit, seconds)| text.strip_suffix(unit).map(|number| (number, seconds)))
        .unwrap_or((text, 1));
    let total = number.parse::<u32>().ok().and_then(|number| number.checked_mul(seconds));
    match total {
        Some(total) if total > 0 => Ok(Duration::from_secs(u64::from(total))),
        Some(_) | None => Err("expected a time such as 30s, 5m or 1h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_counts_seconds() {
        let seconds = |text| duration(text).ok().map(|time| time.as_secs());
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1h"), Some(3600));
        for bad in ["", "0", "s", "-1s", "1d", "9999999999h"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_output_of_the_arguments_holds_no_token() {
        let cli = Cli::try_parse_from(["diag51007", "check", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"]).unwrap();
        assert!(!format!("{cli:?}").contains("eyJ"));
    }

    #[test]
    fn more_v_means_more_log() {
        let level = |arguments: &[&str]| Cli::try_parse_from(arguments).unwrap().global.level();
        assert_eq!(level(&["diag51007", "man"]), None);
        assert_eq!(level(&["diag51007", "man", "-v"]), Some(Level::Debug));
        assert_eq!(level(&["diag51007", "-vvv", "man"]), Some(Level::Trace));
        assert_eq!(level(&["diag51007", "man", "--log-level", "warn"]), Some(Level::Warn));
    }
}
