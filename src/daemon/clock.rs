//! The one place where the daemon reads clocks.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::UnixTime;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "an edge: the clock that is handed to everything else as a value")]
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The time since the first call, which no setting of the clock changes.
#[expect(clippy::disallowed_methods, reason = "an edge: the monotonic clock")]
pub(super) fn monotonic() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
