//! The look at what is watched: which alerts there are now, and when to look again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::alert::{Alerts, Settings};
use super::incident::story::KeyRecords;
use super::incident::{Incident, Incidents};
use super::watch::{LOOK_MILLIS, Scene, Watch};
use crate::time::UnixTime;

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// There is something new to show.
    pub has_changed: bool,
    /// In how many milliseconds to look again, if nothing happens before.
    pub again_millis: i64,
}

/// All that alerts and incidents rest on, for a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    watch: Watch,
    records: KeyRecords,
    alerts: Alerts,
    incidents: Vec<Incident>,
    next_incident: u64,
}

impl Ledger {
    /// Evaluates the alerts; what changed is shown with the next commit.
    pub fn look(&mut self, now: UnixTime) -> Looked {
        let incidents = self.working.incidents.open(now);
        let settings: &Settings = &self.settings.alerts;
        let scene = Scene { settings, sources: &self.working.sources, incidents: &incidents, now };
        let signals = self.watch.look(&scene);
        let mut alerts = (*self.working.alerts).clone();
        let mut has_changed = alerts.step(signals, settings, now);
        let score = self.watch.expiry_score();
        if (alerts.expiry_score - score).abs() > 1e-3 {
            alerts.expiry_score = score;
            has_changed = true;
        }
        let is_active = alerts.active().next().is_some();
        if has_changed {
            self.working.alerts = Arc::new(alerts);
        }
        let again_millis = if is_active { LOOK_MILLIS } else { self.watch.next_look_millis(now) };
        Looked { has_changed, again_millis }
    }

    /// Notes that the state was written, or could not be.
    pub fn stored(&mut self, works: bool) {
        self.watch.stored(works);
    }

    /// What a store has to keep, besides the view.
    pub fn remembered(&self) -> Remembered {
        let (incidents, next_incident) = self.working.incidents.remembered();
        Remembered {
            watch: self.watch.clone(),
            records: self.records.clone(),
            alerts: (*self.working.alerts).clone(),
            incidents: incidents.iter().map(|incident| (**incident).clone()).collect(),
            next_incident,
        }
    }

    /// Takes over what a store kept. Alerts that fired go on firing until a look says otherwise.
    pub fn restore(&mut self, remembered: Remembered, now: UnixTime) {
        let Remembered { watch, records, alerts, incidents, next_incident } = remembered;
        (self.watch, self.records) = (watch, records);
        self.watch.resume(&self.settings.alerts, now);
        self.working.alerts = Arc::new(alerts);
        self.working.incidents = Incidents::restored(incidents, next_incident);
    }
}
