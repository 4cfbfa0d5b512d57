//! `check`: one token, all its faults, as far as they can be told without asking Twilio.
//!
//! Takes what people paste. The token is decoded for the eye and judged by the core; it is never printed.

use std::fmt;
use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::diagnosis::{Checked, Diagnosis};
use crate::paste::{self, Pasted};
use crate::report::page::Colour;
use crate::report::token as report;
use crate::token::{Ending, Sent};

/// A longer input is no token, and is refused.
pub const INPUT_BYTES_MAX: usize = 1 << 20;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The decoded token with its faults marked.
    Text,
    /// The diagnosis object, with notes on what was taken off around the token.
    Json,
}

/// How to report.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is written.
    pub format: Format,
    /// Whether the text has colours.
    pub colour: Colour,
    /// Where in the token a finding points.
    pub claim_of: report::ClaimOf,
}

/// The result, for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every check that could be made passed.
    Clean,
    /// The token has faults.
    Faults,
}

impl Outcome {
    /// The exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Faults => 1,
        }
    }
}

/// Why nothing could be said.
#[derive(Debug)]
pub enum Error {
    /// Reading the token failed.
    Input(io::Error),
    /// The input is longer than [`INPUT_BYTES_MAX`].
    TooLong,
    /// Writing the result failed.
    Output(io::Error),
}

impl Error {
    /// The exit code (sysexits); 0 when the reader of the pipe had enough, which is no fault.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Input(_) | Self::Output(_) => 74,
            Self::TooLong => 65,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => write!(f, "the token could not be read: {error}"),
            Self::TooLong => {
                write!(f, "expected one token of at most {INPUT_BYTES_MAX} bytes, but found more; for a log use `scan`")
            }
            Self::Output(error) => write!(f, "the result could not be written: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// Reads what was piped in, up to the limit.
pub fn read_input(input: impl Read) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    input.take(INPUT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
    if bytes.len() > INPUT_BYTES_MAX { Err(Error::TooLong) } else { Ok(bytes) }
}

/// Checks what was pasted and writes the result. `judge` runs the checks on the token.
pub fn check(
    input: &[u8],
    options: Options,
    judge: impl FnOnce(&Sent) -> Diagnosis,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let Pasted { token, notes } = paste::token_in(input);
    let sent = Sent { raw: token, ending: Ending::Closed };
    let diagnosis = judge(&sent);
    write(&sent, &notes, &diagnosis, options, out).map_err(Error::Output)?;
    let is_clean = report::faults(&diagnosis).next().is_none();
    Ok(if is_clean { Outcome::Clean } else { Outcome::Faults })
}

fn write(
    sent: &Sent,
    notes: &[String],
    diagnosis: &Diagnosis,
    options: Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    match options.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &Checked { diagnosis, notes })?;
            out.write_all(b"\n")?;
        }
        Format::Text => {
            let text = report::render(&sent.raw, notes, diagnosis, options.claim_of, options.colour);
            out.write_all(text.as_bytes())?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests;
