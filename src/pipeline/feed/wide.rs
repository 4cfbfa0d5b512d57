//! A stream in UTF-16, as Windows writes logs: what it is shows in its first bytes. Of each line the same line in UTF-8 is
//! made, and white space behind it in the place of the bytes that are left, so that every line stays where it is.

use std::mem::take;

/// Units that tell the encoding where no mark does: all of them are ASCII.
const UNITS_LEAST: usize = 4;
const LINE_BREAK: u16 = b'\n' as u16;

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Order {
    Little,
    Big,
}

/// What the first bytes of a stream tell of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum Encoding {
    /// Too few bytes.
    Unknown,
    Bytes,
    Wide(Order),
}

impl Encoding {
    pub(in crate::pipeline) fn of(bytes: &[u8]) -> Self {
        let is_ascii = |byte: u8| byte.is_ascii() && byte != 0;
        let (units, rest) = bytes.as_chunks::<2>();
        match units.first() {
            Some([0xFF, 0xFE]) => return Self::Wide(Order::Little),
            Some([0xFE, 0xFF]) => return Self::Wide(Order::Big),
            Some(_) => {}
            None => {
                let may_be = rest.first().is_some_and(|byte| matches!(byte, 0 | 0xFE | 0xFF));
                return if may_be || bytes.is_empty() { Self::Unknown } else { Self::Bytes };
            }
        }
        let first = units.get(..UNITS_LEAST).unwrap_or(units);
        let order = if first.iter().all(|[low, high]| is_ascii(*low) && *high == 0) {
            Order::Little
        } else if first.iter().all(|[high, low]| is_ascii(*low) && *high == 0) {
            Order::Big
        } else {
            return Self::Bytes;
        };
        if units.len() < UNITS_LEAST { Self::Unknown } else { Self::Wide(order) }
    }
}

/// A stream in UTF-16.
#[derive(Debug)]
pub(super) struct Wide {
    order: Order,
    /// The bytes of a line that has not ended.
    held: Vec<u8>,
}

impl Wide {
    pub(super) const fn new(order: Order) -> Self {
        Self { order, held: Vec::new() }
    }

    pub(super) const fn order(&self) -> Order {
        self.order
    }

    /// How many bytes have been taken and not been given.
    pub(super) const fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the next bytes, and gives the lines that they end, or what there is if that is too long for one.
    pub(super) fn unfold(&mut self, chunk: &[u8], line_bytes_max: usize) -> Vec<u8> {
        let from = self.held.len() / 2 * 2;
        self.held.extend_from_slice(chunk);
        let ends = |unit: &[u8; 2]| self.unit(*unit) == LINE_BREAK;
        let (units, _) = self.held.get(from..).unwrap_or_default().as_chunks::<2>();
        let end = match units.iter().rposition(ends) {
            Some(last) => from + 2 * (last + 1),
            None if self.held.len() > 2 * line_bytes_max => self.held.len() / 2 * 2,
            None => return Vec::new(),
        };
        let rest = self.held.split_off(end);
        let lines = std::mem::replace(&mut self.held, rest);
        self.narrow(&lines)
    }

    /// Gives what is left as it is: nothing more comes for it.
    pub(super) fn flush(&mut self) -> Vec<u8> {
        let left = take(&mut self.held);
        self.narrow(&left)
    }

    const fn unit(&self, bytes: [u8; 2]) -> u16 {
        match self.order {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    /// As many bytes, line by line.
    fn narrow(&self, bytes: &[u8]) -> Vec<u8> {
        let (units, _) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|unit| self.unit(*unit)).collect();
        let mut narrow = Vec::with_capacity(bytes.len());
        for line in units.split_inclusive(|unit| *unit == LINE_BREAK) {
            let from = narrow.len();
            let (text, is_ended) = line
                .split_last()
                .filter(|(last, _)| **last == LINE_BREAK)
                .map_or((line, false), |(_, text)| (text, true));
            let room = 2 * line.len() - usize::from(is_ended);
            let whole: String = char::decode_utf16(text.iter().copied()).map(|c| c.unwrap_or('?')).collect();
            // Of other scripts not all may fit.
            if whole.len() <= room && !whole.contains('\n') {
                narrow.extend_from_slice(whole.as_bytes());
            } else {
                let ascii = |unit: &u16| u8::try_from(*unit).ok().filter(u8::is_ascii).unwrap_or(b'?');
                narrow.extend(text.iter().map(ascii));
            }
            narrow.resize(from + room, b' ');
            narrow.extend_from_slice(if is_ended { b"\n" } else { b"" });
        }
        narrow.resize(bytes.len(), b' ');
        narrow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, order: Order) -> Vec<u8> {
        let bytes = |unit: u16| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn each_line_stays_where_it_is() {
        let text = "\u{feff}one…\r\n\n日本語日本語\ntwo 51007";
        for order in [Order::Little, Order::Big] {
            let stream = encoded(text, order);
            assert_eq!(Encoding::of(&stream), Encoding::Wide(order));
            for piece in [1, 2, 3, 7, 100] {
                let (mut wide, mut found) = (Wide::new(order), Vec::new());
                for chunk in stream.chunks(piece) {
                    found.extend(wide.unfold(chunk, 100));
                }
                assert_eq!(found.len() + wide.held(), stream.len());
                found.extend(wide.flush());
                let expected = "\u{feff}one…\r   \n \n??????       \ntwo 51007         ";
                assert_eq!(String::from_utf8_lossy(&found), expected, "in pieces of {piece}");
            }
        }
    }

    #[test]
    fn the_encoding_shows_in_the_first_bytes() {
        for (bytes, expected) in [
            (&b""[..], Encoding::Unknown),
            (b"2", Encoding::Bytes),
            (b"\xff", Encoding::Unknown),
            (b"20", Encoding::Bytes),
            (b"2\x000\x00", Encoding::Unknown),
            (b"2\x000\x002\x006\x00", Encoding::Wide(Order::Little)),
            (b"\x002\x000\x002\x006", Encoding::Wide(Order::Big)),
            (b"\0\0\0\0", Encoding::Bytes),
            (b"2\x000\x00a", Encoding::Unknown),
            (b"2\x00ab", Encoding::Bytes),
            (b"\xef\xbb\xbf2", Encoding::Bytes),
        ] {
            assert_eq!(Encoding::of(bytes), expected, "{bytes:?}");
        }
    }
}
