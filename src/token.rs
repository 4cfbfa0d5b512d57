//! What was sent as an Access Token, read leniently: it may be far from a JWT.
//!
//! Says what it is and reads the fields. Deliberately without judgement: whether a field is right is the work of
//! [`crate::validate`].

use std::fmt;

use base64::DecodeError;
use zeroize::Zeroizing;

mod base64url;
mod claims;
mod field;
mod foreign;
mod instead;
#[cfg(test)]
pub(crate) mod mint;
mod plain;
mod run;

use claims::JsonFault;
pub use claims::{Claim, Claims};
pub use field::Field;
pub use foreign::is_foreign;
pub use instead::{Extent, Instead, has_mask, instead, is_mask, is_sid, is_veil, status};
pub use run::run;

/// How the text of a token ended in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Something that is no part of a token followed, or a quote closed it: this is all that was sent.
    #[default]
    Closed,
    /// The line ended right after it, so a logger with a limit may have cut it.
    LineEnd,
    /// An ellipsis, `[truncated]` or the like follows: the logger cut it.
    Cut,
}

/// What stands in the log where a token should be, unescaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// The bytes.
    pub raw: Zeroizing<Vec<u8>>,
    /// How they ended.
    pub ending: Ending,
}

impl Drop for Sent {
    fn drop(&mut self) {
        // What is beyond the length is wiped at once, not byte by byte.
        self.raw.clear();
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({} bytes, {:?})", self.raw.len(), self.ending)
    }
}

/// Longest token that is decoded, in bytes: ten times what a token with every grant needs, and more than the HTTP
/// headers and SIP messages that carry tokens take.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Length of an HS256 signature in base64url.
pub const SIGNATURE_CHARS: usize = 43;

/// Headers of the helper libraries, which say the same in any order: HS256, JWT, `twilio-fpa;v=1`.
const USUAL_HEADERS: [&str; 6] = [
    "eyJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsInR5cCI6IkpXVCIsImFsZyI6IkhTMjU2In0",
    "eyJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsImFsZyI6IkhTMjU2IiwidHlwIjoiSldUIn0",
    "eyJ0eXAiOiJKV1QiLCJjdHkiOiJ0d2lsaW8tZnBhO3Y9MSIsImFsZyI6IkhTMjU2In0",
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0",
    "eyJhbGciOiJIUzI1NiIsImN0eSI6InR3aWxpby1mcGE7dj0xIiwidHlwIjoiSldUIn0",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImN0eSI6InR3aWxpby1mcGE7dj0xIn0",
];

/// Where header and payload are decoded to; wiped when dropped.
#[derive(Default)]
pub struct Buffer {
    header: Zeroizing<Vec<u8>>,
    payload: Zeroizing<Vec<u8>>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // What is beyond the length is wiped at once, not byte by byte.
        self.header.clear();
        self.payload.clear();
    }
}

/// What was sent, as far as it can be read.
#[derive(Debug, PartialEq)]
pub struct Token<'a> {
    /// What it is.
    pub form: Form,
    /// Its fields, if header and payload can be read, whatever its form.
    pub jwt: Option<Jwt<'a>>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JWT with all its parts.
    Whole,
    /// No token.
    NotAToken(Instead),
    /// An encrypted token (JWE).
    Encrypted,
    /// The logger wrote over it.
    Masked(Extent),
    /// The logger cut it.
    Cut,
    /// It ends early, and nothing says that it was the logger.
    Truncated(Missing),
    /// A JWT with a broken part.
    Malformed(Part, Fault),
}

/// What a token that ends early lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Part of the header, and all else.
    Header,
    /// All or part of the payload, and the signature.
    Payload,
    /// All of the signature.
    Signature,
    /// The signature has only so many characters.
    SignatureTail(usize),
}

/// A part of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Token,
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

/// What is wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// More than [`TOKEN_BYTES_MAX`] bytes.
    TooLong(usize),
    /// So many parts between dots, not three.
    Parts(usize),
    /// Nothing in it.
    Empty,
    /// No base64url: at this byte of the part, from 0.
    Base64(usize),
    /// No base64url: a length that it can't have.
    Length(usize),
    /// No JSON: at this byte of the decoded part, from 0.
    Json(usize),
    /// JSON that ends early.
    JsonEnds,
    /// JSON, but no object.
    NotAnObject,
    /// All letters have one case.
    CaseFolded,
    /// A signature of so many characters.
    SignatureLength(usize),
}

/// The fields of a token, and what was signed.
#[derive(PartialEq)]
pub struct Jwt<'a> {
    /// The fields.
    pub claims: Claims<'a>,
    /// Header and payload with the dot between them: what is signed.
    pub message: &'a [u8],
    /// The signature as it was sent; may be empty.
    pub signature: &'a [u8],
}

impl fmt::Debug for Jwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwt({:?})", self.claims)
    }
}

/// Reads what was sent.
pub fn read<'a>(sent: &'a Sent, buffer: &'a mut Buffer) -> Token<'a> {
    read_bytes(&sent.raw, sent.ending, buffer)
}

/// Reads what was sent, without the type around it.
pub fn read_bytes<'a>(raw: &'a [u8], ending: Ending, buffer: &'a mut Buffer) -> Token<'a> {
    if raw.len() > TOKEN_BYTES_MAX {
        let form = instead(raw).map_or(Form::Malformed(Part::Token, Fault::TooLong(raw.len())), Form::NotAToken);
        return Token { form, jwt: None };
    }
    let parts = Parts::split(raw);
    let is_usual = USUAL_HEADERS.iter().any(|usual| usual.as_bytes() == parts.header);
    let header = if is_usual { Ok(()) } else { decode(parts.header, &mut buffer.header) };
    let payload = parts.payload.ok_or(Fault::Empty).and_then(|part| decode(part, &mut buffer.payload));
    let buffer: &'a Buffer = buffer;
    let mut claims = Claims::new();
    let header = if is_usual {
        claims.take_usual_header();
        Ok(())
    } else {
        header.and_then(|()| claims.read_header(&buffer.header).map_err(Fault::from))
    };
    let payload = payload.and_then(|()| claims.read_payload(&buffer.payload).map_err(Fault::from));
    let reading = Reading { raw, ending, parts, header, payload };
    let form = reading.form(&claims);
    let readable = header.is_ok() && payload.is_ok() && form != Form::Encrypted;
    let jwt = readable.then(|| Jwt { claims, message: parts.message, signature: parts.signature.unwrap_or_default() });
    Token { form, jwt }
}

/// The key SID that a token names as its issuer, if it can be read and is one.
pub fn issuer(sent: &Sent) -> Option<String> {
    let mut buffer = Buffer::default();
    let token = read(sent, &mut buffer);
    let iss = token.jwt.as_ref()?.claims.value(Field::Iss).text()?;
    (is_sid(iss.as_bytes()) && iss.starts_with("SK")).then(|| iss.to_owned())
}

/// A text between its dots.
#[derive(Clone, Copy, Debug)]
struct Parts<'a> {
    header: &'a [u8],
    payload: Option<&'a [u8]>,
    signature: Option<&'a [u8]>,
    message: &'a [u8],
    count: usize,
}

impl<'a> Parts<'a> {
    fn split(raw: &'a [u8]) -> Self {
        let mut dots = memchr::memchr_iter(b'.', raw);
        let (first, second) = (dots.next(), dots.next());
        let between = |from: usize, to: usize| raw.get(from..to).unwrap_or_default();
        let end = raw.len();
        Self {
            header: between(0, first.unwrap_or(end)),
            payload: first.map(|dot| between(dot + 1, second.unwrap_or(end))),
            // Whatever follows the second dot: more dots are found where it is no base64url.
            signature: second.map(|dot| between(dot + 1, end)),
            message: between(0, second.unwrap_or(end)),
            count: 1 + usize::from(first.is_some()) + usize::from(second.is_some()) + dots.count(),
        }
    }
}

/// What is known of a text after the attempt to decode it.
struct Reading<'a> {
    raw: &'a [u8],
    ending: Ending,
    parts: Parts<'a>,
    header: Result<(), Fault>,
    payload: Result<(), Fault>,
}

impl Reading<'_> {
    /// The cheap way first: nearly all tokens are whole.
    fn form(&self, claims: &Claims<'_>) -> Form {
        let sound = self.header.is_ok() && self.payload.is_ok();
        if self.header.is_ok() && *claims.value(Field::Enc) != Claim::Missing {
            return Form::Encrypted;
        }
        if sound && self.is_whole(claims) {
            return Form::Whole;
        }
        if is_mask(self.raw) {
            return Form::Masked(if instead::is_plain_run(self.raw) { Extent::Unsure } else { Extent::Whole });
        }
        if let Some(instead) = instead(self.raw) {
            return Form::NotAToken(instead);
        }
        // Of an encrypted token the header says so; a token whose dots were doubled has an empty second part as well.
        if self.parts.count == 5 && self.parts.payload == Some(b"") && self.header.is_err() {
            return Form::Encrypted;
        }
        if !self.resembles_jwt() {
            return match instead::x_run(self.raw) {
                _ if instead::has_plain_mask(self.raw) => Form::Masked(Extent::Part),
                Some(0) => Form::Masked(Extent::Unsure),
                // What can be seen of it does not begin as a token does.
                Some(_) | None => Form::NotAToken(instead::text(self.raw)),
            };
        }
        if instead::has_sure_mask(self.raw) {
            return Form::Masked(Extent::Part);
        }
        if instead::x_run(self.raw).is_some() {
            return Form::Masked(Extent::Unsure);
        }
        if instead::has_cut_mark(self.raw) {
            return Form::Cut;
        }
        let early = self.early_end(claims);
        match (early, self.ending) {
            (Some(_), Ending::Cut | Ending::LineEnd) => Form::Cut,
            (Some(missing), Ending::Closed) => Form::Truncated(missing),
            (None, _) => self.damage(),
        }
    }

    /// Only HS256 says how long the signature is; any other algorithm is a fault of its own.
    fn is_whole(&self, claims: &Claims<'_>) -> bool {
        match (self.parts.signature, claims.value(Field::Alg).text()) {
            (None, Some("none")) => true,
            (None, _) => false,
            (Some(signature), Some("HS256")) => signature.len() == SIGNATURE_CHARS && is_base64url(signature),
            (Some(signature), _) => is_base64url(signature),
        }
    }

    fn resembles_jwt(&self) -> bool {
        let has = |needle: &[u8]| memchr::memmem::find(self.raw, needle).is_some();
        let long = |part: Option<&[u8]>| part.is_some_and(|part| part.len() >= 10 && !part.contains(&b' '));
        self.header.is_ok()
            || has(b"eyJ")
            || self.raw.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(b"eyj"))
            || self.raw.starts_with(b"ZXlK")
            || (long(Some(self.parts.header)) && long(self.parts.payload) && long(self.parts.signature))
    }

    fn early_end(&self, claims: &Claims<'_>) -> Option<Missing> {
        let ends = |fault: Fault, part: &[u8]| match fault {
            Fault::JsonEnds | Fault::Length(_) | Fault::Empty => true,
            Fault::Base64(at) => at + 1 == part.len() && is_base64url(part),
            Fault::TooLong(_)
            | Fault::Parts(_)
            | Fault::Json(_)
            | Fault::NotAnObject
            | Fault::CaseFolded
            | Fault::SignatureLength(_) => false,
        };
        match (self.header, self.parts.payload, self.payload, self.parts.signature) {
            (Err(fault), None, _, _) if ends(fault, self.parts.header) => Some(Missing::Header),
            (Ok(()), None, _, _) => Some(Missing::Payload),
            (Ok(()), Some(part), Err(fault), None) if ends(fault, part) => Some(Missing::Payload),
            (Ok(()), Some(_), Ok(()), None) => Some(Missing::Signature),
            (Ok(()), _, Ok(()), Some(part))
                if claims.value(Field::Alg).text() == Some("HS256")
                    && part.len() < SIGNATURE_CHARS
                    && is_base64url(part) =>
            {
                Some(if part.is_empty() { Missing::Signature } else { Missing::SignatureTail(part.len()) })
            }
            _ => None,
        }
    }

    fn damage(&self) -> Form {
        let letters = || self.raw.iter().filter(|byte| byte.is_ascii_alphabetic());
        if self.header.is_err() && (letters().all(u8::is_ascii_lowercase) || letters().all(u8::is_ascii_uppercase)) {
            return Form::Malformed(Part::Token, Fault::CaseFolded);
        }
        if let Err(fault) = self.header {
            return Form::Malformed(Part::Header, fault);
        }
        if self.parts.count > 3 {
            return Form::Malformed(Part::Token, Fault::Parts(self.parts.count));
        }
        if let Err(fault) = self.payload {
            return Form::Malformed(Part::Payload, fault);
        }
        let signature = self.parts.signature.unwrap_or_default();
        let fault = signature
            .iter()
            .position(|byte| !is_base64url(&[*byte]))
            .map_or(Fault::SignatureLength(signature.len()), Fault::Base64);
        Form::Malformed(Part::Signature, fault)
    }
}

impl From<JsonFault> for Fault {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Ends => Self::JsonEnds,
            JsonFault::At(byte) => Self::Json(byte),
            JsonFault::NotAnObject => Self::NotAnObject,
        }
    }
}

fn decode(part: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
    if part.is_empty() {
        return Err(Fault::Empty);
    }
    base64url::decode(part, into).map_err(|error| match error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => Fault::Base64(at),
        DecodeError::InvalidLength(_) => Fault::Length(part.len()),
        DecodeError::InvalidPadding => Fault::Base64(part.iter().position(|byte| *byte == b'=').unwrap_or(part.len())),
    })
}

fn is_base64url(text: &[u8]) -> bool {
    // Without a branch a byte, so that it becomes vector instructions.
    text.iter().fold(true, |all, byte| all & (byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'_')))
}

#[cfg(test)]
mod tests;
