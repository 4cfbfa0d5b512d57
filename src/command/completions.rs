//! `completions`: the script that teaches a shell this command line.

use clap::CommandFactory;

use crate::command::arguments::{Cli, CompletionsArgs};
use crate::command::{Exit, Outcome, output};

/// Prints the script.
pub(super) fn completions(arguments: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "diag51007", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
