//! One fault of one token, with its evidence: expected, found, by how much.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::cause::Cause;
use crate::time::UnixTime;

/// A fault, as evidence. Prints in one grammar: expected …, but found … (by how much).
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// `exp` at or before the refusal.
    Expired {
        /// `exp`.
        expired_at: UnixTime,
        /// The time of the refusal.
        refused_at: UnixTime,
    },
}

impl Finding {
    /// The row of the taxonomy that it belongs to.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Expired { .. } => Cause::Expired,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { expired_at, refused_at } => write!(
                f,
                "expected `exp` after {refused_at}, when the connection was refused, but found {expired_at} ({} s before)",
                refused_at.seconds_since(*expired_at),
            ),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = serializer.serialize_struct("Finding", 2)?;
        view.serialize_field("cause", &self.cause())?;
        view.serialize_field("message", &self.to_string())?;
        view.end()
    }
}
