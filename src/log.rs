//! The daemon's own log, on standard error.
//!
//! Only this crate's events are written in full. Those of the libraries stay at `warn` whatever the level, because at
//! `trace` some of them print what they carry, and that may be a token.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;

use tracing::Dispatch;
use tracing::dispatcher::SetGlobalDefaultError;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, registry};

/// The environment variable that gives the level, below the command line and above the config.
pub const LEVEL_VARIABLE: &str = "DIAG51007_LOG";

/// The least level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Level {
    /// Data were lost, or a person must act.
    Error,
    /// Unexpected, and recovered.
    Warn,
    /// Starts, stops, reloads, rotations.
    #[default]
    Info,
    /// What is decided, and why.
    Debug,
    /// Every step.
    Trace,
}

impl Level {
    /// Every level, from the fewest to the most events.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word for it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// Reads a word.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.id().eq_ignore_ascii_case(id))
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

/// How an event is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object on a line.
    Json,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The word for it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Starts the log. Fails if it was started before.
pub fn init(level: Level, format: Format, colour: Colour) -> Result<(), SetGlobalDefaultError> {
    tracing::dispatcher::set_global_default(dispatch(level, format, colour, std::io::stderr))
}

fn dispatch<W>(level: Level, format: Format, colour: Colour, writer: W) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = Targets::new()
        .with_default(level.filter().min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level.filter());
    let layer = fmt::layer().with_writer(writer).with_ansi(colour == Colour::On);
    match format {
        Format::Text => registry().with(layer.with_target(false).with_filter(filter)).into(),
        Format::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry().with(layer.with_filter(filter)).into()
        }
    }
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Has panics print where they happened, without the values in their message: these may be parts of a token.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let message = panic_message(info.payload(), place.as_deref());
        let backtrace = Backtrace::capture();
        // The log may be what panicked, so this goes to standard error directly; a closed one can't be helped.
        let mut stderr = std::io::stderr().lock();
        _ = writeln!(stderr, "{message}");
        if backtrace.status() == BacktraceStatus::Captured {
            _ = writeln!(stderr, "{backtrace}");
        }
    }));
}

fn panic_message(payload: &dyn Any, place: Option<&str>) -> String {
    // A literal was written by a programmer; anything else was put together from values.
    let what = payload.downcast_ref::<&'static str>().copied();
    let what = what.unwrap_or("(message withheld, because it may hold a part of a log)");
    format!("diag51007: internal error at {}: {what}", place.unwrap_or("an unknown place"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(level: Level, format: Format) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let dispatch = dispatch(level, format, Colour::Off, move || writer.clone());
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::debug!(files = 3, "Following.");
            tracing::trace!(target: "hyper", "what a library carries");
            tracing::error!(target: "hyper", "what a library can't do");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn libraries_log_no_more_than_warnings_whatever_the_level() {
        let text = written(Level::Trace, Format::Text);
        assert!(text.contains("Following.") && text.contains("can't do"), "{text}");
        assert!(!text.contains("carries"), "{text}");
    }

    #[test]
    fn events_below_the_level_are_not_written() {
        assert!(!written(Level::Info, Format::Text).contains("Following."));
    }

    #[test]
    fn json_has_one_object_a_line_with_the_fields_at_its_top() {
        let text = written(Level::Debug, Format::Json);
        let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&events[0]["message"], &events[0]["files"]), (&"Following.".into(), &3.into()));
        assert_eq!((&events[0]["level"], &events[1]["target"]), (&"DEBUG".into(), &"hyper".into()));
    }

    #[test]
    fn a_level_reads_back_in_any_case() {
        for level in Level::ALL {
            assert_eq!(Level::from_id(&level.id().to_uppercase()), Some(level));
        }
        assert_eq!(Level::from_id("loud"), None);
    }

    #[test]
    fn a_panic_shows_what_a_programmer_wrote_and_no_value() {
        let literal = panic_message(&"the queue is closed", Some("src/a.rs:1:2"));
        assert_eq!(literal, "diag51007: internal error at src/a.rs:1:2: the queue is closed");
        assert!(!panic_message(&String::from("eyJhbGciOiJIUzI1NiJ9"), None).contains("eyJ"));
    }
}
