//! Lines of at most [`COLUMNS`] columns, wrapped between words, with colours or without.
//!
//! Deliberately without a terminal: whether colours are wanted is decided at the edge.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Every line fits into so many columns.
pub const COLUMNS: usize = 80;

/// Indent of the fields of a section.
const INDENT: usize = 3;

/// Room for the label of a field, with the space after it.
const LABEL: usize = 11;

/// Whether escape sequences for colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Always,
    /// For files, pipes and people who set `NO_COLOR`.
    Never,
}

/// What a piece of text is, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Running text.
    Plain,
    /// The line to read if only one is read.
    Verdict,
    /// The head of a section.
    Head,
    /// The label of a field, a line number.
    Faint,
    /// A fault.
    Fault,
    /// Something that was not done.
    Warning,
    /// All is well.
    Good,
}

impl Look {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Verdict => Style::new().bold(),
            Self::Head => AnsiColor::Cyan.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Fault => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Good => AnsiColor::Green.on_default().bold(),
        }
    }
}

/// Text under construction.
#[derive(Debug)]
pub struct Page {
    text: String,
    colour: Colour,
}

impl Page {
    /// An empty page.
    pub const fn new(colour: Colour) -> Self {
        Self { text: String::new(), colour }
    }

    /// The finished text; every line ends with a newline.
    pub fn into_text(self) -> String {
        self.text
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph from the left edge.
    pub fn paragraph(&mut self, look: Look, text: &str) {
        self.hanging(&[], 0, look, text);
    }

    /// A paragraph with the indent of a section.
    pub fn note(&mut self, look: Look, text: &str) {
        self.hanging(&[(Look::Plain, " ".repeat(INDENT))], INDENT, look, text);
    }

    /// A label and its text, which continues below itself.
    pub fn field(&mut self, label: &str, look: Look, text: &str) {
        let start = (Look::Faint, format!("{}{label:<LABEL$}", " ".repeat(INDENT)));
        self.hanging(&[start], INDENT + LABEL, look, text);
    }

    /// One line as it is; cut at the right edge rather than wrapped.
    pub fn line(&mut self, pieces: &[(Look, String)]) {
        let mut left = COLUMNS;
        for (look, text) in pieces {
            let text = fitting(text, left);
            left = left.saturating_sub(text.width());
            self.piece(*look, &text);
        }
        self.end_line();
    }

    /// `start`, then `text` wrapped beside it; the lines after the first begin at column `hang`.
    pub fn hanging(&mut self, start: &[(Look, String)], hang: usize, look: Look, text: &str) {
        let taken: usize = start.iter().map(|(_, text)| text.width()).sum();
        for (look, text) in start {
            self.piece(*look, text);
        }
        let hang = hang.min(COLUMNS / 2);
        for (at, line) in wrapped(text, COLUMNS.saturating_sub(taken), COLUMNS - hang).iter().enumerate() {
            if at > 0 {
                self.end_line();
                self.text.extend(std::iter::repeat_n(' ', hang));
            }
            self.piece(look, line);
        }
        self.end_line();
    }

    fn piece(&mut self, look: Look, text: &str) {
        let style = look.style();
        if self.colour == Colour::Never || look == Look::Plain || text.trim().is_empty() {
            self.text.push_str(text);
        } else {
            _ = write!(self.text, "{style}{text}{style:#}");
        }
    }

    fn end_line(&mut self) {
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
    }
}

/// Text from outside as it may be printed: control characters, line separators, and characters without a shape of
/// their own (bidirectional marks, zero-width ones) become visible escapes.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Lines of `text`, broken between words; a word that is too long is broken anywhere.
pub fn wrapped(text: &str, first: usize, rest: usize) -> Vec<String> {
    let (mut lines, mut line, mut room) = (Vec::new(), String::new(), first.max(1));
    for word in text.split_whitespace() {
        let space = usize::from(!line.is_empty());
        if line.width() + space + word.width() > room && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            room = rest.max(1);
        } else if space == 1 {
            line.push(' ');
        }
        let mut left = room.saturating_sub(line.width());
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if width > left && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                (room, left) = (rest.max(1), rest.max(1));
            }
            line.push(c);
            left = left.saturating_sub(width);
        }
    }
    lines.push(line);
    lines
}

/// The longest start of `text` that fits, with an ellipsis where something was cut.
fn fitting(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut kept, mut left) = (String::new(), columns.saturating_sub(1));
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// `1,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `1,204 files`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `1.2 GB`, in powers of ten, as disks are sold.
pub fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    for (size, unit) in UNITS {
        if number >= size {
            let tenths = u128::from(number) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    counted(number, "byte", "bytes")
}

/// `81 %`; `<1 %` and `>99 %` where rounding would say none or all.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    let percent = (u128::from(part) * 100 + u128::from(whole) / 2) / u128::from(whole);
    match percent {
        0 => "<1 %".to_owned(),
        100 if part < whole => ">99 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(wrapped(text, 10, 6), expected);
    }

    #[test]
    fn text_wraps_between_words_and_long_words_anywhere() {
        check("", &[""]);
        check("one two", &["one two"]);
        check("one two three four", &["one two", "three", "four"]);
        check("abcdefghijklmnop", &["abcdefghij", "klmnop"]);
        check("a abcdefghijklmnop", &["a", "abcdef", "ghijkl", "mnop"]);
        check("日本語日本語", &["日本語日本", "語"]);
    }

    #[test]
    fn hostile_text_becomes_visible() {
        assert_eq!(shown("a\u{1b}[31mred\r\n"), "a\\u{1b}[31mred\\r\\n");
        assert_eq!(shown("\u{9b}2J\u{202e}gol.exe\u{200b}"), "\\u{9b}2J\\u{202e}gol.exe\\u{200b}");
        assert_eq!(shown("Grüße/日本.log"), "Grüße/日本.log");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1204, 1_000_000].map(grouped), ["0", "999", "1,204", "1,000,000"]);
        assert_eq!([1, 999, 1000, 1_290_000_000].map(bytes), ["1 byte", "999 bytes", "1.0 kB", "1.2 GB"]);
        assert_eq!(share(0, 0), "0 %");
        assert_eq!(share(1, 1000), "<1 %");
        assert_eq!(share(999, 1000), ">99 %");
        assert_eq!(share(975, 1204), "81 %");
    }

    #[test]
    fn a_line_is_cut_at_the_right_edge() {
        let mut page = Page::new(Colour::Never);
        page.line(&[(Look::Head, "a".repeat(70)), (Look::Plain, "b".repeat(70))]);
        assert_eq!(page.into_text(), format!("{}{}…\n", "a".repeat(70), "b".repeat(9)));
    }

    #[test]
    fn colours_are_written_only_when_wanted() {
        let text = |colour| {
            let mut page = Page::new(colour);
            page.field("Why", Look::Fault, "because");
            page.into_text()
        };
        assert_eq!(text(Colour::Never), "   Why        because\n");
        assert!(text(Colour::Always).contains("\u{1b}["));
    }
}
