//! The latest rejections, newest first.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Serialize;

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::ledger::View;
use crate::ledger::link::Links;

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Rejections<'a> {
    rejections: Vec<Shown<'a>>,
}

/// A rejection, and the one of another source that is the same refusal.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<&'a str>,
}

/// The newest by the time of the refusal; of equal times, the one that was read last.
pub(super) fn latest(view: &View, cause: Option<Cause>, limit: usize) -> Vec<&Arc<Diagnosis>> {
    let mut found: Vec<_> =
        view.rejections.iter().filter(|kept| cause.is_none_or(|cause| kept.diagnosis.cause == cause)).collect();
    found.sort_unstable_by_key(|kept| Reverse((kept.diagnosis.at, kept.number)));
    found.into_iter().take(limit).map(|kept| &kept.diagnosis).collect()
}

/// Which of the remembered rejections are the same refusal.
pub(super) fn links(view: &View) -> Links<'_> {
    Links::of(view.rejections.iter().map(|kept| &*kept.diagnosis))
}

/// The list as it is answered.
pub(super) fn list(view: &View, cause: Option<Cause>, limit: usize) -> Rejections<'_> {
    let links = links(view);
    let same_as = |diagnosis: &Diagnosis| links.of_id(&diagnosis.id).map(|other| other.id.as_str());
    let latest = latest(view, cause, limit).into_iter();
    Rejections { rejections: latest.map(|diagnosis| Shown { same_as: same_as(diagnosis), diagnosis }).collect() }
}
