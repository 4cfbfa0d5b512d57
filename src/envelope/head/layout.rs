//! The layouts in which usual loggers write the head of a line, as a table.

use crate::envelope::emitter::{Id, Part};
use crate::envelope::text::is_level;
use crate::envelope::{Record, pairs};

/// Names in one layout.
const NAMES_MAX: usize = 2;

/// What a piece of a head says.
#[derive(Clone, Copy)]
enum Name {
    Writer(Part),
    Request,
}

/// A piece of a head.
#[derive(Clone, Copy)]
enum Piece {
    /// Exactly this.
    Is(&'static [u8]),
    /// A time.
    Time,
    /// Spaces, one at least.
    Spaces,
    /// The word of a level, maybe in brackets.
    Level,
    /// klog's letter of a level, and its day.
    Day,
    /// Digits.
    Number(Part),
    /// A name without spaces.
    Word(Part),
    /// A module by its path in small letters, and a space: no other word has that form.
    Module(Part),
    /// A UUID, or the like.
    Id,
}
use Piece::{Day, Id as BareId, Is, Level, Module, Number, Spaces, Time, Word};

/// What follows a time with which a line begins, in brackets or not. A number in brackets is a process to some and a
/// thread to others: it is taken for the weaker of the two.
const BEHIND_TIME: [&[Piece]; 7] = [
    // Python, log4net: `[12] ERROR app.chat …`
    &[Is(b" ["), Number(Part::Thread), Is(b"] "), Level, Is(b" ")],
    // Python: `ERROR app.chat …`
    &[Is(b" "), Level, Spaces, Module(Part::Logger)],
    // Python: `- chat - ERROR - …`
    &[Is(b" - "), Word(Part::Logger), Is(b" - "), Level, Is(b" - ")],
    // loguru: `| ERROR    | app.chat:refresh:12 - …`; NLog: `|ERROR|App.Chat|…`
    &[Is(b" | "), Level, Spaces, Is(b"| "), Word(Part::Logger), Is(b":")],
    &[Is(b"|"), Level, Is(b"|"), Word(Part::Logger), Is(b"|")],
    // gunicorn: `[2026-11-24 02:40:00 +0000] [12] [ERROR] …`
    &[Is(b"] ["), Number(Part::Process), Is(b"] "), Level, Is(b" ")],
    // Celery: `[2026-11-24 02:40:00,100: ERROR/ForkPoolWorker-1] …`
    &[Is(b": "), Level, Is(b"/"), Word(Part::Process), Is(b"] ")],
];

/// The same, where what is named is the request: AWS Lambda.
const BEHIND_TAB: [&[Piece]; 1] = [&[Is(b"\t"), BareId, Is(b"\t")]];

/// What does not begin with a time.
const OTHERS: [&[Piece]; 4] = [
    // klog, glog: `E1124 02:40:00.100000    1234 twilio.go:12] …`
    &[Day, Is(b" "), Time, Spaces, Number(Part::Thread), Is(b" "), Word(Part::Logger), Is(b":")],
    // Nest: `[Nest] 1  - 11/24/2026, 2:40:00 AM   ERROR [Chat] …`
    &[
        Is(b"[Nest] "),
        Number(Part::Process),
        Spaces,
        Is(b"- "),
        Time,
        Spaces,
        Level,
        Is(b" ["),
        Word(Part::Logger),
        Is(b"] "),
    ],
    &[Is(b"[Nest] "), Number(Part::Process), Spaces, Is(b"- "), Time],
    // AWS Lambda, Python: `[ERROR]<tab>…<tab>…<tab>…`
    &[Level, Is(b"\t"), Time, Is(b"\t"), BareId, Is(b"\t")],
];

/// What a layout says, and what follows it.
pub(super) struct Fit<'a> {
    names: [Option<(Name, &'a [u8])>; NAMES_MAX],
    pub(super) rest: &'a [u8],
}

impl Fit<'_> {
    /// Notes what it says; says whether that names a writer.
    pub(super) fn note(&self, record: &mut Record<'_>) -> bool {
        let mut named = false;
        for (name, value) in self.names.iter().flatten() {
            match name {
                Name::Writer(part) => {
                    record.emitter.note(*part, value);
                    named = true;
                }
                Name::Request => record.ids.note(Id::Request, value),
            }
        }
        named
    }

    /// It names a part of a writer.
    pub(super) fn says(&self, wanted: Part) -> bool {
        self.names.iter().flatten().any(|(name, _)| matches!(name, Name::Writer(part) if *part == wanted))
    }
}

/// The first layout that fits.
pub(super) fn read(head: &[u8]) -> Option<Fit<'_>> {
    let (layouts, text): (&[&[Piece]], _) = match behind_time(head.strip_prefix(b"[").unwrap_or(head)) {
        Some(rest) if rest.first() == Some(&b'\t') => (&BEHIND_TAB, rest),
        Some(rest) => (&BEHIND_TIME, rest),
        None => (&OTHERS, head),
    };
    layouts.iter().find_map(|layout| fit(layout, text))
}

fn fit<'a>(layout: &[Piece], text: &'a [u8]) -> Option<Fit<'a>> {
    let mut fit = Fit { names: [None; NAMES_MAX], rest: text };
    let mut names = fit.names.iter_mut();
    for piece in layout {
        let (name, length) = piece.take(fit.rest)?;
        let (taken, rest) = fit.rest.split_at_checked(length)?;
        if let Some(name) = name {
            *names.next()? = Some((name, taken));
        }
        fit.rest = rest;
    }
    Some(fit)
}

impl Piece {
    /// How much of a text it takes, and what that names.
    fn take(self, text: &[u8]) -> Option<(Option<Name>, usize)> {
        let run = |takes: fn(&u8) -> bool| text.iter().position(|byte| !takes(byte)).unwrap_or(text.len());
        let (name, length) = match self {
            Is(expected) => (None, text.starts_with(expected).then_some(expected.len())?),
            Time => (None, text.len() - behind_time(text)?.len()),
            Spaces => (None, run(|byte| *byte == b' ')),
            Level => (None, level(text)?),
            Day => (None, klog_day(text)?),
            Number(part) => (Some(Name::Writer(part)), run(u8::is_ascii_digit)),
            Word(part) => (Some(Name::Writer(part)), run(|byte| is_of_name(*byte))),
            Module(part) => (Some(Name::Writer(part)), module(text)?),
            BareId => {
                let length = run(|byte| is_of_name(*byte));
                (
                    Some(Name::Request),
                    Some(length).filter(|_| pairs::is_bare_id(text.get(..length).unwrap_or_default()))?,
                )
            }
        };
        (length > 0).then_some((name, length))
    }
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$' | b'@')
}

/// `ERROR`, `[ERROR]`: the length.
fn level(text: &[u8]) -> Option<usize> {
    let inside = text.strip_prefix(b"[").unwrap_or(text);
    let length = inside.iter().position(|byte| !byte.is_ascii_alphabetic())?;
    let brackets = text.len() - inside.len();
    let closes = brackets == 0 || inside.get(length) == Some(&b']');
    (closes && is_level(inside.get(..length)?)).then_some(length + 2 * brackets)
}

/// `E1124`.
fn klog_day(text: &[u8]) -> Option<usize> {
    let (letter, day) = text.split_first()?;
    let is_day = day.get(..4)?.iter().all(u8::is_ascii_digit);
    (is_day && b"IWEF".contains(letter)).then_some(5)
}

/// `app.chat `: neither a host nor a file.
fn module(text: &[u8]) -> Option<usize> {
    const OTHERS: [&[u8]; 12] =
        [b"com", b"net", b"org", b"io", b"dev", b"local", b"js", b"ts", b"py", b"go", b"rb", b"json"];
    let length = text.iter().position(|byte| *byte == b' ')?;
    let word = text.get(..length)?;
    let mut names = word.split(|byte| *byte == b'.');
    let is_name = |name: &[u8]| {
        name.first().is_some_and(u8::is_ascii_lowercase)
            && name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
    };
    let last = word.rsplit(|byte| *byte == b'.').next()?;
    (word.contains(&b'.') && names.all(is_name) && !OTHERS.contains(&last)).then_some(length)
}

/// What follows a date, a clock, or both, with their zone. What it says is read elsewhere.
fn behind_time(text: &[u8]) -> Option<&[u8]> {
    text.first().filter(|first| first.is_ascii_digit())?;
    let mut rest = digits_with(text, b"-/.:,")?;
    let has_clock = |upto: &[u8]| text.get(..text.len() - upto.len()).is_some_and(|time| time.contains(&b':'));
    if !has_clock(rest) {
        let clock = [b"T".as_slice(), b", ", b" "].iter().find_map(|between| rest.strip_prefix(*between))?;
        rest = digits_with(clock, b".:,")
            .filter(|behind| clock.first().is_some_and(u8::is_ascii_digit) && has_clock(behind))?;
    }
    let zone = rest.strip_prefix(b" ").unwrap_or(rest);
    if let Some(behind) =
        [b"Z".as_slice(), b"UTC", b"GMT", b"AM", b"PM"].iter().find_map(|name| zone.strip_prefix(*name))
    {
        return Some(behind);
    }
    if matches!(zone, [b'+' | b'-', digit, ..] if digit.is_ascii_digit()) {
        return digits_with(zone.get(1..)?, b":");
    }
    Some(rest)
}

/// What follows a number of several parts.
fn digits_with<'a>(text: &'a [u8], others: &[u8]) -> Option<&'a [u8]> {
    let run = text.iter().take_while(|byte| byte.is_ascii_digit() || others.contains(byte)).count();
    let last = text.get(..run)?.iter().rposition(u8::is_ascii_digit)?;
    text.get(last + 1..)
}

#[cfg(test)]
mod tests {
    use crate::envelope::{Likeness, read};

    const TIME: &str = "2026-11-24 02:40:00";

    #[track_caller]
    fn check(head: &str, other: &str, expected: Likeness) {
        let [a, b] = [head, other].map(|head| head.replace("TIME", TIME));
        let (first, second) = (format!("{a}twilio refused code=51007"), format!("{b}HTTP 401 error: refused"));
        let (first, second) = (read(first.as_bytes()), read(second.as_bytes()));
        let found = match first.ids.likeness(&second.ids) {
            Likeness::Unknown => first.emitter.likeness(&second.emitter),
            known @ (Likeness::Same | Likeness::Different) => known,
        };
        assert_eq!(found, expected, "{a} / {b}");
    }

    #[test]
    fn the_usual_heads_name_their_writer() {
        const REQUEST: &str = "5b7d1c1e-0000-4000-8000-0123456789ab";
        const OTHER: &str = "5b7d1c1e-0000-4000-8000-0123456789ac";
        let node = |request: &str| format!("2026-11-24T02:40:00.100Z\t{request}\tERROR\t");
        let python = |request: &str| format!("[ERROR]\t2026-11-24T02:40:00.100Z\t{request}\t");
        for (head, other) in [
            ("TIME,100 [12] ERROR app.chat ", "TIME,100 [13] ERROR app.chat "),
            ("TIME,100 [12] ERROR App.Chat [(null)] - ", "TIME,100 [13] ERROR App.Chat [(null)] - "),
            ("TIME,100 ERROR app.chat ", "TIME,100 ERROR app.views "),
            ("TIME,100 - chat - ERROR - ", "TIME,100 - views - ERROR - "),
            ("[TIME +0000] [12] [ERROR] ", "[TIME +0000] [13] [ERROR] "),
            ("[TIME,100: ERROR/ForkPoolWorker-1] ", "[TIME,100: ERROR/ForkPoolWorker-2] "),
            ("TIME.1000|ERROR|App.Chat|", "TIME.1000|ERROR|App.Views|"),
            ("TIME.100 | ERROR    | app.chat:refresh:12 - ", "TIME.100 | ERROR    | app.views:refresh:12 - "),
            ("E1124 02:40:00.100000    1234 twilio.go:12] ", "E1124 02:40:00.100000    1235 twilio.go:12] "),
            (
                "[Nest] 1  - 11/24/2026, 2:40:00 AM   ERROR [Chat] ",
                "[Nest] 2  - 11/24/2026, 2:40:00 AM   ERROR [Chat] ",
            ),
            ("[Nest] 1  - 11/24/2026, 2:40:00 AM   ERROR ", "[Nest] 2  - 11/24/2026, 2:40:00 AM   ERROR "),
            (&node(REQUEST), &node(OTHER)),
            (&python(REQUEST), &python(OTHER)),
        ] {
            check(head, head, Likeness::Same);
            check(head, other, Likeness::Different);
        }
    }

    #[test]
    fn one_thread_or_process_may_have_several_loggers() {
        for (head, other) in [
            ("TIME,100 [12] ERROR app.chat ", "TIME,103 [12] WARNING app.views "),
            ("TIME.100 ERROR 1 --- [exec-3] c.a.Chat : ", "TIME.103 ERROR 1 --- [exec-3] c.a.Views : "),
            (
                "[Nest] 1  - 11/24/2026, 2:40:00 AM   ERROR [Chat] ",
                "[Nest] 1  - 11/24/2026, 2:40:00 AM   WARN [Views] ",
            ),
        ] {
            check(head, other, Likeness::Same);
        }
    }

    #[test]
    fn what_is_no_head_names_nobody() {
        for head in [
            "TIME [51007] refused ",
            "TIME ERROR ",
            "TIME ERROR chat ",
            "TIME ERROR twilio.com ",
            "TIME ERROR server.js ",
            "TIME ERROR TwilioError: a.b ",
            "TIME|51007|App.Chat|",
            "TIME - chat - 51007 - ",
            "[TIME] [51007] refused ",
            "E1124 refused 12 twilio.go:12] ",
            "TIME\tERROR\tchat/refresh.go:41\t",
            "2026/11/24 02:40:00.100000 ",
        ] {
            check(head, head, Likeness::Unknown);
        }
    }
}
