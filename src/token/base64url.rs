//! base64url without padding, in vector instructions.
//!
//! The `base64` crate says what is wrong with a text that can't be decoded.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};
use base64_simd::Out;

/// Decodes a text; what `into` held before is overwritten.
pub(super) fn decode(text: &[u8], into: &mut Vec<u8>) -> Result<(), DecodeError> {
    into.resize(text.len() / 4 * 3 + text.len() % 4 * 3 / 4, 0);
    if base64_simd::URL_SAFE_NO_PAD.decode(text, Out::from_slice(into)).is_ok() {
        return Ok(());
    }
    into.clear();
    URL_SAFE_NO_PAD.decode_vec(text, into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8]) {
        let mut found = vec![7; 5];
        let result = decode(text, &mut found).map(|()| found);
        assert_eq!(result, URL_SAFE_NO_PAD.decode(text), "{}", String::from_utf8_lossy(text));
    }

    #[test]
    fn every_byte_counts_wherever_it_stands() {
        for place in [0, 1, 31, 32, 33, 63, 64, 66] {
            for byte in 0..=u8::MAX {
                let mut text = [b'A'; 67];
                text[place] = byte;
                check(&text);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_decoded_is_what_any_decoder_decodes(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            end in 0_usize..4,
            other in "[A-Za-z0-9_\\-=+/. ]{0,100}",
        ) {
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            check(text.as_bytes());
            check(text.get(..text.len().saturating_sub(end)).unwrap().as_bytes());
            check(format!("{text}{other}").as_bytes());
        }
    }
}
