//! `man`: manual pages in roff, one for each command.

use clap::CommandFactory;

use crate::command::arguments::{Cli, ManArgs};
use crate::command::{Exit, Failure, Outcome, output};

/// Prints a page.
pub(super) fn man(arguments: &ManArgs) -> Outcome {
    let mut command = Cli::command();
    command.build();
    let mut name = "diag51007".to_owned();
    for word in &arguments.command {
        let Some(inner) = command.find_subcommand(word) else {
            let message = format!("`{name}` has no such command; `{name} --help` lists them");
            return Err(Failure::Other(Exit::Usage, message));
        };
        command = inner.clone();
        name = format!("{name} {word}");
    }
    let page_name = name.replace(' ', "-");
    let source = format!("diag51007 {}", crate::version::VERSION);
    let mut page = Vec::new();
    clap_mangen::Man::new(command.display_name(&page_name))
        .title(page_name)
        .source(source)
        .render(&mut page)
        .map_err(Failure::Output)?;
    output::print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}
