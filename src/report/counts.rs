//! Numbers by the values of a closed list.

/// How often each value was met. There are few, so that looking at each costs less than a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts<K>(Vec<(K, u64)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Copy + Ord> Counts<K> {
    /// Counts one more.
    pub fn add(&mut self, key: K) {
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            *count += 1;
            return;
        }
        let at = self.0.partition_point(|(known, _)| *known < key);
        self.0.insert(at, (key, 1));
    }

    /// How often a value was met.
    pub fn of(&self, key: K) -> u64 {
        self.0.iter().find(|(known, _)| *known == key).map_or(0, |(_, count)| *count)
    }

    /// Nothing was met.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values that were met, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_come_in_their_order() {
        let mut counts = Counts::default();
        assert!(counts.is_empty());
        for value in [3, 1, 3, 2, 1, 3] {
            counts.add(value);
        }
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(1, 2), (2, 1), (3, 3)]);
        assert_eq!((counts.of(3), counts.of(4), counts.is_empty()), (3, 0, false));
    }
}
