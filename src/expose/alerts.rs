//! The daemon's own alerts, as Prometheus shows its own.

use serde::Serialize;

use crate::ledger::alert::{Alert, Alerts, State};
use crate::time::UnixTime;

/// An active alert in the shape of Prometheus' `/api/v1/alerts`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    labels: &'a std::collections::BTreeMap<String, String>,
    annotations: &'a std::collections::BTreeMap<String, String>,
    state: &'static str,
    active_at: UnixTime,
    value: String,
}

impl<'a> Row<'a> {
    fn of(alert: &'a Alert) -> Self {
        Self {
            labels: &alert.labels,
            annotations: &alert.annotations,
            state: alert.state.id(),
            active_at: alert.active_at,
            value: exponential(alert.value),
        }
    }
}

/// Every alert that is pending or fires.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    status: &'static str,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    alerts: Vec<Row<'a>>,
}

/// The list as it is answered.
pub(super) fn list(alerts: &Alerts) -> Answer<'_> {
    Answer { status: "success", data: Data { alerts: alerts.active().map(Row::of).collect() } }
}

/// Those that fire, for the summary.
pub(super) fn firing(alerts: &Alerts) -> Vec<Row<'_>> {
    alerts.firing().map(Row::of).collect()
}

/// Whether an alert fires, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Overall {
    /// None does.
    Ok,
    /// One is about to.
    Pending,
    /// One does.
    Firing,
}

/// The furthest of all states.
pub(super) fn overall(alerts: &Alerts) -> Overall {
    match alerts.active().map(|alert| alert.state).max() {
        Some(State::Firing) => Overall::Firing,
        Some(State::Pending) => Overall::Pending,
        Some(State::Resolved) | None => Overall::Ok,
    }
}

/// A number as Go's `strconv.FormatFloat(value, 'e', -1, 64)` writes it, which is what Prometheus shows: `1.2e+01`.
fn exponential(value: f64) -> String {
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, number) = exponent.strip_prefix('-').map_or(('+', exponent), |number| ('-', number));
            format!("{digits}e{sign}{number:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_as_prometheus_writes_it() {
        for (value, expected) in
            [(1.0, "1e+00"), (12.5, "1.25e+01"), (0.02, "2e-02"), (1e123, "1e+123"), (0.0, "0e+00")]
        {
            assert_eq!(exponential(value), expected);
        }
    }
}
