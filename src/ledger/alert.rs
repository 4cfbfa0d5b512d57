//! The daemon's own alerts: their names, what can be set, and how one goes from pending over firing to resolved.
//!
//! Pure, and the same states as in Prometheus: a condition that holds for a while fires, one that stops resolves. What
//! the conditions are is the work of [`super::watch`]; showing and sending alerts is that of the edges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::time::UnixTime;

/// Resolved alerts are kept for this long, in milliseconds, so that a receiver that was down hears of it. As Prometheus
/// does.
pub const RESOLVED_MILLIS: i64 = 900_000;
/// Alerts at the same time; a closed list of names times causes and sources stays far below.
pub const ALERTS_MAX: usize = 512;

macro_rules! alerts {
    ($($(#[$doc:meta])* $variant:ident { severity: $severity:ident, for_seconds: $for:literal, keep_seconds: $keep:literal, threshold: $threshold:literal, counts: $counts:literal, remedy: $remedy:literal, })*) => {
        /// An alert.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Name { $($(#[$doc])* $variant,)* }

        impl Name {
            /// Every alert, in the order in which they are shown.
            pub const ALL: [Self; [$(stringify!($variant)),*].len()] = [$(Self::$variant),*];

            /// Its name: the `alertname` label.
            pub const fn id(self) -> &'static str { match self { $(Self::$variant => stringify!($variant)),* } }
            /// What its threshold counts.
            pub const fn counts(self) -> &'static str { match self { $(Self::$variant => $counts),* } }
            /// What to do where no cause says it.
            pub const fn remedy(self) -> &'static str { match self { $(Self::$variant => $remedy),* } }
            /// Its settings where none are given.
            pub const fn rule(self) -> Rule {
                match self {
                    $(Self::$variant => Rule {
                        enabled: true,
                        severity: Severity::$severity,
                        for_seconds: $for,
                        keep_seconds: $keep,
                        threshold: $threshold,
                    }),*
                }
            }
        }
    };
}

alerts! {
    /// Expired tokens, first sent or sent again, come more often than usual.
    ExpirySpike {
        severity: Critical, for_seconds: 0, keep_seconds: 300, threshold: 100,
        counts: "evidence, in percent of what makes a spike",
        remedy: "Make the clients fetch a new token before the old one expires and before each new connection.",
    }
    /// Bad signatures come more often than usual: a key was rotated or deployed wrongly.
    SignatureSpike {
        severity: Critical, for_seconds: 0, keep_seconds: 300, threshold: 100,
        counts: "evidence, in percent of what makes a spike",
        remedy: "Compare the token server's key SID and secret with those in the Console, and deploy both together.",
    }
    /// Tokens come before they are valid.
    ClockSkew {
        severity: Warning, for_seconds: 0, keep_seconds: 900, threshold: 3,
        counts: "different tokens in ten minutes",
        remedy: "Correct the clock of the token server (`timedatectl`, chrony or NTP).",
    }
    /// Another cause, or all together, comes more often than usual.
    RejectionSpike {
        severity: Warning, for_seconds: 0, keep_seconds: 300, threshold: 100,
        counts: "evidence, in percent of what makes a spike",
        remedy: "Look at the incidents: each says what probably happened and what to do.",
    }
    /// A cause that was never seen in a day or more of history.
    NewCause {
        severity: Info, for_seconds: 0, keep_seconds: 3600, threshold: 24,
        counts: "hours of history without it",
        remedy: "Look at what was deployed at that time; the incident says what to do.",
    }
    /// A token stood in a log while it was still valid.
    TokenExposed {
        severity: Warning, for_seconds: 0, keep_seconds: 900, threshold: 1,
        counts: "tokens in ten minutes",
        remedy: "Mask tokens in the application's log, and keep who can read the log away from it until they expire.",
    }
    /// One token is refused again and again.
    LoopingClient {
        severity: Info, for_seconds: 0, keep_seconds: 600, threshold: 20,
        counts: "refusals of one token in ten minutes",
        remedy: "Make the client back off and fetch a new token after a refusal; look whether a cache hands out the token.",
    }
    /// A source that used to deliver lines delivers none.
    SourceSilent {
        severity: Warning, for_seconds: 0, keep_seconds: 0, threshold: 3600,
        counts: "seconds without a line, and three times the longest pause before",
        remedy: "See whether the application still runs and still logs to where the source looks.",
    }
    /// A source does not work.
    SourceFailing {
        severity: Warning, for_seconds: 60, keep_seconds: 120, threshold: 1,
        counts: "errors in two minutes",
        remedy: "See `/api/v1/status/sources` for the error, and give the daemon's user access to the files.",
    }
    /// The state can't be written.
    StateFailing {
        severity: Critical, for_seconds: 0, keep_seconds: 60, threshold: 1,
        counts: "failures in a row",
        remedy: "Free space on the disk of `state_dir`, or make it writable for the daemon's user.",
    }
}

impl Name {
    /// Reads a name.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.id() == id)
    }
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For a look in working hours.
    Info,
    /// For a look today.
    Warning,
    /// For a page.
    Critical,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The value of the `severity` label.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What can be set of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whether it exists.
    pub enabled: bool,
    /// The `severity` label.
    pub severity: Severity,
    /// How long its condition holds before it fires, in seconds.
    pub for_seconds: u32,
    /// How long it goes on firing after its condition has ended, in seconds.
    pub keep_seconds: u32,
    /// What [`Name::counts`] says.
    pub threshold: u32,
}

/// What can be set of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One rule an alert.
    pub rules: BTreeMap<Name, Rule>,
    /// Fewer different tokens than this are no spike.
    pub distinct_tokens_min: u32,
    /// Width of the steps in which spikes are looked for, in seconds.
    pub step_seconds: u32,
    /// Further labels of every alert.
    pub labels: BTreeMap<String, String>,
    /// Where the runbooks are; the alert's name in lower case is the anchor. The daemon names its own page here if the
    /// config names none.
    pub runbook_url: String,
    /// Where people look at what happens.
    pub dashboard_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Name::ALL.map(|name| (name, name.rule())).into(),
            distinct_tokens_min: 3,
            step_seconds: 60,
            labels: BTreeMap::new(),
            runbook_url: String::new(),
            dashboard_url: String::new(),
        }
    }
}

impl Settings {
    /// The rule of an alert.
    pub fn rule(&self, name: Name) -> Rule {
        self.rules.get(&name).copied().unwrap_or_else(|| name.rule())
    }
}

/// What an alert is about, besides its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// Nothing in particular.
    Whole,
    /// A cause.
    Cause(Cause),
    /// A source, by its configured name.
    Source(String),
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It fired until a while ago.
    Resolved,
}

impl State {
    /// As Prometheus calls it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "inactive",
        }
    }
}

/// A condition that holds now.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The alert.
    pub name: Name,
    /// What it is about.
    pub subject: Subject,
    /// The number that is over the threshold.
    pub value: f64,
    /// What is told with it, without what all alerts have.
    pub annotations: BTreeMap<String, String>,
}

/// An alert that is active, or was until a while ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Which.
    pub name: Name,
    /// What it is about.
    pub subject: Subject,
    /// How far it is.
    pub state: State,
    /// Since when its condition holds.
    pub active_at: UnixTime,
    /// When its condition held last.
    pub held_at: UnixTime,
    /// When it resolved.
    pub resolved_at: Option<UnixTime>,
    /// The number that is over the threshold.
    pub value: f64,
    /// Its identity.
    pub labels: BTreeMap<String, String>,
    /// What is told with it.
    pub annotations: BTreeMap<String, String>,
}

/// Every alert that is active or was until a while ago.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    list: Vec<Alert>,
    /// Evidence for a spike of expired tokens; 1 and more is one.
    pub expiry_score: f64,
}

impl Alerts {
    /// Those that are pending or firing, by name and subject.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.list.iter().filter(|alert| alert.state != State::Resolved)
    }

    /// Those that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.list.iter().filter(|alert| alert.state == State::Firing)
    }

    /// All, the resolved ones too.
    pub fn all(&self) -> &[Alert] {
        &self.list
    }

    /// The furthest state of an alert's instances; none if it is inactive.
    pub fn state(&self, name: Name) -> Option<State> {
        self.active().filter(|alert| alert.name == name).map(|alert| alert.state).max()
    }

    /// Takes over which conditions hold now. Says whether anything changed that is worth telling.
    pub fn step(&mut self, signals: Vec<Signal>, settings: &Settings, now: UnixTime) -> bool {
        let before = self.list.clone();
        for alert in &mut self.list {
            let rule = settings.rule(alert.name);
            let holds = rule.enabled
                && signals.iter().any(|signal| (signal.name, &signal.subject) == (alert.name, &alert.subject));
            if !holds {
                alert.lapse(rule, now);
            }
        }
        self.list.retain(|alert| match alert.state {
            State::Pending => alert.resolved_at.is_none(),
            State::Firing => true,
            State::Resolved => alert.resolved_at.is_some_and(|at| now.millis_since(at) < RESOLVED_MILLIS),
        });
        for signal in signals {
            if settings.rule(signal.name).enabled {
                self.hold(signal, settings, now);
            }
        }
        self.list.sort_by(|a, b| (a.name, &a.subject).cmp(&(b.name, &b.subject)));
        self.list != before
    }

    fn hold(&mut self, signal: Signal, settings: &Settings, now: UnixTime) {
        let rule = settings.rule(signal.name);
        let same = |alert: &&mut Alert| (alert.name, &alert.subject) == (signal.name, &signal.subject);
        let found = self.list.iter_mut().find(same);
        let labels = labels(&signal, rule, settings);
        let annotations = annotations(&signal, settings);
        if let Some(alert) = found {
            if alert.state == State::Resolved {
                (alert.state, alert.active_at, alert.resolved_at) = (State::Pending, now, None);
            }
            (alert.held_at, alert.value) = (now, signal.value);
            (alert.labels, alert.annotations) = (labels, annotations);
            alert.ripen(rule, now);
        } else if self.list.len() < ALERTS_MAX {
            let mut alert = Alert {
                name: signal.name,
                subject: signal.subject,
                state: State::Pending,
                active_at: now,
                held_at: now,
                resolved_at: None,
                value: signal.value,
                labels,
                annotations,
            };
            alert.ripen(rule, now);
            self.list.push(alert);
        }
    }
}

impl Alert {
    fn ripen(&mut self, rule: Rule, now: UnixTime) {
        if self.state == State::Pending && now.millis_since(self.active_at) >= i64::from(rule.for_seconds) * 1000 {
            self.state = State::Firing;
        }
    }

    /// The condition does not hold now.
    fn lapse(&mut self, rule: Rule, now: UnixTime) {
        match self.state {
            // Marked, and dropped right after: a pending alert that ends was never told to anybody.
            State::Pending => self.resolved_at = Some(now),
            State::Firing => {
                let is_kept = rule.enabled && now.millis_since(self.held_at) < i64::from(rule.keep_seconds) * 1000;
                if !is_kept {
                    (self.state, self.resolved_at) = (State::Resolved, Some(now));
                }
            }
            State::Resolved => {}
        }
    }
}

fn labels(signal: &Signal, rule: Rule, settings: &Settings) -> BTreeMap<String, String> {
    let mut labels = settings.labels.clone();
    let mut set = |name: &str, value: &str| _ = labels.insert(name.to_owned(), value.to_owned());
    set("alertname", signal.name.id());
    set("severity", rule.severity.id());
    match &signal.subject {
        Subject::Whole => {}
        Subject::Cause(cause) => set("cause", cause.id()),
        Subject::Source(source) => set("source", source),
    }
    labels
}

fn annotations(signal: &Signal, settings: &Settings) -> BTreeMap<String, String> {
    let mut annotations = signal.annotations.clone();
    let anchor = signal.name.id().to_ascii_lowercase();
    annotations.insert("runbook_url".to_owned(), format!("{}#{anchor}", settings.runbook_url));
    if !settings.dashboard_url.is_empty() {
        annotations.insert("dashboard_url".to_owned(), settings.dashboard_url.clone());
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    fn failing() -> Signal {
        let subject = Subject::Source("app".to_owned());
        Signal { name: Name::SourceFailing, subject, value: 1.0, annotations: BTreeMap::new() }
    }

    /// Steps at these seconds, with and without the condition, and gives the state after each.
    #[track_caller]
    fn check(steps: &[(i64, bool)], expected: &[Option<State>]) {
        let (mut alerts, settings) = (Alerts::default(), Settings::default());
        let mut states = Vec::new();
        for (seconds, holds) in steps {
            let signals = if *holds { vec![failing()] } else { Vec::new() };
            alerts.step(signals, &settings, NOW.plus_millis(seconds * 1000));
            states.push(alerts.state(Name::SourceFailing));
        }
        assert_eq!(states, expected);
    }

    #[test]
    fn an_alert_waits_before_it_fires_and_goes_on_a_while_after() {
        use State::{Firing, Pending};
        check(
            &[(0, true), (59, true), (60, true), (100, false), (179, false), (180, false)],
            &[Some(Pending), Some(Pending), Some(Firing), Some(Firing), Some(Firing), None],
        );
    }

    #[test]
    fn a_condition_that_ends_early_begins_anew() {
        use State::Pending;
        check(&[(0, true), (50, false), (55, true), (70, true)], &[Some(Pending), None, Some(Pending), Some(Pending)]);
    }

    #[test]
    fn an_alert_that_is_switched_off_does_not_exist() {
        let (mut alerts, mut settings) = (Alerts::default(), Settings::default());
        alerts.step(vec![failing()], &settings, NOW);
        let off = Rule { enabled: false, ..Name::SourceFailing.rule() };
        settings.rules.insert(Name::SourceFailing, off);
        alerts.step(vec![failing()], &settings, NOW.plus_millis(1000));
        assert_eq!(alerts.all(), []);
    }

    #[test]
    fn labels_of_the_config_do_not_hide_those_of_the_alert() {
        let mut settings = Settings::default();
        for (name, value) in [("instance", "chat-1"), ("source", "other")] {
            settings.labels.insert(name.to_owned(), value.to_owned());
        }
        let mut alerts = Alerts::default();
        alerts.step(vec![failing()], &settings, NOW);
        let labels = &alerts.all()[0].labels;
        assert_eq!((labels["instance"].as_str(), labels["source"].as_str()), ("chat-1", "app"));
        assert_eq!(alerts.all()[0].annotations["runbook_url"], "#sourcefailing");
    }
}
