//! An export of the journal (`journalctl -o export`), told by its first bytes: of each entry's fields, which stand on lines
//! of their own or, if they are binary, behind their length, one line is made. No byte is added or taken away, so that
//! every position stays what it is.

use crate::envelope::{FIELD_END, FIELD_LENGTH, MESSAGE_BREAK};

/// What every entry begins with.
const BEGINNING: &[u8] = b"__CURSOR=";
/// Bytes of the length of a binary field.
const LENGTH_BYTES: u8 = 8;
/// No field is as long as that, in bytes: what says so is no export.
const FIELD_BYTES_MAX: u64 = 64 << 20;

/// How far the reading of a stream is that may be an export of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// So many bytes of what every entry begins with.
    Beginning(usize),
    /// It is none.
    No,
    /// At the beginning of a field.
    Field,
    /// In the name of a field.
    Name,
    /// In the value of a field, up to the end of the line.
    Value,
    /// So many bytes of a length, and what they come to.
    Length(u8, u64),
    /// In a binary value that goes on for so many bytes.
    Binary(u64),
}

impl Default for Journal {
    fn default() -> Self {
        Self::Beginning(0)
    }
}

impl Journal {
    /// The stream is an export, as far as is known.
    pub(super) const fn is_export(self) -> bool {
        !matches!(self, Self::Beginning(_) | Self::No)
    }

    /// Most streams are none, as their first byte says.
    pub(super) fn rule_out(&mut self, chunk: &[u8]) {
        if *self == Self::Beginning(0) && !chunk.is_empty() && chunk.first() != BEGINNING.first() {
            *self = Self::No;
        }
    }

    /// The next bytes of the stream, with a line for each entry; nothing if they stay what they are.
    pub(super) fn unfold(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let mut rest = chunk;
        while let Self::Beginning(known) = *self {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            *self = match BEGINNING.get(known) {
                Some(expected) if expected != byte => Self::No,
                Some(_) if known + 1 == BEGINNING.len() => Self::Value,
                Some(_) => Self::Beginning(known + 1),
                None => Self::No,
            };
        }
        if *self == Self::No {
            return None;
        }
        let mut unfolded = chunk.to_vec();
        let from = chunk.len() - rest.len();
        for byte in unfolded.iter_mut().skip(from) {
            (*byte, *self) = self.step(*byte);
        }
        Some(unfolded)
    }

    /// What becomes of a byte.
    fn step(self, byte: u8) -> (u8, Self) {
        match (self, byte) {
            (Self::Beginning(_) | Self::No, _) => (byte, self),
            (Self::Field, b'\n') => (byte, Self::Field),
            (Self::Field | Self::Name, b'=') => (byte, Self::Value),
            (Self::Name, b'\n') => (b'=', Self::Length(0, 0)),
            (Self::Field | Self::Name, _) => (byte, Self::Name),
            (Self::Value, b'\n') => (FIELD_END, Self::Field),
            (Self::Value, _) => (byte, Self::Value),
            (Self::Length(known, sum), _) => {
                let sum = sum | u64::from(byte) << (8 * u32::from(known));
                let next = match known + 1 {
                    LENGTH_BYTES if sum > FIELD_BYTES_MAX => Self::No,
                    LENGTH_BYTES if sum == 0 => Self::Value,
                    LENGTH_BYTES => Self::Binary(sum),
                    more => Self::Length(more, sum),
                };
                (FIELD_LENGTH, next)
            }
            (Self::Binary(left), _) => {
                let byte = if byte == b'\n' { MESSAGE_BREAK } else { byte };
                (byte, if left > 1 { Self::Binary(left - 1) } else { Self::Value })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &[u8], expected: Option<&[u8]>) {
        for piece in [1, 3, stream.len() + 1] {
            let (mut journal, mut found) = (Journal::default(), Vec::new());
            for chunk in stream.chunks(piece) {
                found.extend(journal.unfold(chunk).unwrap_or_else(|| chunk.to_vec()));
            }
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected.unwrap_or(stream)));
            assert_eq!(journal.is_export(), expected.is_some());
        }
    }

    #[test]
    fn an_entry_becomes_a_line() {
        check(
            b"__CURSOR=s=1\n_PID=7\nMESSAGE=a=b\n\n__CURSOR=s=2\n\n",
            Some(b"__CURSOR=s=1\x1e_PID=7\x1eMESSAGE=a=b\x1e\n__CURSOR=s=2\x1e\n"),
        );
        let binary = b"__CURSOR=s=1\nMESSAGE\n\x0a\0\0\0\0\0\0\0a\n\nb=c\nd\ne\n_PID=7\n\n";
        check(
            binary,
            Some(b"__CURSOR=s=1\x1eMESSAGE=\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1fa\x1d\x1db=c\x1dd\x1de\x1e_PID=7\x1e\n"),
        );
    }

    #[test]
    fn any_other_stream_stays_as_it_is() {
        for stream in [&b""[..], b"__CURS", b"__CURSORS=1\na\n", b"2026-03-01 x\n", b"_"] {
            check(stream, None);
        }
    }
}
