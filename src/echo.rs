//! What an error message may repeat of its input.

/// Longer inputs are not repeated: a secret has 32 characters, a token some hundred.
const REPEATED_CHARS_MAX: usize = 24;

/// A short input, as far as it is printable; of a longer one its length.
pub fn echo(text: &str) -> String {
    let length = text.chars().count();
    if length > REPEATED_CHARS_MAX {
        return format!("({length} characters)");
    }
    text.chars().map(|c| if c.is_ascii_graphic() && c != '`' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        assert_eq!(echo("25h"), "25h");
        assert_eq!(echo("a\u{1b}[31m`"), "a?[31m?");
        assert_eq!(echo("eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJTSyJ9.c2ln"), "(42 characters)");
    }
}
