//! What stays the same: the table of causes.

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
