//! JSON as the helper libraries write it: members of the table, texts without escapes, whole numbers. Nearly all tokens
//! are like that, and it is read three times as fast as any JSON.
//!
//! What is unusual is not read here at all: [`super::claims`] reads it with `serde_json`, which also says what is wrong
//! with it.

use std::borrow::Cow;

use super::claims::{Claim, Claims};
use super::field::{Field, Members, Shape};
use crate::quotes::Quotes;

/// Digits of a number that surely fits.
const DIGITS_MAX: usize = 18;

/// Reads an object and nothing after it; `None` if there is anything unusual in it, and then what was read is to be
/// forgotten.
pub(super) fn read<'a>(claims: &mut Claims<'a>, json: &'a [u8], members: Members) -> Option<()> {
    let mut reader = Reader { quotes: Quotes::new(json), text: std::str::from_utf8(json).ok()?, at: 0 };
    reader.expect(b'{')?;
    reader.object(claims, members, Around::Nothing)?;
    (reader.at == json.len()).then_some(())
}

/// What an object stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Grants,
    Nothing,
}

struct Reader<'a> {
    quotes: Quotes<'a>,
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The members of an object whose bracket has been read, up to the closing one.
    fn object(&mut self, claims: &mut Claims<'a>, members: Members, around: Around) -> Option<()> {
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            let name = self.string()?;
            self.expect(b':')?;
            if let Some((field, shape)) = members.iter().find(|(field, _)| is_same(field.name(), name)) {
                let value = self.member(claims, *field, *shape)?;
                claims.set(*field, value);
            } else {
                self.simple()?;
                claims.note_unknown(members, name);
                if around == Around::Grants {
                    claims.set_other_grants();
                }
            }
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn member(&mut self, claims: &mut Claims<'a>, field: Field, shape: Shape) -> Option<Claim<'a>> {
        match shape {
            Shape::Node(members) if self.peek()? == b'{' => {
                self.at += 1;
                let around = if field == Field::Grants { Around::Grants } else { Around::Nothing };
                self.object(claims, members, around)?;
                Some(Claim::Object)
            }
            Shape::Node(_) | Shape::Leaf => self.simple(),
        }
    }

    /// A text, a whole number that is not negative, or a word.
    fn simple(&mut self) -> Option<Claim<'a>> {
        let first = self.peek()?;
        if first == b'"' {
            self.at += 1;
            return Some(Claim::Text(Cow::Borrowed(self.string()?)));
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        let words = [("true", Claim::Bool(true)), ("false", Claim::Bool(false)), ("null", Claim::Null)];
        let rest = self.text.get(self.at..)?;
        let (word, value) = words.into_iter().find(|(word, _)| rest.starts_with(word))?;
        self.at += word.len();
        Some(value)
    }

    fn number(&mut self) -> Option<Claim<'a>> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = rest.get(..length).filter(|digits| digits.len() <= DIGITS_MAX)?;
        if length > 1 && digits.first() == Some(&b'0') {
            return None;
        }
        self.at += length;
        Some(Claim::Integer(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))))
    }

    /// A text whose opening quote has been read. An escape may be in a name too, and no text holds a control character.
    fn string(&mut self) -> Option<&'a str> {
        let (start, end) = (self.at, self.quotes.plain_end(self.at)?);
        self.at = end + 1;
        self.text.get(start..end)
    }
}

/// Two names are the same; most that are not differ at one of their ends.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.len() == b.len() && a.first() == b.first() && a.last() == b.last() && a == b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::field::{HEADER, PAYLOAD};
    use super::*;

    /// Reads the same as `serde_json`, or nothing.
    fn agrees(json: &str) -> Result<bool, TestCaseError> {
        for members in [HEADER, PAYLOAD] {
            let (mut claims, mut plain) = (Claims::new(), Claims::new());
            if read(&mut plain, json.as_bytes(), members).is_some() {
                prop_assert_eq!(claims.read_any(json.as_bytes(), members), Ok(()), "{}", json);
                prop_assert!(plain == claims, "{}", json);
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[test]
    fn tokens_of_the_helper_libraries_are_plain() {
        for json in [
            r#"{"cty":"twilio-fpa;v=1","typ":"JWT","alg":"HS256"}"#,
            r#"{"jti":"SK1-1","iss":"SK1","sub":"AC1","iat":1,"nbf":1,"exp":4102444800,"region":"us1","grants":{"identity":"ü@x","video":{},"chat":{"service_sid":"IS1"},"voice":{"incoming":{"allow":true}},"x":null}}"#,
            "{}",
        ] {
            assert!(agrees(json).unwrap(), "{json}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_alone() {
        for json in [
            "",
            "[]",
            "{",
            r#"{"exp":1"#,
            r#"{"exp":1}}"#,
            r#"{"exp":1,}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":01}"#,
            r#"{"exp":1.5}"#,
            r#"{"exp":1e3}"#,
            r#"{"exp":1234567890123456789}"#,
            r#"{"exp":nul}"#,
            r#"{"exp":nullx}"#,
            r#"{"iss":"S\u004b"}"#,
            "{\"iss\":\"a\tb\"}",
            r#"{"x":{}}"#,
            r#"{"iss":["a"]}"#,
            r#"{"exp" : 1}"#,
        ] {
            assert!(!agrees(json).unwrap(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_here_is_what_any_reader_of_json_reads(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "\"exp\":", "\"grants\":", "\"chat\":", "\"identity\":", "\"x\":", "\"alg\":", "\"a\"", "\"\"", "1",
                    "0", "-1", "1.5", "null", "true", "false", ",", "[]", "\\", " ", "\"", "é", "\"service_sid\":", "12345678901234567890",
                ]),
                0..16,
            ),
        ) {
            let json = parts.concat();
            agrees(&json)?;
            agrees(&format!("{{{json}}}"))?;
        }
    }
}
