//! What a commit changes: rows one behind the other, as a record of the journal holds them.
//!
//! Packed, because under load a commit has tens of thousands of small rows, which are written once and then wait to be
//! brought into the database: two allocations for each, and a place in a tree, would cost more than all the rest of a
//! commit. Of several rows with one key the last counts.
//!
//! ```text
//! rows = { key length u32 │ key │ value length u32, or all ones: removed │ value }*
//! ```
//! Numbers are little-endian.

use super::Table;

/// Bytes of a length.
const LENGTH_BYTES: usize = 4;

/// In the place of the length of a value: there is none.
const REMOVED: u32 = u32::MAX;

/// A row: its key, and its value if it is not removed.
pub type Row<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a commit changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    packed: Vec<u8>,
    /// A row could not be packed.
    is_too_long: bool,
}

impl Batch {
    /// No change.
    pub const fn new() -> Self {
        Self { packed: Vec::new(), is_too_long: false }
    }

    /// Puts a row there, or removes it.
    pub fn set(&mut self, table: Table, name: &[u8], value: Option<&[u8]>) {
        self.add(&[&[table.tag()], name], value);
    }

    fn add(&mut self, key: &[&[u8]], value: Option<&[u8]>) {
        let length = |length: usize| u32::try_from(length).ok().filter(|length| *length < REMOVED);
        let lengths =
            (length(key.iter().map(|part| part.len()).sum()), value.map_or(Some(REMOVED), |v| length(v.len())));
        let (Some(of_key), Some(of_value)) = lengths else {
            self.is_too_long = true;
            return;
        };
        self.packed.extend_from_slice(&of_key.to_le_bytes());
        for part in key {
            self.packed.extend_from_slice(part);
        }
        self.packed.extend_from_slice(&of_value.to_le_bytes());
        self.packed.extend_from_slice(value.unwrap_or_default());
    }

    /// Whether it changes nothing.
    pub const fn is_empty(&self) -> bool {
        self.packed.is_empty() && !self.is_too_long
    }

    /// Bytes that it takes.
    pub const fn length(&self) -> usize {
        self.packed.len()
    }

    /// The rows as a journal holds them; nothing if one of them is longer than 4 GiB.
    pub(super) fn packed(&self) -> Option<&[u8]> {
        (!self.is_too_long).then_some(&*self.packed)
    }

    /// Adds what a later commit changes.
    pub fn append(&mut self, later: Self) {
        if self.packed.is_empty() {
            self.packed = later.packed;
        } else {
            self.packed.extend_from_slice(&later.packed);
        }
        self.is_too_long |= later.is_too_long;
    }

    /// All rows, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        unpack(&self.packed)
    }

    /// The rows that count, by their keys.
    pub fn sorted(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = self.iter().collect();
        rows.sort_by_key(|(key, _)| *key);
        rows.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        rows
    }

    /// Drops the rows that do not count.
    pub fn compact(&mut self) {
        let mut compact = Self { packed: Vec::new(), is_too_long: self.is_too_long };
        self.sorted().into_iter().for_each(|(key, value)| compact.add(&[key], value));
        compact.packed.shrink_to_fit();
        *self = compact;
    }
}

/// Rows as they are packed, up to where they are whole.
pub(super) fn unpack(mut bytes: &[u8]) -> impl Iterator<Item = Row<'_>> {
    std::iter::from_fn(move || {
        let (key, rest) = field(bytes)?;
        let (length, behind) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (value, rest) = if u32::from_le_bytes(*length) == REMOVED {
            (None, behind)
        } else {
            let (value, rest) = field(rest)?;
            (Some(value), rest)
        };
        bytes = rest;
        Some((key, value))
    })
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_row_is_no_change() {
        let mut batch = Batch::new();
        assert!(batch.is_empty() && batch.sorted().is_empty() && batch.packed() == Some(b"".as_slice()));
        batch.compact();
        assert!(batch.is_empty());
        batch.set(Table::Ledger, b"", None);
        assert!(!batch.is_empty());
    }

    proptest! {
        #[test]
        fn of_rows_with_one_key_the_last_counts(
            rows in prop::collection::vec((0_u8..6, prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..40),
            cut in 0_usize..40,
        ) {
            let (mut batch, mut later, mut expected) = (Batch::new(), Batch::new(), BTreeMap::new());
            for (at, (name, value)) in rows.iter().enumerate() {
                let into = if at < cut { &mut batch } else { &mut later };
                into.set(Table::Refused, &[*name], value.as_deref());
                expected.insert(vec![Table::Refused.tag(), *name], value.as_deref());
            }
            batch.append(later);
            prop_assert_eq!(batch.iter().count(), rows.len());
            let expected: Vec<Row<'_>> = expected.iter().map(|(key, value)| (&**key, *value)).collect();
            prop_assert_eq!(batch.sorted(), expected.clone());
            batch.compact();
            prop_assert_eq!(batch.iter().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn damaged_rows_are_read_up_to_there(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(unpack(&bytes).count() <= bytes.len() / 8);
        }
    }
}
