//! `POST /api/v1/check`: one token, judged on request.
//!
//! Takes what people paste, as the command does, and answers the same. The token is not kept: its bytes are wiped when
//! the answer is made. No error repeats anything of the request.

use axum::body::Bytes;
use axum::response::Response;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use crate::diagnosis::{Checked, Diagnosis};
use crate::paste::{self, Pasted};
use crate::product::Product;
use crate::time::UnixTime;

use super::CheckRequest;
use super::answer::{Refusal, json};
use super::query::unknown;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    token: String,
    #[serde(default)]
    at: Option<At>,
    #[serde(default)]
    product: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum At {
    Seconds(i64),
    Text(String),
}

/// The answer: what the command writes with `--format json`.
pub(super) fn answer(request: CheckRequest, check: &dyn Fn(CheckRequest) -> Diagnosis) -> Response {
    let notes = request.notes.clone();
    json(&Checked { diagnosis: &check(request), notes: &notes })
}

/// Reads a request and wipes its bytes.
pub(super) fn read(bytes: Bytes, now: UnixTime) -> Result<CheckRequest, Refusal> {
    let body = serde_json::from_slice::<Body>(&bytes);
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.as_mut().zeroize();
    }
    let body = body.map_err(|error| {
        // serde's own words may repeat a value, so only the place is given.
        Refusal::bad_data(format!(
            "expected a JSON object `{{\"token\": …, \"at\": …, \"product\": …}}` with the last two optional, \
             but found something else at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    let text = Zeroizing::new(body.token);
    let Pasted { token, notes } = paste::token_in(text.as_bytes());
    let at = match body.at {
        None => now,
        Some(At::Seconds(seconds)) => UnixTime::from_seconds(seconds),
        Some(At::Text(text)) => UnixTime::parse(&text).ok_or_else(|| {
            Refusal::bad_data("`at`: expected an RFC 3339 time such as 2026-03-01T10:00:00Z, or Unix seconds")
        })?,
    };
    let product = match body.product {
        None => Product::Unknown,
        Some(text) => Product::from_id(&text).ok_or_else(|| {
            Refusal::bad_data(unknown("product", &text, Product::ALL.iter().map(|product| product.id())))
        })?,
    };
    Ok(CheckRequest { token, notes, at, product })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_795_488_000);

    #[test]
    fn time_and_product_are_optional() {
        let request = read(Bytes::from_static(br#"{"token":"abc"}"#), NOW).expect("read");
        assert_eq!((request.token.as_slice(), request.at, request.product), (&b"abc"[..], NOW, Product::Unknown));
        let body = br#"{"token":"","at":"2026-03-01T10:00:00Z","product":"video"}"#;
        let request = read(Bytes::from_static(body), NOW).expect("read");
        assert_eq!((request.at.to_string().as_str(), request.product), ("2026-03-01T10:00:00Z", Product::Video));
        let request = read(Bytes::from_static(br#"{"token":"","at":1}"#), NOW).expect("read");
        assert_eq!(request.at, UnixTime::from_seconds(1));
    }

    #[test]
    fn what_was_pasted_around_the_token_is_taken_off_and_noted() {
        let body = r#"{"token":"Authorization: Bearer \"eyJh.eyJi.c-_d\"\n"}"#;
        let request = read(Bytes::copy_from_slice(body.as_bytes()), NOW).expect("read");
        assert_eq!(request.token.as_slice(), b"eyJh.eyJi.c-_d");
        assert_eq!(request.notes.len(), 2, "{:?}", request.notes);
    }

    #[test]
    fn no_error_repeats_a_value() {
        for body in [
            r#"{"token":"s3cret","at":{"s3cret":1}}"#,
            r#"{"token":["s3cret"]}"#,
            r#"{"s3cret":1}"#,
            r#""s3cret""#,
            r#"{"token":"s3cret","at":"s3cret"}"#,
            "s3cret",
            "",
        ] {
            let error = read(Bytes::copy_from_slice(body.as_bytes()), NOW).expect_err(body);
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        let error = read(Bytes::from_static(br#"{"token":"","product":"vidio"}"#), NOW).expect_err("refused");
        assert_eq!(error, Refusal::bad_data("unknown product `vidio`: did you mean `video`?"));
    }

    #[test]
    fn a_request_is_shown_without_its_token() {
        let request = read(Bytes::from_static(br#"{"token":"s3cret"}"#), NOW).expect("read");
        assert!(format!("{request:?}").contains("6 bytes"));
        assert!(!format!("{request:?}").contains("s3cret"));
    }
}
