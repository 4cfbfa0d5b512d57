//! The daemon's own state: config, sources, build.

use serde::Serialize;
use serde_json::{Value, json};

use crate::ledger::View;
use crate::ledger::totals;
use crate::time::UnixTime;

use super::{BuildInfo, Status};

#[derive(Debug, Serialize)]
struct SourceStatus<'a> {
    source: &'a str,
    up: bool,
    caught_up: bool,
    files: u64,
    unread_bytes: u64,
    lag_seconds: f64,
    lines: u64,
    read_bytes: u64,
    lines_truncated: u64,
    lost_bytes: u64,
    rotations: Value,
    rejections: u64,
    sightings: u64,
    events: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<UnixTime>,
    errors: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<LastError<'a>>,
}

#[derive(Debug, Serialize)]
struct LastError<'a> {
    at: UnixTime,
    kind: &'static str,
    message: &'a str,
}

/// Lag and errors by source, in the order of the config; only sources that there are now.
pub(super) fn sources(view: &View) -> Value {
    let rows: Vec<SourceStatus<'_>> =
        view.sources.iter().filter(|source| source.configured).map(|source| row(source)).collect();
    json!({ "sources": rows })
}

fn row(source: &totals::Source) -> SourceStatus<'_> {
    SourceStatus {
        source: &source.name,
        up: source.up,
        caught_up: source.caught_up,
        files: source.files,
        unread_bytes: source.unread_bytes,
        lag_seconds: source.lag_seconds,
        lines: source.lines,
        read_bytes: source.read_bytes,
        lines_truncated: source.lines_truncated,
        lost_bytes: source.lost_bytes,
        rotations: source.rotations.iter().map(|(kind, n)| (kind.id().to_owned(), Value::from(*n))).collect(),
        rejections: source.rejections_all(),
        sightings: source.sightings,
        events: source.events.iter().map(|(outcome, n)| (outcome.id().to_owned(), Value::from(*n))).collect(),
        last_event: source.last_event,
        errors: source.errors.iter().map(|(kind, n)| (kind.id().to_owned(), Value::from(*n))).collect(),
        last_error: source.last_error.as_ref().map(|error| LastError {
            at: error.at,
            kind: error.kind.id(),
            message: &error.message,
        }),
    }
}

/// The effective config, and since when it is in force.
pub(super) fn config(status: &Status) -> Value {
    json!({
        "config": status.config,
        "last_reload_successful": status.reload_successful,
        "loaded_at": status.reload_success_at,
    })
}

/// Which build this is, and since when it runs.
pub(super) fn build(build: &BuildInfo, status: &Status) -> Value {
    json!({
        "version": build.version,
        "revision": build.revision,
        "rustversion": build.rustversion,
        "started_at": status.started_at,
    })
}
