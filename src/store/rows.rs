//! All rows of a state as it is opened: there may be a million, and they are needed for a moment.
//!
//! Those of the database lie packed in one piece of memory, which is given back as a whole; what journals changed lies
//! beside them.

use std::collections::BTreeMap;
use std::iter::Peekable;

use super::Batch;
use super::batch::Row;

/// Bytes of a length.
const LENGTH_BYTES: usize = 4;

/// All rows, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Rows one behind the other, each as the lengths of key and value, key, and value.
    packed: Vec<u8>,
    changes: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
}

impl Rows {
    /// No row.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row of the database, whose key comes after all others there.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        for part in [key, value] {
            // A row of 4 GiB can't be committed.
            self.packed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.packed.extend_from_slice(key);
        self.packed.extend_from_slice(value);
    }

    /// Puts a row there, instead of another one with the same key, or takes it out.
    pub(super) fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.changes.insert(key.into(), value.map(Into::into));
    }

    /// Takes in what a commit changes.
    pub fn apply(&mut self, batch: &Batch) {
        batch.iter().for_each(|(key, value)| self.set(key, value));
    }

    /// What was changed behind the database.
    pub(super) fn changes(&self) -> impl Iterator<Item = Row<'_>> {
        self.changes.iter().map(|(key, value)| (&**key, value.as_deref()))
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (packed, changes) = (Packed(&self.packed).peekable(), self.changes().peekable());
        Merged { packed, changes }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Rows {}

/// What is left of packed rows.
struct Packed<'a>(&'a [u8]);

impl<'a> Iterator for Packed<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (lengths, rest) = self.0.split_first_chunk::<{ 2 * LENGTH_BYTES }>()?;
        let mut lengths = lengths.as_chunks::<LENGTH_BYTES>().0.iter().map(|length| u32::from_le_bytes(*length));
        let mut length = || usize::try_from(lengths.next()?).ok();
        let (key, rest) = rest.split_at_checked(length()?)?;
        let (value, rest) = rest.split_at_checked(length()?)?;
        self.0 = rest;
        Some((key, value))
    }
}

/// Packed rows with changes over them.
struct Merged<'a, C: Iterator<Item = Row<'a>>> {
    packed: Peekable<Packed<'a>>,
    changes: Peekable<C>,
}

impl<'a, C: Iterator<Item = Row<'a>>> Iterator for Merged<'a, C> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.changes.peek() else { return self.packed.next() };
            if let Some(row) = self.packed.next_if(|(key, _)| key < changed) {
                return Some(row);
            }
            _ = self.packed.next_if(|(key, _)| key == changed);
            if let Some((key, Some(value))) = self.changes.next() {
                return Some((key, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_row_is_no_row() {
        assert!(Rows::new().is_empty());
        let mut rows = Rows::new();
        rows.set(&[1], None);
        assert!(rows.is_empty() && rows == Rows::new());
    }

    proptest! {
        #[test]
        fn changes_lie_over_what_was_there(
            old in prop::collection::btree_map(0_u8..20, prop::collection::vec(any::<u8>(), 0..4), 0..12),
            new in prop::collection::btree_map(0_u8..20, prop::option::of(prop::collection::vec(any::<u8>(), 0..4)), 0..12),
        ) {
            let (mut rows, mut expected) = (Rows::new(), BTreeMap::new());
            for (name, value) in &old {
                rows.push(&[*name], value);
                expected.insert([*name], Some(value.as_slice()));
            }
            for (name, value) in &new {
                rows.set(&[*name], value.as_deref());
                expected.insert([*name], value.as_deref());
            }
            let expected: Vec<_> = expected.iter().filter_map(|(key, value)| Some((key.as_slice(), (*value)?))).collect();
            prop_assert_eq!(rows.iter().collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!((rows.len(), rows.changes().count()), (expected.len(), new.len()));
        }
    }
}
