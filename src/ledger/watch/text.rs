//! What an alert tells: summary, description with its numbers, remedy, the key and product that it is mostly about.
//!
//! Only closed words, SIDs, numbers, times and configured names go in. Nothing that a log line says gets here.

use std::collections::BTreeMap;

use crate::cause::Cause;
use crate::ledger::alert::{Name, Settings, Signal, Subject};
use crate::ledger::incident::Incident;
use crate::ledger::incident::story::{Duration, Number};
use crate::ledger::spike::Look;
use crate::ledger::totals::Source;
use crate::time::UnixTime;

use super::loops::Top;

/// A spike that was found.
pub(super) struct Spiking {
    pub(super) name: Name,
    pub(super) subject: Subject,
    pub(super) look: Look,
    pub(super) tokens: u64,
}

/// The texts of one alert.
struct Told<'a> {
    summary: String,
    description: String,
    remedy: &'a str,
    incident: Option<&'a Incident>,
}

fn signal(name: Name, subject: Subject, value: f64, told: Told<'_>) -> Signal {
    let mut annotations = BTreeMap::new();
    let mut set = |name: &str, value: String| _ = annotations.insert(name.to_owned(), value);
    set("summary", told.summary);
    set("description", told.description);
    set("remedy", told.remedy.to_owned());
    if let Some(incident) = told.incident {
        set("top_key", incident.key_sid.clone().unwrap_or_else(|| "none".to_owned()));
        set("top_product", incident.product.id().to_owned());
        if let Some((source, _)) = incident.top_source() {
            set("top_source", source.to_owned());
        }
    }
    Signal { name, subject, value, annotations }
}

/// The description and then what probably happened.
fn with_story(description: String, incident: Option<&Incident>) -> String {
    match incident {
        Some(incident) => format!("{description} {}", incident.story()),
        None => description,
    }
}

fn remedy_of(incident: Option<&Incident>, name: Name) -> &'static str {
    incident.map_or_else(|| name.remedy(), |incident| incident.cause.remedy())
}

pub(super) fn spike(found: Spiking, settings: &Settings, incident: Option<&Incident>) -> Signal {
    let Spiking { name, subject, look, tokens } = found;
    let summary = match (name, &subject) {
        (Name::ExpirySpike, _) => "Expired tokens are refused far more often than usual".to_owned(),
        (Name::SignatureSpike, _) => "Tokens with bad signatures are refused far more often than usual".to_owned(),
        (_, Subject::Cause(cause)) => format!("{}: refused far more often than usual", cause.title()),
        (_, Subject::Whole | Subject::Source(_)) => "Tokens are refused far more often than usual".to_owned(),
    };
    let span = i64::from(settings.step_seconds) * 5;
    let usual = look.usual_per_minute * 5.0;
    let history = if look.is_warming_up {
        format!("there is no day of history yet (warm-up), so that {usual:.1} are assumed to be usual")
    } else {
        format!("{usual:.1} are usual at this hour")
    };
    let description = format!(
        "{} refusals in the last {}, counting each token once in ten minutes, where {history}; {} different tokens \
         lately (evidence {:.1}, a spike from {:.1} on).",
        Number(look.latest.into()),
        Duration(span),
        Number(tokens),
        look.score,
        f64::from(settings.rule(name).threshold.max(1)) / 100.0,
    );
    let told =
        Told { summary, description: with_story(description, incident), remedy: remedy_of(incident, name), incident };
    signal(name, subject, rounded(look.score), told)
}

pub(super) fn clock_skew(tokens: u64, incident: Option<&Incident>) -> Signal {
    let description = format!("{} different tokens came before they are valid, in ten minutes.", Number(tokens));
    let told = Told {
        summary: "A token server's clock is ahead".to_owned(),
        description: with_story(description, incident),
        remedy: Name::ClockSkew.remedy(),
        incident,
    };
    signal(Name::ClockSkew, Subject::Whole, float(tokens), told)
}

pub(super) fn new_cause(cause: Cause, at: UnixTime, history: i64, incident: Option<&Incident>) -> Signal {
    let description = format!("First seen at {at}, after {} without it.", Duration(history));
    let told = Told {
        summary: format!("{}: a cause that was never seen before", cause.title()),
        description: with_story(description, incident),
        remedy: cause.remedy(),
        incident,
    };
    signal(Name::NewCause, Subject::Cause(cause), 1.0, told)
}

pub(super) fn token_exposed(source: &str, count: u64, last: UnixTime) -> Signal {
    let tokens = if count == 1 { "token that was still valid" } else { "tokens that were still valid" };
    let told = Told {
        summary: "Valid tokens stand in a log".to_owned(),
        description: format!(
            "{} {tokens} stood in what source `{source}` reads, the last at {last}: whoever reads that log can connect \
             with them until they expire.",
            Number(count)
        ),
        remedy: Name::TokenExposed.remedy(),
        incident: None,
    };
    signal(Name::TokenExposed, Subject::Source(source.to_owned()), float(count), told)
}

pub(super) fn looping(top: &Top) -> Signal {
    let told = Told {
        summary: "One token is refused again and again".to_owned(),
        description: format!(
            "The token with fingerprint {} was refused {} times in ten minutes ({}): a client retries with it, or a \
             server gives it to everyone.",
            top.token,
            Number(top.count),
            top.cause.id()
        ),
        remedy: Name::LoopingClient.remedy(),
        incident: None,
    };
    signal(Name::LoopingClient, Subject::Whole, float(top.count), told)
}

pub(super) fn source_silent(source: &str, heard_at: UnixTime, seconds: i64) -> Signal {
    let told = Told {
        summary: "A source has fallen silent".to_owned(),
        description: format!("Source `{source}` has delivered nothing for {}, since {heard_at}.", Duration(seconds)),
        remedy: Name::SourceSilent.remedy(),
        incident: None,
    };
    let seconds = u64::try_from(seconds).unwrap_or(0);
    signal(Name::SourceSilent, Subject::Source(source.to_owned()), float(seconds), told)
}

pub(super) fn source_failing(source: &Source, is_down: bool, errors: u64) -> Signal {
    let does = if is_down { "does not work" } else { "has errors" };
    let last = source
        .last_error
        .as_ref()
        .filter(|error| !error.kind.is_of_a_stranger())
        .map_or_else(String::new, |error| format!(", the last of kind {} at {}", error.kind.id(), error.at));
    let told = Told {
        summary: format!("A source {does}"),
        description: format!("Source `{}` {does}: {} errors lately{last}.", source.name, Number(errors)),
        remedy: Name::SourceFailing.remedy(),
        incident: None,
    };
    signal(Name::SourceFailing, Subject::Source(source.name.to_string()), float(errors), told)
}

pub(super) fn state_failing(failures: u32) -> Signal {
    let told = Told {
        summary: "The state cannot be written".to_owned(),
        description: format!(
            "{failures} attempts in a row failed: nothing more is read until it can be written; what the logs keep meanwhile is not lost."
        ),
        remedy: Name::StateFailing.remedy(),
        incident: None,
    };
    signal(Name::StateFailing, Subject::Whole, f64::from(failures), told)
}

#[expect(clippy::cast_precision_loss, reason = "counts, shown as the value of an alert")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Two digits, so that a value that hardly moves is no news.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
