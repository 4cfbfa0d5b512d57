//! `top`: how things are, at a glance, in a terminal.
//!
//! Asks a running daemon over HTTP and draws what it says; the terminal is given back in good order when it ends, also
//! by a signal or a panic. For files it runs a daemon of its own, which keeps nothing.

mod client;
mod own;
mod screen;
mod snapshot;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::arguments::TopArgs;
use super::{Exit, Failure, Outcome};
use client::Client;
use own::Own;
use screen::Screen;
use snapshot::Snapshot;

/// Between two questions to the daemon.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the thread that reads keys waits before it looks whether it is still needed.
const KEY_PAUSE: Duration = Duration::from_millis(100);

/// Shows a daemon until it is told to end.
pub(super) fn top(arguments: &TopArgs) -> Outcome {
    let usage = |why| Failure::Other(Exit::Usage, why);
    let client = Client::new(&arguments.url).map_err(usage)?;
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let instead = if arguments.files.is_empty() { "ask /api/v1/summary" } else { "take `diag51007 scan`" };
        let message = format!("`top` draws on a terminal, but standard input or output is none: {instead} instead");
        return Err(Failure::Other(Exit::Usage, message));
    }
    if arguments.files.is_empty() {
        return watch(&client);
    }
    let own = Own::start(arguments)?;
    let client = Client::inside(own.knocker.clone(), name_of(&arguments.files));
    let outcome = watch(&client);
    own.stop();
    outcome
}

/// How files are called on the screen.
fn name_of(files: &[PathBuf]) -> String {
    match files {
        [file] => file.display().to_string(),
        files => format!("{} paths", files.len()),
    }
}

/// Draws what a daemon says until a key or a signal ends it.
fn watch(client: &Client) -> Outcome {
    let failed = |error: io::Error| Failure::Other(Exit::Unavailable, format!("no runtime: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let first = client.snapshot().await.map_err(|why| Failure::Other(Exit::Unavailable, why))?;
        let drawn = show(client, first).await;
        // Restored here and not only in the panic hook: an error must not leave the terminal raw either.
        let restored = ratatui::try_restore();
        drawn.and(restored).map_err(|error| Failure::Other(Exit::Io, format!("the terminal can't be used: {error}")))
    })?;
    Ok(Exit::Ok)
}

/// What happened.
enum Happened {
    Key(KeyCode, KeyModifiers),
    Resized,
    Tick,
    Ended,
}

async fn show(client: &Client, first: Snapshot) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (say, mut keys) = mpsc::channel(64);
    thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&say))?;
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut screen = Screen::new(client.name(), first);
    loop {
        terminal.draw(|frame| screen.draw(frame))?;
        let happened = tokio::select! {
            event = keys.recv() => event.unwrap_or(Happened::Ended),
            _ = ticks.tick() => Happened::Tick,
            _ = terminate.recv() => Happened::Ended,
            _ = hangup.recv() => Happened::Ended,
        };
        match happened {
            Happened::Key(KeyCode::Char('c'), KeyModifiers::CONTROL) | Happened::Ended => return Ok(()),
            Happened::Key(key, _) => {
                if screen.press(key).is_break() {
                    return Ok(());
                }
            }
            Happened::Resized => {}
            Happened::Tick => screen.update(client.snapshot().await),
        }
    }
}

/// Passes keys on until nobody listens.
fn read_keys(say: &mpsc::Sender<Happened>) {
    while !say.is_closed() {
        let happened = match event::poll(KEY_PAUSE).and_then(|is_there| is_there.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) if key.kind == KeyEventKind::Press => Happened::Key(key.code, key.modifiers),
            Ok(Some(Event::Resize(_, _))) => Happened::Resized,
            Ok(_) => continue,
            // The terminal is gone.
            Err(_) => Happened::Ended,
        };
        if say.blocking_send(happened).is_err() {
            return;
        }
    }
}
