//! The table of metric families: name, labels, help, and where the numbers come from.
//!
//! Labels come from closed lists and configured names only.

use crate::ledger::alert::{Name, State};
use crate::ledger::totals::Source;

use super::{Rows, Scene};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations by size.
    Histogram,
}

/// One family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name; never renamed.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence.
    pub help: &'static str,
    /// Its samples.
    pub rows: fn(&Scene<'_>, &mut Rows),
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    rows: fn(&Scene<'_>, &mut Rows),
) -> Family {
    Family { name, kind: Kind::Counter, labels, help, rows }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    rows: fn(&Scene<'_>, &mut Rows),
) -> Family {
    Family { name, kind: Kind::Gauge, labels, help, rows }
}

const fn histogram(name: &'static str, help: &'static str, rows: fn(&Scene<'_>, &mut Rows)) -> Family {
    Family { name, kind: Kind::Histogram, labels: &["product"], help, rows }
}

/// Every family but `process_*`.
pub const FAMILIES: &[Family] = &[
    counter(
        "diag51007_rejections_total",
        &["source", "product", "cause"],
        "Refused connections, each counted once, by the one cause that was diagnosed.",
        rejections,
    ),
    counter(
        "diag51007_rejections_by_code_total",
        &["code"],
        "Refused connections by Twilio error code; none where the log shows no code.",
        |scene, rows| {
            scene.view.totals.codes.iter().for_each(|(code, count)| rows.count(&[&code.to_string()], *count));
        },
    ),
    counter(
        "diag51007_rejections_by_basis_total",
        &["basis"],
        "Refused connections by what the diagnosis rests on: checks of the token, a companion code, a text, or nothing.",
        |scene, rows| scene.view.totals.bases.iter().for_each(|(basis, count)| rows.count(&[basis.id()], *count)),
    ),
    counter(
        "diag51007_findings_total",
        &["cause"],
        "Faults found in refused tokens; a token can have several.",
        |scene, rows| scene.view.totals.findings.iter().for_each(|(cause, count)| rows.count(&[cause.id()], *count)),
    ),
    counter(
        "diag51007_sightings_total",
        &["source"],
        "Prints of refusals, before those of one refused connection were put together.",
        |scene, rows| each(scene, |source| rows.count(&[&source.name], source.sightings)),
    ),
    counter(
        "diag51007_tokens_total",
        &["source", "state"],
        "Refused connections whose token was found, by what became of the token in the log.",
        |scene, rows| {
            each(scene, |source| {
                source.tokens.iter().for_each(|(state, count)| rows.count(&[&source.name, state.id()], *count));
            });
        },
    ),
    counter(
        "diag51007_exposed_tokens_total",
        &["source"],
        "Refused connections whose token stood in the log while still valid and not known to be badly signed: leaked credentials. With `detect.exposed_tokens`: such tokens on any line, each counted once.",
        |scene, rows| each(scene, |source| rows.count(&[&source.name], source.exposed_tokens)),
    ),
    counter(
        "diag51007_checks_skipped_total",
        &["check", "reason"],
        "Checks of refused tokens that could not be made, and why.",
        |scene, rows| {
            let skipped = &scene.view.totals.skipped;
            for (one, count) in skipped {
                rows.count(&[one.check.id(), one.reason.id()], *count);
            }
        },
    ),
    histogram("diag51007_token_expired_for_seconds", "How long refused tokens had been expired.", |scene, rows| {
        scene.view.totals.expired_for.iter().for_each(|(p, h)| rows.histogram(&[p.id()], h));
    }),
    histogram(
        "diag51007_token_lifetime_seconds",
        "Lifetime of refused tokens, from issue to expiry.",
        |scene, rows| scene.view.totals.lifetime.iter().for_each(|(p, h)| rows.histogram(&[p.id()], h)),
    ),
    histogram(
        "diag51007_token_early_by_seconds",
        "How long before the start of their validity tokens were refused.",
        |scene, rows| scene.view.totals.early_by.iter().for_each(|(p, h)| rows.histogram(&[p.id()], h)),
    ),
    gauge(
        "diag51007_commit_timestamp_seconds",
        &[],
        "Time at which what is shown was made durable; it stops when the state can't be written.",
        |scene, rows| {
            scene.view.committed_at.iter().for_each(|at| rows.add(&[], at.as_seconds_f64()));
        },
    ),
    counter(
        "diag51007_commit_failures_total",
        &[],
        "Attempts to write the state that failed; nothing is lost, and they are repeated.",
        |scene, rows| rows.count(&[], scene.status.commit_failures),
    ),
    counter(
        "diag51007_state_recoveries_total",
        &[],
        "Times that a state, or a part of it, could not be used at a start and was moved aside.",
        |scene, rows| rows.count(&[], scene.view.totals.recoveries),
    ),
    gauge(
        "diag51007_expiry_spike_score",
        &[],
        "Evidence that expired tokens are refused more often than usual; 1 and more is a spike.",
        |scene, rows| rows.add(&[], scene.view.alerts.expiry_score),
    ),
    gauge(
        "diag51007_alert_state",
        &["alert"],
        "State of the daemon's own alerts: 0 inactive, 1 pending, 2 firing.",
        |scene, rows| {
            for name in Name::ALL {
                rows.count(
                    &[name.id()],
                    scene.view.alerts.state(name).map_or(0, |state| match state {
                        State::Resolved => 0,
                        State::Pending => 1,
                        State::Firing => 2,
                    }),
                );
            }
        },
    ),
    counter("diag51007_lines_total", &["source"], "Lines read.", |scene, rows| {
        each(scene, |source| rows.count(&[&source.name], source.lines));
    }),
    counter("diag51007_read_bytes_total", &["source"], "Bytes read.", |scene, rows| {
        each(scene, |source| rows.count(&[&source.name], source.read_bytes));
    }),
    counter(
        "diag51007_lines_truncated_total",
        &["source"],
        "Lines that were longer than the limit and were looked at only up to it.",
        |scene, rows| each(scene, |source| rows.count(&[&source.name], source.lines_truncated)),
    ),
    gauge("diag51007_unread_bytes", &["source"], "Bytes that are known but not yet read.", |scene, rows| {
        configured(scene, |source| rows.count(&[&source.name], source.unread_bytes));
    }),
    gauge("diag51007_lag_seconds", &["source"], "Age of the oldest byte that is not yet read.", |scene, rows| {
        configured(scene, |source| rows.add(&[&source.name], source.lag_seconds));
    }),
    gauge("diag51007_files", &["source"], "Files that are followed.", |scene, rows| {
        configured(scene, |source| rows.count(&[&source.name], source.files));
    }),
    counter("diag51007_file_rotations_total", &["source", "kind"], "Rotations of followed files.", |scene, rows| {
        each(scene, |source| {
            source.rotations.iter().for_each(|(kind, count)| rows.count(&[&source.name, kind.id()], *count));
        });
    }),
    counter(
        "diag51007_lost_bytes_total",
        &["source"],
        "Bytes that were written but could not be read, because a file was cut or removed first.",
        |scene, rows| each(scene, |source| rows.count(&[&source.name], source.lost_bytes)),
    ),
    gauge("diag51007_source_up", &["source"], "1 if the source works, 0 if it does not.", |scene, rows| {
        configured(scene, |source| rows.count(&[&source.name], source.up.into()));
    }),
    counter(
        "diag51007_events_total",
        &["source", "outcome"],
        "Events that Twilio reported, by whether they were counted, had been counted before, or are no refusals.",
        |scene, rows| {
            each(scene, |source| {
                source.events.iter().for_each(|(outcome, count)| rows.count(&[&source.name, outcome.id()], *count));
            });
        },
    ),
    counter("diag51007_source_errors_total", &["source", "kind"], "Errors of a source.", |scene, rows| {
        each(scene, |source| {
            source.errors.iter().for_each(|(kind, count)| rows.count(&[&source.name, kind.id()], *count));
        });
    }),
    gauge(
        "diag51007_last_rejection_timestamp_seconds",
        &[],
        "Time of the latest refusal; absent until there is one.",
        |scene, rows| {
            if let Some(at) = scene.view.totals.last_rejection {
                rows.add(&[], at.as_seconds_f64());
            }
        },
    ),
    gauge(
        "diag51007_config_last_reload_successful",
        &[],
        "1 if the last attempt to load the config succeeded, 0 if the one before is still in force.",
        |scene, rows| rows.count(&[], scene.status.reload_successful.into()),
    ),
    gauge(
        "diag51007_config_last_reload_success_timestamp_seconds",
        &[],
        "Time at which the config in force was loaded.",
        |scene, rows| rows.add(&[], scene.status.reload_success_at.as_seconds_f64()),
    ),
    gauge(
        "diag51007_build_info",
        &["version", "revision", "rustversion"],
        "Always 1; the labels say which build this is.",
        |scene, rows| rows.count(&[&scene.build.version, &scene.build.revision, &scene.build.rustversion], 1),
    ),
];

fn rejections(scene: &Scene<'_>, rows: &mut Rows) {
    each(scene, |source| {
        for ((product, cause), count) in &source.rejections {
            rows.count(&[&source.name, product.id(), cause.id()], *count);
        }
    });
}

/// Every source, because the counters of one that was removed stay.
fn each(scene: &Scene<'_>, show: impl FnMut(&Source)) {
    scene.view.sources.iter().map(|source| &**source).for_each(show);
}

/// Every source that there is now: what was removed has no state.
fn configured(scene: &Scene<'_>, show: impl FnMut(&Source)) {
    scene.view.sources.iter().map(|source| &**source).filter(|source| source.configured).for_each(show);
}
