//! The time of an object whose members have names that are not known to hold it: the first member that is a date with a
//! time, or a number of such a name that it may be one.

use super::emitter::{self, Role};
use super::{Record, Written, collected, note, pairs, time_of};
use crate::fields::{self, Field};
use crate::stamp;

/// No date with a time is shorter, or longer, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 14..=40;
/// Parts of names of members that tell of another time than the line's, in small letters.
const OTHER_TIMES: [&[u8]; 14] = [
    b"exp",
    b"until",
    b"valid",
    b"before",
    b"after",
    b"next",
    b"birth",
    b"refresh",
    b"renew",
    b"retry",
    b"deadline",
    b"last",
    b"issued",
    b"token",
];
/// Names of members whose numbers may be a time.
const NUMBERS: [&[u8]; 12] = [
    b"created",
    b"created_at",
    b"createdAt",
    b"at",
    b"dt",
    b"logged_at",
    b"received_at",
    b"time_msec",
    b"msec",
    b"unix_time",
    b"unixtime",
    b"started_at",
];

/// The first dates of an object: at its top, and below.
#[derive(Debug, Default)]
pub(super) struct Dated {
    top: Option<Written>,
    below: Option<Written>,
}

impl Dated {
    pub(super) fn note(&mut self, field: &Field<'_>) {
        let slot = if field.parents.is_empty() { &mut self.top } else { &mut self.below };
        if slot.is_some() || !field.value.first().is_some_and(u8::is_ascii_digit) {
            return;
        }
        if NUMBERS.contains(&field.key) && field.parents.is_empty() {
            *slot = stamp::epoch(field.value).map(Written::Exact);
        }
        if slot.is_none() && field.quoted && LENGTHS.contains(&field.value.len()) {
            *slot = stamp::read(field.value).filter(|_| !is_other_time(field.key)).map(Written::Stamp);
        }
    }

    pub(super) fn first(&self) -> Option<Written> {
        self.top.or(self.below)
    }
}

impl Record<'_> {
    /// Takes in what a document of YAML says, whose members stand on lines of their own.
    pub fn take_in_document(&mut self, document: &[u8]) {
        let (mut inner, mut dated) = (Record::default(), Dated::default());
        for line in document.split(|byte| *byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line).filter(|_| !line.starts_with(b" ")) else { continue };
            let (key, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
            let value = value.trim_ascii();
            let bare = [b'\'', b'"'].iter().find_map(|quote| value.strip_prefix(&[*quote])?.strip_suffix(&[*quote]));
            let field = Field { parents: &[], key, value: bare.unwrap_or(value), at: 0, quoted: true };
            dated.note(&field);
            note(&mut inner, field);
        }
        pairs::note_ids(document, &mut inner);
        self.note_time(inner.time.or_else(|| dated.first()));
        self.ids.merge(&inner.ids);
        self.product = self.product.or(inner.product);
    }
}

/// Whether a JSON object says when it was, itself or in an object that it holds.
pub fn is_event(object: &[u8]) -> bool {
    if collected::pair(object).is_some() {
        return true;
    }
    let mut is_event = false;
    fields::json(object, &mut |field| {
        is_event = field.parents.len() <= 1
            && emitter::role(field.key, field.parents) == Some(Role::Time)
            && time_of(field).is_some();
        !is_event
    });
    is_event
}

fn is_other_time(key: &[u8]) -> bool {
    let key = key.to_ascii_lowercase();
    OTHER_TIMES.iter().any(|word| memchr::memmem::find(&key, word).is_some())
}

/// The milliseconds in `/Date(1795488000100)/`, as .NET wrote times.
pub(super) fn of_net(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"\\").unwrap_or(value).strip_prefix(b"/Date(")?;
    let digits = inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
    inner.get(..digits)
}
