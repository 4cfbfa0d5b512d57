//! A map by token that is copied for every commit: a small layer of what is new, over a large one that the copies share.
//!
//! So a commit copies and compares what has changed lately, not all that is remembered.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::diagnosis::Fingerprint;

/// The layer above is brought into the one below when it has so many tokens.
const ABOVE_MAX: usize = 256;

/// The map.
#[derive(Clone, Debug)]
pub(super) struct Layers<V> {
    below: Arc<HashMap<Fingerprint, V>>,
    /// Counts before what is below.
    above: HashMap<Fingerprint, V>,
    /// Tokens above that are not below.
    added: usize,
}

impl<V> Default for Layers<V> {
    fn default() -> Self {
        Self { below: Arc::default(), above: HashMap::new(), added: 0 }
    }
}

impl<V: Copy + PartialEq> Layers<V> {
    /// Tokens.
    pub(super) fn len(&self) -> usize {
        self.below.len() + self.added
    }

    /// The value of a token.
    pub(super) fn get(&self, token: Fingerprint) -> Option<V> {
        self.above.get(&token).or_else(|| self.below.get(&token)).copied()
    }

    /// Gives a token a value.
    pub(super) fn set(&mut self, token: Fingerprint, value: V) {
        if self.above.insert(token, value).is_none() {
            self.added += usize::from(!self.below.contains_key(&token));
        }
        if self.above.len() >= ABOVE_MAX {
            self.join();
        }
    }

    /// All tokens with their values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &V)> {
        self.below.iter().filter(|(token, _)| !self.above.contains_key(*token)).chain(&self.above)
    }

    /// Forgets all tokens but those whose value is to be kept.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&V) -> bool) {
        self.join();
        Arc::make_mut(&mut self.below).retain(|_, value| keeps(value));
    }

    /// Tells what differs from an earlier copy: tokens with their new values, and those that are gone.
    pub(super) fn changes(&self, before: Option<&Self>, tell: &mut dyn FnMut(&Fingerprint, Option<&V>)) {
        let is_new =
            |(token, value): &(&Fingerprint, &V)| before.and_then(|before| before.get(**token)) != Some(**value);
        if before.is_some_and(|before| Arc::ptr_eq(&before.below, &self.below)) {
            self.above.iter().filter(is_new).for_each(|(token, value)| tell(token, Some(value)));
            return;
        }
        self.iter().filter(is_new).for_each(|(token, value)| tell(token, Some(value)));
        let old = before.iter().flat_map(|before| before.iter());
        old.filter(|(token, _)| self.get(**token).is_none()).for_each(|(token, _)| tell(token, None));
    }

    fn join(&mut self) {
        Arc::make_mut(&mut self.below).extend(self.above.drain());
        self.added = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn layers_hold_what_one_map_would_and_know_what_has_changed(
            steps in prop::collection::vec(prop::collection::vec((0_u64..900, 0_u8..20), 0..400), 1..6),
            forget in prop::collection::vec(0_u8..40, 6),
        ) {
            let token = |number: u64| Fingerprint(number.to_be_bytes());
            let (mut layers, mut plain) = (Layers::default(), BTreeMap::new());
            let (mut last, mut told) = (None, BTreeMap::new());
            for (step, limit) in steps.into_iter().zip(forget) {
                for (number, value) in step {
                    layers.set(token(number), value);
                    plain.insert(token(number), value);
                    prop_assert_eq!(layers.get(token(number)), Some(value));
                }
                if limit < 20 {
                    layers.retain(|value| *value >= limit);
                    plain.retain(|_, value| *value >= limit);
                }
                prop_assert_eq!(layers.len(), plain.len());
                prop_assert_eq!(layers.iter().map(|(token, value)| (*token, *value)).collect::<BTreeMap<_, _>>(), plain.clone());
                layers.changes(last.as_ref(), &mut |token, value| match value {
                    Some(value) => drop(told.insert(*token, *value)),
                    None => assert!(told.remove(token).is_some(), "only what was there goes"),
                });
                prop_assert_eq!(&told, &plain);
                last = Some(layers.clone());
            }
        }
    }
}
