//! Keyed hashes: they tell equal bytes from different ones, and whoever has not the key learns nothing else from them.
//!
//! SipHash-2-4 is made for this: short messages, a secret key, 64 bits. An HMAC of the same length costs five times as
//! much, and every refused token needs several.

use std::fmt;
use std::hash::Hasher;

use aws_lc_rs::hmac;
use siphasher::sip::SipHasher24;

use crate::diagnosis::Fingerprint;

/// So much is hashed at once, in bytes.
const SHORT_BYTES: usize = 128;

/// The key. `Debug` does not show it.
#[derive(Clone)]
pub(super) struct Keyed(SipHasher24);

impl Keyed {
    /// Takes all of a longer key in.
    pub(super) fn new(key: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"fingerprints");
        Self(SipHasher24::new_with_key(&tag.as_ref().first_chunk().copied().unwrap_or_default()))
    }

    /// The hash of these bytes, one after the other.
    pub(super) fn hash<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Fingerprint {
        let (mut hasher, mut short, mut length) = (self.0, [0; SHORT_BYTES], 0);
        for part in parts {
            // Each write costs as much as some bytes: short parts are written together.
            if let Some(room) = short.get_mut(length..length + part.len()) {
                room.copy_from_slice(part);
                length += part.len();
                continue;
            }
            hasher.write(short.get(..length).unwrap_or_default());
            hasher.write(part);
            length = 0;
        }
        hasher.write(short.get(..length).unwrap_or_default());
        Fingerprint(hasher.finish().to_be_bytes())
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
