//! Parameters of a query: each known, each at most once, each with a clear error.
//!
//! An unknown parameter is refused, because an alert that asks for `windows=1h` and gets five minutes is worse than
//! one that fails.

use axum::extract::Query;
use axum::http::Uri;

use super::answer::Refusal;
use crate::cause::Cause;
use crate::echo::echo;
use crate::ledger::window::Window;

/// Rejections that are listed when no number is named.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// The most that are listed.
pub(super) const LIMIT_MAX: usize = 1000;

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them; only the names given are known.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Refusal> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Err(Refusal::bad_data("expected a query such as `?window=5m`, but found one that can't be read"));
        };
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Refusal::bad_data(unknown("parameter", name, known.iter().copied())));
            }
            if pairs.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(Refusal::bad_data(format!("expected `{name}` once, but found it twice")));
            }
        }
        Ok(Self(pairs))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `window`, a duration.
    pub(super) fn window(&self) -> Result<Window, Refusal> {
        let Some(text) = self.value("window") else { return Ok(Window::default()) };
        Window::parse(text).map_err(|error| Refusal::bad_data(format!("`window`: {error}")))
    }

    /// `limit`, a number.
    pub(super) fn limit(&self) -> Result<usize, Refusal> {
        let Some(text) = self.value("limit") else { return Ok(LIMIT_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        let expected = || format!("`limit`: expected a number from 1 to {LIMIT_MAX}, but found `{}`", echo(text));
        limit.ok_or_else(|| Refusal::bad_data(expected()))
    }

    /// `cause`, an id of the taxonomy.
    pub(super) fn cause(&self) -> Result<Option<Cause>, Refusal> {
        let Some(text) = self.value("cause") else { return Ok(None) };
        let refused = || Refusal::bad_data(unknown("cause", text, Cause::ALL.iter().map(|cause| cause.id())));
        Cause::from_id(text).map(Some).ok_or_else(refused)
    }
}

/// Says what is not known, and what was probably meant.
pub(super) fn unknown<'a>(what: &str, found: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let close = known
        .clone()
        .map(|name| (strsim::jaro_winkler(name, found), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let found = echo(found);
    if let Some((_, name)) = close {
        format!("unknown {what} `{found}`: did you mean `{name}`?")
    } else {
        let all: Vec<&str> = known.collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        format!("unknown {what} `{found}`: expected one of {all}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<Parameters, Refusal> {
        Parameters::read(&uri.parse().expect("a URI"), &["window", "limit", "cause"])
    }

    #[track_caller]
    fn check(uri: &str, expected: &str) {
        let read = read(uri).and_then(|p| p.window().and(p.limit()).and(p.cause()));
        assert_eq!(read.expect_err("refused"), Refusal::bad_data(expected));
    }

    #[test]
    fn a_wrong_parameter_is_named_with_what_was_expected() {
        check("/?windows=1h", "unknown parameter `windows`: did you mean `window`?");
        check("/?zzz=1h", "unknown parameter `zzz`: expected one of window, limit, cause");
        check("/?limit=5&limit=6", "expected `limit` once, but found it twice");
        check("/?limit=0", "`limit`: expected a number from 1 to 1000, but found `0`");
        check("/?limit=1001", "`limit`: expected a number from 1 to 1000, but found `1001`");
        check("/?limit=-%60%0a", "`limit`: expected a number from 1 to 1000, but found `-??`");
        check("/?window=25h", "`window`: expected a duration from 1s to 24h, but found `25h`");
        check("/?cause=expird", "unknown cause `expird`: did you mean `expired`?");
    }

    #[test]
    fn without_parameters_the_defaults_hold() {
        let parameters = read("/").expect("read");
        assert_eq!(parameters.window(), Ok(Window::default()));
        assert_eq!(parameters.limit(), Ok(LIMIT_DEFAULT));
        assert_eq!(parameters.cause(), Ok(None));
    }
}
