//! A form body, as Twilio writes one.
//!
//! Stricter than browsers are: there is one way to write each form, so that a body in which anything was changed is
//! never taken for the signed one. Every pair has one `=` and a name, escapes have upper-case digits, and nothing but
//! printable ASCII stands outside of them.

use zeroize::Zeroizing;

/// The pairs of a form, decoded, in the order of the body. Wiped when dropped.
pub struct Form(Vec<(String, Zeroizing<String>)>);

/// Without the values.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Form({} pairs)", self.0.len())
    }
}

/// The most pairs of a form; those of a Debugger event are seven.
pub const PAIRS_MAX: usize = 256;

impl Form {
    /// Reads a body; `None` if it is not written as Twilio writes one.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut pairs = Vec::new();
        for pair in body.split(|byte| *byte == b'&') {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
            if name.is_empty() || value.contains(&b'=') || pairs.len() == PAIRS_MAX {
                return None;
            }
            pairs.push((decode(name, true)?, Zeroizing::new(decode(value, true)?)));
        }
        Some(Self(pairs))
    }

    /// The first value of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Name and value of every pair as Twilio signs them: sorted by name and then by value, each pair once.
    pub(super) fn signed(&self) -> Vec<(&str, &str)> {
        let mut pairs: Vec<_> = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

/// Undoes the form encoding; strictly, if that is asked for, else whatever is no escape stays as it is.
fn decode(text: &[u8], strictly: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let pair = [rest.next(), rest.next()].map(|digit| digit.and_then(nibble));
                match pair {
                    [Some(high), Some(low)] => out.push((high << 4) | low),
                    _ if strictly => return None,
                    _ => {}
                }
            }
            b'!'..=b'~' => out.push(byte),
            _ if strictly => return None,
            _ => out.push(byte),
        }
    }
    if strictly { String::from_utf8(out).ok() } else { Some(String::from_utf8_lossy(&out).into_owned()) }
}

/// Undoes the encoding of a query string as far as there is one.
pub(super) fn decode_loosely(text: &str) -> String {
    decode(text.as_bytes(), false).unwrap_or_default()
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&[(&str, &str)]>) {
        let form = Form::read(body.as_bytes());
        assert_eq!(form.as_ref().map(Form::signed).as_deref(), expected, "{body}");
    }

    #[test]
    fn pairs_are_decoded_sorted_and_taken_once() {
        check("b=1&a=2", Some(&[("a", "2"), ("b", "1")]));
        check("a=2&a=1&a=2", Some(&[("a", "1"), ("a", "2")]));
        check("a=x+y%2B%C3%BC&b=", Some(&[("a", "x y+ü"), ("b", "")]));
    }

    #[test]
    fn what_twilio_does_not_write_is_no_form() {
        for body in ["", "a", "=1", "a=1&", "a=1=2", "a=%2b", "a=%2", "a=%zz", "a=%FF", "a=x y", "a=\u{fc}", "a=\n"] {
            check(body, None);
        }
        check(&vec!["a=1"; PAIRS_MAX + 1].join("&"), None);
    }
}
