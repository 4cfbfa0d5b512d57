//! `config`: checks a config file, and prints the defaults and the schema.

use std::fmt::Write;
use std::path::Path;

use crate::command::arguments::{ConfigArgs, ConfigCommand};
use crate::command::{Exit, Failure, Outcome, output, probe};
use crate::config::{Config, DEFAULT_TOML, schema};

/// Runs a command of `config`.
pub(super) fn config(arguments: &ConfigArgs) -> Outcome {
    match &arguments.command {
        ConfigCommand::Check { file, probe: false, .. } => check(file),
        ConfigCommand::Check { file, probe: true, format } => {
            let loaded = Config::load(file)?;
            for warning in &loaded.warnings {
                output::print_error(&warning.to_string());
            }
            probe::probe(&loaded.config, *format)
        }
        ConfigCommand::Default => {
            output::print(DEFAULT_TOML)?;
            Ok(Exit::Ok)
        }
        ConfigCommand::Schema => print_schema(),
    }
}

fn check(file: &Path) -> Outcome {
    let loaded = Config::load(file)?;
    for warning in &loaded.warnings {
        output::print_error(&warning.to_string());
    }
    let config = &loaded.config;
    let (keys, accounts) = (config.keyring.keys(), config.keyring.accounts());
    let mut text = format!("{}: config OK: ", file.display());
    _ = write!(text, "{}, ", counted(config.sources.len(), "source"));
    let with_secret = keys.iter().filter(|key| key.secret.is_some()).count();
    _ = write!(text, "{} ({with_secret} with a secret), ", counted(keys.len(), "key"));
    let with_token = accounts.iter().filter(|account| account.auth_token.is_some()).count();
    _ = write!(text, "{} ({with_token} with an Auth Token)", counted(accounts.len(), "account"));
    if !loaded.warnings.is_empty() {
        _ = write!(text, ", {}", counted(loaded.warnings.len(), "warning"));
    }
    text.push('\n');
    output::print(&text)?;
    Ok(Exit::Ok)
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn print_schema() -> Outcome {
    let text = serde_json::to_string_pretty(&schema())
        .map_err(|error| Failure::Other(Exit::Internal, format!("the schema can't be written: {error}")))?;
    output::print(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
