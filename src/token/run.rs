//! How far the bytes of a token reach.

/// Bytes looked at in one go.
const STEP: usize = 32;

/// How many bytes of base64url, or dots, a text begins with.
pub fn run(text: &[u8]) -> usize {
    // Whole steps without a branch a byte, so that they become vector instructions.
    let steps = text.as_chunks::<STEP>().0.iter();
    let whole = steps
        .take_while(|step| step.iter().fold(0, |other, byte| other | u8::from(!is_token_byte(*byte))) == 0)
        .count()
        * STEP;
    let rest = text.get(whole..).unwrap_or_default();
    whole + rest.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(rest.len())
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
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
