//! Standard output and standard error of the commands: colours, width and closed pipes.

use std::io::{self, IsTerminal, Write};

use crate::command::Failure;
use crate::command::arguments::ColorChoice;

/// Width of text where it does not go to a terminal, in columns.
const WIDTH_DEFAULT: usize = 80;
/// Widest text, in columns: longer lines are hard to read.
const WIDTH_MAX: usize = 100;
/// Narrowest text, in columns.
const WIDTH_MIN: usize = 40;

/// Decides about colours for everything that is printed through [`anstream`].
pub fn choose_colour(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Prints to standard output; styles fall away where there is no terminal.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::Output)
}

/// Prints a line to standard error. That it is closed can't be told to anybody, so it is passed over.
pub fn print_error(text: &str) {
    _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Columns for running text on standard output.
pub fn width() -> usize {
    if !io::stdout().is_terminal() {
        return WIDTH_DEFAULT;
    }
    let columns = terminal_size::terminal_size().map_or(WIDTH_DEFAULT, |(width, _)| usize::from(width.0));
    columns.clamp(WIDTH_MIN, WIDTH_MAX)
}

/// Breaks running text into lines of at most `width` columns, each after `indent`. A longer word has its own line.
pub fn wrap(text: &str, indent: &str, width: usize) -> String {
    let mut wrapped = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length <= width {
            wrapped.push(' ');
            column += 1 + length;
        } else {
            if column > 0 {
                wrapped.push('\n');
            }
            wrapped.push_str(indent);
            column = indent.chars().count() + length;
        }
        wrapped.push_str(word);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrap("one two three", "  ", 9), "  one two\n  three");
        assert_eq!(wrap("one two three", "  ", 8), "  one\n  two\n  three");
        assert_eq!(wrap("a https://example.com b", "", 5), "a\nhttps://example.com\nb");
        assert_eq!(wrap("", "  ", 9), "");
    }
}
