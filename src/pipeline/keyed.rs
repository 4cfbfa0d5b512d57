//! Keyed hashes: they tell equal bytes from different ones, and whoever has not the key learns nothing else from them.
//!
//! HighwayHash is made for this: a secret key of 256 bits, messages of any length, 64 bits. SipHash-2-4 costs twice as much
//! for a token, an HMAC ten times, and every refused token needs several.

use std::fmt;

use aws_lc_rs::hmac;
use highway::{HighwayHash, HighwayHasher, Key};

use crate::diagnosis::Fingerprint;

/// So much is hashed at once, in bytes.
const SHORT_BYTES: usize = 128;

/// The key. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Keyed(HighwayHasher);

impl Keyed {
    /// Takes all of a longer key in.
    pub(super) fn new(key: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"fingerprints");
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(tag.as_ref().as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(HighwayHasher::new(Key(words)))
    }

    /// The hash of these bytes, one after the other.
    pub(super) fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
        let (mut hasher, mut short, mut length) = (self.0.clone(), [0; SHORT_BYTES], 0);
        for part in parts {
            // Each write costs as much as some bytes: short parts are written together.
            if let Some(room) = short.get_mut(length..length + part.len()) {
                room.copy_from_slice(part);
                length += part.len();
                continue;
            }
            hasher.append(short.get(..length).unwrap_or_default());
            hasher.append(part);
            length = 0;
        }
        hasher.append(short.get(..length).unwrap_or_default());
        Fingerprint(hasher.finalize64().to_be_bytes())
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_key_or_another_byte_gives_another_hash() {
        let hash = |key: [u8; 32], text: &str| Keyed::new(&key).hash([text.as_bytes()]);
        assert_eq!(hash([1; 32], "token"), hash([1; 32], "token"));
        assert_ne!(hash([1; 32], "token"), hash([2; 32], "token"));
        assert_ne!(hash([1; 32], "token"), hash([1; 32], "tokeN"));
        let mut last = [1; 32];
        last[31] = 2;
        assert_ne!(hash([1; 32], "token"), hash(last, "token"));
    }

    #[test]
    fn parts_make_one_message() {
        let keyed = Keyed::new(&[7; 32]);
        assert_eq!(keyed.hash([b"to".as_slice(), b"ken"]), keyed.hash([b"token".as_slice()]));
    }

    proptest! {
        #[test]
        fn parts_of_any_length_make_one_message(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)) {
            let keyed = Keyed::new(&[7; 32]);
            let whole = parts.concat();
            prop_assert_eq!(keyed.hash(parts.iter().map(Vec::as_slice)), keyed.hash([whole.as_slice()]));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Keyed::new(b"not-for-showing")), "Keyed");
    }
}
