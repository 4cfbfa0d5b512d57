//! The members of closed lists as words: what is kept outlives the order of a list.

use std::collections::BTreeMap;

use crate::cause::Cause;
use crate::code;
use crate::diagnosis::{Basis, Check, SkipReason, Skipped, TokenState};
use crate::ledger::window::{CodeLabel, KeyLabel, Sparse};
use crate::pipeline::arrival::Outcome;
use crate::product::Product;
use crate::source::{Failure, Rotation};

/// A value that is kept as a word.
pub(super) trait Word: Copy + Ord {
    fn word(self) -> String;
    fn read(word: &str) -> Option<Self>;
}

macro_rules! words {
    ($($list:ty),*) => {$(
        impl Word for $list {
            fn word(self) -> String {
                self.id().to_owned()
            }
            fn read(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|member| member.id() == word)
            }
        }
    )*};
}

words!(Cause, Product, Basis, TokenState, Check, SkipReason, Rotation, Failure, Outcome);

impl Word for u16 {
    fn word(self) -> String {
        self.to_string()
    }
    fn read(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

impl Word for CodeLabel {
    fn word(self) -> String {
        self.to_string()
    }
    fn read(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "other" => Some(Self::Other),
            _ => {
                let number = word.parse().ok()?;
                // A code that is in the table no longer is one of the others.
                Some(if code::find(number).is_some() { Self::Known(number) } else { Self::Other })
            }
        }
    }
}

impl Word for KeyLabel {
    fn word(self) -> String {
        match self {
            Self::Known(place) => place.to_string(),
            Self::Other => "other".to_owned(),
            Self::None => "none".to_owned(),
        }
    }
    fn read(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "other" => Some(Self::Other),
            _ => word.parse().ok().map(Self::Known),
        }
    }
}

impl<A: Word, B: Word> Word for (A, B) {
    fn word(self) -> String {
        format!("{}/{}", self.0.word(), self.1.word())
    }
    fn read(word: &str) -> Option<Self> {
        let (first, second) = word.split_once('/')?;
        Some((A::read(first)?, B::read(second)?))
    }
}

impl Word for Skipped {
    fn word(self) -> String {
        (self.check, self.reason).word()
    }
    fn read(word: &str) -> Option<Self> {
        Word::read(word).map(|(check, reason)| Self { check, reason })
    }
}

/// Counts by word; those of 0 are left out.
pub(super) type Counts = BTreeMap<String, u64>;

pub(super) fn counts<K: Word>(counts: impl IntoIterator<Item = (K, u64)>) -> Counts {
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(key, count)| (key.word(), count)).collect()
}

/// Adds what was kept to a map that has every child of its closed list.
pub(super) fn add<K: Word>(into: &mut BTreeMap<K, u64>, counts: &Counts) {
    for (word, count) in counts {
        if let Some(key) = K::read(word) {
            *into.entry(key).or_default() += count;
        }
    }
}

pub(super) fn sparse<K: Word>(counts: &Counts) -> Sparse<K, u64> {
    let mut all = BTreeMap::new();
    add(&mut all, counts);
    all.into_iter().collect()
}
