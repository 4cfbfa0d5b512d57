//! The one place where the daemon reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::UnixTime;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "an edge: the clock that is handed to everything else as a value")]
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
