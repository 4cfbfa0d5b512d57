//! Which alerts an Alertmanager is told now, and the JSON for it.
//!
//! An alert is due when its state is news to this Alertmanager, and again and again while it fires. One that has
//! resolved is told as often, until it is forgotten, so that an Alertmanager that was down hears of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::ledger::alert::{Alert, State};
use crate::time::UnixTime;

/// A firing alert ends by itself when it was not repeated so many times; as in Prometheus.
const MISSED_MAX: i64 = 4;

/// What makes an alert the same one: its labels.
pub(super) type Identity = BTreeMap<String, String>;

/// What an Alertmanager took last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    state: State,
    since: UnixTime,
    at: UnixTime,
}

/// What is to be told.
#[derive(Debug)]
pub(super) struct Due<'a> {
    pub(super) alerts: Vec<&'a Alert>,
    /// How long until the next is due, if nothing changes; none if none will be.
    pub(super) wait: Option<Duration>,
}

/// What is due now. Forgets what is not told any more.
pub(super) fn due<'a>(
    alerts: &'a [Alert],
    told: &mut BTreeMap<Identity, Told>,
    repeat_seconds: u32,
    now: UnixTime,
) -> Due<'a> {
    told.retain(|labels, _| alerts.iter().any(|alert| alert.labels == *labels));
    let repeat_millis = i64::from(repeat_seconds) * 1000;
    let mut due = Due { alerts: Vec::new(), wait: None };
    for alert in alerts.iter().filter(|alert| alert.state != State::Pending) {
        let rest = match told.get(&alert.labels) {
            Some(told) if (told.state, told.since) == (alert.state, alert.active_at) => {
                repeat_millis - now.millis_since(told.at)
            }
            Some(_) | None => 0,
        };
        if rest <= 0 {
            due.alerts.push(alert);
        } else {
            // A clock that was set back does not silence an alert.
            let rest = Duration::from_millis(u64::try_from(rest.min(repeat_millis)).unwrap_or(0));
            due.wait = Some(due.wait.map_or(rest, |wait| wait.min(rest)));
        }
    }
    due
}

/// Notes what the Alertmanager took.
pub(super) fn took(alerts: &[&Alert], told: &mut BTreeMap<Identity, Told>, now: UnixTime) {
    for alert in alerts {
        told.insert(alert.labels.clone(), Told { state: alert.state, since: alert.active_at, at: now });
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: &'a BTreeMap<String, String>,
    annotations: &'a BTreeMap<String, String>,
    starts_at: UnixTime,
    ends_at: UnixTime,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
}

/// The alerts as `/api/v2/alerts` takes them.
pub(super) fn body(alerts: &[&Alert], repeat_seconds: u32, now: UnixTime) -> Vec<u8> {
    let posted: Vec<Posted<'_>> = alerts
        .iter()
        .map(|alert| Posted {
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: alert.active_at,
            ends_at: alert
                .resolved_at
                .unwrap_or_else(|| now.plus_millis(i64::from(repeat_seconds) * MISSED_MAX * 1000)),
            generator_url: alert.annotations.get("dashboard_url").map(String::as_str),
        })
        .collect();
    // Maps of texts and times can always be written.
    serde_json::to_vec(&posted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::ledger::alert::{Alerts, Name, Settings, Signal, Subject};

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn later(seconds: i64) -> UnixTime {
        NOW.plus_millis(seconds * 1000)
    }

    fn step(alerts: &mut Alerts, holds: bool, now: UnixTime) {
        let signal = Signal {
            name: Name::ExpirySpike,
            subject: Subject::Whole,
            value: 2.0,
            annotations: BTreeMap::from([("summary".to_owned(), "Expired".to_owned())]),
        };
        alerts.step(if holds { vec![signal] } else { Vec::new() }, &Settings::default(), now);
    }

    #[test]
    fn a_firing_alert_is_told_at_once_and_repeated_while_it_fires() {
        let (mut alerts, mut told) = (Alerts::default(), BTreeMap::new());
        step(&mut alerts, true, NOW);
        let now = due(alerts.all(), &mut told, 60, NOW);
        assert_eq!(now.alerts.len(), 1);
        took(&now.alerts, &mut told, NOW);
        let soon = due(alerts.all(), &mut told, 60, later(20));
        assert_eq!((soon.alerts.len(), soon.wait), (0, Some(Duration::from_secs(40))));
        assert_eq!(due(alerts.all(), &mut told, 60, later(60)).alerts.len(), 1);
        assert_eq!(due(alerts.all(), &mut told, 60, later(-900)).wait, Some(Duration::from_secs(60)));
    }

    #[test]
    fn one_that_was_not_taken_stays_due() {
        let (mut alerts, mut told) = (Alerts::default(), BTreeMap::new());
        step(&mut alerts, true, NOW);
        for seconds in [0, 1, 5] {
            assert_eq!(due(alerts.all(), &mut told, 60, later(seconds)).alerts.len(), 1);
        }
    }

    #[test]
    fn a_resolved_alert_is_told_with_its_end_until_it_is_forgotten() {
        let (mut alerts, mut told) = (Alerts::default(), BTreeMap::new());
        step(&mut alerts, true, NOW);
        took(&due(alerts.all(), &mut told, 60, NOW).alerts, &mut told, NOW);
        step(&mut alerts, false, later(301));
        let ended = due(alerts.all(), &mut told, 60, later(301));
        assert_eq!(ended.alerts.len(), 1);
        let body: serde_json::Value = serde_json::from_slice(&body(&ended.alerts, 60, later(301))).expect("JSON");
        assert_eq!(body[0]["startsAt"], NOW.to_string());
        assert_eq!(body[0]["endsAt"], later(301).to_string());
        assert_eq!(body[0]["labels"]["alertname"], "ExpirySpike");
        step(&mut alerts, false, later(301 + 900));
        assert!(due(alerts.all(), &mut told, 60, later(1300)).alerts.is_empty());
        assert!(told.is_empty());
    }

    #[test]
    fn a_firing_alert_ends_by_itself_when_it_is_repeated_no_more() {
        let mut alerts = Alerts::default();
        step(&mut alerts, true, NOW);
        let all: Vec<&Alert> = alerts.all().iter().collect();
        let body: serde_json::Value = serde_json::from_slice(&body(&all, 60, later(5))).expect("JSON");
        assert_eq!(body[0]["endsAt"], later(245).to_string());
    }
}
