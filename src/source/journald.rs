//! systemd's journal, through `journalctl --follow` as a child.
//!
//! What was read is known by the journal's own cursor, which is kept with the counters. After a start the entries that
//! later ones may look back at are read once more and must be the same bytes; if they are not, because the journal has
//! lost some or other ones are selected now, reading goes on behind the last that was counted. Where that one itself is
//! gone, too, journalctl begins with the next after its place (or after its time, if it was another machine's), and the
//! entries of the same microsecond are compared with those that were counted. What may have been lost is told, and counted
//! as an error `missing`; bytes whose refusals were not yet decided are lost bytes. A child that ends is started again,
//! later each time.
//!
//! Deliberately without the journal's files: their format is systemd's own.

pub mod child;
pub mod entry;
mod reading;

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use zeroize::Zeroizing;

use super::inlet::Complaints;
use super::{Failure, Health, Place, Sink};
use crate::time::UnixTime;
use child::{LAST_TIME_MAX, Selection, Trouble, ended, has_lost_cursor, warnings};
use entry::{Entry, between};
use reading::{Reading, Step};

/// How long to wait after a child that ended without an entry; doubled each time.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
/// The longest wait.
const PAUSE_MOST: Duration = Duration::from_secs(60);
/// Longer entries are passed over, in bytes as they are printed: a message of bytes takes four for each.
const ENTRY_BYTES_MAX: usize = 16 << 20;
/// Read at a time, in bytes.
const BLOCK_BYTES: usize = 64 << 10;
/// Kept of what a child says on standard error, in bytes.
const SAID_BYTES_MAX: usize = 4096;

/// What a journal is read with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the source.
    pub source: Arc<str>,
    /// Zone of times without one.
    pub timezone: Arc<str>,
    /// Which journal.
    pub selection: Selection,
    /// A journal that the state does not know is read from its present end on.
    pub from_end: bool,
    /// The daemon's clock.
    pub clock: fn() -> UnixTime,
}

/// A journal that is being read.
#[derive(Debug)]
pub struct Following {
    control: Arc<Control>,
    thread: JoinHandle<()>,
}

/// What the thread and whoever ends it share.
#[derive(Debug, Default)]
struct Control {
    state: Mutex<State>,
    wakes: Condvar,
}

#[derive(Debug, Default)]
struct State {
    has_ended: bool,
    child: Option<Child>,
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; says whether to go on.
    fn wait(&self, time: Duration) -> bool {
        let waited = self.wakes.wait_timeout_while(self.lock(), time, |state| !state.has_ended);
        !waited.unwrap_or_else(PoisonError::into_inner).0.has_ended
    }
}

impl Following {
    /// Ends the child and waits until what it printed has been delivered.
    pub fn stop(self) {
        {
            let mut state = self.control.lock();
            state.has_ended = true;
            if let Some(child) = &mut state.child {
                // It may have ended by itself.
                _ = child.kill();
            }
        }
        self.control.wakes.notify_all();
        // A panic there has been printed; what it had not delivered is read again at the next start.
        _ = self.thread.join();
    }
}

/// Starts to read a journal on a thread of its own.
pub fn follow_journal(settings: Settings, sink: Arc<dyn Sink>) -> io::Result<Following> {
    let control = Arc::new(Control::default());
    let shared = Arc::clone(&control);
    let thread = Builder::new().name("journal".to_owned()).spawn(move || {
        let complaints = Complaints::new(Arc::clone(&settings.source), Arc::clone(&sink));
        let reading = Reading::new(&settings, &*sink);
        Follower { settings: &settings, sink: &*sink, control: &shared, complaints, reading }.run();
    })?;
    Ok(Following { control, thread })
}

struct Follower<'a> {
    settings: &'a Settings,
    sink: &'a dyn Sink,
    control: &'a Control,
    complaints: Complaints,
    reading: Reading<'a>,
}

impl Follower<'_> {
    fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            let round = self.round();
            if self.control.lock().has_ended {
                break;
            }
            let Some(round) = round.transpose() else { continue };
            let (has_read, trouble) = round.map_or_else(|trouble| (false, trouble), |(read, why)| (read, why));
            self.sink.report(&self.settings.source, Health::Up(false));
            self.complaints.tell(trouble.kind, trouble.message);
            // A start must not wait for what may never work.
            self.reading.catch_up();
            failures = if has_read { 1 } else { failures + 1 };
            let pause = PAUSE_LEAST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MOST);
            if !self.control.wait(pause) {
                break;
            }
        }
        self.reading.leave();
    }

    /// Reads from one child until it ends; says whether it printed a new entry, and why it ended; none if another one has
    /// to begin elsewhere.
    fn round(&mut self) -> Result<Option<(bool, Trouble)>, Trouble> {
        let (last, troubles) = self.settings.selection.last(LAST_TIME_MAX, || self.control.lock().has_ended)?;
        for trouble in troubles {
            self.complaints.tell(trouble.kind, trouble.message);
        }
        self.reading.begin(last.as_ref());
        let mut command = self.settings.selection.follow(&self.reading.from());
        let mut child = command.spawn().map_err(|error| self.settings.selection.missing(&error))?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        {
            let mut state = self.control.lock();
            if state.has_ended {
                // It may have ended by itself.
                _ = child.kill();
            }
            state.child = Some(child);
        }
        self.sink.report(&self.settings.source, Health::Up(true));
        let (mut has_read, mut reads_on) = (false, true);
        let mut said = String::new();
        if let Some((stdout, stderr)) = pipes {
            let hearing = Builder::new().name("journal words".to_owned()).spawn(move || hear(stderr));
            reads_on = self.read(stdout, &mut has_read);
            if !reads_on && let Some(child) = &mut self.control.lock().child {
                // It may have ended by itself.
                _ = child.kill();
            }
            if let Ok(hearing) = hearing {
                // A panic there has been printed.
                said = hearing.join().unwrap_or_default();
            }
        }
        let Some(mut child) = self.control.lock().child.take() else {
            return Ok(Some((has_read, Trouble { kind: Failure::Read, message: "journalctl is gone".to_owned() })));
        };
        // Its standard output has ended, so it has nothing more to say.
        _ = child.kill();
        let status = child.wait().map_err(|error| self.settings.selection.missing(&error))?;
        for warning in warnings(&said) {
            self.complaints.tell(warning.kind, warning.message);
        }
        if has_lost_cursor(&said) {
            self.reading.lose_cursor();
        }
        Ok(reads_on.then(|| (has_read, ended(&said, status))))
    }

    /// Takes what a child prints until it ends; false if another one has to begin elsewhere.
    fn read(&mut self, stdout: ChildStdout, has_read: &mut bool) -> bool {
        let mut reader = BufReader::with_capacity(BLOCK_BYTES, stdout);
        let mut printed = Zeroizing::new(Vec::new());
        loop {
            let is_whole = match read_line(&mut reader, &mut printed) {
                Ok(Some(is_whole)) => is_whole,
                Ok(None) => break,
                Err(error) => {
                    self.complaints.tell(Failure::Read, format!("journalctl can't be read: {error}"));
                    break;
                }
            };
            match Entry::read(&printed).filter(|_| is_whole) {
                Some(entry) => match self.take(&entry) {
                    Step::Known => {}
                    Step::New => *has_read = true,
                    // Only while this is stopped.
                    Step::Missing => break,
                    Step::Restart => return false,
                },
                None if printed.starts_with(b"--") => {}
                None => {
                    let message =
                        format!("an entry is longer than {ENTRY_BYTES_MAX} bytes or no JSON: it is passed over");
                    self.complaints.tell(Failure::Payload, message);
                }
            }
            if !reader.buffer().contains(&b'\n') {
                self.reading.flush();
                self.sink.pause();
            }
        }
        self.reading.flush();
        self.sink.pause();
        true
    }

    fn take(&mut self, entry: &Entry) -> Step {
        let step = self.reading.take(entry);
        let Some(end) = self.reading.end().filter(|_| step == Step::Missing) else { return step };
        let is_there = self.settings.selection.has(&end.cursor, LAST_TIME_MAX, || self.control.lock().has_ended);
        if self.control.lock().has_ended {
            return step;
        }
        // It is there if it is only not selected any more.
        if is_there != Some(true) {
            self.complaints.tell(Failure::Missing, lost(end, entry));
        }
        self.reading.take(entry)
    }
}

/// What may have been lost between the last entry that was counted and the next that there is.
fn lost(end: &Place, next: &Entry) -> String {
    let time = |micros: u64| UnixTime::from_millis(i64::try_from(micros / 1000).unwrap_or(i64::MAX));
    let count =
        between(&end.cursor, &next.cursor).map_or_else(String::new, |count| format!(", at most {count} entries"));
    format!(
        "The journal does not have the entry of {} any more, up to which it was read: what was logged from then to {} may be \
         lost{count}. Let it keep more with `SystemMaxUse=` in journald.conf; another machine's journal needs a source with \
         another name.",
        time(end.micros),
        time(next.micros),
    )
}

/// Reads a line; none at the end, and false if only a part of it was kept.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let read = reader.by_ref().take(ENTRY_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        return Ok(Some(true));
    }
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(Some(false));
        }
        let end = memchr::memchr(b'\n', block);
        let length = end.map_or(block.len(), |at| at + 1);
        reader.consume(length);
        if end.is_some() {
            return Ok(Some(false));
        }
    }
}

/// What a child says on standard error until it ends: the end of it.
fn hear(mut stderr: ChildStderr) -> String {
    let (mut said, mut block) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = stderr.read(&mut block) {
        said.extend_from_slice(block.get(..length).unwrap_or_default());
        let excess = said.len().saturating_sub(SAID_BYTES_MAX);
        said.drain(..excess);
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlong_line_is_passed_over_and_the_next_is_read() {
        let long = vec![b'x'; ENTRY_BYTES_MAX + 10];
        let text = [b"a\n", long.as_slice(), b"\nb\nc"].concat();
        let (mut reader, mut line) = (BufReader::new(text.as_slice()), Vec::new());
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(true));
        assert_eq!(line, b"a\n");
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(false));
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(true));
        assert_eq!(line, b"b\n");
        // A line without an end was cut off with the child.
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(false));
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), None);
    }
}
