//! The latest rejections, newest first.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Serialize;

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::ledger::View;

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Rejections<'a> {
    rejections: Vec<&'a Diagnosis>,
}

/// The newest by the time of the refusal; of equal times, the one that was read last.
pub(super) fn latest(view: &View, cause: Option<Cause>, limit: usize) -> Vec<&Arc<Diagnosis>> {
    let mut found: Vec<_> =
        view.rejections.iter().filter(|kept| cause.is_none_or(|cause| kept.diagnosis.cause == cause)).collect();
    found.sort_unstable_by_key(|kept| Reverse((kept.diagnosis.at, kept.number)));
    found.into_iter().take(limit).map(|kept| &kept.diagnosis).collect()
}

/// The list as it is answered.
pub(super) fn list(view: &View, cause: Option<Cause>, limit: usize) -> Rejections<'_> {
    Rejections { rejections: latest(view, cause, limit).into_iter().map(|diagnosis| &**diagnosis).collect() }
}
