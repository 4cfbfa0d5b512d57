//! An entry of `journalctl -o export`, of whose lines one has been made.

use super::collected::trimmed;
use super::{Record, note};
use crate::fields::Field;

/// Stands where the line of a field ended.
pub const FIELD_END: u8 = 0x1E;
/// Stands for the bytes of the length of a binary field.
pub const FIELD_LENGTH: u8 = 0x1F;
/// Stands where a line ended inside a binary field.
pub const MESSAGE_BREAK: u8 = 0x1D;

/// Stands for white space that is none of a line's: before an element of an array of which a line has been made.
pub const FILLER: u8 = FIELD_LENGTH;

/// A line without what stands before its beginning.
pub(super) fn beginning(line: &[u8]) -> &[u8] {
    match line.first() {
        Some(0xEF) => line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line),
        Some(&FILLER) => line.get(line.iter().take_while(|byte| **byte == FILLER).count()..).unwrap_or(line),
        Some(_) | None => line,
    }
}

/// The message of an entry; what its other fields say is noted.
pub(super) fn message(entry: &[u8], record: &mut Record<'_>) -> Option<Vec<u8>> {
    if !entry.starts_with(b"__CURSOR=") {
        return None;
    }
    let mut message = None;
    for field in entry.split(|byte| *byte == FIELD_END) {
        let Some(equals) = memchr::memchr(b'=', field) else { continue };
        let (key, value) = (field.get(..equals).unwrap_or_default(), field.get(equals + 1..).unwrap_or_default());
        if key == b"MESSAGE" {
            message = message.or(Some(value));
        } else {
            note(record, Field { parents: &[], key, value, at: 0, quoted: true });
        }
    }
    let bytes = message?.iter().skip_while(|byte| **byte == FIELD_LENGTH);
    Some(trimmed(bytes.map(|byte| if *byte == MESSAGE_BREAK { b'\n' } else { *byte }).collect()))
}
