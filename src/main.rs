//! The `diag51007` binary: runs the command line and turns how it ended into an exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use diag51007::command::{self, Exit};
use diag51007::log;

fn main() -> ExitCode {
    log::install_panic_hook();
    let arguments = std::env::args_os().collect();
    let exit = catch_unwind(AssertUnwindSafe(|| command::execute(arguments)));
    ExitCode::from(exit.unwrap_or(Exit::Internal).code())
}
