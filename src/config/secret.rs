//! Secrets of the config: read from a file, the environment or the config itself.
//!
//! Of a secret *file*, one line ending at its end is not part of the secret, because editors and `echo` put one there.
//! Any other white space stays, and is warned about: a secret that was pasted with a blank is a usual mistake, and
//! which of the two sides has the blank can't be known here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::problem::{Fault, looks_like_secret};
use crate::config::read::{At, Reader, Section};
use crate::keyring::Secret;

/// Longest secret, in bytes. Those of Twilio have 32.
pub const SECRET_BYTES_MAX: usize = 4096;

/// Which of Twilio's secrets is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The secret of an API key.
    KeySecret,
    /// The Auth Token of an account.
    AuthToken,
    /// The password of an Alertmanager.
    Password,
    /// The bearer token of an Alertmanager.
    BearerToken,
}

impl Meaning {
    /// The three keys: itself, by file, by environment.
    const fn keys(self) -> [&'static str; 3] {
        match self {
            Self::KeySecret => ["secret", "secret_file", "secret_env"],
            Self::AuthToken => ["auth_token", "auth_token_file", "auth_token_env"],
            Self::Password => ["password", "password_file", "password_env"],
            Self::BearerToken => ["bearer_token", "bearer_token_file", "bearer_token_env"],
        }
    }
}

/// Reads the secret of a section, if one is given.
pub(super) fn read(section: &mut Section<'_, '_>, reader: &mut Reader<'_>, meaning: Meaning) -> Option<Secret> {
    let keys = meaning.keys();
    let mut given = Vec::new();
    for key in keys {
        if let Some(text) = section.text(reader, key) {
            given.push((key, text));
        }
    }
    let mut given = given.into_iter();
    let (key, text) = given.next()?;
    let others: Vec<_> = given.map(|(other, _)| other).collect();
    if !others.is_empty() {
        reader.error(&text.span, section.key(key), Fault::SecretTwice(others));
        return None;
    }
    let [_, by_file, by_environment] = keys;
    let bytes = if key == by_file {
        let path = reader.resolve(text.value);
        read_file(&path).map_err(|error| {
            let path = (!looks_like_secret(text.value)).then(|| path.display().to_string());
            Fault::SecretFile(path, reason(&error))
        })
    } else if key == by_environment {
        match (reader.environment)(text.value) {
            Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
            None if looks_like_secret(text.value) => Err(Fault::SecretEnv(None)),
            None => Err(Fault::SecretEnv(Some(text.value.escape_debug().to_string()))),
        }
    } else {
        Ok(Zeroizing::new(text.value.as_bytes().to_vec()))
    };
    match bytes.and_then(bounded) {
        Ok(bytes) => {
            warn(section, reader, key, &text, &bytes, meaning);
            Some(Secret::new(bytes.as_slice()))
        }
        Err(fault) => {
            reader.error(&text.span, section.key(key), fault);
            None
        }
    }
}

/// Reads the secret of an API key from a file that the command line names.
pub fn from_file(path: &Path) -> Result<Secret, String> {
    let bytes = read_file(path).map_err(|error| {
        let text = path.display().to_string();
        let named = if looks_like_secret(&text) { "the secret's file".to_owned() } else { text };
        format!("{named} can't be read: {}", reason(&error))
    });
    bytes.and_then(given)
}

/// Reads the secret of an API key from an environment variable that the command line names.
pub fn from_environment(name: &str) -> Result<Secret, String> {
    match std::env::var_os(name) {
        Some(value) => given(Zeroizing::new(value.into_encoded_bytes())),
        None if looks_like_secret(name) => {
            Err("expected the name of an environment variable, but found what may be a secret".to_owned())
        }
        None => Err(format!("the environment variable `{}` is not set", name.escape_debug())),
    }
}

fn given(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, String> {
    match bounded(bytes) {
        Ok(bytes) => Ok(Secret::new(bytes.as_slice())),
        Err(Fault::SecretEmpty) => Err("expected a secret, but found nothing".to_owned()),
        Err(_) => Err(format!("expected a secret of at most {SECRET_BYTES_MAX} bytes, but found more")),
    }
}

fn bounded(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match bytes.len() {
        0 => Err(Fault::SecretEmpty),
        length if length > SECRET_BYTES_MAX => Err(Fault::SecretTooLong),
        _ => Ok(bytes),
    }
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // A pipe could block for ever, and a second reading, at a reload, would find nothing in it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    // Room for a line ending beyond the limit, and one byte more to notice a file that is too long.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 3));
    let limit = u64::try_from(SECRET_BYTES_MAX + 3).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// The system's words for an error, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(at) = text.find(" (os error") {
        text.truncate(at);
    }
    text
}

fn warn(
    section: &Section<'_, '_>,
    reader: &mut Reader<'_>,
    key: &'static str,
    at: &At<&str>,
    bytes: &[u8],
    meaning: Meaning,
) {
    let is_auth_token = is_auth_token(bytes);
    let fault = if bytes.trim_ascii().len() != bytes.len() {
        Fault::SecretSpace
    } else if meaning == Meaning::KeySecret && is_auth_token {
        Fault::SecretLooksLikeAuthToken
    } else if meaning == Meaning::AuthToken && !is_auth_token {
        Fault::AuthTokenForm
    } else {
        return;
    };
    reader.warn(&at.span, section.key(key), fault);
}

/// Whether this has the form of an Auth Token: 32 lower-case hexadecimal digits.
fn is_auth_token(bytes: &[u8]) -> bool {
    bytes.len() == 32 && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &[u8], expected: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        assert_eq!(read_file(&path).unwrap().as_slice(), expected);
    }

    #[test]
    fn one_line_ending_at_the_end_of_a_file_is_no_part_of_the_secret() {
        check(b"abc", b"abc");
        check(b"abc\n", b"abc");
        check(b"abc\r\n", b"abc");
        check(b"abc\n\n", b"abc\n");
        check(b"abc \n", b"abc ");
        check(b" abc", b" abc");
        check(b"\n", b"");
    }

    #[test]
    fn a_secret_of_the_greatest_length_is_taken_and_a_longer_one_is_not() {
        let longest = vec![b'x'; SECRET_BYTES_MAX];
        check(&[longest.as_slice(), b"\r\n"].concat(), &longest);
        assert!(bounded(Zeroizing::new(longest.clone())).is_ok());
        assert_eq!(bounded(Zeroizing::new([longest.as_slice(), b"x"].concat())).unwrap_err(), Fault::SecretTooLong);
    }

    #[test]
    fn a_folder_is_no_secret_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(reason(&read_file(folder.path()).unwrap_err()), "not a regular file");
    }

    #[test]
    fn an_auth_token_is_known_by_its_form() {
        assert!(is_auth_token(b"00112233445566778899aabbccddeeff"));
        assert!(!is_auth_token(b"00112233445566778899AABBCCDDEEFF"));
        assert!(!is_auth_token(b"00112233445566778899aabbccddeef"));
    }
}
