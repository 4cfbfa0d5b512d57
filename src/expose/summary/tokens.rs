//! What a window says of the tokens themselves, by key: which stood in a log while they were valid, and by how much the
//! clocks that made them were fast.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::View;
use crate::ledger::window::{KeyLabel, Window};
use crate::time::UnixTime;

use super::key_name;

/// While one of the tokens is valid, whoever reads the log can connect as its user.
const WHILE_VALID: &str = "Keep tokens out of the log (the SDK's debug and trace levels print them); until `valid_until` \
                           whoever can read it can use them: an Access Token can't be revoked alone, so if they may \
                           have been read, delete the key and deploy a new one, else wait.";
/// Afterwards nothing can be done with them.
const AFTERWARDS: &str = "These tokens have expired and can't be used any more: keep tokens out of the log (the SDK's \
                          debug and trace levels print them).";

/// The tokens of one key that stood in a log while they were valid.
#[derive(Debug, Serialize)]
pub(super) struct ExposedTokens<'a> {
    key_sid: &'a str,
    /// Different tokens.
    tokens: usize,
    /// The last refusal of one of them.
    last: UnixTime,
    /// When the last of them expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<UnixTime>,
    /// Of them, still valid.
    still_valid: usize,
    remedy: &'static str,
}

/// By how much the tokens of one key were too early.
#[derive(Debug, Serialize)]
pub(super) struct ClockSkew<'a> {
    key_sid: &'a str,
    median_seconds: i64,
    /// Different tokens.
    tokens: usize,
}

/// By key, the one with the most tokens that are still valid first.
pub(super) fn exposed(view: &View, window: Window, now: UnixTime) -> Vec<ExposedTokens<'_>> {
    let mut by_key: BTreeMap<KeyLabel, ExposedTokens<'_>> = BTreeMap::new();
    for (last, token) in view.exposed_tokens(window, now) {
        let row = by_key.entry(token.key).or_insert_with(|| ExposedTokens {
            key_sid: key_name(view, token.key),
            tokens: 0,
            last,
            valid_until: None,
            still_valid: 0,
            remedy: AFTERWARDS,
        });
        row.tokens += 1;
        row.last = row.last.max(last);
        row.valid_until = row.valid_until.max(token.expires_at);
        if token.expires_at.is_some_and(|expires_at| expires_at > now) {
            row.still_valid += 1;
            row.remedy = WHILE_VALID;
        }
    }
    let mut rows: Vec<_> = by_key.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.still_valid, row.tokens)));
    rows
}

/// By key, the one with the most early tokens first.
pub(super) fn clock_skew(view: &View, window: Window, now: UnixTime) -> Vec<ClockSkew<'_>> {
    let mut by_key: BTreeMap<KeyLabel, Vec<i64>> = BTreeMap::new();
    for (_, token) in view.early_tokens(window, now) {
        by_key.entry(token.key).or_default().push(token.seconds);
    }
    let row = |(key, mut seconds): (KeyLabel, Vec<i64>)| {
        let (tokens, middle) = (seconds.len(), (seconds.len() - 1) / 2);
        let (_, median, _) = seconds.select_nth_unstable(middle);
        ClockSkew { key_sid: key_name(view, key), median_seconds: *median, tokens }
    };
    let mut rows: Vec<_> = by_key.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.tokens));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;
    use crate::diagnosis::{Basis, Diagnosis, Fingerprint, Found, TokenReport, TokenState};
    use crate::ledger::{Ledger, Settings};
    use crate::pipeline::Event;
    use crate::product::Product;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    /// A rejection of the token of that number, so many seconds ago.
    fn rejection(ago: i64, token: u8, key: &str) -> Diagnosis {
        let report = TokenReport {
            key_sid: Some(key.to_owned()),
            ..TokenReport::new(TokenState::Readable, Found::SameLine, Fingerprint([token; 8]))
        };
        Diagnosis {
            id: format!("{token}-{ago}"),
            at: NOW.plus_millis(-ago * 1000),
            source: "app".into(),
            path: None,
            line: 1,
            offset: 0,
            sightings: 1,
            event: None,
            about: crate::diagnosis::About::default(),
            code: None,
            product: Product::Chat,
            cause: Cause::NoneFound,
            basis: Basis::Token,
            findings: Vec::new(),
            skipped: Vec::new(),
            token: Some(report),
        }
    }

    fn view(rejections: impl IntoIterator<Item = Diagnosis>) -> std::sync::Arc<View> {
        let mut ledger = Ledger::new(Settings::default(), ["app".into()], NOW);
        for rejection in rejections {
            ledger.apply(Event::Diagnosed(Box::new(rejection)), NOW);
        }
        ledger.commit()
    }

    fn early(ago: i64, token: u8, key: &str, seconds: i64) -> Diagnosis {
        let mut rejection = rejection(ago, token, key);
        rejection.token.iter_mut().for_each(|token| token.early_by_seconds = Some(seconds));
        rejection
    }

    fn exposed_until(ago: i64, token: u8, key: &str, seconds: i64) -> Diagnosis {
        let mut rejection = rejection(ago, token, key);
        if let Some(token) = &mut rejection.token {
            (token.exposed, token.expires_at) = (true, Some(NOW.plus_millis(seconds * 1000)));
        }
        rejection
    }

    #[test]
    fn the_skew_of_a_key_is_the_median_of_its_tokens_each_counted_once() {
        let of = |token, seconds| early(10, token, "SK1", seconds);
        // The second token is tried again and again, ever nearer to its time.
        let view = view([of(1, 100), of(2, 120), of(2, 60), of(2, 5), of(3, 300), early(10, 4, "SK2", 7)]);
        let rows = serde_json::to_value(clock_skew(&view, Window::default(), NOW)).unwrap();
        let expected = serde_json::json!([
            {"key_sid": "SK1", "median_seconds": 120, "tokens": 3},
            {"key_sid": "SK2", "median_seconds": 7, "tokens": 1},
        ]);
        assert_eq!(rows, expected);
    }

    #[test]
    fn exposed_tokens_say_whether_anything_can_still_be_done_with_them() {
        let rejections = [
            exposed_until(20, 1, "SK1", 600),
            exposed_until(10, 1, "SK1", 600),
            exposed_until(15, 2, "SK1", -5),
            exposed_until(5, 3, "SK2", 0),
            exposed_until(5000, 4, "SK2", -1),
        ];
        let view = view(rejections);
        let rows = serde_json::to_value(exposed(&view, Window::default(), NOW)).unwrap();
        assert_eq!(rows[0]["tokens"], 2);
        assert_eq!((&rows[0]["still_valid"], &rows[0]["last"]), (&1.into(), &"2026-11-24T02:39:50Z".into()));
        assert_eq!((rows[0]["remedy"].as_str(), rows[1]["remedy"].as_str()), (Some(WHILE_VALID), Some(AFTERWARDS)));
        assert_eq!((&rows[1]["key_sid"], &rows[1]["still_valid"]), (&"SK2".into(), &0.into()));
        assert_eq!(rows[1]["tokens"], 1);
    }

    #[test]
    fn a_token_that_is_valid_still_is_listed_however_long_ago_it_was_refused() {
        let view = view([exposed_until(5000, 1, "SK1", 1)]);
        assert_eq!(exposed(&view, Window::default(), NOW).len(), 1);
    }

    #[test]
    fn tokens_of_the_time_before_the_window_do_not_count() {
        let mut ledger = Ledger::new(Settings::default(), ["app".into()], NOW);
        ledger.apply(Event::Diagnosed(Box::new(early(400, 1, "SK1", 100))), NOW);
        let view = ledger.commit();
        assert!(clock_skew(&view, Window::default(), NOW).is_empty());
        assert_eq!(clock_skew(&view, Window::from_seconds(3600).unwrap(), NOW).len(), 1);
    }
}
