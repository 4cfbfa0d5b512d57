//! `state`: shows, exports and removes what is remembered.
//!
//! Looking takes no lock and changes nothing, so it works beside a running daemon, too. What is shown is what is kept:
//! there is no token and no secret in it, and the key of the fingerprints stays inside.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::arguments::{StateArgs, StateCommand, StatePlace};
use super::{Exit, Failure, Outcome, exit_of_state, load_config, output};
use crate::daemon::{self, now};
use crate::ledger::{Ledger, Settings, View};
use crate::report::page::shown;
use crate::source::file::follow::CONTENT_DEVICE;
use crate::store::{self, SCHEMA, Snapshot, SnapshotError, Table, rows_of};
use crate::time::UnixTime;

/// Files that `show` lists.
const FILES_SHOWN_MAX: usize = 20;

/// Runs a command of `state`.
pub(super) fn state(arguments: &StateArgs) -> Outcome {
    match &arguments.command {
        StateCommand::Show { place } => show(&folder(place)?),
        StateCommand::Export { place } => export(&folder(place)?),
        StateCommand::Reset { place, yes } => reset(&folder(place)?, *yes),
    }
}

fn folder(place: &StatePlace) -> Result<PathBuf, Failure> {
    if let Some(folder) = &place.state_dir {
        return Ok(folder.clone());
    }
    let config = load_config(place.config.as_ref())?;
    config.state_dir().ok_or_else(|| Failure::Other(Exit::Config, daemon::Error::NoStateDir.to_string()))
}

fn snapshot(folder: &std::path::Path) -> Result<Snapshot, Failure> {
    Snapshot::read(folder).map_err(|error| {
        let exit = match &error {
            SnapshotError::None(_) => Exit::NoInput,
            SnapshotError::Io(_, error) => Exit::of_io(error),
            SnapshotError::Unusable(..) => Exit::Data,
        };
        Failure::Other(exit, error.to_string())
    })
}

fn view(snapshot: &Snapshot) -> (Arc<View>, Vec<String>) {
    let rows = rows_of(&snapshot.rows, Table::Ledger);
    let rows = rows.filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)));
    let (mut ledger, unknown) = Ledger::restored(Settings::default(), [], now(), rows);
    (ledger.commit(), unknown)
}

fn show(folder: &std::path::Path) -> Outcome {
    let snapshot = snapshot(folder)?;
    let (view, unknown) = view(&snapshot);
    let mut text = String::new();
    _ = writeln!(text, "state       {}", shown(&folder.to_string_lossy()));
    _ = writeln!(
        text,
        "size        {} bytes, {} rows, {} commits",
        snapshot.bytes,
        snapshot.rows.len(),
        snapshot.commits
    );
    _ = writeln!(text, "rejections  {}", view.totals.rejections);
    if let Some(last) = view.totals.last_rejection {
        _ = writeln!(text, "last        {last}");
    }
    _ = writeln!(text, "tokens      {} refused ones are recognised", rows_of(&snapshot.rows, Table::Refused).count());
    let events = rows_of(&snapshot.rows, Table::Event).count();
    if events > 0 {
        _ = writeln!(text, "events      {events} of Twilio's are recognised");
    }
    if !unknown.is_empty() {
        _ = writeln!(text, "unreadable  {} rows", unknown.len());
    }
    for source in &view.sources {
        _ = writeln!(
            text,
            "\nsource `{}`: {} rejections, {} lines, {} bytes, {} bytes lost",
            source.name,
            source.rejections_all(),
            source.lines,
            source.read_bytes,
            source.lost_bytes
        );
        let mut files: Vec<Value> =
            streams(&snapshot).filter(|file| file.get("source").is_some_and(|name| *name == *source.name)).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.get("found").and_then(Value::as_i64)));
        for file in files.iter().take(FILES_SHOWN_MAX) {
            let path = shown(file.get("path").and_then(Value::as_str).unwrap_or("?"));
            let at = |pointer: &str| file.pointer(pointer).and_then(Value::as_u64);
            let offset = at("/mark/unpacked").or(at("/mark/position/offset"));
            let found = UnixTime::from_seconds(file.get("found").and_then(Value::as_i64).unwrap_or_default());
            let offset = offset.unwrap_or(0);
            _ = if at("/mark/position/identity/device") == Some(CONTENT_DEVICE) {
                writeln!(text, "  {path}: {offset} bytes that it held are recognised in archives, kept at {found}")
            } else {
                writeln!(text, "  {path}: read up to byte {offset}, opened or closed last at {found}")
            };
        }
        if files.len() > FILES_SHOWN_MAX {
            _ = writeln!(text, "  and {} more", files.len() - FILES_SHOWN_MAX);
        }
    }
    output::print(&text)?;
    Ok(Exit::Ok)
}

fn streams(snapshot: &Snapshot) -> impl Iterator<Item = Value> {
    rows_of(&snapshot.rows, Table::Stream).filter_map(|(_, value)| serde_json::from_slice(value).ok())
}

fn export(folder: &std::path::Path) -> Outcome {
    let snapshot = snapshot(folder)?;
    let mut ledger = Map::new();
    for (name, value) in rows_of(&snapshot.rows, Table::Ledger) {
        let value = serde_json::from_slice(value).unwrap_or(Value::Null);
        ledger.insert(String::from_utf8_lossy(name).into_owned(), value);
    }
    let refused = rows_of(&snapshot.rows, Table::Refused).filter_map(|(name, value)| {
        let (fingerprint, remembered) = daemon::read_refused(name, value)?;
        let (first, times) = (remembered.first, remembered.times);
        Some(json!({ "fingerprint": fingerprint, "first": first, "times": times }))
    });
    let verified = rows_of(&snapshot.rows, Table::Verified).filter_map(|(name, value)| {
        let (fingerprint, known) = daemon::read_verified(name, value)?;
        Some(json!({ "fingerprint": fingerprint, "contents": known.contents }))
    });
    let mut keys = Map::new();
    for (name, value) in rows_of(&snapshot.rows, Table::Fared) {
        let value = serde_json::from_slice(value).unwrap_or(Value::Null);
        keys.insert(String::from_utf8_lossy(name).into_owned(), value);
    }
    let events = rows_of(&snapshot.rows, Table::Event).filter_map(|(name, value)| {
        let (_, event) = daemon::read_event(name, value)?;
        Some(json!({ "sid": event.sid.to_string(), "counted": UnixTime::from_seconds(i64::from(event.day) * 86_400) }))
    });
    let document = json!({
        "schema": SCHEMA,
        "commits": snapshot.commits,
        "ledger": ledger,
        "streams": streams(&snapshot).collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "verified": verified.collect::<Vec<_>>(),
        "keys": keys,
        "events": events.collect::<Vec<_>>(),
    });
    output::print(&format!("{document:#}\n"))?;
    Ok(Exit::Ok)
}

fn reset(folder: &std::path::Path, yes: bool) -> Outcome {
    if !folder.is_dir() {
        let error = SnapshotError::None(folder.to_owned());
        return Err(Failure::Other(Exit::NoInput, error.to_string()));
    }
    if !yes && !confirm(folder)? {
        output::print("Nothing was removed.\n")?;
        return Ok(Exit::Ok);
    }
    let removed = store::reset(folder).map_err(|error| Failure::Other(exit_of_state(&error), error.to_string()))?;
    let mut text = String::new();
    for file in &removed {
        _ = writeln!(text, "removed {}", shown(&file.to_string_lossy()));
    }
    if removed.is_empty() {
        text.push_str("There was no state.\n");
    }
    output::print(&text)?;
    Ok(Exit::Ok)
}

fn confirm(folder: &std::path::Path) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        let message = "expected a terminal to ask whether the state is to be removed, but found none; use --yes";
        return Err(Failure::Other(Exit::Usage, message.to_owned()));
    }
    let question = format!(
        "Remove the state in {}? Counters begin at 0, and files are read from where `start` says. [y/N] ",
        shown(&folder.to_string_lossy())
    );
    output::print(&question)?;
    io::stdout().flush().map_err(Failure::Output)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::Input("standard input".into(), error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
