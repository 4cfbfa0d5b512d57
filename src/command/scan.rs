//! `scan`: whole files once through the core, and a report of what was found.
//!
//! Memory does not grow with the log: a report keeps counts and one example a cause; the JSON formats write each
//! diagnosis as it is found. A file that can't be read is reported, and the others are still scanned.

pub mod input;
pub mod progress;

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::command::scan::input::Input;
use crate::command::scan::progress::Progress;
use crate::diagnosis::Diagnosis;
use crate::keyring::KeyRing;
use crate::pipeline::{Event, Pipeline, Settings, Stream, StreamId};
use crate::report::page::Colour;
use crate::report::tally::{FileTally, Tally, Unread};
use crate::report::{exposition, scan as text};
use crate::source::file::WholeError;
use crate::time::UnixTime;

/// Name of the source in diagnoses and metrics.
pub const SOURCE: &str = "scan";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A report for people.
    Text,
    /// One object: `rejections`, written as they are found, then `summary`.
    Json,
    /// One diagnosis a line, as it is found.
    Ndjson,
    /// Counters in the Prometheus text format.
    Prometheus,
}

/// How to scan.
#[derive(Clone, Debug)]
pub struct Job {
    /// The core's settings.
    pub settings: Settings,
    /// Keys and accounts.
    pub keyring: KeyRing,
    /// Zone of times without one: an IANA name or `UTC`.
    pub timezone: Arc<str>,
    /// What is written.
    pub format: Format,
    /// Whether the text report has colours.
    pub colour: Colour,
}

/// Why a scan could not end: the result had nowhere to go.
#[derive(Debug)]
pub enum Error {
    /// Writing the result failed.
    Output(io::Error),
}

impl Error {
    /// The exit code (sysexits); 0 when the reader of the pipe had enough, which is no fault.
    pub fn exit_code(&self) -> u8 {
        let Self::Output(error) = self;
        if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 74 }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Output(error) = self;
        write!(f, "the result could not be written: {error}")
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Scans the inputs, the oldest first, and writes the result to `out`. `now` judges what has no time of its own.
pub fn scan(
    mut inputs: Vec<Input>,
    job: Job,
    now: UnixTime,
    out: &mut dyn Write,
    progress: &Progress,
) -> Result<Tally, Error> {
    let mut run = Run {
        pipeline: Pipeline::new(job.settings, job.keyring),
        report: Report { format: job.format, tally: Tally::default(), out, failed: None },
        timezone: job.timezone,
        now,
    };
    run.report.start()?;
    input::sort_by_age(&mut inputs);
    for (number, input) in (0..).zip(inputs) {
        run.file(StreamId(number), input, progress)?;
    }
    progress.end();
    run.report.tally.elapsed = progress.elapsed();
    run.report.end(job.colour)
}

struct Run<'a> {
    pipeline: Pipeline,
    report: Report<'a>,
    timezone: Arc<str>,
    now: UnixTime,
}

impl Run<'_> {
    fn file(&mut self, id: StreamId, input: Input, progress: &Progress) -> Result<(), Error> {
        let name: Arc<str> = input.name().into();
        let whole = match input.open() {
            Ok(whole) => whole,
            Err(error) => {
                self.report.tally.failures.push(unread(&name, &error));
                return Ok(());
            }
        };
        let modified = whole.modified();
        self.report.tally.files.push(FileTally { name: name.to_string(), modified, ..FileTally::default() });
        self.pipeline.open(
            id,
            Stream {
                source: SOURCE.into(),
                path: Some(Arc::clone(&name)),
                modified,
                timezone: Arc::clone(&self.timezone),
                offset: 0,
                whole: true,
            },
        );
        let (search, taken, mut shown) = (self.pipeline.search(), whole.progress(), 0);
        let mut result = Ok(());
        let ended = whole.read_searched(&search, |chunk, hits| {
            self.pipeline.push_searched(id, chunk, hits, self.now, &mut |event| self.report.take(event));
            result = self.report.check();
            let read = taken.load(Ordering::Relaxed);
            progress.read(read.saturating_sub(shown));
            shown = read;
            progress.found(self.report.tally.rejections);
            if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        result?;
        self.pipeline.finish(id, self.now, &mut |event| self.report.take(event));
        self.report.check()?;
        progress.found(self.report.tally.rejections);
        if let Err(error) = ended {
            self.report.tally.failures.push(unread(&name, &error));
        }
        Ok(())
    }
}

/// What became of a file that was not read, or not to its end.
fn unread(name: &str, error: &WholeError) -> Unread {
    let (message, exit_code) = match error {
        WholeError::Kind(..) => ("a folder; name the files in it, as in `scan FOLDER/*.log`".to_owned(), 66),
        WholeError::Damaged(..) => {
            ("a damaged or incomplete archive; what could be unpacked was scanned".to_owned(), 74)
        }
        WholeError::Open(_, error) if error.kind() == io::ErrorKind::NotFound => {
            ("there is no such file".to_owned(), 66)
        }
        WholeError::Open(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
            ("permission denied; run as a user who may read it".to_owned(), 77)
        }
        WholeError::Open(_, error) | WholeError::Read(_, error) => (format!("reading failed: {error}"), 74),
    };
    Unread { name: name.to_owned(), message, exit_code }
}

/// Where events go: into the counts, and for the JSON formats straight out.
struct Report<'a> {
    format: Format,
    tally: Tally,
    out: &'a mut dyn Write,
    failed: Option<io::Error>,
}

impl Report<'_> {
    fn start(&mut self) -> Result<(), Error> {
        match self.format {
            Format::Json => Ok(self.out.write_all(b"{\"rejections\":[")?),
            Format::Text | Format::Ndjson | Format::Prometheus => Ok(()),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Diagnosed(diagnosis) => {
                let first = self.tally.rejections == 0;
                self.tally.add(&diagnosis);
                if self.failed.is_none() {
                    self.failed = self.write(&diagnosis, first).err();
                }
            }
            Event::Exposed(_) => self.tally.exposed += 1,
            Event::Resighted { .. } => self.tally.sightings += 1,
            Event::Misfit(misfit) => {
                if let Some(file) = self.tally.files.last_mut() {
                    file.misfits += 1;
                    file.first_misfit.get_or_insert(misfit.line);
                }
            }
            Event::Lines { lines, truncated, bytes, .. } => {
                if let Some(file) = self.tally.files.last_mut() {
                    file.lines += lines;
                    file.truncated += truncated;
                    file.bytes += bytes;
                }
            }
        }
    }

    fn write(&mut self, diagnosis: &Diagnosis, first: bool) -> io::Result<()> {
        match self.format {
            Format::Text | Format::Prometheus => Ok(()),
            Format::Json => {
                self.out.write_all(if first { b"\n" } else { b",\n" })?;
                Ok(serde_json::to_writer(&mut *self.out, diagnosis)?)
            }
            Format::Ndjson => {
                serde_json::to_writer(&mut *self.out, diagnosis)?;
                self.out.write_all(b"\n")
            }
        }
    }

    /// Reports what could not be written, and lets what was written be seen.
    fn check(&mut self) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        match self.format {
            Format::Ndjson => Ok(self.out.flush()?),
            Format::Text | Format::Json | Format::Prometheus => Ok(()),
        }
    }

    fn end(self, colour: Colour) -> Result<Tally, Error> {
        match self.format {
            Format::Text => self.out.write_all(text::render(&self.tally, colour).as_bytes())?,
            Format::Prometheus => self.out.write_all(exposition::render(&self.tally, SOURCE).as_bytes())?,
            Format::Json => {
                self.out.write_all(b"\n],\"summary\":")?;
                serde_json::to_writer(&mut *self.out, &self.tally).map_err(io::Error::from)?;
                self.out.write_all(b"}\n")?;
            }
            Format::Ndjson => {}
        }
        self.out.flush()?;
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests;
