//! What stays the same: the table of causes, the empty list of alerts.

use serde_json::{Value, json};

use crate::cause::Cause;

/// The taxonomy, by precedence.
pub(super) fn causes() -> Value {
    let row = |cause: Cause| {
        json!({
            "cause": cause.id(),
            "family": cause.family().id(),
            "title": cause.title(),
            "why": cause.why(),
            "remedy": cause.remedy(),
            "docs": cause.docs(),
        })
    };
    json!({ "causes": Cause::ALL.map(row) })
}

/// The daemon's own alerts in the shape of Prometheus. None is defined, so none is active.
pub(super) fn alerts() -> Value {
    json!({"status": "success", "data": {"alerts": []}})
}
