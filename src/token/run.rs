//! How far the bytes of a token reach.

/// Bytes looked at in one go.
const STEP: usize = 32;

/// How many bytes of base64url, or dots, a text begins with.
pub fn run(text: &[u8]) -> usize {
    let whole = whole_steps(text);
    let rest = text.get(whole..).unwrap_or_default();
    whole + rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(rest.len())
}

/// Bytes of whole steps, by the widest vectors of the machine.
fn whole_steps(text: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(
            #[inline(always)]
            || count_steps(text),
        );
    }
    count_steps(text)
}

#[expect(clippy::inline_always, reason = "it becomes the vector instructions of whoever calls it")]
#[inline(always)]
fn count_steps(text: &[u8]) -> usize {
    // Without a branch a byte, so that they become vector instructions.
    let is_whole = |step: &&[u8; STEP]| step.iter().fold(true, |all, byte| all & is_token_byte(*byte));
    text.as_chunks::<STEP>().0.iter().take_while(is_whole).count() * STEP
}

#[expect(clippy::needless_bitwise_bool, reason = "without a branch a byte it becomes vector instructions")]
const fn is_token_byte(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_digit = byte.wrapping_sub(b'0') < 10;
    is_letter | is_digit | (byte == b'-') | (byte == b'.') | (byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_at_the_first_other_byte_wherever_it_stands() {
        for length in 0..100 {
            let text = [b"aZ09-_.x".repeat(13).split_at(length).0, b"\"eyJ"].concat();
            assert_eq!(run(&text), length);
            assert_eq!(run(&text[..length]), length);
        }
    }
}
