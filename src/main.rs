//! The `diag51007` binary: runs the command line and turns how it ended into an exit code.

use std::process::ExitCode;

use diag51007::command;

fn main() -> ExitCode {
    let exit = command::execute(std::env::args_os().collect());
    ExitCode::from(exit.code())
}
