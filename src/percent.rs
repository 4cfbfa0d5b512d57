//! Percent-encoding, undone as leniently as people and log files need it.
//!
//! Deliberately without a judgement on what is encoded: what is no escape stays as it is.

/// Undoes one percent-encoding; `None` if there is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr(b'%', text)?;
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let escape = after.split_first_chunk::<2>().filter(|_| *byte == b'%');
        let value = escape.and_then(|(digits, after)| Some((hex_byte(*digits)?, after)));
        let (byte, after) = value.unwrap_or((*byte, after));
        decoded.push(byte);
        rest = after;
    }
    (decoded != text).then_some(decoded)
}

/// The byte that two hexadecimal digits stand for.
pub fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()));
    Some(high? << 4 | low?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once_and_all_else_stays() {
        assert_eq!(decode(b"a%2Eb%252E").as_deref(), Some(&b"a.b%2E"[..]));
        for plain in ["", "abc", "100%", "%", "%2", "%zz", "a%+1"] {
            assert_eq!(decode(plain.as_bytes()), None, "{plain}");
        }
    }
}
