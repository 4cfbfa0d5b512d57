//! The cards of what is wrong: alerts that are pending or fire, and incidents, the one that matters most first.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::cause::{Cause, Family};
use crate::ledger::View;
use crate::ledger::alert::{Alert, Name, State, Subject};
use crate::ledger::incident::Incident;
use crate::product::Product;
use crate::time::UnixTime;

use super::cards::{Card, Standing};
use super::html::{Clock, Grouped, ShortSid};

/// Incidents that are shown; the API has the others.
const INCIDENTS: usize = 6;
/// Sources that an incident names.
const SOURCES: usize = 4;

/// The cards of alerts and of incidents.
#[derive(Debug)]
pub(in crate::expose) struct Trouble {
    pub(super) alerts: Vec<Card>,
    pub(super) incidents: Vec<Card>,
    /// Incidents without a card.
    pub(super) further: usize,
}

/// What is wrong, as of now.
pub(in crate::expose) fn of(view: &View, now: UnixTime) -> Trouble {
    let mut active: Vec<&Alert> = view.alerts.active().collect();
    active.sort_by_key(|alert| Reverse((alert.state, severity(alert))));
    let mut incidents = view.incidents.newest_first();
    // Open ones first: those that explain the worst alert, which is the headline, then the greatest. Over ones by when they
    // ended.
    incidents.sort_by_key(|incident| {
        let open = incident.is_open(now).then(|| (Reverse(explained(&active, incident.cause)), incident.count));
        (Reverse(open), Reverse(incident.last))
    });
    let further = incidents.len().saturating_sub(INCIDENTS);
    let incidents: Vec<Card> =
        incidents.into_iter().take(INCIDENTS).map(|incident| of_incident(incident, now)).collect();
    let alerts = active.into_iter().map(|alert| of_alert(alert, &incidents)).collect();
    Trouble { alerts, incidents, further }
}

fn severity(alert: &Alert) -> usize {
    let order = ["info", "warning", "critical"];
    alert.labels.get("severity").and_then(|of| order.iter().position(|one| one == of)).unwrap_or(0)
}

/// The place of the first alert that a cause explains, or one behind all.
fn explained(alerts: &[&Alert], cause: Cause) -> usize {
    alerts.iter().position(|alert| is_about(alert, cause)).unwrap_or(alerts.len())
}

/// Whether an alert speaks of rejections of this cause.
fn is_about(alert: &Alert, cause: Cause) -> bool {
    match (alert.name, &alert.subject) {
        (_, Subject::Cause(of)) => *of == cause,
        (Name::ExpirySpike, _) => matches!(cause, Cause::Expired | Cause::StaleReuse),
        (Name::SignatureSpike, _) => cause.family() == Family::Signature,
        (Name::ClockSkew, _) => cause == Cause::NotYetValid,
        (_, Subject::Whole | Subject::Source(_)) => false,
    }
}

fn of_alert(alert: &Alert, incidents: &[Card]) -> Card {
    let told = |name: &str| alert.annotations.get(name).map_or("", String::as_str);
    // Numbers come first; what probably happened follows, and is told by the incident below.
    let described = told("description");
    let what = match described.split_once(". ") {
        Some((numbers, _)) if !incidents.is_empty() => format!("{numbers}."),
        Some(_) | None => described.to_owned(),
    };
    let remedy = told("remedy");
    let is_told = incidents.iter().any(|card| card.remedy == remedy);
    let mut tags = vec![format!("`{}`", alert.name.id())];
    tags.extend(alert.labels.get("severity").cloned());
    if let Subject::Source(source) = &alert.subject {
        tags.push(source.clone());
    }
    let link = |name: &'static str, of: &str| Some((name, of.to_owned())).filter(|_| is_web(of));
    Card {
        title: told("summary").to_owned(),
        tags,
        standing: if alert.state == State::Firing { Standing::Firing } else { Standing::Pending },
        severity: severity(alert),
        cause: None,
        since: alert.active_at,
        until: None,
        what,
        remedy: if is_told { String::new() } else { remedy.to_owned() },
        facts: Vec::new(),
        links: [link("Runbook", told("runbook_url"))].into_iter().flatten().collect(),
    }
}

/// Whether a browser can go there; anything else could be a script.
fn is_web(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

fn of_incident(incident: &Incident, now: UnixTime) -> Card {
    let is_open = incident.is_open(now);
    let about = |count: u64, is_exact: bool| format!("{}{}", if is_exact { "" } else { "about " }, Grouped(count));
    let mut facts = vec![("Rejections", Grouped(incident.count).to_string())];
    if incident.distinct_tokens() > 0 {
        facts.push(("Different tokens", about(incident.distinct_tokens(), incident.tokens.is_exact())));
    }
    if incident.identities.count() > 0 {
        facts.push(("Identities", about(incident.distinct_identities(), incident.identities.is_exact())));
    }
    let peak = UnixTime::from_seconds(incident.peak.minute.saturating_mul(60));
    facts.push(("Fullest minute", format!("{}, at {}", Grouped(incident.peak.count), Clock { at: peak, now })));
    facts.push((if incident.sources.len() == 1 { "Source" } else { "Sources" }, sources(incident)));
    let example = &incident.example;
    let place = example.path.as_ref().map_or_else(String::new, |path| format!("`{path}:{}`", example.line));
    facts.push(("First example", place));
    facts.retain(|(_, value)| !value.is_empty());
    let mut tags = Vec::new();
    if incident.product != Product::Unknown {
        tags.push(incident.product.id().to_owned());
    }
    tags.extend(incident.key_sid.as_deref().map(|sid| format!("`{}`", ShortSid(sid))));
    Card {
        title: incident.cause.title().to_owned(),
        tags,
        standing: if is_open { Standing::Open } else { Standing::Over },
        severity: 0,
        cause: Some(incident.cause),
        since: incident.start,
        until: (!is_open).then_some(incident.last),
        what: incident.story(),
        remedy: incident.cause.remedy().to_owned(),
        facts,
        links: Vec::new(),
    }
}

/// Names and counts, the greatest first.
fn sources(incident: &Incident) -> String {
    let mut named: Vec<&(String, u64)> = incident.sources.iter().collect();
    if let ([(only, _)], 0) = (incident.sources.as_slice(), incident.other_sources) {
        return only.clone();
    }
    named.sort_by_key(|(_, count)| Reverse(*count));
    let rest: u64 = named.iter().skip(SOURCES).map(|(_, count)| count).sum::<u64>() + incident.other_sources;
    let mut said = String::new();
    for (name, count) in named.into_iter().take(SOURCES) {
        // Writing to a string can't fail.
        _ = write!(said, "{}{name} {}", if said.is_empty() { "" } else { ", " }, Grouped(*count));
    }
    if rest > 0 {
        _ = write!(said, ", others {}", Grouped(rest));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_explains_the_worst_alert_comes_before_what_explains_another() {
        let alert = |name, subject| Alert {
            name,
            subject,
            state: State::Firing,
            active_at: UnixTime::default(),
            held_at: UnixTime::default(),
            resolved_at: None,
            value: 1.0,
            labels: std::collections::BTreeMap::new(),
            annotations: std::collections::BTreeMap::new(),
        };
        let worst = alert(Name::ExpirySpike, Subject::Whole);
        let other = alert(Name::RejectionSpike, Subject::Cause(Cause::LifetimeTooLong));
        let alerts = [&worst, &other];
        let mut causes = [Cause::IdentityMissing, Cause::LifetimeTooLong, Cause::StaleReuse];
        causes.sort_by_key(|cause| explained(&alerts, *cause));
        assert_eq!(causes, [Cause::StaleReuse, Cause::LifetimeTooLong, Cause::IdentityMissing]);
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        for (address, expected) in [
            ("https://ops.example.com/runbooks#expiryspike", true),
            ("http://127.0.0.1:15107/", true),
            ("runbooks.md#expiryspike", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            assert_eq!(is_web(address), expected, "{address}");
        }
    }
}
