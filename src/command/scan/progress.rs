//! The progress bar of `scan`: on a terminal's standard error only, else nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// So often a second the bar is drawn at most.
const DRAWS_PER_SECOND: u8 = 8;

/// How far a scan has come.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    timed: bool,
}

impl Progress {
    /// A bar on standard error if that is a terminal, towards `total` bytes if the size is known. Measures time.
    pub fn on_terminal(total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let template = match total {
            Some(_) => "{wide_bar:.cyan} {percent:>3} %  {bytes_per_sec}  {msg}",
            None => "{spinner} {bytes} read  {bytes_per_sec}  {msg}",
        };
        // The templates are constants; should one not parse, the default style still shows progress.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message("no refusals yet");
        Self { bar, timed: true }
    }

    /// No bar and no clock.
    pub fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), timed: false }
    }

    /// Shows that so many more bytes have been taken from the disk.
    pub fn read(&self, bytes: u64) {
        if !self.bar.is_hidden() {
            self.bar.inc(bytes);
        }
    }

    /// Shows how many refusals have been found.
    pub fn found(&self, rejections: u64) {
        if !self.bar.is_hidden() && rejections > 0 {
            self.bar.set_message(crate::report::page::counted(rejections, "refusal", "refusals"));
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Time since the start; `None` if it is not measured.
    pub fn elapsed(&self) -> Option<Duration> {
        self.timed.then(|| self.bar.elapsed())
    }
}
