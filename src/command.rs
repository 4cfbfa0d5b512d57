//! The command line's frame: what is parsed, what it calls, and how it ends.
//!
//! The commands themselves are one module each below. A command gets its parsed arguments and gives an [`Exit`] or a
//! [`Failure`]; only [`execute`] prints failures.

pub mod arguments;
pub mod check;
mod completions;
mod config;
pub mod demo;
mod explain;
mod man;
pub mod output;
mod probe;
mod run;
pub mod scan;
mod state;
mod top;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::panic::catch_unwind;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};

use crate::config::{Config, Fault, Logging, Problems};
use crate::log;
use crate::store::OpenError;
use arguments::{Cli, ColorChoice, Command, Global};

/// How the process ends. The numbers are those of `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; nothing wrong.
    Ok,
    /// Done; `check` found faults.
    Faults,
    /// The command line can't be understood.
    Usage,
    /// The input is not what it has to be.
    Data,
    /// An input file is not there.
    NoInput,
    /// Something needed can't be had, such as a port in use.
    Unavailable,
    /// A fault of diag51007.
    Internal,
    /// A file or folder can't be made.
    CantCreate,
    /// Reading or writing failed.
    Io,
    /// A permission is missing.
    NoPermission,
    /// The config can't be used.
    Config,
}

impl Exit {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Faults => 1,
            Self::Usage => 2,
            Self::Data => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::CantCreate => 73,
            Self::Io => 74,
            Self::NoPermission => 77,
            Self::Config => 78,
        }
    }

    /// The code that says best why a file can't be opened or read.
    pub fn of_io(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::NoInput
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::NoPermission
        } else {
            Self::Io
        }
    }
}

/// The code that says best why a state can't be used.
fn exit_of_state(error: &OpenError) -> Exit {
    match error {
        OpenError::Locked { .. } => Exit::Unavailable,
        OpenError::Folder(_, error) | OpenError::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Exit::NoPermission
        }
        OpenError::Folder(..) => Exit::CantCreate,
        OpenError::Io(..) => Exit::Io,
    }
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The config can't be used; prints all that is wrong with it.
    Config(Problems),
    /// Standard output can't be written. A closed pipe is no fault: `diag51007 … | head` ends quietly.
    Output(io::Error),
    /// An input can't be opened or read.
    Input(PathBuf, io::Error),
    /// Anything else: how to end, and a sentence that says what to change.
    Other(Exit, String),
}

impl Failure {
    /// How the process ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
            Self::Output(_) => Exit::Io,
            Self::Input(_, error) => Exit::of_io(error),
            Self::Other(exit, _) => *exit,
        }
    }

    /// What standard error says; nothing for a closed pipe.
    fn message(&self) -> Option<String> {
        match self {
            Self::Config(problems) => Some(problems.to_string()),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Self::Output(error) => Some(format!("diag51007: standard output can't be written: {error}")),
            Self::Input(path, error) => Some(format!("diag51007: {} can't be read: {error}", path.display())),
            Self::Other(_, message) => Some(format!("diag51007: {message}")),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

/// What a command gives.
pub type Outcome = Result<Exit, Failure>;

/// Runs a command line, its first word being the program's name, and prints why it failed. A panic ends it in good
/// order too, without the values that its message may hold.
pub fn execute(arguments: Vec<OsString>) -> Exit {
    log::install_panic_hook();
    catch_unwind(|| run_line(arguments)).unwrap_or(Exit::Internal)
}

fn run_line(arguments: Vec<OsString>) -> Exit {
    // Kept for error messages: clap repeats words of the command line, and a token may be among them.
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let parsed = Cli::command().try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &words),
    };
    output::choose_colour(cli.global.color);
    match dispatch(cli) {
        Ok(exit) => exit,
        Err(failure) => {
            if let Some(message) = failure.message() {
                output::print_error(&message);
            }
            failure.exit()
        }
    }
}

fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        Command::Run(arguments) => run::run(arguments, cli.global),
        Command::Demo(arguments) => run::demo(&arguments, cli.global),
        Command::Scan(arguments) => run::scan(arguments),
        Command::Check(arguments) => run::check(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Config(arguments) => config::config(&arguments),
        Command::State(arguments) => state::state(&arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
    }
}

/// Loads the config that `--config` names, or the defaults, and prints its warnings. For commands that read no source
/// of it; see [`Config::load_with_paths`] for `run`.
pub fn load_config(path: Option<&PathBuf>) -> Result<Config, Failure> {
    let Some(path) = path else { return Ok(Config::default()) };
    let loaded = Config::load(path)?;
    for warning in loaded.warnings.iter().filter(|warning| warning.fault != Fault::NoSource) {
        output::print_error(&warning.to_string());
    }
    Ok(loaded.config)
}

/// Starts the log of a daemon. The level is that of the command line, else of the environment, else of the config.
pub fn start_log(global: &Global, config: Logging) -> Result<(), Failure> {
    let level = match global.level() {
        Some(level) => level,
        None => environment_level()?.unwrap_or(config.level),
    };
    let colour = match global.color {
        ColorChoice::Always => log::Colour::On,
        ColorChoice::Auto if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() => log::Colour::On,
        ColorChoice::Auto | ColorChoice::Never => log::Colour::Off,
    };
    log::init(level, config.format, colour)
        .map_err(|error| Failure::Other(Exit::Internal, format!("the log can't be started: {error}")))
}

fn environment_level() -> Result<Option<log::Level>, Failure> {
    let Some(word) = std::env::var_os(log::LEVEL_VARIABLE).filter(|word| !word.is_empty()) else { return Ok(None) };
    match word.to_str().and_then(log::Level::from_id) {
        Some(level) => Ok(Some(level)),
        None => Err(Failure::Other(
            Exit::Usage,
            format!("{}: expected error, warn, info, debug or trace, but found another word", log::LEVEL_VARIABLE),
        )),
    }
}

/// Prints what clap says: help and version on standard output, anything else on standard error.
fn refuse(error: &clap::Error, words: &[String]) -> Exit {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        output::print_error(withhold(&text, words).trim_end());
        return Exit::Usage;
    }
    match output::print(&text) {
        Ok(()) => Exit::Ok,
        Err(failure) => failure.exit(),
    }
}

/// Words of the command line from this length on are not repeated: a secret has 32 characters, a token some hundred.
const REPEATED_CHARS_MAX: usize = 31;

fn withhold(text: &str, words: &[String]) -> String {
    let values = words.iter().flat_map(|word| [Some(word.as_str()), word.split_once('=').map(|(_, value)| value)]);
    let mut text = text.to_owned();
    for value in values.flatten() {
        let length = value.chars().count();
        if length > REPEATED_CHARS_MAX {
            text = text.replace(value, &format!("({length} characters, withheld)"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_long_word_is_not_repeated() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln";
        let words = ["check".to_owned(), format!("--at={token}"), token.to_owned()];
        let text = withhold(&format!("invalid value '{token}' for '--at <TIME>'"), &words);
        assert_eq!(text, "invalid value '(42 characters, withheld)' for '--at <TIME>'");
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_end() {
        let failure = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((failure.exit(), failure.message()), (Exit::Ok, None));
        assert_eq!(Failure::Output(io::ErrorKind::StorageFull.into()).exit(), Exit::Io);
    }

    #[test]
    fn an_input_that_is_not_there_and_one_that_is_closed_end_differently() {
        let exit = |kind: io::ErrorKind| Failure::Input("x".into(), kind.into()).exit().code();
        assert_eq!(exit(io::ErrorKind::NotFound), 66);
        assert_eq!(exit(io::ErrorKind::PermissionDenied), 77);
        assert_eq!(exit(io::ErrorKind::Interrupted), 74);
    }
}
