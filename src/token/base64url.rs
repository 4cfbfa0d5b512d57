//! base64url without padding, 32 characters at a time.
//!
//! What is left behind the last 32 characters is decoded by the `base64` crate, which also says what is wrong with a text
//! that can't be decoded.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;

/// Characters that are decoded at once, and the bytes that they come to.
const STEP: usize = 32;
const STEP_BYTES: usize = 24;

/// Decodes a text; what `into` held before is overwritten.
pub(super) fn decode(text: &[u8], into: &mut Vec<u8>) -> Result<(), DecodeError> {
    let length = text.len() / 4 * 3 + text.len() % 4 * 3 / 4;
    into.resize(length, 0);
    let done = whole_steps(text, into);
    let (rest, room) = (text.get(done..).unwrap_or_default(), into.get_mut(done / 4 * 3..).unwrap_or_default());
    if URL_SAFE_NO_PAD.decode_slice(rest, room).is_ok() {
        return Ok(());
    }
    into.clear();
    URL_SAFE_NO_PAD.decode_vec(text, into)
}

/// Decodes whole steps up to the first that holds anything else, as far as the machine can; says how many characters.
#[cfg(target_arch = "x86_64")]
fn whole_steps(text: &[u8], into: &mut [u8]) -> usize {
    let Some(simd) = V3::try_new() else { return 0 };
    simd.vectorize(
        #[inline(always)]
        || vector_steps(simd, text, into),
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn whole_steps(_text: &[u8], _into: &mut [u8]) -> usize {
    0
}

/// After Muła and Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions".
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn vector_steps(simd: V3, text: &[u8], into: &mut [u8]) -> usize {
    use std::arch::x86_64::__m256i;
    /// Characters that have numbers in a row: that before the first, that behind the last, and what is to be added to get
    /// the number.
    const RANGES: [[u8; 3]; 5] = [
        [b'A' - 1, b'Z' + 1, 0_u8.wrapping_sub(b'A')],
        [b'a' - 1, b'z' + 1, 26_u8.wrapping_sub(b'a')],
        [b'0' - 1, b'9' + 1, 52 - b'0'],
        [b'-' - 1, b'-' + 1, 62 - b'-'],
        [b'_' - 1, b'_' + 1, 63_u8.wrapping_sub(b'_')],
    ];
    /// Of four bytes with a number of 24 bits, those of the number, from its top.
    const BYTES: [u8; 16] = [2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 0x80, 0x80, 0x80, 0x80];
    let avx = simd.avx2;
    let zero: __m256i = pulp::cast([0_u8; STEP]);
    let mut ranges = [[zero; 3]; RANGES.len()];
    for (vectors, bytes) in ranges.iter_mut().flatten().zip(RANGES.iter().flatten()) {
        *vectors = pulp::cast([*bytes; STEP]);
    }
    let pairs: __m256i = pulp::cast([[0x40_u8, 0x01]; 16]);
    let fours: __m256i = pulp::cast([[0x1000_u16, 0x0001]; 8]);
    let bytes: __m256i = pulp::cast([BYTES; 2]);
    let lanes: __m256i = pulp::cast([0_u32, 1, 2, 4, 5, 6, 3, 7]);
    let mut done = 0;
    for (step, room) in text.as_chunks::<STEP>().0.iter().zip(into.as_chunks_mut::<STEP_BYTES>().0) {
        let step: __m256i = pulp::cast(*step);
        let (mut known, mut shift) = (zero, zero);
        for [first, last, difference] in ranges {
            let kind = avx._mm256_and_si256(avx._mm256_cmpgt_epi8(step, first), avx._mm256_cmpgt_epi8(last, step));
            known = avx._mm256_or_si256(known, kind);
            shift = avx._mm256_or_si256(shift, avx._mm256_and_si256(kind, difference));
        }
        if avx._mm256_movemask_epi8(known) != -1 {
            break;
        }
        let numbers = avx._mm256_add_epi8(step, shift);
        let joined = avx._mm256_madd_epi16(avx._mm256_maddubs_epi16(numbers, pairs), fours);
        let packed = avx._mm256_permutevar8x32_epi32(avx._mm256_shuffle_epi8(joined, bytes), lanes);
        let packed: [u8; STEP] = pulp::cast(packed);
        if let Some(packed) = packed.first_chunk() {
            *room = *packed;
        }
        done += STEP;
    }
    done
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
