//! The report of `check`: one token, decoded, with each fault marked where it stands.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::cause::{Cause, Family};
use crate::diagnosis::{Check, Diagnosis, SkipReason, Skipped};
use crate::finding::Finding;
use crate::product::Product;
use crate::report::claims::{Line, Node, lines};
use crate::report::page::{COLUMNS, Colour, Look, Page, counted, shown};
use crate::report::{check_phrase, reason_phrase, reason_remedy};

/// Where in the token a finding points, as a path (`payload.exp`); `None` for the token as a whole.
pub type ClaimOf = fn(&Finding) -> Option<&str>;

/// Reads parts leniently: padding and stray last bits are the checks' business.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A message stands beside its mark if it has so many columns there, else below.
const BESIDE_MIN: usize = 34;

/// Room for line numbers.
const GUTTER: usize = 6;

/// Renders the report; `token` is decoded only, everything said of it is in the diagnosis.
pub fn render(token: &[u8], notes: &[String], diagnosis: &Diagnosis, claim_of: ClaimOf, colour: Colour) -> String {
    let mut page = Page::new(colour);
    let faults: Vec<_> = faults(diagnosis).collect();
    headline(&mut page, diagnosis, faults.len());
    for note in notes {
        page.note(Look::Warning, note);
    }
    let placed = token_view(&mut page, token, &faults, claim_of);
    for (finding, _) in faults.iter().zip(placed).filter(|(_, placed)| !placed) {
        page.gap();
        page.hanging(
            &[(Look::Fault, format!("{}= ", " ".repeat(GUTTER - 1)))],
            GUTTER + 1,
            Look::Plain,
            &message(finding),
        );
    }
    skipped(&mut page, &diagnosis.skipped);
    remedies(&mut page, &faults);
    verdict(&mut page, diagnosis, &faults);
    page.into_text()
}

/// The findings that are faults of the token, by precedence.
pub fn faults(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    diagnosis.findings.iter().filter(|finding| is_fault(finding.cause()))
}

/// "Nothing was found" is no fault.
fn is_fault(cause: Cause) -> bool {
    cause != Cause::NoneFound && cause != Cause::NoToken
}

fn headline(page: &mut Page, diagnosis: &Diagnosis, faults: usize) {
    if faults == 0 {
        page.hanging(&[(Look::Good, "ok: ".to_owned())], 4, Look::Verdict, "no fault found in the token");
    } else {
        let start = (Look::Fault, format!("error[{}]: ", diagnosis.cause.id()));
        page.hanging(&[start], 7, Look::Verdict, diagnosis.cause.title());
    }
    let product = match diagnosis.product {
        Product::Unknown => String::new(),
        Product::Chat | Product::Sync | Product::Voice | Product::Video | Product::TaskRouter => {
            format!(" by {}", diagnosis.product.id())
        }
    };
    page.note(Look::Faint, &format!("as if refused{product} at {}", diagnosis.at));
}

/// Shows header, payload and signature; says of each finding whether it was marked there.
fn token_view(page: &mut Page, token: &[u8], faults: &[&Finding], claim_of: ClaimOf) -> Vec<bool> {
    let mut placed = vec![false; faults.len()];
    // Of what is no JWT at all, nothing can be shown.
    if token.split(|byte| *byte == b'.').next().and_then(decoded).is_none() {
        return placed;
    }
    let mut number = 0;
    for (root, part) in ["header", "payload", "signature"].into_iter().zip(token.split(|byte| *byte == b'.')) {
        page.gap();
        page.note(Look::Faint, root);
        let node = if root == "signature" { None } else { decoded(part) };
        let lines = node.map_or_else(|| vec![opaque(root, part.len())], |node| lines(root, &node));
        let marks: Vec<_> =
            faults.iter().map(|finding| claim_of(finding).and_then(|path| line_of(&lines, path))).collect();
        for (at, line) in lines.iter().enumerate() {
            number += 1;
            numbered(page, number, line);
            for ((finding, mark), placed) in faults.iter().zip(&marks).zip(&mut placed) {
                if *mark == Some(at) && !*placed {
                    marked(page, line, &message(finding));
                    *placed = true;
                }
            }
        }
    }
    placed
}

/// A part that can't or need not be read.
fn opaque(root: &str, length: usize) -> Line {
    let text = format!("… ({})", counted(length as u64, "character", "characters"));
    Line { start: 0, width: text.chars().count(), text, path: root.to_owned(), comment: None }
}

fn decoded(part: &[u8]) -> Option<Node> {
    let json = BASE64.decode(part.trim_ascii()).ok()?;
    Node::parse(&json).ok().filter(|node| matches!(node, Node::Object(_)))
}

/// The line of a path, else of the nearest object around it. Of members with the same name the last counts, as it does
/// for the checks.
fn line_of(lines: &[Line], path: &str) -> Option<usize> {
    let mut path = path;
    loop {
        if let Some(at) = lines.iter().rposition(|line| line.path == path) {
            return Some(at);
        }
        (path, _) = path.rsplit_once('.')?;
    }
}

fn numbered(page: &mut Page, number: usize, line: &Line) {
    let comment = line.comment.as_ref().map(|comment| format!(" // {comment}")).unwrap_or_default();
    page.line(&[(Look::Faint, format!("{number:>4} | ")), (Look::Plain, line.text.clone()), (Look::Faint, comment)]);
}

/// `^^^^` under a value, and the message beside or below it.
fn marked(page: &mut Page, line: &Line, text: &str) {
    let gutter = (Look::Faint, format!("{}| ", " ".repeat(GUTTER - 1)));
    let indent = GUTTER + 1 + line.start;
    let carets = "^".repeat(line.width.clamp(1, COLUMNS.saturating_sub(indent).max(1)));
    let beside = COLUMNS.saturating_sub(indent + carets.len() + 1) >= BESIDE_MIN;
    let start = [gutter, (Look::Fault, format!("{:1$}{carets}", "", line.start))];
    if beside {
        let hang = indent + carets.len() + 1;
        page.hanging(&[start.as_slice(), &[(Look::Plain, " ".to_owned())]].concat(), hang, Look::Fault, text);
    } else {
        page.line(&start);
        page.hanging(&[(Look::Plain, " ".repeat(GUTTER + 3))], GUTTER + 3, Look::Fault, text);
    }
}

fn message(finding: &Finding) -> String {
    shown(&format!("{}: {finding}", finding.cause().id()))
}

fn skipped(page: &mut Page, skipped: &[Skipped]) {
    if skipped.is_empty() {
        return;
    }
    page.gap();
    page.paragraph(Look::Head, "Not checked");
    for Skipped { check, reason } in skipped {
        let remedy = match (check, reason) {
            (Check::Signature, SkipReason::UnknownKey) => {
                Some("point to its secret with `--secret-file FILE`, or to a config with `--config FILE`")
            }
            (_, reason) => reason_remedy(*reason),
        };
        let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
        let text = format!("{}, because {}{remedy}.", check_phrase(*check), reason_phrase(*reason));
        page.hanging(&[(Look::Warning, " - ".to_owned())], 3, Look::Plain, &text);
    }
}

fn remedies(page: &mut Page, faults: &[&Finding]) {
    let mut told = Vec::new();
    for cause in faults.iter().map(|finding| finding.cause()) {
        if told.contains(&cause) {
            continue;
        }
        page.gap();
        page.paragraph(Look::Head, cause.title());
        page.field("Why", Look::Plain, cause.why());
        page.field("What to do", Look::Verdict, cause.remedy());
        page.field("Ask", Look::Plain, cause.owner());
        page.field("More", Look::Faint, cause.docs());
        told.push(cause);
    }
}

fn verdict(page: &mut Page, diagnosis: &Diagnosis, faults: &[&Finding]) {
    page.gap();
    let unchecked = match diagnosis.skipped.len() as u64 {
        0 => String::new(),
        count => {
            let names: Vec<_> = diagnosis.skipped.iter().map(|skipped| skipped.check.id().replace('_', " ")).collect();
            format!(", {} not made ({})", counted(count, "check", "checks"), names.join(", "))
        }
    };
    if faults.is_empty() {
        let text = format!(
            "no fault{unchecked}. What only Twilio can know: a deleted key, a suspended account, a service of another \
             account."
        );
        page.hanging(&[(Look::Good, "Verdict: ".to_owned())], 9, Look::Verdict, &text);
    } else {
        let count = counted(faults.len() as u64, "fault", "faults");
        // A masked or encrypted token may be as good as any.
        let verdict = match diagnosis.cause.family() {
            Family::Unknown => "nobody can tell from this",
            Family::Form
            | Family::Header
            | Family::Key
            | Family::Signature
            | Family::Time
            | Family::Grants
            | Family::Identity
            | Family::Region => "Twilio refuses this token",
        };
        let text = format!("{verdict}: {}; {count}{unchecked}.", diagnosis.cause.title());
        page.hanging(&[(Look::Fault, "Verdict: ".to_owned())], 9, Look::Verdict, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str) -> Line {
        Line { text: String::new(), start: 0, width: 1, path: path.to_owned(), comment: None }
    }

    #[test]
    fn a_path_without_a_line_is_marked_at_the_object_around_it() {
        let lines = ["payload", "payload.exp", "payload.grants", "payload.grants.chat"].map(line);
        assert_eq!(line_of(&lines, "payload.exp"), Some(1));
        assert_eq!(line_of(&lines, "payload.grants.chat.service_sid"), Some(3));
        let twice = ["payload", "payload.exp", "payload.exp"].map(line);
        assert_eq!(line_of(&twice, "payload.exp"), Some(2));
        assert_eq!(line_of(&lines, "payload.nbf"), Some(0));
        assert_eq!(line_of(&lines, "header.alg"), None);
        assert_eq!(line_of(&lines, "signature"), None);
    }
}
