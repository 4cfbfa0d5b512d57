//! What a reader wants to see: a stretch of time, a cause, a number of rejections. Lives in the page's own query, so
//! that every view has an address and works without scripts.
//!
//! Lenient, unlike the API: a link that someone mistyped shows the page, not an error.

use std::fmt;

use axum::extract::Query;
use axum::http::Uri;

use crate::cause::Cause;

/// The rejections that are listed at first.
const LISTED: usize = 20;
/// The rejections that are listed on request.
const LISTED_MORE: usize = 200;

/// A stretch of time that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Range {
    /// An hour, by minute.
    #[default]
    Hour,
    /// Six hours, by five minutes.
    SixHours,
    /// A day, by a quarter of an hour.
    Day,
}

impl Range {
    pub(super) const ALL: [Self; 3] = [Self::Hour, Self::SixHours, Self::Day];

    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
        }
    }

    /// As it is said after "in the last".
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::SixHours => "6 hours",
            Self::Day => "24 hours",
        }
    }

    /// Width of a slot, in seconds.
    pub(super) const fn width_seconds(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::SixHours => 300,
            Self::Day => 900,
        }
    }

    /// The name of such a slot.
    pub(super) const fn slot(self) -> &'static str {
        match self {
            Self::Hour => "minute",
            Self::SixHours => "5 minutes",
            Self::Day => "15 minutes",
        }
    }

    pub(super) const fn slots(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::SixHours => 72,
            Self::Day => 96,
        }
    }

    pub(super) const fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3600,
            Self::SixHours => 21_600,
            Self::Day => 86_400,
        }
    }
}

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::expose) struct Filter {
    pub(super) range: Range,
    pub(super) cause: Option<Cause>,
    pub(super) more: bool,
}

impl Filter {
    /// Reads a query; what it does not understand is as if it were not there.
    pub(in crate::expose) fn read(uri: &Uri) -> Self {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Self::default() };
        let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        Self {
            range: Range::ALL.into_iter().find(|range| value("range") == Some(range.id())).unwrap_or_default(),
            cause: value("cause").and_then(Cause::from_id),
            more: value("list") == Some("more"),
        }
    }

    pub(super) const fn listed(self) -> usize {
        if self.more { LISTED_MORE } else { LISTED }
    }

    pub(super) const fn range(self, range: Range) -> Self {
        Self { range, ..self }
    }

    pub(super) const fn cause(self, cause: Option<Cause>) -> Self {
        Self { cause, ..self }
    }
}

/// As a relative link, so that the page may live under any prefix. Harmless in an attribute.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = (self.range != Range::default()).then(|| format!("range={}", self.range.id()));
        let cause = self.cause.map(|cause| format!("cause={}", cause.id()));
        let more = self.more.then(|| "list=more".to_owned());
        let pairs: Vec<String> = [range, cause, more].into_iter().flatten().collect();
        if pairs.is_empty() { f.write_str(".") } else { write!(f, "?{}", pairs.join("&amp;")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let read = Filter::read(&format!("/{query}").parse().expect("a URI"));
        assert_eq!(read.to_string(), expected);
    }

    #[test]
    fn a_filter_is_its_own_link() {
        check("", ".");
        check("?range=6h", "?range=6h");
        check("?list=more&cause=expired&range=24h", "?range=24h&amp;cause=expired&amp;list=more");
    }

    #[test]
    fn what_is_not_understood_is_as_if_it_were_not_there() {
        check("?range=7h&cause=%3Cscript%3E&list=all&utm=1", ".");
        check("?range=1h", ".");
    }
}
