//! The box to check a token: the form, what it sends, and the answer.
//!
//! The token is wiped when the answer is made, and the page that comes back does not repeat it.

use std::fmt::{self, Write};

use axum::body::Bytes;
use zeroize::{Zeroize, Zeroizing};

use crate::cause::Cause;
use crate::diagnosis::Diagnosis;
use crate::paste::{self, Pasted};
use crate::product::Product;
use crate::time::UnixTime;

use super::super::CheckRequest;
use super::html::{Escaped, Prose};
use super::latest;

/// What a sent form asks for.
pub(in crate::expose) type Asked = Result<CheckRequest, &'static str>;

/// What is said about it.
#[derive(Debug)]
pub(in crate::expose) enum Answer {
    /// The diagnosis.
    Judged(Box<Diagnosis>),
    /// Why there is none.
    Refused(&'static str),
}

/// Reads a form as browsers send it (`application/x-www-form-urlencoded`) and wipes its bytes.
pub(in crate::expose) fn read(bytes: Bytes, now: UnixTime) -> Asked {
    let asked = read_fields(&bytes, now);
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
    asked
}

fn read_fields(body: &[u8], now: UnixTime) -> Asked {
    let (mut token, mut at, mut product) = (None, now, Product::Unknown);
    for pair in body.split(|byte| *byte == b'&') {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (pair, &[][..]),
        };
        let value = decoded(value).ok_or("The form could not be read as UTF-8 text.")?;
        match (name, value.trim()) {
            (b"token", _) => token = Some(value),
            (b"at" | b"product", "") => {}
            (b"at", text) => {
                at = UnixTime::parse(text)
                    .ok_or("The time was not understood: write it as 2026-03-01T10:00:00Z, or as Unix seconds.")?;
            }
            (b"product", text) => product = Product::from_id(text).ok_or("There is no such product.")?,
            (_, _) => {}
        }
    }
    let token = token.filter(|token| !token.trim().is_empty()).ok_or("There is no token to check: paste one.")?;
    let Pasted { token, notes } = paste::token_in(token.as_bytes());
    Ok(CheckRequest { token, notes, at, product })
}

fn decoded(value: &[u8]) -> Option<Zeroizing<String>> {
    // As long as it can get, so that no copy is left behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(std::mem::take(&mut *bytes)).ok().map(Zeroizing::new)
}

pub(super) fn write(page: &mut String, answer: Option<&Answer>) -> fmt::Result {
    page.write_str(
        "<section id=\"check\">\n<h2>Check a token</h2>\n\
         <form method=\"post\" action=\".\" id=\"check-form\" autocomplete=\"off\">\n\
         <label for=\"token\">Access Token</label>\n\
         <textarea id=\"token\" name=\"token\" rows=\"3\" required spellcheck=\"false\" autocapitalize=\"off\" \
         placeholder=\"eyJ…\" aria-describedby=\"kept\"></textarea>\n\
         <div class=\"row\"><div><label for=\"product\">Product</label>\n<select id=\"product\" name=\"product\">\
         <option value=\"\">any</option>",
    )?;
    for product in Product::ALL.into_iter().filter(|product| *product != Product::Unknown) {
        write!(page, "<option>{}</option>", product.id())?;
    }
    page.write_str(
        "</select></div>\n<div><label for=\"at\">Refused at</label>\n\
         <input id=\"at\" name=\"at\" placeholder=\"now\" inputmode=\"text\"></div>\n\
         <button>Check</button></div>\n\
         <p id=\"kept\" class=\"where\">Judged in memory with the key ring, and forgotten: not stored, not logged, not \
         counted.</p>\n</form>\n<div id=\"check-answer\" role=\"status\">\n",
    )?;
    match answer {
        Some(Answer::Judged(diagnosis)) => write_judged(page, diagnosis)?,
        Some(Answer::Refused(why)) => writeln!(page, "<p class=\"note\">{}</p>", Prose(why))?,
        None => {}
    }
    page.write_str("</div>\n</section>\n")
}

fn write_judged(page: &mut String, diagnosis: &Diagnosis) -> fmt::Result {
    let class = if diagnosis.cause == Cause::NoneFound { "good" } else { "bad" };
    write!(page, "<div class=\"answer {class}\">\n<h3>{}</h3>\n", Escaped(diagnosis.cause.title()))?;
    latest::write_findings(page, diagnosis)?;
    if let Some(token) = &diagnosis.token {
        page.write_str("<dl class=\"facts\">\n")?;
        latest::write_token(page, token)?;
        page.write_str("</dl>\n")?;
    }
    page.write_str("</div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        let body = Bytes::from_static(b"token=eyJ%2Ba+b%0D%0A&product=video&at=2026-03-01T10%3A00%3A00Z");
        let asked = read(body, NOW).expect("read");
        assert_eq!((asked.token.as_slice(), asked.product), (&b"eyJ+a b"[..], Product::Video));
        assert_eq!(asked.at.to_string(), "2026-03-01T10:00:00Z");
        let asked = read(Bytes::from_static(b"at=&token=a%3Db&product="), NOW).expect("read");
        assert_eq!((asked.token.as_slice(), asked.at, asked.product), (&b"a=b"[..], NOW, Product::Unknown));
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_it() {
        for (body, expected) in [
            ("", "There is no token to check: paste one."),
            ("token=+%0A", "There is no token to check: paste one."),
            ("token=s3cret&at=s3cret", "The time was not understood"),
            ("token=s3cret&product=s3cret", "There is no such product."),
            ("token=s3cret%2", "The form could not be read"),
            ("token=%FF", "The form could not be read"),
            ("token=%zz", "The form could not be read"),
        ] {
            let why = read(Bytes::copy_from_slice(body.as_bytes()), NOW).expect_err(body);
            assert!(why.starts_with(expected) && !why.contains("s3cret"), "{body}: {why}");
        }
    }
}
