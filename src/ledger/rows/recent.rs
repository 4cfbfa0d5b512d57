//! Tokens that were exposed or refused early, as rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::word::Word;
use super::{Put, json, read};
use crate::diagnosis::Fingerprint;
use crate::ledger::recent::{Early, Exposed, Recent};
use crate::ledger::window::KeyLabel;
use crate::time::UnixTime;

/// A token with its value: its last refusal, its key, and until when it is valid or by how much it was early.
#[derive(Serialize, Deserialize)]
struct Row(i64, String, Option<i64>);

/// A value that is kept with a token.
pub(super) trait Kept: Copy + PartialEq {
    fn parts(self) -> (KeyLabel, Option<i64>);
    fn of(key: KeyLabel, number: Option<i64>) -> Option<Self>;
}

impl Kept for Exposed {
    fn parts(self) -> (KeyLabel, Option<i64>) {
        (self.key, self.expires_at.map(UnixTime::as_millis))
    }
    fn of(key: KeyLabel, number: Option<i64>) -> Option<Self> {
        Some(Self { key, expires_at: number.map(UnixTime::from_millis) })
    }
}

impl Kept for Early {
    fn parts(self) -> (KeyLabel, Option<i64>) {
        (self.key, Some(self.seconds))
    }
    fn of(key: KeyLabel, number: Option<i64>) -> Option<Self> {
        Some(Self { key, seconds: number? })
    }
}

/// The rows that differ from those of an earlier view, or all.
pub(super) fn changes<V: Kept>(name: &str, now: &Arc<Recent<V>>, before: Option<&Arc<Recent<V>>>, put: &mut Put<'_>) {
    if before.is_some_and(|before| Arc::ptr_eq(before, now)) {
        return;
    }
    now.tokens.changes(before.map(|before| &before.tokens), &mut |token, value| {
        let value = value.and_then(|(last, value)| {
            let (key, number) = value.parts();
            json(&Row(last.as_millis(), key.word(), number))
        });
        put(format!("{name}/{token}"), value);
    });
    if before.is_none_or(|before| before.forgotten_until != now.forgotten_until) {
        put(format!("{name}-until"), json(&now.forgotten_until.map(UnixTime::as_millis)));
    }
}

/// Takes one token over.
pub(super) fn restore<V: Kept>(into: &mut Arc<Recent<V>>, token: &str, value: &[u8]) -> Option<()> {
    let token = Fingerprint(u64::from_str_radix(token, 16).ok()?.to_be_bytes());
    let Row(last, key, number) = read(value)?;
    let value = V::of(KeyLabel::read(&key)?, number)?;
    Arc::make_mut(into).tokens.set(token, (UnixTime::from_millis(last), value));
    Some(())
}

/// Takes over what was forgotten.
pub(super) fn restore_until<V: Kept>(into: &mut Arc<Recent<V>>, value: &[u8]) -> Option<()> {
    let until: Option<i64> = read(value)?;
    Arc::make_mut(into).forgotten_until = until.map(UnixTime::from_millis);
    Some(())
}
