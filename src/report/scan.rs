//! The text report of a scan: the verdict first, then the causes, then what is not known, then the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cause::Cause;
use crate::diagnosis::Basis;
use crate::product::Product;
use crate::report::counts::Counts;
use crate::report::page::{Colour, Look, Page, bytes, counted, grouped, share, shown};
use crate::report::tally::{CauseTally, Example, Tally, UncheckedKey};
use crate::report::{check_phrase, reason_phrase, reason_remedy};
use crate::time::UnixTime;

/// So many keys of a cause are named; the rest are counted.
const KEYS_SHOWN: usize = 4;

/// So many keys appear in the suggested config.
const KEYS_SUGGESTED: usize = 3;

/// So many files are listed; the rest are counted.
const FILES_SHOWN: usize = 20;

/// Renders the report.
pub fn render(tally: &Tally, colour: Colour) -> String {
    let mut page = Page::new(colour);
    if tally.rejections == 0 {
        nothing_found(&mut page, tally);
    } else {
        page.paragraph(Look::Verdict, &verdict(tally));
        overview(&mut page, tally);
        for (at, (cause, of_cause)) in tally.ranked().into_iter().enumerate() {
            section(&mut page, tally, at + 1, cause, of_cause);
        }
        not_checked(&mut page, tally);
    }
    files(&mut page, tally);
    page.into_text()
}

/// The line to read if only one is read.
fn verdict(tally: &Tally) -> String {
    let mut text = counted(tally.rejections, "refused connection", "refused connections");
    _ = write!(text, " in {}", counted(tally.files.len() as u64, "file", "files"));
    if let (Some(first), Some(last)) = (tally.first, tally.last) {
        let when = match (second(first), second(last)) {
            (first, last) if first == last => format!(" at {first}"),
            (first, last) => format!(" between {first} and {last}"),
        };
        text.push_str(&when);
    }
    if let Some((cause, of_cause)) = tally.ranked().first() {
        let most = match tally.causes.len() {
            1 => format!("; all of them: {}.", cause.title()),
            _ => format!("; {}: {}.", share(of_cause.rejections, tally.rejections), cause.title()),
        };
        text.push_str(&most);
    }
    text
}

fn overview(page: &mut Page, tally: &Tally) {
    if tally.causes.len() < 2 {
        return;
    }
    page.gap();
    for (at, (cause, of_cause)) in tally.ranked().into_iter().enumerate() {
        let count = format!("{:>9}  {:>5}", grouped(of_cause.rejections), share(of_cause.rejections, tally.rejections));
        page.line(&[
            (Look::Faint, format!("{:>3} ", at + 1)),
            (Look::Verdict, count),
            (Look::Plain, format!("  {}", cause.title())),
        ]);
    }
}

fn section(page: &mut Page, tally: &Tally, number: usize, cause: Cause, of_cause: &CauseTally) {
    page.gap();
    page.hanging(&[(Look::Head, format!("{number}. "))], 3, Look::Head, cause.title());
    let count = format!(
        "{} of {} ({}), cause `{}`",
        grouped(of_cause.rejections),
        grouped(tally.rejections),
        share(of_cause.rejections, tally.rejections),
        cause.id()
    );
    page.field("Count", Look::Plain, &count);
    page.field("Why", Look::Plain, cause.why());
    page.field("What to do", Look::Verdict, cause.remedy());
    page.field("Ask", Look::Plain, cause.owner());
    page.field("When", Look::Plain, &when(of_cause));
    page.field("Product", Look::Plain, &products(&of_cause.products));
    if of_cause.keys.keys().any(Option::is_some) {
        page.field("Key", Look::Plain, &keys(&of_cause.keys));
    }
    if of_cause.tokens > 0 {
        page.field("Tokens", Look::Plain, &tokens(of_cause));
    }
    page.field("Known from", Look::Plain, &bases(&of_cause.bases));
    example(page, &of_cause.example);
    page.field("More", Look::Faint, cause.docs());
}

fn when(of_cause: &CauseTally) -> String {
    match (second(of_cause.first), second(of_cause.last)) {
        (first, last) if first == last => format!("at {first}"),
        (first, last) => format!("from {first} until {last}"),
    }
}

fn products(products: &Counts<Product>) -> String {
    let name = |product: Product| match product {
        Product::Unknown => "not known from the log",
        Product::Chat | Product::Sync | Product::Voice | Product::Video | Product::TaskRouter => product.id(),
    };
    let mut sorted: Vec<_> = products.iter().map(|(product, count)| (name(product).to_owned(), count)).collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    listed(&sorted)
}

fn keys(keys: &BTreeMap<Option<String>, u64>) -> String {
    let mut named: Vec<_> = keys.iter().filter_map(|(key, count)| Some((shown(key.as_ref()?), *count))).collect();
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let further: u64 = named.iter().skip(KEYS_SHOWN).map(|(_, count)| count).sum();
    let more = named.len().saturating_sub(KEYS_SHOWN) as u64;
    named.truncate(KEYS_SHOWN);
    if more > 0 {
        named.push((format!("{} more", grouped(more)), further));
    }
    if let Some(without) = keys.get(&None) {
        named.push(("none readable".to_owned(), *without));
    }
    listed(&named)
}

/// `chat`, or `chat (3), sync (1)`.
fn listed(items: &[(String, u64)]) -> String {
    if let [(only, _)] = items {
        return only.clone();
    }
    let items: Vec<_> = items.iter().map(|(name, count)| format!("{name} ({})", grouped(*count))).collect();
    items.join(", ")
}

fn tokens(of_cause: &CauseTally) -> String {
    let count = if of_cause.tokens_overflow {
        format!("at least {}", grouped(of_cause.tokens))
    } else {
        grouped(of_cause.tokens)
    };
    if of_cause.tokens == 1 && of_cause.rejections > 1 && !of_cause.tokens_overflow {
        return "one and the same, sent again and again".to_owned();
    }
    format!("{count} different")
}

fn bases(bases: &Counts<Basis>) -> String {
    let phrase = |basis: Basis| match basis {
        Basis::Token => "checks of the token",
        Basis::Code => "Twilio's code",
        Basis::Text => "the message in the log",
        Basis::None => "nothing: neither token nor code nor text names a cause",
    };
    let items: Vec<_> = bases.iter().map(|(basis, count)| (phrase(basis).to_owned(), count)).collect();
    listed(&items)
}

fn example(page: &mut Page, example: &Example) {
    let mut place = format!("{}:{}", example.path, example.line);
    if let Some(code) = example.code {
        _ = write!(place, ", code {code}");
    }
    if let Some(found) = example.found {
        _ = write!(place, " (token: {found})");
    }
    page.field("Example", Look::Plain, &place);
    if let Some(evidence) = &example.evidence {
        page.field("", Look::Plain, &shown(evidence));
    }
}

fn not_checked(page: &mut Page, tally: &Tally) {
    if tally.skipped.is_empty() {
        return;
    }
    page.gap();
    page.paragraph(Look::Head, "Not checked");
    for ((check, reason), count) in tally.skipped.iter() {
        let text = format!(
            "{} of {}: {}, because {}{}.",
            grouped(count),
            grouped(tally.rejections),
            check_phrase(check),
            reason_phrase(reason),
            reason_remedy(reason).map(|remedy| format!("; to have it checked, {remedy}")).unwrap_or_default()
        );
        page.hanging(&[(Look::Warning, " - ".to_owned())], 3, Look::Plain, &text);
    }
    suggested_config(page, tally);
}

/// A config that would let the skipped signature checks be made, to be filled in.
fn suggested_config(page: &mut Page, tally: &Tally) {
    let mut keys: Vec<_> = tally.unchecked_keys.iter().collect();
    if keys.is_empty() {
        return;
    }
    keys.sort_by_key(|(sid, key)| (std::cmp::Reverse(key.rejections), sid.as_str()));
    page.gap();
    page.note(Look::Plain, "The config's entries for the keys that were met, to be completed:");
    for (sid, UncheckedKey { account, unknown, rejections }) in keys.iter().take(KEYS_SUGGESTED) {
        let line = |page: &mut Page, text: String| page.line(&[(Look::Plain, format!("      {text}"))]);
        page.gap();
        let note = if *unknown { "" } else { ", in the config without its secret" };
        line(page, format!("[[key]]          # {}{note}", counted(*rejections, "refusal", "refusals")));
        line(page, format!("sid = \"{}\"", shown(sid)));
        if let Some(account) = account {
            line(page, format!("account = \"{}\"", shown(account)));
        }
        line(page, "secret_file = \"/path/to/a/file/with/the/secret\"".to_owned());
    }
    if keys.len() > KEYS_SUGGESTED {
        let more = counted((keys.len() - KEYS_SUGGESTED) as u64, "more key", "more keys");
        page.gap();
        page.note(Look::Plain, &format!("and {more}."));
    }
}

fn nothing_found(page: &mut Page, tally: &Tally) {
    if tally.files.is_empty() {
        page.paragraph(Look::Warning, "Nothing was read.");
        return;
    }
    let lines = counted(tally.lines(), "line", "lines");
    let files = counted(tally.files.len() as u64, "file", "files");
    let (look, but) = match tally.failures.len() as u64 {
        0 => (Look::Good, String::new()),
        unread => (Look::Warning, format!("; {} not read to the end", counted(unread, "file was", "files were"))),
    };
    page.paragraph(look, &format!("No refused connection in {lines} of {files}{but}."));
    page.gap();
    let looked_for = "error 51007 and its companion codes (20101 to 20107, 31202 to 31207, 51101 to 51131 and others) \
                      as the value of an error field or after a word like error, in JSON, logfmt, query strings and \
                      SDK messages, and Twilio's texts without a code.";
    page.field("Looked for", Look::Plain, looked_for);
    let modified = || tally.files.iter().filter_map(|file| file.modified);
    if let (Some(oldest), Some(newest)) = (modified().min(), modified().max()) {
        let text = match (second(oldest), second(newest)) {
            (oldest, newest) if oldest == newest => format!("last written at {newest}"),
            (oldest, newest) => format!("last written between {oldest} and {newest}"),
        };
        page.field("In files", Look::Plain, &text);
    }
    let tries: &[&str] = if tally.bytes() == 0 {
        &["The input is empty: is this the right file, or was the log rotated away?"]
    } else {
        &[
            "Rotated logs too: FILE.1 and FILE.*.gz are read as they are.",
            "The log of the part that talks to Twilio: the SDK's own log at level `warn` prints every refusal, and at \
             level `debug` also the token.",
            "A client's own log (mobile app, browser) if the application's has no trace: the refusal reaches the \
             client first.",
        ]
    };
    for (at, text) in tries.iter().enumerate() {
        page.field(if at == 0 { "Try" } else { "" }, Look::Plain, text);
    }
}

fn files(page: &mut Page, tally: &Tally) {
    page.gap();
    page.paragraph(Look::Head, "Read");
    let mut total = format!(
        "{}, {}, {}",
        counted(tally.files.len() as u64, "file", "files"),
        counted(tally.lines(), "line", "lines"),
        bytes(tally.bytes())
    );
    if let Some(elapsed) = tally.elapsed {
        let millis = elapsed.as_millis().max(1);
        let speed = u128::from(tally.bytes()) * 1000 / millis;
        _ = write!(
            total,
            " in {}.{:03} s ({}/s)",
            millis / 1000,
            millis % 1000,
            bytes(u64::try_from(speed).unwrap_or(u64::MAX))
        );
    }
    page.note(Look::Plain, &format!("{total}."));
    if tally.truncated() > 0 {
        let lines = counted(tally.truncated(), "line was", "lines were");
        page.note(Look::Warning, &format!("{lines} longer than is looked at; only the start was searched."));
    }
    for file in tally.files.iter().filter(|file| file.misfits > 0).take(FILES_SHOWN) {
        let records = counted(file.misfits, "record does not", "records do not");
        let line = file.first_misfit.map_or_else(String::new, |line| format!(" (first at line {line})"));
        let text = format!("{}: {records} fit the header{line}: judged as plain lines. Export it anew.", file.name);
        page.note(Look::Warning, &text);
    }
    if tally.exposed > 0 {
        let tokens = counted(tally.exposed, "token", "tokens");
        let text = format!("{tokens} stood in the log while still valid: whoever reads the log can connect with it.");
        page.note(Look::Warning, &text);
    }
    if tally.files.len() > 1 {
        for file in tally.files.iter().take(FILES_SHOWN) {
            let counts = format!("{:>9} in {:>11}  ", grouped(file.rejections), counted(file.lines, "line", "lines"));
            page.hanging(&[(Look::Plain, format!("   {counts}"))], 28, Look::Plain, &file.name);
        }
        if tally.files.len() > FILES_SHOWN {
            let more = (tally.files.len() - FILES_SHOWN) as u64;
            page.note(Look::Plain, &format!("and {}.", counted(more, "more file", "more files")));
        }
    }
    for unread in &tally.failures {
        let text = format!("{}: {}", unread.name, unread.message);
        page.hanging(&[(Look::Fault, "   Not read: ".to_owned())], 13, Look::Plain, &text);
    }
}

/// A time as it is read at a glance: without its milliseconds.
fn second(time: UnixTime) -> UnixTime {
    UnixTime::from_seconds(time.as_seconds())
}

#[cfg(test)]
pub(crate) mod tests;
