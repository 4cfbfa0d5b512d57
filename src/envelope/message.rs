//! With which words the message of a JSON logger begins.

use super::{Record, hash};
use crate::fields::{self, Field};

/// Takes the message from all of an object of several lines, of whose first line a record was made.
pub(super) fn take_in_body(record: &mut Record<'_>, body: &[u8]) {
    if record.is_json {
        record.message = 0;
        fields::json(body, &mut |field| {
            note(&field, &mut record.message);
            true
        });
    }
}

/// Notes the first two words of a message; further words may name the client.
pub(super) fn note(field: &Field<'_>, found: &mut u64) {
    if field.parents.is_empty() && field.quoted && matches!(field.key, b"msg" | b"@mt" | b"message" | b"event" | b"@m")
    {
        let mut words = field.value.split(|byte| *byte == b' ');
        let first = [words.next(), words.next()].map(Option::unwrap_or_default);
        if first.iter().flat_map(|word| word.iter()).all(|byte| !byte.is_ascii_digit()) {
            *found ^= hash(first.map(|word| hash(word).to_le_bytes()).as_flattened());
        }
    }
}
